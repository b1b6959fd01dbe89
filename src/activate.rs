//! Activation: all symlinks of a rollout are swapped by rename, under a journal, or none is.
//!
//! `pending.json` exists only while links are being swapped. It holds everything that is needed to put the links
//! back or to finish: a run that finds it asks the history whether the rollout counts. If it does, what is left
//! to do is done; if not, every link goes back to what it was.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, DiskError, Shown};
use crate::history::{self, History, Rollout};
use crate::root::bump_epoch;
use crate::stage::CompleteVersion;
use crate::version::{Destination, DistInfo, Record, RecordError};

/// Name of the journal in the root's own folder.
pub const PENDING: &str = "pending.json";

/// Why links could not be swapped, or a killed run's traces not be cleared.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A record could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Links had been swapped; every one is back as it was.
    #[error("the rollout failed and was undone")]
    Undone(#[source] Box<ActivateError>),
    /// Links had been swapped, and putting them back failed too.
    #[error("the rollout failed, and undoing it failed as well: the next run finishes that")]
    Stuck(#[source] Box<ActivateError>),
    /// The journal of a killed run cannot be understood.
    #[error("the journal `{}` is damaged", Shown(path))]
    Damaged {
        /// The journal's path.
        path: PathBuf,
        /// What the reader stumbled over.
        #[source]
        source: serde_json::Error,
    },
}

type Result<T, E = ActivateError> = std::result::Result<T, E>;

/// What happens to the link at one destination.
#[derive(Clone, Debug)]
pub enum Swap {
    /// It leads to this version from now on.
    To(CompleteVersion),
    /// It is removed.
    Remove(Destination),
}

impl Swap {
    fn destination(&self) -> &Destination {
        match self {
            Self::To(version) => version.destination(),
            Self::Remove(destination) => destination,
        }
    }

    fn text(&self) -> Option<PathBuf> {
        match self {
            Self::To(version) => Some(Destination::link_text(&version.name().to_string())),
            Self::Remove(_) => None,
        }
    }
}

/// What a version's record becomes when the rollout counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The destination.
    pub destination: PathBuf,
    /// The version.
    pub version: String,
    /// The reason it is bad; `None` takes a mark away.
    pub bad: Option<String>,
}

/// The journal: what is being done, and what was there before.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Pending {
    format: u32,
    rollout: Rollout,
    author: Option<String>,
    marks: Vec<Mark>,
    swaps: Vec<PendingSwap>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PendingSwap {
    destination: PathBuf,
    /// Text of the link before; `None` where none was.
    from: Option<PathBuf>,
    /// Text of the link after; `None` where it is removed.
    to: Option<PathBuf>,
    /// Name that what stood there gets, if it was no link of a deployment.
    aside: Option<String>,
}

/// Swapped links that can still be put back. Dropping it does not: what becomes of them is said with
/// [`Activated::commit`] or [`Activated::undo`], and by the next run if this one dies first.
#[derive(Debug)]
#[must_use]
pub struct Activated<'m> {
    meta: &'m Dir,
    pending: Pending,
}

/// Writes the journal and swaps every link. `adopt` names the destinations whose present content is moved aside.
///
/// # Errors
/// When the disk says no; every link is then as it was.
pub fn activate<'m>(
    meta: &'m Dir,
    rollout: Rollout,
    author: Option<String>,
    swaps: &[Swap],
    marks: Vec<Mark>,
    adopt: &[Destination],
) -> Result<Activated<'m>> {
    let mut pending = Pending { format: 1, rollout, author, marks, swaps: Vec::new() };
    for swap in swaps {
        let destination = swap.destination();
        let folder = Dir::create_all(destination.folder())?;
        let aside = adopt
            .contains(destination)
            .then(|| format!("{}.before-r{}", destination.base(), pending.rollout.number));
        pending.swaps.push(PendingSwap {
            destination: destination.path().to_owned(),
            from: if aside.is_some() { None } else { folder.read_link(destination.base())? },
            to: swap.text(),
            aside,
        });
    }
    write_journal(meta, &pending)?;
    let activated = Activated { meta, pending };
    match activated.swap_all() {
        Ok(()) => Ok(activated),
        Err(error) => Err(activated.undone(error)),
    }
}

