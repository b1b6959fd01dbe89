//! Sharing unchanged files with an earlier version, by clone or hard link, if nobody touched them.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::{self, Dir, Kind, Stat};
use crate::source::git::Mode;
use crate::version::Record;

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

/// What the filesystem turned out not to do, so that it is not asked for every file.
#[derive(Debug, Default)]
pub(super) struct Refused {
    clone: AtomicBool,
    link: AtomicBool,
}

/// Puts the file `name` of the earlier version's directory `from` into `to`, if it is untouched and the
/// filesystem can. `size` is what the file must have, `record` that of the version it is in.
///
/// Returns the file's modification time if it was shared.
pub(super) fn share(
    sharing: Sharing,
    refused: &Refused,
    from: &Dir,
    to: &Dir,
    name: &Path,
    expected: (Mode, u64),
    record: &Record,
) -> disk::Result<Option<i64>> {
    let Some(stat) = from.stat(name)?.filter(|stat| is_untouched(stat, expected, record)) else {
        return Ok(None);
    };
    let (mode, _) = expected;
    if matches!(sharing, Sharing::Auto | Sharing::Reflink) && !refused.clone.load(Ordering::Relaxed) {
        let source = from.open_file(name)?;
        let mut file = to.create_file(name, permissions(mode, false))?;
        if file.clone_from(&source) {
            file.set_mtime(stat.mtime)?;
            return Ok(Some(stat.mtime));
        }
        refused.clone.store(true, Ordering::Relaxed);
        drop(file);
        to.remove(name)?;
    }
    if matches!(sharing, Sharing::Auto | Sharing::Hardlink) && !refused.link.load(Ordering::Relaxed) {
        match to.hard_link(from, name, name) {
            Ok(()) => return Ok(Some(stat.mtime)),
            Err(error) if disk::cannot_share(&error) => {
                // One file may have too many links while the next has not; anything else is for good.
                if error.source.raw_os_error() != Some(rustix::io::Errno::MLINK.raw_os_error()) {
                    refused.link.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// True if the file is as some run wrote it: type, size, permissions and a modification time that is in the
/// record. Whoever changes a file changes its time; commit times have no fraction of a second.
fn is_untouched(stat: &Stat, (mode, size): (Mode, u64), record: &Record) -> bool {
    stat.kind == Kind::File
        && stat.size == size
        && stat.mtime_nanos == 0
        && record.mtimes.contains(&stat.mtime)
        && stat.mode & 0o222 == 0
        && (stat.mode & 0o100 != 0) == (mode == Mode::Executable)
}

/// The permissions a file is created with, before the umask narrows them: the executable bit from git, and
/// no write bit, because versions are immutable, unless the user wants copies that owner and group may write to.
pub(super) fn permissions(mode: Mode, writable: bool) -> u32 {
    let base = if mode == Mode::Executable { 0o555 } else { 0o444 };
    if writable { base | 0o220 } else { base }
}
