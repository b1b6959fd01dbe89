//! Decisions of a deploy.

use super::{Action, Refusal};
use crate::source::git::Ancestry;
use crate::version::{Link, Stored, VersionName};

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
    if !consent.version_only
        && let Err(refusal) = may_switch(situation, consent, &mut warnings)
    {
        return (Action::Refuse(refusal), warnings);
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
            warnings.push(format!("loses {lost} {commits} of what is active ({})", active.tail()));
            Ok(())
        }
        _ => Ok(()),
    }
}
