//! A deployment root that distman 0.8.4 made is taken over, and distman still understands what git dist makes of it.
//!
//! The root is made by distman itself where its commands are found: in the folder that `GIT_DIST_TEST_DISTMAN` names,
//! which must then be right, else on the `PATH`. Where they are not, a recorded root is taken instead, and what needs
//! distman itself is skipped, loudly.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::support::{Repo, Run, Sandbox, tree};

/// The folder of distman's commands `dist` and `distcache`; `None` where it is not installed.
fn distman(sandbox: &Sandbox) -> Option<PathBuf> {
    let version = |folder: &Path| {
        let output = sandbox.command(folder.join("dist"), sandbox.path()).arg("--version").output().ok()?;
        String::from_utf8(output.stdout).ok().filter(|text| text.starts_with("distman 0.8.4"))
    };
    if let Some(folder) = std::env::var_os("GIT_DIST_TEST_DISTMAN") {
        let folder = PathBuf::from(folder);
        assert!(
            version(&folder).is_some(),
            "GIT_DIST_TEST_DISTMAN: no distman 0.8.4 in {}",
            folder.display()
        );
        return Some(folder);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).find(|folder| version(folder).is_some())
}

/// The same, for a test that can do nothing without it.
fn distman_or_skip(sandbox: &Sandbox) -> Option<PathBuf> {
    let found = distman(sandbox);
    if found.is_none() {
        // Not through `eprintln!`, which is only seen where a test fails.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED: distman is not installed; `pip install distman==0.8.4` lets this test run"
        );
    }
    found
}

/// A file of this folder.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data").join(name)
}

/// Copies the recorded root to `to`, with the modes that it had.
fn copy_recorded(sandbox: &Sandbox, to: &Path) {
    let mut copy = sandbox.command("cp", sandbox.path());
    sandbox.run(copy.arg("-a").arg(data("distman-root")).arg(to)).success();
    // What is checked out has the modes of somebody's umask.
    let mut chmod = sandbox.command("chmod", sandbox.path());
    sandbox.run(chmod.args(["-R", "u=rwX,go=rX"]).arg(to)).success();
}

/// A repository of three commits and a root in which distman deployed them, six versions of each destination.
fn taken_over(sandbox: &Sandbox) -> Repo<'_> {
    let mut command = sandbox.command("sh", sandbox.path());
    command.arg(data("distman-root.sh")).env("LOG_DIR", sandbox.path().join("log")).args(distman(sandbox));
    sandbox.run(&mut command).success();
    if !sandbox.root().exists() {
        copy_recorded(sandbox, sandbox.root());
    }
    sandbox.open(sandbox.path().join("project"))
}

/// Runs distman's `dist`.
fn dist(sandbox: &Sandbox, bin: &Path, repo: &Repo<'_>, arguments: &[&str]) -> Run {
    let mut command = sandbox.command(bin.join("dist"), repo.path());
    sandbox.run(command.env("LOG_DIR", sandbox.path().join("log")).args(arguments))
}

fn file(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(sandbox.root().join(path)).unwrap()
}

/// Commits a fourth round.
fn next(repo: &Repo<'_>) {
    for path in ["lib/tool/file", "lib/tool/sub/file", "bin/run", "bin/read.me"] {
        repo.write(path, "four\n");
    }
    repo.commit("four");
    repo.git(["update-ref", "refs/remotes/origin/main", "HEAD"]);
}

/// The tails of a destination's versions, oldest first.
fn versions(repo: &Repo<'_>, name: &str) -> Vec<String> {
    let json = repo.dist(["show", "--json", name]).success().json();
    let versions = json["items"][0]["versions"].as_array().unwrap();
    let name = |version: &serde_json::Value| {
        version["name"].as_str().or(version["version"].as_str()).unwrap().to_owned()
    };
    versions.iter().map(name).collect()
}

