//! What is installed: the destinations of a root's targets, with and without the repository they came from.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::disk;
use crate::history::{Activation, History};
use crate::project::Project;
use crate::spelling::nearest;
use crate::target::{self, TargetError};
use crate::version::{Destination, Link, Shelves, Stored, VersionName};

/// A destination that something is deployed to, or was.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The target's name.
    pub target: String,
    /// The path users open.
    pub destination: Destination,
    /// True if the manifest at hand still asks for it. Always true where no manifest is at hand.
    pub is_wanted: bool,
}

/// Everything that a command which needs no source works on.
pub struct Inventory {
    /// The destinations, in the order of dist.json, then those that left it.
    pub installed: Vec<Installed>,
    /// The root's history.
    pub history: History,
    /// The `versions/` folders.
    pub shelves: Shelves,
}

/// Why the inventory could not be taken, or holds nothing that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] disk::DiskError),
    /// The manifest's targets could not be resolved.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Nothing installed has the name.
    #[error("no target and no destination is called `{asked}`")]
    NoSuch {
        /// What was asked for.
        asked: String,
        /// The targets there are.
        known: Vec<String>,
    },
}

impl InventoryError {
    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Target(source) => source.hint(),
            Self::NoSuch { asked, known } => Some(match nearest(asked, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`git dist show` lists what is deployed".to_owned(),
            }),
            Self::Disk(_) => None,
        }
    }
}

/// One installed destination, looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// What stands there.
    pub link: Link,
    /// The versions on disk that were looked at, oldest first.
    pub stored: Vec<Stored>,
    /// The versions that were active before the present one, the latest first.
    pub earlier: Vec<VersionName>,
}

impl Look {
    /// The name that the link leads to.
    pub fn active(&self) -> Option<&VersionName> {
        self.link.version()
    }

    /// The active version, if it is on disk.
    pub fn active_stored(&self) -> Option<&Stored> {
        let active = self.active()?;
        self.stored.iter().find(|version| version.name == *active)
    }
}

impl Inventory {
    /// Takes the inventory of the root whose own folder is `meta` (`None` where there is none yet). With a
    /// `project`, it is that of its targets; without one, of everything in the history.
    ///
    /// # Errors
    /// When history, folders or targets cannot be read.
    pub fn take(meta: Option<&disk::Dir>, project: Option<&Project>) -> Result<Self, InventoryError> {
        let history = match meta {
            Some(meta) => History::read(meta)?,
            None => History::default(),
        };
        let mut installed = Vec::new();
        let mut seen = std::collections::HashSet::new();
        if let Some(project) = project {
            let snapshot = project.snapshot();
            let names = target::select(&project.manifest, &[])?;
            let request =
                target::Request { ignore_missing: true, ..target::Request::new(project, snapshot.as_ref()) };
            for item in target::resolve(request, &names)?.items {
                seen.insert(item.destination.as_str().to_owned());
                installed.push(Installed {
                    target: item.target,
                    destination: item.destination,
                    is_wanted: true,
                });
            }
        }
        for (path, target) in remembered(&history, project) {
            let Ok(destination) = Destination::new(PathBuf::from(path)) else { continue };
            if seen.insert(path.to_owned()) {
                let is_wanted = project.is_none_or(|project| project.manifest.comes_from_elsewhere(target));
                installed.push(Installed { target: target.to_owned(), destination, is_wanted });
            }
        }
        let mut shelves = Shelves::default();
        let mut present = Vec::new();
        for item in installed {
            // What left the repository and the disk is only history.
            let is_there = item.is_wanted && project.is_some()
                || shelves.link(&item.destination)? != Link::Absent
                || !shelves.names(&item.destination)?.is_empty();
            if is_there {
                present.push(item);
            }
        }
        Ok(Self { installed: present, history, shelves })
    }

    /// The same destinations as they are now, after `history`: for a plan that is made again under the lock.
    pub fn renew(&mut self, history: History) {
        self.history = history;
        self.shelves = Shelves::default();
    }

    /// The installed destinations that `asked` name, all of them for none: target names and patterns, paths of
    /// destinations, or the name of one item of a wildcard target.
    ///
    /// # Errors
    /// When a name matches nothing.
    pub fn select(&self, asked: &[String]) -> Result<Vec<Installed>, InventoryError> {
        if asked.is_empty() {
            return Ok(self.installed.clone());
        }
        let mut selected = vec![false; self.installed.len()];
        for asked in asked {
            let glob = globset::Glob::new(asked).ok().map(|glob| glob.compile_matcher());
            let by_target = |item: &Installed| {
                item.target == *asked || glob.as_ref().is_some_and(|glob| glob.is_match(&item.target))
            };
            let path = std::path::absolute(Path::new(asked)).ok();
            let by_path =
                |item: &Installed| asked.contains('/') && path.as_deref() == Some(item.destination.path());
            let by_name = |item: &Installed| item.destination.base() == asked;
            let ways: [&dyn Fn(&Installed) -> bool; 3] = [&by_target, &by_path, &by_name];
            let way = ways.into_iter().find(|way| self.installed.iter().any(way));
            let Some(way) = way else {
                let mut known: Vec<String> = self.installed.iter().map(|item| item.target.clone()).collect();
                known.dedup();
                return Err(InventoryError::NoSuch { asked: asked.clone(), known });
            };
            for (item, selected) in self.installed.iter().zip(&mut selected) {
                *selected |= way(item);
            }
        }
        let chosen = self.installed.iter().zip(selected).filter(|(_, selected)| *selected);
        Ok(chosen.map(|(item, _)| item.clone()).collect())
    }

