//! What stands at a name.

use rustix::fs::{self, FileType};

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
    /// How many names the file has: more than one where versions share it.
    pub names: u64,
    /// When content, permissions or names last changed, in seconds since 1970 and nanoseconds. The kernel sets it, and
    /// nobody else can.
    pub changed: (i64, u32),
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

impl From<FileType> for Kind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Directory,
            FileType::Symlink => Self::Symlink,
            _ => Self::Other,
        }
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
        Self {
            kind: Kind::from(FileType::from_raw_mode(stat.st_mode as _)),
            size: stat.st_size as u64,
            mtime: stat.st_mtime as i64,
            mtime_nanos: stat.st_mtime_nsec as u32,
            mode: stat.st_mode as u32 & 0o7777,
            inode: (stat.st_dev as u64, stat.st_ino as u64),
            owner: stat.st_uid as u32,
            names: stat.st_nlink as u64,
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u32),
        }
    }
}
