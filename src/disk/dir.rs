//! An open directory, and what can be done in it.

use std::fs::{File, Metadata};
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::new::Holder;
use super::read::{read_all, regular};
use super::{
    DiskError, NewFile, Result, Stat, at, failed, is_temporary, sync, sync_folder, temporary_name, try_flock,
    walk,
};
use crate::door;

/// An open directory. All names given to its methods are single components or relative paths whose
/// leading directories were made by this process.
#[derive(Debug)]
pub struct Dir {
    pub(super) fd: OwnedFd,
    pub(super) path: PathBuf,
    /// What it means for what is made in it; looked up when that is first needed.
    holder: OnceLock<Holder>,
}

impl Dir {
    pub(super) fn of(fd: OwnedFd, path: PathBuf) -> Self {
        Self { fd, path, holder: OnceLock::new() }
    }

    /// Opens the directory at `path`. Of links on the way only those are followed that nobody else could have put
    /// there: see `disk::walk`.
    ///
    /// # Errors
    /// When it is not there, is no directory or may not be read, or a link of somebody else is on the way.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self::of(walk::open(path, false)?, path.to_owned()))
    }

    /// Opens the directory at `path`, making it and its parents first where they are missing.
    ///
    /// # Errors
    /// As [`Dir::open`], and when a parent may not be written.
    pub fn create_all(path: &Path) -> Result<Self> {
        Ok(Self::of(walk::open(path, true)?, path.to_owned()))
    }

    /// Opens a directory below this one, component by component, never through a link and never upwards.
    ///
    /// # Errors
    /// When a component is missing, is a link or is no directory, or is `..`.
    pub fn descend(&self, below: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let path = self.path.join(below);
        if let Some(fd) = walk::descend(&self.fd, below) {
            return Ok(Self::of(fd, path));
        }
        let mut at_last: Option<OwnedFd> = None;
        for component in below.components() {
            if !matches!(component, Component::Normal(_) | Component::CurDir) {
                return Err(at("open", &path)(Errno::NOENT));
            }
            let here = at_last.as_ref().unwrap_or(&self.fd);
            let next = fs::openat(here, component.as_os_str(), flags, Mode::empty());
            at_last = Some(next.map_err(at("open", &path))?);
        }
        match at_last {
            Some(fd) => Ok(Self::of(fd, path)),
            None => Ok(Self::of(self.fd.try_clone().map_err(failed("open", &path))?, path)),
        }
    }

    /// The path this directory was opened under, for messages and for what is written into records.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The full path of `name` in this directory, for messages.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// Makes a directory with the permissions that the umask allows, or its group has: see `disk::new`.
    ///
    /// # Errors
    /// When something of that name exists or the directory may not be written.
    pub fn make_dir(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        let holder = self.holder().map_err(|e| self.failed("create", name, e))?;
        self.act("create", name, || holder.make_dir(&self.fd, name, 0o775))
    }

    /// Makes a directory that only its owner can enter, the place of unfinished work, and opens it. What is made in it
    /// is as if it were made here: that is where it will be one day.
    ///
    /// # Errors
    /// As [`Dir::make_dir`].
    pub fn make_private_dir(&self, name: impl AsRef<Path>) -> Result<Self> {
        let name = name.as_ref();
        let holder = self.holder().map_err(|e| self.failed("create", name, e))?;
        self.act("create", name, || fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o700)))?;
        Ok(Self { holder: OnceLock::from(holder), ..self.descend(name)? })
    }

    fn holder(&self) -> std::result::Result<Holder, Errno> {
        if let Some(holder) = self.holder.get() {
            return Ok(*holder);
        }
        let holder = Holder::of(&self.fd)?;
        Ok(*self.holder.get_or_init(|| holder))
    }

    /// Creates a file that must not exist yet; `mode` is what the umask then narrows, and the directory's group
    /// widens.
    ///
    /// # Errors
    /// When the name is taken (also by a link) or the directory may not be written.
    pub fn create_file(&self, name: impl AsRef<Path>, mode: u32) -> Result<NewFile> {
        let name = name.as_ref();
        let holder = self.holder().map_err(|e| self.failed("create", name, e))?;
        let fd = self.act("create", name, || holder.create_file(&self.fd, name, mode))?;
        Ok(NewFile { file: File::from(fd), path: self.join(name) })
    }

    /// Replaces the file `name` by one with `bytes`: written beside it under another name, made durable, then
    /// renamed over it, so that a reader sees the old or the new content, also after a power cut.
    ///
    /// # Errors
    /// When the directory may not be written or the disk is full; the old file is then untouched.
    pub fn replace_file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        self.replace(name.as_ref(), bytes, NewFile::sync)
    }

    /// As [`Dir::replace_file`], for what may be lost or cut short by a power cut.
    ///
    /// # Errors
    /// As [`Dir::replace_file`].
    pub fn replace_file_without_sync(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        self.replace(name.as_ref(), bytes, |_| Ok(()))
    }

    /// As [`Dir::replace_file`], for what only the owner may read, whatever the directory's group may.
    ///
    /// # Errors
    /// As [`Dir::replace_file`].
    pub fn replace_private_file(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let name = name.as_ref();
        let (temporary, mut file) = self.create_temporary(name, 0o600)?;
        let written = file.set_mode(0o600).and_then(|()| file.write(bytes)).and_then(|()| file.sync());
        written.and_then(|()| self.rename(&temporary, self, name)).inspect_err(|_| self.discard(&temporary))
    }

    fn replace(&self, name: &Path, bytes: &[u8], sync: impl FnOnce(&NewFile) -> Result<()>) -> Result<()> {
        let (temporary, mut file) = self.create_temporary(name, 0o664)?;
        let written = file.write(bytes).and_then(|()| sync(&file));
        written.and_then(|()| self.rename(&temporary, self, name)).inspect_err(|_| self.discard(&temporary))
    }

    /// Creates a file beside `name` under a name that is free, and returns both.
    ///
    /// # Errors
    /// When the directory may not be written.
    pub fn create_temporary(&self, name: &Path, mode: u32) -> Result<(PathBuf, NewFile)> {
        loop {
            let temporary = temporary_name(name);
            match self.create_file(&temporary, mode) {
                // Left by a killed process of this number: in containers they begin at 1 again and again.
                Err(error) if error.is_already_there() => {}
                made => return Ok((temporary, made?)),
            }
        }
    }

    /// Removes the temporary files that killed processes left in this directory. The caller holds the lock under which
    /// they are made.
    ///
    /// # Errors
    /// When the directory cannot be read or one of them not be removed.
    pub fn sweep_temporary(&self) -> Result<()> {
        self.names()?.iter().filter(|name| is_temporary(name)).try_for_each(|name| self.remove(name))
    }

    /// Reads a whole file without following a link, refusing anything larger than `limit` bytes.
    ///
    /// # Errors
    /// When it is missing, no regular file, too large or unreadable.
    pub fn read_file(&self, name: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
        let name = name.as_ref();
        let (file, meta) = self.open_regular(name)?;
        read_all(file, &meta, &self.join(name), limit)
    }

    /// As [`Dir::read_file`], with the user id of the file's owner: whoever wrote it, for nobody can give a file away.
    ///
    /// # Errors
    /// As [`Dir::read_file`].
    pub fn read_file_with_owner(&self, name: impl AsRef<Path>, limit: u64) -> Result<(Vec<u8>, u32)> {
        use std::os::unix::fs::MetadataExt as _;
        let (file, meta) = self.open_regular(name.as_ref())?;
        Ok((read_all(file, &meta, &self.join(&name), limit)?, meta.uid()))
    }

    /// Opens a regular file for reading without following a link and without waiting on a pipe.
    ///
    /// # Errors
    /// When it is missing, no regular file or unreadable.
    pub fn open_file(&self, name: impl AsRef<Path>) -> Result<File> {
        Ok(self.open_regular(name.as_ref())?.0)
    }

    fn open_regular(&self, name: &Path) -> Result<(File, Metadata)> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd =
            fs::openat(&self.fd, name, flags, Mode::empty()).map_err(|e| self.failed("open", name, e))?;
        regular(File::from(fd), &self.join(name))
    }

    /// Makes a symbolic link `name` with the text `target`.
    ///
    /// # Errors
    /// When the name is taken or the directory may not be written.
    pub fn symlink(&self, target: impl AsRef<Path>, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        self.act("link", name, || fs::symlinkat(target.as_ref(), &self.fd, name))
    }

    /// The text of the symbolic link `name`; `None` where nothing or no link stands.
    ///
    /// # Errors
    /// When the directory may not be searched.
    pub fn read_link(&self, name: impl AsRef<Path>) -> Result<Option<PathBuf>> {
        use std::os::unix::ffi::OsStringExt as _;
        let name = name.as_ref();
        match fs::readlinkat(&self.fd, name, Vec::new()) {
            Ok(text) => Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(text.into_bytes())))),
            Err(Errno::NOENT | Errno::INVAL) => Ok(None),
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    /// Gives the file `name` in `from` a second name here.
    ///
    /// # Errors
    /// `EMLINK`, `EXDEV` and `EPERM` where the filesystem cannot; see [`super::cannot_share`](super::cannot_share).
    pub fn hard_link(&self, from: &Self, from_name: &Path, name: &Path) -> Result<()> {
        self.act("link", name, || fs::linkat(&from.fd, from_name, &self.fd, name, AtFlags::empty()))
    }

    /// Renames `name` to `to_name` in `to`, replacing what is there.
    ///
    /// # Errors
    /// When either directory may not be written or they are on two filesystems.
    pub fn rename(&self, name: impl AsRef<Path>, to: &Self, to_name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        self.act("rename", name, || fs::renameat(&self.fd, name, &to.fd, to_name.as_ref()))
    }

    /// Lets `one` here and `other` in `there` trade what they stand for, in one step. False where the system or
    /// filesystem cannot, and nothing was done.
    ///
    /// # Errors
    /// When one of them is missing or a directory may not be written.
    pub fn exchange(&self, one: impl AsRef<Path>, there: &Self, other: impl AsRef<Path>) -> Result<bool> {
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        {
            let (one, other) = (one.as_ref(), other.as_ref());
            let exchange = || fs::renameat_with(&self.fd, one, &there.fd, other, fs::RenameFlags::EXCHANGE);
            match door::pass("exchange", || there.join(other), exchange) {
                Ok(()) => Ok(true),
                Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
                Err(error) => Err(there.failed("rename", other, error)),
            }
        }
        #[cfg(not(any(target_os = "linux", target_os = "macos")))]
        {
            let _ = (one, there, other);
            Ok(false)
        }
    }

    /// Removes a file or link.
    ///
    /// # Errors
    /// When it is missing, a directory, or the directory may not be written.
    pub fn remove(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        self.act("remove", name, || fs::unlinkat(&self.fd, name, AtFlags::empty()))
    }

    /// What stands at `name`, not following a link; `None` where nothing does.
    ///
    /// # Errors
    /// When the directory may not be searched.
    pub fn stat(&self, name: impl AsRef<Path>) -> Result<Option<Stat>> {
        let name = name.as_ref();
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Stat::from(stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(self.failed("read", name, error)),
        }
    }

    /// Sets the permission bits (`0o7777`) of the file or directory `name`, never of what a link leads to. `.`
    /// is this directory itself.
    ///
    /// # Errors
    /// When it is missing, a link, unreadable or somebody else's.
    pub fn set_mode(&self, name: impl AsRef<Path>, mode: u32) -> Result<()> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        self.act("set the mode of", name, || {
            let fd = fs::openat(&self.fd, name, flags, Mode::empty())?;
            fs::fchmod(fd, Mode::from_raw_mode(mode))
        })
    }

    /// Gives the file `name` the present time, as if it were written now.
    ///
    /// # Errors
    /// When it is missing or may not be written.
    pub fn touch(&self, name: impl AsRef<Path>) -> Result<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let now = fs::Timespec { tv_sec: seconds, tv_nsec: now.subsec_nanos().into() };
        let times = fs::Timestamps { last_access: now, last_modification: now };
        let name = name.as_ref();
        self.act("set the time of", name, || fs::utimensat(&self.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW))
    }

    /// Makes the names in this directory durable: a rename survives a power cut only after this.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync(&self) -> Result<()> {
        sync_folder(&self.fd, &self.path)
    }

    /// Makes everything that was written to this directory's filesystem durable, with one call.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync_filesystem(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        let call = || fs::syncfs(&self.fd);
        #[cfg(not(target_os = "linux"))]
        let call = || {
            fs::sync();
            fs::fsync(&self.fd)
        };
        sync(|| self.path.clone(), call).map_err(at("sync", &self.path))
    }

    /// Bytes that this user may still write on this directory's filesystem.
    ///
    /// # Errors
    /// When the filesystem does not tell.
    pub fn free_space(&self) -> Result<u64> {
        let stat = fs::fstatvfs(&self.fd).map_err(at("read", &self.path))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// The number of the filesystem this directory is on.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn device(&self) -> Result<u64> {
        Ok(self.inode()?.0)
    }

    /// The number of this directory and of the filesystem it is on: the same by whatever path it was opened.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn inode(&self) -> Result<(u64, u64)> {
        let stat = fs::fstat(&self.fd).map_err(at("read", &self.path))?;
        Ok(Stat::from(stat).inode)
    }

    /// The user id of this directory's owner.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn owner(&self) -> Result<u32> {
        Ok(Stat::from(fs::fstat(&self.fd).map_err(at("read", &self.path))?).owner)
    }

    /// Takes this directory's own advisory lock, or says that somebody holds it.
    ///
    /// # Errors
    /// When the filesystem has no locks.
    pub fn try_lock(&self) -> Result<bool> {
        try_flock(&self.fd, &self.path)
    }

    /// Does `act` to `name` in this directory.
    pub(super) fn act<T>(
        &self,
        act: &'static str,
        name: &Path,
        call: impl FnMut() -> rustix::io::Result<T>,
    ) -> Result<T> {
        door::pass(act, || self.join(name), call).map_err(|error| self.failed(act, name, error))
    }

    pub(super) fn failed(&self, act: &'static str, name: &Path, error: Errno) -> DiskError {
        DiskError { act, path: self.join(name), source: error.into() }
    }
}
