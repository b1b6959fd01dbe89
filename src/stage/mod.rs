//! Staging: whole versions are written where nobody looks, and become visible complete or not at all.
//!
//! A [`Staged`] version lies in a private folder `.staging-*` inside its `versions/` folder. Only
//! [`Sealed::complete`] turns it into a [`CompleteVersion`], by renames on one filesystem, after its bytes were
//! made durable; and only a complete version can be activated. What a killed run leaves is swept by the next.

mod export;
mod share;
mod shared;
mod write;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{self, Dir, DiskError, Filesystems, Kind};
use crate::source::git::tree_id;
use crate::source::{HashKind, Listing, Mode, SourceError};
use crate::version::{Destination, FileListing, Record, VersionName};

pub use export::{Export, Previous, copy_out, export};
pub use share::Sharing;
pub use shared::SharedError;

/// Prefix of the names of staging folders.
pub const STAGING: &str = ".staging-";

/// Folders between the folder of a destination and what a version holds: `versions/` and the version itself. A staged
/// version lies one deeper.
const VERSION_DEPTH: usize = 2;

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
    let base_ends = name.match_indices('.').map(|(index, _)| index);
    base_ends.into_iter().any(|end| VersionName::parse(&name[..end], name).is_some())
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
    pub fn existing(destination: &Destination, name: &VersionName) -> disk::Result<Self> {
        let versions = Dir::open(&destination.versions_folder())?;
        let text = name.to_string();
        match versions.stat(&text)?.map(|stat| stat.kind) {
            Some(Kind::File | Kind::Directory | Kind::Symlink) => {
                Ok(Self { destination: destination.clone(), name: name.clone() })
            }
            _ => Err(DiskError {
                act: "activate",
                path: versions.join(text),
                source: std::io::Error::from(std::io::ErrorKind::NotFound),
            }),
        }
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
        Ok(Sealed { staged: self, name })
    }
}

/// A staged version with its final name, record and listing: all that is missing is that it is durable.
#[derive(Debug)]
pub struct Sealed {
    staged: Staged,
    name: VersionName,
}

/// Makes all of `sealed` durable and visible, or none of it.
///
/// # Errors
/// When the disk says no.
pub fn complete(sealed: Vec<Sealed>) -> disk::Result<Vec<CompleteVersion>> {
    make_durable(&sealed)?;
    let mut complete = Vec::new();
    let place_all = || {
        let mut folders = BTreeSet::new();
        for version in sealed {
            folders.insert(version.staged.destination.versions_folder());
            complete.push(version.complete()?);
        }
        folders.iter().try_for_each(|folder| Dir::open(folder)?.sync())
    };
    match place_all() {
        Ok(()) => Ok(complete),
        Err(error) => {
            withdraw(&complete);
            Err(error)
        }
    }
}

/// Removes versions that this run made and that nobody used, because it failed: on a full disk they would be in the way
/// of whatever comes next.
pub fn withdraw(fresh: &[CompleteVersion]) {
    for version in fresh {
        // The failure is the one to tell; a complete version that stays does no harm.
        let _ = remove_version(&version.destination, &version.name);
    }
}

/// Makes all of `sealed` durable, with one call for each filesystem they are on.
///
/// # Errors
/// When a disk reports a write error.
pub fn make_durable(sealed: &[Sealed]) -> disk::Result<()> {
    let mut written = Filesystems::default();
    for version in sealed {
        written.add(version.staged.folder.versions.descend(Path::new(""))?)?;
    }
    written.sync()
}

impl Sealed {
    /// Renames listing, record and version into place, the version last.
    ///
    /// # Errors
    /// When the disk says no. What was renamed before the version is swept by the next run.
    pub fn complete(self) -> disk::Result<CompleteVersion> {
        let Staged { folder, inner, destination, listing, .. } = self.staged;
        let name = self.name.to_string();
        let place = |from: &str, to: &str| folder.folder.rename(from, &folder.versions, to);
        if listing.is_some() {
            place(&format!("{inner}.files"), &FileListing::file_name(&name))?;
        }
        place(&format!("{inner}.json"), &Record::file_name(&name))?;
        place(&inner, &name).inspect_err(|_| {
            folder.versions.discard(Record::file_name(&name));
            folder.versions.discard(FileListing::file_name(&name));
        })?;
        Ok(CompleteVersion { destination, name: self.name })
    }
}

impl Sealed {
    /// Puts the version in the place of the damaged one of the same name, in one step where the system can.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn replace(self) -> disk::Result<CompleteVersion> {
        let versions = &self.staged.folder.versions;
        let name = self.name.to_string();
        if versions.stat(&name)?.is_some() {
            // What was there goes with the staging folder.
            let (folder, inner) = (&self.staged.folder.folder, &self.staged.inner);
            if !folder.exchange(inner, versions, &name)? {
                versions.rename(&name, folder, "damaged")?;
                folder.rename(inner, versions, &name).inspect_err(|_| {
                    // A damaged version is better than none; what failed is told either way.
                    let _ = folder.rename("damaged", versions, &name);
                })?;
            }
            let Staged { folder, inner, destination, listing, .. } = self.staged;
            if listing.is_some() {
                let from = format!("{inner}.files");
                folder.folder.rename(from, &folder.versions, FileListing::file_name(&name))?;
            }
            folder.folder.rename(format!("{inner}.json"), &folder.versions, Record::file_name(&name))?;
            return Ok(CompleteVersion { destination, name: self.name });
        }
        self.complete()
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

/// Removes one version: out of sight in one rename, then its record, then its files. What a kill interrupts is
/// swept by the next run.
///
/// # Errors
/// When something of it may not be removed.
pub fn remove_version(destination: &Destination, version: &VersionName) -> disk::Result<()> {
    let versions = Dir::open(&destination.versions_folder())?;
    let name = version.to_string();
    let trash = format!("{STAGING}removed-{}-{name}", std::process::id());
    match versions.rename(&name, &versions, &trash) {
        Err(error) if !error.is_not_found() => return Err(error),
        _ => {}
    }
    for file in [Record::file_name(&name), FileListing::file_name(&name)] {
        match versions.remove(file) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    versions.remove_all(&trash)
}
