//! A bare repository that is pushed to.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::clones::Clones;

fn bare() -> Clones {
    let clones = Clones::new();
    clones.install_in("upstream.git", &[]);
    clones
}

fn head(clones: &Clones) -> String {
    format!("{} main", clones.id("colleague", "main"))
}

#[test]
fn only_the_configured_branch_deploys() {
    let clones = bare();
    clones.commit("colleague", "tool", "2");
    clones.git("colleague", &["push", "-q", "origin", "main:refs/heads/topic", "main:refs/tags/main"]);
    clones.assert_nothing_deployed();
    let said = clones.git("colleague", &["push", "-q", "origin", "main", "main:refs/heads/zzz"]);
    assert_eq!(clones.deployed(), [head(&clones)]);
    assert!(said.contains("remote: git dist: post-receive: deployed "), "{said}");
    clones.assert_active("colleague", "main");
    assert_eq!(clones.sandbox.record("site")["branch"], "main");
    assert_eq!(clones.sandbox.history()[0]["trigger"], "hook post-receive");
}

#[test]
fn only_post_receive_is_installed() {
    let clones = bare();
    for (hook, state) in [("post-receive", "installed"), ("post-merge", "absent"), ("post-commit", "absent")]
    {
        assert_eq!(clones.status("upstream.git", hook)["state"], state, "{hook}");
    }
}

#[test]
fn another_branch_can_be_configured() {
    let clones = Clones::new();
    clones.install_in("upstream.git", &["--branch", "release/1"]);
    clones.upstream_commit("tool", "2");
    clones.assert_nothing_deployed();
    clones.git("colleague", &["push", "-q", "origin", "main:release/1"]);
    assert_eq!(clones.deployed(), [head(&clones).replace(" main", " release/1")]);
}

#[test]
fn a_forced_push_deploys_what_was_named() {
    let clones = bare();
    clones.upstream_commit("tool", "2");
    clones.git("colleague", &["reset", "-q", "--hard", "HEAD~1"]);
    clones.git("colleague", &["push", "-q", "--force"]);
    assert_eq!(clones.deployed().last(), Some(&head(&clones)));
}

#[test]
fn a_deletion_deploys_nothing_and_says_so() {
    let clones = bare();
    clones.git("upstream.git", &["config", "receive.denyDeleteCurrent", "ignore"]);
    let said = clones.git("colleague", &["push", "-q", "origin", ":main"]);
    clones.assert_nothing_deployed();
    assert!(said.contains("`main` was deleted"), "{said}");
}

#[test]
fn a_push_that_a_later_one_overtook_deploys_nothing() {
    let clones = bare();
    let old = clones.id("colleague", "main");
    clones.upstream_commit("tool", "2");
    clones.upstream_commit("tool", "3");
    let overtaken = clones.id("colleague", "main~1");
    let before = clones.deployed();
    let line = format!("{old} {overtaken} refs/heads/main\n");
    fs::write(clones.at("line"), line).unwrap();
    let mut late = clones.command(super::clones::BINARY, "upstream.git", &["hook", "run", "post-receive"]);
    clones.run(late.stdin(fs::File::open(clones.at("line")).unwrap())).success().says("has moved on");
    assert_eq!(clones.deployed(), before);
}

#[test]
fn a_push_that_was_overtaken_while_it_waited_deploys_nothing() {
    let clones = bare();
    clones.upstream_commit("tool", "2");
    clones.commit("colleague", "tool", "3");
    let deployed = clones.deployed();
    // A push whose hook has been told of its commit, but has to wait for another deployment.
    let lock = fs::File::open(clones.sandbox.root().join(".distman/lock")).unwrap();
    lock.lock().unwrap();
    let mut push = clones.command("git", "colleague", &["push", "-q", "origin", "main"]);
    let mut push = push.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(push.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.contains("waiting for ")));
    // The next push moves the branch on; what it deploys does not matter here.
    let older = clones.id("upstream.git", "main~1");
    clones.git("upstream.git", &["update-ref", "refs/heads/main", &older]);
    drop(lock);
    assert!(push.wait().unwrap().success());
    assert_eq!(clones.deployed(), deployed);
    let status = clones.status("upstream.git", "post-receive");
    assert_eq!(status["last"]["message"], "`main` has moved on meanwhile");
}

#[test]
fn an_existing_hook_reads_the_same_input() {
    for (hook, what) in [
        ("#!/bin/sh\ncat >\"$OUT/input\"\necho heard\n", "added"),
        ("#!/bin/sh\necho heard\n", "added"),
        (
            "#!/usr/bin/env perl\nopen O, '>', \"$ENV{OUT}/input\"; print O <STDIN>; print \"heard\\n\"; exit 3\n",
            "wrapped",
        ),
    ] {
        let clones = Clones::new();
        clones.write_hook("upstream.git/hooks/post-receive", 0o750, hook.as_bytes());
        let report = clones.install_in("upstream.git", &[]);
        assert_eq!(report["changes"][0]["action"], what);
        let old = clones.id("colleague", "main");
        clones.commit("colleague", "tool", "2");
        let many: Vec<String> =
            (0..600).map(|n| format!("main:refs/heads/some-quite-long-branch-name-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let said = clones.git("colleague", &[&["push", "-q", "origin", "main"], many.as_slice()].concat());
        assert_eq!(clones.deployed(), [head(&clones)], "{said}");
        assert!(said.contains("heard"), "{said}");
        if hook.contains("input") {
            let input = clones.heard("input");
            let new = clones.id("colleague", "main");
            assert_eq!(input.lines().count(), 601);
            assert!(input.contains(&format!("{old} {new} refs/heads/main\n")), "{input}");
            assert!(input.ends_with('\n') && !input.ends_with("\n\n"));
        }
        clones.dist("upstream.git", &["hook", "uninstall"]).success();
        assert_eq!(fs::read(clones.at("upstream.git/hooks/post-receive")).unwrap(), hook.as_bytes());
    }
}

#[test]
fn a_worktree_of_a_bare_repository_gets_the_merge_hooks() {
    let clones = Clones::new();
    clones.git("upstream.git", &["worktree", "add", "-q", "../tree", "main"]);
    clones.install_in("tree", &[]);
    clones.git("tree", &["checkout", "-q", "-b", "topic"]);
    clones.commit("tree", "topic", "1");
    clones.git("tree", &["checkout", "-q", "main"]);
    clones.git("tree", &["merge", "-q", "topic"]);
    assert_eq!(clones.deployed(), [format!("{} main", clones.id("tree", "HEAD"))]);
}
