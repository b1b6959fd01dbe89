//! Keeping up to date what is started, without keeping it from starting.
//!
//! Whether a check is due is told by one small file that the update engine writes. Who checks is a process of its own,
//! which is started twice over: the shell in between ends at once and is waited for, so that the application, which this
//! process becomes, has no child that it does not know.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{LaunchError, Result};
use crate::command::without_git;
use crate::disk::Dir;
use crate::door;
use crate::root::Root;
use crate::update::State;

/// Folder in a root's own folder with a folder for each subscription.
const UPDATES: &str = "updates";
/// The file there that says when the next check is due, in seconds since 1970.
const DUE: &str = "due";
/// A check that is due later than this was written down by a clock that was wrong.
const LATEST: u64 = 31 * 24 * 60 * 60;

/// Whether what is started is kept up to date meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is not.
    Never,
    /// It is, for the next start.
    Background,
    /// It is, and the start waits for it, but no longer than this.
    Wait(Duration),
}

/// True if a check for `subscription` is due in the root whose own folder is `meta`: it never was made, its time has
/// come, or what is written down cannot be believed.
pub fn is_due(meta: &Dir, subscription: &str) -> bool {
    if !is_name(subscription) {
        return false;
    }
    let folder = meta.descend(&Path::new(UPDATES).join(subscription));
    let text = folder.and_then(|folder| folder.read_file(DUE, 4096)).unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let due = std::str::from_utf8(&text).ok().and_then(|text| text.trim().parse::<u64>().ok());
    due.is_none_or(|due| due <= now || due - now > LATEST)
}

/// Starts `program`, which is git dist, to update `subscription` in the root at `root`, and waits as `update` says. What
/// goes wrong with it is for its log: the application is started all the same.
///
/// # Errors
/// When not even the shell in between can be started.
pub fn start_update(program: &Path, root: &Path, subscription: &str, update: Update) -> io::Result<()> {
    let limit = match update {
        Update::Never => return Ok(()),
        Update::Background => None,
        Update::Wait(limit) => Some(limit),
    };
    if !is_name(subscription) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // Whoever waits learns of the end by that of the pipe: there is no child to wait for.
    let (reader, writer) = match limit {
        Some(_) => io::pipe().map(|(reader, writer)| (Some(reader), Stdio::from(writer)))?,
        None => (None, Stdio::null()),
    };
    let mut shell = Command::new("/bin/sh");
    without_git(&mut shell);
    shell.args(["-c", "\"$@\" &", "sh"]).arg(program).args(["update", "--detached", subscription]);
    shell.env("DEPLOY_ROOT", root).stdin(Stdio::null()).stdout(writer).stderr(Stdio::null());
    std::os::unix::process::CommandExt::process_group(&mut shell, 0);
    let mut child = door::spawn(&mut shell)?;
    // This side's copy of the writing end.
    drop(shell);
    child.wait()?;
    if let (Some(reader), Some(limit)) = (reader, limit) {
        wait(&reader, limit)?;
    }
    Ok(())
}

/// Does what is due for `subscription` of `root`, for an application that is about to start: waits no longer than `limit`,
/// after which it goes on alone. Returns what is active now, if that is something new. What goes wrong with the update
/// itself is for its log.
///
/// # Errors
/// When what is known of the subscription cannot be read, or the update not be started.
pub fn update_and_wait(
    program: &Path,
    root: &Root,
    subscription: &str,
    limit: Duration,
) -> Result<Option<String>> {
    let Some(meta) = root.open()? else { return Ok(None) };
    if !is_due(&meta, subscription) {
        return Ok(None);
    }
    let folder = meta.descend(&Path::new(UPDATES).join(subscription))?;
    let before = State::read(&folder)?.deployed;
    let started = start_update(program, root.path(), subscription, Update::Wait(limit));
    started.map_err(|source| LaunchError::Exec { program: program.to_owned(), source })?;
    let after = State::read(&folder)?;
    Ok(after.release.filter(|_| after.deployed != before))
}

/// Leaves the terminal and the process group of whoever started this process: what `update --detached` does first.
///
/// # Errors
/// When this process leads a group, and so was not started by [`start_update`].
pub fn detach() -> io::Result<()> {
    rustix::process::setsid().map(drop).map_err(Into::into)
}

/// Waits until nobody holds the other end of the pipe, but no longer than `limit`.
fn wait(reader: &io::PipeReader, limit: Duration) -> io::Result<()> {
    let started = Instant::now();
    loop {
        let left = limit.saturating_sub(started.elapsed());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut polled = [PollFd::new(reader, PollFlags::IN)];
        match poll(&mut polled, Some(&timeout)) {
            // The end, or something that was printed, which nobody is to do.
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// True for what may be the name of a folder.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['.', '-']) && !text.contains(['/', '\0'])
}
