//! Activation: all symlinks of a rollout are swapped by rename, under a journal, or none is.
//!
//! `pending.json` exists only while links are being swapped. It holds everything that is needed to put the links
//! back or to finish: a run that finds it asks the history whether the rollout counts. If it does, what is left
//! to do is done; if not, every link goes back to what it was.

mod afterwork;
mod group;
mod reach;
mod recover;
mod swap;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, DiskError, Folders, Shown};
use crate::history::{self, Rollout};
use crate::root::{Deployed, Root};
use crate::stage::CompleteVersion;
use crate::version::{Destination, DistInfo, GROUPS};

pub use afterwork::Removal;
use group::Group;
pub use recover::{Recovered, is_pending, recover};
use recover::{afterwork, complete, finish, sync_folders, undo};
use swap::PendingSwap;

/// Name of the journal in the root's own folder.
pub const PENDING: &str = "pending.json";

/// Why links could not be swapped, or a killed run's traces not be cleared.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
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
    /// Something that was left in the root's own folder leads where it must not.
    #[error("`{}` leads out of the root, or to what is no version", Shown(path))]
    Astray {
        /// The file's path.
        path: PathBuf,
    },
}

impl ActivateError {
    /// What the disk said, if that is why.
    pub fn disk_error(&self) -> Option<&DiskError> {
        match self {
            Self::Disk(error) => Some(error),
            Self::Undone(error) | Self::Stuck(error) => error.disk_error(),
            Self::Damaged { .. } | Self::Astray { .. } => None,
        }
    }
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
    /// The destination.
    pub fn destination(&self) -> &Destination {
        match self {
            Self::To(version) => version.destination(),
            Self::Remove(destination) => destination,
        }
    }

    /// The version it leads to.
    fn version(&self) -> Option<String> {
        match self {
            Self::To(version) => Some(version.name().to_string()),
            Self::Remove(_) => None,
        }
    }

    fn text(&self) -> Option<PathBuf> {
        self.version().map(|version| Destination::link_text(&version))
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removals: Vec<Removal>,
    swaps: Vec<PendingSwap>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    flips: Vec<Flip>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    launch: Option<Deployed>,
}

/// A group that is flipped.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Flip {
    /// The group's folder.
    group: PathBuf,
    /// The generation that shows what was there before, for every destination of the group.
    from: Option<String>,
    /// The generation after.
    to: String,
}

/// Swapped links that can still be put back. Dropping it does not: what becomes of them is said with
/// [`Activated::commit`] or [`Activated::undo`], and by the next run if this one dies first.
#[derive(Debug)]
#[must_use]
pub struct Activated<'m> {
    meta: &'m Dir,
    pending: Pending,
    is_journalled: bool,
}

/// What is activated, and how.
#[derive(Debug)]
pub struct Activation<'a> {
    /// The root.
    pub root: &'a Root,
    /// The rollout, as it will stand in the history.
    pub rollout: Rollout,
    /// Who answers for it, for dist info.
    pub author: Option<String>,
    /// What happens to each link.
    pub swaps: &'a [Swap],
    /// What happens to records once the rollout counts.
    pub marks: Vec<Mark>,
    /// Which versions are removed once the rollout counts.
    pub removals: Vec<Removal>,
    /// Destinations whose present content is moved aside.
    pub adopt: &'a [Destination],
    /// What is said of destinations, where that is known otherwise than from records.
    pub infos: &'a BTreeMap<Destination, DistInfo>,
    /// Destinations that flip together, with the name of their group.
    pub groups: &'a BTreeMap<Destination, String>,
    /// What the launch record says of it once the rollout counts.
    pub launch: Option<Deployed>,
}

/// Writes the journal and swaps every link. Where no link is swapped there is nothing to put back: a full disk has no
/// room for a journal, and versions can still be removed.
///
/// # Errors
/// When the disk says no; every link is then as it was.
pub fn activate<'m>(meta: &'m Dir, what: Activation<'_>) -> Result<Activated<'m>> {
    let Activation { root, rollout, author, swaps, marks, removals, adopt, infos, groups, launch } = what;
    let (mine, flips) = (Vec::new(), Vec::new());
    let mut pending = Pending { format: 1, rollout, author, marks, removals, swaps: mine, flips, launch };
    let mut members: BTreeMap<&str, Vec<&Swap>> = BTreeMap::new();
    let mut folders = Folders::default();
    for swap in swaps {
        let destination = swap.destination();
        let folder = folders.create_all(destination.folder())?;
        let aside = if adopt.contains(destination) {
            Some(free_name(&folder, destination, pending.rollout.number)?)
        } else {
            None
        };
        let group = match swap {
            Swap::To(_) => groups.get(destination),
            Swap::Remove(_) => None,
        };
        let to = match group {
            Some(group) => {
                members.entry(group).or_default().push(swap);
                let path = meta.path().join(GROUPS).join(group);
                Some(group::text_through(root, &path, destination))
            }
            None => swap.text(),
        };
        pending.swaps.push(PendingSwap {
            destination: destination.path().to_owned(),
            from: if aside.is_some() { None } else { present_link(&folder, destination)? },
            to,
            version: swap.version(),
            info: infos.get(destination).cloned(),
            aside,
            grouped: group.is_some(),
        });
    }
    for (group, members) in members {
        pending.flips.push(prepare_flip(meta, root, group, &members, pending.rollout.number)?);
    }
    let journalled = complete(meta).and_then(|()| Ok(write_journal(meta, &pending)?));
    let is_full = |error: &ActivateError| error.disk_error().is_some_and(DiskError::is_full);
    let is_journalled = match journalled {
        Ok(()) => true,
        Err(error) if pending.swaps.is_empty() && is_full(&error) => false,
        Err(error) => return Err(error),
    };
    let activated = Activated { meta, pending, is_journalled };
    match activated.swap_all() {
        Ok(()) => Ok(activated),
        Err(error) => Err(activated.undone(error)),
    }
}

