//! Why a mirror could not be made or refreshed.

use std::path::PathBuf;

use crate::disk::{DiskError, Shown};
use crate::plan::Item;
use crate::rollout::{RolloutError, refusal};
use crate::stage::{CopyError, Damage};

/// Why a mirror could not be made or refreshed. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The source is not there, or does not answer.
    #[error("the source `{}` cannot be read; the mirror stays as it is", Shown(path))]
    Away {
        /// The source.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: DiskError,
    },
    /// The source is no deployment root: most likely a disk that is not mounted.
    #[error("nothing is deployed in the source `{}`; the mirror stays as it is", Shown(.0))]
    Empty(PathBuf),
    /// One of the two is in the other.
    #[error("the source `{}` and the mirror `{}` overlap", Shown(source_path), Shown(mirror))]
    Overlap {
        /// The source.
        source_path: PathBuf,
        /// The mirror.
        mirror: PathBuf,
    },
    /// Something else is where the mirror is to be.
    #[error("`{}` is no mirror, and {what}", Shown(path))]
    NotAMirror {
        /// The mirror's path.
        path: PathBuf,
        /// What it is, in words.
        what: &'static str,
    },
    /// There is no mirror to prune or delete.
    #[error("there is no mirror at `{}`", Shown(.0))]
    NoMirror(PathBuf),
    /// It is the mirror of another root.
    #[error("`{}` is the mirror of `{}`", Shown(mirror), Shown(other))]
    OtherSource {
        /// The mirror.
        mirror: PathBuf,
        /// What it mirrors.
        other: PathBuf,
    },
    /// A version in the source is not what was deployed.
    #[error("refused, and the mirror stays as it is: {_0}")]
    Damaged(Damage),
    /// The source changed whenever it was looked at.
    #[error("the source `{}` changed again and again while it was copied; the mirror stays as it is", Shown(.0))]
    Restless(PathBuf),
    /// Links are being swapped in the source, or were when a run was killed.
    #[error("a rollout is under way in the source `{}`, or was killed; the mirror stays as it is", Shown(.0))]
    Busy(PathBuf),
    /// Something stands in the mirror where a destination is to be.
    #[error("refused: {}", .0.first().map(refusal).unwrap_or_default())]
    Occupied(Vec<Item>),
    /// Something runs from a version of a mirror that is to be removed.
    #[error("refused: `{}` is in use", Shown(.0))]
    InUse(PathBuf),
    /// The mirror could not be written or switched.
    #[error(transparent)]
    Rollout(RolloutError),
}

impl CacheError {
    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Away { source, .. } if source.is_not_found() => {
                "is it mounted? `--src DIR` or `DEPLOY_ROOT` names it".to_owned()
            }
            Self::Away { source, .. } if source.is_denied() => {
                "who mirrors must be able to read all of it".to_owned()
            }
            Self::Away { .. } => "the next run tries again".to_owned(),
            Self::InUse(_) => "`-f` removes it all the same".to_owned(),
            Self::Empty(_) => {
                "is it mounted? `--delete` removes a mirror that nobody needs any more".to_owned()
            }
            Self::Overlap { .. } | Self::NotAMirror { .. } => {
                "`--dst DIR` or `CACHE_ROOT` names another place".to_owned()
            }
            Self::NoMirror(_) => "`git dist cache` makes one".to_owned(),
            Self::OtherSource { .. } => {
                "`-f` makes it a mirror of this source, `--dst DIR` names another place".to_owned()
            }
            Self::Damaged(_) => {
                "`git dist verify --repair` exports it again, in a clone of what it was deployed from \
                and with DEPLOY_ROOT set to the source"
                    .to_owned()
            }
            Self::Restless(_) => "try again when the deployments there are done".to_owned(),
            Self::Busy(_) => {
                "try again when it is done; the next `git dist` there clears up after one that was killed"
                    .to_owned()
            }
            Self::Occupied(_) => "move it away: everything in a mirror is made by the mirror".to_owned(),
            Self::Rollout(_) => return None,
        })
    }
}

impl<E: Into<RolloutError>> From<E> for CacheError {
    fn from(error: E) -> Self {
        Self::Rollout(error.into())
    }
}

/// What ended a try to refresh a mirror.
pub(super) enum Failure {
    /// It may be that the source changed meanwhile.
    Source(CacheError),
    /// It is of no use to try again.
    Final(CacheError),
}

impl Failure {
    pub(super) fn of(error: CopyError, source: &std::path::Path) -> Self {
        match error {
            CopyError::Damaged(damage) => Self::Source(CacheError::Damaged(damage)),
            CopyError::Original(error) => Self::Source(away(source, error)),
            CopyError::Stage(error) => Self::Final(RolloutError::from(error).into()),
        }
    }

    pub(super) fn into_error(self) -> CacheError {
        match self {
            Self::Source(error) | Self::Final(error) => error,
        }
    }
}

impl<E: Into<RolloutError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into().into())
    }
}

/// The error of a source at `path` that cannot be read.
pub(super) fn away(path: &std::path::Path, source: DiskError) -> CacheError {
    CacheError::Away { path: path.to_owned(), source }
}