#[test]
fn the_recorded_root_is_what_distman_makes() {
    let sandbox = Sandbox::new();
    if distman_or_skip(&sandbox).is_none() {
        return;
    }
    taken_over(&sandbox);
    let is_other = |path: &[u8]| path == b".distman/epoch";
    let made = tree(sandbox.root()).without(is_other);
    let recorded = sandbox.path().join("recorded");
    copy_recorded(&sandbox, &recorded);
    assert_eq!(made.differences(&tree(recorded).without(is_other)), "");
}

#[test]
fn distmans_versions_are_listed() {
    let sandbox = Sandbox::new();
    let repo = taken_over(&sandbox);
    let before = tree(sandbox.root());
    insta::assert_snapshot!(repo.dist(["-s", "-v", "-t", "lib"]).snapshot(), @"
    exit code: 0
    ----- stdout
    lib  [SANDBOX]/root/lib/python/tool  5.4875ed8  (unverified)
      *  5.4875ed8  unverified
         4.4875ed8  unverified
         3.3579bcb  unverified
         2.3579bcb  unverified
         1.e3294fa  unverified
         0.e3294fa  unverified
    ----- stderr
    ");
    assert_eq!(repo.dist(["-s"]).success().stdout().matches("5.4875ed8  (unverified)").count(), 3);
    repo.dist(["verify"]).success();
    repo.dist(["doctor"]).success().prints("3 destinations active");
    assert_eq!(tree(sandbox.root()), before);
}

#[test]
fn distmans_versions_are_activated_and_deleted_as_it_would() {
    let sandbox = Sandbox::new();
    let repo = taken_over(&sandbox);
    repo.dist(["-t", "lib", "-n", "-1"]).success();
    assert_eq!(sandbox.active("lib/python/tool"), format!("versions/tool.4.{}", &repo.id("main")[..7]));
    repo.dist(["-t", "lib", "-n", "-1"]).success();
    assert_eq!(file(&sandbox, "lib/python/tool/file"), "two\n");
    repo.dist(["-n", "0"]).success();
    assert_eq!(file(&sandbox, "bin/run"), "#!/bin/sh\necho one\n");
    repo.dist(["rollback"]).success();
    assert_eq!(file(&sandbox, "bin/run"), "#!/bin/sh\necho three\n");
    assert_eq!(file(&sandbox, "lib/python/tool/file"), "two\n");
    repo.dist(["-t", "lib", "-c", &repo.id("main~2")]).code(1).says("may be 0.").says("or 1.");
    repo.dist(["--reset"]).success();
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.5."));
    repo.dist(["--delete", "-t", "lib", "-n", "5"]).code(1).says("is active");
    repo.dist(["--delete", "-t", "lib", "-n", "0"]).success();
    assert!(
        !sandbox
            .root()
            .join("lib/python/versions")
            .join(format!("tool.0.{}", &repo.id("main~2")[..7]))
            .exists()
    );
}

#[test]
fn a_deploy_over_distmans_versions_can_be_taken_back() {
    let sandbox = Sandbox::new();
    let repo = taken_over(&sandbox);
    // distman's link leads to its second newest when git dist comes.
    repo.dist(["-n", "4"]).success();
    fs::remove_dir_all(sandbox.root().join(".distman")).unwrap();
    let was = sandbox.active("lib/python/tool");
    next(&repo);
    repo.dist([]).success();
    // Counts of commits begin below distman's numbers, and are newer all the same.
    assert_eq!(sandbox.active("lib/python/tool"), format!("versions/{}", repo.version("tool", "main")));
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.4."));
    let listed = versions(&repo, "lib");
    assert_eq!(listed.last(), Some(&repo.version("tool", "main")), "{listed:?}");
    repo.dist(["show", "-v"]).success().prints("5.4875ed8  unverified");
    repo.dist(["rollback"]).success();
    assert_eq!(sandbox.active("lib/python/tool"), was);
    assert_eq!(file(&sandbox, "bin/read.me"), "three\n");
    repo.dist([]).code(1).says("rolled back");
    repo.dist(["--reset"]).success();
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.5."), "the newest good one");
    repo.dist(["-f"]).success();
    assert_eq!(file(&sandbox, "bin/read.me"), "four\n");
    repo.dist(["-n", "-1"]).success();
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.5."));
}

#[test]
fn a_name_that_distman_took_is_left_to_it() {
    let sandbox = Sandbox::new();
    let repo = taken_over(&sandbox);
    // distman's number 2 is the second commit, and so is git dist's count.
    let name = repo.version("tool", "main~1");
    let old = sandbox.root().join("lib/python/versions").join(&name);
    assert!(old.is_dir());
    let before = tree(&old);
    repo.dist(["--rev", "main~1"]).success();
    let active = sandbox.active("lib/python/tool");
    assert!(active.starts_with(&format!("versions/{name}-")), "{active}");
    assert_eq!(tree(&old), before);
    repo.dist(["verify"]).success();
    // Of two versions of one commit the one that can be verified is meant.
    repo.dist(["-n", "5"]).success();
    repo.dist(["-t", "lib", "-c", &repo.id("main~1")]).success();
    assert_eq!(sandbox.active("lib/python/tool"), active);
}

#[test]
fn distmans_versions_are_pruned_first() {
    let sandbox = Sandbox::new();
    let repo = taken_over(&sandbox);
    next(&repo);
    repo.dist([]).success();
    repo.dist(["prune", "--keep", "2"]).success();
    let kept: Vec<String> = versions(&repo, "lib").iter().map(|name| name[..6].to_owned()).collect();
    assert_eq!(kept, ["tool.3", "tool.4", "tool.5", "tool.4"]);
    repo.dist(["verify", "--all"]).success();
}

#[test]
fn dist_info_says_what_is_active() {
    let sandbox = Sandbox::new();
    let repo = taken_over(&sandbox);
    let theirs = file(&sandbox, "lib/python/.tool.dist");
    next(&repo);
    repo.dist([]).success();
    let ours = file(&sandbox, "lib/python/.tool.dist");
    let keys = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split_once(": ")).map(|(key, _)| key.to_owned()).collect()
    };
    assert!(keys(&ours).starts_with(&keys(&theirs)), "{ours}");
    let commit = |text: &str, commit: &str| text.replace(&repo.id(commit)[..7], "[COMMIT]");
    assert!(commit(&ours, "main").starts_with(&commit(&theirs, "main~1")), "{theirs}{ours}");
    repo.dist(["rollback"]).success();
    insta::assert_snapshot!(file(&sandbox, "lib/python/.tool.dist"), @"
    name: project
    origin: https://example.org/group/project.git
    branch: 
    commit: 4875ed8
    source: lib/tool
    author: tess@example.org
    version: tool.5.4875ed8
    ");
}

