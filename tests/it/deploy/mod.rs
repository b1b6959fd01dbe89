//! `git dist`: what a deploy makes, of which revision, from which repository, and what it refuses.

mod after;
mod commands;
mod damage;
mod going_back;
mod growth;
mod refusals;
mod repositories;
mod revisions;
mod shared;
mod sources;
mod worktree;

use crate::support::{Repo, Sandbox, tree};

/// A target that deploys one file.
const TOOL: &str = r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#;

/// A repository with one commit that deploys the file `tool`.
fn project<'s>(sandbox: &'s Sandbox, name: &str) -> Repo<'s> {
    let repo = sandbox.repo(name);
    repo.executable("tool", "one\n");
    repo.manifest(TOOL);
    repo.commit("first");
    repo
}

/// Writes `text` to the file `tool` and commits it.
fn next(repo: &Repo<'_>, text: &str) -> String {
    repo.write("tool", text);
    repo.commit(text.trim_end())
}

#[test]
fn head_is_deployed_and_not_the_working_tree() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("lib/a.txt", "committed\n");
    repo.write("lib/deep/b.txt", "committed\n");
    repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    repo.commit("first");
    repo.write("lib/a.txt", "changed\n");
    repo.write("lib/staged.txt", "staged\n");
    repo.git(["add", "lib/staged.txt"]);
    repo.write("lib/deep/untracked.txt", "untracked\n");
    repo.remove("lib/deep/b.txt");
    insta::assert_snapshot!(repo.dist([]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    create  lib  [SANDBOX]/root/lib  new -> 1.bc65083
    ----- stderr
    r1: deployed main 1.bc65083 "first" -> [SANDBOX]/root
    "#);
    insta::assert_snapshot!(tree(sandbox.root()), @r#"
    755 dir .distman
    644 file .distman/epoch
    644 file .distman/history.jsonl
    644 file .distman/launch.json
    644 file .distman/lock
    644 file .lib.dist
    link lib -> versions/lib.1.bc65083
    755 dir versions
    644 file versions/.lib.1.bc65083.files
    644 file versions/.lib.1.bc65083.json
    755 dir versions/lib.1.bc65083
    444 file versions/lib.1.bc65083/a.txt = "committed\n"
    755 dir versions/lib.1.bc65083/deep
    444 file versions/lib.1.bc65083/deep/b.txt = "committed\n"
    "#);
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    for flag in ["-d", "--dry-run", "--dryrun"] {
        let before = tree(sandbox.path());
        let run = repo.dist([flag]).success();
        assert_eq!(tree(sandbox.path()), before, "{flag}");
        run.prints("create").says("nothing was changed");
    }
    repo.dist([]).success();
    let second = next(&repo, "two\n");
    let before = tree(sandbox.path());
    let run = repo.dist(["-d"]);
    assert_eq!(tree(sandbox.path()), before);
    insta::assert_snapshot!(run.snapshot(), @r#"
    exit code: 0
    ----- stdout
    create  tool  [SANDBOX]/root/bin/tool  1.8519a51 -> 2.8fb3ca2
    ----- stderr
    would deploy main 2.8fb3ca2 "two" -> [SANDBOX]/root
    dry run: nothing was changed
    "#);
    let json = repo.dist(["-d", "--json"]).success().json();
    assert_eq!(tree(sandbox.path()), before);
    assert_eq!(json["commit"], second.as_str(), "{json:#}");
    assert_eq!(json["items"][0]["action"], "create", "{json:#}");
}

#[test]
fn an_unchanged_run_writes_nothing() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    let before = tree(sandbox.root());
    insta::assert_snapshot!(repo.dist([]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    ----- stderr
    nothing to do: 1 destination is at main 1.8519a51 "first" -> [SANDBOX]/root
    "#);
    assert_eq!(tree(sandbox.root()), before);
    // A commit that does not touch the source is no reason for a new version.
    repo.write("README", "elsewhere\n");
    repo.commit("elsewhere");
    repo.dist([]).success();
    assert_eq!(tree(sandbox.root()), before);
    assert_eq!(sandbox.history().len(), 1);
}

#[test]
fn content_that_returns_relinks_the_version_that_holds_it() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    let first = sandbox.active("bin/tool");
    next(&repo, "two\n");
    repo.dist([]).success();
    assert_ne!(sandbox.active("bin/tool"), first);
    next(&repo, "one\n");
    repo.dist([]).success().prints("relink");
    assert_eq!(sandbox.active("bin/tool"), first);
    assert_eq!(sandbox.history().len(), 3);
}

#[test]
fn match_commit_makes_a_version_of_every_commit() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.write(
        "dist.json",
        format!(r#"{{ "version": 1, "options": {{ "match": "commit" }}, "targets": {{ {TOOL} }} }}"#),
    );
    repo.commit("options");
    repo.dist([]).success();
    repo.commit("nothing");
    repo.dist([]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", repo.version("tool", "HEAD")));
}

#[test]
fn t_selects_targets_by_name_and_pattern() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let targets = ["web-a", "web-b", "api", "cli"].map(|name| {
        repo.write(name, name);
        format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}" }}"#)
    });
    repo.manifest(&targets.join(", "));
    repo.commit("first");
    let selected = |run: crate::support::Run| {
        let json = run.success().json();
        let names = json["items"].as_array().unwrap().iter();
        names.map(|item| item["target"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(selected(repo.dist(["-d", "--json", "-t", "web-*"])), ["web-a", "web-b"]);
    assert_eq!(selected(repo.dist(["-d", "--json", "-t", "cli", "-t", "api"])), ["api", "cli"]);
    assert_eq!(selected(repo.dist(["-d", "--json", "-t", "cli", "web-?"])), ["web-a", "web-b", "cli"]);
    assert_eq!(selected(repo.dist(["-d", "--json", "-t", "*[ai]"])), ["web-a", "api", "cli"]);
    assert_eq!(selected(repo.dist(["-d", "--json"])), ["web-a", "web-b", "api", "cli"]);
    let before = tree(sandbox.path());
    insta::assert_snapshot!(repo.dist(["-t", "api", "wep-a"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: no target matches `wep-a`
    hint: did you mean `web-a`?
    ");
    assert_eq!(tree(sandbox.path()), before);
    repo.dist(["-t", "api"]).success();
    insta::assert_snapshot!(tree(sandbox.root()).without(|path| path.starts_with(b".distman")), @r#"
    644 file .api.dist
    link api -> versions/api.1.dcbcc1b
    755 dir versions
    644 file versions/.api.1.dcbcc1b.json
    444 file versions/api.1.dcbcc1b = "api"
    "#);
}
