//! The history: an append-only log with one JSON line per rollout, and what can be read from it.
//!
//! A line counts when it is whole, with its line break; a torn last line is what a power cut leaves, and never
//! was reported as done.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, LogFile};
use crate::plan::Kind;
use crate::signature::Signature;
use crate::version::{Destination, VersionName};

/// Name of the log in the root's own folder.
pub const HISTORY: &str = "history.jsonl";

/// Longest line that is read, in bytes: a rollout of a million destinations.
const LINE_LIMIT: u64 = 1 << 30;

/// One rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Format of this line; 1.
    pub format: u32,
    /// The rollout's number, counted from 1.
    pub number: u64,
    /// When it was done, RFC 3339 in UTC.
    pub time: String,
    /// Who did it: `user@host`.
    pub by: String,
    /// What it did.
    pub kind: Kind,
    /// Where the root stood then: what was below it moves with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What started it, if it was no person: `hook post-merge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// Why, in the words of `-m`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where the content came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The revision as asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The full commit id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Path of the manifest in the repository, if it is that which asks for these destinations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// Who signed the commit, or the tag that was asked for, where signatures are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// What failed, if the rollout was undone: nothing stayed changed but the marks of its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undone: Option<String>,
    /// What changed.
    pub items: Vec<Change>,
}

/// What a rollout changed at one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The target's name.
    pub target: String,
    /// The destination's path.
    pub destination: String,
    /// The version that was active before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version that is active since; absent when the destination was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// True if what is active did not change: a version was only made or removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inactive: bool,
    /// How many activations it went back, for a rollback.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub back: usize,
    /// Versions that were removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out references
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The history of a root.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The rollouts, oldest first.
    pub rollouts: Vec<Rollout>,
    /// Numbers of lines that could not be read.
    pub damaged: Vec<usize>,
}

