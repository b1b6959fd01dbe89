//! A root that is moved, copied, or reached by another path.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::{Repo, Run, Sandbox, tree};

/// A repository of which two versions are deployed, below the root and outside of it.
fn deployed(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    let outside = sandbox.path().join("site");
    repo.manifest(&format!(
        r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/bin/tool" }},
           "site": {{ "source": "tool", "destination": "{}" }}"#,
        outside.display()
    ));
    for version in ["one", "two", "three"] {
        repo.write("tool", version);
        repo.commit(version);
        repo.dist([]).success();
    }
    repo
}

/// `git dist` without a repository, for the root at `root`.
fn dist_at(sandbox: &Sandbox, root: &str, arguments: &[&str]) -> Run {
    let mut command: Command = sandbox.dist_command(&sandbox.home());
    sandbox.run(command.args(arguments).env("DEPLOY_ROOT", sandbox.path().join(root)))
}

#[test]
fn a_root_that_is_moved_keeps_its_history() {
    let sandbox = Sandbox::new();
    deployed(&sandbox);
    fs::rename(sandbox.root(), sandbox.path().join("new")).unwrap();
    dist_at(&sandbox, "new", &["rollback"]).success();
    assert_eq!(fs::read_to_string(sandbox.path().join("new/bin/tool")).unwrap(), "two");
    dist_at(&sandbox, "new", &["rollback"]).success();
    assert_eq!(fs::read_to_string(sandbox.path().join("new/bin/tool")).unwrap(), "one");
    // It may be another's by now.
    assert_eq!(fs::read_to_string(sandbox.path().join("site")).unwrap(), "three");
}

#[test]
fn what_is_done_to_a_copy_of_a_root_is_not_done_to_the_root() {
    let sandbox = Sandbox::new();
    deployed(&sandbox);
    let mut copy = sandbox.command("cp", sandbox.path());
    sandbox.run(copy.args(["-a", "root", "copy"])).success();
    let original = || (tree(sandbox.root()), fs::read_link(sandbox.path().join("site")).unwrap());
    let before = original();
    dist_at(&sandbox, "copy", &["prune", "--keep", "1", "-y"]).success();
    dist_at(&sandbox, "copy", &["rollback"]).success();
    dist_at(&sandbox, "copy", &["delete", "tool", "-y"]).success();
    assert!(!sandbox.path().join("copy/bin/tool").exists());
    assert!(original() == before, "what was done to the copy reached the original");
}

#[test]
fn a_root_that_is_reached_by_another_path_is_the_same() {
    let sandbox = Sandbox::new();
    deployed(&sandbox);
    symlink("root", sandbox.path().join("alias")).unwrap();
    dist_at(&sandbox, "alias", &["rollback"]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), "two");
    assert_eq!(fs::read_to_string(sandbox.path().join("site")).unwrap(), "two");
}
