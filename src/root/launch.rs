//! The launch record: what `git dist run` must know of a target to start it, without repository and history.
//!
//! One file for the root names targets and where they are; it says nothing of versions, so that most deploys do not
//! change it. How a version is started, and with which `distman.env`, stands in the record of the version too: that
//! is what counts when somebody went back to it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, Kind, Replacements};
use crate::version::Launch;

/// Name of the file in the root's own folder.
const LAUNCH: &str = "launch.json";
/// Name of the folder with environments in the root's own folder.
const ENVIRONMENTS: &str = "environments";
/// Bytes of either file that are read.
const LIMIT: u64 = 64 << 20;
/// Environments that are kept though no target is deployed with them: versions that one may go back to name them.
const SPARE: usize = 100;

/// The launch record of a root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchRecord {
    format: u32,
    /// The manifests that were deployed to the root.
    pub manifests: Vec<LaunchedManifest>,
}

/// What was deployed from one manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchedManifest {
    /// Where its repository is.
    pub origin: String,
    /// Its path in the repository.
    pub manifest: String,
    /// What keeps it up to date, if something does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscription: Option<String>,
    /// Its targets.
    pub targets: BTreeMap<String, LaunchedTarget>,
}

/// Where a target is deployed, and how it is started. Paths are below the root, or absolute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchedTarget {
    /// Its destination, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<PathBuf>,
    /// The folders that the destinations of a wildcard target are in, if they are few.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub folders: BTreeSet<PathBuf>,
    /// How it is started.
    #[serde(flatten)]
    pub launch: Launch,
    /// Somebody chose a version of it since it was deployed: what the record of the version says is what counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_chosen: bool,
}

/// The environment files of a deploy, and the name they are kept under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptEnvironment {
    /// The id that git would give to the text.
    pub name: String,
    /// The file's text.
    pub text: String,
}

/// What a deploy says of its targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// The manifest with those of its targets that were deployed.
    pub manifest: LaunchedManifest,
    /// Its environment, if it has one.
    pub environment: Option<KeptEnvironment>,
}

/// What a rollout means for the launch record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchChange {
    /// What was deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<Deployed>,
    /// Destinations of which somebody chose a version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<PathBuf>,
    /// Destinations that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<PathBuf>,
}

impl LaunchChange {
    /// True if it changes nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True if its names are names: it may have been left by somebody else.
    pub fn is_sound(&self) -> bool {
        let environment = self.deployed.as_ref().and_then(|deployed| deployed.environment.as_ref());
        environment.is_none_or(|environment| is_id(&environment.name))
    }
}

impl LaunchRecord {
    /// Reads the launch record of the root whose own folder is `meta`. One that cannot be understood is as good as none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(meta: &Dir) -> disk::Result<Self> {
        match meta.read_file(LAUNCH, LIMIT) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_default()),
            Err(error) if error.is_not_found() => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// True if `deployed` says nothing new of any target. From which clone it was deployed is nothing new.
    pub fn knows(&self, deployed: &Deployed) -> bool {
        let LaunchedManifest { origin, manifest, subscription, targets } = &deployed.manifest;
        targets.iter().all(|(name, target)| {
            self.manifests.iter().any(|known| {
                let is_other = known.origin != *origin || known.manifest != *manifest;
                known.targets.get(name) == Some(target) && (is_other || known.subscription == *subscription)
            })
        })
    }

    fn apply(&mut self, change: &LaunchChange, root: &Path) {
        if let Some(deployed) = &change.deployed {
            self.deploy(deployed);
        }
        let below = |path: &PathBuf| below(root, path);
        let chosen: BTreeSet<PathBuf> = change.chosen.iter().map(below).collect();
        let removed: BTreeSet<PathBuf> = change.removed.iter().map(below).collect();
        for manifest in &mut self.manifests {
            manifest.targets.retain(|_, target| {
                target.is_chosen |= chosen.iter().any(|path| target.may_be_at(path));
                !target.destination.as_ref().is_some_and(|destination| removed.contains(destination))
            });
        }
        self.manifests.retain(|manifest| !manifest.targets.is_empty());
    }

    fn deploy(&mut self, deployed: &Deployed) {
        let LaunchedManifest { origin, manifest, subscription, targets } = &deployed.manifest;
        if targets.is_empty() {
            return;
        }
        self.format = 1;
        let is_it = |known: &LaunchedManifest| known.origin == *origin && known.manifest == *manifest;
        // A destination has gone over to another manifest, or target.
        let taken: BTreeSet<&PathBuf> =
            targets.values().filter_map(|target| target.destination.as_ref()).collect();
        for known in &mut self.manifests {
            let is_same = is_it(known);
            known.targets.retain(|name, target| {
                is_same && targets.contains_key(name)
                    || !target.destination.as_ref().is_some_and(|destination| taken.contains(destination))
            });
        }
        self.manifests.retain(|known| is_it(known) || !known.targets.is_empty());
        let at = self.manifests.iter().position(is_it).unwrap_or_else(|| {
            self.manifests.push(LaunchedManifest { targets: BTreeMap::new(), ..deployed.manifest.clone() });
            self.manifests.len() - 1
        });
        self.manifests[at].subscription.clone_from(subscription);
        self.manifests[at].targets.extend(targets.clone());
    }
}

