//! What people read: the whole exchange.

use std::fs;

use super::clones::{Clones, names};

#[test]
fn from_the_installation_to_its_end() {
    let clones = Clones::new();
    let say = |args: &[&str]| clones.dist("clone", args).snapshot();
    insta::assert_snapshot!(say(&["hook", "status"]), @"
    exit code: 0
    ----- stdout
    deploys on    never: no hook of git dist is installed here
    targets       all
    roots         none
    commands      refused
    hooks in      [SANDBOX]/clone/.git/hooks
    log           [SANDBOX]/clone/.git/dist/hook.log
    post-merge    absent
    post-rewrite  absent
    post-commit   absent
    ----- stderr
    `git dist hook install` writes the hooks
    ");
    insta::assert_snapshot!(say(&["hook", "install"]), @"
    exit code: 0
    ----- stdout
    created   post-merge     [SANDBOX]/clone/.git/hooks/post-merge
    created   post-rewrite   [SANDBOX]/clone/.git/hooks/post-rewrite
    created   post-commit    [SANDBOX]/clone/.git/hooks/post-commit
    ----- stderr
    hooks may write to `[SANDBOX]/root`, and nowhere else
    every merge, pull or rebase of `main` deploys all targets
    ");
    insta::assert_snapshot!(clones.pull("tool", "2"), @"git dist: post-merge: deployed 6cafba8 of `main`: r1: [SANDBOX]/root/site new -> 2.6cafba8");
    insta::assert_snapshot!(say(&["hook", "status"]), @"
    exit code: 0
    ----- stdout
    deploys on    every merge, pull or rebase of `main`
    targets       all
    roots         [SANDBOX]/root
    commands      refused
    hooks in      [SANDBOX]/clone/.git/hooks
    log           [SANDBOX]/clone/.git/dist/hook.log
    post-merge    installed
      [TIME] deployed 6cafba8: r1: [SANDBOX]/root/site new -> 2.6cafba8
    post-rewrite  installed
    post-commit   installed
    ----- stderr
    ");
    let log = clones.log().replace(clones.sandbox.path().to_str().unwrap(), "[SANDBOX]");
    let (time, log) = log.split_once(' ').unwrap();
    assert!(time.ends_with('Z'), "{time}");
    insta::assert_snapshot!(log, @"
    post-merge deployed 6cafba88d012ec3c674d0e662eed6e570af20039 of main: r1: [SANDBOX]/root/site new -> 2.6cafba8
      create    site  [SANDBOX]/root/site  new -> 2.6cafba8
    ");
    clones.git("clone", &["config", "dist.auto", "false"]);
    clones.git("clone", &["config", "dist.branch", "live"]);
    fs::remove_file(clones.at("clone/.git/hooks/post-rewrite")).unwrap();
    insta::assert_snapshot!(say(&["hook", "status"]), @"
    exit code: 0
    ----- stdout
    deploys on    never: `dist.auto` is false
    targets       all
    roots         [SANDBOX]/root
    commands      refused
    hooks in      [SANDBOX]/clone/.git/hooks
    log           [SANDBOX]/clone/.git/dist/hook.log
    post-merge    installed
      [TIME] deployed 6cafba8: r1: [SANDBOX]/root/site new -> 2.6cafba8
    post-rewrite  absent
    post-commit   installed
    ----- stderr
    warning: these hooks do not deploy as they should: post-rewrite
    hint: `git dist hook install` writes them anew
    ");
    insta::assert_snapshot!(say(&["hook", "uninstall"]), @"
    exit code: 0
    ----- stdout
    removed   post-merge     [SANDBOX]/clone/.git/hooks/post-merge
    removed   post-commit    [SANDBOX]/clone/.git/hooks/post-commit
    ----- stderr
    ");
    insta::assert_snapshot!(say(&["hook", "uninstall"]), @"
    exit code: 0
    ----- stdout
    ----- stderr
    there are no hooks of git dist here
    ");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let clones = Clones::new();
    let config = || fs::read(clones.at("clone/.git/config")).unwrap();
    let before = config();
    let run = clones.dist("clone", &["hook", "install", "-d", "-t", "site", "--on", "checkout"]);
    insta::assert_snapshot!(run.snapshot(), @"
    exit code: 0
    ----- stdout
    created   post-merge     [SANDBOX]/clone/.git/hooks/post-merge
    created   post-rewrite   [SANDBOX]/clone/.git/hooks/post-rewrite
    created   post-commit    [SANDBOX]/clone/.git/hooks/post-commit
    created   post-checkout  [SANDBOX]/clone/.git/hooks/post-checkout
    ----- stderr
    hooks may write to `[SANDBOX]/root`, and nowhere else
    dry run: nothing was changed
    ");
    assert_eq!((names(&clones.at("clone/.git/hooks")), config()), (vec![], before));
    clones.install(&[]);
    let before = (names(&clones.at("clone/.git/hooks")), config());
    insta::assert_snapshot!(clones.dist("clone", &["hook", "uninstall", "--dry-run"]).snapshot(), @"
    exit code: 0
    ----- stdout
    removed   post-merge     [SANDBOX]/clone/.git/hooks/post-merge
    removed   post-rewrite   [SANDBOX]/clone/.git/hooks/post-rewrite
    removed   post-commit    [SANDBOX]/clone/.git/hooks/post-commit
    ----- stderr
    dry run: nothing was changed
    ");
    assert_eq!((names(&clones.at("clone/.git/hooks")), config()), before);
}

#[test]
fn what_stands_in_the_way_of_an_installation() {
    let clones = Clones::new();
    insta::assert_snapshot!(clones.dist(".", &["hook", "install"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: git opens no repository at `[SANDBOX]`: fatal: not a git repository (or any of the parent directories): .git
    ");
    clones.repo("clone").remove("dist.json");
    clones.repo("clone").commit("no manifest");
    insta::assert_snapshot!(clones.dist("clone", &["hook", "install", "-d"]).snapshot(), @"
    exit code: 0
    ----- stdout
    created   post-merge     [SANDBOX]/clone/.git/hooks/post-merge
    created   post-rewrite   [SANDBOX]/clone/.git/hooks/post-rewrite
    created   post-commit    [SANDBOX]/clone/.git/hooks/post-commit
    ----- stderr
    warning: there is no `dist.json` in `HEAD` yet: hooks deploy nothing until there is
    hint: `git dist init` writes one
    hooks may write to `[SANDBOX]/root`, and nowhere else
    dry run: nothing was changed
    ");
    clones.git("clone", &["checkout", "-q", "--detach"]);
    insta::assert_snapshot!(clones.dist("clone", &["hook", "install"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    warning: there is no `dist.json` in `HEAD` yet: hooks deploy nothing until there is
    hint: `git dist init` writes one
    error: no branch is checked out, so there is none to deploy from
    hint: name one: `git dist hook install --branch BRANCH`
    ");
}

#[test]
fn a_push_tells_whoever_pushed() {
    let clones = Clones::new();
    insta::assert_snapshot!(clones.dist("upstream.git", &["hook", "install"]).snapshot(), @"
    exit code: 0
    ----- stdout
    created   post-receive   [SANDBOX]/upstream.git/hooks/post-receive
    ----- stderr
    hooks may write to `[SANDBOX]/root`, and nowhere else
    every push to `main` deploys all targets
    ");
    clones.commit("colleague", "tool", "2");
    insta::assert_snapshot!(clones.git("colleague", &["push", "-q"]), @"remote: git dist: post-receive: deployed 6cafba8 of `main`: r1: [SANDBOX]/root/site new -> 2.6cafba8");
    clones.manifest(
        r#"{ "targets": { "site": { "source": ".", "destination": "{DEPLOY_ROOT}/site", "verify": ["true"] } } }"#,
    );
    clones.commit("colleague", "tool", "3");
    insta::assert_snapshot!(clones.git("colleague", &["push", "-q"]), @"
    remote: git dist: post-receive: NOT DEPLOYED e645bf8 of `main`: target `site` runs commands (`verify`), which is not allowed without a person        
    remote: git dist: hint: `git dist hook install --allow-commands` lets hooks run them
    ");
}
