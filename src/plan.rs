//! Pure decisions: from what is asked and what is on disk to what will be done, per destination.
//!
//! A [`Plan`] is data. `--dry-run`, `--json`, prompts and execution all read the same value; nothing here
//! opens a file. Deploys, rollbacks, resets, deletions and prunes are all plans.

use serde::Serialize;

use crate::source::git::Ancestry;
use crate::version::{Destination, Link, Stored, VersionName};

/// What kind of rollout a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Versions are made of a revision and activated.
    Deploy,
    /// Destinations go back to what they had before, and what they leave is marked bad.
    Rollback,
    /// One version is activated because somebody named it.
    Use,
    /// The newest good version is activated.
    Reset,
    /// Versions or whole destinations are removed.
    Delete,
    /// Versions beyond what is kept, and items that left the repository, are removed.
    Prune,
    /// Versions are exported again because their files were changed.
    Repair,
}

impl Kind {
    /// The word for messages and the history.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Use => "use",
            Self::Reset => "reset",
            Self::Delete => "delete",
            Self::Prune => "prune",
            Self::Repair => "repair",
        }
    }
}

/// Everything one rollout will do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What kind of rollout it is.
    pub kind: Kind,
    /// One entry per destination, in the order of dist.json.
    pub items: Vec<Item>,
}

/// What happens to one destination.
#[derive(Clone, Debug)]
pub struct Item {
    /// The target's name in dist.json.
    pub target: String,
    /// The source's path in the repository; empty where no source takes part.
    pub source: String,
    /// The path users open.
    pub destination: Destination,
    /// The version that is active now.
    pub from: Option<VersionName>,
    /// What will be done.
    pub action: Action,
    /// What a person should know before it is done.
    pub warnings: Vec<String>,
}

/// One thing that can happen to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// A new version is made, and activated unless `--version-only` was asked.
    Create {
        /// Its name, as far as it is known before the content is.
        name: VersionName,
        /// What stands at the destination is moved aside first.
        adopt: bool,
    },
    /// A version that is on disk is activated.
    Relink {
        /// The version.
        to: VersionName,
        /// What stands at the destination is moved aside first.
        adopt: bool,
        /// The mark of `to` is taken away.
        clear_mark: bool,
        /// What is active now is marked bad, for this reason.
        mark_bad: Option<String>,
        /// How many activations this goes back, for the history; 0 for one that goes forward.
        back: usize,
    },
    /// The active version is already what is asked for.
    Unchanged {
        /// The active version.
        version: VersionName,
    },
    /// Versions are removed, and the destination itself if `unlink` is set.
    Remove {
        /// The versions.
        versions: Vec<VersionName>,
        /// The destination goes too.
        unlink: bool,
    },
    /// The version is exported again in place, because its files were changed.
    Repair {
        /// The version.
        version: VersionName,
    },
    /// The source is not in the revision, and that is accepted.
    Skip {
        /// Why.
        reason: String,
    },
    /// It needs a human.
    Refuse(Refusal),
}

impl Action {
    /// The word for messages and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Relink { .. } => "relink",
            Self::Unchanged { .. } => "unchanged",
            Self::Remove { .. } => "remove",
            Self::Repair { .. } => "repair",
            Self::Skip { .. } => "skip",
            Self::Refuse(_) => "refuse",
        }
    }

    /// True if something on disk changes.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Relink { .. } | Self::Remove { .. } | Self::Repair { .. })
    }
}

/// Why a destination is left alone until somebody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Something that no deployment put there stands at the destination.
    Occupied {
        /// What stands there, in words.
        by: String,
    },
    /// The revision is part of the history of what is active.
    Older {
        /// What is active.
        active: VersionName,
    },
    /// What is active was deployed from a commit that this repository does not have.
    Stranger {
        /// What is active.
        active: VersionName,
        /// Where it was deployed from.
        origin: String,
    },
    /// The version holding this content was marked bad.
    Bad {
        /// The version.
        version: VersionName,
        /// Why it was marked.
        reason: Option<String>,
    },
    /// There is nothing to go back to.
    NoPrevious,
    /// No version is what was asked for.
    NoSuchVersion {
        /// What was asked for.
        asked: String,
    },
    /// Several versions are what was asked for.
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The versions.
        versions: Vec<VersionName>,
    },
    /// The version is active and cannot be removed alone.
    Active {
        /// The version.
        version: VersionName,
    },
}

