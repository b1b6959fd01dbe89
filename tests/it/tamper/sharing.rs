//! A touched file gets into no other version.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{chmod, forge, next, pipe, project, set_time, version};
use crate::support::Sandbox;

type Act = fn(&Path);

#[test]
fn a_touched_file_is_never_shared() {
    let touches: &[(&str, Act)] = &[
        ("another content, all else as before", |file| forge(file, "evil\n")),
        ("larger", |file| forge(file, "evil and more\n")),
        ("another time", |file| set_time(file, 1)),
        ("a fraction of a second", |file| {
            let time = rustix::fs::Timespec { tv_sec: fs::metadata(file).unwrap().mtime(), tv_nsec: 1 };
            let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
            rustix::fs::utimensat(rustix::fs::CWD, file, &times, rustix::fs::AtFlags::empty()).unwrap();
        }),
        ("writable", |file| chmod(file, 0o644)),
        ("executable", |file| chmod(file, 0o555)),
        ("setuid", |file| chmod(file, 0o4444)),
        ("gone", |file| fs::remove_file(file).unwrap()),
        ("a pipe", |file| {
            fs::remove_file(file).unwrap();
            pipe(file);
        }),
        ("a link", |file| {
            fs::rename(file, file.with_file_name("c")).unwrap();
            std::os::unix::fs::symlink("c", file).unwrap();
        }),
    ];
    for link in ["hardlink", "auto"] {
        let sandbox = Sandbox::new();
        let repo = project(&sandbox, &format!(r#""options": {{ "link": "{link}" }},"#));
        repo.dist([]).success();
        for (number, (what, touch)) in touches.iter().enumerate() {
            let before = version(&sandbox, "lib");
            touch(&before.join("deep/b"));
            next(&repo, &format!("{number}\n"));
            let after = version(&sandbox, "lib");
            assert_eq!(fs::read_to_string(after.join("deep/b")).unwrap(), "same\n", "{link}, {what}");
            assert_eq!(fs::metadata(after.join("deep/b")).unwrap().mode() & 0o7777, 0o444, "{link}, {what}");
            let number = |at: &Path| fs::symlink_metadata(at.join("deep/b")).map(|meta| meta.ino()).ok();
            assert_ne!(number(&before), number(&after), "{link}, {what}");
            repo.dist(["verify"]).success();
        }
    }
}

/// Removing an old version changes the files it shares with others, as a change by hand does. Sharing goes on all the
/// same.
#[test]
fn untouched_files_are_shared_from_version_to_version() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""options": { "link": "hardlink", "keep": 1 },"#);
    repo.dist([]).success();
    let number = |file: &str| fs::metadata(version(&sandbox, "lib").join(file)).unwrap().ino();
    let (deep, run) = (number("deep/b"), number("run"));
    for round in 0..6 {
        next(&repo, &format!("{round}\n"));
        assert_eq!((number("deep/b"), number("run")), (deep, run), "{round}");
    }
    repo.dist(["rollback"]).success();
    // A restore from a backup gives every file another time of the change: it is read, and shared.
    let lib = version(&sandbox, "lib");
    for file in ["deep/b", "run"] {
        let mode = fs::metadata(lib.join(file)).unwrap().mode() & 0o7777;
        chmod(&lib.join(file), 0o400);
        chmod(&lib.join(file), mode);
    }
    next(&repo, "seven\n");
    assert_eq!((number("deep/b"), number("run")), (deep, run));
    repo.dist(["verify", "--all"]).success();
}

/// Linking a file into a later version changes it for the earlier one as well, which is gone back to.
#[test]
fn after_going_back_files_are_shared_with_both_versions_but_not_if_they_were_touched() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""options": { "link": "hardlink" },"#);
    repo.write("lib/first", "of the first\n");
    repo.commit("first");
    repo.dist([]).success();
    let first = version(&sandbox, "lib");
    repo.git(["rm", "-q", "lib/first"]);
    repo.write("lib/second", "of the second\n");
    next(&repo, "two\n");
    let second = version(&sandbox, "lib");
    let number = |at: &Path| fs::metadata(at).unwrap().ino();
    for round in ["untouched", "touched"] {
        repo.dist(["use", "lib", "2"]).success();
        assert_eq!(version(&sandbox, "lib"), first);
        if round == "touched" {
            forge(&first.join("first"), "by the first\n");
            forge(&first.join("deep/b"), "evil\n");
        }
        repo.write("lib/first", "of the first\n");
        next(&repo, &format!("{round}\n"));
        let third = version(&sandbox, "lib");
        assert_eq!(number(&third.join("second")), number(&second.join("second")), "{round}");
        let is_shared = round == "untouched";
        assert_eq!(number(&third.join("first")) == number(&first.join("first")), is_shared, "{round}");
        assert_eq!(number(&third.join("deep/b")) == number(&first.join("deep/b")), is_shared, "{round}");
        assert_eq!(fs::read_to_string(third.join("first")).unwrap(), "of the first\n", "{round}");
        assert_eq!(fs::read_to_string(third.join("deep/b")).unwrap(), "same\n", "{round}");
        repo.dist(["verify"]).success();
    }
}
