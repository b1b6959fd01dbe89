//! Destinations on several filesystems: each shares as it can, and a rollout is one all the same.

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Kind, Snapshot, tool};
use super::sharing::{How, how};
use super::{Lab, assert_tidy, code, on, on_more};
use crate::support::{Repo, tree};

/// Where the second filesystem is.
struct Two<'l> {
    lab: &'l Lab,
    /// Mounted as long as this lives.
    other: Disk,
    elsewhere: PathBuf,
}

impl<'l> Two<'l> {
    fn new(lab: &'l Lab, other: Kind) -> Self {
        let elsewhere = lab.sandbox.path().join("elsewhere");
        Self { lab, other: lab.disk(other, &elsewhere), elsewhere }
    }

    /// A folder with a destination on either filesystem, the other one last.
    fn project(&self) -> Repo<'l> {
        let repo = self.lab.sandbox.repo("project");
        repo.write("lib/large", vec![b'x'; 100_000]);
        let target = |name: &str, folder: &Path| {
            format!(r#""{name}": {{ "source": "lib", "destination": "{}/lib" }}"#, folder.display())
        };
        let targets = [target("here", self.lab.sandbox.root()), target("there", &self.elsewhere)];
        repo.manifest(&targets.join(", "));
        for text in ["one", "two"] {
            repo.write("lib/changing", text);
            repo.commit(text);
            repo.dist([]).success();
        }
        repo
    }

    fn destinations(&self) -> [PathBuf; 2] {
        [self.lab.at("lib"), self.elsewhere.join("lib")]
    }

    /// What `changing` says at either destination.
    fn seen(&self) -> [String; 2] {
        self.destinations().map(|path| fs::read_to_string(path.join("changing")).unwrap())
    }

    /// How the large file came to either destination from the version before.
    fn how(&self) -> [How; 2] {
        self.destinations().map(|path| {
            let versions = path.with_file_name("versions");
            let mut names: Vec<_> =
                fs::read_dir(versions).unwrap().map(|entry| entry.unwrap().path()).collect();
            names.retain(|path| path.is_dir());
            names.sort();
            let [.., before, last] = &names[..] else { panic!("{names:?}") };
            how(&before.join("large"), &last.join("large"))
        })
    }
}

const KINDS: [[Kind; 2]; 2] = [[Kind::Ext4, Kind::Xfs], [Kind::Btrfs, Kind::Ext4]];

#[test]
fn each_filesystem_shares_as_it_can() {
    let test = concat!(module_path!(), "::each_filesystem_shares_as_it_can");
    on_more(&[Kind::Ext4, Kind::Xfs], test, |lab| {
        let two = Two::new(lab, Kind::Xfs);
        let repo = two.project();
        assert_eq!(two.how(), [How::Linked, How::Cloned]);
        repo.dist(["verify", "--all"]).success();
    });
}

