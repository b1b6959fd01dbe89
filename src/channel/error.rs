//! Why the manifest of a channel does not count.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::signature::SignatureError;

/// Why the manifest of a channel does not count.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// It is not signed by somebody who may.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is of a later release of git dist.
    #[error("the manifest has format {format}, which this release does not know")]
    Format {
        /// Its format.
        format: u32,
    },
    /// It is none.
    #[error("the manifest cannot be right: {problem}")]
    Malformed {
        /// What is the matter with it.
        problem: String,
    },
    /// It is that of another channel.
    #[error("the manifest of channel `{wanted}` is that of channel `{found}`")]
    OtherChannel {
        /// The channel that was asked for.
        wanted: String,
        /// The channel that it is of.
        found: String,
    },
    /// Its time is over.
    #[error("the manifest of channel `{channel}` expired on {}", when.to_rfc3339_opts(SecondsFormat::Secs, true))]
    Expired {
        /// The channel.
        channel: String,
        /// Since when.
        when: DateTime<Utc>,
    },
    /// It is about another chain of releases than before.
    #[error(
        "channel `{channel}` has another chain of releases than before: it began with {found:.12}, and with {seen:.12}"
    )]
    OtherChain {
        /// The channel.
        channel: String,
        /// What the chain began with that was seen before.
        seen: String,
        /// What this one begins with.
        found: String,
    },
    /// It is older than what was seen.
    #[error(
        "channel `{channel}` is at release {found}, which is older than release {seen}, which was seen before"
    )]
    Older {
        /// The channel.
        channel: String,
        /// The number that was seen.
        seen: u64,
        /// The number of this one.
        found: u64,
    },
    /// Two releases have one number.
    #[error("channel `{channel}` has two releases with the number {sequence}")]
    TwoReleases {
        /// The channel.
        channel: String,
        /// The number.
        sequence: u64,
    },
    /// What it lists does not lead to its release.
    #[error("channel `{channel}` lists no bundles that lead to its release")]
    NoRoute {
        /// The channel.
        channel: String,
    },
}

impl ChannelError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            // What is said of commits and tags is of no use here.
            Self::Signature(SignatureError::Missing { .. }) => {
                "whoever publishes signs with `git dist publish`; nothing else belongs there".to_owned()
            }
            Self::Signature(source) => return source.hint(),
            Self::Format { .. } => "install a newer git dist".to_owned(),
            Self::Expired { channel, .. } => format!(
                "whoever publishes signs it again with `git dist publish DEST --channel {channel} --refresh`; \
                 if that was done, see whether this machine's clock is right"
            ),
            Self::OtherChain { .. } => {
                "if whoever publishes began anew, follow it anew: `git dist install --replace`".to_owned()
            }
            _ => return None,
        })
    }
}
