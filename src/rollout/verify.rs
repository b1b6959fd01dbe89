//! Whether what is deployed is what was deployed: versions, the links that lead to them, what is said of them, and, as
//! far as a repository is at hand, whether that is what was committed.

use std::collections::HashMap;

use bstr::BStr;

use super::Result;
use super::repair::{list_options, names_its_commit};
use crate::inventory::{Installed, Inventory, Look};
use crate::source::git::{Repository, Snapshot};
use crate::source::{Mode, ObjectId};
use crate::stage::{Content, StageError, foretell};
use crate::version::{Checked, Destination, Difference, DistInfo, Link, Record, Stored, check};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// The versions that were checked.
    pub versions: Vec<Verified>,
    /// Destinations that lead to no version, and what is there.
    pub astray: Vec<(Installed, String)>,
}

/// A version that was checked.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its destination.
    pub installed: Installed,
    /// The version.
    pub stored: Stored,
    /// True if the destination leads to it.
    pub is_active: bool,
    /// What was found; `None` for one that distman made.
    pub checked: Option<Checked>,
    /// True if its files or its record differ, and not only what is said of it beside the destination.
    pub is_damaged: bool,
    /// True if git says that the record is wrong.
    pub is_disproved: bool,
}

impl Verified {
    /// True if something differs.
    pub fn differs(&self) -> bool {
        self.checked.as_ref().is_some_and(|checked| !checked.differences.is_empty())
    }
}

/// Checks what is active of `selected`, or with `all` every version there is. Dist info is looked at where the root
/// `is_settled`: the next run writes what an earlier one could not.
///
/// # Errors
/// When a folder cannot be read.
pub fn verify(
    inventory: &mut Inventory,
    selected: &[Installed],
    repository: Option<&Repository>,
    (all, is_settled): (bool, bool),
) -> Result<Verification> {
    let looks = if all { inventory.look(selected)? } else { inventory.look_at_active(selected)? };
    let mut found = Verification::default();
    let mut judge = repository.map(|repository| Judge { repository, commits: HashMap::new() });
    for (installed, look) in selected.iter().zip(&looks) {
        found.astray.extend(astray(look).map(|what| (installed.clone(), what)));
        for stored in &look.stored {
            let state = (look.active() == Some(&stored.name), is_settled);
            found.versions.push(verified(inventory, installed, stored, state, judge.as_mut())?);
        }
    }
    Ok(found)
}

/// What is wrong with a destination itself, if anything: where nothing was ever active, anything may be.
fn astray(look: &Look) -> Option<String> {
    match (&look.link, look.earlier.first()) {
        (Link::Version(name), _) if look.active_stored().is_none() => {
            Some(format!("leads to version {}, which is not there", name.tail()))
        }
        (Link::Foreign(what), Some(last)) => Some(format!("is {what}, where version {} was", last.tail())),
        (Link::Absent, Some(last)) => Some(format!("is gone, where version {} was", last.tail())),
        _ => None,
    }
}

fn verified(
    inventory: &mut Inventory,
    installed: &Installed,
    stored: &Stored,
    (is_active, is_settled): (bool, bool),
    judge: Option<&mut Judge<'_>>,
) -> Result<Verified> {
    let mut is_disproved = false;
    let destination = &installed.destination;
    let mut checked = match (&stored.record, inventory.shelves.dir(destination)?) {
        (Some(record), Some(versions)) => {
            let mut checked = check(&versions, &stored.name, record);
            let wrong = judge.and_then(|judge| judge.disprove(destination, record));
            is_disproved = wrong.is_some();
            checked.differences.extend(wrong.map(Difference::of_all));
            Some(checked)
        }
        (None, Some(versions)) if Record::is_damaged(&versions, &stored.name.to_string())? => {
            let differences = vec![Difference::of_all("its record is damaged")];
            Some(Checked { differences, ..Checked::default() })
        }
        _ => None,
    };
    let is_damaged = checked.as_ref().is_some_and(|checked| !checked.differences.is_empty());
    if let (Some(checked), Some(record), true) = (&mut checked, &stored.record, is_active && is_settled) {
        checked.differences.extend(wrong_info(destination, record).map(Difference::of_all));
    }
    let (installed, stored) = (installed.clone(), stored.clone());
    Ok(Verified { installed, stored, is_active, checked, is_damaged, is_disproved })
}

/// What is wrong with the dist info beside a destination, if anything.
fn wrong_info(destination: &Destination, record: &Record) -> Option<&'static str> {
    let Some(info) = destination.info() else { return Some("its dist info is missing") };
    let expected = DistInfo::new(record, None);
    // Who answers for a deployment is not in the record.
    let keys = ["name", "origin", "branch", "commit", "source", "target", "version", "rev", "tree", "date"];
    keys.iter().any(|key| info.get(key) != expected.get(key)).then_some("its dist info is of something else")
}

/// What git knows of the commits that records name.
struct Judge<'r> {
    repository: &'r Repository,
    /// Each commit is opened once, however many records name it; `None` where it is not at hand.
    commits: HashMap<String, Option<Snapshot<'r>>>,
}

impl Judge<'_> {
    /// What git says is wrong with a record. Nothing, where the commit is not at hand; and what a pipeline or a filter
    /// made of a source is not made again to find out.
    fn disprove(&mut self, destination: &Destination, record: &Record) -> Option<&'static str> {
        if record.recipe.uncommitted || record.commit.is_empty() {
            return None;
        }
        let repository = self.repository;
        let open = |commit: &String| Some(Snapshot::new(repository, repository.resolve(commit).ok()?));
        let snapshot = self.commits.entry(record.commit.clone()).or_insert_with_key(open).as_ref()?;
        if !names_its_commit(record, snapshot.revision()) {
            return Some("its record names another commit");
        }
        let source = BStr::new(record.source.as_bytes());
        let Some(node) = snapshot.node(source).ok()? else {
            return Some("its record names no source of its commit");
        };
        if !ObjectId::from_hex(record.object.as_bytes()).is_ok_and(|id| id == node.id) {
            return Some("its record names another source than its commit");
        }
        if record.recipe.pipeline {
            return None;
        }
        let listing = snapshot.list(source, node, &list_options(record)).ok()?;
        if listing.uses.iter().any(|used| used.starts_with("filter.")) {
            return None;
        }
        let mode = if node.mode == Mode::Submodule { Mode::Directory } else { node.mode };
        let content = Content { mode, listing, store: 0 };
        let (contents, shared, kind) = (snapshot.contents(), &record.recipe.shared, repository.hash_kind());
        let content: Result<String, StageError> = foretell(destination, &content, &contents, shared, kind);
        (content.ok()? != record.content).then_some("its record promises other content than its commit has")
    }
}