/// The second fails where the first does not: no room, a check, a kill at any act.
fn all_or_none(lab: &Lab, other: Kind) {
    let two = Two::new(lab, other);
    let repo = two.project();
    let filler = two.elsewhere.join("filler");
    repo.write("lib/changing", "three");
    // More than is free there, and less than is free here.
    repo.write("lib/more", vec![b'z'; 1 << 20]);
    repo.commit("three");
    super::full::fill(&filler, 512 << 10);
    let run = repo.dist([]).code(1);
    assert!(run.stderr().contains("elsewhere"), "{}", run.snapshot());
    assert_eq!(two.seen(), ["two", "two"]);
    assert_tidy(lab);
    fs::remove_file(filler).unwrap();
    two.other.sync();
    // Killed at every seventh act, one after the other, with nothing between.
    let acts = lab.sandbox.path().join("tmp/acts");
    for start in 0.. {
        let _ = fs::remove_file(&acts);
        let fault = format!("{}:KILL", 7 * start + 1);
        let environment = [("GIT_DIST_FAULT", &*fault), ("GIT_DIST_ACTS", acts.to_str().unwrap())];
        let (code, said) = code(lab, &repo, &environment, &[]);
        let seen = two.seen();
        assert!(seen.iter().all(|text| text == "two" || text == "three"), "{fault}: {seen:?}");
        if code.is_some() {
            assert_eq!((code, &seen), (Some(0), &["three".to_owned(), "three".to_owned()]), "{said}");
            break;
        }
        let at = fs::read_to_string(&acts).unwrap();
        if two.lab.sandbox.history().len() == 2 {
            // Not even counted: what finishes or undoes it undoes it.
            repo.dist(["prune", "--keep", "0"]).success();
            assert_eq!(two.seen(), ["two", "two"], "{fault}: {at}");
        } else {
            repo.dist(["prune", "--keep", "0"]).success();
            assert_eq!(two.seen(), ["three", "three"], "{fault}: {at}");
            break;
        }
    }
    repo.dist([]).success();
    repo.dist(["verify", "--all"]).success();
    assert_tidy(lab);
    let there = tree(&two.elsewhere).to_string();
    assert!(!there.contains(".staging-") && !there.contains(".next"), "{there}");
}

#[test]
fn all_or_none_on_ext4_and_xfs() {
    let test = concat!(module_path!(), "::all_or_none_on_ext4_and_xfs");
    on_more(&KINDS[0], test, |lab| all_or_none(lab, KINDS[0][1]));
}

#[test]
fn all_or_none_on_btrfs_and_ext4() {
    let test = concat!(module_path!(), "::all_or_none_on_btrfs_and_ext4");
    on_more(&KINDS[1], test, |lab| all_or_none(lab, KINDS[1][1]));
}

/// Power is cut for both at once: what one of them has on disk says nothing of the other.
fn cut_at_once(lab: &Lab, other: Kind) {
    let two = Two::new(lab, other);
    let repo = two.project();
    repo.write("lib/changing", "three");
    repo.commit("three");
    let disks = [&lab.root, &two.other];
    let snapshots = |name: &str| {
        let mut number = 0;
        disks.map(|disk| {
            number += 1;
            disk.snapshot(&format!("{name}{number}"))
        })
    };
    let cut_to = |snapshots: &[Snapshot; 2]| {
        disks.iter().zip(snapshots).for_each(|(disk, snapshot)| disk.cut_to(snapshot));
    };
    for disk in disks {
        disk.sync();
    }
    let before = snapshots("before");
    let acts = lab.sandbox.path().join("tmp/acts");
    repo.dist_with([("GIT_DIST_ACTS", acts.to_str().unwrap())], []).success();
    cut_to(&snapshots("cut"));
    assert_eq!(two.seen(), ["three", "three"]);
    assert_eq!(lab.sandbox.history().len(), 3);
    let acts = fs::read_to_string(acts).unwrap();
    let acts: Vec<&str> = acts.lines().take_while(|act| !act.contains("/.git/")).collect();
    let step = if std::env::var_os("GIT_DIST_TEST_FAULTS").is_some() { 2 } else { 7 };
    for number in (1..=acts.len()).rev().step_by(step) {
        let said = format!("before act {}", acts[number - 1]);
        cut_to(&before);
        let (code, _) = code(lab, &repo, &[("GIT_DIST_FAULT", &format!("{number}:KILL"))], &[]);
        assert_eq!(code, None, "{said}");
        cut_to(&snapshots("cut"));
        let seen = two.seen();
        assert!(seen.iter().all(|text| text == "two" || text == "three"), "{said}: {seen:?}");
        assert!(lab.sandbox.history().len() == 2 || seen == ["three", "three"], "{said}: {seen:?}");
        repo.dist([]).success();
        assert_eq!(two.seen(), ["three", "three"], "{said}");
        repo.dist(["verify", "--all"]).success();
        assert_tidy(lab);
    }
}

