//! Names for files on their way to a name of their own, and folders for work that is thrown away.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Dir, Kind, Result};

/// `<process>-<serial>`: what no other process uses, though one that was killed may have left it.
fn own_number() -> String {
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed))
}

fn is_own_number(text: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(process, serial)| is_number(process) && is_number(serial))
}

/// A name beside `name` that no other process uses, though one that was killed may have left it.
pub fn temporary_name(name: &Path) -> PathBuf {
    let mut temporary = OsString::from(".");
    temporary.push(name.file_name().unwrap_or_default());
    temporary.push(format!(".{}.tmp", own_number()));
    PathBuf::from(temporary)
}

/// The name beside `name` of what will replace it, the same in every run.
pub(super) fn next_name(name: &Path) -> PathBuf {
    let mut next = OsString::from(".");
    next.push(name.file_name().unwrap_or_default());
    next.push(".0-0.tmp");
    PathBuf::from(next)
}

/// True for the names that [`temporary_name`] and `next_name` make: `.<name>.<process>-<serial>.tmp`.
pub fn is_temporary(name: &Path) -> bool {
    let inner = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".tmp"));
    inner.and_then(|inner| inner.rsplit_once('.')).is_some_and(|(_, number)| is_own_number(number))
}

/// Prefix of the names of work folders.
const WORK: &str = "git-dist-";

/// A folder that only this user can enter, outside of any deployment. It goes with the value, and that of a process
/// that was killed goes when this user makes the next one beside it.
#[derive(Debug)]
pub struct WorkFolder {
    parent: Dir,
    folder: Dir,
    name: String,
}

impl WorkFolder {
    /// Makes one in the directory at `parent`, which is made where it is missing.
    ///
    /// # Errors
    /// When the directory may not be written, or the filesystem has no locks.
    pub fn create_in(parent: &Path) -> Result<Self> {
        let parent = Dir::create_all(parent)?;
        parent.sweep_work();
        loop {
            let name = format!("{WORK}{}", own_number());
            let folder = match parent.make_private_dir(&name) {
                // Whoever swept before it was locked took it for one that was left behind.
                Err(error) if error.is_already_there() || error.is_not_found() => continue,
                made => made?,
            };
            let made = Self { parent: parent.descend(Path::new(""))?, folder, name };
            if made.folder.try_lock()? {
                return Ok(made);
            }
        }
    }

    /// The folder.
    pub fn dir(&self) -> &Dir {
        &self.folder
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        self.parent.discard(&self.name);
    }
}

impl Dir {
    /// Removes this user's work folders that nobody works in any more, as far as that can be done.
    fn sweep_work(&self) {
        let user = rustix::process::geteuid().as_raw();
        for name in self.names().unwrap_or_default() {
            let number = name.to_str().and_then(|name| name.strip_prefix(WORK));
            if number.is_none_or(|number| !is_own_number(number)) {
                continue;
            }
            let is_ours = |stat: &super::Stat| stat.kind == Kind::Directory && stat.owner == user;
            let Ok(Some(_)) = self.stat(&name).map(|stat| stat.filter(is_ours)) else { continue };
            // The lock is held for as long as it is removed.
            if let Ok(folder) = self.descend(&name)
                && folder.try_lock().unwrap_or(false)
            {
                self.discard(&name);
            }
        }
    }
}
