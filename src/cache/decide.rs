//! What happens to each destination of a mirror: from what is active in the source and what the mirror has.

use std::collections::HashMap;
use std::path::PathBuf;

use super::error::{CacheError, Failure};
use super::source::{Deployed, Look, Source, Walk};
use crate::disk::Dir;
use crate::history::History;
use crate::plan::{Action, Item, Refusal};
use crate::root::Root;
use crate::stage::{CopyError, Damage, find_files, is_same};
use crate::version::{Destination, Link, Record, Shelves, Stored, VersionName, check};

/// What the mirror has of the version that is active in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// Nothing.
    Absent,
    /// The same.
    Same,
    /// The same, which was marked bad in the mirror.
    Bad {
        /// Why.
        reason: Option<String>,
    },
    /// Something else of that name.
    Other,
}

/// Everything that decides what happens to a destination.
pub(super) struct Situation<'s> {
    /// What stands in the mirror.
    pub(super) link: &'s Link,
    /// What is active in the source.
    pub(super) wanted: &'s VersionName,
    /// What the mirror has of that.
    pub(super) copy: Copy,
    /// The mirror's history knows the destination.
    pub(super) is_known: bool,
    /// What was rolled back in the mirror is meant all the same.
    pub(super) force: bool,
    /// What the mirror leads to was marked bad in the source, for this reason.
    pub(super) left_bad: Option<String>,
    /// How many activations the mirror then goes back.
    pub(super) back: usize,
}

/// Decides what happens to a destination that the source has.
pub(super) fn decide(situation: Situation<'_>) -> Action {
    let Situation { link, wanted, copy, is_known, force, left_bad, back } = situation;
    let is_active = link.version() == Some(wanted);
    match (link, copy) {
        (Link::Foreign(by), _) => Action::Refuse(Refusal::Occupied { by: by.clone() }),
        (_, Copy::Other) if is_active => Action::Repair { version: wanted.clone() },
        (_, Copy::Absent | Copy::Other) => Action::Create { name: wanted.clone(), adopt: false },
        _ if is_active && is_known => Action::Unchanged { version: wanted.clone() },
        (_, Copy::Bad { reason }) if !is_active && !force => {
            Action::Refuse(Refusal::Bad { version: wanted.clone(), reason })
        }
        (_, copy) => Action::Relink {
            to: wanted.clone(),
            adopt: false,
            clear_mark: copy != Copy::Same && !is_active,
            back: if left_bad.is_some() { back } else { 0 },
            mark_bad: left_bad,
        },
    }
}

/// A mirror's plan.
pub(super) struct Decided {
    /// What happens: first to the destinations of the source, in their order, then to those that left it.
    pub(super) items: Vec<Item>,
    /// For each of the source's destinations, the version whose files a copy may share.
    pub(super) earlier: Vec<Option<Stored>>,
    /// For each of the source's destinations that changes, the group it flips with there.
    pub(super) groups: HashMap<Destination, Option<String>>,
}

/// Decides what happens to each destination of `mirror`.
///
/// # Errors
/// When the source or the mirror cannot be read, or a version in the source is damaged.
pub(super) fn plan(
    (source, look): (&Source, &Look),
    mirror: &Root,
    history: &History,
    force: bool,
) -> Result<Decided, Failure> {
    let mut shelves = Shelves::default();
    let activations = history.activations();
    let mut decided = Decided { items: Vec::new(), earlier: Vec::new(), groups: HashMap::new() };
    for (deployed, record) in look.walk.deployed.iter().zip(&look.records) {
        let damaged = |what| {
            let version = deployed.destination.versions_folder().join(deployed.version.to_string());
            let (name, path) = (deployed.version.clone(), bstr::BString::default());
            Failure::Source(CacheError::Damaged(Damage { version, name, path, what }))
        };
        let record = record.as_ref().map_err(|what| damaged(what))?.as_ref();
        let shelf = look.walk.shelf(&deployed.below).ok_or_else(|| damaged("missing"))?;
        let destination = mirrored(mirror, &deployed.below)?;
        let link = shelves.link(&destination)?;
        let copy = copy_of(&mut shelves, &destination, (deployed, shelf, record), (source, force))?;
        let left = link.version().filter(|left| **left != deployed.version);
        let left_bad = match left {
            Some(left) if copy != Copy::Absent => {
                Record::read(shelf, &left.to_string()).map_err(|error| Failure::Source(source.away(error)))?
            }
            _ => None,
        };
        let left_bad = left_bad
            .filter(Record::is_bad)
            .map(|record| record.reason.unwrap_or_else(|| "it was marked bad in the source".to_owned()));
        let earlier = History::earlier(&activations, &destination, link.version());
        let back = earlier.iter().position(|name| *name == deployed.version).map_or(0, |index| index + 1);
        let target = record.map_or(destination.base(), |record| &record.target).to_owned();
        let is_known = activations.get(destination.as_str()).is_some_and(|stack| !stack.is_empty());
        let wanted = &deployed.version;
        let situation = Situation { link: &link, wanted, copy, is_known, force, left_bad, back };
        let action = decide(situation);
        decided.earlier.push(match &action {
            Action::Create { .. } => earlier_copy(&mut shelves, &destination, &link, wanted)?,
            _ => None,
        });
        decided.groups.insert(destination.clone(), deployed.group.clone());
        decided.items.push(item(target, destination, &link, action));
    }
    decided.items.extend(gone(&mut shelves, &look.walk, mirror)?);
    Ok(decided)
}

/// The destination in `mirror` at this path below it.
fn mirrored(mirror: &Root, below: &std::path::Path) -> Result<Destination, Failure> {
    let path = mirror.path().join(below);
    Destination::new(&path).map_err(|error| {
        let source = std::io::Error::other(error.to_string());
        crate::disk::DiskError { act: "mirror", path, source }.into()
    })
}

