//! Channels: what is published under a name, as one small signed manifest and the git bundles that it names.
//!
//! A channel is a chain of releases, each a commit whose parent is the release before. The manifest says which release
//! is the present one, and lists bundles that lead there. It is all that has to be trusted: a bundle counts by its
//! SHA-256, which stands there, and a release by its id.

mod error;
mod manifest;
mod route;

pub use error::ChannelError;
pub use manifest::{BundleInfo, FORMAT, Manifest, ReleaseInfo, is_name};
pub use route::route;

use chrono::{DateTime, Utc};

use crate::signature::{Signature, Signers, open_text};

/// The most that a manifest may be, in bytes, with its signatures.
pub const LARGEST: u64 = 1 << 20;

/// The path of a channel's manifest in a published place.
pub fn manifest_path(channel: &str) -> String {
    format!("channels/{channel}")
}

/// The path of a bundle in a published place.
pub fn bundle_path(sha256: &str) -> String {
    format!("bundles/{sha256}.bundle")
}

/// The reference that leads to a release, in bundles and stores: a tag.
pub fn reference(channel: &str, sequence: u64) -> String {
    format!("refs/tags/{channel}/{sequence}")
}

/// What is known of a channel from before, so that nobody can lead back or elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// The first release of the chain.
    pub chain: String,
    /// The highest sequence number that was seen.
    pub sequence: u64,
    /// The release of that number.
    pub commit: String,
    /// When that was published, the latest of what was seen: it cannot be earlier than this now.
    pub published: DateTime<Utc>,
}

/// What a manifest must be to count.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The channel.
    pub channel: &'a str,
    /// What was seen of it before.
    pub seen: Option<&'a Seen>,
    /// What the clock says.
    pub now: DateTime<Utc>,
}

/// Reads the manifest `bytes`, if it is signed by one of `signers` and is what is expected.
///
/// # Errors
/// [`ChannelError`] for anything else.
pub fn open(
    bytes: &[u8],
    signers: &Signers,
    expected: Expected<'_>,
) -> Result<(Manifest, Signature), ChannelError> {
    let name = format!("channel `{}`", expected.channel);
    let (text, signature) = open_text(&name, bytes, signers)?;
    let manifest = Manifest::parse(text)?;
    check(&manifest, expected)?;
    Ok((manifest, signature))
}

fn check(manifest: &Manifest, expected: Expected<'_>) -> Result<(), ChannelError> {
    if manifest.channel != expected.channel {
        return Err(ChannelError::OtherChannel {
            wanted: expected.channel.to_owned(),
            found: manifest.channel.clone(),
        });
    }
    // A clock that lags behind what was seen is wrong; what was seen is then the better clock.
    let now = expected.seen.map_or(expected.now, |seen| seen.published.max(expected.now));
    if manifest.expires <= now {
        return Err(ChannelError::Expired { channel: manifest.channel.clone(), when: manifest.expires });
    }
    let Some(seen) = expected.seen else { return Ok(()) };
    let ReleaseInfo { commit, .. } = &manifest.release;
    if manifest.chain != seen.chain {
        return Err(ChannelError::OtherChain {
            channel: manifest.channel.clone(),
            seen: seen.chain.clone(),
            found: manifest.chain.clone(),
        });
    }
    if manifest.sequence < seen.sequence {
        return Err(ChannelError::Older {
            channel: manifest.channel.clone(),
            seen: seen.sequence,
            found: manifest.sequence,
        });
    }
    if manifest.sequence == seen.sequence && *commit != seen.commit {
        return Err(ChannelError::TwoReleases {
            channel: manifest.channel.clone(),
            sequence: manifest.sequence,
        });
    }
    Ok(())
}

impl Seen {
    /// What is known once `manifest` was seen, after `before`.
    pub fn after(manifest: &Manifest, before: Option<&Self>) -> Self {
        Self {
            chain: manifest.chain.clone(),
            sequence: manifest.sequence,
            commit: manifest.release.commit.clone(),
            published: before.map_or(manifest.published, |seen| seen.published.max(manifest.published)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::manifest::tests::example;
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn what_leads_back_or_elsewhere_does_not_count() {
        let manifest = example();
        let seen = Seen::after(&manifest, None);
        let check = |change: &dyn Fn(&mut Manifest), now: &str| {
            let mut manifest = manifest.clone();
            change(&mut manifest);
            let expected = Expected { channel: "stable", seen: Some(&seen), now: time(now) };
            super::check(&manifest, expected).map_err(|error| error.to_string())
        };
        let now = "2026-11-15T00:00:00Z";
        assert_eq!(check(&|_| (), now), Ok(()));
        assert_eq!(check(&|it| it.sequence += 1, now), Ok(()));
        let refused = |change: &dyn Fn(&mut Manifest), now, words: &str| {
            let error = check(change, now).unwrap_err();
            assert!(error.contains(words), "{error}");
        };
        refused(&|it| it.sequence -= 1, now, "older");
        refused(&|it| it.release.commit = "b".repeat(40), now, "two releases");
        refused(&|it| it.chain = "b".repeat(40), now, "another chain");
        refused(&|it| it.channel = "beta".to_owned(), now, "is that of channel `beta`");
        refused(&|_| (), "2027-01-01T00:00:00Z", "expired");
        // A clock that stands still in the past does not keep an old one alive.
        refused(&|it| it.expires = time("2026-10-31T23:59:59Z"), "1970-01-01T00:00:00Z", "expired");
    }
}
