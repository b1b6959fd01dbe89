//! What happens to a deployment while it happens: signals, kills, crowds, full disks, limits, locks, clocks.
//!
//! Whatever it is, every destination shows a whole old or a whole new version, no run is a success that was none, and
//! the next run puts the rest right.

mod clock;
mod crowd;
mod full_disk;
mod kills;
mod limits;
mod lock;
mod output;
mod read_only;
mod signals;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Repo, Run, Sandbox, Tree, skipped, tree};

/// Nothing here takes so long, on any machine.
const LONG: Duration = Duration::from_mins(1);

/// The target `name`, which deploys the path of the same name, with more keys.
fn target(name: &str, more: &str) -> String {
    format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}"{more} }}"#)
}

/// Writes and commits a folder `many` of so many files and a file `tool`, which all hold `text`.
fn commit(repo: &Repo<'_>, files: usize, text: &str, more: &str) {
    for number in 0..files {
        repo.write(format!("many/{}/{number:04}", number / 100), format!("{text} {number}\n"));
    }
    repo.write("tool", text);
    repo.manifest(&[target("many", more), target("tool", "")].join(", "));
    repo.commit(text);
}

/// Starts `command` with pipes for what it prints.
fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until `is_so`, and fails with `what` if that never happens.
#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// The end of a process that was sent a signal: its exit code, and what it wrote to stderr.
#[track_caller]
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a command where it may mount filesystems, which it says with exit code 99 that it cannot; `None` then.
fn with_mounts(sandbox: &Sandbox, repo: &Repo<'_>, arguments: &[&str]) -> Option<Run> {
    let mut command = sandbox.command("unshare", repo.path());
    command.args(["--user", "--map-root-user", "--mount"]).args(arguments);
    let run = cfg!(target_os = "linux").then(|| sandbox.run(&mut command));
    let can_mount =
        |run: &Run| !run.snapshot().starts_with("exit code: 99") && !run.stderr().contains("unshare");
    let run = run.filter(can_mount);
    if run.is_none() {
        skipped("no filesystem can be mounted here");
    }
    run
}

/// The deployment root but for the name of the lock's last holder.
fn root(sandbox: &Sandbox) -> Tree {
    tree(sandbox.root()).without(|path| path == b".distman/lock")
}

/// Asserts that nothing unfinished is anywhere.
#[track_caller]
fn assert_tidy(sandbox: &Sandbox) {
    let root = root(sandbox).to_string();
    for trace in [".staging-", ".tmp", ".next", "pending.json", "unfinished.json"] {
        assert!(!root.contains(trace), "{trace}: {root}");
    }
    assert_eq!(names(&sandbox.path().join("tmp")), [""; 0]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