pub(super) fn item(target: String, destination: Destination, link: &Link, action: Action) -> Item {
    let from = link.version().cloned();
    Item { target, source: String::new(), destination, from, action, warnings: Vec::new() }
}

/// What the mirror has of a version.
fn copy_of(
    shelves: &mut Shelves,
    destination: &Destination,
    (deployed, shelf, record): (&Deployed, &Dir, Option<&Record>),
    (source, is_compared): (&Source, bool),
) -> Result<Copy, Failure> {
    let Some(copy) = shelves.stored(destination, &deployed.version)? else { return Ok(Copy::Absent) };
    let Some(versions) = shelves.dir(destination)? else { return Ok(Copy::Absent) };
    let is_same = match (record, &copy.record) {
        (Some(record), Some(copied)) => {
            (&record.content, &record.mode) == (&copied.content, &copied.mode)
                && (!is_compared || check(&versions, &deployed.version, copied).differences.is_empty())
        }
        (None, None) if is_compared => {
            let files = find_files(shelf, &deployed.version);
            let files = files.map_err(|error: CopyError| Failure::of(error, source.root.path()))?;
            is_same(&versions, &deployed.version, (shelf, &files))
        }
        (None, None) => true,
        _ => false,
    };
    Ok(match copy.record {
        _ if !is_same => Copy::Other,
        Some(record) if record.is_bad() => Copy::Bad { reason: record.reason },
        _ => Copy::Same,
    })
}

/// The version whose files a copy of `wanted` may share: the active one, or else the newest.
fn earlier_copy(
    shelves: &mut Shelves,
    destination: &Destination,
    link: &Link,
    wanted: &VersionName,
) -> Result<Option<Stored>, Failure> {
    let mut stored = shelves.versions(destination)?;
    stored.retain(|stored| stored.name != *wanted);
    let active = stored.iter().position(|stored| Some(&stored.name) == link.version());
    Ok(match active {
        Some(active) => Some(stored.swap_remove(active)),
        None => stored.pop(),
    })
}

/// The destinations of the mirror that the source has no more.
fn gone(shelves: &mut Shelves, source: &Walk, mirror: &Root) -> Result<Vec<Item>, Failure> {
    let dir = match Dir::open(mirror.path()) {
        Ok(dir) => dir,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let kept: std::collections::HashSet<&PathBuf> = source.deployed.iter().map(|it| &it.below).collect();
    let mut items = Vec::new();
    for deployed in Walk::through(mirror, &dir)?.deployed {
        if kept.contains(&deployed.below) {
            continue;
        }
        let stored = shelves.versions(&deployed.destination)?;
        let record = stored.iter().rev().find_map(|stored| stored.record.as_ref());
        let target = record.map_or(deployed.destination.base(), |record| &record.target).to_owned();
        let versions = stored.iter().map(|stored| stored.name.clone()).collect();
        let link = Link::Version(deployed.version);
        items.push(item(target, deployed.destination, &link, Action::Remove { versions, unlink: true }));
    }
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(tail: &str) -> VersionName {
        VersionName::parse("tool", &format!("tool.{tail}")).unwrap()
    }

    #[test]
    fn what_is_active_in_the_source_becomes_active_in_the_mirror() {
        let (one, two) = (name("1.aaaaaaa"), name("2.bbbbbbb"));
        let same = Copy::Same;
        let marked = Copy::Bad { reason: Some("crashes".to_owned()) };
        let relink = |clear_mark, mark_bad: Option<&str>, back| Action::Relink {
            to: two.clone(),
            adopt: false,
            clear_mark,
            mark_bad: mark_bad.map(ToOwned::to_owned),
            back,
        };
        let create = Action::Create { name: two.clone(), adopt: false };
        let at = |version: &VersionName| Link::Version(version.clone());
        let bad = Refusal::Bad { version: two.clone(), reason: Some("crashes".to_owned()) };
        for (link, copy, is_known, force, left_bad, expected) in [
            (Link::Absent, Copy::Absent, false, false, None, create.clone()),
            (at(&one), Copy::Absent, true, false, None, create.clone()),
            (at(&one), Copy::Other, true, false, None, create.clone()),
            // The link is there, and the version is not.
            (at(&two), Copy::Absent, true, false, None, create),
            (at(&two), Copy::Other, true, false, None, Action::Repair { version: two.clone() }),
            (at(&two), same.clone(), true, false, None, Action::Unchanged { version: two.clone() }),
            // A copy that distman made: the history is to know it.
            (at(&two), same.clone(), false, false, None, relink(false, None, 0)),
            (at(&one), same.clone(), true, false, None, relink(false, None, 0)),
            (Link::Absent, same.clone(), true, false, None, relink(false, None, 0)),
            // A rollback in the source goes back here too, and one here stays.
            (at(&one), same, true, false, Some("slow"), relink(false, Some("slow"), 1)),
            (at(&one), marked.clone(), true, false, None, Action::Refuse(bad)),
            (at(&one), marked.clone(), true, true, None, relink(true, None, 0)),
            (at(&two), marked, true, false, None, Action::Unchanged { version: two.clone() }),
            (
                Link::Foreign("a file".to_owned()),
                Copy::Absent,
                false,
                true,
                None,
                Action::Refuse(Refusal::Occupied { by: "a file".to_owned() }),
            ),
        ] {
            let told = format!("{link:?} {copy:?} {is_known} {force} {left_bad:?}");
            let left_bad = left_bad.map(ToOwned::to_owned);
            let situation = Situation { link: &link, wanted: &two, copy, is_known, force, left_bad, back: 1 };
            assert_eq!(decide(situation), expected, "{told}");
        }
    }
}
