//! Trees that git would never write, or that cost more than they weigh.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use super::{commit_dir, refused};
use crate::support::{Repo, Sandbox, tree};

/// A bare repository: nothing is ever checked out.
fn bare(sandbox: &Sandbox) -> Repo<'_> {
    sandbox.repo_with("project.git", ["--bare"])
}

#[test]
fn names_that_leave_the_folder_or_are_gits_own_are_refused() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"hostile\n");
    let long = [b'n'; 256];
    let names: &[(&[u8], &str)] = &[
        (b"..", "the name is `.` or `..`"),
        (b".", "the name is `.` or `..`"),
        (b"", "the name is empty"),
        (b"a/b", "the name holds a path separator"),
        (b"/etc", "the name holds a path separator"),
        (b"../../escaped", "the name holds a path separator"),
        (b".git", "a spelling of `.git`"),
        (b".GIT", "a spelling of `.git`"),
        (b".Git ", "a spelling of `.git`"),
        (b".git.", "a spelling of `.git`"),
        (b".git . .", "a spelling of `.git`"),
        (b"GIT~1", "a spelling of `.git`"),
        (b"git~1. ", "a spelling of `.git`"),
        (b".git::$INDEX_ALLOCATION", "a spelling of `.git`"),
        (b".git:stream", "a spelling of `.git`"),
        (".g\u{200c}it".as_bytes(), "a spelling of `.git`"),
        ("\u{feff}.git".as_bytes(), "a spelling of `.git`"),
        (".gi\u{206f}T".as_bytes(), "a spelling of `.git`"),
        (&long, "the name is longer than 255 bytes"),
    ];
    for (name, reason) in names {
        for mode in
            ["100644", "40000", "120000", "160000"].into_iter().take(if *name == b".." { 4 } else { 1 })
        {
            let id = if mode == "40000" { repo.tree(&[("100644", "file", &blob)]) } else { blob.clone() };
            let dir = repo.tree(&[(mode, name, &id)]);
            commit_dir(&repo, &dir);
            refused(&sandbox, repo.dist([])).says("refusing the tree entry `dir/").says(reason);
        }
    }
    // Below a wildcard, and at the top.
    let dir = repo.tree(&[("100644", "..", &blob)]);
    let manifest = repo.object(
        "blob",
        br#"{ "version": 1, "targets": { "all": { "source": "**/*", "destination": "{DEPLOY_ROOT}/%1/%2" } } }"#,
    );
    repo.commit_tree(&repo.tree(&[("40000", "dir", &dir), ("100644", "dist.json", &manifest)]));
    refused(&sandbox, repo.dist([])).says("refusing the tree entry `dir/..`");
    repo.commit_tree(&repo.tree(&[("100644", "..", &blob), ("100644", "dist.json", &manifest)]));
    refused(&sandbox, repo.dist([])).says("refusing the tree entry `..`:");
    assert!(!sandbox.path().join("escaped").exists());
}

#[test]
fn names_that_only_look_like_gits_own_are_deployed() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"honest\n");
    let long = "n".repeat(255);
    let names = [".git2", ".gitx", ".github", "git~2", "x.git", long.as_str()];
    let mut entries: Vec<_> = names.iter().map(|name| ("100644", *name, blob.as_str())).collect();
    entries.sort_by_key(|(_, name, _)| *name);
    commit_dir(&repo, &repo.tree(&entries));
    repo.dist([]).success();
    for name in names {
        assert_eq!(fs::read_to_string(sandbox.root().join("dir").join(name)).unwrap(), "honest\n", "{name}");
    }
}

#[test]
fn entries_that_stand_for_two_things_are_refused() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"/tmp");
    let inner = repo.tree(&[("100644", "file", &blob)]);
    for entries in [
        [("100644", "a", &*blob), ("100644", "a", &*blob)],
        [("120000", "a", &*blob), ("40000", "a", &*inner)],
        [("40000", "a", &*inner), ("40000", "a", &*inner)],
    ] {
        commit_dir(&repo, &repo.tree(&entries));
        refused(&sandbox, repo.dist([])).says("refusing the tree entry `dir/a`").says("stands twice");
    }
}

#[test]
fn trees_that_are_no_trees_are_corrupt() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"hostile\n");
    // No end of a name, an id cut off, a mode that is none, a name with NUL (which cuts the id).
    for bytes in [
        &b"100644 a"[..],
        b"100644 a\0short",
        b"100644",
        b"\0\0\0\0",
        b"10x644 a\0aaaaaaaaaaaaaaaaaaaa",
        b"100644 a\0b\0aaaaaaaaaaaaaaaaaaaa",
    ] {
        commit_dir(&repo, &repo.object("tree", bytes));
        refused(&sandbox, repo.dist([])).says("corrupt").says("`dir`");
    }
    // Something else where a tree, a file or a commit should be.
    commit_dir(&repo, &blob);
    refused(&sandbox, repo.dist([])).says("`dir` is corrupt");
    let dir = repo.tree(&[("100644", "a", &blob)]);
    commit_dir(&repo, &repo.tree(&[("100644", "a", &dir)]));
    refused(&sandbox, repo.dist([])).says("`dir/a` is corrupt");
}

