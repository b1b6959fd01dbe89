//! Programs that something else than this room started for this process, such as git's filters: they are found and
//! stopped, so that whoever waits for them goes on.

use std::sync::mpsc::{RecvTimeoutError, channel};

use rustix::process::{Pid, Signal, getpid};

use super::{GRACE, TICK, TimeLimit};
use crate::door;

/// Does `work`. When `interrupted` says so, every program that this process started is asked to end meanwhile, with all
/// that they started, and killed two seconds later.
pub fn with_stoppable_programs<T>(interrupted: &(dyn Fn() -> bool + Sync), work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (is_working, ended) = channel::<()>();
        let watch = move || {
            let mut stopped: Option<TimeLimit> = None;
            while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                match stopped {
                    None if interrupted() => {
                        stop_below(getpid(), Signal::TERM);
                        stopped = Some(TimeLimit::start(GRACE));
                    }
                    Some(grace) if grace.is_over() => stop_below(getpid(), Signal::KILL),
                    _ => {}
                }
            }
        };
        // Where no thread can be started, programs end when they end.
        let _ = std::thread::Builder::new().spawn_scoped(scope, watch);
        let done = work();
        drop(is_working);
        done
    })
}

/// Sends `signal` to every process below `parent`: to a shell before what it waits for, about whose end it would have
/// something to say.
fn stop_below(parent: Pid, signal: Signal) {
    let mut found = children(parent);
    let mut looked = 0;
    while let Some(process) = found.get(looked) {
        let below = children(*process);
        found.extend(below);
        looked += 1;
    }
    for process in found {
        door::stop(process, signal);
    }
}

/// The processes that `parent` started and that run.
#[cfg(target_os = "linux")]
fn children(parent: Pid) -> Vec<Pid> {
    // Each thread has its own.
    let threads = std::fs::read_dir(format!("/proc/{}/task", parent.as_raw_nonzero())).into_iter().flatten();
    let lists = threads.flatten().map(|thread| std::fs::read_to_string(thread.path().join("children")));
    lists.flat_map(|list| pids(&list.unwrap_or_default())).collect()
}

/// The processes that `parent` started and that run.
#[cfg(not(target_os = "linux"))]
fn children(parent: Pid) -> Vec<Pid> {
    let mut pgrep = std::process::Command::new("pgrep");
    pgrep.args(["-P", &parent.as_raw_nonzero().to_string()]);
    let found = door::output(&mut pgrep).map(|output| pids(&String::from_utf8_lossy(&output.stdout)));
    found.unwrap_or_default()
}

fn pids(list: &str) -> Vec<Pid> {
    list.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}
