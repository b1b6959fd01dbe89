//! How unchanged files get from version to version, and what a change by hand reaches.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::disk::{Kind, tool};
use super::{Lab, assert_tidy, on};
use crate::support::Repo;
use crate::tamper::forge;

const WAYS: [&str; 4] = ["auto", "reflink", "hardlink", "copy"];

/// How two paths have the same bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum How {
    /// One file.
    Linked,
    /// Two files with the same blocks.
    Cloned,
    /// Two files, each with its own.
    Apart,
}

pub(super) fn how(one: &Path, other: &Path) -> How {
    assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
    let number = |path: &Path| fs::metadata(path).unwrap().ino();
    if number(one) == number(other) {
        return How::Linked;
    }
    match (extents(one), extents(other)) {
        (Some(one), Some(other)) if one == other => How::Cloned,
        _ => How::Apart,
    }
}

/// Where the bytes of a file are, if they are also those of another.
fn extents(path: &Path) -> Option<Vec<String>> {
    let output = tool("filefrag").args(["-s", "-v"]).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let extents = text.lines().filter(|line| line.contains("..")).map(|line| {
        let fields: Vec<&str> = line.split(':').map(str::trim).collect();
        fields.last().unwrap().contains("shared").then(|| fields[2].to_owned())
    });
    extents.collect::<Option<Vec<_>>>().filter(|extents| !extents.is_empty())
}

/// A folder with a large file, small ones, and one that changes with every commit, deployed in each way.
fn project(lab: &Lab) -> Repo<'_> {
    let repo = lab.sandbox.repo("project");
    repo.write("lib/large", vec![b'x'; 300_000]);
    repo.write("lib/deep/small", "same\n");
    repo.executable("lib/run", "#!/bin/sh\n");
    repo.write("lib/empty", "");
    let target = |way: &&str| {
        format!(
            r#""{way}": {{ "source": "lib", "destination": "{{DEPLOY_ROOT}}/{way}/lib", "options": {{ "link": "{way}" }} }}"#
        )
    };
    repo.manifest(&WAYS.iter().map(target).collect::<Vec<_>>().join(", "));
    next(&repo, "one");
    repo
}

/// Deploys a change of one file.
fn next(repo: &Repo<'_>, text: &str) {
    repo.write("lib/changing", text);
    repo.commit(text);
    repo.dist([]).success();
}

fn shared(lab: &Lab) {
    let repo = project(lab);
    let first = WAYS.map(|way| lab.version(&format!("{way}/lib")));
    next(&repo, "two");
    next(&repo, "three");
    let third = WAYS.map(|way| lab.version(&format!("{way}/lib")));
    let clones = lab.root.kind.clones();
    let expected =
        [lab.root.kind.means(), if clones { How::Cloned } else { How::Apart }, How::Linked, How::Apart];
    for (at, expected) in expected.into_iter().enumerate() {
        let (first, third) = (&first[at], &third[at]);
        assert_eq!(how(&first.join("large"), &third.join("large")), expected, "{}", WAYS[at]);
        assert_ne!(fs::read(first.join("changing")).unwrap(), fs::read(third.join("changing")).unwrap());
        for file in ["large", "run", "deep/small", "empty"] {
            let [first, third] = [first, third].map(|version| fs::metadata(version.join(file)).unwrap());
            assert_eq!(first.mode(), third.mode(), "{file}");
            // What is shared keeps its time, what is written has that of its commit.
            let is_shared = expected != How::Apart;
            assert_eq!((first.mtime(), first.mtime_nsec()) == (third.mtime(), 0), is_shared, "{file}");
            assert_eq!(first.ino() == third.ino(), expected == How::Linked, "{file}");
        }
    }
    repo.dist(["verify", "--all"]).success();
    let way = if clones { "clones" } else { "hard links" };
    repo.dist(["doctor"]).prints(&format!("unchanged files are shared as {way}"));
    assert_tidy(lab);
}

