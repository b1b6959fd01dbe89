//! What arrives is what a deploy at home would have made, byte for byte and mode for mode.

use std::fs;
use std::path::PathBuf;

use super::Market;
use crate::support::{Repo, tree};

/// Deploys `repo` at home; returns that root.
fn deploy_at_home(market: &Market, repo: &Repo<'_>, more: &[&str]) -> PathBuf {
    let home = market.at("at-home");
    let mut command = market.sandbox.dist_command(repo.path());
    market.sandbox.run(command.env("DEPLOY_ROOT", &home).args(more)).success();
    home
}

#[track_caller]
fn assert_same(market: &Market, home: &std::path::Path, destination: &str) {
    let (own, arrived) = (home.join(destination), market.sandbox.root().join(destination));
    let path = fs::canonicalize(&own).unwrap();
    if !path.is_dir() {
        // What it is called says where it was made.
        assert_eq!(fs::read(&own).unwrap(), fs::read(&arrived).unwrap());
        let mode = |path| fs::metadata(path).unwrap().permissions();
        assert_eq!(mode(&own), mode(&arrived));
        return;
    }
    let (own, arrived) = (tree(path), tree(fs::canonicalize(arrived).unwrap()));
    assert!(own == arrived, "{}", own.differences(&arrived));
}

#[test]
fn what_arrives_is_what_a_deploy_makes() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" },
           "bin-*": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" },
           "link": { "source": "link", "destination": "{DEPLOY_ROOT}/link" }"#,
    );
    repo.executable("lib/run", "#!/bin/sh\n");
    repo.write("lib/plain", "plain\n");
    repo.write("lib/empty", "");
    repo.write("lib/no-end", "no line feed");
    repo.write("lib/it's \"quoted\" \\ \n\t.txt", "odd\n");
    repo.write(std::str::from_utf8(b"lib/\xc3\xa9t\xc3\xa9").unwrap(), "summer\n");
    repo.symlink("lib/up", "../lib/plain");
    repo.symlink("lib/nowhere", "/no/such/file");
    repo.symlink("link", "lib");
    repo.write("bin/a", "a\n");
    repo.executable("bin/b", "b\n");
    // What attributes do to files on their way out.
    repo.write("lib/windows.txt", "one\ntwo\n");
    repo.write("lib/stamp", "$Format:%H %s$\n$Format:%d$\n");
    repo.write("lib/ident", "$Id$\n");
    repo.write("lib/hidden", "not exported\n");
    repo.write("lib/deep/tests/x", "not exported\n");
    repo.write("lib/utf16", b"\xff\xfeh\x00i\x00\n\x00");
    repo.write(
        "lib/.gitattributes",
        "windows.txt text eol=crlf\nstamp export-subst\nident ident\nhidden export-ignore\n\
         tests export-ignore\nutf16 working-tree-encoding=UTF-16 text\n",
    );
    repo.commit("one");
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    let home = deploy_at_home(&market, &repo, &[]);
    for destination in ["lib", "bin/a", "bin/b", "link"] {
        assert_same(&market, &home, destination);
    }
    let root = market.sandbox.root();
    assert_eq!(fs::read(root.join("lib/windows.txt")).unwrap(), b"one\r\ntwo\r\n");
    assert!(fs::read_to_string(root.join("lib/stamp")).unwrap().starts_with(&repo.id("HEAD")));
    assert!(!root.join("lib/hidden").exists() && !root.join("lib/deep").exists());
}

#[test]
fn names_may_hold_any_byte() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    let manifest =
        br#"{ "version": 1, "targets": { "lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" } } }"#;
    repo.import(
        "one",
        &[
            ("100644", b"dist.json", manifest),
            ("100644", b"lib/\xff\xfe latin", b"1\n"),
            ("100755", b"lib/new\nline", b"2\n"),
            ("120000", b"lib/\x01", b"\xff"),
            ("100644", b"lib/ -- ", b"3\n"),
        ],
    );
    repo.git(["reset", "-q", "--hard"]);
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    let home = deploy_at_home(&market, &repo, &[]);
    assert_same(&market, &home, "lib");
}

