//! A filesystem without room, with a little more in each attempt, until there is enough.

use std::fs;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use super::disk::{Kind, tool};
use super::{Lab, assert_tidy, on};
use crate::support::Repo;

/// Fills the filesystem with one file, and leaves so many bytes of room in the end.
pub(super) fn fill(path: &Path, room: u64) {
    let file = fs::File::create(path).unwrap();
    let mut at = 0;
    for step in [16 << 20, 1 << 20, 64 << 10, 4 << 10] {
        loop {
            match fallocate(&file, FallocateFlags::empty(), at, step) {
                Ok(()) => at += step,
                Err(Errno::NOSPC) => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    file.set_len(at.saturating_sub(room)).unwrap();
    assert!(tool("sync").arg("-f").arg(path).status().unwrap().success());
}

/// Two versions, of which the second is deployed, and a third in the repository.
fn project(lab: &Lab) -> Repo<'_> {
    let repo = lab.sandbox.repo("project");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" },
           "tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" }"#,
    );
    repo.write("lib/same", vec![b'x'; 50_000]);
    for text in ["one", "two", "three"] {
        for number in 0..6 {
            repo.write(format!("lib/{number}"), text.repeat(12_000));
        }
        repo.write("tool", text);
        repo.commit(text);
        if text != "three" {
            repo.dist([]).success();
        }
    }
    repo
}

/// Deploys while `more` gives a bit more room before every attempt, until it succeeds.
fn attempts(lab: &Lab, mut more: impl FnMut(u64)) {
    let repo = project(lab);
    let seen = || ["lib/0", "tool"].map(|path| fs::read_to_string(lab.at(path)).unwrap()[..3].to_owned());
    for number in 0.. {
        assert!(number < 40, "there is never enough room");
        more(number);
        let run = lab.sandbox.run(&mut lab.sandbox.dist_command(repo.path()));
        if run.snapshot().starts_with("exit code: 0") {
            assert!(number > 0, "there was room at once");
            break;
        }
        assert!(["exit code: 1\n", "exit code: 3\n"].iter().any(|code| run.snapshot().starts_with(code)));
        let run = run.says("hint: `git dist prune --keep 1` removes old versions");
        assert!(run.stderr().contains("/root"), "{}", run.snapshot());
        assert_eq!(seen(), ["two", "two"], "{}", run.snapshot());
        assert_tidy(lab);
        repo.dist(["verify", "--all"]).success();
    }
    assert_eq!(seen(), ["thr", "thr"]);
    repo.dist([]).success();
    repo.dist(["verify", "--all"]).success();
    assert_tidy(lab);
}

/// 64 KiB more in each attempt.
fn without_room(lab: &Lab) {
    let filler = lab.at("filler");
    attempts(lab, |number| {
        let _ = fs::remove_file(&filler);
        lab.root.sync();
        fill(&filler, number * (64 << 10));
    });
}

#[test]
fn a_disk_without_room_changes_nothing_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::a_disk_without_room_changes_nothing_on_ext4"), without_room);
}

#[test]
fn a_disk_without_room_changes_nothing_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::a_disk_without_room_changes_nothing_on_xfs"), without_room);
}

#[test]
fn a_disk_without_room_changes_nothing_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::a_disk_without_room_changes_nothing_on_btrfs"), without_room);
}

/// A file more in each attempt.
#[test]
fn a_disk_without_inodes_changes_nothing_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::a_disk_without_inodes_changes_nothing_on_ext4"), |lab| {
        lab.format(&["-N", "128"]);
        let folder = lab.at("many");
        attempts(lab, |number| {
            fs::create_dir_all(&folder).unwrap();
            if number == 0 {
                let mut made = (0..).map(|file| fs::File::create(folder.join(file.to_string())));
                let full = made.find_map(Result::err).unwrap();
                assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
            } else {
                fs::remove_file(folder.join((number - 1).to_string())).unwrap();
            }
        });
    });
}