impl Refusal {
    /// True if a hook or an update goes on with the other destinations.
    pub fn is_only_rolled_back(&self) -> bool {
        matches!(self, Self::Bad { .. })
    }

    /// What is the matter, without the destination.
    pub fn message(&self) -> String {
        match self {
            Self::Occupied { by } => format!("{by} stands there that no deployment made"),
            Self::Older { active } => {
                format!("the revision is older than what is active ({})", active.tail())
            }
            Self::Stranger { active, origin } => format!(
                "what is active ({}) was deployed from `{origin}`, from a commit that this repository does not have",
                active.tail()
            ),
            Self::Bad { version, reason } => match reason {
                Some(reason) => {
                    format!("this content is version {}, which is marked bad: {reason}", version.tail())
                }
                None => format!("this content is version {}, which is marked bad", version.tail()),
            },
            Self::NoPrevious => "there is no earlier version to go back to".to_owned(),
            Self::NoSuchVersion { asked } => format!("it has no version `{asked}`"),
            Self::Ambiguous { asked, versions } => {
                let names: Vec<_> = versions.iter().map(VersionName::tail).collect();
                format!("`{asked}` may be {}", names.join(" or "))
            }
            Self::Active { version } => format!("version {} is active", version.tail()),
        }
    }

    /// The flag or command that goes on from here.
    pub fn hint(&self, target: &str) -> String {
        match self {
            Self::Occupied { .. } => "`--adopt` moves it aside and deploys".to_owned(),
            Self::Older { .. } => {
                "`--rev REV` says that an older revision is meant, `git pull` gets the newer".to_owned()
            }
            Self::Stranger { .. } => "`git fetch` may get the commit; `-f` deploys over it".to_owned(),
            Self::Bad { version, .. } => {
                format!("`-f` deploys it all the same, `git dist use {target} {}` too", version.tail())
            }
            Self::NoPrevious | Self::NoSuchVersion { .. } | Self::Ambiguous { .. } => {
                format!("`git dist show -v {target}` lists the versions")
            }
            Self::Active { .. } => format!("`git dist rollback {target}` first, or delete the whole target"),
        }
    }
}

/// What a deploy of one destination wants, and what is there.
#[derive(Clone, Debug)]
pub struct Situation {
    /// The name that the revision gives the version.
    pub name: VersionName,
    /// What stands at the destination.
    pub link: Link,
    /// The active version, if the link leads to one that exists.
    pub active: Option<Candidate>,
    /// The other versions on disk. Need not be filled where the active one matches.
    pub others: Vec<Candidate>,
    /// How the active version's commit stands to the revision.
    pub ancestry: Ancestry,
}

/// A version on disk and whether it is what is wanted.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The version.
    pub stored: Stored,
    /// Its fingerprint (and with `match: commit` its commit) is the wanted one.
    pub matches: bool,
}

/// What the user allowed.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // one flag each on the command line
pub struct Consent {
    /// `-f`: whatever would be refused is meant.
    pub force: bool,
    /// `--adopt` or `-y`: what stands at a destination is moved aside.
    pub adopt: bool,
    /// `--rev`: the revision was named, so an older one is meant.
    pub named_revision: bool,
    /// `--version-only`: nothing is activated.
    pub version_only: bool,
}

/// Decides what a deploy does to one destination.
pub fn deploy(situation: &Situation, consent: Consent) -> (Action, Vec<String>) {
    let mut warnings = Vec::new();
    if let Some(active) = situation.active.as_ref().filter(|active| active.matches) {
        return (Action::Unchanged { version: active.stored.name.clone() }, warnings);
    }
    // The newest match; a good one before a bad one.
    let rank = |candidate: &&Candidate| (!candidate.stored.is_bad(), candidate.stored.name.clone());
    let found = situation.others.iter().filter(|candidate| candidate.matches).max_by_key(rank);
    if let Some(found) = found.filter(|_| consent.version_only) {
        return (Action::Unchanged { version: found.stored.name.clone() }, warnings);
    }
    if !consent.version_only {
        if let Err(refusal) = may_switch(situation, consent, &mut warnings) {
            return (Action::Refuse(refusal), warnings);
        }
    }
    let adopt = matches!(situation.link, Link::Foreign(_)) && !consent.version_only;
    let action = match found {
        Some(found) if found.stored.is_bad() && !consent.force => Action::Refuse(Refusal::Bad {
            version: found.stored.name.clone(),
            reason: found.stored.record.as_ref().and_then(|record| record.reason.clone()),
        }),
        Some(found) => Action::Relink {
            to: found.stored.name.clone(),
            adopt,
            clear_mark: found.stored.is_bad(),
            mark_bad: None,
            back: 0,
        },
        None => Action::Create { name: situation.name.clone(), adopt },
    };
    (action, warnings)
}

