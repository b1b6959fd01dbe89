//! The wish to stop: SIGINT, SIGTERM and SIGHUP.
//!
//! As long as there is nothing to tidy up, a signal ends the process at once. While something is being changed it is
//! a wish, which the work looks at where it can stop and put everything back; whoever repeats it only hurries the
//! commands that run then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag;

/// What shells add to the number of a signal for the exit code of what it ended.
const SHELLS_ADD: i32 = 128;

/// The signals that came.
pub(super) struct Interrupts {
    /// The last one that nobody looked at yet; 0 = none.
    received: Arc<AtomicUsize>,
    /// The first one that was looked at; 0 = none.
    first: AtomicI32,
    /// How many were looked at.
    count: AtomicUsize,
    /// True as long as there is nothing to tidy up.
    is_idle: Arc<AtomicBool>,
}

impl Interrupts {
    /// Catches the signals from now on. Where that is not possible the next run tidies up instead.
    pub(super) fn catch() -> Self {
        let received = Arc::new(AtomicUsize::new(0));
        let is_idle = Arc::new(AtomicBool::new(true));
        let is_ignored = ignored();
        for (signal, number) in [(SIGINT, 2), (SIGTERM, 15), (SIGHUP, 1)] {
            // `nohup` and shells that start something in the background mean it.
            if is_ignored(signal) {
                continue;
            }
            let _ = flag::register_conditional_shutdown(signal, SHELLS_ADD + signal, Arc::clone(&is_idle));
            let _ = flag::register_usize(signal, Arc::clone(&received), number);
        }
        // A file that grows beyond what the process may write is an error that can be told, not its end.
        let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
        Self { received, first: AtomicI32::new(0), count: AtomicUsize::new(0), is_idle }
    }

    /// From now on something may have to be tidied up.
    pub(super) fn hold(&self) {
        self.is_idle.store(false, Ordering::SeqCst);
    }

    /// There is nothing to tidy up any more.
    pub(super) fn release(&self) {
        self.is_idle.store(true, Ordering::SeqCst);
    }

    /// How many signals came, as far as they can be told apart.
    pub(super) fn count(&self) -> usize {
        let received = self.received.swap(0, Ordering::SeqCst);
        if received == 0 {
            return self.count.load(Ordering::SeqCst);
        }
        let number = i32::try_from(received).unwrap_or(SIGINT);
        let _ = self.first.compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The exit code of a run that was stopped; `None` if no signal came.
    pub(super) fn exit_code(&self) -> Option<u8> {
        let signal = (self.count() > 0).then(|| self.first.load(Ordering::SeqCst))?;
        u8::try_from(SHELLS_ADD + signal).ok()
    }
}

/// Tells whether whoever started this process had it ignore a signal.
#[cfg(target_os = "linux")]
fn ignored() -> impl Fn(i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    move |signal| mask & (1 << (signal - 1)) != 0
}

/// Tells whether whoever started this process had it ignore a signal: what is ignored is so in its children too.
#[cfg(not(target_os = "linux"))]
fn ignored() -> impl Fn(i32) -> bool {
    |signal| {
        let mut shell = std::process::Command::new("/bin/sh");
        shell.args(["-c", &format!("kill -{signal} $$")]);
        crate::door::output(&mut shell).is_ok_and(|output| output.status.success())
    }
}