    /// Looks at each of `items`: link, versions, and what was active before.
    ///
    /// # Errors
    /// When a folder or record cannot be read.
    pub fn look(&mut self, items: &[Installed]) -> Result<Vec<Look>, InventoryError> {
        let activations = self.history.activations();
        let mut looks = Vec::with_capacity(items.len());
        for item in items {
            let link = self.shelves.link(&item.destination)?;
            let stored = self.shelves.versions(&item.destination)?;
            let earlier = History::earlier(&activations, &item.destination, link.version());
            looks.push(Look { link, stored, earlier });
        }
        Ok(looks)
    }

    /// Looks at each of `items`: link, the active version, and what was active before.
    ///
    /// # Errors
    /// When a folder or record cannot be read.
    pub fn look_at_active(&mut self, items: &[Installed]) -> Result<Vec<Look>, InventoryError> {
        let activations = self.history.activations();
        let mut looks = Vec::with_capacity(items.len());
        for item in items {
            let link = self.shelves.link(&item.destination)?;
            let active =
                link.version().map(|name| self.shelves.stored(&item.destination, name)).transpose()?;
            let stored = active.flatten().into_iter().collect();
            let earlier = History::earlier(&activations, &item.destination, link.version());
            looks.push(Look { link, stored, earlier });
        }
        Ok(looks)
    }

    /// Looks at each of `items`, and of the versions only at the active one and those that may be newer; not at what
    /// was active before.
    ///
    /// # Errors
    /// When a folder or record cannot be read.
    pub fn look_at_newest(&mut self, items: &[Installed]) -> Result<Vec<Look>, InventoryError> {
        let mut looks = Vec::with_capacity(items.len());
        for item in items {
            let link = self.shelves.link(&item.destination)?;
            let from = link.version().map_or(0, VersionName::count);
            let mut stored = self.shelves.versions_from(&item.destination, from)?;
            // What distman made is older than the rest, whatever its number.
            let is_ours =
                |version: &Stored| Some(&version.name) == link.version() && version.record.is_some();
            if from > 0 && !stored.iter().any(is_ours) {
                stored = self.shelves.versions(&item.destination)?;
            }
            looks.push(Look { link, stored, earlier: Vec::new() });
        }
        Ok(looks)
    }

    /// Looks at each of `items` for a rollback of `steps`: of the versions, only those that it may come to are read.
    ///
    /// # Errors
    /// When a folder or record cannot be read.
    pub fn look_back(&mut self, items: &[Installed], steps: usize) -> Result<Vec<Look>, InventoryError> {
        let activations = self.history.activations();
        let mut looks = Vec::with_capacity(items.len());
        for item in items {
            let link = self.shelves.link(&item.destination)?;
            let active = link.version();
            let earlier = History::earlier(&activations, &item.destination, active);
            let stored = if earlier.is_empty() {
                self.shelves.versions(&item.destination)?
            } else {
                let mut stored: Vec<Stored> = Vec::new();
                for name in &earlier {
                    if stored.iter().filter(|version| !version.is_bad()).count() >= steps {
                        break;
                    }
                    if Some(name) != active && stored.iter().all(|version| version.name != *name) {
                        stored.extend(self.shelves.stored(&item.destination, name)?);
                    }
                }
                stored
            };
            looks.push(Look { link, stored, earlier });
        }
        Ok(looks)
    }

    /// The rollout that activated what is active now, per destination path.
    pub fn latest_activation(&self) -> HashMap<String, Activation> {
        let activations = self.history.activations();
        let latest = activations
            .into_iter()
            .filter_map(|(path, stack)| Some((path.to_owned(), stack.first()?.clone())));
        latest.collect()
    }
}

/// Destinations in the history with the target that changed them last. With a project, only those that its manifest
/// asked for: another one of the same repository has its own.
fn remembered<'h>(history: &'h History, project: Option<&Project>) -> BTreeMap<&'h str, &'h str> {
    let asking = project.map(|project| {
        (project.origin(), project.manifest_path.as_ref().map(ToString::to_string).unwrap_or_default())
    });
    let is_asked = |origin: &str, manifest: &str| {
        asking.as_ref().is_none_or(|(by, path)| by == origin && path == manifest)
    };
    let mut last: BTreeMap<&str, (&str, bool)> = BTreeMap::new();
    for rollout in &history.rollouts {
        // A rollback knows no origin of its own; the deploy before it does.
        let deployed = rollout.origin.as_deref();
        let deployed =
            deployed.map(|origin| is_asked(origin, rollout.manifest.as_deref().unwrap_or_default()));
        let updated = rollout.trigger.as_deref().and_then(|it| it.strip_prefix("update "));
        for change in &rollout.items {
            let before = last.get(change.destination.as_str()).map(|(_, asked)| *asked);
            // What an update brought came from elsewhere; who asked for it is the manifest that follows it.
            let is_followed = rollout.manifest.is_none()
                && updated == Some(&change.target)
                && project.is_some_and(|project| project.manifest.comes_from_elsewhere(&change.target));
            let asked = is_followed || deployed.or(before).unwrap_or(asking.is_none());
            last.insert(&change.destination, (&change.target, asked));
        }
    }
    last.into_iter().filter(|(_, (_, asked))| *asked).map(|(path, (target, _))| (path, target)).collect()
}
