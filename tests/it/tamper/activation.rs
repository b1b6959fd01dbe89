//! A damaged version is not activated unseen.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{beside, chmod, forge, next, project, set_time, version};
use crate::support::{Sandbox, tree};

type Act = fn(&Path);

#[test]
fn rollback_use_and_reset_refuse_a_damaged_version_by_name() {
    let damages: &[(&str, Act)] = &[
        ("`a`: content", |lib| {
            forge(&lib.join("a"), "two\n");
            set_time(&lib.join("a"), 1);
        }),
        // The time was set back, but the sizes do not add up.
        ("`deep/b`: content", |lib| forge(&lib.join("deep/b"), "evil and more\n")),
        ("`deep/b`: missing", |lib| fs::remove_file(lib.join("deep/b")).unwrap()),
        ("`run`: mode", |lib| chmod(&lib.join("run"), 0o444)),
        ("`extra`: is not in git", |lib| fs::write(lib.join("extra"), "").unwrap()),
        ("damaged: its listing is missing", |lib| fs::remove_file(beside(lib, "files")).unwrap()),
        ("damaged: its record is damaged", |lib| fs::write(beside(lib, "json"), "{}").unwrap()),
    ];
    for (told, damage) in damages {
        let sandbox = Sandbox::new();
        let repo = project(&sandbox, "");
        repo.dist([]).success();
        let first = version(&sandbox, "lib");
        next(&repo, "two\n");
        damage(&first);
        let before = tree(sandbox.root());
        for arguments in
            [&["rollback"][..], &["rollback", "lib"], &["use", "lib", "1"], &["rollback", "-d", "lib"]]
        {
            let run = sandbox.run(sandbox.dist_command(repo.path()).args(arguments)).code(1);
            let run = run.says(&format!(
                "version {} is damaged",
                repo.version("lib", "HEAD~1").split_once('.').unwrap().1
            ));
            run.says(told)
                .says("`git dist verify --all --repair lib` exports it again, `-f` activates it as it is");
            assert_eq!(tree(sandbox.root()), before, "{arguments:?}");
        }
        repo.dist(["use", "lib", "1", "-f"]).success();
        assert_eq!(version(&sandbox, "lib"), first);
        // What both share is damaged there as well.
        repo.dist(["use", "lib", "2", "-f"]).success();
        if !told.contains("record") {
            repo.dist(["verify", "--all", "--repair", "lib"]).success();
            repo.dist(["rollback", "lib"]).success();
        }
    }
}

#[test]
fn reset_and_a_deploy_that_relinks_refuse_it_too() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let first = version(&sandbox, "tool");
    next(&repo, "two\n");
    let second = version(&sandbox, "tool");
    chmod(&first, 0o644);
    fs::write(&first, "evil\n").unwrap();
    chmod(&first, 0o444);
    // Content that returns.
    repo.write("tool", "one\n");
    repo.commit("back");
    let told = |version: &str| format!("(target `tool`): version {version} is damaged: content");
    let name = repo.version("tool", "HEAD~2");
    repo.dist([])
        .code(1)
        .says(&told(name.split_once('.').unwrap().1))
        .says("hint: `git dist verify --all --repair tool`");
    repo.dist(["-d"]).code(1).says("is damaged");
    assert_eq!(version(&sandbox, "tool"), second);
    repo.dist(["use", "tool", "1", "-f"]).success();
    forge(&second, "evil, and longer\n");
    let name = repo.version("tool", "HEAD~1");
    repo.dist(["reset", "tool"]).code(1).says(&told(name.split_once('.').unwrap().1));
    repo.dist(["verify", "--all", "--repair"]).success();
    repo.dist(["reset", "tool"]).success();
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), "one\n");
}

/// Another time alone is no damage: a restore without times, or `touch`.
#[test]
fn what_only_looks_touched_is_read_and_activated() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let first = version(&sandbox, "lib");
    next(&repo, "two\n");
    for file in ["a", "deep/b", "run"] {
        set_time(&first.join(file), 1);
    }
    repo.dist(["rollback", "lib"]).success();
    assert_eq!(version(&sandbox, "lib"), first);
}

#[test]
fn what_this_user_cannot_read_is_refused() {
    use crate::least_power::{ADA, can_be_others, dist_as, give};
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.git(["config", "--global", "safe.directory", "*"]);
    repo.dist([]).success();
    let first = version(&sandbox, "lib");
    next(&repo, "two\n");
    give(sandbox.root(), ADA, ADA);
    let deep = first.join("deep");
    std::os::unix::fs::chown(&deep, Some(0), Some(0)).unwrap();
    chmod(&deep, 0o700);
    let as_ada = |arguments: &[&str]| sandbox.run(dist_as(&sandbox, &repo, ADA, ADA).args(arguments));
    as_ada(&["rollback", "lib"])
        .code(1)
        .says("is damaged: `deep`: cannot be read")
        .says("`-f` activates it as it is");
    as_ada(&["verify", "--all"]).code(4).prints("deep/b  cannot be read");
    as_ada(&["rollback", "lib", "-f"]).success();
    assert_eq!(version(&sandbox, "lib"), first);
    assert_eq!(fs::metadata(&deep).unwrap().uid(), 0);
}
