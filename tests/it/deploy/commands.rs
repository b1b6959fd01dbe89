//! `verify` and `after` commands, and what is told when they break the ground the rollout stands on.

use std::fs;

use crate::support::{Repo, Sandbox};

/// A project with the commands `after` and `verify` whose file holds one line.
fn project<'s>(sandbox: &'s Sandbox, verify: &str, after: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    let target = serde_json::json!({
        "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool", "verify": [verify], "after": [after],
    });
    repo.manifest(&format!(r#""tool": {target}"#));
    repo.commit("first");
    repo
}

#[test]
fn a_rollout_that_cannot_be_undone_is_not_reported_as_if_nothing_changed() {
    let sandbox = Sandbox::new();
    let after = "cd {DEPLOY_ROOT}/.distman && rm pending.json && mkdir pending.json && false";
    let repo = project(&sandbox, "true", after);
    repo.dist([]).code(3).says("undoing it failed");
}

#[test]
fn what_is_left_to_the_next_run_is_told() {
    let sandbox = Sandbox::new();
    let epoch = "rm -f {DEPLOY_ROOT}/.distman/epoch; mkdir -p {DEPLOY_ROOT}/.distman/epoch";
    let repo = project(&sandbox, "true", epoch);
    repo.dist([]).success().says("warning: ").says("epoch");
    fs::remove_dir(sandbox.root().join(".distman/epoch")).unwrap();
    repo.dist([]).success().says("finished what an earlier rollout had left to do");
}

#[test]
fn what_comes_to_stand_at_a_destination_meanwhile_is_not_replaced() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "echo mine > {DEPLOY_ROOT}/bin/tool", "true");
    repo.dist([]).code(1).says("cannot replace");
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), "mine\n");
    assert!(!sandbox.root().join(".distman/pending.json").exists());
}

#[test]
fn commands_run_after_a_switch_and_not_after_a_prune() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "true", "echo ran >> {DEPLOY_ROOT}/ran");
    for text in ["one\n", "two\n", "three\n", "four\n"] {
        repo.write("tool", text);
        repo.commit(text.trim_end());
        repo.dist([]).success();
    }
    let ran = || fs::read_to_string(sandbox.root().join("ran")).unwrap().lines().count();
    let before = ran();
    repo.dist(["prune", "--keep", "1"]).success().prints("remove");
    assert_eq!(ran(), before);
    repo.dist(["rollback"]).success();
    assert_eq!(ran(), before + 1);
}

#[test]
fn a_build_that_reads_the_working_tree_is_done_again_when_that_changed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    repo.write("build.sh", "echo first > \"$1\"\n");
    repo.manifest(
        r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool",
             "pipeline": { "build": { "script": "sh build.sh {output}" } } }"#,
    );
    repo.commit("first");
    repo.dist(["--worktree"]).success();
    repo.dist(["--worktree"]).success().says("nothing to do");
    repo.write("build.sh", "echo second > \"$1\"\n");
    repo.dist(["--worktree"]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "second\n");
}
