//! Staging: whole versions are written where nobody looks, and become visible complete or not at all.
//!
//! A [`Staged`] version lies in a private folder `.staging-*` inside its `versions/` folder. Only
//! [`Durable::complete`] turns it into a [`CompleteVersion`], by renames on one filesystem, after its bytes were
//! made durable; and only a complete version can be activated. What a killed run leaves is swept by the next.

mod batches;
mod export;
mod foretell;
mod mirror;
mod seal;
mod share;
mod shared;
mod trash;
mod write;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{self, Dir, DiskError, Folders, Kind};
use crate::source::git::tree_id;
use crate::source::{HashKind, Listing, Mode, SourceError};
use crate::version::{Destination, FileListing, Record, VersionName};

pub use export::{Export, Previous, copy_out, export};
pub use foretell::foretell;
pub use mirror::{
    Copied, CopyError, Damage, FoundFile, Holds, Original, copy, find_files, is_same, listed_files,
};
pub use seal::{Durable, Sealed, complete, make_durable, withdraw};
pub use share::Sharing;
pub use shared::SharedError;
pub use trash::Trash;

/// Prefix of the names of staging folders.
pub const STAGING: &str = ".staging-";

/// Folders between the folder of a destination and what a version holds: `versions/` and the version itself. A staged
/// version lies one deeper.
const VERSION_DEPTH: usize = 2;

/// What is put before the text of a version that is a relative link: it stands one folder below its destination, from
/// where users follow it.
const LINK_PREFIX: &str = "../";

