//! Sharing unchanged files with an earlier version, by clone or hard link, if nobody touched them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Previous;
use crate::disk::{self, Dir, Kind, Stat};
use crate::source::folder::hash;
use crate::source::git::{Mode, ObjectId};

/// How unchanged files get into a new version (the option `link`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// A clone where the filesystem can, else a hard link, else a copy.
    #[default]
    Auto,
    /// A clone where the filesystem can, else a copy.
    Reflink,
    /// A hard link where the filesystem can, else a copy.
    Hardlink,
    /// Always a copy, which may be written to.
    Copy,
}

/// Whether a filesystem turned out not to clone, so that no file is made there in vain for each one that is shared.
#[derive(Debug, Default)]
pub(super) struct Clones {
    refused: AtomicBool,
}

/// A file of an earlier version that may be shared.
pub(super) struct Shareable<'p> {
    /// What it must be.
    pub(super) mode: Mode,
    /// The id of its bytes.
    pub(super) id: ObjectId,
    /// Its size.
    pub(super) size: u64,
    /// The version that it is in.
    pub(super) previous: &'p Previous,
}

/// Puts the file `name` of the earlier version's directory `from` into `to`, if it is untouched and the filesystem can.
///
/// Returns the file's modification time if it was shared.
pub(super) fn share(
    sharing: Sharing,
    clones: &Clones,
    from: &Dir,
    to: &Dir,
    name: &Path,
    wanted: &Shareable<'_>,
) -> disk::Result<Option<i64>> {
    let Some(stat) = from.stat(name)? else { return Ok(None) };
    if !is_untouched(from, name, &stat, wanted) {
        return Ok(None);
    }
    let mode = wanted.mode;
    if matches!(sharing, Sharing::Auto | Sharing::Reflink) && !clones.refused.load(Ordering::Relaxed) {
        let source = from.open_file(name)?;
        let mut file = to.create_file(name, permissions(mode, false))?;
        if file.clone_from(&source) {
            file.set_mtime(stat.mtime)?;
            return Ok(Some(stat.mtime));
        }
        clones.refused.store(true, Ordering::Relaxed);
        drop(file);
        to.remove(name)?;
    }
    if matches!(sharing, Sharing::Auto | Sharing::Hardlink) {
        match to.hard_link(from, name, name) {
            Ok(()) => return Ok(Some(stat.mtime)),
            // That may be so for this file only: too many links, another owner, something that is mounted there.
            Err(error) if disk::cannot_share(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// True if the file is as some run wrote it: type, size, permissions, and a modification time that is in the record.
/// That time can be set back; the time of the change cannot. If it is not older than the listing, which is written when
/// all files are there, the file is read.
fn is_untouched(from: &Dir, name: &Path, stat: &Stat, wanted: &Shareable<'_>) -> bool {
    let Shareable { mode, id, size, previous } = wanted;
    let looks_untouched = stat.kind == Kind::File
        && stat.size == *size
        && previous.record.may_have_time(stat)
        && stat.mode & 0o7222 == 0
        && (stat.mode & 0o100 != 0) == (*mode == Mode::Executable);
    if !looks_untouched || stat.changed < previous.listed {
        return looks_untouched;
    }
    let found = from.open_file(name).and_then(|open| hash(&open, *size, id.kind(), &from.join(name)));
    // What cannot be read is written afresh.
    found.is_ok_and(|found| found == *id)
}

/// The permissions a file is created with, before the umask narrows them: the executable bit from git, and
/// no write bit, because versions are immutable, unless the user wants copies that owner and group may write to.
pub(super) fn permissions(mode: Mode, writable: bool) -> u32 {
    let base = if mode == Mode::Executable { 0o555 } else { 0o444 };
    if writable { base | 0o220 } else { base }
}