#[test]
fn a_cut_leaves_old_or_new_on_ext4_and_xfs() {
    let test = concat!(module_path!(), "::a_cut_leaves_old_or_new_on_ext4_and_xfs");
    on_more(&KINDS[0], test, |lab| cut_at_once(lab, KINDS[0][1]));
}

#[test]
fn a_cut_leaves_old_or_new_on_btrfs_and_ext4() {
    let test = concat!(module_path!(), "::a_cut_leaves_old_or_new_on_btrfs_and_ext4");
    on_more(&KINDS[1], test, |lab| cut_at_once(lab, KINDS[1][1]));
}

/// Somebody mounted something inside of a version: what is there cannot be shared, and is written.
fn mounted_inside(lab: &Lab) {
    let repo = lab.sandbox.repo("project");
    for file in ["lib/a", "lib/deep/file", "lib/z"] {
        repo.write(file, file.repeat(2000));
    }
    repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    repo.commit("one");
    repo.dist([]).success();
    let first = lab.version("lib");
    let deep = first.join("deep");
    let copy = lab.sandbox.path().join("tmp/copy");
    let cp = |from: &Path, to: &Path| tool("cp").arg("-a").args([from, to]).status().unwrap().success();
    assert!(cp(&deep, &copy));
    let inside = lab.disk(Kind::Tmpfs, &deep);
    assert!(cp(&copy.join("file"), &deep.join("file")));
    fs::remove_dir_all(copy).unwrap();
    repo.write("lib/changing", "two");
    repo.commit("two");
    repo.dist([]).success();
    let second = lab.version("lib");
    assert_eq!(how(&deep.join("file"), &second.join("deep/file")), How::Apart);
    // On xfs what comes after it is a hard link, as where nothing can be cloned.
    assert_eq!(how(&first.join("a"), &second.join("a")), lab.root.kind.means());
    assert_ne!(how(&first.join("z"), &second.join("z")), How::Apart);
    repo.dist(["verify", "--all"]).success();
    drop(inside);
    repo.dist(["verify", "--all"]).success();
    assert_tidy(lab);
}

#[test]
fn what_is_mounted_inside_of_a_version_is_written_on_ext4() {
    let test = concat!(module_path!(), "::what_is_mounted_inside_of_a_version_is_written_on_ext4");
    on(Kind::Ext4, test, mounted_inside);
}

#[test]
fn what_is_mounted_inside_of_a_version_is_written_on_xfs() {
    let test = concat!(module_path!(), "::what_is_mounted_inside_of_a_version_is_written_on_xfs");
    on(Kind::Xfs, test, mounted_inside);
}

/// Subvolumes have device numbers of their own and one journal: each is synced, and files are cloned across them.
#[test]
fn subvolumes_are_deployed_to_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::subvolumes_are_deployed_to_on_btrfs"), |lab| {
        let subvolume = |path: &Path| {
            assert!(tool("btrfs").args(["-q", "subvolume", "create"]).arg(path).status().unwrap().success());
        };
        fs::create_dir(lab.at("bin")).unwrap();
        subvolume(&lab.at("bin/versions"));
        let repo = lab.sandbox.repo("project");
        repo.write("lib/large", vec![b'x'; 100_000]);
        repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/bin/lib" }"#);
        for text in ["one", "two", "three"] {
            repo.write("lib/changing", text);
            repo.commit(text);
            repo.dist([]).success();
            let before = lab.root.snapshot("before");
            lab.root.cut_to(&before);
            assert_eq!(fs::read_to_string(lab.at("bin/lib/changing")).unwrap(), text);
            repo.dist(["verify", "--all"]).success();
        }
        repo.dist(["rollback"]).success();
        repo.dist(["prune", "--keep", "1"]).success();
        repo.dist(["verify", "--all"]).success();
        assert_tidy(lab);
    });
}
