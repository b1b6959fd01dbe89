//! Rollouts: everything that changes a deployment root, composed of the rooms above, under the lock.
//!
//! There is one road. A deploy plans, stages and completes versions; then it, like rollback, use, reset and
//! delete, goes through [`Session::switch`]: journal, links, history, dist info, change stamp, prune.

mod admission;
mod after;
mod back;
mod commands;
mod confine;
mod damage;
mod deploy;
mod diff;
mod prune;
mod repair;
mod session;
mod suggest;
mod unattended;
mod verify;
mod work;

use std::path::PathBuf;
use std::time::Duration;

pub use admission::{Admitted, Demand, admit, admit_release};
pub use back::{Choice, Chosen, Manner, carry_out, keep_used, look_over, plan_choice, select};
pub use commands::{CheckError, commands_of};
pub use confine::OutsideError;
pub use deploy::{DeployRequest, Gathered, Prepared, gather, plan_deploy};

pub use diff::{Change, FileChange, version_changes};
pub use repair::{Place, RepairError, Repaired, repair};
pub use session::{FolderId, Session, Switch};
pub use suggest::suggest;
pub use unattended::{Permissions, Unattended, deploy_unattended};
pub use verify::{Verification, Verified, verify};

use crate::activate::{ActivateError, Recovered};
use crate::disk::{DiskError, Shown};
use crate::inventory::InventoryError;
use crate::lock::LockError;
use crate::plan::{Item, Kind, Plan};
use crate::project::ProjectError;
use crate::root::SignedOnlyError;
use crate::signature::SignatureError;
use crate::source::SourceError;
use crate::source::git::GitError;
use crate::stage::StageError;
use crate::target::TargetError;
use crate::transform::TransformError;
use crate::version::{ListingError, VersionName};

