//! Errors as a person sees them: the kind, the hint and the exit code of each, in one place.

use crate::activate::ActivateError;
use crate::cache::CacheError;
use crate::disk::DiskError;
use crate::environment::EnvironmentError;
use crate::inventory::InventoryError;
use crate::lock::LockError;
use crate::plan::Action;
use crate::project::ProjectError;
use crate::publish::PublishError;
use crate::rollout::RolloutError;
use crate::stage::StageError;
use crate::update::UpdateError;

/// Done, or nothing to do.
pub(super) const DONE: u8 = 0;
/// Refused or failed; nothing changed.
pub(super) const FAILED: u8 = 1;
/// The command line makes no sense.
pub(super) const USAGE: u8 = 2;
/// Failed and undone.
pub(super) const UNDONE: u8 = 3;
/// `update --check` found something new.
pub(super) const NEW: u8 = 10;
/// `verify` or `diff --exit-code` found differences.
pub(super) const DIFFERENT: u8 = 4;
/// `cache --diff` or `cache -d` found that the mirror is stale, as distman says it.
pub(super) const STALE: u8 = 10;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    #[error(transparent)]
    Project(#[from] ProjectError),
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    #[error(transparent)]
    Inventory(#[from] InventoryError),
    #[error(transparent)]
    Hook(#[from] crate::hook::Error),
    #[error(transparent)]
    Cache(CacheError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Update(#[from] UpdateError),
    #[error(transparent)]
    Launch(#[from] crate::launch::LaunchError),
    #[error("the environment cannot be used")]
    Environment(#[from] Box<EnvironmentError>),
    #[error("cannot enter `{}`", crate::disk::Shown(path))]
    Directory {
        path: std::path::PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
    /// Something to say that only this command knows.
    #[error("{message}")]
    Told { message: String, hint: Option<String>, code: u8 },
}

impl From<crate::disk::DiskError> for CliError {
    fn from(error: crate::disk::DiskError) -> Self {
        Self::Rollout(error.into())
    }
}

impl From<CacheError> for CliError {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Rollout(error) => Self::Rollout(error),
            error => Self::Cache(error),
        }
    }
}

impl CliError {
    /// The exit code, if no signal stopped the run.
    pub(super) fn code(&self) -> u8 {
        match self {
            Self::Rollout(
                RolloutError::After { .. }
                | RolloutError::Activate(ActivateError::Undone(_) | ActivateError::Stuck(_)),
            ) => UNDONE,
            Self::Launch(error) => error.code(),
            Self::Told { code, .. } => *code,
            _ => FAILED,
        }
    }

    /// The next command to try.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::Project(source) => source.hint(),
            Self::Inventory(source) => source.hint(),
            Self::Hook(source) => source.hint(),
            Self::Cache(source) => source.hint(),
            Self::Update(source) => update_hint(source),
            Self::Launch(source) => source.hint(),
            Self::Environment(source) => source.hint(),
            Self::Rollout(source) | Self::Publish(PublishError::Rollout(source)) => rollout_hint(source),
            Self::Publish(source) => source.hint(),
            Self::Told { hint, .. } => hint.clone(),
            Self::Directory { .. } | Self::Output(_) => None,
        }
    }

    /// Lines of detail under the message: refused items, the place in a file.
    pub(super) fn details(&self) -> Vec<String> {
        match self {
            Self::Rollout(RolloutError::Refused(items)) if items.len() > 1 => {
                let lines = items.iter().take(20).map(crate::rollout::refusal);
                let more = items.len().saturating_sub(20);
                lines.chain((more > 0).then(|| format!("... and {more} more"))).collect()
            }
            Self::Rollout(
                RolloutError::After { again: Some(again), .. }
                | RolloutError::Interrupted { again: Some(again), .. },
            ) => {
                vec![format!("the commands ran again for what is active now, and failed too: {again}")]
            }
            Self::Project(ProjectError::Manifest { source, .. })
            | Self::Rollout(RolloutError::Project(ProjectError::Manifest { source, .. })) => {
                source.snippet().into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

fn rollout_hint(error: &RolloutError) -> Option<String> {
    match error {
        RolloutError::Refused(items) => items.iter().find_map(|item| match &item.action {
            Action::Refuse(refusal) => Some(refusal.hint(&item.target)),
            _ => None,
        }),
        RolloutError::NoRollout { .. } => Some("`git dist log` lists them".to_owned()),
        RolloutError::Elsewhere { target } => Some(format!("`git dist update {target}`")),
        RolloutError::NothingBefore => Some("`git dist show -v` lists what is deployed".to_owned()),
        RolloutError::Staging(StageError::Source(source)) | RolloutError::Source { source, .. } => {
            source.hint()
        }
        RolloutError::Content { source, .. } | RolloutError::Git(source) => source.hint(),
        RolloutError::Staging(StageError::NoSpace { .. }) => {
            Some("`git dist prune --keep 1` removes old versions".to_owned())
        }
        RolloutError::Activate(ActivateError::Astray { path } | ActivateError::Damaged { path, .. }) => {
            Some(format!(
                "see who wrote it; without it every link stays as it is: `rm {}`",
                crate::disk::Shown(path)
            ))
        }
        RolloutError::Lock(LockError::Held { .. }) => Some("try again when it is done".to_owned()),
        RolloutError::Transform(source) => source.hint(),
        RolloutError::Project(source) => source.hint(),
        RolloutError::Target(source) => source.hint(),
        RolloutError::Outside(source) => source.hint(),
        RolloutError::NotSigned { source, .. } => source.hint(),
        RolloutError::Verify { source, .. } | RolloutError::After { source, .. } => source.hint(),
        RolloutError::Inventory(source) => source.hint(),
        RolloutError::Repair(source) => Some(source.hint().to_owned()),
        RolloutError::NotYours { .. } => {
            Some("`DEPLOY_ROOT=DIR git dist` deploys to another place".to_owned())
        }
        error => disk_error(error)?.hint().map(ToOwned::to_owned),
    }
}

fn update_hint(error: &UpdateError) -> Option<String> {
    match error {
        UpdateError::Rollout(RolloutError::Commands { .. }) => {
            Some("`--allow-commands` of `git dist install` lets it run them; with `--replace` where it is installed".to_owned())
        }
        UpdateError::Rollout(source) => rollout_hint(source),
        error => error.hint(),
    }
}

/// What the disk said, if that is why a rollout did not happen.
fn disk_error(error: &RolloutError) -> Option<&DiskError> {
    match error {
        RolloutError::Disk(error)
        | RolloutError::Staging(StageError::Disk(error))
        | RolloutError::Lock(LockError::Disk(error)) => Some(error),
        RolloutError::Activate(error) => error.disk_error(),
        _ => None,
    }
}
