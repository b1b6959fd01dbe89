//! One rollout at a time: an advisory lock on the deployment root, held by the kernel.
//!
//! The kernel drops the lock when its holder ends, however it ends: a lock is never stale, and whoever does not
//! hold it cannot release it. The file's content only names the holder for the others.

use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, DiskError, LogFile, Shown};
use crate::version::VERSIONS;

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Lock {
    file: LogFile,
    /// `versions/` folders outside the root, which other roots might also deploy to.
    elsewhere: Vec<Dir>,
    /// The `versions/` folders that a holder who did not end well worked in.
    abandoned: Vec<PathBuf>,
    /// What is written in the file stays when the lock is released.
    is_abandoned: bool,
}

/// Who holds a lock, as far as they wrote it down.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Login name.
    pub user: String,
    /// Host name.
    pub host: String,
    /// What it is doing: `deploy`, `rollback`, ...
    pub command: String,
    /// Since when, RFC 3339 in UTC.
    pub since: String,
}

impl Holder {
    /// This process, doing `command`.
    pub fn me(command: &str) -> Self {
        let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
        let uid = rustix::process::getuid().as_raw();
        Self {
            pid: std::process::id(),
            user: name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(|| disk::user_name(uid)),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            command: command.to_owned(),
            since: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pid == 0 {
            return f.write_str("somebody");
        }
        let Self { pid, user, host, command, since } = self;
        write!(f, "`git dist {command}` of {user}@{host} (pid {pid}, since {since})")
    }
}

/// Why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it and did not finish in time.
    #[error("`{}` is locked by {holder}", Shown(path))]
    Held {
        /// The locked root or folder.
        path: PathBuf,
        /// Who holds it.
        holder: Holder,
    },
    /// The run was asked to stop.
    #[error("interrupted while waiting for {holder}: nothing was changed")]
    Interrupted {
        /// Who holds it.
        holder: Holder,
    },
    /// The lock file cannot be opened, or the filesystem has no locks.
    #[error("cannot lock the deployment root")]
    Disk(#[from] DiskError),
}

/// How long one waits for a lock.
pub struct Patience<'a> {
    /// At most so long.
    pub limit: Duration,
    /// True if the run was asked to stop.
    pub is_over: Box<dyn Fn() -> bool + 'a>,
}

/// Name of the lock file.
const LOCK: &str = "lock";
/// Bytes of it that may say who holds it.
const HOLDER_LIMIT: u64 = 64 << 10;
/// Bytes of it that may name folders.
const FOLDERS_LIMIT: u64 = 64 << 20;
/// How long one waits between two tries.
const PAUSE: Duration = Duration::from_millis(25);

impl Lock {
    /// Takes the lock of the root whose own folder is `meta`. `waiting` is called once, when somebody else turns
    /// out to hold it.
    ///
    /// # Errors
    /// When it is still held when `patience` ends, or the filesystem has no locks.
    pub fn acquire(
        meta: &Dir,
        holder: &Holder,
        patience: &Patience<'_>,
        waiting: &mut dyn FnMut(&Holder),
    ) -> Result<Self, LockError> {
        let mut file = LogFile::open(meta, LOCK)?;
        let mut told = false;
        let mut waiting = |file: &LogFile| {
            let holder = file.read(HOLDER_LIMIT).map(|text| holder_in(&text)).unwrap_or_default();
            if !told {
                waiting(&holder);
                told = true;
            }
            holder
        };
        loop {
            patience.wait_for(meta.path(), || file.try_lock(), || waiting(&file))?;
            // Whoever comes after a file that was removed or replaced locks another one.
            if file.is_at(meta, LOCK)? {
                break;
            }
            file = LogFile::open(meta, LOCK)?;
        }
        let abandoned = folders(&file.read(FOLDERS_LIMIT).unwrap_or_default());
        let mut lock = Self { file, elsewhere: Vec::new(), abandoned, is_abandoned: false };
        if lock.abandoned.is_empty() {
            lock.sign(holder);
        }
        Ok(lock)
    }

    /// True if somebody held the lock and did not end well, so that work may lie about that nobody will finish.
    pub fn is_abandoned(meta: &Dir) -> bool {
        matches!(meta.stat(LOCK), Ok(Some(stat)) if stat.size > 0)
            && LogFile::open(meta, LOCK).and_then(|file| file.try_lock()).unwrap_or(false)
    }

    /// True if a holder did not end well: [`Lock::sign`] is to be called when what it left is swept.
    pub fn is_unsigned(&self) -> bool {
        !self.abandoned.is_empty()
    }

    /// The `versions/` folders below `root` that a holder who did not end well worked in. Others are swept by whoever
    /// deploys there: anybody who may write the file may have named them.
    pub fn abandoned(&self, root: &Path) -> Vec<PathBuf> {
        let is_plain = |path: &Path| path.components().all(|part| part != Component::ParentDir);
        let is_inside =
            |path: &&PathBuf| path.starts_with(root) && path.ends_with(VERSIONS) && is_plain(path);
        self.abandoned.iter().filter(is_inside).cloned().collect()
    }

    /// Writes down who holds the lock: a courtesy, for which a full disk has no room.
    pub fn sign(&mut self, holder: &Holder) {
        let _ = self.file.overwrite(&serde_json::to_vec(holder).unwrap_or_default());
    }

    /// Writes down that the holder works in the folder `versions`, for those who come after it was killed.
    pub fn note(&mut self, versions: &Path) {
        if let Ok(path) = serde_json::to_string(versions) {
            let _ = self.file.add(format!(" {path}").as_bytes());
        }
    }

    /// Leaves what is written down to the next holder.
    pub fn abandon(&mut self) {
        self.is_abandoned = true;
    }

    /// Also locks the folder `versions`, which lies outside the root and may be shared with another one.
    ///
    /// # Errors
    /// When another root's run still holds it when `patience` ends.
    pub fn extend(&mut self, versions: Dir, patience: &Patience<'_>) -> Result<(), LockError> {
        patience.wait_for(versions.path(), || versions.try_lock(), Holder::default)?;
        self.elsewhere.push(versions);
        Ok(())
    }
}

impl Patience<'_> {
    /// Tries until `lock` says that it has what is at `path`. `holder` says who else has.
    fn wait_for(
        &self,
        path: &Path,
        lock: impl Fn() -> disk::Result<bool>,
        mut holder: impl FnMut() -> Holder,
    ) -> Result<(), LockError> {
        let started = Instant::now();
        while !lock()? {
            let holder = holder();
            if (self.is_over)() {
                return Err(LockError::Interrupted { holder });
            }
            if started.elapsed() >= self.limit {
                return Err(LockError::Held { path: path.to_owned(), holder });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The holder's name is a courtesy; the kernel releases the lock either way.
        if !self.is_abandoned {
            let _ = self.file.overwrite(b"");
        }
    }
}

/// The holder in the text of the file: its first value.
fn holder_in(text: &[u8]) -> Holder {
    let mut values = serde_json::Deserializer::from_slice(text).into_iter();
    values.next().and_then(Result::ok).unwrap_or_default()
}

/// The folders in the text of the file: its other values.
fn folders(text: &[u8]) -> Vec<PathBuf> {
    let values = serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>();
    let texts = values.map_while(Result::ok).skip(1);
    texts.filter_map(|value| serde_json::from_value(value).ok()).collect()
}
