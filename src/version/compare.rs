//! One file of a version, compared with what the listing says of it.

use std::path::Path;
use std::time::Instant;

use super::{ListedFile, Record};
use crate::disk::{self, Dir, Kind, Stat};
use crate::source::folder;
use crate::source::git::{HashKind, Mode, blob_id};

/// How files are looked at.
#[derive(Clone, Copy)]
pub(super) struct Comparison<'r> {
    pub(super) record: &'r Record,
    pub(super) kind: HashKind,
    /// Until when files are read that look touched, the others never; `None`: every file is read.
    pub(super) until: Option<Instant>,
}

/// What was seen of a file.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// What is wrong with it.
    pub(super) what: Option<&'static str>,
    /// Its size in bytes.
    pub(super) size: u64,
    /// It looks touched, and there was no time to read it.
    pub(super) is_unread: bool,
    /// It has other names, in other versions.
    pub(super) is_shared: bool,
}

/// What is said of everything that cannot be looked at, by whatever the system says.
pub(super) const UNREADABLE: &str = "cannot be read";

impl Comparison<'_> {
    /// Looks at `name` in `dir`, which is to be `file`.
    pub(super) fn at(&self, dir: &Dir, name: &Path, file: &ListedFile) -> Seen {
        self.look(dir, name, file).unwrap_or_else(|_| wrong(UNREADABLE))
    }

    fn look(&self, dir: &Dir, name: &Path, file: &ListedFile) -> disk::Result<Seen> {
        use std::os::unix::ffi::OsStrExt as _;
        let Some(stat) = dir.stat(name)? else { return Ok(wrong("missing")) };
        match (file.mode, stat.kind) {
            (Mode::Symlink, Kind::Symlink) => {
                let text = dir.read_link(name)?.unwrap_or_default();
                let text = text.as_os_str().as_bytes();
                let what = (blob_id(self.kind, text) != file.id).then_some("leads elsewhere");
                // Links to shared paths are no content.
                let is_content = !self.record.recipe.shared.iter().any(|path| file.path == path.as_str());
                let size = if is_content { text.len() as u64 } else { 0 };
                Ok(Seen { what, size, ..Seen::default() })
            }
            (Mode::File | Mode::Executable, Kind::File) => self.file(dir, name, file, &stat),
            _ => Ok(wrong("is of another kind")),
        }
    }

    fn file(&self, dir: &Dir, name: &Path, file: &ListedFile, stat: &Stat) -> disk::Result<Seen> {
        let mode = wrong_mode(stat.mode, file.mode, self.record.writable);
        let mut seen = Seen { size: stat.size, is_shared: stat.names > 1, ..Seen::default() };
        let looks_touched = mode.is_some() || !self.record.may_have_time(stat);
        let is_read = match self.until {
            None => true,
            Some(until) => looks_touched && Instant::now() < until,
        };
        seen.is_unread = !is_read && looks_touched;
        // No file is larger than all of them together: whatever somebody put there need not be read to its end.
        let is_other = stat.size > self.record.bytes
            || is_read
                && folder::hash(&dir.open_file(name)?, stat.size, self.kind, &dir.join(name))? != file.id;
        seen.what = if is_other { Some("content") } else { mode };
        Ok(seen)
    }
}

/// Something is wrong, and nothing else is known.
pub(super) fn wrong(what: &'static str) -> Seen {
    Seen { what: Some(what), ..Seen::default() }
}

/// What is wrong with the permissions of a file, if anything.
fn wrong_mode(has: u32, mode: Mode, is_writable: bool) -> Option<&'static str> {
    let owner = if mode == Mode::Executable { 0o100 } else { 0 };
    let is_execution_wrong = has & 0o100 != owner || (owner == 0 && has & 0o111 != 0);
    match has {
        _ if has & 0o7000 != 0 => Some("mode: setuid, setgid or sticky"),
        _ if is_execution_wrong => Some("mode"),
        _ if has & 0o002 != 0 && is_writable => Some("mode: writable for everybody"),
        _ if has & 0o222 != 0 && !is_writable => Some("mode: writable"),
        _ => None,
    }
}
