//! Looking at a version that is on disk before it is activated.

use super::{Result, RolloutError};
use crate::disk::{Dir, Shown, on_disk};
use crate::plan::{Action, Item, Refusal};
use crate::version::{Checked, Difference, Record, glance};

/// Refuses the activation of a version that is damaged, at a glance: see [`glance`]. Versions that distman made are
/// taken as they are.
///
/// # Errors
/// When the `versions/` folder cannot be read.
pub(super) fn refuse_damaged(item: &mut Item) -> Result<()> {
    let Action::Relink { to, .. } = &item.action else { return Ok(()) };
    let versions = match Dir::open(&item.destination.versions_folder()) {
        Ok(versions) => versions,
        // It is told when it is activated.
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
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