fn write_journal(meta: &Dir, pending: &Pending) -> disk::Result<()> {
    let bytes = serde_json::to_vec(pending).expect("paths of destinations are UTF-8");
    meta.replace_file(PENDING, &bytes)?;
    meta.sync()
}

impl Activated<'_> {
    fn swap_all(&self) -> Result<()> {
        for swap in &self.pending.swaps {
            let (folder, base) = swap.open()?;
            swap.apply(&folder, base)?;
        }
        sync_folders(&self.pending.swaps)?;
        Ok(())
    }

    /// Makes the rollout count: the history line first, then dist info, marks and the change stamp.
    ///
    /// # Errors
    /// When the history line could not be written; every link is then as it was. A failure after it is no
    /// failure of the rollout: what is left to do stays in the journal for the next run.
    pub fn commit(self) -> Result<()> {
        if let Err(error) = history::append(self.meta, &self.pending.rollout) {
            return Err(self.undone(error.into()));
        }
        // From here on the rollout counts; the next run completes what this one cannot.
        let _ = finish(self.meta, &self.pending);
        Ok(())
    }

    /// Undoes the rollout because of `error`, and says how that went.
    fn undone(&self, error: ActivateError) -> ActivateError {
        match self.undo() {
            Ok(()) => ActivateError::Undone(Box::new(error)),
            // The journal is still there, so that the next run can do what this one could not.
            Err(_second) => ActivateError::Stuck(Box::new(error)),
        }
    }

    /// Puts every link back.
    ///
    /// # Errors
    /// When the disk says no; the journal then stays, and the next run tries again.
    pub fn undo(&self) -> Result<()> {
        undo(self.meta, &self.pending)
    }

    /// The rollout, as it will stand in the history.
    pub fn rollout(&self) -> &Rollout {
        &self.pending.rollout
    }
}

impl PendingSwap {
    fn open(&self) -> disk::Result<(Dir, &Path)> {
        let base = Path::new(self.destination.file_name().unwrap_or_default());
        let folder = self.destination.parent().unwrap_or(Path::new("/"));
        Ok((Dir::open(folder)?, base))
    }

    /// Name of the link before it is renamed over the destination. It is the same in every run, so that what a
    /// killed run left is found.
    fn temporary(base: &Path) -> PathBuf {
        let mut name = std::ffi::OsString::from(".");
        name.push(base);
        name.push(".next");
        PathBuf::from(name)
    }

    fn apply(&self, folder: &Dir, base: &Path) -> disk::Result<()> {
        match (&self.to, &self.aside) {
            (Some(to), Some(aside)) => {
                // The link and what stands there trade names in one step where the system can do that.
                folder.symlink(to, aside)?;
                folder.exchange(aside, folder, base)
            }
            (Some(to), None) => point(folder, base, to),
            (None, _) => remove_link(folder, base),
        }
    }

    fn revert(&self, folder: &Dir, base: &Path) -> disk::Result<()> {
        folder.remove_all(Self::temporary(base))?;
        let now = folder.read_link(base)?;
        if let Some(aside) = &self.aside {
            let is_moved = folder.stat(aside)?.is_some() && folder.read_link(aside)? != self.to;
            if is_moved && (now.is_none() || now == self.to) {
                if now.is_some() {
                    folder.exchange(aside, folder, base)?;
                } else {
                    return folder.rename(aside, folder, base);
                }
            }
            return folder.remove_all(aside);
        }
        match &self.from {
            // Somebody else's link that came in between is theirs.
            _ if now != self.to => Ok(()),
            Some(from) => point(folder, base, from),
            None => remove_link(folder, base),
        }
    }
}

/// Makes `base` a link with the text `to`, by rename: there is never a moment without a link.
fn point(folder: &Dir, base: &Path, to: &Path) -> disk::Result<()> {
    let temporary = PendingSwap::temporary(base);
    folder.remove_all(&temporary)?;
    folder.symlink(to, &temporary)?;
    folder.rename(&temporary, folder, base).inspect_err(|_| folder.discard(&temporary))
}

