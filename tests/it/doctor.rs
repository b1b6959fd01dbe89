//! `git dist doctor`: what is wrong, and what to do.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Repo, Sandbox, tree};

/// A repository with a file and a folder, both deployed.
fn deployed(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.write("lib/a.txt", "one\n");
    repo.executable("tool", "one\n");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" },
           "tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    repo
}

/// The findings of `doctor --json` that are not `ok`, without the one about `git`; asserts the exit code.
#[track_caller]
fn troubles(repo: &Repo<'_>, code: i32) -> Vec<Value> {
    let report = repo.dist(["doctor", "--json"]).code(code).json();
    assert_eq!((&report["format"], &report["version"]), (&json!("git-dist/doctor"), &json!(1)));
    let findings = report["findings"].as_array().unwrap();
    findings.iter().filter(|finding| finding["verdict"] != "ok").cloned().collect()
}

#[test]
fn where_all_is_well_it_says_so_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    let before = tree(sandbox.root());
    let run = repo.dist(["doctor"]).success().prints("2 targets").prints("2 destinations active");
    assert!(run.stdout().lines().all(|line| line.starts_with("ok ")), "{}", run.snapshot());
    assert_eq!(troubles(&repo, 0), [] as [Value; 0]);
    assert_eq!(tree(sandbox.root()), before);
}

#[test]
fn everything_that_is_wrong_is_named_with_its_next_step() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    fs::remove_dir_all(sandbox.root().join(sandbox.active("lib"))).unwrap();
    fs::create_dir(sandbox.root().join("bin/versions/.staging-x")).unwrap();
    repo.manifest(r#""lib": { "sorce": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    repo.commit("broken");
    let before = tree(sandbox.root());
    let run = repo.dist(["doctor"]).code(1);
    let told: Vec<&str> = run.stdout().lines().filter(|line| !line.starts_with("ok ")).collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    bad  repository: the manifest of revision `HEAD` cannot be used: dist.json:1:39: target `lib` has no `source`
         hint: did you mean `source`?
    warn deployed: unfinished work beside `[SANDBOX]/root/bin/tool`
         hint: the next `git dist` sweeps it, if no other is running
    bad  deployed: `[SANDBOX]/root/lib` leads to 1.9e186d4, which is gone
         hint: `git dist` deploys it again
    "#);
    let found: Vec<Value> = troubles(&repo, 1)
        .into_iter()
        .map(|finding| json!([finding["about"], finding["verdict"], finding["hint"]]))
        .collect();
    let expected = [
        json!(["repository", "bad", "did you mean `source`?"]),
        json!(["deployed", "warn", "the next `git dist` sweeps it, if no other is running"]),
        json!(["deployed", "bad", "`git dist` deploys it again"]),
    ];
    assert_eq!(found, expected);
    assert_eq!(tree(sandbox.root()), before);
    // Whoever follows the hints is well again.
    repo.git(["revert", "--no-edit", "HEAD"]);
    repo.write("tool", "two\n");
    repo.commit("mended");
    repo.dist([]).success();
    assert_eq!(troubles(&repo, 0), [] as [Value; 0]);
}
