//! `after`: commands behind the switch, and behind its undoing.

use std::fs;

use crate::support::{Repo, Sandbox};

/// A repository that deploys the file `tool` and then runs these commands, given as the inside of a JSON list.
fn project<'s>(sandbox: &'s Sandbox, after: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.manifest(&format!(
        r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/tool", "after": [{after}] }}"#
    ));
    repo
}

fn release(repo: &Repo<'_>, text: &str) {
    repo.write("tool", format!("{text}\n"));
    repo.commit(text);
}

/// What the commands wrote down.
fn heard(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.root().join("heard")).unwrap_or_default()
}

#[test]
fn a_command_knows_what_is_active_after_a_rollback_too() {
    let sandbox = Sandbox::new();
    let after =
        r#""echo {GIT_DIST_TARGET} $GIT_DIST_REV {GIT_DIST_VERSION} $(cat {GIT_DIST_DESTINATION}) >>heard""#;
    let repo = project(&sandbox, after);
    release(&repo, "one");
    repo.dist([]).success();
    release(&repo, "two");
    repo.dist([]).success();
    repo.dist(["rollback"]).success();
    let version = |revision| repo.version("tool", revision).replacen("tool.", "", 1);
    let (one, two) = (version("HEAD~1"), version("HEAD"));
    let expected = format!("tool HEAD {one} one\ntool HEAD {two} two\ntool HEAD {one} one\n");
    assert_eq!(heard(&sandbox), expected);
    repo.dist(["prune", "--keep", "1"]).success();
    repo.dist([]).code(1).says("marked bad");
    assert_eq!(heard(&sandbox), expected, "nothing was switched");
}

#[test]
fn what_is_active_again_is_told_to_the_commands() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""cat tool >>heard", "grep -q well tool", "echo done >>heard""#);
    release(&repo, "well 1");
    repo.dist([]).success();
    release(&repo, "ill 2");
    insta::assert_snapshot!(repo.dist([]).code(3).snapshot(), @"
    exit code: 3
    ----- stdout
    ----- stderr
    error: the rollout was undone, because an `after` command of target `tool` failed
      caused by: `grep -q well tool` failed with exit status 1; it printed nothing
    ");
    assert_eq!(heard(&sandbox), "well 1\ndone\nill 2\nwell 1\ndone\n");
}

#[test]
fn a_first_deploy_has_nothing_to_go_back_to() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""echo called >>heard", "false""#);
    release(&repo, "one");
    repo.dist([]).code(3);
    assert_eq!(heard(&sandbox), "called\n");
    assert!(!sandbox.root().join("tool").exists());
}

#[test]
fn commands_that_fail_for_what_was_active_too_are_told() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""test ! -e broken""#);
    release(&repo, "one");
    repo.dist([]).success();
    fs::write(sandbox.root().join("broken"), "").unwrap();
    release(&repo, "two");
    let failed = repo.dist([]).code(3);
    failed.says("the commands ran again for what is active now, and failed too: `test ! -e broken` failed");
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "one\n");
    repo.dist(["rollback"]).code(1);
}
