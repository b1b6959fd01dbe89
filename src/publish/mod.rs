//! Publishing: a revision becomes the next release of a channel, in a directory or a bucket that anybody may read.
//!
//! What is published is what a deploy would export, before pipelines, as one commit whose parent is the release before.
//! The history of the source does not go along. The release travels as git bundles, which are written first and never
//! change; then the channel's manifest is replaced, under the condition that it is the one that was read. So whoever
//! reads sees the old release or the new one, and of two who publish at once one is told to look again. Before its
//! manifest names it, a release is read back from its own bundle, as consumers will.

mod chain;
mod error;
mod keys;
mod look;
mod release;
mod vendor;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{SubsecRound as _, Utc};

use crate::channel::{self, BundleInfo, ChannelError, Expected, FORMAT, Manifest, ReleaseInfo};
use crate::disk::WorkFolder;
use crate::remote::{Content, Read, Remote, RemoteError, Tag};
use crate::rollout::{Admitted, Events};
use crate::signature::{Signers, SigningKey, sign_text};
use crate::source::HashKind;
use crate::source::git::{Repository, Watch};

use chain::Chain;
pub use error::PublishError;
pub use keys::Keys;
pub use look::{Channel, Pruned, channels, prune};
use release::Release;

/// The result of publishing.
pub type Result<T, E = PublishError> = std::result::Result<T, E>;

/// What is asked of [`publish`].
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Where to.
    pub remote: &'a Remote,
    /// The channel.
    pub channel: &'a str,
    /// What it is called, for people, where the channel is new.
    pub project: &'a str,
    /// Patterns of target names; none means all.
    pub targets: &'a [String],
    /// What it is signed with; at least one.
    pub keys: &'a [SigningKey],
    /// Who may have signed what is there already.
    pub signers: &'a Signers,
    /// How long the release counts without being signed again.
    pub valid_for: Duration,
    /// A whole bundle is written after so many releases.
    pub whole_after: u64,
    /// Only one publishes there, so that a store that does not heed conditions will do.
    pub single_writer: bool,
    /// Where the channel was published before and is not there any more, a chain is begun anew.
    pub new_chain: bool,
    /// Git's own files are published too.
    pub all: bool,
    /// Python packages of targets are installed here, and become a part of the release.
    pub vendor_python: bool,
    /// A release that holds what the one before holds is made all the same.
    pub force: bool,
    /// Nothing is written to the place.
    pub dry_run: bool,
}

/// What was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The channel's manifest, as it is now.
    pub manifest: Manifest,
    /// True if there is a release that was not there before.
    pub is_new: bool,
    /// Bytes that were written to the place.
    pub bytes: u64,
    /// Files of the release.
    pub files: usize,
}

/// Releases whose bundles a manifest lists besides what leads from the newest whole one.
const REMEMBERED: u64 = 100;

