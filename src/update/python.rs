//! Following Python packages: what is chosen is installed, and taken in as a commit whose parent is the one before it.

use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};
use chrono::Utc;
use sha2::{Digest as _, Sha256};

use super::arrival::{Arrival, Asked, Way, store, store_path};
use super::{Pace, Result, State, UpdateError};
use crate::disk::{Dir, WorkFolder};
use crate::packages::{Means, Packages, PackagesError};
use crate::python::{Index, Lock};
use crate::remote::hex;
use crate::source::git::{Commit, Repository, Stream, Watch, join};
use crate::source::{Contents as _, HashKind};

/// What leads to the commit that was made last.
const NEWEST: &str = "refs/heads/packages";
/// Folder of what was fetched, in that of the subscription.
const CACHE: &str = "packages";
/// Folder that they are installed to, in one of work.
const INSTALLED: &str = "installed";
/// Who makes the commits.
const COMMITTER: &str = "git dist <git-dist@localhost>";

/// Packages that were chosen.
#[derive(Debug)]
pub(super) struct Chosen {
    pub(super) lock: Lock,
    index: Index,
    /// Where the target's source has them.
    source: BString,
    allow_build: bool,
}

/// Asks the index what would be chosen now.
pub(super) fn ask(index: &Index, asked: Asked<'_>, state: &State) -> Result<Arrival> {
    let upstream = index.to_string();
    let project = asked.project.ok_or_else(|| UpdateError::NeedsManifest { upstream: upstream.clone() })?;
    let packages = Packages::of(project, &asked.subscription.name)?;
    let packages = packages.ok_or_else(|| UpdateError::NeedsManifest { upstream: upstream.clone() })?;
    let allow_build = asked.subscription.allow_commands;
    let cache = asked.folder.join(CACHE);
    let chosen = packages.choose(index, asked.folder, means(&cache, allow_build, asked.pace));
    let lock = chosen.map_err(|error| in_time(error, asked.pace))?;
    let chosen = Chosen { lock, index: index.clone(), source: packages.source, allow_build };
    let known = Repository::at(&store_path(asked.folder)).ok().and_then(|store| {
        let commit = |name: &str| store.reference(name).ok().map(|commit| commit.to_string());
        let newest = commit(NEWEST);
        // What others followed is taken in anew: behind them, it would be a step back.
        let is_known = |commit: &String| {
            [&newest, &state.deployed].contains(&&Some(commit.clone())) || state.bad.contains_key(commit)
        };
        commit(&chosen.reference()).filter(is_known)
    });
    Ok(Arrival {
        upstream,
        commit: known,
        release: chosen.name(),
        signature: None,
        way: Way::Python(Box::new(chosen)),
    })
}

impl Chosen {
    /// What people know it by.
    fn name(&self) -> String {
        format!("{} {}", self.lock.requirement().name(), self.lock.version())
    }

    /// What leads to the commit of just these packages at just that place.
    fn reference(&self) -> String {
        let mut hasher = Sha256::new();
        hasher.update(self.lock.to_string());
        hasher.update(&*self.source);
        format!("refs/packages/{}", hex(&hasher.finalize()))
    }

    /// Installs them, and takes them in. Returns the commit.
    pub(super) fn fetch(&self, folder: &Dir, pace: Pace<'_>) -> Result<String> {
        let watch = Watch { limit: pace.left(None), interrupted: pace.interrupted };
        let store = store(folder, None, &self.index.to_string(), pace)?;
        let work = WorkFolder::create_in(&folder.join("work"))?;
        let cache: PathBuf = folder.join(CACHE);
        let means = means(&cache, self.allow_build, pace);
        let into = work.dir().join(INSTALLED);
        let installed = Packages::install(&self.lock, &self.index, &into, HashKind::Sha1, means)
            .map_err(|error| in_time(error, pace))?;
        let parent = store.repository()?.reference(NEWEST).ok().map(|id| id.to_string());
        let reference = self.reference();
        let message =
            format!("{}\n\nIndex: {}\nLock: {}\n", self.name(), self.lock.index(), self.lock.digest());
        let commit = Commit {
            reference: &reference,
            committer: COMMITTER,
            time: Utc::now().timestamp(),
            message: &message,
            parent: parent.as_deref(),
        };
        let listing = installed.listing.clone();
        let contents = installed.into_contents();
        let id = store.import::<UpdateError>(&commit, watch, |stream: &mut Stream| {
            let mut reader = contents.reader();
            for entry in &listing.entries {
                let path = join(self.source.as_bstr(), entry.path.as_bstr());
                let copied = stream.copy(&mut *reader, listing.root.as_bstr(), entry, path.as_bstr());
                copied.map_err(PackagesError::from)?;
            }
            Ok(())
        })?;
        let id = id.to_string();
        store.point(NEWEST, &id, watch)?;
        self.keep(folder)?;
        Ok(id)
    }

    /// Writes down that it is these: also where they were installed before, and others since.
    pub(super) fn keep(&self, folder: &Dir) -> Result<()> {
        Ok(Packages::keep(&self.lock, folder)?)
    }
}

fn means<'a>(cache: &'a std::path::Path, allow_build: bool, pace: Pace<'a>) -> Means<'a> {
    let watch = Watch { limit: pace.left(None), interrupted: pace.interrupted };
    Means { cache, allow_build, limits: pace.limits(), watch }
}

/// What was cut off by the end of the time is no fault of the index.
fn in_time(error: PackagesError, pace: Pace<'_>) -> UpdateError {
    match pace.total.filter(|_| pace.is_over()) {
        Some(total) => UpdateError::OutOfTime { total, source: Box::new(error.into()) },
        None => error.into(),
    }
}