impl History {
    /// Reads the whole log of the root whose own folder is `meta`.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn read(meta: &Dir) -> disk::Result<Self> {
        match meta.open_file(HISTORY) {
            Ok(file) => Self::parse(BufReader::new(file), place(meta)).map_err(|source| disk::DiskError {
                act: "read",
                path: meta.join(HISTORY),
                source,
            }),
            Err(error) if error.is_not_found() => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Reads the whole log of a root that stands at `here`. Destinations in a root that was moved or copied are those
    /// below it where it stands now; what lay outside of it then belongs to the root that it was.
    ///
    /// # Errors
    /// When `log` cannot be read, or a line of it is no line.
    pub fn parse(mut log: impl BufRead, here: Option<String>) -> io::Result<Self> {
        let mut history = Self::default();
        let mut place = Place { here, known: HashMap::new() };
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            log.by_ref().take(LINE_LIMIT).read_until(b'\n', &mut line)?;
            if line.len() as u64 == LINE_LIMIT {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            if line.last() != Some(&b'\n') {
                break;
            }
            match serde_json::from_slice(&line) {
                Ok(rollout) => history.rollouts.push(place.as_here(rollout)),
                Err(_) if line.trim_ascii().is_empty() => {}
                // A line that a newer release or another program wrote is counted and passed over.
                Err(_) => history.damaged.push(number),
            }
        }
        Ok(history)
    }

    /// The number the next rollout gets.
    pub fn next_number(&self) -> u64 {
        let lines = (self.rollouts.len() + self.damaged.len()) as u64;
        self.rollouts.last().map_or(0, |last| last.number).max(lines).saturating_add(1)
    }

    /// True if the rollout `number` is in the log, whole.
    pub fn contains(&self, number: u64) -> bool {
        self.rollouts.iter().rev().any(|rollout| rollout.number == number)
    }

    /// For each destination that ever was activated: its activations that were not taken back, the latest
    /// first, each with the number of its rollout. Deploys, `use` and `reset` add one, a rollback takes away. What
    /// was active before one of them without being in the log, because distman activated it, has the number 0.
    pub fn activations(&self) -> HashMap<&str, Vec<Activation>> {
        activations(self.rollouts.iter())
    }

    /// As [`History::activations`], once `next` will be in the log.
    pub fn activations_with<'h>(&'h self, next: &'h Rollout) -> HashMap<&'h str, Vec<Activation>> {
        activations(self.rollouts.iter().chain([next]))
    }

    /// The history as it was after the rollout `number`.
    #[must_use]
    pub fn until(&self, number: u64) -> Self {
        let rollouts = self.rollouts.iter().filter(|rollout| rollout.number <= number).cloned().collect();
        Self { rollouts, damaged: Vec::new() }
    }

    /// The rollout `number`, if it is in the log.
    pub fn rollout(&self, number: u64) -> Option<&Rollout> {
        self.rollouts.iter().rev().find(|rollout| rollout.number == number)
    }

    /// The versions of `destination` that were active before `active`, the latest first.
    pub fn earlier(
        activations: &HashMap<&str, Vec<Activation>>,
        destination: &Destination,
        active: Option<&VersionName>,
    ) -> Vec<VersionName> {
        let stack = activations.get(destination.as_str()).map(Vec::as_slice).unwrap_or_default();
        let names = stack.iter().filter_map(|entry| VersionName::parse(destination.base(), &entry.version));
        let is_top = |index: usize, name: &VersionName| index == 0 && Some(name) == active;
        names.enumerate().filter(|(index, name)| !is_top(*index, name)).map(|(_, name)| name).collect()
    }
}

fn activations<'h>(rollouts: impl Iterator<Item = &'h Rollout>) -> HashMap<&'h str, Vec<Activation>> {
    let mut stacks: HashMap<&str, Vec<Activation>> = HashMap::new();
    for rollout in rollouts.filter(|rollout| rollout.undone.is_none()) {
        for change in rollout.items.iter().filter(|change| !change.inactive) {
            let stack = stacks.entry(&change.destination).or_default();
            let Some(to) = &change.to else {
                stack.clear();
                continue;
            };
            let top = stack.last().map(|top| &top.version);
            let is_news = |from: &&String| top.is_none() || (change.back == 0 && top != Some(from));
            if let Some(from) = change.from.as_ref().filter(is_news) {
                stack.push(Activation { version: from.clone(), rollout: 0 });
            }
            stack.truncate(stack.len().saturating_sub(change.back));
            if change.back == 0 || stack.last().is_none_or(|top| top.version != *to) {
                stack.push(Activation { version: to.clone(), rollout: rollout.number });
            }
        }
    }
    for stack in stacks.values_mut() {
        stack.reverse();
    }
    stacks
}

/// Where the root stands whose own folder is `meta`: the folder that holds it.
pub fn place(meta: &Dir) -> Option<String> {
    Some(meta.path().parent()?.to_str()?.to_owned())
}

/// Where a root stands now, and where it stood.
struct Place {
    here: Option<String>,
    /// Whether another place is this one by another path.
    known: HashMap<String, bool>,
}

impl Place {
    fn as_here(&mut self, mut rollout: Rollout) -> Rollout {
        let (Some(here), Some(then)) = (&self.here, rollout.root.take()) else { return rollout };
        rollout.root = Some(here.clone());
        if then == *here {
            return rollout;
        }
        let is_here = *self.known.entry(then.clone()).or_insert_with(|| is_one_folder(&then, here));
        rollout.items.retain_mut(|change| {
            let below = Path::new(&change.destination).strip_prefix(&then).ok().and_then(Path::to_str);
            match below.map(|below| format!("{}/{below}", here.trim_end_matches('/'))) {
                Some(moved) => change.destination = moved,
                None => return is_here,
            }
            true
        });
        rollout
    }
}

/// True if both paths lead to one folder.
fn is_one_folder(one: &str, other: &str) -> bool {
    let id = |path: &str| Dir::open(Path::new(path)).and_then(|dir| dir.inode()).ok();
    id(one).is_some_and(|one| id(other) == Some(one))
}

/// One activation of a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The version's name.
    pub version: String,
    /// The rollout that activated it; 0 if none in the log did.
    pub rollout: u64,
}