/// Publishes the project's revision as the next release of a channel. Where it holds what the channel's release holds
/// already, nothing is written.
///
/// # Errors
/// [`PublishError::Raced`] when somebody else published meanwhile; others when the place cannot be read or written, what
/// is there is not signed as it should be, or the sources cannot be read.
pub fn publish(project: &Admitted<'_>, request: &Request<'_>, events: &dyn Events) -> Result<Published> {
    let interrupted = || events.is_interrupted();
    let watch = Watch { limit: None, interrupted: &interrupted };
    let work = WorkFolder::create_in(&std::path::absolute(std::env::temp_dir()).unwrap_or_default())?;
    let current = Current::read(request)?;
    if current.manifest.is_none() && !request.single_writer && !request.dry_run {
        request.remote.check_preconditions()?;
    }
    let hash = project.repository().map_or(HashKind::Sha1, Repository::hash_kind);
    let chain = Chain::open(project, request, &work, hash, watch, events)?;
    let at = request.remote.address().to_string();
    if current.manifest.is_none() && !request.new_chain && chain.knows(request.channel, &at)? {
        return Err(PublishError::Emptied { channel: request.channel.to_owned(), at });
    }
    if let Some(manifest) = &current.manifest {
        if manifest.hash_kind() != hash {
            return Err(PublishError::OtherHash { channel: request.channel.to_owned() });
        }
        chain.catch_up(manifest, request.remote, watch)?;
    }
    let release = Release::make(project, request, current.manifest.as_ref(), &chain, &work, watch)?;
    let before = current.manifest.as_ref().map(|manifest| &manifest.release);
    let is_same =
        |before: &ReleaseInfo| before.tree == release.info.tree && before.targets == release.info.targets;
    if let Some(manifest) = current.manifest.clone().filter(|it| is_same(&it.release) && !request.force) {
        return Ok(Published { manifest, is_new: false, bytes: 0, files: release.files });
    }
    let mut written = Vec::new();
    if let Some(before) = before {
        written.push(release.bundle(Some(&before.commit), &work, watch)?);
    }
    if is_whole_due(current.manifest.as_ref(), release.sequence, request.whole_after) {
        // First, so that what leads on from a release stands behind what leads there.
        written.insert(0, release.bundle(None, &work, watch)?);
    }
    for bundle in &written {
        chain.take(&work.dir().join(&bundle.sha256), &release, watch)?;
    }
    let mut manifest = next(request, current.manifest.as_ref(), release.info.clone(), &written);
    let mut published = Published { manifest, is_new: true, bytes: 0, files: release.files };
    if request.dry_run {
        return Ok(published);
    }
    for bundle in &written {
        let path = channel::bundle_path(&bundle.sha256);
        if request.remote.create(&path, &Content::File(work.dir(), &bundle.sha256))? {
            published.bytes += bundle.size;
        }
    }
    manifest = published.manifest;
    published.bytes += current.replace(request, &manifest)?;
    chain.keep(&manifest, &at, watch)?;
    Ok(Published { manifest, ..published })
}

/// Signs the manifest of a channel again, for a time that begins now.
///
/// # Errors
/// As [`publish`], and [`PublishError::NothingThere`] where there is no such channel.
pub fn refresh(request: &Request<'_>) -> Result<Published> {
    let current = Current::read(request)?;
    let Some(manifest) = &current.manifest else {
        return Err(PublishError::NothingThere {
            channel: request.channel.to_owned(),
            at: request.remote.address().to_string(),
        });
    };
    let manifest = dated(manifest.clone(), request.valid_for);
    let bytes = if request.dry_run { 0 } else { current.replace(request, &manifest)? };
    Ok(Published { manifest, is_new: false, bytes, files: 0 })
}

/// What a channel is when publishing begins.
struct Current {
    manifest: Option<Manifest>,
    tag: Option<Tag>,
}

impl Current {
    fn read(request: &Request<'_>) -> Result<Self> {
        let path = channel::manifest_path(request.channel);
        let (bytes, tag) = match request.remote.read(&path, channel::LARGEST, None) {
            Ok(Read::New { bytes, tag }) => (bytes, tag),
            Err(RemoteError::NotFound { .. }) => return Ok(Self { manifest: None, tag: None }),
            Ok(Read::Same) => unreachable!("nothing is known of it yet"),
            Err(error) => return Err(error.into()),
        };
        // Whoever publishes may do so when the time of what is there is over.
        let past = chrono::DateTime::<Utc>::UNIX_EPOCH;
        let expected = Expected { channel: request.channel, seen: None, now: past };
        let (manifest, _) = channel::open(&bytes, request.signers, expected)?;
        Ok(Self { manifest: Some(manifest), tag })
    }

