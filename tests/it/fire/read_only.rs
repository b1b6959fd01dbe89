//! Places that may be looked at and not written to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::{commit, root, with_mounts};
use crate::support::{Repo, Run, Sandbox, skipped};

/// `git dist` as somebody whom permissions stop: root without its capabilities, or a user.
fn dist(sandbox: &Sandbox, repo: &Repo<'_>, arguments: &[&str]) -> Run {
    let mut command = if rustix::process::getuid().is_root() {
        let mut command = sandbox.command("setpriv", repo.path());
        command.args(["--inh-caps=-all", "--bounding-set=-all", "git-dist"]);
        command
    } else {
        sandbox.dist_command(repo.path())
    };
    sandbox.run(command.args(arguments))
}

/// Everything that only looks.
const LOOKS: [&[&str]; 7] =
    [&["show", "-vv"], &["log"], &["diff"], &["-d"], &["verify", "--all"], &["rollback", "-d"], &["env"]];

fn deployed(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    for text in ["one", "two"] {
        commit(&repo, 3, text, "");
        repo.dist([]).success();
    }
    commit(&repo, 3, "three", "");
    repo
}

#[test]
fn a_folder_that_may_not_be_written_is_named_and_all_is_as_before() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    for (folder, named) in
        [("", "root/.many.next`"), ("versions", "root/versions"), (".distman", "root/.distman")]
    {
        let path = sandbox.root().join(folder);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
        let before = root(&sandbox);
        let hint = "hint: `DEPLOY_ROOT=DIR git dist` deploys to another place";
        for arguments in [&[][..], &["rollback"]] {
            // A rollback writes no version.
            if folder == "versions" && !arguments.is_empty() {
                continue;
            }
            let run = dist(&sandbox, &repo, arguments);
            assert!(!run.snapshot().starts_with("exit code: 0"), "{folder}: {}", run.snapshot());
            run.says(named).says("Permission denied").says(hint);
            assert_eq!(root(&sandbox).differences(&before), "", "{folder}: {arguments:?}");
        }
        for arguments in LOOKS {
            dist(&sandbox, &repo, arguments).success();
        }
        assert_eq!(root(&sandbox), before);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    repo.dist([]).success();
}

/// Somebody else's root may be looked at.
#[test]
fn a_root_of_somebody_else_can_be_looked_at() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    if !rustix::process::getuid().is_root() {
        return skipped("only root can give a folder away");
    }
    let give = |to: &str| {
        let given = Command::new("chown").args(["-hR", to]).arg(sandbox.root()).status().unwrap();
        assert!(given.success());
    };
    give("12345:12345");
    let before = root(&sandbox);
    for arguments in LOOKS {
        dist(&sandbox, &repo, arguments).success();
    }
    dist(&sandbox, &repo, &[]).code(1).says("root/.distman/lock").says("hint: `DEPLOY_ROOT=DIR git dist`");
    assert_eq!(root(&sandbox), before);
    give("0:0");
}

#[test]
fn a_filesystem_that_is_mounted_read_only_can_be_looked_at() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    let before = root(&sandbox);
    let script = r#"mount --bind "$DEPLOY_ROOT" "$DEPLOY_ROOT" || exit 99
        mount -o remount,bind,ro "$DEPLOY_ROOT" || exit 99
        git-dist show -vv && git-dist log && git-dist diff && git-dist -d && git-dist verify --all || exit 98
        git-dist rollback && exit 97
        git-dist && exit 96
        exit 0"#;
    let Some(run) = with_mounts(&sandbox, &repo, &["sh", "-c", script]) else { return };
    let run = run.success().says("error: ").says("root/.distman/lock").says("Read-only file system");
    run.says("hint: `DEPLOY_ROOT=DIR git dist` deploys to another place");
    assert_eq!(root(&sandbox), before);
}
