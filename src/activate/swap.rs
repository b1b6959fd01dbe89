//! One link and its journal entry: applied by rename, and put back from whatever state a kill left.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, Folders};
use crate::version::DistInfo;

/// What happens to the link at one destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PendingSwap {
    pub(super) destination: PathBuf,
    /// Text of the link before; `None` where none was.
    pub(super) from: Option<PathBuf>,
    /// Text of the link after; `None` where it is removed.
    pub(super) to: Option<PathBuf>,
    /// Name of the version it then leads to, directly or through its group.
    pub(super) version: Option<String>,
    /// What is said of it, if that is not what its record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) info: Option<DistInfo>,
    /// Name that what stood there gets, if it was no link of a deployment.
    pub(super) aside: Option<String>,
    /// True for a link through a group, which shows the new version only after the group's flip.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) grouped: bool,
}

impl PendingSwap {
    /// Opens the destination's folder.
    fn open(&self, folders: &mut Folders) -> disk::Result<(Arc<Dir>, &Path)> {
        let base = Path::new(self.destination.file_name().unwrap_or_default());
        let folder = self.destination.parent().unwrap_or(Path::new("/"));
        Ok((folders.open(folder)?, base))
    }

    /// Makes the new link beside the destination, which takes all the room that the swap needs.
    pub(super) fn prepare(&self, folders: &mut Folders) -> disk::Result<()> {
        match &self.to {
            Some(to) if self.aside.is_none() && self.from.as_ref() != Some(to) => {
                let (folder, base) = self.open(folders)?;
                let temporary = temporary(base);
                remove_link(&folder, &temporary)?;
                folder.symlink(to, &temporary)
            }
            _ => Ok(()),
        }
    }

    /// Swaps the link.
    pub(super) fn apply(&self, folders: &mut Folders) -> disk::Result<()> {
        let (folder, base) = self.open(folders)?;
        match (&self.to, &self.aside) {
            (Some(to), _) if self.from.as_ref() == Some(to) => Ok(()),
            (Some(to), Some(aside)) => adopt(&folder, base, to, aside),
            (Some(_), None) => folder.rename(temporary(base), &folder, base),
            (None, _) => remove_if_there(&folder, base),
        }
    }

    /// Puts back what was there, from whatever state [`PendingSwap::apply`] was stopped in.
    pub(super) fn revert(&self, folders: &mut Folders) -> disk::Result<()> {
        let (folder, base) = match self.open(folders) {
            Ok(opened) => opened,
            // Where the folder is gone there is no link to put back.
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        remove_link(&folder, &temporary(base))?;
        let now = folder.read_link(base)?;
        if let Some(aside) = &self.aside {
            let is_ours = folder.read_link(aside)? == self.to;
            let is_moved = !is_ours && folder.stat(aside)?.is_some();
            let stands = folder.stat(base)?.is_some();
            return match (is_moved, stands) {
                (true, true) if now == self.to => {
                    if folder.exchange(aside, &folder, base)? {
                        return folder.remove(aside);
                    }
                    folder.remove(base)?;
                    folder.rename(aside, &folder, base)
                }
                (true, false) => folder.rename(aside, &folder, base),
                // The link was made under the other name, and nothing traded places yet.
                (false, _) if is_ours => folder.remove(aside),
                _ => Ok(()),
            };
        }
        match &self.from {
            // Somebody else's link that came in between is theirs.
            _ if now != self.to => Ok(()),
            Some(from) if now.as_ref() == Some(from) => Ok(()),
            Some(from) => point(&folder, base, from),
            None => remove_if_there(&folder, base),
        }
    }
}

/// Name of a link before it is renamed over the destination. It is the same in every run, so that what a killed
/// run left is found.
fn temporary(base: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(base);
    name.push(".next");
    PathBuf::from(name)
}

/// Makes `base` a link with the text `to`, by rename: there is never a moment without a link.
fn point(folder: &Dir, base: &Path, to: &Path) -> disk::Result<()> {
    let temporary = temporary(base);
    remove_link(folder, &temporary)?;
    folder.symlink(to, &temporary)?;
    folder.rename(&temporary, folder, base).inspect_err(|_| folder.discard(&temporary))
}

/// Makes `base` a link with the text `to`, and gives what stood there the name `aside`: in one step where the
/// system lets two names trade places.
fn adopt(folder: &Dir, base: &Path, to: &Path, aside: &str) -> disk::Result<()> {
    folder.symlink(to, aside)?;
    if folder.exchange(aside, folder, base)? {
        return Ok(());
    }
    folder.remove(aside)?;
    folder.rename(base, folder, aside)?;
    point(folder, base, to)
}

/// Removes what a killed run left under a temporary name: a link. Anything else is somebody's.
fn remove_link(folder: &Dir, name: &Path) -> disk::Result<()> {
    if folder.read_link(name)?.is_some() { folder.remove(name) } else { Ok(()) }
}

pub(super) fn remove_if_there(folder: &Dir, base: &Path) -> disk::Result<()> {
    match folder.remove(base) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
