//! Decisions over what is installed: rollback, use, reset, delete and prune.

use super::asked::{find, older_than};
use super::{Action, Asked, Refusal};
use crate::version::{Link, Stored, VersionName};

/// How far a rollback goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Back {
    /// So many activations.
    Steps(usize),
    /// To the version that the text names: a count, a hash, a name.
    To(String),
}

/// Decides what a rollback does to one destination. `earlier` are the versions that were active before the
/// present one, the latest first; `stored` are those on disk.
pub fn rollback(
    active: Option<&VersionName>,
    earlier: &[VersionName],
    stored: &[Stored],
    back: &Back,
    why: Option<&str>,
) -> Action {
    let Some(active) = active else { return Action::Refuse(Refusal::NoPrevious) };
    let on_disk = |name: &VersionName| stored.iter().find(|version| version.name == *name);
    let (to, steps) = match back {
        Back::To(asked) => {
            let link = Link::Version(active.clone());
            let to = match find(&link, stored, &Asked::Text(asked.clone())) {
                Ok(to) if to.name == *active => return Action::Unchanged { version: active.clone() },
                Ok(to) => to.name.clone(),
                Err(refusal) => return Action::Refuse(refusal),
            };
            let steps = earlier.iter().position(|name| *name == to).map_or(0, |index| index + 1);
            (to, steps)
        }
        Back::Steps(steps) => {
            // Versions that were pruned or marked bad since are no place to go back to.
            let usable = |name: &VersionName| on_disk(name).is_some_and(|version| !version.is_bad());
            let mut left = *steps;
            let mut last = active;
            let mut found = None;
            for (index, name) in earlier.iter().enumerate() {
                if name == last || name == active || !usable(name) {
                    continue;
                }
                last = name;
                left = left.saturating_sub(1);
                if left == 0 {
                    found = Some((name.clone(), index + 1));
                    break;
                }
            }
            let by_count = || {
                let older = older_than(stored, active).iter().rev().filter(|version| !version.is_bad());
                older.map(|version| (version.name.clone(), 0)).nth(steps.saturating_sub(1))
            };
            match found.or_else(|| if earlier.is_empty() { by_count() } else { None }) {
                Some(found) => found,
                None => return Action::Refuse(Refusal::NoPrevious),
            }
        }
    };
    let clear_mark = on_disk(&to).is_some_and(Stored::is_bad);
    let reason = why.map_or_else(|| "rolled back".to_owned(), |why| format!("rolled back: {why}"));
    Action::Relink { to, adopt: false, clear_mark, mark_bad: Some(reason), back: steps }
}

/// Decides what `use` does: the named version becomes active and loses a mark it may have.
pub fn activate(link: &Link, stored: &[Stored], asked: &Asked) -> Action {
    match find(link, stored, asked) {
        Err(refusal) => Action::Refuse(refusal),
        Ok(found) => relink(link, found),
    }
}

/// Decides what `reset` does: the newest good version becomes active.
pub fn reset(link: &Link, stored: &[Stored]) -> Action {
    if *link == Link::Absent && stored.is_empty() {
        return Action::Skip { reason: "nothing is deployed there".to_owned() };
    }
    match stored.iter().rev().find(|version| !version.is_bad()) {
        None => Action::Refuse(Refusal::NoSuchVersion { asked: "newest good".to_owned() }),
        Some(found) => relink(link, found),
    }
}

fn relink(link: &Link, found: &Stored) -> Action {
    match link {
        Link::Foreign(by) => Action::Refuse(Refusal::Occupied { by: by.clone() }),
        Link::Version(active) if *active == found.name && !found.is_bad() => {
            Action::Unchanged { version: active.clone() }
        }
        _ => Action::Relink {
            to: found.name.clone(),
            adopt: false,
            clear_mark: found.is_bad(),
            mark_bad: None,
            back: 0,
        },
    }
}

/// Decides what `delete` does: one version that is not active, or the whole destination with all of them.
pub fn delete(link: &Link, stored: &[Stored], asked: Option<&Asked>) -> Action {
    let Some(asked) = asked else {
        let versions = stored.iter().map(|version| version.name.clone()).collect();
        return match link {
            Link::Foreign(by) if stored.is_empty() => Action::Refuse(Refusal::Occupied { by: by.clone() }),
            Link::Foreign(_) => Action::Remove { versions, unlink: false },
            Link::Absent if stored.is_empty() => {
                Action::Skip { reason: "nothing is deployed there".to_owned() }
            }
            Link::Absent | Link::Version(_) => Action::Remove { versions, unlink: true },
        };
    };
    match find(link, stored, asked) {
        Err(refusal) => Action::Refuse(refusal),
        Ok(found) if link.version() == Some(&found.name) => {
            Action::Refuse(Refusal::Active { version: found.name.clone() })
        }
        Ok(found) => Action::Remove { versions: vec![found.name.clone()], unlink: false },
    }
}

/// The versions that a prune removes: good ones beyond `keep` (0 keeps all) besides the active and the
/// previous one. Bad ones stay while they are newer than what is active, because they are what keeps a hook
/// from bringing their content back; older ones go with the good ones around them.
pub fn beyond_keep(
    stored: &[Stored],
    active: Option<&VersionName>,
    previous: Option<&VersionName>,
    keep: usize,
) -> Vec<VersionName> {
    if keep == 0 {
        return Vec::new();
    }
    let is_held = |version: &Stored| Some(&version.name) == active || Some(&version.name) == previous;
    let is_spare = |(_, version): &(usize, &Stored)| !version.is_bad() && !is_held(version);
    let mut removed: Vec<usize> =
        stored.iter().enumerate().rev().filter(is_spare).skip(keep).map(|(index, _)| index).collect();
    // What is older is told by the order of `stored`, which is not that of names.
    let newest_removed = removed.first().copied().unwrap_or(0);
    let active_at = stored.iter().position(|version| Some(&version.name) == active).unwrap_or(0);
    let older = stored[..newest_removed.min(active_at)].iter().enumerate();
    removed
        .extend(older.filter(|(_, version)| version.is_bad() && !is_held(version)).map(|(index, _)| index));
    removed.sort_unstable();
    removed.into_iter().map(|index| stored[index].name.clone()).collect()
}