/// Why a rollout did not happen.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    /// Destinations need a human; nothing was changed.
    #[error("{}", refusals(.0))]
    Refused(Vec<Item>),
    /// A rollback to a rollout that never was.
    #[error("there is no rollout r{number}")]
    NoRollout {
        /// The number that was asked for.
        number: u64,
    },
    /// A rollback where nothing was activated that it could take back.
    #[error("there is nothing to go back from")]
    NothingBefore,
    /// Content could not be read or written; nothing was changed.
    #[error(transparent)]
    Staging(#[from] StageError),
    /// The content of a target could not be listed; nothing was changed.
    #[error("target `{target}`")]
    Content {
        /// The target's name.
        target: String,
        /// What went wrong.
        #[source]
        source: GitError,
    },
    /// The content of a target could not be read; nothing was changed.
    #[error("target `{target}`")]
    Source {
        /// The target's name.
        target: String,
        /// What went wrong.
        #[source]
        source: SourceError,
    },
    /// Links could not be swapped; every one is as it was.
    #[error(transparent)]
    Activate(#[from] ActivateError),
    /// The target comes from elsewhere, and not from the revision.
    #[error("target `{target}` comes from elsewhere: its option `from` names an upstream")]
    Elsewhere {
        /// The target's name.
        target: String,
    },
    /// A damaged version could not be made again.
    #[error(transparent)]
    Repair(RepairError),
    /// A pipeline failed; nothing was changed.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// A staged version did not pass a `verify` command; nothing was changed.
    #[error("target `{target}`: what was staged for `{}` did not pass its checks", Shown(destination))]
    Verify {
        /// The target's name.
        target: String,
        /// The destination.
        destination: PathBuf,
        /// What failed.
        #[source]
        source: CheckError,
    },
    /// An `after` command failed; the whole rollout was undone.
    #[error("the rollout was undone, because an `after` command of target `{target}` failed")]
    After {
        /// The target's name.
        target: String,
        /// How the commands did that ran again after that, if they failed: what is active and what a server serves may
        /// differ.
        again: Option<String>,
        /// What failed.
        #[source]
        source: CheckError,
    },
    /// The run was asked to stop.
    #[error("interrupted: {outcome}")]
    Interrupted {
        /// What that means, in words: it was undone, nothing was changed.
        outcome: String,
        /// How the `after` commands did that ran again after that, if they failed.
        again: Option<String>,
    },
    /// A target runs commands of the manifest, and nobody is there to allow it; nothing was changed.
    #[error("target `{target}` runs commands ({}), which is not allowed without a person", commands.join(", "))]
    Commands {
        /// The target's name.
        target: String,
        /// What it runs, in words.
        commands: Vec<String>,
    },
    /// Only what is signed may be deployed, and this does not count as signed; nothing was changed.
    #[error("refused: {demand} asks for a good signature")]
    NotSigned {
        /// What asks for it.
        demand: Demand,
        /// Why it does not count.
        #[source]
        source: SignatureError,
    },
    /// It is not known what asks for signatures.
    #[error(transparent)]
    SignedOnly(#[from] SignedOnlyError),
    /// It would write where nobody allowed it, and nobody is there to allow it; nothing was changed.
    #[error(transparent)]
    Outside(#[from] OutsideError),
    /// The root is somebody else's, and this user may not write to it.
    #[error("the deployment root `{}` belongs to {owner}, and you may not write to it", Shown(path))]
    NotYours {
        /// The root.
        path: PathBuf,
        /// Its owner's name.
        owner: String,
        /// What was tried.
        #[source]
        source: DiskError,
    },
    /// The lock could not be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The project could not be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Targets could not be resolved.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The inventory could not be taken.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    /// The repository could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A listing could not be read.
    #[error(transparent)]
    Listing(#[from] ListingError),
}

impl RolloutError {
    /// The run was asked to stop before it changed anything.
    pub fn interrupted() -> Self {
        Self::Interrupted { outcome: "nothing was changed".to_owned(), again: None }
    }

    /// This error of a run that did not change anything yet: if the run was asked to stop, that is what it comes from.
    fn or_interrupted(self, events: &dyn Events) -> Self {
        if events.is_interrupted() { Self::interrupted() } else { self }
    }
}

fn refusals(items: &[Item]) -> String {
    match items {
        [item] => format!("refused: {}", refusal(item)),
        _ => format!("refused: {} destinations need a decision", items.len()),
    }
}

/// One refused item in words.
pub fn refusal(item: &Item) -> String {
    match &item.action {
        crate::plan::Action::Refuse(refusal) => {
            format!("`{}` (target `{}`): {}", item.destination.as_str(), item.target, refusal.message())
        }
        other => format!("`{}`: {}", item.destination.as_str(), other.word()),
    }
}

/// The result of a rollout.
pub type Result<T, E = RolloutError> = std::result::Result<T, E>;

/// What a rollout did.
#[derive(Clone, Debug)]
pub struct Report {
    /// What kind of rollout it was.
    pub kind: Kind,
    /// Its number in the history; `None` if nothing changed.
    pub number: Option<u64>,
    /// One entry per destination of the plan, as it was done.
    pub items: Vec<Item>,
    /// Versions that were removed because they were beyond what is kept.
    pub pruned: Vec<(PathBuf, VersionName)>,
    /// Versions that were beyond what is kept and stay, because they are in use.
    pub in_use: Vec<(PathBuf, VersionName)>,
    /// What was found of a killed run, and done about it.
    pub recovered: Recovered,
    /// What went wrong after the rollout counted, and is left to the next run.
    pub warnings: Vec<String>,
    /// Why `after` commands did not run, if they had to be left out.
    pub left_out: Option<String>,
}

impl Report {
    /// The report of a plan that changes nothing.
    pub fn nothing(plan: Plan) -> Self {
        Self {
            kind: plan.kind,
            number: None,
            items: plan.items,
            pruned: Vec::new(),
            in_use: Vec::new(),
            recovered: Recovered::Nothing,
            warnings: Vec::new(),
            left_out: None,
        }
    }
}

/// Things that happen during a rollout and that a person may want to see.
pub trait Events: crate::stage::Progress {
    /// Somebody else holds the lock; this run waits.
    fn waiting(&self, holder: &crate::lock::Holder);
    /// Root acts in the root of somebody else.
    fn acting_for(&self, root: &crate::root::Root, owner: &str);
    /// A killed run's traces were cleared.
    fn recovered(&self, recovered: &Recovered);
    /// True if the run was asked to stop more than once: commands that help to undo it should stop too.
    fn is_interrupted_again(&self) -> bool {
        false
    }
    /// How long the run waits for one that holds the lock.
    fn lock_wait(&self) -> Duration {
        Duration::from_secs(30)
    }
}
