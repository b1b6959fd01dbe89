//! Checking a version against its record and listing: every byte is hashed again.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::{BString, ByteSlice as _};

use super::{FileListing, ListedFile, ListingError, Record, VersionName};
use crate::disk::{self, Dir, DiskError, Kind, on_disk};
use crate::parallel::on_every_core;
use crate::source::folder;
use crate::source::git::{HashKind, Mode, ObjectId, blob_id, tree_id};

/// One way in which a version is not what its record says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Path inside the version; empty for the version itself.
    pub path: BString,
    /// What is wrong there: `missing`, `content`, ...
    pub what: &'static str,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What differs, by path.
    pub differences: Vec<Difference>,
    /// What programs leave behind when they run, as `__pycache__`: listed, but no difference.
    pub leftovers: Vec<BString>,
}

/// Hashes everything in the version `name` of the `versions/` folder `versions` and compares it with `record`.
///
/// # Errors
/// When the listing or the version cannot be read.
pub fn check(versions: &Dir, name: &VersionName, record: &Record) -> disk::Result<Checked> {
    let text = name.to_string();
    let kind = if record.content.len() == 64 { HashKind::Sha256 } else { HashKind::Sha1 };
    let mut checked = Checked::default();
    let mode = Mode::parse(&record.mode).unwrap_or(Mode::File);
    if mode == Mode::Directory {
        let (listing, what) = match FileListing::read(versions, &text) {
            Ok(listing) => (listing, "its listing is missing"),
            Err(ListingError::Damaged { .. }) => (None, "its listing is damaged"),
            Err(ListingError::Disk(error)) => return Err(error),
        };
        let Some(listing) = listing else {
            checked.differences.push(Difference { path: BString::default(), what });
            return Ok(checked);
        };
        let recorded = ObjectId::from_hex(record.content.as_bytes());
        if !recorded.is_ok_and(|id| id == tree_id(kind, &listing.tree_entries())) {
            checked
                .differences
                .push(Difference { path: BString::default(), what: "its listing was changed" });
        }
        match versions.stat(&text)?.map(|stat| stat.kind) {
            Some(Kind::Directory) => {
                let root = versions.descend(Path::new(&text))?;
                check_files(&root, &listing, kind, record.writable, &mut checked)?;
                find_extra(&root, &listing, &mut checked)?;
            }
            _ => checked.differences.push(Difference { path: BString::default(), what: "missing" }),
        }
    } else if let Ok(id) = ObjectId::from_hex(record.content.as_bytes()) {
        let file = ListedFile { mode, id, path: BString::default() };
        let what = compare(versions, Path::new(&text), &file, kind, record.writable)?;
        checked.differences.extend(what.map(|what| Difference { path: BString::default(), what }));
    } else {
        checked.differences.push(Difference { path: BString::default(), what: "its record was changed" });
    }
    checked.differences.sort();
    checked.leftovers.sort();
    Ok(checked)
}

/// Files that one thread takes at a time.
const BATCH: usize = 64;

/// Compares every listed file, on all cores.
fn check_files(
    root: &Dir,
    listing: &FileListing,
    kind: HashKind,
    writable: bool,
    checked: &mut Checked,
) -> disk::Result<()> {
    let batches: Vec<&[ListedFile]> = listing.files().chunks(BATCH).collect();
    let next = AtomicUsize::new(0);
    let outcome: Mutex<disk::Result<Vec<Difference>>> = Mutex::new(Ok(Vec::new()));
    let work = || {
        let mut found = Vec::new();
        let mut result = Ok(());
        while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
            for file in *batch {
                match compare_below(root, file, kind, writable) {
                    Ok(Some(what)) => found.push(Difference { path: file.path.clone(), what }),
                    Ok(None) => {}
                    Err(error) => result = Err(error),
                }
            }
        }
        let mut outcome = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match (result, &mut *outcome) {
            (Ok(()), Ok(all)) => all.extend(found),
            (Err(error), _) => *outcome = Err(error),
            (Ok(()), Err(_)) => {}
        }
    };
    on_every_core(batches.len(), work);
    let found = outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)?;
    checked.differences.extend(found);
    Ok(())
}

fn compare_below(
    root: &Dir,
    file: &ListedFile,
    kind: HashKind,
    writable: bool,
) -> disk::Result<Option<&'static str>> {
    let (parent, name) = match file.path.rfind_byte(b'/') {
        Some(end) => (&file.path[..end], &file.path[end + 1..]),
        None => (&b""[..], &file.path[..]),
    };
    if parent.is_empty() {
        return compare(root, on_disk(name), file, kind, writable);
    }
    match root.descend(on_disk(parent)) {
        Ok(parent) => compare(&parent, on_disk(name), file, kind, writable),
        // The folder is gone, or something else stands in its place.
        Err(error) if error.is_not_found() || is_no_directory(&error) => Ok(Some("missing")),
        Err(error) => Err(error),
    }
}

fn is_no_directory(error: &DiskError) -> bool {
    use rustix::io::Errno;
    let code = error.source.raw_os_error().map(Errno::from_raw_os_error);
    matches!(code, Some(Errno::NOTDIR | Errno::LOOP))
}

/// What is wrong with the file `name` in `dir`, if anything.
fn compare(
    dir: &Dir,
    name: &Path,
    file: &ListedFile,
    kind: HashKind,
    writable: bool,
) -> disk::Result<Option<&'static str>> {
    let Some(stat) = dir.stat(name)? else { return Ok(Some("missing")) };
    match (file.mode, stat.kind) {
        (Mode::Symlink, Kind::Symlink) => {
            use std::os::unix::ffi::OsStrExt as _;
            let text = dir.read_link(name)?.unwrap_or_default();
            let is_same = blob_id(kind, text.as_os_str().as_bytes()) == file.id;
            Ok((!is_same).then_some("leads elsewhere"))
        }
        (Mode::File | Mode::Executable, Kind::File) => {
            if folder::hash(&dir.open_file(name)?, stat.size, kind, &dir.join(name))? != file.id {
                return Ok(Some("content"));
            }
            let is_executable = stat.mode & 0o100 != 0;
            if is_executable != (file.mode == Mode::Executable) {
                return Ok(Some("mode"));
            }
            Ok((!writable && stat.mode & 0o222 != 0).then_some("mode: writable"))
        }
        _ => Ok(Some("is of another kind")),
    }
}

/// Finds what is on disk and in no listing. However deep the version is, only one directory is open at a time.
fn find_extra(root: &Dir, listing: &FileListing, checked: &mut Checked) -> disk::Result<()> {
    use std::os::unix::ffi::OsStrExt as _;
    let files = listing.files();
    let mut directories = vec![BString::default()];
    while let Some(below) = directories.pop() {
        let dir = root.descend(on_disk(&below))?;
        for name in dir.names()? {
            let mut path = below.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_os_str().as_bytes());
            let is_directory = dir.stat(&name)?.is_some_and(|stat| stat.kind == Kind::Directory);
            if is_directory {
                let prefix = [path.as_slice(), b"/"].concat();
                let index = files.partition_point(|file| file.path.as_slice() < prefix.as_slice());
                if files.get(index).is_some_and(|file| file.path.starts_with(&prefix)) {
                    directories.push(path);
                    continue;
                }
            } else if files.binary_search_by(|file| file.path.as_slice().cmp(path.as_slice())).is_ok() {
                continue;
            }
            if is_leftover(&name) {
                checked.leftovers.push(path);
            } else {
                checked.differences.push(Difference { path, what: "is not in git" });
            }
        }
    }
    Ok(())
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
