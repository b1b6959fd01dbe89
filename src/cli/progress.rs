//! Progress of long work, drawn on a terminal after a quarter of a second, and the wish to stop.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::interrupts::Interrupts;
use super::printer::Printer;
use crate::activate::Recovered;
use crate::disk::Shown;
use crate::lock::Holder;
use crate::rollout::Events;
use crate::root::Root;
use crate::stage::Progress;

/// How long work may take before progress is drawn.
const PATIENCE: Duration = Duration::from_millis(250);

/// Draws a bar, if there is somebody to see it.
pub(super) struct Bar<'p> {
    printer: &'p Printer,
    drawn: ProgressBar,
    /// Asked once, and not for every piece of work.
    may_draw: bool,
    started: Instant,
    bytes: AtomicU64,
    interrupts: &'p Interrupts,
    lock_wait: Duration,
}

impl<'p> Bar<'p> {
    pub(super) fn new(printer: &'p Printer, interrupts: &'p Interrupts, lock_wait: Duration) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("  {bar:30} {pos}/{len} files, {msg}, {eta} left");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self {
            printer,
            drawn: bar,
            may_draw: printer.may_draw(),
            started: Instant::now(),
            bytes: AtomicU64::new(0),
            interrupts,
            lock_wait,
        }
    }
}

impl Progress for Bar<'_> {
    fn start(&self, files: u64) {
        self.drawn.set_length(files);
    }

    fn advance(&self, files: u64, bytes: u64) {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if self.drawn.is_hidden() {
            if self.may_draw && self.started.elapsed() >= PATIENCE {
                self.drawn.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            }
        } else {
            self.drawn.set_message(HumanBytes(bytes).to_string());
        }
        self.drawn.inc(files);
    }

    fn finish(&self) {
        self.drawn.finish_and_clear();
    }

    fn is_interrupted(&self) -> bool {
        self.interrupts.count() > 0
    }
}

impl Events for Bar<'_> {
    fn is_interrupted_again(&self) -> bool {
        self.interrupts.count() > 1
    }

    fn lock_wait(&self) -> Duration {
        self.lock_wait
    }

    fn waiting(&self, holder: &Holder) {
        self.printer.talk(format!("waiting for {holder}"));
    }

    fn acting_for(&self, root: &Root, owner: &str) {
        self.printer.warn(
            format!("you are root, and the deployment root `{}` belongs to {owner}", Shown(root.path())),
            Some(&format!("`sudo -u {} git dist` deploys as its owner", sudo_name(owner))),
        );
    }

    fn recovered(&self, recovered: &Recovered) {
        match recovered {
            Recovered::Nothing => {}
            Recovered::TidiedUp => self.printer.talk("finished what an earlier rollout had left to do"),
            Recovered::Completed { number } => {
                self.printer.talk(format!("completed rollout r{number}, which was killed near its end"));
            }
            Recovered::Undone { number } => {
                self.printer.talk(format!("undid rollout r{number}, which was killed before its end"));
            }
        }
    }
}

/// A user as sudo wants to be told: one without a name by `#` and the number.
fn sudo_name(owner: &str) -> String {
    owner.strip_prefix("uid ").map_or_else(|| owner.to_owned(), |uid| format!("'#{uid}'"))
}
