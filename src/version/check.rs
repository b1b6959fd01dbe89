//! Checking a version against its record and listing: every byte is hashed again, or every file looked at.

use std::path::Path;
use std::time::{Duration, Instant};

use bstr::BString;

use super::compare::{Comparison, Seen, UNREADABLE};
use super::look::look;
use super::{FileListing, ListedFile, ListingError, Record, VersionName};
use crate::disk::{Dir, Kind};
use crate::source::git::{HashKind, Mode, ObjectId};

/// One way in which a version is not what its record says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Path inside the version; empty for the version itself.
    pub path: BString,
    /// What is wrong there: `missing`, `content`, ...
    pub what: &'static str,
}

impl Difference {
    /// Something about the version itself.
    pub fn of_all(what: &'static str) -> Self {
        Self { path: BString::default(), what }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What differs, by path.
    pub differences: Vec<Difference>,
    /// What programs leave behind when they run, as `__pycache__`: listed, but no difference.
    pub leftovers: Vec<BString>,
    /// True if a file that differs has other names: other versions share it.
    pub is_shared: bool,
    /// Files that look touched and were not read, for lack of time.
    pub unread: u64,
    /// Bytes of all files and links.
    pub bytes: u64,
}

/// Hashes everything in the version `name` of the `versions/` folder `versions` and compares it with `record`. What
/// cannot be read is a difference. Nothing that stands there is waited for: pipes are not opened, and files not read
/// that are larger than the version was.
pub fn check(versions: &Dir, name: &VersionName, record: &Record) -> Checked {
    examine(versions, name, record, None)
}

/// How long a glance reads files that look touched.
const GLANCE: Duration = Duration::from_secs(2);

/// As [`check`], at a glance: every file is looked at, but only those are read whose permissions or time are not those
/// they were deployed with, and these for two seconds at most. All are read if their sizes do not add up.
///
/// What this does not find is another content of the same size with the time set back.
pub fn glance(versions: &Dir, name: &VersionName, record: &Record) -> Checked {
    let glanced = examine(versions, name, record, Some(Instant::now() + GLANCE));
    if glanced.differences.is_empty() && glanced.unread == 0 && glanced.bytes != record.bytes {
        return check(versions, name, record);
    }
    glanced
}

fn examine(versions: &Dir, name: &VersionName, record: &Record, until: Option<Instant>) -> Checked {
    let text = name.to_string();
    let mut checked = Checked::default();
    let kind = if record.content.len() == 64 { HashKind::Sha256 } else { HashKind::Sha1 };
    let comparison = Comparison { record, kind, until };
    let differ = |checked: &mut Checked, what| checked.differences.push(Difference::of_all(what));
    let content = ObjectId::from_hex(record.content.as_bytes());
    match (Mode::parse(&record.mode), content) {
        (Some(Mode::Directory), Ok(content)) => match FileListing::read(versions, &text) {
            Ok(Some(listing)) => match versions.descend(Path::new(&text)) {
                Ok(root) => look(&root, &listing, content, comparison, &mut checked),
                Err(_) => differ(&mut checked, kind_of(versions, &text)),
            },
            Ok(None) => differ(&mut checked, "its listing is missing"),
            Err(ListingError::Damaged { .. }) => differ(&mut checked, "its listing is damaged"),
            Err(ListingError::Disk(_)) => differ(&mut checked, "its listing cannot be read"),
        },
        (Some(mode @ (Mode::File | Mode::Executable | Mode::Symlink)), Ok(id)) => {
            let file = ListedFile { mode, id, path: BString::default() };
            let seen = comparison.at(versions, Path::new(&text), &file);
            checked.add(&file, seen);
        }
        _ => differ(&mut checked, "its record was changed"),
    }
    checked.differences.sort();
    checked.leftovers.sort();
    checked
}

/// What is wrong with the version `name`, which was to be a directory.
fn kind_of(versions: &Dir, name: &str) -> &'static str {
    match versions.stat(name) {
        Ok(None) => "missing",
        Ok(Some(stat)) if stat.kind != Kind::Directory => "is of another kind",
        _ => UNREADABLE,
    }
}

impl Checked {
    /// Takes note of what was `seen` of a file.
    pub(super) fn add(&mut self, file: &ListedFile, seen: Seen) {
        self.bytes = self.bytes.saturating_add(seen.size);
        self.unread += u64::from(seen.is_unread);
        if let Some(what) = seen.what {
            self.is_shared |= seen.is_shared;
            self.differences.push(Difference { path: file.path.clone(), what });
        }
    }

    /// Takes over what was found of another part of the version.
    pub(super) fn join(&mut self, part: Self) {
        self.differences.extend(part.differences);
        self.leftovers.extend(part.leftovers);
        self.is_shared |= part.is_shared;
        self.unread += part.unread;
        self.bytes = self.bytes.saturating_add(part.bytes);
    }
}