/// The text of the link at `destination`. What has come to stand there since the plan was made is nobody's to
/// replace.
fn present_link(folder: &Dir, destination: &Destination) -> disk::Result<Option<PathBuf>> {
    let text = folder.read_link(destination.base())?;
    if text.is_none() && folder.stat(destination.base())?.is_some() {
        let source = std::io::Error::from(std::io::ErrorKind::AlreadyExists);
        return Err(DiskError { act: "replace", path: destination.path().to_owned(), source });
    }
    Ok(text)
}

/// A name for what stands at `destination` that nothing else has.
fn free_name(folder: &Dir, destination: &Destination, number: u64) -> disk::Result<String> {
    let name = format!("{}.before-r{number}", destination.base());
    let mut free = name.clone();
    for serial in 1.. {
        if folder.stat(&free)?.is_none() {
            break;
        }
        free = format!("{name}-{serial}");
    }
    Ok(free)
}

/// Makes the generations that a group flips from and to: the first shows what is there now, also for members that
/// join with this rollout, so that their links can be led through the group without anybody noticing.
fn prepare_flip(meta: &Dir, root: &Root, id: &str, members: &[&Swap], number: u64) -> Result<Flip> {
    let group = Group::open(meta, id)?;
    let current = group.current()?;
    let mut before = group.links(current.as_deref())?;
    let mut folders = Folders::default();
    let mut after = before.clone();
    for swap in members {
        let destination = swap.destination();
        let slot = group::slot(destination);
        match group::present(root, group.path(), destination, &mut folders)? {
            Some(text) => before.insert(slot.clone(), text),
            // What a deleted destination left in the group must not come back for a moment.
            None => before.remove(&slot),
        };
        if let Some(version) = swap.version() {
            after.insert(slot, group::text_to(root, group.path(), destination, &version));
        }
    }
    let from = if before.is_empty() { None } else { Some(group.generation(&before, number, "a")?) };
    let to = group.generation(&after, number, "")?;
    Ok(Flip { group: group.path().to_owned(), from, to })
}

fn write_journal(meta: &Dir, pending: &Pending) -> disk::Result<()> {
    let bytes = serde_json::to_vec(pending).expect("paths of destinations are UTF-8");
    let written = meta.replace_file(PENDING, &bytes).and_then(|()| meta.sync());
    // No link was touched yet, so that a journal that stays would do no harm.
    written.inspect_err(|_| meta.discard(PENDING))
}

impl Activated<'_> {
    fn swap_all(&self) -> Result<()> {
        // What takes room is done before anything is switched, so that putting back takes none.
        let mut folders = Folders::default();
        self.pending.swaps.iter().try_for_each(|swap| swap.prepare(&mut folders))?;
        // What stands at a destination that is adopted keeps standing there until its group shows the version.
        let is_early = |swap: &&PendingSwap| swap.grouped && swap.aside.is_none();
        for flip in &self.pending.flips {
            Group::open_at(&flip.group)?.flip(flip.from.as_deref())?;
        }
        self.pending.swaps.iter().filter(is_early).try_for_each(|swap| swap.apply(&mut folders))?;
        // A destination that joins must not be found behind after its group was flipped.
        sync_folders(self.pending.swaps.iter().filter(is_early))?;
        for flip in &self.pending.flips {
            Group::open_at(&flip.group)?.flip(Some(&flip.to))?;
        }
        let mut late = self.pending.swaps.iter().filter(|swap| !is_early(swap));
        late.try_for_each(|swap| swap.apply(&mut folders))?;
        Ok(sync_folders(&self.pending.swaps)?)
    }

    /// Makes the rollout count: the history line first, then dist info, marks, removals and the change stamp.
    ///
    /// # Errors
    /// When the history line could not be written; every link is then as it was. A failure after it is no
    /// failure of the rollout and is returned as a value: what is left to do is kept for the next run.
    pub fn commit(self) -> Result<Vec<ActivateError>> {
        if !self.is_journalled {
            let rollout = self.pending.rollout.clone();
            // Removed first: the line may need the room.
            let errors = afterwork(self.pending).run(self.meta)?;
            history::append(self.meta, &rollout)?;
            return Ok(errors);
        }
        if let Err(error) = history::append(self.meta, &self.pending.rollout) {
            return Err(self.undone(error.into()));
        }
        // From here on the rollout counts; the next run completes what this one cannot.
        Ok(finish(self.meta, self.pending).unwrap_or_else(|error| vec![error]))
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
        if self.is_journalled { undo(self.meta, &self.pending) } else { Ok(()) }
    }

    /// The rollout, as it will stand in the history.
    pub fn rollout(&self) -> &Rollout {
        &self.pending.rollout
    }
}
