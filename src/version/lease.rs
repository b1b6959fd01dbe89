//! Leases: a version that is in use is not removed.
//!
//! Whoever starts a program of a version holds a shared lock on the version itself, the file or the folder. A record
//! would not do: it is replaced when the version is marked. The kernel releases the lock with the last process that
//! inherited it, however that ends, so that a lease is never stale.

use std::time::Duration;

use super::{Destination, Link, VersionName};
use crate::disk::{self, Dir, Folders, Held, Kind, Locked};

/// How often a version is tried that somebody is about to remove.
const TRIES: usize = 100;
/// How long one waits between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The active version of a destination, which is not removed while this is held.
#[derive(Debug)]
pub struct Lease {
    /// The version's name.
    pub version: VersionName,
    /// The `versions/` folder it is in.
    pub versions: Dir,
    /// What the version is.
    pub kind: Kind,
    /// `None` for a version that is a link, and where the filesystem or somebody who keeps a lock allows none.
    held: Option<Held>,
}

/// Why there is no lease.
#[derive(Debug, PartialEq, Eq)]
pub enum NoLease {
    /// Nothing is deployed there, or something that no deployment put there stands there.
    NotDeployed,
    /// The version is gone.
    Gone(VersionName),
}

impl Lease {
    /// Takes a lease of what is active at `destination`: of what the link leads to after it was taken.
    ///
    /// # Errors
    /// When a folder cannot be read.
    pub fn take(destination: &Destination) -> disk::Result<Result<Self, NoLease>> {
        let (mut gone, mut tries) = (None, 0);
        loop {
            let Link::Version(version) = destination.link(&mut Folders::default())? else {
                return Ok(Err(NoLease::NotDeployed));
            };
            let name = version.to_string();
            let versions = match Dir::open(&destination.versions_folder()) {
                Ok(versions) => versions,
                Err(error) if error.is_not_found() => return Ok(Err(NoLease::Gone(version))),
                Err(error) => return Err(error),
            };
            let locked = versions.try_share(&name)?;
            let Some(stat) = versions.stat(&name)? else {
                // Removed in between, or for good.
                if gone.as_ref() == Some(&version) {
                    return Ok(Err(NoLease::Gone(version)));
                }
                gone = Some(version);
                continue;
            };
            let held = match locked {
                Locked::Held(held) if !held.is_at(&versions, &name)? => continue,
                Locked::Held(held) => Some(held),
                // Whoever removes it is done at once.
                Locked::Busy if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                    continue;
                }
                // Whoever keeps it locked keeps it from being removed too.
                Locked::Busy | Locked::Nothing => None,
            };
            if destination.link(&mut Folders::default())?.version() == Some(&version) {
                return Ok(Ok(Self { version, versions, kind: stat.kind, held }));
            }
        }
    }

    /// Lets the lease be held by the program that this process becomes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn keep_over_exec(&self) -> disk::Result<()> {
        match &self.held {
            Some(held) => held.keep_over_exec(&self.versions.join(self.version.to_string())),
            None => Ok(()),
        }
    }
}

/// True if a program of the version `name` in the folder `versions` runs, or something that it started.
///
/// # Errors
/// When it cannot be opened, though it is there and may be read.
pub fn is_in_use(versions: &Dir, name: &VersionName) -> disk::Result<bool> {
    Ok(matches!(versions.try_exclude(name.to_string())?, Locked::Busy))
}