/// What somebody writes into a deployed file gets into no later version, and into an earlier one only where both are
/// one file.
fn touched(lab: &Lab) {
    let repo = project(lab);
    let first = WAYS.map(|way| lab.version(&format!("{way}/lib")));
    next(&repo, "two");
    let second = WAYS.map(|way| lab.version(&format!("{way}/lib")));
    let evil = "y".repeat(300_000);
    for version in &second {
        forge(&version.join("large"), &evil);
    }
    next(&repo, "three");
    let is_evil = |version: &Path| fs::read(version.join("large")).unwrap() == evil.as_bytes();
    for (at, way) in WAYS.iter().enumerate() {
        let third = lab.version(&format!("{way}/lib"));
        assert!(!is_evil(&third) && is_evil(&second[at]), "{way}");
        let is_one_file = *way == "hardlink" || *way == "auto" && !lab.root.kind.clones();
        assert_eq!(is_evil(&first[at]), is_one_file, "{way}");
    }
    repo.dist(["verify"]).success();
    repo.dist(["verify", "--all"]).code(4).prints("large  content");
    // Going back finds what is touched, and goes when it is whole.
    repo.dist(["verify", "--all", "--repair"]).success();
    repo.dist(["verify", "--all"]).success();
    repo.dist(["rollback"]).success();
    repo.dist(["verify", "--all"]).success();
    for (at, way) in WAYS.iter().enumerate() {
        assert_eq!(lab.version(&format!("{way}/lib")), second[at], "{way}");
        assert!(!is_evil(&second[at]) && !is_evil(&first[at]), "{way}");
    }
    repo.dist(["reset"]).success();
    next(&repo, "four");
    next(&repo, "five");
    repo.dist(["prune", "--keep", "1"]).success();
    for version in &first {
        assert!(!version.exists(), "{}", version.display());
    }
    // The blocks of what was removed are still those of what was cloned from it.
    repo.dist(["verify", "--all"]).success();
    next(&repo, "six");
    repo.dist(["verify", "--all"]).success();
    assert_tidy(lab);
}

#[test]
fn unchanged_files_are_shared_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::unchanged_files_are_shared_on_ext4"), shared);
}

#[test]
fn unchanged_files_are_shared_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::unchanged_files_are_shared_on_xfs"), shared);
}

#[test]
fn unchanged_files_are_shared_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::unchanged_files_are_shared_on_btrfs"), shared);
}

#[test]
fn unchanged_files_are_shared_on_tmpfs() {
    on(Kind::Tmpfs, concat!(module_path!(), "::unchanged_files_are_shared_on_tmpfs"), shared);
}

#[test]
fn touched_files_are_not_shared_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::touched_files_are_not_shared_on_ext4"), touched);
}

#[test]
fn touched_files_are_not_shared_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::touched_files_are_not_shared_on_xfs"), touched);
}

#[test]
fn touched_files_are_not_shared_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::touched_files_are_not_shared_on_btrfs"), touched);
}

#[test]
fn touched_files_are_not_shared_on_tmpfs() {
    on(Kind::Tmpfs, concat!(module_path!(), "::touched_files_are_not_shared_on_tmpfs"), touched);
}

/// ext4 gives a file 65,000 names.
#[test]
fn a_file_with_too_many_names_is_written_again_on_ext4() {
    let test = concat!(module_path!(), "::a_file_with_too_many_names_is_written_again_on_ext4");
    on(Kind::Ext4, test, |lab| {
        let repo = project(lab);
        let first = lab.version("auto/lib");
        fs::create_dir(lab.at("names")).unwrap();
        let more = 65_000 - fs::metadata(first.join("large")).unwrap().nlink();
        for number in 0..more {
            fs::hard_link(first.join("large"), lab.at("names").join(number.to_string())).unwrap();
        }
        next(&repo, "two");
        let second = lab.version("auto/lib");
        assert_eq!(how(&first.join("large"), &second.join("large")), How::Apart);
        // The others have names left, also those that come after it.
        for file in ["deep/small", "run"] {
            assert_eq!(how(&first.join(file), &second.join(file)), How::Linked, "{file}");
        }
        next(&repo, "three");
        assert_eq!(how(&second.join("large"), &lab.version("auto/lib").join("large")), How::Linked);
        repo.dist(["verify", "--all"]).success();
    });
}
