//! The lock: its holder dies, hangs, or its file is replaced; a filesystem has none.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::Instant;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;

use super::{LONG, assert_tidy, commit, end, root, send, start, wait_until};
use crate::support::{Repo, Sandbox, skipped};

/// A deployed project whose next version waits in `verify`, and the running deploy of it.
fn held(sandbox: &Sandbox) -> (Repo<'_>, std::process::Child) {
    let path = sandbox.path().display();
    let wait = format!(
        "#!/bin/sh\n[ -e '{path}/held' ] && exit 0\ntouch '{path}/held'\nfor i in $(seq 3000); do\n    \
         [ -e '{path}/go' ] && exit 0\n    sleep 0.02\ndone\n"
    );
    let repo = sandbox.repo("project");
    commit(&repo, 2, "old", "");
    repo.dist([]).success();
    sandbox.script("hold", &wait);
    commit(&repo, 2, "new", r#", "verify": ["hold"]"#);
    let child = start(&mut sandbox.dist_command(repo.path()));
    wait_until("nothing is held", || sandbox.path().join("held").exists());
    (repo, child)
}

#[test]
fn the_lock_of_a_killed_run_is_free_at_once() {
    let sandbox = Sandbox::new();
    let (repo, mut child) = held(&sandbox);
    send(&child, Signal::KILL);
    child.wait().unwrap();
    fs::write(sandbox.path().join("go"), "").unwrap();
    repo.dist(["--lock-wait", "0s"]).success();
    assert_tidy(&sandbox);
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "new");
}

#[test]
fn a_run_that_hangs_is_named_and_not_waited_for_for_ever() {
    let sandbox = Sandbox::new();
    let (repo, child) = held(&sandbox);
    send(&child, Signal::STOP);
    let before = root(&sandbox);
    let began = Instant::now();
    let run = repo.dist(["--lock-wait", "300ms"]).code(1);
    assert!(began.elapsed() < LONG);
    let holder = "`git dist deploy` of tester@[HOST] (pid [PID], since [TIME])";
    run.says(&format!("waiting for {holder}\n"))
        .says(&format!("error: `[SANDBOX]/root/.distman` is locked by {holder}\n"))
        .says("hint: ");
    assert_eq!(root(&sandbox), before);
    // Looking needs no lock.
    repo.dist(["show"]).success();
    repo.dist(["verify"]).success();
    repo.dist(["-d"]).success();
    send(&child, Signal::CONT);
    fs::write(sandbox.path().join("go"), "").unwrap();
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
}

/// Two that hold locks on two files of one name would both go on.
#[test]
fn a_lock_on_a_file_that_was_replaced_is_no_lock() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    commit(&repo, 2, "old", "");
    repo.dist([]).success();
    commit(&repo, 2, "new", "");
    let path = sandbox.root().join(".distman/lock");
    let lock = |file: &fs::File| flock(file, FlockOperation::LockExclusive).unwrap();
    let first = fs::File::open(&path).unwrap();
    lock(&first);
    let child = start(sandbox.dist_command(repo.path()).args(["--lock-wait", "60s"]));
    // It has opened the file that is about to go.
    let number = first.metadata().unwrap().ino();
    let has_opened = || {
        let files = fs::read_dir(format!("/proc/{}/fd", child.id()));
        files.is_ok_and(|files| {
            files.flatten().any(|file| fs::metadata(file.path()).is_ok_and(|meta| meta.ino() == number))
        })
    };
    if fs::exists("/proc/self/fd").unwrap() {
        wait_until("the lock is not opened", has_opened);
    } else {
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    fs::remove_file(&path).unwrap();
    let second = fs::File::create(&path).unwrap();
    lock(&second);
    drop(first);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "old", "it went on beside another");
    drop(second);
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "new");
}

#[test]
fn a_filesystem_without_locks_is_told() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    commit(&repo, 2, "old", "");
    repo.dist([]).success();
    commit(&repo, 2, "new", "");
    let before = root(&sandbox);
    for error in ["ENOLCK", "EOPNOTSUPP"] {
        let mut command = sandbox.command("strace", repo.path());
        let inject = format!("inject=flock:error={error}");
        command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject, env!("CARGO_BIN_EXE_git-dist")]);
        if command.output().is_err() {
            return skipped("there is no strace; `apt-get install strace` lets this test run");
        }
        let run = sandbox.run(&mut command).code(1).says("error: cannot lock the deployment root");
        run.says("cannot lock `[SANDBOX]/root/.distman/lock`").says("hint: without locks");
        assert_eq!(root(&sandbox), before);
    }
}
