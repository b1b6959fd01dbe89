//! The sandbox itself: what the other tests rely on.

use crate::support::{Sandbox, tree};

#[test]
fn a_deploy_is_the_same_text_on_every_machine() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.executable("tool", "echo one\n");
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
    repo.commit("first");
    insta::assert_snapshot!(repo.dist([]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    create  tool  [SANDBOX]/root/bin/tool  new -> 1.d3e82a1
    ----- stderr
    r1: deployed main 1.d3e82a1 "first" -> [SANDBOX]/root
    "#);
    insta::assert_snapshot!(tree(sandbox.root()), @r#"
    755 dir .distman
    644 file .distman/epoch
    644 file .distman/history.jsonl
    644 file .distman/launch.json
    644 file .distman/lock
    755 dir bin
    644 file bin/.tool.dist
    link bin/tool -> versions/tool.1.d3e82a1
    755 dir bin/versions
    644 file bin/versions/.tool.1.d3e82a1.json
    555 file bin/versions/tool.1.d3e82a1 = "echo one\n"
    "#);
}

#[test]
fn git_finds_the_binary_as_its_subcommand() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    assert!(repo.git(["dist", "--version"]).starts_with("git-dist "));
}

#[test]
fn nothing_of_the_host_is_seen() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.commit("first");
    assert_eq!(
        repo.git(["log", "-1", "--format=%an %ae %cI"]),
        "Tess Tester tess@example.org 2026-01-01T12:01:00Z"
    );
    assert_eq!(
        repo.git(["config", "--list", "--show-scope"]).lines().filter(|l| l.starts_with("system")).count(),
        0
    );
    assert_eq!(repo.git(["rev-parse", "--abbrev-ref", "HEAD"]), "main");
}
