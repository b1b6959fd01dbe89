//! A file for appending and locking: the history, the lock.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};

use super::{Dir, Result, Stat, at, failed, flock, try_flock};
use crate::door;

/// A file for appending and locking: the history, the lock.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Opens `name` in `dir` for reading and appending, creating it with `0666` less the umask.
    ///
    /// # Errors
    /// When it is a link, no regular file or may not be written.
    pub fn open(dir: &Dir, name: &str) -> Result<Self> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o666);
        let fd = dir.act("open", Path::new(name), || fs::openat(&dir.fd, name, flags, mode))?;
        Ok(Self { file: File::from(fd), path: dir.join(name) })
    }

    /// Appends `bytes` in one write and makes them durable.
    ///
    /// # Errors
    /// When the disk is full or fails; the file is then cut back to what it was.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let before = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let sync = || door::pass("sync", || self.path.clone(), || self.file.sync_all());
        let appended = door::write(&self.file, &self.path, bytes).and_then(|()| sync());
        appended.map_err(|error| {
            // A torn line is ignored by readers; cutting it off is courtesy.
            let _ = self.cut(before);
            failed("write", &self.path)(error)
        })
    }

    /// Appends `bytes` in one write, without making them durable.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        door::write(&self.file, &self.path, bytes).map_err(failed("write", &self.path))
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        door::pass("cut", || self.path.clone(), || self.file.set_len(length))
    }

    /// True if the file is empty or its last byte is a line break.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn ends_with_line_break(&self) -> Result<bool> {
        use std::os::unix::fs::FileExt as _;
        let size = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let mut last = [b'\n'];
        if size > 0 {
            self.file.read_exact_at(&mut last, size - 1).map_err(failed("read", &self.path))?;
        }
        Ok(last == [b'\n'])
    }

    /// Replaces the whole content, without making it durable.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn overwrite(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.cut(0).and_then(|()| door::write(&self.file, &self.path, bytes));
        written.map_err(failed("write", &self.path))
    }

    /// The whole content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> Result<Vec<u8>> {
        use std::io::{Read as _, Seek as _};
        let mut bytes = Vec::new();
        let mut file = &self.file;
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(failed("read", &self.path))?;
        Ok(bytes)
    }

    /// Takes the kernel's exclusive lock on the file, waiting until nobody else holds it.
    ///
    /// # Errors
    /// When the filesystem has no locks.
    pub fn lock(&self) -> Result<()> {
        flock(&self.file, &self.path)
    }

    /// True if this is still the file that `name` in `dir` leads to.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn is_at(&self, dir: &Dir, name: &str) -> Result<bool> {
        let own = Stat::from(fs::fstat(&self.file).map_err(at("read", &self.path))?);
        Ok(dir.stat(name)?.is_some_and(|stat| stat.inode == own.inode))
    }

    /// Takes the kernel's exclusive lock on the file, or says that somebody holds it.
    ///
    /// # Errors
    /// When the filesystem has no locks.
    pub fn try_lock(&self) -> Result<bool> {
        try_flock(&self.file, &self.path)
    }
}
