//! Which git commands deploy, and which must not.

use std::fs;

use super::clones::Clones;

/// `clone` and upstream both have a commit the other has not.
fn diverged(options: &[&str]) -> Clones {
    let clones = Clones::installed(options);
    clones.upstream_commit("theirs", "1");
    clones.commit("clone", "ours", "1");
    clones
}

/// As [`diverged`], and both changed `tool`.
fn conflicting() -> Clones {
    let clones = Clones::installed(&[]);
    clones.upstream_commit("tool", "theirs");
    clones.commit("clone", "tool", "ours");
    clones.try_git("clone", &["pull", "-q", "--no-rebase"]).code(1);
    fs::write(clones.at("clone/tool"), "both").unwrap();
    clones.git("clone", &["add", "tool"]);
    clones.assert_nothing_deployed();
    clones
}

#[test]
fn pull_fast_forward() {
    let clones = Clones::installed(&[]);
    clones.upstream_commit("tool", "2");
    let said = clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");
    assert!(said.contains("git dist: post-merge: deployed "), "{said}");
}

#[test]
fn pull_that_brings_nothing() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["pull", "-q"]);
    clones.assert_nothing_deployed();
}

#[test]
fn pull_rebase_fast_forward() {
    let clones = Clones::installed(&[]);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q", "--rebase"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn pull_rebase_diverged() {
    let clones = diverged(&[]);
    clones.git("clone", &["pull", "-q", "--rebase"]);
    clones.assert_deployed("HEAD");
    assert_eq!(clones.ask("clone", &["log", "--format=%s", "-1"]), "ours: 1");
    assert_eq!(clones.status("clone", "post-rewrite")["last"]["result"], "deployed");
}

#[test]
fn pull_merge_diverged() {
    let clones = diverged(&[]);
    clones.git("clone", &["pull", "-q", "--no-rebase", "--no-edit"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn merge() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["checkout", "-q", "-b", "topic"]);
    clones.commit("clone", "topic", "1");
    clones.git("clone", &["checkout", "-q", "main"]);
    clones.assert_nothing_deployed();
    clones.git("clone", &["merge", "-q", "--no-ff", "--no-edit", "topic"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn merge_from_a_subdirectory_and_with_git_dir_given() {
    let clones = Clones::installed(&[]);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["fetch", "-q"]);
    fs::create_dir(clones.at("clone/sub")).unwrap();
    let mut merge = clones.command("git", "clone/sub", &["merge", "-q", "origin/main"]);
    merge.env("GIT_DIR", clones.at("clone/.git")).env("GIT_WORK_TREE", clones.at("clone"));
    clones.run(&mut merge).success();
    clones.assert_deployed("HEAD");
}

#[test]
fn conflict_then_commit() {
    let clones = conflicting();
    clones.git("clone", &["commit", "-q", "--no-edit"]);
    clones.assert_deployed("HEAD");
    assert_eq!(clones.status("clone", "post-commit")["last"]["result"], "deployed");
}

#[test]
fn conflict_then_merge_continue() {
    let clones = conflicting();
    clones.git("clone", &["merge", "--continue"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn conflict_without_a_reflog() {
    let clones = conflicting();
    clones.git("clone", &["config", "core.logAllRefUpdates", "false"]);
    fs::remove_dir_all(clones.at("clone/.git/logs")).unwrap();
    clones.git("clone", &["commit", "-q", "--no-edit"]);
    clones.assert_deployed("HEAD");
    clones.commit("clone", "plain", "1");
    assert_eq!(clones.deployed().len(), 1);
}

#[test]
fn rebase() {
    let clones = diverged(&[]);
    clones.git("clone", &["fetch", "-q"]);
    clones.git("clone", &["rebase", "-q", "origin/main"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn rebase_of_another_branch() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["checkout", "-q", "-b", "topic"]);
    clones.commit("clone", "topic", "1");
    clones.upstream_commit("theirs", "1");
    clones.git("clone", &["fetch", "-q"]);
    clones.git("clone", &["rebase", "-q", "origin/main"]);
    clones.assert_nothing_deployed();
}

#[test]
fn plain_commit_and_amend() {
    let clones = Clones::installed(&[]);
    clones.commit("clone", "plain", "1");
    clones.git("clone", &["commit", "-q", "--amend", "-m", "again"]);
    clones.assert_nothing_deployed();
    assert_eq!(clones.log(), "", "nothing to say about what happens all day");
}

#[test]
fn amend_of_a_merge_commit() {
    let clones = conflicting();
    clones.git("clone", &["commit", "-q", "--no-edit"]);
    let merged = clones.deployed();
    fs::write(clones.at("clone/tool"), "neither").unwrap();
    clones.git("clone", &["commit", "-q", "--all", "--amend", "-m", "again"]);
    assert_eq!(clones.deployed(), merged);
}

#[test]
fn squash_then_commit() {
    let clones = diverged(&[]);
    clones.git("clone", &["fetch", "-q"]);
    clones.git("clone", &["merge", "-q", "--squash", "origin/main"]);
    clones.git("clone", &["commit", "-q", "-m", "squashed"]);
    clones.assert_nothing_deployed();
}

#[test]
fn cherry_pick_and_revert() {
    let clones = diverged(&[]);
    clones.git("clone", &["fetch", "-q"]);
    clones.git("clone", &["cherry-pick", "origin/main"]);
    clones.git("clone", &["revert", "--no-edit", "HEAD"]);
    clones.assert_nothing_deployed();
}

#[test]
fn checkout() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["checkout", "-q", "-b", "topic"]);
    clones.git("clone", &["checkout", "-q", "main"]);
    clones.assert_nothing_deployed();
}

#[test]
fn merge_into_another_branch() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["checkout", "-q", "-b", "topic"]);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q", "origin", "main"]);
    clones.assert_nothing_deployed();
    let status = clones.status("clone", "post-merge");
    assert_eq!(status["last"]["message"], "`topic` is checked out, not `main`");
}

#[test]
fn on_commit_and_on_checkout_widen() {
    let clones = Clones::installed(&["--on", "commit", "--on", "checkout"]);
    clones.commit("clone", "plain", "1");
    clones.assert_deployed("HEAD");
    clones.git("clone", &["checkout", "-q", "-b", "topic"]);
    clones.commit("clone", "topic", "1");
    assert_eq!(clones.deployed().len(), 1);
    clones.git("clone", &["branch", "-q", "-f", "main", "topic"]);
    clones.git("clone", &["checkout", "-q", "main"]);
    assert_eq!(clones.deployed().len(), 2);
}

#[test]
fn on_commit_deploys_a_rebase_once() {
    let clones = diverged(&["--on", "commit"]);
    clones.commit("clone", "more", "1");
    let before = clones.deployed().len();
    clones.git("clone", &["pull", "-q", "--rebase"]);
    assert_eq!(clones.deployed().len(), before + 1, "the picks of a rebase are on no branch");
}

#[test]
fn linked_worktree() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["checkout", "-q", "-b", "topic"]);
    clones.git("clone", &["worktree", "add", "-q", "../linked", "main"]);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q", "origin", "main"]);
    clones.assert_nothing_deployed();
    clones.git("linked", &["pull", "-q"]);
    assert_eq!(clones.deployed(), [format!("{} main", clones.id("linked", "main"))]);
    assert_eq!(clones.status("clone", "post-merge")["last"]["result"], "deployed");
    clones.assert_active("linked", "main");
}