fn may_switch(situation: &Situation, consent: Consent, warnings: &mut Vec<String>) -> Result<(), Refusal> {
    if let Link::Foreign(by) = &situation.link {
        if !consent.adopt {
            return Err(Refusal::Occupied { by: by.clone() });
        }
        warnings.push(format!("{by} stands at the destination and is moved aside"));
    }
    let Link::Version(active) = &situation.link else { return Ok(()) };
    match situation.ancestry {
        Ancestry::Newer if !consent.named_revision && !consent.force => {
            Err(Refusal::Older { active: active.clone() })
        }
        Ancestry::Unknown if !consent.force && !active.short().is_empty() => {
            let record = situation.active.as_ref().and_then(|active| active.stored.record.as_ref());
            let origin = record.map_or("somewhere else", |record| record.origin.as_str()).to_owned();
            Err(Refusal::Stranger { active: active.clone(), origin })
        }
        Ancestry::Diverged { lost } => {
            let commits = if lost == 1 { "commit" } else { "commits" };
            warnings
                .push(format!("loses {lost} {commits} that are part of what is active ({})", active.tail()));
            Ok(())
        }
        _ => Ok(()),
    }
}

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
            let to = match named(stored, asked) {
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
                left -= 1;
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

/// Decides what `use` does: the named version becomes active and loses a mark it may have. A negative number
/// counts back from what is active, as distman's `-n` does.
pub fn activate(link: &Link, stored: &[Stored], asked: &str) -> Action {
    let relative = asked.strip_prefix('-').and_then(|steps| steps.parse::<usize>().ok());
    let found = match (relative, link) {
        (Some(steps), Link::Version(active)) => {
            let mut older = older_than(stored, active).iter().rev();
            older.nth(steps.saturating_sub(1)).ok_or(Refusal::NoPrevious)
        }
        _ => named(stored, asked),
    };
    match found {
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
pub fn delete(link: &Link, stored: &[Stored], asked: Option<&str>) -> Action {
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
    match named(stored, asked) {
        Err(refusal) => Action::Refuse(refusal),
        Ok(found) if *link == Link::Version(found.name.clone()) => {
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
    let good = stored.iter().rev().filter(|version| !version.is_bad() && !is_held(version));
    let removed: Vec<VersionName> = good.skip(keep).map(|version| version.name.clone()).collect();
    let newest_removed = removed.iter().max().cloned();
    let is_old_bad = |version: &&Stored| {
        version.is_bad()
            && !is_held(version)
            && newest_removed.as_ref().is_some_and(|newest| version.name < *newest)
            && active.is_some_and(|active| version.name < *active)
    };
    let bad = stored.iter().filter(is_old_bad).map(|version| version.name.clone());
    let mut all: Vec<VersionName> = removed.iter().cloned().chain(bad).collect();
    all.sort();
    all
}

/// The versions that come before `active` in `stored`, which is ordered; by count where `active` is gone.
fn older_than<'s>(stored: &'s [Stored], active: &VersionName) -> &'s [Stored] {
    let position = stored.iter().position(|version| version.name == *active);
    let by_count = || stored.partition_point(|version| version.name.count() < active.count());
    &stored[..position.unwrap_or_else(by_count)]
}

/// The one version of `stored` that `asked` names.
fn named<'s>(stored: &'s [Stored], asked: &str) -> Result<&'s Stored, Refusal> {
    let none = || Refusal::NoSuchVersion { asked: asked.to_owned() };
    let mut found: Vec<&Stored> = stored.iter().filter(|version| version.name.is_meant_by(asked)).collect();
    if found.len() > 1 {
        // A full name is one version even where its count or hash is shared.
        let exact = |version: &&&Stored| version.name.to_string() == asked || version.name.tail() == asked;
        if let Some(exact) = found.iter().find(exact).copied() {
            found = vec![exact];
        }
    }
    match found[..] {
        [] => Err(none()),
        [one] => Ok(one),
        _ => Err(Refusal::Ambiguous {
            asked: asked.to_owned(),
            versions: found.iter().map(|version| version.name.clone()).collect(),
        }),
    }
}
