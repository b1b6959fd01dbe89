//! The deployment root and its own folder, `.distman`: lock, history, journal and change stamp.

mod allowed;
mod launch;
mod signed_only;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::disk::{self, Dir, DiskError, Kind};

pub use allowed::{AllowedRoots, resolved};
pub use launch::{
    Deployed, KeptEnvironment, LaunchChange, LaunchRecord, LaunchedManifest, LaunchedTarget, below, change,
    read_environment,
};
pub use signed_only::{SignedOnly, SignedOnlyError};

/// A deployment root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
    meta: OsString,
}

/// Name of the folder under the root, unless `DISTMAN_META_DIR` says otherwise (distman's setting).
pub const META: &str = ".distman";

impl Root {
    /// The root at `path`, with its own folder `meta` (normally [`META`]).
    pub fn new(path: impl Into<PathBuf>, meta: impl Into<OsString>) -> Self {
        Self { path: path.into(), meta: meta.into() }
    }

    /// The root's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of the root's own folder.
    pub fn meta_path(&self) -> PathBuf {
        self.path.join(&self.meta)
    }

    /// Opens the root's own folder; `None` where nothing was deployed yet.
    ///
    /// # Errors
    /// When it cannot be opened, or is a link.
    pub fn open(&self) -> disk::Result<Option<Dir>> {
        match Dir::open(&self.path).and_then(|root| self.open_in(&root)) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens the root's own folder, making it where it is missing.
    ///
    /// # Errors
    /// When it cannot be made, or is a link.
    pub fn create(&self) -> disk::Result<Dir> {
        let root = Dir::create_all(&self.path)?;
        match root.make_dir(&self.meta) {
            Ok(()) => root.sync()?,
            Err(error) if error.is_already_there() => {}
            Err(error) => return Err(error),
        }
        self.open_in(&root)
    }

    /// Whose it is: its folder's owner, or that of the folder in which it will be made.
    ///
    /// # Errors
    /// When no folder on the way can be read.
    pub fn owner(&self) -> disk::Result<u32> {
        let mut folders = self.path.ancestors();
        loop {
            let folder = folders.next().unwrap_or(Path::new("/"));
            match Dir::open(folder).and_then(|folder| folder.owner()) {
                Err(error) if error.is_not_found() && folder.parent().is_some() => {}
                owner => return owner,
            }
        }
    }

    /// What stands in that folder is carried out and believed, so that it is not to be led elsewhere.
    fn open_in(&self, root: &Dir) -> disk::Result<Dir> {
        if root.stat(&self.meta)?.is_some_and(|stat| stat.kind == Kind::Symlink) {
            let source = std::io::Error::other("it is a link, and must be a folder");
            return Err(DiskError { act: "open", path: self.meta_path(), source });
        }
        root.descend(Path::new(&self.meta))
    }
}

/// Name of distman's change stamp.
const EPOCH: &str = "epoch";

/// Bumps the change stamp: nanoseconds since 1970, and more than before even if the clock was set back, so that
/// whoever compares notices every change. The file is readable by all, whatever the umask is. The caller makes it
/// durable; a stamp that a power cut took begins again with the present.
///
/// # Errors
/// When the root's own folder may not be written.
pub fn bump_epoch(meta: &Dir) -> disk::Result<()> {
    let now = chrono::Utc::now().timestamp_nanos_opt().unwrap_or(i64::MAX);
    let next = read_epoch(meta)?.map_or(now, |before| now.max(before.saturating_add(1)));
    let (temporary, mut file) = meta.create_temporary(Path::new(EPOCH), 0o644)?;
    file.write(format!("{next}\n").as_bytes())
        .and_then(|()| file.set_mode(0o644))
        .and_then(|()| meta.rename(&temporary, meta, EPOCH))
        .inspect_err(|_: &DiskError| meta.discard(&temporary))
}

/// The change stamp; `None` where there is none or it is no number.
///
/// # Errors
/// When the file is there and cannot be read.
pub fn read_epoch(meta: &Dir) -> disk::Result<Option<i64>> {
    match meta.read_file(EPOCH, 4096) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).trim().parse().ok()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}
