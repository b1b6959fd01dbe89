//! Checking a version against its record and listing: every byte is hashed again, or every file looked at.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bstr::BString;

use super::compare::{Comparison, Seen, UNREADABLE};
use super::{FileListing, ListedFile, ListingError, Record, VersionName};
use crate::disk::{Dir, Kind, on_disk};
use crate::parallel::on_every_core;
use crate::source::git::{HashKind, Mode, ObjectId, tree_id};

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
            Ok(Some(listing)) => {
                if content != tree_id(kind, &listing.tree_entries()) {
                    differ(&mut checked, "its listing was changed");
                }
                match versions.descend(Path::new(&text)) {
                    Ok(root) => {
                        compare_files(&root, &listing, comparison, &mut checked);
                        find_extra(&root, &listing, &mut checked);
                    }
                    Err(_) => differ(&mut checked, kind_of(versions, &text)),
                }
            }
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
    fn add(&mut self, file: &ListedFile, seen: Seen) {
        self.bytes = self.bytes.saturating_add(seen.size);
        self.unread += u64::from(seen.is_unread);
        if let Some(what) = seen.what {
            self.is_shared |= seen.is_shared;
            self.differences.push(Difference { path: file.path.clone(), what });
        }
    }
}

/// Files that one thread takes at a time.
const BATCH: usize = 64;

/// Compares every listed file, on all cores.
fn compare_files(root: &Dir, listing: &FileListing, comparison: Comparison<'_>, checked: &mut Checked) {
    let batches: Vec<&[ListedFile]> = listing.files().chunks(BATCH).collect();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(checked);
    on_every_core(batches.len(), || {
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            let seen = comparison.below(root, batch);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            batch.iter().zip(seen).for_each(|(file, seen)| all.add(file, seen));
        }
    });
}

/// Finds what is on disk and in no listing, and folders that everybody may write to. However deep the version is, only
/// one directory is open at a time.
fn find_extra(root: &Dir, listing: &FileListing, checked: &mut Checked) {
    use std::os::unix::ffi::OsStrExt as _;
    let files = listing.files();
    let mut directories = vec![BString::default()];
    while let Some(below) = directories.pop() {
        let opened = root.descend(on_disk(&below)).and_then(|dir| Ok((dir.names()?, dir.stat(".")?)));
        let (names, stat) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let is_other = error.is_not_found() || error.is_a_link();
                let what = if is_other { "is of another kind" } else { UNREADABLE };
                checked.differences.push(Difference { path: below, what });
                continue;
            }
        };
        // Setgid comes from the folder that it is in.
        if stat.is_some_and(|stat| stat.mode & 0o5002 != 0) {
            let what = "mode: writable for everybody, setuid or sticky";
            checked.differences.push(Difference { path: below.clone(), what });
        }
        for name in names {
            let mut path = below.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_os_str().as_bytes());
            if files.binary_search_by(|file| file.path.as_slice().cmp(path.as_slice())).is_ok() {
                continue;
            }
            let prefix = [path.as_slice(), b"/"].concat();
            let index = files.partition_point(|file| file.path.as_slice() < prefix.as_slice());
            if files.get(index).is_some_and(|file| file.path.starts_with(&prefix)) {
                directories.push(path);
            } else if is_leftover(&name) {
                checked.leftovers.push(path);
            } else {
                checked.differences.push(Difference { path, what: "is not in git" });
            }
        }
    }
}

/// True for what programs and desktops leave behind where they run.
fn is_leftover(name: &Path) -> bool {
    let name = name.to_string_lossy();
    name == "__pycache__"
        || name == ".DS_Store"
        || name == "Thumbs.db"
        || name.starts_with(".nfs")
        || name.ends_with(".pyc")
}