    /// Replaces the manifest; returns its size.
    fn replace(&self, request: &Request<'_>, manifest: &Manifest) -> Result<u64> {
        let signed = sign_text(manifest.text().as_bytes(), request.keys)?;
        if signed.len() as u64 > channel::LARGEST {
            return Err(ChannelError::Malformed { problem: "it is too large".to_owned() }.into());
        }
        let path = channel::manifest_path(request.channel);
        match request.remote.replace(&path, &signed, self.tag.as_ref()) {
            Ok(_) => Ok(signed.len() as u64),
            Err(RemoteError::Conflict { .. }) => {
                Err(PublishError::Raced { channel: request.channel.to_owned() })
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// True if the release `sequence` is to have a bundle of its own that needs no other.
fn is_whole_due(before: Option<&Manifest>, sequence: u64, after: u64) -> bool {
    let wholes = before.iter().flat_map(|it| &it.bundles).filter(|bundle| bundle.from.is_none());
    let last = wholes.map(|bundle| bundle.sequence).max();
    last.is_none_or(|last| sequence.saturating_sub(last) >= after.max(1))
}

/// The manifest that follows `before`.
fn next(
    request: &Request<'_>,
    before: Option<&Manifest>,
    release: ReleaseInfo,
    written: &[BundleInfo],
) -> Manifest {
    let sequence = before.map_or(1, |before| before.sequence + 1);
    let mut bundles: Vec<BundleInfo> =
        before.iter().flat_map(|before| &before.bundles).chain(written).cloned().collect();
    let wholes = bundles.iter().filter(|bundle| bundle.from.is_none());
    let whole = wholes.map(|bundle| bundle.sequence).max().unwrap_or_default();
    let oldest = whole.min(sequence.saturating_sub(REMEMBERED));
    bundles.retain(|bundle| bundle.sequence >= oldest && (bundle.from.is_some() || bundle.sequence == whole));
    let manifest = Manifest {
        format: FORMAT,
        project: before.map_or(request.project, |before| &before.project).to_owned(),
        channel: request.channel.to_owned(),
        chain: before.map_or(&release.commit, |before| &before.chain).clone(),
        sequence,
        published: Utc::now(),
        expires: Utc::now(),
        hash: if release.commit.len() == 64 { "sha256" } else { "sha1" }.to_owned(),
        release,
        bundles,
    };
    dated(manifest, request.valid_for)
}

/// `manifest`, published now.
fn dated(manifest: Manifest, valid_for: Duration) -> Manifest {
    // Never earlier than before, whatever this machine's clock says.
    let now = Utc::now().trunc_subsecs(0);
    let published = if manifest.sequence == 1 { now } else { now.max(manifest.published.trunc_subsecs(0)) };
    let valid_for = chrono::Duration::from_std(valid_for).unwrap_or(chrono::Duration::days(36_500));
    Manifest { published, expires: published + valid_for, ..manifest }
}

/// The store of releases of a repository.
fn store_path(repository: &Repository) -> PathBuf {
    repository.common_dir().join("dist").join("releases.git")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_bundle_is_due_now_and_then() {
        let bundle = |from: Option<&str>, sequence| BundleInfo {
            sha256: String::new(),
            size: 1,
            from: from.map(ToOwned::to_owned),
            to: String::new(),
            sequence,
        };
        let mut manifest = Manifest::parse(EXAMPLE.as_bytes()).unwrap();
        manifest.bundles = vec![bundle(None, 1), bundle(Some("a"), 2)];
        assert!(is_whole_due(None, 1, 10));
        assert!(!is_whole_due(Some(&manifest), 3, 10));
        assert!(is_whole_due(Some(&manifest), 11, 10));
        assert!(is_whole_due(Some(&manifest), 2, 0));
    }

    const EXAMPLE: &str = r#"{ "format": 1, "project": "p", "channel": "c",
        "chain": "1111111111111111111111111111111111111111", "sequence": 1,
        "published": "2026-11-01T00:00:00Z", "expires": "2026-12-01T00:00:00Z", "hash": "sha1",
        "release": { "commit": "1111111111111111111111111111111111111111",
            "tree": "2222222222222222222222222222222222222222", "revision": "v1", "manifest": "dist.json",
            "targets": [] },
        "bundles": [ { "sha256": "3333333333333333333333333333333333333333333333333333333333333333", "size": 1,
            "to": "1111111111111111111111111111111111111111", "sequence": 1 } ] }"#;
}
