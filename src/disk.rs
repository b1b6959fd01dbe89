//! The doors to the disk: every file, link, rename, removal and sync of a deployment passes through
//! this room, and nothing else in it.
//!
//! Two rules hold here. Every error names the path and the act. And everything happens relative to an
//! open directory handle ([`Dir`]) without following symbolic links, so that nobody who can rename a
//! folder on the way can redirect a write.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps};
use rustix::io::Errno;

/// A failed act on the disk: what was tried, on which path, and what the system said.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} `{}`", Shown(path))]
pub struct DiskError {
    /// What was tried, as a verb: `create`, `rename`, ...
    pub act: &'static str,
    /// The path it was tried on.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// True if the path was not there, also because what it goes through is no directory.
    pub fn is_not_found(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    }

    /// True if something of that name was there already.
    pub fn is_already_there(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }
}

/// The result of an act on the disk.
pub type Result<T, E = DiskError> = std::result::Result<T, E>;

/// A path as it may be shown: control characters, escape sequences and bytes that are not UTF-8 are
/// written as escapes, so that a hostile file name cannot drive a terminal or forge a line.
pub struct Shown<'a, P: AsRef<Path> + ?Sized>(pub &'a P);

impl<P: AsRef<Path> + ?Sized> fmt::Display for Shown<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_ref().as_os_str().as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    write!(f, "{c}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// A path of a repository (bytes, `/` between components) as this system's disks spell it: the same bytes.
pub fn on_disk(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}

/// What stands at a name, without following a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// File, directory, link or something else.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// Modification time in whole seconds since 1970.
    pub mtime: i64,
    /// The fraction of the modification time, in nanoseconds.
    pub mtime_nanos: u32,
    /// Permission bits (`0o7777`).
    pub mode: u32,
    /// The file's number and its filesystem's: equal for hard links.
    pub inode: (u64, u64),
    /// The owner's user id.
    pub owner: u32,
}

/// The kinds of things on a disk that a deployment tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket, pipe or device: never read, never written.
    Other,
}

