//! Versions that nothing is known of but what is found: those that distman made.

use std::path::Path;

use bstr::{BString, ByteSlice as _};

use super::CopyError;
use super::error::Damage;
use crate::disk::{Dir, Kind, Stat, on_disk};
use crate::source::git::{MAX_ENTRIES, is_too_deep};
use crate::version::VersionName;

/// A file, link or folder that was found.
#[derive(Clone, Debug)]
pub struct FoundFile {
    /// Path below the version, with `/` between components; empty for the version itself.
    pub path: BString,
    /// What it is.
    pub stat: Stat,
}

/// What stands at the version `name` in `versions`, with all that is below it, sorted by path; nothing where nothing
/// stands there.
///
/// # Errors
/// When something cannot be read, or is neither file nor link nor folder.
pub fn find_files(versions: &Dir, name: &VersionName) -> Result<Vec<FoundFile>, CopyError> {
    use std::os::unix::ffi::OsStrExt as _;
    let text = name.to_string();
    let damaged = |path: &[u8], what| {
        let (version, path) = (versions.join(&text), path.into());
        CopyError::Damaged(Damage { version, name: name.clone(), path, what })
    };
    let look = |dir: &Dir, name: &Path| dir.stat(name).map_err(CopyError::Original);
    match look(versions, Path::new(&text))? {
        None => return Err(damaged(b"", "missing")),
        Some(stat) if stat.kind == Kind::Other => return Err(damaged(b"", SPECIAL)),
        Some(stat) if stat.kind != Kind::Directory => {
            return Ok(vec![FoundFile { path: BString::default(), stat }]);
        }
        Some(_) => {}
    }
    let root = versions.descend(Path::new(&text)).map_err(CopyError::Original)?;
    let mut found = Vec::new();
    let mut folders = vec![BString::default()];
    while let Some(below) = folders.pop() {
        let dir = root.descend(on_disk(&below)).map_err(CopyError::Original)?;
        for name in dir.names().map_err(CopyError::Original)? {
            let mut path = below.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_os_str().as_bytes());
            let Some(stat) = look(&dir, &name)? else { return Err(damaged(&path, CHANGED)) };
            if stat.kind == Kind::Other {
                return Err(damaged(&path, SPECIAL));
            }
            if is_too_deep(path.as_bstr()) || found.len() >= MAX_ENTRIES {
                return Err(damaged(&below, "there is more below it than any version may hold"));
            }
            if stat.kind == Kind::Directory {
                folders.push(path.clone());
            }
            found.push(FoundFile { path, stat });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

const SPECIAL: &str = "is no file, folder or link";
/// What is said of a file that changes while it is read.
pub(super) const CHANGED: &str = "changes while it is read";

/// True if the version `name` in `versions` is a copy of what was found, as far as types, sizes and times tell.
pub fn is_same(versions: &Dir, name: &VersionName, original: (&Dir, &[FoundFile])) -> bool {
    let (from, files) = original;
    let Ok(copy) = find_files(versions, name) else { return false };
    let text = name.to_string();
    let link = |versions: &Dir, path: &BString| {
        let below = on_disk(path);
        let at = Path::new(&text);
        match below.parent() {
            None => versions.read_link(at).ok().flatten(),
            Some(parent) => {
                let dir = versions.descend(&at.join(parent)).ok()?;
                dir.read_link(below.file_name()?).ok().flatten()
            }
        }
    };
    let is_same = |(copy, file): (&FoundFile, &FoundFile)| {
        copy.path == file.path
            && copy.stat.kind == file.stat.kind
            && match file.stat.kind {
                Kind::File => looks_same(&copy.stat, &file.stat),
                Kind::Symlink => link(versions, &copy.path) == link(from, &file.path),
                _ => true,
            }
    };
    copy.len() == files.len() && copy.iter().zip(files).all(is_same)
}

/// True if two files are one as far as size, time and executable bit tell.
pub(super) fn looks_same(a: &Stat, b: &Stat) -> bool {
    (a.size, a.mtime, a.mtime_nanos, a.mode & 0o100) == (b.size, b.mtime, b.mtime_nanos, b.mode & 0o100)
}
