//! Which versions have had their time.

use super::{Report, Session, Switch};
use crate::activate::Removal;
use crate::causes::chain;
use crate::disk::Dir;
use crate::history::{History, Rollout};
use crate::plan::{Action, beyond_keep};
use crate::version::{Shelves, VersionName, is_in_use};

/// Takes those that are in use out of `versions`, which are in the folder `dir`. Where that cannot be told it is for the
/// removal to find out, which looks again.
pub(super) fn used(dir: Option<&Dir>, versions: &mut Vec<VersionName>) -> Vec<VersionName> {
    let is_used = |version: &VersionName| dir.is_some_and(|dir| is_in_use(dir, version).unwrap_or(false));
    let (used, free) = versions.drain(..).partition(is_used);
    *versions = free;
    used
}

impl Session {
    /// The versions beyond `keep` of the destinations that `rollout` changes, which are removed once it counts. That it
    /// cannot be told which these are is no reason not to deploy.
    pub(super) fn outlived(&self, rollout: &Rollout, about: &Switch, report: &mut Report) -> Vec<Removal> {
        let Report { items, pruned, in_use, warnings, .. } = report;
        let activations = self.history.activations_with(rollout);
        let mut shelves = Shelves::default();
        let mut removals = Vec::new();
        for item in items.iter().filter(|item| item.action.is_change()) {
            let Some(keep) = about.keep.get(&item.target).copied() else { continue };
            let active = match &item.action {
                Action::Create { name, .. } | Action::Relink { to: name, .. } if !about.version_only => {
                    Some(name)
                }
                _ => item.from.as_ref(),
            };
            // Active, previous and what is kept: with so few versions there is nothing beyond.
            let few = keep.saturating_add(2);
            let is_few = shelves.names(&item.destination).is_ok_and(|names| keep == 0 || names.len() <= few);
            if active.is_none() || is_few {
                continue;
            }
            let stored = match shelves.versions(&item.destination) {
                Ok(stored) => stored,
                Err(error) => {
                    warnings.push(chain(&error));
                    continue;
                }
            };
            let earlier = History::earlier(&activations, &item.destination, active);
            let mut versions = beyond_keep(&stored, active, earlier.first(), keep);
            let path = item.destination.path().to_owned();
            let used = used(shelves.dir(&item.destination).ok().flatten().as_deref(), &mut versions);
            in_use.extend(used.into_iter().map(|version| (path.clone(), version)));
            removals.push(Removal {
                destination: path.clone(),
                versions: versions.iter().map(ToString::to_string).collect(),
                insists: false,
                made: match &item.action {
                    Action::Create { name, .. } => Some(name.to_string()),
                    _ => None,
                },
            });
            pruned.extend(versions.into_iter().map(|version| (path.clone(), version)));
        }
        removals
    }
}
