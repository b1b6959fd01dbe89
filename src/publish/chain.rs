//! The chain of releases, as the publisher keeps it: as consumers do.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::{PublishError, Release, Request, Result, store_path};
use crate::channel::{self, Manifest};
use crate::disk::{Dir, WorkFolder};
use crate::project::{Base, Project};
use crate::remote::{Remote, hex};
use crate::rollout::Events;
use crate::source::HashKind;
use crate::source::git::{Store, Watch};

/// The chain of releases of a place, in a store that nobody else writes to while this is held.
pub(super) struct Chain {
    store: Store,
    /// Its folder, which is locked.
    folder: Dir,
}

/// How long one waits between two tries.
const PAUSE: Duration = Duration::from_millis(50);

impl Chain {
    pub(super) fn open(
        project: &Project,
        request: &Request<'_>,
        work: &WorkFolder,
        hash: HashKind,
        watch: Watch<'_>,
        events: &dyn Events,
    ) -> Result<Self> {
        let path = match &project.base {
            Base::Git { repository, .. } => store_path(repository),
            // A folder has no place of its own for what is to be kept.
            Base::Folder(_) => work.dir().join("releases.git"),
        };
        let folder = Dir::create_all(&path)?;
        let started = Instant::now();
        while !folder.try_lock()? {
            if events.is_interrupted() || started.elapsed() > events.lock_wait() {
                return Err(PublishError::Busy { path });
            }
            std::thread::sleep(PAUSE);
        }
        let store = Store::open(&path, hash, &request.remote.address().to_string(), watch)?;
        Ok(Self { store, folder })
    }

    /// The folder of its objects.
    pub(super) fn objects(&self) -> PathBuf {
        self.store.path().join("objects")
    }

    /// Fetches what is missing of the release of `manifest`.
    pub(super) fn catch_up(&self, manifest: &Manifest, remote: &Remote, watch: Watch<'_>) -> Result<()> {
        let repository = self.store.repository()?;
        for bundle in channel::route(manifest, |id| repository.has(id))? {
            let name = format!("{}.bundle", bundle.sha256);
            let path = channel::bundle_path(&bundle.sha256);
            remote.download(&path, bundle.size, &bundle.sha256, &self.folder, &name)?;
            let reference = channel::reference(&manifest.channel, bundle.sequence);
            let read = self.store.read_bundle(&self.folder.join(&name), &reference, &bundle.to, watch);
            self.folder.remove(&name)?;
            read?;
        }
        Ok(())
    }

    /// Takes in a bundle with `release`.
    pub(super) fn take(&self, bundle: &Path, release: &Release, watch: Watch<'_>) -> Result<()> {
        Ok(self.store.read_bundle(bundle, &release.reference, &release.info.commit, watch)?)
    }

    /// True if it was published to `channel` of the place `at` from here before.
    pub(super) fn knows(&self, channel: &str, at: &str) -> Result<bool> {
        Ok(self.store.repository()?.reference(&known(channel, at)).is_ok())
    }

    /// Remembers that `manifest` is the channel's at the place `at`, and tidies up.
    pub(super) fn keep(&self, manifest: &Manifest, at: &str, watch: Watch<'_>) -> Result<()> {
        self.store.point(&known(&manifest.channel, at), &manifest.release.commit, watch)?;
        Ok(self.store.tidy(50, watch)?)
    }
}

/// What leads to the last release that was published to a channel of the place `at`.
fn known(channel: &str, at: &str) -> String {
    format!("refs/places/{}/{channel}", hex(&Sha256::digest(at)))
}
