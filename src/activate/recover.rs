//! Undoing and finishing: of a rollout that failed or counted, and of what a killed run left.

use std::collections::BTreeSet;
use std::path::Path;

use super::afterwork::{Afterwork, UNFINISHED};
use super::group::Group;
use super::reach::read_journal;
use super::swap::PendingSwap;
use super::{ActivateError, PENDING, Pending, Result};
use crate::disk::{self, Dir, Folders};
use crate::history::History;
use crate::plan::Kind;
use crate::root::LaunchChange;

/// Makes the folders of links that changed durable.
pub(super) fn sync_folders<'s>(swaps: impl IntoIterator<Item = &'s PendingSwap>) -> disk::Result<()> {
    let changed = swaps.into_iter().filter(|swap| swap.from != swap.to);
    let folders: BTreeSet<&Path> = changed.filter_map(|swap| swap.destination.parent()).collect();
    folders.into_iter().try_for_each(|folder| Dir::open(folder)?.sync())
}

/// Puts every link back, and ends the journal.
pub(super) fn undo(meta: &Dir, pending: &Pending) -> Result<()> {
    // The groups first: members that joined are then shown what they showed before.
    for flip in &pending.flips {
        if let Some(group) = Group::at(&flip.group)? {
            group.flip(flip.from.as_deref())?;
        }
    }
    // Links that were new go first: on a full disk they leave room for those that come back.
    let (new, old): (Vec<_>, Vec<_>) = pending.swaps.iter().partition(|swap| swap.from.is_none());
    let mut folders = Folders::default();
    new.into_iter().chain(old).try_for_each(|swap| swap.revert(&mut folders))?;
    sync_folders(&pending.swaps)?;
    meta.remove(PENDING)?;
    meta.sync()?;
    Ok(())
}

/// Does what is left once the rollout counts, as far as it can be done, and ends the journal. The errors say what
/// could not be.
pub(super) fn finish(meta: &Dir, pending: Pending) -> Result<Vec<ActivateError>> {
    let errors = afterwork(pending).run(meta)?;
    // If a power cut brings it back, all of this is done once more, to no effect: the next rollout's own journal makes
    // durable that this one is gone.
    meta.remove(PENDING)?;
    Ok(errors)
}

/// What `pending` leaves to do once it counts.
pub(super) fn afterwork(pending: Pending) -> Afterwork {
    let mut afterwork = Afterwork::new(pending.marks, pending.removals);
    let mut launch = LaunchChange { deployed: pending.launch, ..LaunchChange::default() };
    for swap in &pending.swaps {
        match (pending.rollout.kind, &swap.version) {
            (Kind::Rollback | Kind::Use | Kind::Reset, Some(_)) => {
                launch.chosen.push(swap.destination.clone());
            }
            (_, None) => launch.removed.push(swap.destination.clone()),
            _ => {}
        }
    }
    afterwork.launch(launch);
    for swap in pending.swaps {
        afterwork.info(swap.destination, swap.version, (pending.author.clone(), swap.info));
    }
    for flip in pending.flips {
        afterwork.group(flip.group);
    }
    afterwork
}

/// What [`recover`] found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovered {
    /// No run was killed.
    Nothing,
    /// What earlier rollouts could not do after they counted was done.
    TidiedUp,
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

/// True if a killed run left its journal, or one that counted left something undone.
///
/// # Errors
/// When the folder cannot be searched.
pub fn is_pending(meta: &Dir) -> disk::Result<bool> {
    Ok(meta.stat(PENDING)?.is_some() || meta.stat(UNFINISHED)?.is_some())
}

/// Finishes or undoes what a killed run left. The caller holds the lock. Where the disk has no room for finishing, the
/// journal stays: versions can be removed then, but no link be switched.
///
/// # Errors
/// When the journal is damaged or the disk says no to undoing.
pub fn recover(meta: &Dir, history: &History) -> Result<Recovered> {
    let Some(pending) = read_journal(meta)? else { return tidy_up(meta) };
    let number = pending.rollout.number;
    if history.contains(number) {
        let finished = finish(meta, pending).is_ok();
        return Ok(if finished { Recovered::Completed { number } } else { Recovered::Nothing });
    }
    undo(meta, &pending)?;
    Ok(Recovered::Undone { number })
}

/// Finishes what [`recover`] could not, which is a rollout that counts: its journal must not be lost.
pub(super) fn complete(meta: &Dir) -> Result<()> {
    if let Some(pending) = read_journal(meta)? {
        finish(meta, pending)?;
    }
    Ok(())
}

/// Does what rollouts that counted had to leave, as far as it can be done now. Where not even the rest can be written
/// down, the whole of it stays.
fn tidy_up(meta: &Dir) -> Result<Recovered> {
    if meta.stat(UNFINISHED)?.is_none() {
        return Ok(Recovered::Nothing);
    }
    let is_done = Afterwork::default().run(meta).is_ok_and(|errors| errors.is_empty());
    Ok(if is_done { Recovered::TidiedUp } else { Recovered::Nothing })
}
