//! The number in a version's name, and what is remembered of it in the git directory.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::PathBuf;
use std::process::Stdio;

use git_dist::source::git::Repository;
use proptest::prelude::*;
use rustix::process::geteuid;

use crate::support::{Repo, Sandbox};

/// A commit to be made: its parents, as distances back in the list, and its date.
type Made = (Vec<usize>, u64);

const MANIFEST: &str =
    r#"{"version": 1, "targets": {"tool": {"source": "dist.json", "destination": "{DEPLOY_ROOT}/tool"}}}"#;

/// A bare repository with these commits, and their ids. Few of them are loose objects, many a pack.
fn history<'s>(sandbox: &'s Sandbox, commits: &[Made]) -> (Repo<'s>, Vec<String>) {
    let repo = sandbox.repo_with("project", ["--bare"]);
    let mut stream = String::new();
    for (index, (parents, date)) in commits.iter().enumerate() {
        let _ = write!(
            stream,
            "commit refs/heads/c{index}\nmark :{}\ncommitter Tess <tess@example.org> {date} +0000\ndata <<.\n{index}\n.\n",
            index + 1
        );
        let mut parents: Vec<_> = parents.iter().map(|back| (index + 1).saturating_sub(*back)).collect();
        parents.sort_unstable();
        parents.dedup();
        for (number, mark) in parents.iter().filter(|mark| **mark > 0).enumerate() {
            let _ = writeln!(stream, "{} :{mark}", if number == 0 { "from" } else { "merge" });
        }
        let _ = write!(stream, "M 100644 inline dist.json\ndata {}\n{MANIFEST}\n", MANIFEST.len());
    }
    stream.push_str("done\n");
    let mut command = sandbox.command("git", repo.path());
    command.args(["-c", "fastimport.unpackLimit=500", "fast-import", "--quiet", "--done"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "git fast-import");
    let refs = repo.git(["for-each-ref", "--sort=version:refname", "--format=%(objectname)", "refs/heads"]);
    let ids = refs.lines().map(str::to_owned).collect();
    (repo, ids)
}

/// A line of commits, a minute apart.
fn line(length: u64) -> Vec<Made> {
    (0..length).map(|index| (vec![1], 1_700_000_000 + 60 * index)).collect()
}

/// What git dist counts, as in a run of its own.
fn counted(repo: &Repo<'_>, commit: &str) -> u64 {
    let repository = Repository::at(repo.path()).unwrap();
    let revision = repository.resolve(commit).unwrap();
    let count = repository.count(&revision).unwrap();
    repository.remember(&revision, count);
    count.commits
}

fn by_git(repo: &Repo<'_>, commit: &str) -> u64 {
    repo.git(["-c", "core.commitGraph=false", "rev-list", "--count", commit]).parse().unwrap()
}

fn memory(repo: &Repo<'_>) -> PathBuf {
    repo.path().join("dist/commit-counts")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Histories with branches, merges and clocks that are wrong, counted in any order.
    #[test]
    fn every_commit_is_counted_as_git_does(
        commits in prop::collection::vec((prop::collection::vec(1..9_usize, 0..4), 0..30_u64), 2..30),
        // From "all at once and in no order" over "some out of order" to "in order".
        minutes in prop::sample::select(vec![0, 2, 10, 60]),
        order in any::<u64>(),
    ) {
        let sandbox = Sandbox::new();
        let date = |index, noise| 1_700_000_000 + minutes * index as u64 + noise;
        let commits: Vec<_> =
            commits.into_iter().enumerate().map(|(index, (parents, noise))| (parents, date(index, noise))).collect();
        let (repo, ids) = history(&sandbox, &commits);
        let mut reached: Vec<u32> = Vec::new();
        for (index, (parents, _)) in commits.iter().enumerate() {
            let before = parents.iter().filter_map(|back| index.checked_sub(*back));
            reached.push(before.fold(1 << index, |all, parent| all | reached[parent]));
        }
        let count = |index: usize| u64::from(reached[index].count_ones());
        prop_assert_eq!(count(ids.len() - 1), by_git(&repo, &ids[ids.len() - 1]));
        let mut shuffled: Vec<_> = (0..ids.len()).collect();
        shuffled.sort_by_key(|index| (*index as u64 + 1).wrapping_mul(order | 1));
        // The second time all are remembered.
        for index in shuffled.iter().chain(&shuffled) {
            prop_assert_eq!(counted(&repo, &ids[*index]), count(*index));
        }
    }
}

#[test]
fn what_was_counted_is_not_walked_again() {
    let sandbox = Sandbox::new();
    let (repo, ids) = history(&sandbox, &line(60));
    assert_eq!(counted(&repo, &ids[49]), 50);
    // With a hole in the history, only what is remembered can count it, and what comes after.
    fs::remove_file(repo.path().join("objects").join(&ids[3][..2]).join(&ids[3][2..])).unwrap();
    assert_eq!(counted(&repo, &ids[49]), 50);
    assert_eq!(counted(&repo, &ids[59]), 60);
    fs::remove_file(memory(&repo)).unwrap();
    repo.dist(["--rev", &ids[49]]).code(1).says("cannot count the history");
    assert!(!memory(&repo).exists());
}

#[test]
fn a_branch_that_was_rewritten_counts_anew() {
    let sandbox = Sandbox::new();
    let mut commits = line(50);
    // The last one again, from the commit ten before it, and a merge of both.
    commits.push((vec![11], 1_800_000_000));
    commits.push((vec![1, 2], 1_800_000_060));
    let (repo, ids) = history(&sandbox, &commits);
    for (index, count) in [(49, 50), (50, 41), (51, 52), (10, 11), (51, 52)] {
        assert_eq!(counted(&repo, &ids[index]), count, "commit {index}");
    }
}

#[test]
fn many_runs_at_once_remember_without_a_mistake() {
    let sandbox = Sandbox::new();
    let (repo, ids) = history(&sandbox, &line(200));
    for round in 1..4 {
        let run = |number: usize| {
            let (root, index) = (sandbox.path().join(format!("root-{round}-{number}")), 19 * number + round);
            let mut command = sandbox.dist_command(repo.path());
            let command = command.args(["--quiet", "--rev", &ids[index]]).env("DEPLOY_ROOT", &root);
            (command.spawn().unwrap(), root, format!("versions/tool.{}.{}", index + 1, &ids[index][..7]))
        };
        let running: Vec<_> = (0..10).map(run).collect();
        for (mut child, root, version) in running {
            assert!(child.wait().unwrap().success(), "{version}");
            assert_eq!(fs::read_link(root.join("tool")).unwrap(), PathBuf::from(version));
        }
        let left = fs::read_dir(repo.path().join("dist")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        left.retain(|name| name != "silent-settings");
        assert_eq!(left, ["commit-counts"], "nothing lies beside it");
    }
}

#[test]
fn what_changes_nothing_remembers_nothing() {
    let sandbox = Sandbox::new();
    let (repo, ids) = history(&sandbox, &line(10));
    repo.dist(["--dry-run", "--rev", &ids[9]]).success();
    repo.dist(["diff", "--rev", &ids[9]]);
    assert!(!memory(&repo).exists());
    repo.dist(["--rev", &ids[8]]).success();
    // The same content: only the count is new.
    repo.dist(["--rev", &ids[9]]).success().says("nothing to do");
    assert!(fs::read_to_string(memory(&repo)).unwrap().contains(&ids[9]));
}

#[test]
fn what_is_remembered_wrong_is_as_good_as_nothing() {
    let sandbox = Sandbox::new();
    let (repo, ids) = history(&sandbox, &line(30));
    counted(&repo, &ids[19]);
    let path = memory(&repo);
    let good = fs::read_to_string(&path).unwrap();
    let lie = good.replace(" 20 ", " 99 ");
    assert_ne!(lie, good);
    let halves = [&good[..good.len() / 2], &lie, "", "{}\n", &"x".repeat(1 << 20)];
    for text in halves {
        fs::write(&path, text).unwrap();
        assert_eq!(counted(&repo, &ids[29]), 30);
        assert!(fs::read_to_string(&path).unwrap().contains(&ids[29]), "it is remembered anew");
    }
    // What is no file at all is neither waited for nor followed.
    let elsewhere = sandbox.path().join("elsewhere");
    fs::write(&elsewhere, &good).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_eq!(counted(&repo, &ids[29]), 30);
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), good);
    fs::remove_file(&path).unwrap();
    sandbox.run(sandbox.command("mkfifo", sandbox.path()).arg(&path)).success();
    assert_eq!(counted(&repo, &ids[29]), 30);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(counted(&repo, &ids[29]), 30);
}

