//! Looking at a version that is on disk before it is activated.

use super::{Result, RolloutError};
use crate::disk::{Shown, on_disk};
use crate::plan::{Action, Item, Refusal};
use crate::version::{Checked, Difference, Record, Shelves, glance};

/// As [`refuse_damaged`], for all of `items`.
///
/// # Errors
/// When a `versions/` folder cannot be read.
pub(super) fn refuse_all_damaged(items: &mut [Item]) -> Result<()> {
    let mut shelves = Shelves::default();
    items.iter_mut().try_for_each(|item| refuse_damaged(item, &mut shelves))
}

/// Refuses the activation of a version that is damaged, at a glance: see [`glance`]. Versions that distman made are
/// taken as they are.
///
/// # Errors
/// When the `versions/` folder cannot be read.
pub(super) fn refuse_damaged(item: &mut Item, shelves: &mut Shelves) -> Result<()> {
    let Action::Relink { to, .. } = &item.action else { return Ok(()) };
    // That it is gone is told when it is activated.
    let Some(versions) = shelves.dir(&item.destination)? else { return Ok(()) };
    let name = to.to_string();
    let checked = match Record::read(&versions, &name).map_err(RolloutError::from)? {
        Some(record) => glance(&versions, to, &record),
        None if Record::is_damaged(&versions, &name)? => {
            let differences = vec![Difference::of_all("its record is damaged")];
            Checked { differences, ..Checked::default() }
        }
        None => return Ok(()),
    };
    if checked.unread > 0 {
        item.warnings.push(format!(
            "{} files of version {} have other times than they were deployed with, too many to read now: \
             `git dist verify` does",
            checked.unread,
            to.tail()
        ));
    }
    if let Some(Difference { path, what }) = checked.differences.into_iter().next() {
        let path = (!path.is_empty()).then(|| Shown(on_disk(&path)).to_string());
        item.action = Action::Refuse(Refusal::Damaged { version: to.clone(), path, what });
    }
    Ok(())
}