/// Why a version could not be staged.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The content could not be read from the repository.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The content will not fit.
    #[error("not enough space at `{}`: {needed} bytes are needed, {free} are free", disk::Shown(path))]
    NoSpace {
        /// The `versions/` folder.
        path: PathBuf,
        /// Bytes that would be written.
        needed: u64,
        /// Bytes that this user may still write.
        free: u64,
    },
    /// Everything in the source is left out, which nobody means.
    #[error("nothing of `{source_path}` is left to deploy: all of it is ignored or `export-ignore`")]
    Nothing {
        /// The source's path in the repository.
        source_path: String,
    },
    /// A shared path cannot be one.
    #[error(transparent)]
    Shared(#[from] SharedError),
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// Progress of long work, told to whoever draws it. Called from many threads.
pub trait Progress: Sync {
    /// So many files are about to be written.
    fn start(&self, files: u64);
    /// So many more are done, with so many bytes.
    fn advance(&self, files: u64, bytes: u64);
    /// The work is over.
    fn finish(&self);
    /// True if the work should stop as soon as it can.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// The private folder of one run in one `versions/` folder. It is removed when the last staged version in it
/// is gone.
#[derive(Debug)]
pub struct StagingFolder {
    versions: Dir,
    folder: Dir,
    name: String,
    serial: AtomicU64,
}

impl StagingFolder {
    /// Makes the private folder of the run `rollout` in the `versions/` folder of `destination`.
    ///
    /// # Errors
    /// When the folders cannot be made.
    pub fn create(destination: &Destination, rollout: &str) -> disk::Result<Self> {
        let versions = Dir::create_all(&destination.versions_folder())?;
        let name = format!("{STAGING}{rollout}");
        let folder = versions.make_private_dir(&name)?;
        Ok(Self { versions, folder, name, serial: AtomicU64::new(0) })
    }

    /// The `versions/` folder it is in.
    pub fn versions(&self) -> &Dir {
        &self.versions
    }

    fn next_name(&self) -> String {
        self.serial.fetch_add(1, Ordering::Relaxed).to_string()
    }
}

impl Drop for StagingFolder {
    fn drop(&mut self) {
        self.versions.discard(&self.name);
    }
}

/// Removes the staging folders that killed runs left in the `versions/` folder `versions`. The caller holds
/// the lock, so that none of them is in use. Those of another user, which are private, are left to that user's
/// next run.
///
/// # Errors
/// When the folder cannot be read or something in it cannot be removed.
pub fn sweep(versions: &Dir) -> disk::Result<()> {
    let names: HashSet<PathBuf> = versions.names()?.into_iter().collect();
    let is_version = |name: &str| names.contains(Path::new(name));
    for name in &names {
        let Some(text) = name.to_str() else { continue };
        if disk::is_temporary(name) {
            versions.remove(name)?;
            continue;
        }
        if text.starts_with(STAGING) {
            match versions.remove_all(name) {
                Err(error) if error.is_denied() => {}
                removed => removed?,
            }
            continue;
        }
        // A record or listing whose version never became visible.
        let version = text
            .strip_prefix('.')
            .and_then(|rest| rest.strip_suffix(".json").or_else(|| rest.strip_suffix(".files")));
        if let Some(version) = version.filter(|version| !is_version(version))
            && looks_like_a_version(version)
        {
            versions.remove(name)?;
        }
    }
    Ok(())
}

fn looks_like_a_version(name: &str) -> bool {
    name.match_indices('.').any(|(end, _)| VersionName::parse(&name[..end], name).is_some())
}

/// A version whose bytes are written, but which nobody can see yet.
#[derive(Debug)]
pub struct Staged {
    folder: Arc<StagingFolder>,
    /// Name inside the staging folder.
    inner: String,
    destination: Destination,
    record: Record,
    listing: Option<FileListing>,
    /// Its shared paths.
    shared: Vec<String>,
}

/// A version that is whole, durable and visible under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompleteVersion {
    destination: Destination,
    name: VersionName,
}

impl CompleteVersion {
    /// A version that was on disk before this run.
    ///
    /// # Errors
    /// When it is not there.
    pub fn existing(
        destination: &Destination,
        name: &VersionName,
        folders: &mut Folders,
    ) -> disk::Result<Self> {
        let versions = folders.open(&destination.versions_folder())?;
        let text = name.to_string();
        if versions.stat(&text)?.is_some_and(|stat| stat.kind != Kind::Other) {
            return Ok(Self { destination: destination.clone(), name: name.clone() });
        }
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        Err(DiskError { act: "activate", path: versions.join(text), source })
    }

    /// The destination it is a version of.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Its name.
    pub fn name(&self) -> &VersionName {
        &self.name
    }
}

impl Staged {
    /// The path of the unfinished version, for commands that check it.
    pub fn path(&self) -> PathBuf {
        self.folder.folder.join(&self.inner)
    }

    /// The record as it will be written, but for the version's name.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The destination it is staged for.
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// The `versions/` folder it will be visible in.
    pub fn versions(&self) -> &Dir {
        &self.folder.versions
    }

    /// Leads the shared paths to their data from where the version lies, so many folders below the folder of its
    /// destination.
    fn link_shared(&self, depth: usize) -> disk::Result<()> {
        if self.shared.is_empty() {
            return Ok(());
        }
        let root = self.folder.folder.descend(Path::new(&self.inner))?;
        for path in &self.shared {
            let (parent, name) = write::split(path.as_bytes().into());
            let parent = root.descend(disk::on_disk(parent))?;
            let name = disk::on_disk(name);
            if parent.stat(name)?.is_some() {
                parent.remove(name)?;
            }
            parent.symlink(shared::link_text(&self.destination, path, depth), name)?;
        }
        Ok(())
    }

    /// Writes listing and record into the staging folder, under the version's final `name`.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn seal(mut self, name: VersionName) -> disk::Result<Sealed> {
        self.record.version = name.to_string();
        self.link_shared(VERSION_DEPTH)?;
        let write = |file: &str, bytes: &[u8]| self.folder.folder.create_file(file, 0o664)?.write(bytes);
        write(&format!("{}.json", self.inner), &self.record.to_bytes())?;
        if let Some(listing) = &self.listing {
            write(&format!("{}.files", self.inner), listing.to_text().as_bytes())?;
        }
        let Self { folder, inner, destination, listing, .. } = self;
        Ok(Sealed { folder, inner, destination, name, has_record: true, has_listing: listing.is_some() })
    }
}

/// The id git would give to what `listing` and the files on disk hold.
fn content_of(kind: HashKind, listing: &FileListing) -> String {
    tree_id(kind, &listing.tree_entries()).to_string()
}

/// What one source holds, listed.
#[derive(Clone, Debug)]
pub struct Content {
    /// What the source is itself: a file, a directory, a link.
    pub mode: Mode,
    /// Its files and links.
    pub listing: Listing,
    /// Which of the contents that [`export`] is given holds the bytes.
    pub store: usize,
}
