//! A disk that is full: whatever there is no room for, block by block and file by file.

use std::fs;

use super::{commit, target, with_mounts};
use crate::support::{Repo, Sandbox};

/// Deploys on small filesystems, each with so much more room than what is deployed takes: `steps KIND FROM TO ARGUMENT..`
/// prints a line for each with the exit code, what is active before and after, what became of `prune`, and of the next
/// deploy. The root is at first a copy of `seed`.
const STEPS: &str = r#"#!/bin/bash
SEED=${DEPLOY_ROOT%root}seed
kind=$1 from=$2 to=$3
shift 3
state() {
    cat "$DEPLOY_ROOT"/many/*/* "$DEPLOY_ROOT"/tool 2>&1 | cut -d' ' -f1 | sort -u | paste -sd+
}
fill() {
    mount -t tmpfs -o "$1" none "$DEPLOY_ROOT" || exit 99
    cp -a "$SEED/." "$DEPLOY_ROOT" || exit 98
}
fill size=32m
blocks=$(df --output=used -B 4096 "$DEPLOY_ROOT" | tail -1)
inodes=$(df --output=iused "$DEPLOY_ROOT" | tail -1)
umount "$DEPLOY_ROOT"
for more in $(seq "$from" "$to"); do
    case $kind in
        blocks) fill "size=$(( (blocks + more) * 4096 ))" ;;
        inodes) fill "nr_inodes=$(( inodes + more ))" ;;
    esac
    git-dist "$@" >out 2>err
    line="$more $? $(state)"
    traces=$(cd "$DEPLOY_ROOT" && find . -name '.staging-*' -o -name '*.tmp' -o -name '*.next' -o -name pending.json)
    git-dist prune --keep 1 >>out 2>prune
    line="$line $?"
    git-dist >>out 2>again
    line="$line $? $(state)"
    git-dist verify --all >>out 2>&1
    echo "$line $?${traces:+ $(echo $traces)}|$(paste -sd' ' err)|$(paste -sd' ' prune)|$(paste -sd' ' again)"
    umount "$DEPLOY_ROOT" || exit 97
done
"#;

/// Deploys five versions to `seed`, and commits a sixth.
fn seed(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    for number in 1..=5 {
        commit(&repo, 4, &format!("{number}"), "");
        repo.dist([]).success();
    }
    fs::rename(sandbox.root(), sandbox.path().join("seed")).unwrap();
    commit(&repo, 4, "6", "");
    // Destinations that are new take room that none of the others gives back.
    repo.write("new", "6");
    repo.write("newer", "6");
    let targets = ["many", "tool", "new", "newer"].map(|name| target(name, ""));
    repo.manifest(&targets.join(", "));
    repo.commit("6");
    fs::create_dir(sandbox.root()).unwrap();
    repo
}

/// Runs the steps; `None` where nothing can be mounted.
fn steps(sandbox: &Sandbox, repo: &Repo<'_>, arguments: &[&str]) -> Option<Vec<String>> {
    sandbox.script("steps", STEPS);
    let arguments = [&["steps"], arguments].concat();
    let run = with_mounts(sandbox, repo, &arguments)?.success();
    Some(run.stdout().lines().map(ToOwned::to_owned).collect())
}

#[track_caller]
fn assert_steps(lines: &[String], done: &str) {
    let mut failures = 0;
    for line in lines {
        let (facts, said) = line.split_once('|').unwrap();
        let facts: Vec<&str> = facts.split(' ').collect();
        let [_, code, state, prune, again, new, whole, ref traces @ ..] = facts[..] else { panic!("{line}") };
        // What could not be written after the rollout counted is kept.
        assert!(traces.is_empty() || (code == "0" && traces == ["./.distman/pending.json"]), "{line}");
        match code {
            "0" => assert_eq!(state, done, "{line}"),
            _ => {
                failures += 1;
                assert_eq!(state, "5", "{line}");
                assert!(matches!(code, "1" | "3"), "{line}");
                assert!(said.contains("/root") && said.contains("hint: `git dist prune --keep 1`"), "{line}");
            }
        }
        // Dist info may be left to the next run, which is told, and `verify` tells it too.
        let is_left = whole == "4" && said.contains("the next run tries again");
        assert!(prune == "0" && (whole == "0" || is_left), "{line}");
        // Whoever went back keeps the version that was left, and with it has no more room than before.
        if code != "0" || done == "6" {
            assert_eq!((again, new), ("0", "6"), "{line}");
        }
    }
    // There was too little room at first, and enough in the end.
    assert!((1..lines.len()).contains(&failures), "{failures} of {}", lines.len());
}

#[test]
fn a_disk_without_room_changes_nothing_and_can_be_given_some() {
    let sandbox = Sandbox::new();
    let repo = seed(&sandbox);
    if let Some(lines) = steps(&sandbox, &repo, &["blocks", "0", "16"]) {
        assert_steps(&lines, "6");
    }
}

#[test]
fn a_disk_without_inodes_changes_nothing_and_can_be_given_some() {
    let sandbox = Sandbox::new();
    let repo = seed(&sandbox);
    if let Some(lines) = steps(&sandbox, &repo, &["inodes", "0", "21"]) {
        assert_steps(&lines, "6");
    }
}

#[test]
fn going_back_on_a_full_disk_works_or_changes_nothing() {
    let sandbox = Sandbox::new();
    let repo = seed(&sandbox);
    if let Some(lines) = steps(&sandbox, &repo, &["blocks", "0", "4", "rollback"]) {
        assert_steps(&lines, "4");
    }
}