#[test]
fn a_git_directory_that_cannot_be_written_does_not_matter() {
    let sandbox = Sandbox::new();
    let (repo, ids) = history(&sandbox, &line(30));
    // Where root is not stopped by the mode, somebody else's directory is left alone.
    if geteuid().is_root() {
        chown(repo.path(), Some(12345), None).unwrap();
        repo.git(["config", "--global", "safe.directory", "*"]);
    } else {
        fs::set_permissions(repo.path(), fs::Permissions::from_mode(0o555)).unwrap();
    }
    repo.dist(["--rev", &ids[29]]).success();
    assert_eq!(sandbox.active("tool"), format!("versions/tool.30.{}", &ids[29][..7]));
    assert!(!repo.path().join("dist").exists());
    fs::set_permissions(repo.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_commit_graph_helps_and_a_damaged_one_does_no_harm() {
    let sandbox = Sandbox::new();
    let mut commits = line(1_500);
    // Merges now and then, and one commit whose clock was far ahead, so that dates are no shortcut.
    for index in (100..1_400).step_by(7) {
        commits[index].0 = vec![1, index % 60 + 2];
    }
    commits[1_490].1 = 2_000_000_000;
    let (repo, ids) = history(&sandbox, &commits);
    let tips = [1_480, 1_489, 1_490, 1_491, 1_499];
    let counts = |path: &PathBuf| {
        let _ = fs::remove_file(path);
        tips.map(|index| counted(&repo, &ids[index]))
    };
    let right = tips.map(|index| by_git(&repo, &ids[index]));
    let path = memory(&repo);
    assert_eq!(counts(&path), right);
    repo.git(["commit-graph", "write", "--reachable"]);
    assert_eq!(counts(&path), right);
    let graph = repo.path().join("objects/info/commit-graph");
    let whole = fs::read(&graph).unwrap();
    fs::set_permissions(&graph, fs::Permissions::from_mode(0o644)).unwrap();
    for at in (1_100..whole.len()).step_by(whole.len() / 20) {
        let mut damaged = whole.clone();
        damaged[at..at + 8].fill(0);
        fs::write(&graph, damaged).unwrap();
        assert_eq!(counts(&path), right, "byte {at}");
    }
    fs::write(&graph, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(counts(&path), right);
}

#[test]
fn a_clone_that_becomes_shallow_is_refused_as_ever() {
    let sandbox = Sandbox::new();
    let (repo, ids) = history(&sandbox, &line(30));
    let clone = repo.clone_to("clone", ["--bare", "--branch=c29"]);
    assert_eq!(counted(&clone, &ids[28]), 29);
    clone.git(["fetch", "--quiet", "--depth=5", "origin", "c29"]);
    clone.dist(["--rev", &ids[29]]).code(1).says("is cut off in this shallow clone");
}
