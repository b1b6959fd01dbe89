//! Removing versions: out of sight at once, then away.

use super::STAGING;
use crate::disk::{self, Dir, Filesystems, Locked};
use crate::version::{Destination, FileListing, Record, VersionName};

/// Versions that are being removed: each is out of sight in one rename, and only when that is durable its record and
/// its files go. What a kill interrupts is swept by the next run.
#[derive(Debug, Default)]
pub struct Trash {
    hidden: Vec<(Destination, String)>,
    touched: Filesystems,
}

impl Trash {
    /// Takes one version out of sight, if it is there. One that is in use stays, unless somebody `insists`.
    ///
    /// # Errors
    /// When the folder may not be written.
    pub fn add(
        &mut self,
        destination: &Destination,
        version: &VersionName,
        insists: bool,
    ) -> disk::Result<()> {
        let versions = Dir::open(&destination.versions_folder())?;
        let name = version.to_string();
        // Held until it is out of sight: whoever starts a program of it meanwhile finds it gone.
        let locked = if insists { Locked::Nothing } else { versions.try_exclude(&name)? };
        if matches!(locked, Locked::Busy) {
            return Ok(());
        }
        if versions.stat(&name)?.is_some() {
            let trash = trash_name(&name);
            versions.remove_all(&trash)?;
            versions.rename(&name, &versions, trash)?;
        }
        self.touched.add(&versions)?;
        self.hidden.push((destination.clone(), name));
        Ok(())
    }

    /// Removes what is left of them.
    ///
    /// # Errors
    /// When something of it may not be removed.
    pub fn empty(self) -> disk::Result<()> {
        self.touched.sync()?;
        let empty = |(destination, name): &(Destination, String)| {
            let versions = Dir::open(&destination.versions_folder())?;
            for file in [Record::file_name(name), FileListing::file_name(name)] {
                match versions.remove(file) {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
            versions.remove_all(trash_name(name))
        };
        // One that stays keeps no other.
        self.hidden.iter().map(empty).fold(Ok(()), Result::and)
    }
}

fn trash_name(version: &str) -> String {
    format!("{STAGING}removed-{version}")
}
