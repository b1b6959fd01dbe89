//! The doors to the disk: every file, link, rename, removal and sync of a deployment passes through
//! this room, and nothing else in it.
//!
//! Two rules hold here. Every error names the path and the act. And everything happens relative to an
//! open directory handle ([`Dir`]) without following symbolic links, so that nobody who can rename a
//! folder on the way can redirect a write. How a path is opened in the first place is told in `walk`.

mod dir;
mod entries;
mod file;
mod folders;
mod hint;
mod lease;
mod log;
mod new;
mod read;
mod remove;
mod stat;
mod sync;
mod temporary;
mod walk;

use std::fmt;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{self, FlockOperation};
use rustix::io::Errno;

use crate::door;

pub use dir::Dir;
pub use file::NewFile;
pub use folders::Folders;
pub use lease::{Held, Locked};
pub use log::LogFile;
pub use new::user_name;
pub use read::read_file;
pub use stat::{Kind, Stat};
use sync::sync;
pub use sync::{Filesystems, Replacements, do_not_sync};
use temporary::next_name;
pub use temporary::{WorkFolder, is_temporary, temporary_name};

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

    /// True if a link stands where none is followed.
    pub fn is_a_link(&self) -> bool {
        self.source.raw_os_error() == Some(Errno::LOOP.raw_os_error())
    }

    /// True if this user may not do that there.
    pub fn is_denied(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }

    /// True if there was no room for it.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// True if something of that name was there already.
    pub fn is_already_there(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }
}

/// The result of an act on the disk.
pub type Result<T, E = DiskError> = std::result::Result<T, E>;

/// A path as it may be shown: characters that drive a terminal and bytes that are not UTF-8 are
/// written as escapes, so that a hostile file name cannot drive a terminal or forge a line.
pub struct Shown<'a, P: AsRef<Path> + ?Sized>(pub &'a P);

impl<P: AsRef<Path> + ?Sized> fmt::Display for Shown<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.as_ref().as_os_str().as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if drives_terminal(c) {
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

/// True for characters that make a terminal do or show something else than they say: controls, and the marks that turn
/// the direction of text around (UAX #9), with which a name can pass for another.
pub fn drives_terminal(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A path of a repository (bytes, `/` between components) as this system's disks spell it: the same bytes.
pub fn on_disk(path: &[u8]) -> &Path {
    Path::new(std::ffi::OsStr::from_bytes(path))
}

/// True if the failure only means that this filesystem cannot share a file: too many links, another
/// filesystem, a protected file.
pub fn cannot_share(error: &DiskError) -> bool {
    let code = error.source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP | Errno::ACCESS))
}

fn flock(fd: impl AsFd, path: &Path) -> Result<()> {
    let lock = || fs::flock(&fd, FlockOperation::LockExclusive);
    door::pass("lock", || path.to_owned(), lock).map_err(at("lock", path))
}

fn try_flock(fd: impl AsFd, path: &Path) -> Result<bool> {
    let lock = || fs::flock(&fd, FlockOperation::NonBlockingLockExclusive);
    match door::pass("lock", || path.to_owned(), lock) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(at("lock", path)(error)),
    }
}

fn sync_folder(fd: impl AsFd, path: &Path) -> Result<()> {
    match sync(|| path.to_owned(), || fs::fsync(&fd)) {
        // Some network filesystems have no such call for directories; they order names by themselves.
        Ok(()) | Err(Errno::INVAL | Errno::ROFS) => Ok(()),
        Err(error) => Err(at("sync", path)(error)),
    }
}

fn at<'p>(act: &'static str, path: &'p Path) -> impl FnOnce(Errno) -> DiskError + use<'p> {
    move |error| DiskError { act, path: path.to_owned(), source: error.into() }
}

fn failed<'p>(act: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> DiskError + use<'p> {
    move |source| DiskError { act, path: path.to_owned(), source }
}