/// An open directory. All names given to its methods are single components or relative paths whose
/// leading directories were made by this process.
#[derive(Debug)]
pub struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens the directory at `path`, following links on the way: `path` is the user's word.
    ///
    /// # Errors
    /// When it is not there, is no directory or may not be read.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = fs::open(path, flags, Mode::empty()).map_err(at("open", path))?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens the directory at `path`, making it and its parents first where they are missing.
    ///
    /// # Errors
    /// When a parent is not a directory or may not be written.
    pub fn create_all(path: &Path) -> Result<Self> {
        match Self::open(path) {
            Err(error) if error.is_not_found() => {}
            other => return other,
        }
        let mut missing = vec![path];
        let mut parent = path.parent();
        while let Some(dir) = parent {
            if dir.as_os_str().is_empty() || dir.exists() {
                break;
            }
            missing.push(dir);
            parent = dir.parent();
        }
        for dir in missing.into_iter().rev() {
            match fs::mkdir(dir, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(at("create", dir)(error)),
            }
            if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
                Self::open(above)?.sync()?;
            }
        }
        Self::open(path)
    }

    /// Opens a directory below this one, component by component and never through a link.
    ///
    /// # Errors
    /// When a component is missing, is a link or is no directory.
    pub fn descend(&self, below: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let path = self.path.join(below);
        let mut at_last: Option<OwnedFd> = None;
        for component in below.components() {
            let here = at_last.as_ref().unwrap_or(&self.fd);
            let next = fs::openat(here, component.as_os_str(), flags, Mode::empty());
            at_last = Some(next.map_err(at("open", &path))?);
        }
        match at_last {
            Some(fd) => Ok(Self { fd, path }),
            None => Ok(Self { fd: self.fd.try_clone().map_err(failed("open", &path))?, path }),
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

    /// Makes a directory with the permissions the umask allows.
    ///
    /// # Errors
    /// When something of that name exists or the directory may not be written.
    pub fn make_dir(&self, name: impl AsRef<Path>) -> Result<()> {
        self.make_dir_with(name.as_ref(), 0o777)
    }

    /// Makes a directory that only its owner can enter: the place of unfinished work.
    ///
    /// # Errors
    /// As [`Dir::make_dir`].
    pub fn make_private_dir(&self, name: impl AsRef<Path>) -> Result<()> {
        self.make_dir_with(name.as_ref(), 0o700)
    }

    fn make_dir_with(&self, name: &Path, mode: u32) -> Result<()> {
        fs::mkdirat(&self.fd, name, Mode::from_raw_mode(mode)).map_err(|e| self.failed("create", name, e))
    }

    /// Creates a file that must not exist yet; `mode` is what the umask then narrows.
    ///
    /// # Errors
    /// When the name is taken (also by a link) or the directory may not be written.
    pub fn create_file(&self, name: impl AsRef<Path>, mode: u32) -> Result<NewFile> {
        let name = name.as_ref();
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode))
            .map_err(|e| self.failed("create", name, e))?;
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

    /// As [`Dir::replace_file`], for many small files: the caller makes them durable with one
    /// [`Dir::sync_filesystem`].
    ///
    /// # Errors
    /// As [`Dir::replace_file`].
    pub fn replace_file_later_durable(&self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        self.replace(name.as_ref(), bytes, |_| Ok(()))
    }

    fn replace(&self, name: &Path, bytes: &[u8], sync: impl FnOnce(&NewFile) -> Result<()>) -> Result<()> {
        let (temporary, mut file) = self.create_temporary(name, 0o666)?;
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
        use std::io::Read as _;
        let name = name.as_ref();
        let file = self.open_file(name)?;
        let size = file.metadata().map_or(0, |meta| meta.len());
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1);
        file.take(limit + 1).read_to_end(&mut bytes).map_err(failed("read", &self.join(name)))?;
        if bytes.len() as u64 > limit {
            return Err(failed("read", &self.join(name))(io::Error::from(io::ErrorKind::FileTooLarge)));
        }
        Ok(bytes)
    }

    /// Opens a regular file for reading without following a link and without waiting on a pipe.
    ///
    /// # Errors
    /// When it is missing, no regular file or unreadable.
    pub fn open_file(&self, name: impl AsRef<Path>) -> Result<File> {
        let name = name.as_ref();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd =
            fs::openat(&self.fd, name, flags, Mode::empty()).map_err(|e| self.failed("open", name, e))?;
        let file = File::from(fd);
        let meta = file.metadata().map_err(failed("read", &self.join(name)))?;
        if !meta.is_file() {
            return Err(failed("read", &self.join(name))(io::Error::other("not a regular file")));
        }
        Ok(file)
    }

    /// Makes a symbolic link `name` with the text `target`.
    ///
    /// # Errors
    /// When the name is taken or the directory may not be written.
    pub fn symlink(&self, target: impl AsRef<Path>, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        fs::symlinkat(target.as_ref(), &self.fd, name).map_err(|e| self.failed("link", name, e))
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
    /// `EMLINK`, `EXDEV` and `EPERM` where the filesystem cannot; see [`cannot_share`].
    pub fn hard_link(&self, from: &Self, from_name: &Path, name: &Path) -> Result<()> {
        fs::linkat(&from.fd, from_name, &self.fd, name, AtFlags::empty())
            .map_err(|e| self.failed("link", name, e))
    }

    /// Renames `name` to `to_name` in `to`, replacing what is there.
    ///
    /// # Errors
    /// When either directory may not be written or they are on two filesystems.
    pub fn rename(&self, name: impl AsRef<Path>, to: &Self, to_name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        fs::renameat(&self.fd, name, &to.fd, to_name.as_ref()).map_err(|e| self.failed("rename", name, e))
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
            match fs::renameat_with(&self.fd, one, &there.fd, other, fs::RenameFlags::EXCHANGE) {
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
        fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(|e| self.failed("remove", name, e))
    }

    /// Removes whatever stands at `name`, with all that is below it, never through a link. Nothing there is
    /// no error.
    ///
    /// # Errors
    /// When something below may not be removed.
    pub fn remove_all(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        match self.stat(name)? {
            None => Ok(()),
            Some(stat) if stat.kind == Kind::Directory => self.remove_tree(name),
            Some(_) => self.remove(name),
        }
    }

    /// Removes the directory `name` with all that is below it. However deep that is, no more than two directories
    /// are open at a time.
    fn remove_tree(&self, name: &Path) -> Result<()> {
        struct Level {
            /// The directory that was entered.
            entered: PathBuf,
            /// What is left to remove beside it.
            rest: Vec<PathBuf>,
            /// What `..` must lead back to.
            inode: (u64, u64),
        }
        let mut here = self.descend(name)?;
        let mut rest = here.names()?;
        let mut above: Vec<Level> = Vec::new();
        loop {
            if let Some(entry) = rest.pop() {
                match here.stat(&entry)? {
                    Some(stat) if stat.kind == Kind::Directory => {
                        let below = here.descend(&entry)?;
                        let names = std::mem::replace(&mut rest, below.names()?);
                        above.push(Level { entered: entry, rest: names, inode: here.inode()? });
                        here = below;
                    }
                    Some(_) => here.remove(&entry)?,
                    None => {}
                }
                continue;
            }
            let Some(level) = above.pop() else { break };
            here = here.parent()?;
            if here.inode()? != level.inode {
                let moved = io::Error::other("it was moved meanwhile");
                return Err(failed("remove", &here.join(&level.entered))(moved));
            }
            here.remove_empty(&level.entered)?;
            rest = level.rest;
        }
        self.remove_empty(name)
    }

    fn remove_empty(&self, name: &Path) -> Result<()> {
        fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR).map_err(|e| self.failed("remove", name, e))
    }

    /// The directory that this one is in now.
    fn parent(&self) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = self.path.parent().unwrap_or(Path::new("/")).to_owned();
        let fd = fs::openat(&self.fd, "..", flags, Mode::empty()).map_err(at("open", &path))?;
        Ok(Self { fd, path })
    }

    /// Removes `name` if it can be: for tidying up after an error that is already being reported.
    pub fn discard(&self, name: impl AsRef<Path>) {
        // The first error is the one to tell; what stays behind is swept by the next run.
        let _ = self.remove_all(name);
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
        fs::openat(&self.fd, name, flags, Mode::empty())
            .and_then(|fd| fs::fchmod(fd, Mode::from_raw_mode(mode)))
            .map_err(|e| self.failed("set the mode of", name, e))
    }

    /// The names in this directory, in no order, without `.` and `..`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> Result<Vec<PathBuf>> {
        use std::os::unix::ffi::OsStrExt as _;
        let mut names = Vec::new();
        for entry in fs::Dir::read_from(&self.fd).map_err(at("read", &self.path))? {
            let entry = entry.map_err(at("read", &self.path))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                names.push(PathBuf::from(std::ffi::OsStr::from_bytes(name)));
            }
        }
        Ok(names)
    }

    /// Makes the names in this directory durable: a rename survives a power cut only after this.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync(&self) -> Result<()> {
        match fs::fsync(&self.fd) {
            // Some network filesystems have no such call for directories; they order names by themselves.
            Ok(()) | Err(Errno::INVAL | Errno::ROFS) => Ok(()),
            Err(error) => Err(at("sync", &self.path)(error)),
        }
    }

    /// Makes everything that was written to this directory's filesystem durable, with one call.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync_filesystem(&self) -> Result<()> {
        #[cfg(target_os = "linux")]
        return fs::syncfs(&self.fd).map_err(at("sync", &self.path));
        #[cfg(not(target_os = "linux"))]
        {
            fs::sync();
            self.sync()
        }
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

    /// Takes this directory's own advisory lock, or says that somebody holds it.
    ///
    /// # Errors
    /// When the filesystem has no locks.
    pub fn try_lock(&self) -> Result<bool> {
        try_flock(&self.fd, &self.path)
    }

    fn failed(&self, act: &'static str, name: &Path, error: Errno) -> DiskError {
        DiskError { act, path: self.join(name), source: error.into() }
    }
}