fn remove_link(folder: &Dir, base: &Path) -> disk::Result<()> {
    match folder.remove(base) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

fn sync_folders(swaps: &[PendingSwap]) -> disk::Result<()> {
    let folders: BTreeSet<&Path> = swaps.iter().filter_map(|swap| swap.destination.parent()).collect();
    folders.into_iter().try_for_each(|folder| Dir::open(folder)?.sync())
}

fn undo(meta: &Dir, pending: &Pending) -> Result<()> {
    for swap in &pending.swaps {
        match swap.open() {
            Ok((folder, base)) => swap.revert(&folder, base)?,
            // Where the folder is gone there is no link to put back.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    sync_folders(&pending.swaps)?;
    meta.remove(PENDING)?;
    meta.sync()?;
    Ok(())
}

/// Does what is left once the rollout counts: dist info, marks, change stamp, and the journal's end.
fn finish(meta: &Dir, pending: &Pending) -> Result<()> {
    for swap in &pending.swaps {
        let Ok(destination) = Destination::new(swap.destination.clone()) else { continue };
        let folder = match Dir::open(destination.folder()) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error.into()),
        };
        write_info(&folder, &destination, swap.to.as_deref(), pending.author.as_deref())?;
    }
    for mark in &pending.marks {
        let Ok(destination) = Destination::new(mark.destination.clone()) else { continue };
        let versions = Dir::open(&destination.versions_folder())?;
        if let Some(record) = Record::read(&versions, &mark.version)? {
            let marked = match &mark.bad {
                Some(reason) => record.marked_bad(reason),
                None => record.marked_good(),
            };
            marked.write(&versions)?;
        }
    }
    bump_epoch(meta)?;
    meta.remove(PENDING)?;
    meta.sync()?;
    Ok(())
}

/// Writes the dist info of what is active, or removes it with the destination.
fn write_info(
    folder: &Dir,
    destination: &Destination,
    to: Option<&Path>,
    author: Option<&str>,
) -> Result<()> {
    let name = DistInfo::file_name(destination.base());
    let Some(version) = to.and_then(Path::file_name).and_then(|name| name.to_str()) else {
        remove_link(folder, Path::new(&name))?;
        return Ok(());
    };
    let versions = Dir::open(&destination.versions_folder())?;
    // A version that distman made has no record; what its info said before is no longer true.
    match Record::read(&versions, version)? {
        Some(record) => folder.replace_file(&name, DistInfo::new(&record, author).to_text().as_bytes())?,
        None => remove_link(folder, Path::new(&name))?,
    }
    Ok(())
}

/// What [`recover`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// No run was killed.
    Nothing,
    /// A killed rollout counted, and was completed.
    Completed {
        /// Its number.
        number: u64,
    },
    /// A killed rollout did not count, and was undone.
    Undone {
        /// Its number.
        number: u64,
    },
}

/// True if a killed run left its journal.
///
/// # Errors
/// When the folder cannot be searched.
pub fn is_pending(meta: &Dir) -> disk::Result<bool> {
    Ok(meta.stat(PENDING)?.is_some())
}

/// Finishes or undoes what a killed run left. The caller holds the lock.
///
/// # Errors
/// When the journal is damaged or the disk says no.
pub fn recover(meta: &Dir, history: &History) -> Result<Recovered> {
    let bytes = match meta.read_file(PENDING, 1 << 30) {
        Ok(bytes) => bytes,
        Err(error) if error.is_not_found() => return Ok(Recovered::Nothing),
        Err(error) => return Err(error.into()),
    };
    let pending: Pending = serde_json::from_slice(&bytes)
        .map_err(|source| ActivateError::Damaged { path: meta.join(PENDING), source })?;
    let number = pending.rollout.number;
    if history.contains(number) {
        finish(meta, &pending)?;
        return Ok(Recovered::Completed { number });
    }
    undo(meta, &pending)?;
    Ok(Recovered::Undone { number })
}
