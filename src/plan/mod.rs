//! Pure decisions: from what is asked and what is on disk to what will be done, per destination.
//!
//! A [`Plan`] is data. `--dry-run`, `--json`, prompts and execution all read the same value; nothing here
//! opens a file. Deploys, rollbacks, resets, deletions and prunes are all plans.

mod asked;
mod back;
mod deploy;
mod refusal;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::version::{Destination, VersionName};

pub use asked::Asked;
pub use back::{Back, activate, beyond_keep, delete, reset, rollback};
pub use deploy::{Candidate, Consent, Situation, deploy};
pub use refusal::Refusal;

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
    /// What is active in another root is copied.
    Cache,
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
            Self::Cache => "cache",
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

impl Plan {
    /// True if something on disk would change.
    pub fn is_change(&self) -> bool {
        self.items.iter().any(|item| item.action.is_change())
    }

    /// The items that need a human.
    pub fn refused(&self) -> Vec<Item> {
        self.items.iter().filter(|item| item.action.is_refusal()).cloned().collect()
    }

    /// Takes the items that need a human out of the plan.
    pub fn take_refused(&mut self) -> Vec<Item> {
        self.items.extract_if(.., |item| item.action.is_refusal()).collect()
    }
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

    /// True if it needs a human.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refuse(_))
    }

    /// True if the destination shows something else afterwards.
    pub fn is_switch(&self) -> bool {
        match self {
            Self::Create { .. } | Self::Relink { .. } => true,
            Self::Remove { unlink, .. } => *unlink,
            _ => false,
        }
    }

    /// True if something on disk changes.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::Relink { .. } | Self::Remove { .. } | Self::Repair { .. })
    }
}
