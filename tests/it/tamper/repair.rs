//! What a repair does to what it does not repair.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use super::{forge, next, project, version};
use crate::support::Sandbox;

/// One file, two versions: what was changed through one of them is changed in the other.
#[test]
fn files_that_versions_share_are_told_and_repaired_one_by_one() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""options": { "link": "hardlink" },"#);
    repo.dist([]).success();
    let first = version(&sandbox, "lib");
    next(&repo, "two\n");
    let second = version(&sandbox, "lib");
    let number = |at: &std::path::Path| fs::metadata(at.join("deep/b")).unwrap().ino();
    assert_eq!(number(&first), number(&second));
    forge(&second.join("deep/b"), "evil\n");
    let mut reader = fs::File::open(second.join("deep/b")).unwrap();
    repo.dist(["verify"])
        .code(4)
        .says("other versions share files that were changed")
        .says("`git dist verify --all");
    repo.dist(["verify", "--repair"]).success();
    assert_eq!(fs::read_to_string(second.join("deep/b")).unwrap(), "same\n");
    // Not healed behind anybody's back, and not lost for who reads it.
    assert_eq!(fs::read_to_string(first.join("deep/b")).unwrap(), "evil\n");
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, "evil\n");
    assert_ne!(number(&first), number(&second));
    repo.dist(["verify"]).success();
    repo.dist(["verify", "--all"]).code(4).prints("deep/b  content");
    repo.dist(["verify", "--all", "--repair"]).success();
    assert_eq!(fs::read_to_string(first.join("deep/b")).unwrap(), "same\n");
    repo.dist(["verify", "--all"]).success();
}

#[test]
fn what_can_be_repaired_is_and_the_rest_is_told() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    repo.write("tool", "not committed\n");
    repo.dist(["--worktree", "-t", "tool"]).success();
    let (lib, tool) = (version(&sandbox, "lib"), version(&sandbox, "tool"));
    forge(&lib.join("a"), "evil\n");
    forge(&tool, "evil\n");
    let before = fs::metadata(&tool).unwrap().ino();
    let run = repo.dist(["verify", "--repair"]).code(4);
    let run = run.says("cannot be repaired: it was deployed from a working tree, which git never had");
    run.says("exported 1 version again\n");
    assert_eq!(fs::read_to_string(lib.join("a")).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(&tool).unwrap(), "evil\n");
    assert_eq!(fs::metadata(&tool).unwrap().ino(), before);
    let run = repo.dist(["verify"]).code(4);
    assert!(
        run.stdout().contains("lib  [SANDBOX]/root/bin/lib  1.") && run.stdout().contains("  ok\n"),
        "{}",
        run.snapshot()
    );
}

#[test]
fn without_a_repository_what_is_wrong_is_found_and_left() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let lib = version(&sandbox, "lib");
    forge(&lib.join("a"), "evil\n");
    fs::remove_file(sandbox.root().join("bin/.tool.dist")).unwrap();
    let elsewhere = sandbox.open(sandbox.home());
    let run = elsewhere.dist(["verify", "--repair"]).code(4);
    let run = run.says("cannot be repaired: there is no repository here to make it from");
    run.says("hint: run it in a clone");
    // What is said of a version is in its record.
    assert!(sandbox.root().join("bin/.tool.dist").exists());
    repo.dist(["verify", "--repair"]).success();
    repo.dist(["verify"]).success();
}

#[test]
fn who_reads_meanwhile_sees_the_old_or_the_new() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let file = sandbox.root().join("bin/lib/deep/b");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let text = fs::read_to_string(&file).unwrap();
                assert!(matches!(&*text, "same\n" | "evil\n" | ""), "{text}");
            }
        });
        for _ in 0..5 {
            forge(&version(&sandbox, "lib").join("deep/b"), "evil\n");
            repo.dist(["verify", "--repair"]).success();
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        reader.join().unwrap();
    });
}