#[test]
fn the_same_spelling_does_the_same() {
    let sandbox = Sandbox::new();
    let Some(bin) = distman_or_skip(&sandbox) else { return };
    let repo = taken_over(&sandbox);
    let roots = ["theirs", "ours"].map(|name| sandbox.path().join(name));
    for arguments in [
        &["-n", "-1"][..],
        &["-n", "-2", "-t", "lib"],
        &["-n", "0"],
        &["-n", "1", "-t", "b*"],
        &["-n", "77"],
        &["--reset", "-t", "lib", "bin"],
        &["--delete", "-y", "-t", "lib"],
        &["--delete", "-y", "-n", "0"],
        &["--delete", "-y"],
        &["--delete", "-y", "-d"],
        &["-n", "0", "-d"],
        &["-y", "-d"],
        &["-s"],
        &["-t", "nope"],
        &["-y", "-t", "lib", "--dest", "{DEPLOY_ROOT}/elsewhere", "-d"],
    ] {
        let programs = [bin.join("dist").into_os_string(), "git-dist".into()];
        let [theirs, ours] = [0, 1].map(|side| {
            let _ = fs::remove_dir_all(&roots[side]);
            let mut copy = sandbox.command("cp", sandbox.path());
            sandbox.run(copy.arg("-a").arg(sandbox.root()).arg(&roots[side])).success();
            let mut command = sandbox.command(&programs[side], repo.path());
            command.env("LOG_DIR", sandbox.path().join("log")).env("DEPLOY_ROOT", &roots[side]);
            let output = command.args(arguments).output().unwrap();
            // Each keeps its own books.
            let is_book = |path: &[u8]| path.starts_with(b".distman") || path.ends_with(b".dist");
            (output.status.code(), tree(&roots[side]).without(is_book))
        });
        assert_eq!(ours.0, theirs.0, "{arguments:?}");
        assert_eq!(ours.1.differences(&theirs.1), "", "{arguments:?}");
    }
}