impl LaunchedTarget {
    /// True if `path`, below the root or absolute, may be a destination of it.
    pub fn may_be_at(&self, path: &Path) -> bool {
        self.destination.as_deref() == Some(path)
            || path.parent().is_some_and(|folder| self.folders.contains(folder))
    }
}

/// `path` as it stands in the record of the root at `root`, which may be moved.
pub fn below(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_owned()
}

/// The text of the environment `name`; `None` where there is none, or one that is too old.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read_environment(meta: &Dir, name: &str) -> disk::Result<Option<Vec<u8>>> {
    if !is_id(name) {
        return Ok(None);
    }
    let read =
        meta.descend(Path::new(ENVIRONMENTS)).and_then(|folder| folder.read_file(file_name(name), LIMIT));
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Adds to `files` what becomes of the launch record after `changes`, if it changes. The lock must be held.
///
/// # Errors
/// When a folder may not be written.
pub fn change(meta: &Dir, changes: &[LaunchChange], files: &mut Replacements) -> disk::Result<()> {
    let before = LaunchRecord::read(meta)?;
    let mut after = before.clone();
    let root = meta.path().parent().unwrap_or(Path::new("/"));
    for change in changes {
        after.apply(change, root);
    }
    let environments = changes.iter().filter_map(|change| change.deployed.as_ref()?.environment.as_ref());
    for environment in environments.filter(|environment| is_id(&environment.name)) {
        keep(meta, environment, &after, files)?;
    }
    if after != before {
        let mut bytes = serde_json::to_vec(&after).unwrap_or_default();
        bytes.push(b'\n');
        files.add(meta, LAUNCH, &bytes)?;
    }
    Ok(())
}

/// Keeps an environment that is new, and lets the oldest go that no target is deployed with.
fn keep(
    meta: &Dir,
    environment: &KeptEnvironment,
    record: &LaunchRecord,
    files: &mut Replacements,
) -> disk::Result<()> {
    match meta.make_dir(ENVIRONMENTS) {
        Err(error) if !error.is_already_there() => return Err(error),
        _ => {}
    }
    let folder = meta.descend(Path::new(ENVIRONMENTS))?;
    let name = file_name(&environment.name);
    if folder.stat(&name)?.is_some() {
        return Ok(());
    }
    files.add(&folder, &name, environment.text.as_bytes())?;
    let targets = record.manifests.iter().flat_map(|manifest| manifest.targets.values());
    let used: BTreeSet<PathBuf> =
        targets.filter_map(|target| target.launch.environment.as_deref()).map(file_name).collect();
    let mut spare = Vec::new();
    for name in folder.names()?.into_iter().filter(|name| !used.contains(name)) {
        if let Some(stat) = folder.stat(&name)?.filter(|stat| stat.kind == Kind::File) {
            spare.push((stat.mtime, name));
        }
    }
    spare.sort_unstable();
    let surplus = spare.len().saturating_sub(SPARE);
    spare[..surplus].iter().try_for_each(|(_, name)| folder.remove(name))
}

fn file_name(name: &str) -> PathBuf {
    PathBuf::from(format!("{name}.json"))
}

/// True for ids as git writes them, which are names of files and nothing else.
fn is_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
