//! From a staged version to one that everybody sees: sealed with its record and listing, made durable, renamed into
//! place.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::{CompleteVersion, StagingFolder, Trash};
use crate::disk::{self, Dir, Filesystems};
use crate::version::{Destination, FileListing, Record, VersionName};

/// A staged version with its final name, record and listing: all that is missing is that it is durable.
#[derive(Debug)]
pub struct Sealed {
    pub(super) folder: Arc<StagingFolder>,
    /// Name inside the staging folder.
    pub(super) inner: String,
    pub(super) destination: Destination,
    pub(super) name: VersionName,
    /// A version that distman made has no record, and neither has a copy of it.
    pub(super) has_record: bool,
    pub(super) has_listing: bool,
}

/// Makes all of `sealed` durable and visible, or none of it.
///
/// # Errors
/// When the disk says no.
pub fn complete(sealed: Vec<Sealed>) -> disk::Result<Vec<CompleteVersion>> {
    let versions: Vec<(Destination, VersionName)> =
        sealed.iter().map(|version| (version.destination.clone(), version.name.clone())).collect();
    let place_all = || {
        let complete = make_durable(sealed)?.into_iter().map(Durable::complete).collect::<Result<_, _>>()?;
        let folders: BTreeSet<PathBuf> =
            versions.iter().map(|(destination, _)| destination.versions_folder()).collect();
        folders.iter().try_for_each(|folder| Dir::open(folder)?.sync())?;
        Ok(complete)
    };
    place_all().inspect_err(|_| take_back(versions.iter().map(|(destination, name)| (destination, name))))
}

/// Removes versions that this run made and that nobody used, because it failed: on a full disk they would be in the way
/// of whatever comes next.
pub fn withdraw(fresh: &[CompleteVersion]) {
    take_back(fresh.iter().map(|version| (&version.destination, &version.name)));
}

fn take_back<'v>(versions: impl Iterator<Item = (&'v Destination, &'v VersionName)>) {
    // The failure is the one to tell; a complete version that stays does no harm.
    let mut trash = Trash::default();
    versions.for_each(|(destination, name)| drop(trash.add(destination, name, true)));
    let _ = trash.empty();
}

/// A version whose bytes are durable, and with them the names of its record and listing: all that is missing is its
/// own name. A version is never seen without them, whatever order a disk keeps.
#[derive(Debug)]
pub struct Durable(Sealed);

/// Names the records and listings of `sealed`, where no version of that name is there, and makes all of them durable,
/// with one call for each filesystem they are on.
///
/// # Errors
/// When a disk says no. Records without their versions are swept by the next run.
pub fn make_durable(sealed: Vec<Sealed>) -> disk::Result<Vec<Durable>> {
    let mut written = Filesystems::default();
    for version in &sealed {
        if !version.is_repair()? {
            version.name_record()?;
        }
        written.add(&version.folder.versions)?;
    }
    written.sync()?;
    Ok(sealed.into_iter().map(Durable).collect())
}

impl Sealed {
    /// True if a version of this name is there, whose record must stay whole until this one can take its place.
    ///
    /// # Errors
    /// When the folder cannot be searched.
    pub fn is_repair(&self) -> disk::Result<bool> {
        Ok(self.folder.versions.stat(self.name.to_string())?.is_some())
    }

    fn name_record(&self) -> disk::Result<()> {
        let name = self.name.to_string();
        let place = |from: String, to: String| self.folder.folder.rename(from, &self.folder.versions, to);
        if self.has_listing {
            place(format!("{}.files", self.inner), FileListing::file_name(&name))?;
        }
        if self.has_record { place(format!("{}.json", self.inner), Record::file_name(&name)) } else { Ok(()) }
    }

    /// Removes what is said of a version of this name and will not be said of this one.
    fn remove_record(&self) -> disk::Result<()> {
        let name = self.name.to_string();
        let remove = |file: String| match self.folder.versions.remove(file) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        };
        if !self.has_record {
            remove(Record::file_name(&name))?;
        }
        if self.has_listing { Ok(()) } else { remove(FileListing::file_name(&name)) }
    }
}

impl Durable {
    /// Renames the version into place.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn complete(self) -> disk::Result<CompleteVersion> {
        let Sealed { folder, inner, destination, name, .. } = self.0;
        folder.folder.rename(inner, &folder.versions, name.to_string())?;
        Ok(CompleteVersion { destination, name })
    }

    /// Puts the version in the place of the damaged one of the same name, in one step where the system can, and makes
    /// that durable before the files of the damaged one go.
    ///
    /// # Errors
    /// When the disk says no.
    pub fn replace(self) -> disk::Result<CompleteVersion> {
        let staging = Arc::clone(&self.0.folder);
        let (versions, folder) = (&staging.versions, &staging.folder);
        if !self.0.is_repair()? {
            let complete = self.complete()?;
            return versions.sync().map(|()| complete);
        }
        self.0.name_record()?;
        self.0.remove_record()?;
        let Sealed { inner, destination, name, .. } = self.0;
        let text = name.to_string();
        // What was there goes with the staging folder.
        if !folder.exchange(&inner, versions, &text)? {
            versions.rename(&text, folder, "damaged")?;
            folder.rename(&inner, versions, &text).inspect_err(|_| {
                // A damaged version is better than none; what failed is told either way.
                let _ = folder.rename("damaged", versions, &text);
            })?;
        }
        versions.sync()?;
        Ok(CompleteVersion { destination, name })
    }
}