#[test]
fn distman_understands_a_root_of_git_dist() {
    let sandbox = Sandbox::new();
    let Some(bin) = distman_or_skip(&sandbox) else { return };
    let repo = taken_over(&sandbox);
    next(&repo);
    repo.dist([]).success();
    repo.dist(["--rev", "main~2", "-t", "lib"]).success();
    let before = tree(sandbox.root());
    let shown = dist(&sandbox, &bin, &repo, &["-s", "-v"]).success();
    assert_eq!(tree(sandbox.root()), before);
    let active = sandbox.active("lib/python/tool");
    let shown = format!("{}{}", shown.stdout(), shown.stderr());
    assert!(shown.contains(&format!("lib/tool =d> {active}\n")), "{shown}");
    for name in versions(&repo, "lib") {
        assert!(shown.contains(&format!("/root/lib/python/versions/{name} - ")), "{name}: {shown}");
    }
    // It switches, and git dist follows.
    dist(&sandbox, &bin, &repo, &["-t", "lib", "-n", "5"]).success();
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.5."));
    dist(&sandbox, &bin, &repo, &["-t", "bin", "-c", &repo.id("main~1")[..7]]).success();
    repo.dist(["show"]).success().prints("5.");
    // distman's numbers go on after the highest; git dist goes on from its own.
    dist(&sandbox, &bin, &repo, &["-y", "--force"]).success();
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.6."));
    repo.dist([]).success();
    assert_eq!(sandbox.active("lib/python/tool"), format!("versions/{}", repo.version("tool", "main")));
    repo.dist(["rollback"]).success();
    assert!(sandbox.active("lib/python/tool").starts_with("versions/tool.6."));
    dist(&sandbox, &bin, &repo, &["-y", "--delete", "-t", "lib"]).success();
    repo.dist(["-f", "-t", "lib"]).success();
    assert_eq!(file(&sandbox, "lib/python/tool/file"), "four\n");
}

#[test]
fn distmans_cache_follows_a_root_of_git_dist() {
    let sandbox = Sandbox::new();
    let Some(bin) = distman_or_skip(&sandbox) else { return };
    let repo = taken_over(&sandbox);
    let copy = sandbox.path().join("cache");
    let cache = || {
        let mut command = sandbox.command(bin.join("distcache"), repo.path());
        command.env("LOG_DIR", sandbox.path().join("log")).arg("--src").arg(sandbox.root());
        sandbox.run(command.arg("--dst").arg(&copy).args(["--ttl", "0"]))
    };
    let cached = |path: &str| fs::read_to_string(copy.join(path)).unwrap();
    next(&repo);
    repo.dist([]).success();
    cache().success();
    assert_eq!(cached("lib/python/tool/file"), "four\n");
    assert_eq!(cached("bin/read.me"), "four\n");
    // A rollback bumps the stamp, so that the copy is not taken for fresh.
    repo.dist(["rollback"]).success();
    cache().success();
    assert_eq!(cached("lib/python/tool/file"), "three\n");
    assert_eq!(cached("bin/read.me"), "three\n");
}
