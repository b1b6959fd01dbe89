//! Runs at the same time, and sources that change meanwhile.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{at_mirror, cache, deployed, on_mirror, project};
use crate::support::Sandbox;

#[test]
fn many_runs_at_once_make_one_mirror() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| cache(&sandbox, []).success());
        }
    });
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
    let history = fs::read_to_string(at_mirror(&sandbox).join(".distman/history.jsonl")).unwrap();
    assert_eq!(history.lines().count(), 1, "{history}");
}

#[test]
fn a_run_that_may_not_wait_says_who_is_at_it() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    cache(&sandbox, []).success();
    let lock = fs::File::open(at_mirror(&sandbox).join(".distman/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    cache(&sandbox, ["-f", "--lock-wait", "0s"]).code(1).says("is locked by");
    // Who has nothing to do waits for nobody.
    cache(&sandbox, []).success();
}

/// Whatever the source is at, the mirror shows one state of it: both files always hold the same text.
#[test]
fn a_source_that_changes_meanwhile_is_never_mixed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(
        r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/one/a" },
           "z": { "source": "z", "destination": "{DEPLOY_ROOT}/two/z" }"#,
    );
    let mut revisions = Vec::new();
    for round in 0..4 {
        for folder in ["a", "z"] {
            for file in 0..40 {
                repo.write(format!("{folder}/{file}"), format!("{round}\n"));
            }
        }
        revisions.push(repo.commit(&round.to_string()));
    }
    repo.dist(["--rev", &revisions[0]]).success();
    cache(&sandbox, []).success();
    let is_over = AtomicBool::new(false);
    let read =
        |destination: &str| fs::read_to_string(at_mirror(&sandbox).join(destination).join("39")).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0;
            while !is_over.load(Ordering::Relaxed) {
                round = (round + 1) % revisions.len();
                repo.dist(["-f", "--rev", &revisions[round], "--no-sync"]).success();
            }
        });
        for _ in 0..12 {
            let run = cache(&sandbox, ["--ttl", "0", "--no-sync"]);
            let said = run.snapshot();
            assert!(said.starts_with("exit code: 0") || said.contains("the mirror stays as it is"), "{said}");
            assert_eq!(read("one/a"), read("two/z"), "{said}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    cache(&sandbox, ["--ttl", "0"]).success();
    assert_eq!(read("one/a"), fs::read_to_string(sandbox.root().join("two/z/39")).unwrap());
    assert_eq!(read("one/a"), read("two/z"));
    on_mirror(&sandbox, ["verify", "--all"]).success();
}
