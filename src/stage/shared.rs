//! Shared paths: links inside a version that lead to data which outlives versions.
//!
//! The data lies in `shared/<base>/`, beside the `versions/` folder. What the source holds at a shared path is part
//! of no version: it is what the data begins with. Once something stands there it is never written again.

use std::path::{Path, PathBuf};

use bstr::{BStr, ByteSlice as _};

use super::Export;
use super::write::split;
use crate::disk::{self, Dir, Shown, on_disk};
use crate::source::{Entry, Mode};
use crate::version::{Destination, SHARED};

/// Why a shared path cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum SharedError {
    /// Only folders have paths inside.
    #[error("target `{target}`: `shared` needs a folder, and what goes to `{}` is none", Shown(destination))]
    NoFolder {
        /// The target's name.
        target: String,
        /// The destination.
        destination: PathBuf,
    },
    /// The source has a file or link where the shared path needs a folder.
    #[error(
        "target `{target}`: the shared path `{path}` lies below `{file}`, which is no folder in the source"
    )]
    BelowFile {
        /// The target's name.
        target: String,
        /// The shared path.
        path: String,
        /// The file.
        file: String,
    },
    /// The source has a link at the shared path: where that leads is not for a version to say.
    #[error("target `{target}`: the shared path `{path}` is a symbolic link in the source")]
    Symlink {
        /// The target's name.
        target: String,
        /// The shared path.
        path: String,
    },
}

/// Refuses shared paths that the content has no room for.
pub(super) fn check(export: &Export) -> Result<(), SharedError> {
    let target = || export.record.target.clone();
    if !export.shared.is_empty() && export.content.mode != Mode::Directory {
        let destination = export.destination.path().to_owned();
        return Err(SharedError::NoFolder { target: target(), destination });
    }
    for path in &export.shared {
        for entry in &export.content.listing.entries {
            if is_below(path.as_bytes(), &entry.path) {
                let file = entry.path.to_string();
                return Err(SharedError::BelowFile { target: target(), path: path.clone(), file });
            }
            if entry.mode == Mode::Symlink && entry.path == path.as_str() {
                return Err(SharedError::Symlink { target: target(), path: path.clone() });
            }
        }
    }
    Ok(())
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

/// The shared path that `path` is, or lies below.
fn shared_of<'s>(shared: &'s [String], path: &BStr) -> Option<&'s String> {
    shared.iter().find(|shared| path == shared.as_str() || is_below(path, shared.as_bytes()))
}

/// True if a shared path stands for `entry`, which is not written then.
pub(super) fn is_shared(shared: &[String], entry: &Entry) -> bool {
    shared_of(shared, entry.path.as_bstr()).is_some()
}

/// The entries that data begins with, where there is none yet. Links are left out: data is no place for what could
/// lead somewhere else tomorrow.
pub(super) fn beginnings(export: &Export) -> disk::Result<Vec<Entry>> {
    let mut missing = Vec::new();
    for path in &export.shared {
        if !is_there(&export.destination, path)? {
            missing.push(path.clone());
        }
    }
    let entries = export.content.listing.entries.iter();
    let entries = entries
        .filter(|entry| matches!(entry.mode, Mode::File | Mode::Executable))
        .filter(|entry| is_shared(&missing, entry))
        .cloned();
    Ok(entries.collect())
}

/// True if something stands at the shared path `path`.
fn is_there(destination: &Destination, path: &str) -> disk::Result<bool> {
    let (parent, name) = split(BStr::new(path.as_bytes()));
    let below = Path::new(SHARED).join(destination.base()).join(on_disk(parent));
    match Dir::open(destination.folder()).and_then(|folder| folder.descend(&below)) {
        Ok(folder) => Ok(folder.stat(on_disk(name))?.is_some()),
        // A link on the way is told when the place is made.
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The text of the link at the shared path `path` of a version that lies so many folders below the folder of its
/// destination: 2, or one more while it is staged.
pub(super) fn link_text(destination: &Destination, path: &str, depth: usize) -> String {
    let depth = path.matches('/').count() + depth;
    format!("{}{SHARED}/{}/{path}", "../".repeat(depth), destination.base())
}

/// Makes sure that there is something at the shared path `path`: what `begin` holds there, else an empty folder.
/// Links on the way are not followed, so that no version can lead data elsewhere; what stands at the path itself is
/// left alone, whatever it is.
pub(super) fn provide(destination: &Destination, path: &str, begin: Option<&Dir>) -> disk::Result<()> {
    let (parent, name) = split(BStr::new(path.as_bytes()));
    let (parent, name) = (on_disk(parent), on_disk(name));
    let mut folder = Dir::open(destination.folder())?;
    for name in
        [Path::new(SHARED), Path::new(destination.base())].into_iter().chain(parent.iter().map(Path::new))
    {
        match folder.make_dir(name) {
            Ok(()) => folder.sync()?,
            Err(error) if error.is_already_there() => {}
            Err(error) => return Err(error),
        }
        folder = folder.descend(name)?;
    }
    if folder.stat(name)?.is_some() {
        return Ok(());
    }
    let begin = match begin.map(|begin| begin.descend(parent)) {
        Some(Ok(begin)) if begin.stat(name)?.is_some() => Some(begin),
        Some(Err(error)) if !error.is_not_found() => return Err(error),
        _ => None,
    };
    match begin {
        Some(begin) => begin.rename(name, &folder, name)?,
        None => folder.make_dir(name)?,
    }
    folder.sync()
}
