//! What targets are looked for in: the tree of a revision, or the working tree on disk.

use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};

use crate::disk::{Dir, Kind, on_disk};
use crate::source::git::Snapshot;
use crate::source::{Mode, Node, SourceError};

/// Where a source is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the tree of the revision.
    Git(Node),
    /// On disk.
    Disk {
        /// What it is.
        mode: Mode,
        /// Its absolute path.
        path: PathBuf,
    },
}

impl Place {
    /// What the source is.
    pub fn mode(&self) -> Mode {
        match self {
            Self::Git(node) => node.mode,
            Self::Disk { mode, .. } => *mode,
        }
    }
}

/// A tree to look for sources in.
pub(super) enum Tree<'t, 'r> {
    Git(&'t Snapshot<'r>),
    Disk(&'t Path),
}

impl Tree<'_, '_> {
    /// What stands at `path` (full path, empty for the top). No link on the way is followed.
    pub(super) fn place(&self, path: &BStr) -> Result<Option<Place>, SourceError> {
        match self {
            Self::Git(snapshot) => Ok(snapshot.node(path)?.map(Place::Git)),
            // A path that leaves the folder names nothing in it.
            Self::Disk(_) if path.split_str("/").any(|part| part == b"..") => Ok(None),
            Self::Disk(top) => {
                let (parent, name) = match path.rfind_byte(b'/') {
                    Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
                    None => (BStr::new(""), path),
                };
                let top = Dir::open(top)?;
                if name.is_empty() {
                    return Ok(Some(Place::Disk { mode: Mode::Directory, path: top.path().to_owned() }));
                }
                match top.descend(on_disk(parent)) {
                    Ok(parent) => on_disk_at(&parent, on_disk(name)),
                    // Nothing there, or a link or file in the way.
                    Err(_) => Ok(None),
                }
            }
        }
    }

    /// The names below the directory `place` at `path`, with what each is. git's own folder is never a source.
    pub(super) fn children(&self, path: &BStr, place: &Place) -> Result<Vec<(BString, Place)>, SourceError> {
        use std::os::unix::ffi::OsStrExt as _;
        match (self, place) {
            (Self::Git(snapshot), Place::Git(node)) => {
                let entries = snapshot.directory(path, node.id)?;
                Ok(entries.into_iter().map(|(name, node)| (name, Place::Git(node))).collect())
            }
            (Self::Disk(top), Place::Disk { .. }) => {
                let dir = Dir::open(top)?.descend(on_disk(path))?;
                let mut children = Vec::new();
                for name in dir.names()? {
                    let text = BString::from(name.as_os_str().as_bytes());
                    if text == ".git" {
                        continue;
                    }
                    children.extend(on_disk_at(&dir, &name)?.map(|place| (text, place)));
                }
                children.sort_by(|(a, _), (b, _)| a.cmp(b));
                Ok(children)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// True if the repository excludes the source from exports.
    pub(super) fn is_export_ignored(&self, path: &BStr, place: &Place) -> Result<bool, SourceError> {
        match (self, place) {
            (Self::Git(snapshot), Place::Git(node)) => Ok(snapshot.is_export_ignored(path, *node)?),
            _ => Ok(false),
        }
    }
}

/// What stands at `name` in `dir`; pipes and devices count as nothing.
fn on_disk_at(dir: &Dir, name: &Path) -> Result<Option<Place>, SourceError> {
    let mode = match dir.stat(name)?.map(|stat| (stat.kind, stat.mode)) {
        Some((Kind::Directory, _)) => Mode::Directory,
        Some((Kind::Symlink, _)) => Mode::Symlink,
        Some((Kind::File, mode)) if mode & 0o100 != 0 => Mode::Executable,
        Some((Kind::File, _)) => Mode::File,
        Some((Kind::Other, _)) | None => return Ok(None),
    };
    Ok(Some(Place::Disk { mode, path: dir.join(name) }))
}
