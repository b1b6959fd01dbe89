//! Why an update did not happen.

use std::path::PathBuf;
use std::time::Duration;

use crate::channel::ChannelError;
use crate::disk::{DiskError, Shown};
use crate::packages::PackagesError;
use crate::project::ProjectError;
use crate::remote::RemoteError;
use crate::rollout::RolloutError;
use crate::signature::SignatureError;
use crate::source::git::GitError;

/// Why an update did not happen: what was active is active.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// No upstream could be reached.
    #[error("{}", told(.away))]
    Unreachable {
        /// Each with what is the matter.
        away: Vec<(String, UpdateError)>,
    },
    /// The time was over.
    #[error("it did not end within {}; the next try goes on from there", humantime::format_duration(*.total))]
    OutOfTime {
        /// The time that it had.
        total: Duration,
        /// What was done then.
        #[source]
        source: Box<UpdateError>,
    },
    /// The release failed its checks; it is not tried again.
    #[error("{release} failed, and is not tried again")]
    Bad {
        /// What it is.
        release: String,
        /// How it failed.
        #[source]
        source: Box<UpdateError>,
    },
    /// An address is none.
    #[error("`{}` is no address of an upstream", Shown(address))]
    Address {
        /// The address.
        address: String,
    },
    /// A name cannot be that of a subscription.
    #[error("`{}` cannot be the name of what is followed", Shown(name))]
    Name {
        /// The name.
        name: String,
    },
    /// A file of a subscription is damaged.
    #[error("`{}` is damaged: {problem}", Shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        problem: String,
    },
    /// A file of a subscription went away.
    #[error("`{}` is gone", Shown(path))]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// A remote has nothing of the kind that is followed.
    #[error("`{upstream}` has no branch, tag or version `{}`", Shown(track))]
    NothingToTrack {
        /// The remote.
        upstream: String,
        /// What is followed.
        track: String,
    },
    /// Packages bring no dist.json.
    #[error("`{upstream}` has Python packages, which do not say where they go")]
    NeedsManifest {
        /// The upstream.
        upstream: String,
    },
    /// What was there when it was asked is not there any more.
    #[error("`{upstream}` moved on while it was fetched from")]
    Moved {
        /// The upstream.
        upstream: String,
    },
    /// The release holds none of the targets that are followed.
    #[error("{release} holds none of the targets that are followed")]
    NoTargets {
        /// What it is.
        release: String,
    },
    /// The project deploys to another root than the one that is updated.
    #[error("the project deploys to `{}`, not to `{}`", Shown(found), Shown(root))]
    OtherRoot {
        /// The project's root.
        found: PathBuf,
        /// The root that is updated.
        root: PathBuf,
    },
    /// The manifest of the channel does not count.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// A signature could not be checked.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The place said no, or cannot be reached.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Packages are not to be had.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// git said no.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The project could not be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// It was not deployed.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn told(away: &[(String, UpdateError)]) -> String {
    match away {
        [] => "there is no upstream to ask".to_owned(),
        [(_, error)] => crate::causes::chain(error),
        _ => {
            let each = away.iter().map(|(_, error)| format!("; {}", crate::causes::chain(error)));
            format!("none of {} upstreams can be reached{}", away.len(), each.collect::<String>())
        }
    }
}

impl UpdateError {
    /// True if an upstream could not be reached, so that another one may do.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::OutOfTime { .. } => true,
            Self::Remote(error) => error.is_unreachable(),
            Self::Git(error) => error.is_unreachable(),
            Self::Packages(error) => error.is_unreachable(),
            _ => false,
        }
    }

    /// True if what arrived was refused for what it is.
    pub fn is_refusal(&self) -> bool {
        if let Self::Packages(error) = self {
            return error.is_refusal();
        }
        matches!(
            self,
            Self::Channel(_)
                | Self::Signature(_)
                | Self::Remote(
                    RemoteError::Mismatch { .. } | RemoteError::TooLarge { .. } | RemoteError::Denied { .. }
                )
                | Self::Git(GitError::Bundle { .. })
                | Self::Rollout(
                    RolloutError::Refused(_)
                        | RolloutError::NotSigned { .. }
                        | RolloutError::Outside(_)
                        | RolloutError::Commands { .. }
                )
        )
    }

    /// True if the release itself is to blame, so that it would fail again.
    pub(super) fn is_release_bad(&self) -> bool {
        matches!(
            self,
            Self::Rollout(
                RolloutError::Verify { .. } | RolloutError::After { .. } | RolloutError::Transform(_)
            ) | Self::Project(ProjectError::Manifest { .. } | ProjectError::NoManifest { .. })
        )
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { away } => away.iter().find_map(|(_, error)| error.hint())?,
            Self::OutOfTime { .. } => "`--timeout 10m` waits longer".to_owned(),
            Self::Bad { .. } => "`git dist update --now -f` tries it again".to_owned(),
            Self::Name { .. } => "letters, digits, `.`, `_` and `-`".to_owned(),
            Self::NothingToTrack { .. } => {
                "the option `track` names a branch, a tag pattern (`v*`) or a requirement (`^1.2`)".to_owned()
            }
            Self::Channel(source) => return source.hint(),
            Self::Signature(source) => return source.hint(),
            Self::Remote(source) => return source.hint().map(ToOwned::to_owned),
            Self::Git(source) => return source.hint(),
            Self::Packages(source) => return source.hint(),
            Self::NeedsManifest { .. } => {
                "write them into a dist.json: `\"tool\": { \"source\": \".\", \"destination\": \"{DEPLOY_ROOT}/lib/tool\", \
                 \"options\": { \"from\": \"pypi\", \"require\": \"tool>=1\" } }`, then `git dist update`"
                    .to_owned()
            }
            Self::Project(source) => return source.hint(),
            Self::Moved { .. } => "try again".to_owned(),
            _ => return None,
        })
    }
}
