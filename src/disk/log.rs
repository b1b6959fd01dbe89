//! A file for appending and locking: the history, the lock.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode, OFlags};

use super::{Dir, Kind, Result, Stat, at, failed, flock, sync, try_flock};
use crate::door;

/// A file for appending and locking: the history, the lock.
#[derive(Debug)]
pub struct LogFile {
    file: File,
    path: PathBuf,
}

impl LogFile {
    /// Opens `name` in `dir` for reading and appending, creating it with `0664` as [`Dir::create_file`] does.
    ///
    /// # Errors
    /// When it is a link, no regular file or may not be written, or is somebody else's file that was given a second
    /// name here.
    pub fn open(dir: &Dir, name: &str) -> Result<Self> {
        let path = dir.join(name);
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = loop {
            match dir.act("open", Path::new(name), || fs::openat(&dir.fd, name, flags, Mode::empty())) {
                Ok(fd) => break File::from(fd),
                Err(error) if error.is_not_found() => match dir.create_file(name, 0o664) {
                    // Another run may have been faster.
                    Err(error) if !error.is_already_there() => return Err(error),
                    _ => {}
                },
                Err(error) => return Err(error),
            }
        };
        let stat = Stat::from(fs::fstat(&file).map_err(|e| dir.failed("read", Path::new(name), e))?);
        if stat.kind != Kind::File {
            return Err(failed("open", &path)(io::Error::other("not a regular file")));
        }
        if stat.names > 1 && stat.owner != dir.owner()? {
            return Err(failed("open", &path)(io::Error::other(
                "it is a second name of somebody else's file",
            )));
        }
        Ok(Self { file, path })
    }

    /// Appends `bytes` in one write and makes them durable.
    ///
    /// # Errors
    /// When the disk is full or fails; the file is then cut back to what it was.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let before = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let sync = |()| sync(|| self.path.clone(), || self.file.sync_all());
        let appended = door::write(&self.file, &self.path, bytes).and_then(sync);
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

    /// Removes the whole content.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn clear(&mut self) -> Result<()> {
        self.cut(0).map_err(failed("write", &self.path))
    }

    /// Makes what was added durable.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync(&self) -> Result<()> {
        sync(|| self.path.clone(), || self.file.sync_all()).map_err(failed("sync", &self.path))
    }

    /// The size of the file in bytes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn length(&self) -> Result<u64> {
        Ok(self.file.metadata().map_err(failed("read", &self.path))?.len())
    }

    /// The last byte of the file; `None` if it is empty.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_byte(&self) -> Result<Option<u8>> {
        use std::os::unix::fs::FileExt as _;
        let size = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let Some(before) = size.checked_sub(1) else { return Ok(None) };
        let mut last = [0];
        self.file.read_exact_at(&mut last, before).map_err(failed("read", &self.path))?;
        Ok(Some(last[0]))
    }

    /// Replaces the whole content, without making it durable.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn overwrite(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.cut(0).and_then(|()| door::write(&self.file, &self.path, bytes));
        written.map_err(failed("write", &self.path))
    }

    /// The content, as far as `limit` bytes of it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, limit: u64) -> Result<Vec<u8>> {
        use std::io::{Read as _, Seek as _};
        let mut bytes = Vec::new();
        let mut file = &self.file;
        let read = file.rewind().and_then(|()| file.take(limit).read_to_end(&mut bytes));
        read.map_err(failed("read", &self.path))?;
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