#[test]
fn targets_are_picked_on_both_sides() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.manifest(
        r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/a" },
           "b": { "source": "b", "destination": "{DEPLOY_ROOT}/b" },
           "c": { "source": "c", "destination": "{DEPLOY_ROOT}/c" }"#,
    );
    for name in ["a", "b", "c"] {
        repo.write(name, format!("{name}\n"));
    }
    repo.commit("one");
    market.publish(&repo, &["-t", "a", "b"]).success();
    assert_eq!(market.manifest("stable")["release"]["targets"], serde_json::json!(["a", "b"]));
    market.install(&["b"]).success();
    let root = market.sandbox.root();
    assert!(root.join("b").exists() && !root.join("a").exists() && !root.join("c").exists());
    // A machine that wants what is not published hears so.
    market.install(&["--name", "other", "c"]).code(1).says("holds none of the targets");
    market.install(&["--name", "all"]).success();
    assert!(root.join("a").exists() && !root.join("c").exists());
}

#[test]
fn build_products_are_published_from_the_working_tree() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.manifest(
        r#""site": { "source": "build", "destination": "{DEPLOY_ROOT}/site", "options": { "from": "worktree" } }"#,
    );
    repo.write(".gitignore", "build\n");
    repo.commit("one");
    repo.write("build/index.html", "made\n");
    repo.executable("build/run", "run\n");
    repo.symlink("build/link", "index.html");
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    let home = deploy_at_home(&market, &repo, &[]);
    assert_same(&market, &home, "site");
    repo.write("build/index.html", "made anew\n");
    market.publish(&repo, &[]).success();
    market.update().success();
    assert_eq!(fs::read_to_string(market.sandbox.root().join("site/index.html")).unwrap(), "made anew\n");
}

#[test]
fn what_is_not_committed_is_published_when_asked_for() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    repo.write("tool", "changed\n");
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    assert_eq!(market.tool(), "one");
    market.publish(&repo, &["--worktree"]).success();
    market.update().success();
    assert_eq!(market.tool(), "changed");
}

#[test]
fn a_manifest_may_lie_in_a_folder_and_bring_its_environment() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.write(
        "sub/dist.json",
        r#"{ "version": 1, "targets": { "tool": { "source": "tool", "destination": "{BIN}/tool" } } }"#,
    );
    repo.write("sub/distman.env", "include: [common]\nall: &all\n  NAME: tool\nlinux:\n  <<: *all\ndarwin:\n  <<: *all\nwindows:\n  <<: *all\n");
    repo.write("sub/tool", "one\n");
    repo.write("unpublished", "x\n");
    repo.write("sub/common.env", "all: &all\n  BIN: ${DEPLOY_ROOT}/bin\nlinux:\n  <<: *all\ndarwin:\n  <<: *all\nwindows:\n  <<: *all\n");
    repo.commit("one");
    let inside = repo.inside("sub");
    market.publish(&inside, &[]).success();
    market.install(&[]).success();
    assert_eq!(market.tool(), "one");
}

#[test]
fn submodules_arrive_as_files() {
    let Some(market) = Market::new() else { return };
    let inner = market.sandbox.repo("inner");
    inner.write("file", "inner\n");
    inner.executable("run", "run\n");
    inner.commit("inner");
    let repo = market.sandbox.repo("project");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib", "options": { "submodules": "recurse" } }"#,
    );
    repo.write("lib/own", "own\n");
    repo.git(["submodule", "--quiet", "add", inner.path().to_str().unwrap(), "lib/sub"]);
    repo.commit("one");
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    let home = deploy_at_home(&market, &repo, &[]);
    assert_same(&market, &home, "lib");
    assert_eq!(fs::read_to_string(market.sandbox.root().join("lib/sub/file")).unwrap(), "inner\n");
}

#[test]
fn what_cannot_be_deployed_is_not_published() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    repo.write(
        "tool",
        "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n",
    );
    repo.write(".gitattributes", "tool filter=lfs diff=lfs merge=lfs -text\n");
    repo.commit("pointer");
    market.publish(&repo, &[]).code(1).says("is a git-lfs pointer");
    let written = tree(market.at("place")).without(|path| path == b".lock");
    assert_eq!(written.to_string(), "");
}
