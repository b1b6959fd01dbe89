//! Power is cut: what the block device holds at a moment, without what the kernel has in memory, is mounted in the place
//! of what was there, so that the filesystem's own journal is replayed.
//!
//! [`power`](crate::power) builds what a disk may hold by the manuals; here it is what real filesystems leave. A loop
//! device sees what was submitted to it, in the order in which that was done, so that this says nothing of disks that
//! keep what they were given in memory.

use std::fs;

use super::disk::Kind;
use super::{Lab, assert_tidy, code, on};
use crate::support::Repo;

/// Two targets, of which two revisions are deployed, and a third.
fn project(lab: &Lab) -> Repo<'_> {
    let repo = lab.sandbox.repo("project");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" },
           "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#,
    );
    repo.write("lib/large", vec![b'x'; 100_000]);
    for text in ["one", "two", "three"] {
        repo.write("lib/deep/changing", text);
        repo.write("lib/grown", text.repeat(5_000));
        repo.write("bin/a", text);
        repo.write("bin/b", text);
        repo.commit(text);
        if text != "three" {
            repo.dist([]).success();
        }
    }
    repo
}

/// What stands at the destinations, whole: `two`, say.
#[track_caller]
fn seen(lab: &Lab) -> [String; 3] {
    let read =
        |path: &str| fs::read_to_string(lab.at(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let lib = read("lib/deep/changing");
    assert_eq!(read("lib/grown"), lib.repeat(5_000));
    assert_eq!(read("lib/large"), "x".repeat(100_000));
    [lib, read("bin/a"), read("bin/b")]
}

/// What was reported as done is there.
fn done(lab: &Lab) {
    let repo = project(lab);
    let all = |text: &str| [text; 3].map(ToOwned::to_owned);
    let runs: [(&[&str], &str); 6] = [
        (&[], "three"),
        (&["rollback"], "two"),
        (&["use", "lib", "1"], "two"),
        (&["reset"], "two"),
        (&["prune", "--keep", "1"], "two"),
        (&["verify", "--all", "--repair"], "two"),
    ];
    for (arguments, text) in runs {
        let run = lab.sandbox.run(lab.sandbox.dist_command(repo.path()).args(arguments)).success();
        let (history, before) = (lab.sandbox.history(), seen(lab));
        lab.root.cut_to(&lab.root.snapshot("cut"));
        assert_eq!(lab.sandbox.history(), history, "{arguments:?}: {}", run.snapshot());
        assert_eq!(seen(lab), before, "{arguments:?}");
        if arguments.first() != Some(&"use") {
            assert_eq!(before, all(text), "{arguments:?}");
        }
        repo.dist(["verify", "--all"]).success();
        // That the journal was removed is not waited for: the next run finds nothing left to do in it.
        repo.dist(["prune", "--keep", "0"]).success();
        assert_eq!(seen(lab), before, "{arguments:?}");
        assert_tidy(lab);
    }
    // And these tests would tell if nobody had waited for the disk.
    repo.write("bin/a", "four");
    repo.commit("four");
    repo.dist(["-f", "--no-sync"]).success();
    assert_eq!(seen(lab)[1], "four");
    lab.root.cut_to(&lab.root.snapshot("cut"));
    assert_eq!(seen(lab)[1], "two");
    repo.dist(["-f"]).success();
    assert_eq!(seen(lab)[1], "four");
}

/// At an act of a deploy: every destination is old or new, and the next run does the rest.
fn at_moments(lab: &Lab) {
    let repo = project(lab);
    let all = |text: &str| [text; 3].map(ToOwned::to_owned);
    lab.root.sync();
    let before = lab.root.snapshot("before");
    let rollouts = lab.sandbox.history().len();
    let acts = lab.sandbox.path().join("tmp/acts");
    repo.dist_with([("GIT_DIST_ACTS", acts.to_str().unwrap())], []).success();
    let acts = fs::read_to_string(acts).unwrap();
    // What is remembered in the repository comes last.
    let acts: Vec<&str> = acts.lines().take_while(|act| !act.contains("/.git/")).collect();
    let step = if std::env::var_os("GIT_DIST_TEST_FAULTS").is_some() { 2 } else { 9 };
    let is_tried = |number: usize| number.is_multiple_of(step) || number == acts.len();
    let (mut undone, mut counted) = (0, 0);
    for number in (1..=acts.len()).filter(|number| is_tried(*number)) {
        let said = format!("before act {}", acts[number - 1]);
        lab.root.cut_to(&before);
        let (code, _) = code(lab, &repo, &[("GIT_DIST_FAULT", &format!("{number}:KILL"))], &[]);
        if code == Some(0) {
            // git is asked for its configuration only now and then: a run may do less than the one that was recorded.
            break;
        }
        assert_eq!(code, None, "{said}");
        lab.root.cut_to(&lab.root.snapshot("cut"));
        let found = seen(lab);
        assert!(found.iter().all(|text| text == "two" || text == "three"), "{said}: {found:?}");
        if lab.sandbox.history().len() > rollouts {
            assert_eq!(found, all("three"), "{said}");
            counted += 1;
        } else {
            undone += 1;
        }
        repo.dist([]).success();
        assert_eq!(seen(lab), all("three"), "{said}");
        repo.dist(["verify", "--all"]).success();
        assert_tidy(lab);
    }
    assert!(undone > 5 && counted > 0, "{undone} before it counted, {counted} after that");
}

#[test]
fn what_is_reported_as_done_is_there_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::what_is_reported_as_done_is_there_on_ext4"), done);
}

#[test]
fn what_is_reported_as_done_is_there_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::what_is_reported_as_done_is_there_on_xfs"), done);
}

#[test]
fn what_is_reported_as_done_is_there_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::what_is_reported_as_done_is_there_on_btrfs"), done);
}

#[test]
fn a_cut_in_the_middle_leaves_old_or_new_on_ext4() {
    on(Kind::Ext4, concat!(module_path!(), "::a_cut_in_the_middle_leaves_old_or_new_on_ext4"), at_moments);
}

#[test]
fn a_cut_in_the_middle_leaves_old_or_new_on_xfs() {
    on(Kind::Xfs, concat!(module_path!(), "::a_cut_in_the_middle_leaves_old_or_new_on_xfs"), at_moments);
}

#[test]
fn a_cut_in_the_middle_leaves_old_or_new_on_btrfs() {
    on(Kind::Btrfs, concat!(module_path!(), "::a_cut_in_the_middle_leaves_old_or_new_on_btrfs"), at_moments);
}
