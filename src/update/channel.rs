//! Following a channel: one conditional request, and bundles where there is something new.

use chrono::Utc;

use super::arrival::{Arrival, Asked, Way, store};
use super::{MOST_PACKS, Pace, Result, State, UpdateError};
use crate::channel::{self, ChannelError, Expected, Manifest, Seen};
use crate::disk::Dir;
use crate::remote::{Address, Read, Remote};
use crate::signature::Signature;
use crate::source::git::Watch;

/// Name of the manifest that was read last, which counts as long as the place says that it is the present one.
const MANIFEST: &str = "manifest";

/// Asks the place what the channel is at.
pub(super) fn ask(address: &Address, asked: Asked<'_>, state: &mut State) -> Result<Arrival> {
    let channel = asked.subscription.channel();
    let remote = Remote::open(address, asked.pace.limits())?;
    let path = channel::manifest_path(channel);
    let shown = remote.address().to_string();
    // What was read from another place has another tag.
    let known = state.tag.as_ref().filter(|(at, _)| *at == shown).map(|(_, tag)| tag.clone());
    let kept = || asked.folder.read_file(MANIFEST, channel::LARGEST).ok();
    let kept = known.as_ref().and_then(|_| kept());
    let unless = known.as_ref().filter(|_| kept.is_some());
    let (bytes, tag) = match (remote.read(&path, channel::LARGEST, unless)?, kept) {
        (Read::New { bytes, tag }, _) => (bytes, tag),
        (Read::Same, Some(kept)) => (kept, known),
        (Read::Same, None) => return Err(UpdateError::Gone { path: asked.folder.join(MANIFEST) }),
    };
    let expected = Expected { channel, seen: state.seen.as_ref(), now: Utc::now() };
    let (manifest, signature) = channel::open(&bytes, asked.signers, expected)?;
    if !asked.check {
        asked.folder.replace_file(MANIFEST, &bytes)?;
        state.tag = tag.map(|tag| (shown.clone(), tag));
        state.expires = Some(manifest.expires);
        // From here on nothing older counts, also if this cannot be fetched.
        let seen = Some(Seen::after(&manifest, state.seen.as_ref()));
        if state.seen != seen {
            state.seen = seen;
            state.write(asked.folder)?;
        }
    }
    Ok(arrival(remote, manifest, signature))
}

fn arrival(remote: Remote, manifest: Manifest, signature: Signature) -> Arrival {
    let revision = &manifest.release.revision;
    Arrival {
        upstream: remote.address().to_string(),
        commit: Some(manifest.release.commit.clone()),
        release: format!("{} {} ({revision})", manifest.channel, manifest.sequence),
        signature: Some(signature),
        way: Way::Channel { remote, manifest: Box::new(manifest) },
    }
}

/// Fetches the bundles that lead to the release of `manifest`. Returns the number of bytes.
pub(super) fn fetch(remote: &Remote, manifest: &Manifest, folder: &Dir, pace: Pace<'_>) -> Result<u64> {
    let store = store(folder, Some(manifest.hash_kind()), &remote.address().to_string(), pace)?;
    let repository = store.repository()?;
    let watch = Watch { limit: pace.left(None), interrupted: pace.interrupted };
    let mut bytes = 0;
    for bundle in channel::route(manifest, |id| repository.has(id))? {
        let name = format!("{}.bundle", bundle.sha256);
        let path = channel::bundle_path(&bundle.sha256);
        let fetched = remote.download(&path, bundle.size, &bundle.sha256, folder, &name);
        bytes += fetched.map_err(|source| match pace.total.filter(|_| pace.is_over()) {
            Some(total) => UpdateError::OutOfTime { total, source: Box::new(source.into()) },
            None => source.into(),
        })?;
        let reference = channel::reference(&manifest.channel, bundle.sequence);
        let read = store.read_bundle(&folder.join(&name), &reference, &bundle.to, watch);
        folder.remove(&name)?;
        read?;
    }
    let revision = store.repository()?.resolve(&manifest.release.commit)?;
    let tree = revision.tree.to_string();
    if tree != manifest.release.tree {
        let problem = "its release has another tree".to_owned();
        return Err(ChannelError::Malformed { problem }.into());
    }
    store.tidy(MOST_PACKS, watch)?;
    // What killed runs left, and parts of releases that are not wanted any more.
    for name in folder.names()?.iter().filter_map(|name| name.to_str()) {
        if name.contains(".bundle") {
            folder.discard(name);
        }
    }
    Ok(bytes)
}
