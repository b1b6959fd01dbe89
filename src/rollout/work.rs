//! What a plan means for links, records and the disk.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Result, RolloutError, Switch};
use crate::activate::{Mark, Removal, Swap};
use crate::disk::Folders;
use crate::history::Change;
use crate::plan::{Action, Item};
use crate::stage::CompleteVersion;
use crate::version::{Destination, VersionName};

/// The group of each destination that flips with others.
pub(super) fn groups(
    swaps: &[Swap],
    items: &[Item],
    about: &Switch,
) -> Result<BTreeMap<Destination, String>> {
    let swapped: HashSet<&Destination> = swaps.iter().map(Swap::destination).collect();
    let mut groups = BTreeMap::new();
    let mut folders = Folders::default();
    for item in items.iter().filter(|item| swapped.contains(&item.destination)) {
        let group = match about.groups.get(&item.destination) {
            Some(asked) => asked.clone(),
            None => item.destination.group(&mut folders)?,
        };
        if let Some(group) = group {
            groups.insert(item.destination.clone(), group);
        }
    }
    Ok(groups)
}

/// What a plan's items mean for links, records and disk.
#[derive(Default)]
pub(super) struct Work {
    pub(super) swaps: Vec<Swap>,
    pub(super) marks: Vec<Mark>,
    pub(super) adopted: Vec<Destination>,
    pub(super) removals: Vec<Removal>,
    pub(super) changes: Vec<Change>,
}

impl Work {
    /// Versions that `items` want to create must be among `fresh`.
    ///
    /// # Errors
    /// When an item is refused, or a version is not on disk.
    pub(super) fn of(items: &[Item], fresh: &[CompleteVersion], version_only: bool) -> Result<Self> {
        let mut work = Self::default();
        let mut folders = Folders::default();
        let fresh: HashMap<&Destination, &CompleteVersion> =
            fresh.iter().map(|version| (version.destination(), version)).collect();
        for item in items {
            work.add(item, &fresh, version_only, &mut folders)?;
        }
        Ok(work)
    }

    fn add(
        &mut self,
        item: &Item,
        fresh: &HashMap<&Destination, &CompleteVersion>,
        version_only: bool,
        folders: &mut Folders,
    ) -> Result<()> {
        let destination = &item.destination;
        let mut change = Change {
            target: item.target.clone(),
            destination: destination.as_str().to_owned(),
            from: item.from.as_ref().map(ToString::to_string),
            to: None,
            inactive: false,
            back: 0,
            removed: Vec::new(),
        };
        let mut existing = |name| CompleteVersion::existing(destination, name, folders).map(Swap::To);
        match &item.action {
            Action::Refuse(_) => return Err(RolloutError::Refused(vec![item.clone()])),
            Action::Unchanged { .. } | Action::Skip { .. } => return Ok(()),
            Action::Create { .. } | Action::Relink { .. } if version_only => {
                change.inactive = true;
                change.to.clone_from(&change.from);
            }
            Action::Create { name, adopt } => {
                change.to = Some(name.to_string());
                match fresh.get(destination) {
                    Some(version) => self.swaps.push(Swap::To((*version).clone())),
                    None => self.swaps.push(existing(name)?),
                }
                if *adopt {
                    self.adopted.push(destination.clone());
                }
            }
            Action::Relink { to, adopt, clear_mark, mark_bad, back } => {
                change.to = Some(to.to_string());
                change.back = *back;
                self.swaps.push(existing(to)?);
                if *adopt {
                    self.adopted.push(destination.clone());
                }
                let mark = |version: &VersionName, bad| Mark {
                    destination: destination.path().to_owned(),
                    version: version.to_string(),
                    bad,
                };
                if *clear_mark {
                    self.marks.push(mark(to, None));
                }
                if let (Some(reason), Some(from)) = (mark_bad, &item.from) {
                    self.marks.push(mark(from, Some(reason.clone())));
                }
            }
            Action::Repair { version } => {
                // The link stays; what is said of it is written anew.
                if item.from.as_ref() == Some(version) {
                    self.swaps.push(existing(version)?);
                }
                change.inactive = true;
                change.to.clone_from(&change.from);
            }
            Action::Remove { versions, unlink } => {
                change.inactive = !unlink;
                change.removed = versions.iter().map(ToString::to_string).collect();
                if *unlink {
                    self.swaps.push(Swap::Remove(destination.clone()));
                } else {
                    change.to.clone_from(&change.from);
                }
                let destination = destination.path().to_owned();
                self.removals.push(Removal {
                    destination,
                    versions: change.removed.clone(),
                    insists: false,
                    made: None,
                });
            }
        }
        self.changes.push(change);
        Ok(())
    }
}