impl From<fs::Stat> for Stat {
    // The fields' widths differ between systems.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::unnecessary_cast,
        clippy::cast_lossless
    )]
    fn from(stat: fs::Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode as _) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Directory,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        };
        Self {
            kind,
            size: stat.st_size as u64,
            mtime: stat.st_mtime as i64,
            mtime_nanos: stat.st_mtime_nsec as u32,
            mode: stat.st_mode as u32 & 0o7777,
            inode: (stat.st_dev as u64, stat.st_ino as u64),
            owner: stat.st_uid as u32,
        }
    }
}

/// The filesystems that something was written to, each made durable with one call.
#[derive(Debug, Default)]
pub struct Filesystems(Vec<(u64, Dir)>);

impl Filesystems {
    /// Notes that something was written in `dir`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn add(&mut self, dir: Dir) -> Result<()> {
        let device = dir.device()?;
        if self.0.iter().all(|(known, _)| *known != device) {
            self.0.push((device, dir));
        }
        Ok(())
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// When a disk reports a write error.
    pub fn sync(self) -> Result<()> {
        self.0.iter().try_for_each(|(_, dir)| dir.sync_filesystem())
    }
}

/// A file that is being written and that nobody else knows yet.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    path: PathBuf,
}

impl NewFile {
    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(failed("write", &self.path))
    }

    /// Sets the modification time, in whole seconds since 1970.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub fn set_mtime(&self, seconds: i64) -> Result<()> {
        let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        fs::futimens(&self.file, &times).map_err(at("set the time of", &self.path))
    }

    /// Sets the permission bits, whatever the umask is.
    ///
    /// # Errors
    /// When the filesystem refuses.
    pub fn set_mode(&self, mode: u32) -> Result<()> {
        fs::fchmod(&self.file, Mode::from_raw_mode(mode)).map_err(at("set the mode of", &self.path))
    }

    /// Makes the content durable.
    ///
    /// # Errors
    /// When the disk reports a write error.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().map_err(failed("sync", &self.path))
    }

    /// Fills this file with a copy-on-write clone of `from`. False where the filesystem cannot.
    pub fn clone_from(&mut self, from: &File) -> bool {
        #[cfg(target_os = "linux")]
        return fs::ioctl_ficlone(&self.file, from).is_ok();
        #[cfg(not(target_os = "linux"))]
        {
            let _ = from;
            false
        }
    }
}

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
        let fd = fs::openat(&dir.fd, name, flags, Mode::from_raw_mode(0o666))
            .map_err(|e| dir.failed("open", Path::new(name), e))?;
        Ok(Self { file: File::from(fd), path: dir.join(name) })
    }

    /// Appends `bytes` in one write and makes them durable.
    ///
    /// # Errors
    /// When the disk is full or fails; the file is then cut back to what it was.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let before = self.file.metadata().map_err(failed("read", &self.path))?.len();
        let appended = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        appended.map_err(|error| {
            // A torn line is ignored by readers; cutting it off is courtesy.
            let _ = self.file.set_len(before);
            failed("write", &self.path)(error)
        })
    }

    /// Appends `bytes` in one write, without making them durable.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(failed("write", &self.path))
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
        self.file.set_len(0).and_then(|()| self.file.write_all(bytes)).map_err(failed("write", &self.path))
    }

    /// The whole content.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self) -> Result<Vec<u8>> {
        use std::io::{Read as _, Seek as _};
        let mut bytes = Vec::new();
        self.file
            .rewind()
            .and_then(|()| self.file.read_to_end(&mut bytes))
            .map_err(failed("read", &self.path))?;
        Ok(bytes)
    }

    /// Takes the kernel's exclusive lock on the file, or says that somebody holds it.
    ///
    /// # Errors
    /// When the filesystem has no locks.
    pub fn try_lock(&self) -> Result<bool> {
        try_flock(&self.file, &self.path)
    }
}

