//! What goes, and what stays.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{active, at_mirror, cache, deployed, next, on_mirror, project};
use crate::support::Sandbox;

#[test]
fn what_leaves_the_source_leaves_the_mirror() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    repo.dist(["delete", "-y", "other"]).success();
    let run = cache(&sandbox, ["--ttl", "0"]).success();
    assert!(run.stdout().contains("remove"), "{}", run.snapshot());
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
    let shown = on_mirror(&sandbox, ["show"]).success();
    assert!(!shown.stdout().contains("other"), "{}", shown.snapshot());
}

#[test]
fn a_prune_leaves_what_is_active() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    let before = deployed(&at_mirror(&sandbox));
    cache(&sandbox, ["--prune", "-d"]).success();
    assert_eq!(deployed(&at_mirror(&sandbox)), before);
    // The source is of no interest here.
    fs::rename(sandbox.root(), sandbox.path().join("away")).unwrap();
    cache(&sandbox, ["-p"]).success().says("pruned");
    fs::rename(sandbox.path().join("away"), sandbox.root()).unwrap();
    repo.dist(["prune", "--keep", "0", "-y"]).success();
    let versions = |name: &str| {
        let names = fs::read_dir(at_mirror(&sandbox).join(name)).unwrap();
        names.filter(|it| !it.as_ref().unwrap().file_name().to_str().unwrap().starts_with('.')).count()
    };
    assert_eq!((versions("bin/versions"), versions("lib/python/versions")), (2, 1));
    on_mirror(&sandbox, ["verify", "--all"]).success();
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD"));
    cache(&sandbox, ["-p"]).success();
}

/// What was rolled back here would else come again.
#[test]
fn a_prune_leaves_what_was_rolled_back_in_the_mirror() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    on_mirror(&sandbox, ["rollback", "tool"]).success();
    cache(&sandbox, ["--prune"]).success();
    repo.dist(["delete", "-y", "other"]).success();
    cache(&sandbox, ["--ttl", "0"]).success().says("left as it is");
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD~1"));
}

#[test]
fn a_mirror_is_removed_as_a_whole() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    cache(&sandbox, []).success();
    cache(&sandbox, ["--delete"]).code(1).says("`-y` says yes");
    cache(&sandbox, ["--delete", "-d"]).success();
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
    cache(&sandbox, ["--delete", "-y"]).success();
    assert!(!at_mirror(&sandbox).exists());
    cache(&sandbox, ["--delete", "-y"]).code(1).says("there is no mirror");
    // The source is untouched, and can be mirrored again.
    cache(&sandbox, []).success();
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
}

#[test]
fn files_of_others_survive_the_removal_of_a_mirror() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    cache(&sandbox, []).success();
    fs::write(at_mirror(&sandbox).join("bin/mine"), "mine").unwrap();
    cache(&sandbox, ["--delete", "-y"]).success().says("holds other files");
    assert_eq!(deployed(&at_mirror(&sandbox)).to_string(), "755 dir bin\n644 file bin/mine = \"mine\"\n");
}

/// What is no mirror is not pruned and not removed.
#[test]
fn a_root_is_no_mirror() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    next(&repo, "two\n");
    let before = deployed(sandbox.root());
    let root = sandbox.root().to_str().unwrap();
    for flag in ["--delete", "--prune"] {
        cache(&sandbox, [flag, "-y", "--dst", root]).code(1).says("there is no mirror");
    }
    assert_eq!(deployed(sandbox.root()), before);
}

/// A program that runs from the mirror holds its version there.
#[test]
fn what_runs_from_the_mirror_stays_until_it_ends() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.executable("bin/tool", "#!/bin/sh\necho ready\nread line || true\n");
    repo.commit("waits");
    repo.dist([]).success();
    cache(&sandbox, ["--ttl", "0"]).success();
    let used = active_path(&sandbox);
    let mut command = sandbox.dist_command(sandbox.path());
    command.env("DEPLOY_ROOT", at_mirror(&sandbox)).args(["run", "tool"]);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    BufReader::new(running.stdout.as_mut().unwrap()).read_line(&mut String::new()).unwrap();
    next(&repo, "two\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    cache(&sandbox, ["-p", "-v"]).success().says("in use");
    assert!(used.exists());
    repo.dist(["delete", "-y", "tool"]).success();
    cache(&sandbox, ["--ttl", "0"]);
    assert!(used.exists());
    cache(&sandbox, ["--delete", "-y"]).code(1).says("in use");
    assert!(used.exists());
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
    cache(&sandbox, ["--ttl", "0"]).success();
    cache(&sandbox, ["-p"]).success();
    cache(&sandbox, ["--delete", "-y"]).success();
    assert!(!used.exists());
}

/// The version that is active at `bin/tool` of the mirror.
fn active_path(sandbox: &Sandbox) -> std::path::PathBuf {
    fs::canonicalize(at_mirror(sandbox).join("bin/tool")).unwrap()
}