/// git reads such trees, and so do we: what is deployed is what `git ls-tree -r` lists.
#[test]
fn unsorted_entries_and_odd_modes_are_deployed_or_refused_but_never_misread() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"text\n");
    let inner = repo.tree(&[("100644", "z", &blob), ("100644", "a", &blob)]);
    for entries in [
        &[("100644", "z", &*blob), ("100644", "a", &*blob), ("40000", "m", &*inner)][..],
        &[("100664", "group", &*blob)],
        &[("100600", "private", &*blob)],
        &[("100777", "all", &*blob)],
        &[("040000", "padded", &*inner)],
        &[("107777", "sticky", &*blob)],
        &[("0", "nothing", &*blob)],
        &[("777", "bare", &*blob)],
        &[("20000", "device", &*blob)],
        &[("10000", "fifo", &*blob)],
        &[("140000", "socket", &*blob)],
        &[("37777777777", "huge", &*blob)],
    ] {
        let _ = fs::remove_dir_all(sandbox.root());
        commit_dir(&repo, &repo.tree(entries));
        let run = repo.dist([]);
        assert!(!run.snapshot().contains("panicked"), "{}", run.snapshot());
        let dir = sandbox.root().join("dir");
        if !dir.exists() {
            refused(&sandbox, run).says("`dir");
            continue;
        }
        let run = run.success();
        let listed = repo.git(["ls-tree", "-r", "HEAD:dir"]);
        for line in listed.lines() {
            let (_, path) = line.split_once('\t').unwrap();
            let metadata =
                fs::symlink_metadata(dir.join(path)).unwrap_or_else(|_| panic!("{line}\n{}", run.snapshot()));
            assert!(metadata.is_file(), "{line}");
        }
        let files = tree(fs::canonicalize(&dir).unwrap()).to_string();
        assert_eq!(
            files.lines().filter(|line| line.contains(" file ")).count(),
            listed.lines().count(),
            "{files}"
        );
        repo.dist(["verify"]).success();
    }
}

/// A pyramid of trees, `levels` high, each holding the one below it under `names`; `bottom` lies at its foot.
fn pyramid(sandbox: &Sandbox, repo: &Repo<'_>, levels: usize, names: &[&str], bottom: &str) -> String {
    let mut command = sandbox.command("git", repo.path());
    let command = command.args(["mktree", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut trees = child.stdin.take().unwrap();
    let mut ids = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut id = bottom.to_owned();
    for _ in 0..levels {
        for name in names {
            writeln!(trees, "040000 tree {id}\t{name}").unwrap();
        }
        writeln!(trees).unwrap();
        id = ids.next().unwrap().unwrap();
    }
    drop(trees);
    assert!(child.wait().unwrap().success());
    id
}

#[test]
fn deep_trees_are_deployed_or_refused() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"deep\n");
    let bottom = repo.tree(&[("100644", "f", &blob)]);
    let deep = pyramid(&sandbox, &repo, 5_000, &["d"], &bottom);
    commit_dir(&repo, &deep);
    refused(&sandbox, repo.dist([])).says("refusing the tree entry `dir/d/d/d/").says("too many folders");
    let manifest = br#"{ "version": 1, "targets": { "all": { "source": "**/f", "destination": "{DEPLOY_ROOT}/%1/f" } } }"#;
    let manifest = repo.object("blob", manifest);
    repo.commit_tree(&repo.tree(&[("40000", "dir", &*deep), ("100644", "dist.json", &manifest)]));
    refused(&sandbox, repo.dist([])).says("refusing the tree entry `dir/d/d/d/").says("too many folders");
    let long = "d".repeat(250);
    commit_dir(&repo, &pyramid(&sandbox, &repo, 20, &[&long], &bottom));
    refused(&sandbox, repo.dist([]))
        .says("refusing the tree entry `dir/ddd")
        .says("longer than a filesystem");
    for levels in [900, 300] {
        commit_dir(&repo, &pyramid(&sandbox, &repo, levels, &["d"], &bottom));
        repo.dist([]).success();
        repo.dist(["verify"]).success();
    }
    let path = format!("dir/{}f", "d/".repeat(300));
    assert_eq!(fs::read_to_string(sandbox.root().join(path)).unwrap(), "deep\n");
    repo.dist(["delete", "dir", "-y"]).success();
    let left = tree(sandbox.root().join("versions")).to_string();
    assert!(left.is_empty(), "{left}");
}

/// Thirty trees of ten entries each stand for more files than there are atoms in a person.
#[test]
fn trees_that_hold_themselves_again_and_again_are_refused_early() {
    let sandbox = Sandbox::new();
    let repo = bare(&sandbox);
    let blob = repo.object("blob", b"one\n");
    let names = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let files = repo.tree(&names.map(|name| ("100644", name, &*blob)));
    let nothing = repo.tree::<&str>(&[]);
    let long = "d".repeat(250);
    let limited = |memory_kib: u64| {
        let script = format!("ulimit -v {memory_kib}; exec git-dist");
        sandbox.run(sandbox.command("sh", repo.path()).args(["-c", &script]))
    };
    for bottom in [files, nothing] {
        let wide = pyramid(&sandbox, &repo, 30, &names, &bottom);
        // Long paths reach a limit soon, which the debug build is thankful for.
        commit_dir(&repo, &pyramid(&sandbox, &repo, 14, &[&long], &wide));
        refused(&sandbox, limited(2_000_000)).says("target `dir`").says("stands for more than 2500000 files");
    }
}
