//! `after`: the commands that follow a switch, such as a reload and a health check.
//!
//! A rollout that they refuse is undone. What they started or reloaded knows nothing of that, so they follow the
//! undoing too: a server then serves again what is active again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Events;
use super::commands::{CheckError, Checks, after};
use crate::manifest::TargetSpec;
use crate::plan::Item;
use crate::project::Project;
use crate::version::{Record, Shelves};

/// The `after` commands of a rollout.
pub(super) struct After<'a> {
    pub(super) project: &'a Project,
    /// The deployment root, where they run.
    pub(super) root: &'a Path,
    /// What changed.
    pub(super) items: &'a [Item],
    /// What they see of the commit that was deployed; empty if none was.
    pub(super) variables: &'a BTreeMap<String, String>,
}

/// A command that failed, and of which target it is.
pub(super) struct Failure {
    pub(super) target: String,
    pub(super) source: CheckError,
}

impl After<'_> {
    /// Runs the commands of every target of which something was switched.
    pub(super) fn run(&self, events: &dyn Events) -> Result<(), Failure> {
        for (spec, item) in self.targets() {
            let mut variables = self.variables.clone();
            if variables.is_empty() {
                variables = variables_of_active(item);
            }
            self.run_one(spec, item, variables, &|| events.is_interrupted())?;
        }
        Ok(())
    }

    /// Runs the commands again after the rollout was undone, as far as they had come: up to those of the target
    /// `last`, or all of them. Targets of which nothing was active before have nothing to go back to. Whoever
    /// interrupted the rollout wanted it undone, which this is part of; who asks a second time does not.
    pub(super) fn run_again(&self, last: Option<&str>, events: &dyn Events) -> Result<(), Failure> {
        let targets = self.targets();
        let end = targets.iter().position(|(_, item)| Some(&*item.target) == last);
        let end = end.map_or(targets.len(), |at| at + 1);
        for (spec, item) in targets.into_iter().take(end).filter(|(_, item)| item.from.is_some()) {
            self.run_one(spec, item, variables_of_active(item), &|| events.is_interrupted_again())?;
        }
        Ok(())
    }

    /// Each target with commands of which something was switched, with an item of it: one that was active before, if there
    /// is one.
    fn targets(&self) -> Vec<(&TargetSpec, &Item)> {
        let mut found: Vec<(&TargetSpec, &Item)> = Vec::new();
        let mut seen = BTreeSet::new();
        let changed = || self.items.iter().filter(|item| item.action.is_switch());
        for item in changed() {
            let spec = self.project.manifest.targets.get(&item.target).filter(|spec| !spec.after.is_empty());
            if let Some(spec) = spec.filter(|_| seen.insert(&item.target)) {
                let was_active = changed().find(|other| other.target == item.target && other.from.is_some());
                found.push((spec, was_active.unwrap_or(item)));
            }
        }
        found
    }

    fn run_one(
        &self,
        spec: &TargetSpec,
        item: &Item,
        mut variables: BTreeMap<String, String>,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), Failure> {
        variables.insert("GIT_DIST_TARGET".to_owned(), item.target.clone());
        variables.insert("GIT_DIST_DESTINATION".to_owned(), item.destination.as_str().to_owned());
        let checks = Checks { project: self.project, spec, variables: &variables };
        after(&checks, self.root, interrupted)
            .map_err(|source| Failure { target: item.target.clone(), source })
    }
}

/// What commands see of the commit of the version that is active now. All of it is empty where nobody knows.
fn variables_of_active(item: &Item) -> BTreeMap<String, String> {
    let mut shelves = Shelves::default();
    let active = shelves.link(&item.destination).ok().and_then(|link| link.version().cloned());
    let stored = active.as_ref().and_then(|name| shelves.stored(&item.destination, name).ok()?);
    let record = stored.and_then(|stored| stored.record);
    let of_record =
        |part: fn(&Record) -> &String| record.as_ref().map(|it| part(it).clone()).unwrap_or_default();
    let version = active.map(|name| format!("{}.{}", name.count(), name.short()));
    BTreeMap::from([
        ("GIT_DIST_REV".to_owned(), of_record(|record| &record.revision)),
        ("GIT_DIST_COMMIT".to_owned(), of_record(|record| &record.commit)),
        ("GIT_DIST_VERSION".to_owned(), version.unwrap_or_default()),
    ])
}
