//! Why nothing was published.

use std::path::PathBuf;

use crate::channel::ChannelError;
use crate::disk::{DiskError, Shown};
use crate::packages::PackagesError;
use crate::project::ProjectError;
use crate::remote::RemoteError;
use crate::rollout::RolloutError;
use crate::signature::SignatureError;
use crate::source::SourceError;
use crate::source::git::GitError;

/// Why nothing was published: whoever reads the channel sees what was there before.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Somebody else published meanwhile.
    #[error("somebody else published to channel `{channel}` meanwhile")]
    Raced {
        /// The channel.
        channel: String,
    },
    /// Another process of this clone is publishing.
    #[error("another `git dist publish` works in `{}`", Shown(path))]
    Busy {
        /// The store of releases.
        path: PathBuf,
    },
    /// There is no such channel.
    #[error("there is no channel `{channel}` at `{at}`")]
    NothingThere {
        /// The channel.
        channel: String,
        /// The place.
        at: String,
    },
    /// A channel that was published from here is gone.
    #[error("channel `{channel}` was published to `{at}` before, and is not there any more")]
    Emptied {
        /// The channel.
        channel: String,
        /// The place.
        at: String,
    },
    /// The channel's releases have ids of another hash.
    #[error("the releases of channel `{channel}` have ids of another hash than this repository's")]
    OtherHash {
        /// The channel.
        channel: String,
    },
    /// There is no dist.json that a consumer could go by.
    #[error("only what a dist.json names can be published")]
    NoManifest,
    /// Nothing is to be published.
    #[error("no target has files of its own to publish")]
    NoTargets,
    /// Packages have no place of their own in the release.
    #[error("the Python packages of target `{target}` would lie among everything else of the release")]
    NoPlace {
        /// The target.
        target: String,
    },
    /// Packages are not to be had.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// What is there does not count.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// It could not be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The place could not be read or written.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The project could not be read.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// Targets could not be gathered.
    #[error(transparent)]
    Rollout(#[from] RolloutError),
    /// Content could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// git did not do what it was to do.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl PublishError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Raced { .. } => {
                "look at what it was: `git dist publish DEST --list`, then try again".to_owned()
            }
            Self::Busy { .. } => "try again when it is done".to_owned(),
            Self::NothingThere { .. } => "`git dist publish DEST --list` lists the channels".to_owned(),
            Self::Emptied { .. } => {
                "put back what was there; or begin anew with `--new-chain`, which machines refuse that know what was there"
                    .to_owned()
            }
            Self::NoManifest => "`git dist init` writes one".to_owned(),
            Self::NoTargets => {
                "`-t` selects targets; those with an address in `from` come from elsewhere, and \
                 `--vendor-python` takes Python packages in"
                    .to_owned()
            }
            Self::NoPlace { target } => {
                format!("give its `source` a path: `\"source\": \"vendor/{target}\"`")
            }
            Self::Packages(source) => return source.hint(),
            Self::Channel(source) => return source.hint(),
            Self::Signature(source) => return source.hint(),
            Self::Remote(source) => return source.hint().map(ToOwned::to_owned),
            Self::Project(source) => return source.hint(),
            Self::Source(source) => return source.hint(),
            Self::Git(source) => return source.hint(),
            Self::OtherHash { .. } | Self::Rollout(_) | Self::Disk(_) => return None,
        })
    }
}
