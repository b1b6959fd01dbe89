//! Advisory locks on what stands at a name, a file or a folder: shared ones of whoever uses it, and exclusive ones of
//! whoever wants to remove it.

use std::os::fd::{IntoRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::{Dir, DiskError, Result, Stat, at};
use crate::door;

/// Where a program's own files are not looked for: scripts say `exec 3<file`, and shells keep theirs from 10 on.
const ABOVE: i32 = 100;

/// A held lock; dropping it releases it.
#[derive(Debug)]
pub struct Held {
    fd: OwnedFd,
    inode: (u64, u64),
}

/// What became of the wish to lock something.
#[derive(Debug)]
pub enum Locked {
    /// It is locked now, or the filesystem has no such locks.
    Held(Held),
    /// Somebody holds a lock that excludes this one.
    Busy,
    /// There is nothing to lock: neither a file nor a folder that this user may read.
    Nothing,
}

impl Dir {
    /// Takes a shared lock on the file or folder `name`, never through a link, without waiting.
    ///
    /// # Errors
    /// When it cannot be opened, though it is there and may be read.
    pub fn try_share(&self, name: impl AsRef<Path>) -> Result<Locked> {
        self.try_lock_entry(name.as_ref(), FlockOperation::NonBlockingLockShared)
    }

    /// Takes an exclusive lock on the file or folder `name`, never through a link, without waiting.
    ///
    /// # Errors
    /// When it cannot be opened, though it is there and may be read.
    pub fn try_exclude(&self, name: impl AsRef<Path>) -> Result<Locked> {
        self.try_lock_entry(name.as_ref(), FlockOperation::NonBlockingLockExclusive)
    }

    fn try_lock_entry(&self, name: &Path, operation: FlockOperation) -> Result<Locked> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = match fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => return Ok(Locked::Nothing),
            Err(error) => return Err(self.failed("open", name, error)),
        };
        match door::pass("lock", || self.join(name), || fs::flock(&fd, operation)) {
            Err(Errno::WOULDBLOCK) => Ok(Locked::Busy),
            // NFS grants an exclusive lock only for what may be written, and some filesystems grant none.
            Ok(()) | Err(Errno::BADF | Errno::NOLCK | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => {
                let stat = fs::fstat(&fd).map_err(|error| self.failed("read", name, error))?;
                Ok(Locked::Held(Held { fd, inode: Stat::from(stat).inode }))
            }
            Err(error) => Err(self.failed("lock", name, error)),
        }
    }
}

impl Held {
    /// True if what is locked is still what `name` in `dir` leads to.
    ///
    /// # Errors
    /// When the folder may not be searched.
    pub fn is_at(&self, dir: &Dir, name: impl AsRef<Path>) -> Result<bool> {
        Ok(dir.stat(name)?.is_some_and(|stat| stat.inode == self.inode))
    }

    /// Lets the lock be held by the program that this process becomes, and by all that it starts.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn keep_over_exec(&self, path: &Path) -> Result<(), DiskError> {
        let kept = match fcntl_dupfd_cloexec(&self.fd, ABOVE) {
            Ok(kept) => kept,
            // So few may be open.
            Err(Errno::INVAL | Errno::MFILE) => fcntl_dupfd_cloexec(&self.fd, 0).map_err(at("lock", path))?,
            Err(error) => return Err(at("lock", path)(error)),
        };
        fcntl_setfd(&kept, FdFlags::empty()).map_err(at("lock", path))?;
        // It is the program's from here on.
        let _ = kept.into_raw_fd();
        Ok(())
    }
}
