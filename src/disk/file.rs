//! A file that is being written, and making what was written durable.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::fs::{self, Mode, Timespec, Timestamps};

use super::{Result, at, failed, sync};
use crate::door;

/// A file that is being written and that nobody else knows yet.
#[derive(Debug)]
pub struct NewFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl NewFile {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        door::write(&self.file, &self.path, bytes).map_err(failed("write", &self.path))
    }

    /// The file as what a program writes to.
    pub fn into_output(self) -> Stdio {
        self.file.into()
    }

    /// Sets the modification time, in whole seconds since 1970.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub fn set_mtime(&self, seconds: i64) -> Result<()> {
        self.set_exact_mtime(seconds, 0)
    }

    /// Sets the modification time, in seconds since 1970 and nanoseconds.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub fn set_exact_mtime(&self, seconds: i64, nanoseconds: u32) -> Result<()> {
        let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() };
        let times = Timestamps { last_access: time, last_modification: time };
        self.act("set the time of", || fs::futimens(&self.file, &times))
    }

    /// Sets the permission bits, whatever the umask is.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        self.act("set the mode of", || fs::fchmod(&self.file, Mode::from_raw_mode(mode)))
    }

    /// Makes the content durable.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync(&self) -> Result<()> {
        sync(|| self.path.clone(), || self.file.sync_all()).map_err(failed("sync", &self.path))
    }

    /// Fills this file with a copy-on-write clone of `from`. False where the filesystem cannot.
    pub fn clone_from(&mut self, from: &File) -> bool {
        #[cfg(target_os = "linux")]
        return self.act("clone to", || fs::ioctl_ficlone(&self.file, from)).is_ok();
        #[cfg(not(target_os = "linux"))]
        {
            let _ = from;
            false
        }
    }

    fn act<T>(&self, act: &'static str, call: impl FnMut() -> rustix::io::Result<T>) -> Result<T> {
        door::pass(act, || self.path.clone(), call).map_err(at(act, &self.path))
    }
}
