//! What is published at a place, and what of it nobody needs any more.

use std::collections::BTreeSet;

use super::Result;
use crate::channel::{self, ChannelError, Expected, Manifest};
use crate::remote::{Object, Read, Remote};
use crate::signature::{Signature, Signers};
use chrono::{DateTime, Utc};

/// A channel of a place.
#[derive(Debug)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// Its manifest and who signed it, or why it does not count.
    pub manifest: std::result::Result<(Manifest, Signature), ChannelError>,
}

/// What was removed from a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Bundles.
    pub bundles: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// The channels of a place, as `signers` vouch for them.
///
/// # Errors
/// When the place cannot be listed or read.
pub fn channels(remote: &Remote, signers: &Signers) -> Result<Vec<Channel>> {
    let mut channels = Vec::new();
    for object in remote.list("channels")? {
        let Some(name) = object.path.strip_prefix("channels/").filter(|name| channel::is_name(name)) else {
            continue;
        };
        let Read::New { bytes, .. } = remote.read(&object.path, channel::LARGEST, None)? else { continue };
        let expected = Expected { channel: name, seen: None, now: DateTime::<Utc>::UNIX_EPOCH };
        let manifest = channel::open(&bytes, signers, expected);
        channels.push(Channel { name: name.to_owned(), manifest });
    }
    Ok(channels)
}

/// How old a bundle that nobody names must be to be removed: whoever publishes writes bundles first, and names them when
/// all of them are there.
const YOUNG: chrono::Duration = chrono::Duration::days(1);

/// Removes the bundles that no channel of the place names, and that were not written within the last day: somebody may be
/// about to name them.
///
/// # Errors
/// When the place cannot be read or written, and where a manifest does not count: what it names is not known then.
pub fn prune(remote: &Remote, signers: &Signers, dry_run: bool) -> Result<Pruned> {
    let bundles = remote.list("bundles")?;
    let mut named = BTreeSet::new();
    for channel in channels(remote, signers)? {
        let (manifest, _) = channel.manifest?;
        named.extend(manifest.bundles.iter().map(|bundle| channel::bundle_path(&bundle.sha256)));
    }
    let mut pruned = Pruned::default();
    let oldest = Utc::now() - YOUNG;
    let is_left = |bundle: &&Object| bundle.modified < oldest && !named.contains(&bundle.path);
    for bundle in bundles.iter().filter(is_left) {
        if !dry_run {
            remote.remove(&bundle.path)?;
        }
        pruned.bundles += 1;
        pruned.bytes += bundle.size;
    }
    Ok(pruned)
}