/// Appends `rollout` to the log and makes it durable. Writing the line is the last thing that can fail.
///
/// # Errors
/// When the line cannot be written whole; it then does not count.
pub fn append(meta: &Dir, rollout: &Rollout) -> disk::Result<()> {
    let mut file = LogFile::open(meta, HISTORY)?;
    let mut line = Vec::new();
    match file.last_byte()? {
        // The name of a log that is new.
        None => meta.sync()?,
        Some(b'\n') => {}
        // What a power cut left stays a line of its own that does not count.
        Some(_) => line.push(b'\n'),
    }
    serde_json::to_writer(&mut line, rollout).expect("strings and numbers always serialise");
    line.push(b'\n');
    file.append(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(number: u64, from: Option<&str>, to: Option<&str>, back: usize) -> Rollout {
        Rollout {
            format: 1,
            number,
            time: String::new(),
            by: String::new(),
            kind: if back > 0 { Kind::Rollback } else { Kind::Deploy },
            root: None,
            trigger: None,
            why: None,
            origin: None,
            revision: None,
            commit: None,
            manifest: None,
            signature: None,
            undone: None,
            items: vec![Change {
                target: "tool".into(),
                destination: "/r/tool".into(),
                from: from.map(Into::into),
                to: to.map(Into::into),
                inactive: false,
                back,
                removed: vec![],
            }],
        }
    }

    #[test]
    fn a_rollback_takes_away_what_it_leaves() {
        let (a, b, c) = ("tool.1.aaaaaaa", "tool.2.bbbbbbb", "tool.3.ccccccc");
        let history = History {
            rollouts: vec![
                rollout(1, None, Some(a), 0),
                rollout(2, Some(a), Some(b), 0),
                rollout(3, Some(b), Some(a), 1),
                rollout(4, Some(a), Some(c), 0),
            ],
            damaged: vec![],
        };
        let destination = Destination::new("/r/tool").unwrap();
        let active = VersionName::parse("tool", c);
        let earlier = History::earlier(&history.activations(), &destination, active.as_ref());
        assert_eq!(earlier.iter().map(ToString::to_string).collect::<Vec<_>>(), [a]);
    }

    #[test]
    fn what_was_active_before_the_first_rollout_can_be_gone_back_to() {
        let (a, b, c) = ("tool.9", "tool.2.bbbbbbb", "tool.3.ccccccc");
        let history = History {
            rollouts: vec![rollout(1, Some(a), Some(b), 0), rollout(2, Some(b), Some(c), 0)],
            damaged: vec![],
        };
        let destination = Destination::new("/r/tool").unwrap();
        let active = VersionName::parse("tool", c);
        let earlier = History::earlier(&history.activations(), &destination, active.as_ref());
        assert_eq!(earlier.iter().map(ToString::to_string).collect::<Vec<_>>(), [b, a]);
    }

    #[test]
    fn what_somebody_else_activated_in_between_is_gone_back_to() {
        let (a, b, c) = ("tool.3.aaaaaaa", "tool.4", "tool.5.ccccccc");
        let rollouts = vec![rollout(1, None, Some(a), 0), rollout(2, Some(b), Some(c), 0)];
        let history = History { rollouts, damaged: vec![] };
        let destination = Destination::new("/r/tool").unwrap();
        let active = VersionName::parse("tool", c);
        let earlier = History::earlier(&history.activations(), &destination, active.as_ref());
        assert_eq!(earlier.iter().map(ToString::to_string).collect::<Vec<_>>(), [b, a]);
    }

    #[test]
    fn a_torn_line_does_not_count_and_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Dir::open(folder.path()).unwrap();
        append(&meta, &rollout(1, None, Some("tool.1.aaaaaaa"), 0)).unwrap();
        let path = folder.path().join(HISTORY);
        let mut text = std::fs::read(&path).unwrap();
        text.extend_from_slice(br#"{"format":1,"numb"#);
        std::fs::write(&path, &text).unwrap();
        assert_eq!(History::read(&meta).unwrap().rollouts.len(), 1);
        append(&meta, &rollout(2, None, Some("tool.2.bbbbbbb"), 0)).unwrap();
        let history = History::read(&meta).unwrap();
        assert_eq!(history.rollouts.iter().map(|r| r.number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(history.damaged, [2]);
        assert_eq!(history.next_number(), 4);
    }
}