fn try_flock(fd: impl std::os::fd::AsFd, path: &Path) -> Result<bool> {
    match fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(at("lock", path)(error)),
    }
}

/// True if the failure only means that this filesystem cannot share a file: too many links, another
/// filesystem, a protected file.
pub fn cannot_share(error: &DiskError) -> bool {
    let code = error.source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP | Errno::ACCESS))
}

/// A name beside `name` that no other process uses, though one that was killed may have left it.
pub fn temporary_name(name: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name.file_name().unwrap_or_default());
    temporary.push(format!(".{}-{serial}.tmp", std::process::id()));
    PathBuf::from(temporary)
}

/// True for the names that [`temporary_name`] makes: `.<name>.<process>-<serial>.tmp`.
pub fn is_temporary(name: &Path) -> bool {
    let inner = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".tmp"));
    let numbers = inner.and_then(|inner| inner.rsplit_once('.')?.1.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, serial)| is_number(process) && is_number(serial))
}

fn at<'p>(act: &'static str, path: &'p Path) -> impl FnOnce(Errno) -> DiskError + use<'p> {
    move |error| DiskError { act, path: path.to_owned(), source: error.into() }
}

fn failed<'p>(act: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> DiskError + use<'p> {
    move |source| DiskError { act, path: path.to_owned(), source }
}
