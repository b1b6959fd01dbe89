//! The root that is mirrored, seen from afar: as little as possible is asked of it.
//!
//! What is active there is what its links say. Nothing is written to it, and no link below it is followed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::{CacheError, away};
use crate::activate::is_pending;
use crate::disk::{self, Dir, Folders, Kind, Shown};
use crate::history::History;
use crate::parallel::on_threads;
use crate::root::{META, Root, read_epoch};
use crate::version::{Destination, Link, Record, SHARED, VERSIONS, VersionName};

/// A destination that leads to a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deployed {
    /// Its path.
    pub(super) destination: Destination,
    /// Its path below the root.
    pub(super) below: PathBuf,
    /// The version it leads to.
    pub(super) version: VersionName,
    /// The group it flips with.
    pub(super) group: Option<String>,
}

/// What is deployed in a root.
#[derive(Default)]
pub(super) struct Walk {
    /// The destinations that lead to versions, sorted by path.
    pub(super) deployed: Vec<Deployed>,
    /// The `versions/` folders, by their paths below the root.
    pub(super) shelves: BTreeMap<PathBuf, Dir>,
    /// What was passed over, in words.
    pub(super) passed_over: Vec<String>,
}

/// Folders of filesystems in which old states of everything show up again, or that are nobody's.
const OF_FILESYSTEMS: [&str; 4] = [".snapshot", ".snapshots", ".zfs", "lost+found"];

impl Walk {
    /// Walks through the root at `root`, opened as `dir`.
    pub(super) fn through(root: &Root, dir: &Dir) -> disk::Result<Self> {
        let own: [OsString; 2] = [META.into(), root.meta_path().file_name().unwrap_or_default().to_owned()];
        let is_passed = |name: &Path| {
            own.iter().any(|own| name == Path::new(own))
                || OF_FILESYSTEMS.iter().any(|other| name == Path::new(other))
        };
        let mut walk = Self::default();
        let mut folders = vec![PathBuf::new()];
        let mut opened = Folders::default();
        while let Some(below) = folders.pop() {
            let folder = dir.descend(&below)?;
            let entries = folder.entries()?;
            let holds = |name: &str| {
                entries.iter().any(|(entry, kind)| entry == Path::new(name) && *kind == Kind::Directory)
            };
            let is_shelved = holds(VERSIONS);
            for (name, kind) in entries {
                match kind {
                    Kind::Directory
                        if is_shelved && [VERSIONS, SHARED].iter().any(|it| name == Path::new(it)) => {}
                    Kind::Directory if name != Path::new(VERSIONS) && !is_passed(&name) => {
                        folders.push(below.join(name));
                    }
                    Kind::Symlink if is_shelved => {
                        walk.add(root, (&folder, &mut opened), below.join(name))?;
                    }
                    _ => {}
                }
            }
            if is_shelved {
                walk.shelves.insert(below.join(VERSIONS), folder.descend(Path::new(VERSIONS))?);
            }
        }
        walk.deployed.sort_by(|a, b| a.below.cmp(&b.below));
        Ok(walk)
    }

    /// Adds the link at `below` in `folder`, if it is a destination.
    fn add(
        &mut self,
        root: &Root,
        (folder, folders): (&Dir, &mut Folders),
        below: PathBuf,
    ) -> disk::Result<()> {
        let destination = match Destination::new(root.path().join(&below)) {
            Ok(destination) => destination,
            Err(error) => {
                self.passed_over.push(error.to_string());
                return Ok(());
            }
        };
        let Some(text) = folder.read_link(destination.base())? else { return Ok(()) };
        let direct = text.strip_prefix(VERSIONS).ok().and_then(Path::to_str);
        let mut group = None;
        let version = match direct {
            Some(name) => VersionName::parse(destination.base(), name),
            None => match (destination.group(folders)?, destination.link(folders)?) {
                (Some(through), Link::Version(version)) => {
                    group = Some(through);
                    Some(version)
                }
                _ => None,
            },
        };
        match version {
            Some(version) => self.deployed.push(Deployed { destination, below, version, group }),
            None => self.passed_over.push(format!(
                "`{}` is a link to `{}`, which is no version of it",
                Shown(destination.path()),
                Shown(&text)
            )),
        }
        Ok(())
    }

    /// The `versions/` folder of a destination at this path below the root.
    pub(super) fn shelf(&self, below: &Path) -> Option<&Dir> {
        self.shelves.get(&below.parent().unwrap_or(Path::new("")).join(VERSIONS))
    }

    /// True if both have the same destinations that lead to the same versions.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.deployed == other.deployed
    }
}

/// What tells whether a source changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// Its change stamp.
    pub(super) epoch: Option<i64>,
    /// Links are being swapped there.
    pub(super) is_pending: bool,
}

/// An open source.
pub(super) struct Source {
    pub(super) root: Root,
    dir: Dir,
    /// Its own folder; `None` where an old distman made none.
    meta: Option<Dir>,
}

/// What is active in a source.
pub(super) struct Look {
    pub(super) walk: Walk,
    /// For each destination the record of what it leads to, or what is wrong with that.
    pub(super) records: Vec<Result<Option<Record>, &'static str>>,
}

impl Source {
    pub(super) fn open(root: &Root) -> Result<Self, CacheError> {
        let away = |error| away(root.path(), error);
        let dir = Dir::open(root.path()).map_err(away)?;
        let meta = root.open().map_err(away)?;
        Ok(Self { root: root.clone(), dir, meta })
    }

    /// The error of something that cannot be read here.
    pub(super) fn away(&self, error: disk::DiskError) -> CacheError {
        away(self.root.path(), error)
    }

    /// Its state now. A rollout there bumps the stamp before its journal goes: whoever finds no journal and the stamp that
    /// was there at the beginning has seen no half of one.
    pub(super) fn state(&self) -> Result<State, CacheError> {
        let Some(meta) = &self.meta else { return Ok(State { epoch: None, is_pending: false }) };
        let is_pending = is_pending(meta).map_err(|error| self.away(error))?;
        Ok(State { epoch: read_epoch(meta).map_err(|error| self.away(error))?, is_pending })
    }

    /// What is deployed here.
    pub(super) fn walk(&self) -> Result<Walk, CacheError> {
        Walk::through(&self.root, &self.dir).map_err(|error| self.away(error))
    }

    /// Looks at what is active, in so many threads.
    pub(super) fn look(&self, threads: usize) -> Result<Look, CacheError> {
        let walk = self.walk()?;
        if walk.deployed.is_empty() && self.meta.is_none() {
            return Err(CacheError::Empty(self.root.path().to_owned()));
        }
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::new());
        on_threads(threads.min(walk.deployed.len()), || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(deployed) = walk.deployed.get(index) else { break };
                let shelf = walk.shelf(&deployed.below);
                let record = shelf.map_or(Ok(Err("missing")), |shelf| record(shelf, &deployed.version));
                found.lock().unwrap_or_else(PoisonError::into_inner).push((index, record));
            }
        });
        let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        found.sort_by_key(|(index, _)| *index);
        let records = found.into_iter().map(|(_, record)| record).collect::<disk::Result<Vec<_>>>();
        Ok(Look { walk, records: records.map_err(|error| self.away(error))? })
    }

    /// Destinations outside of the root that its history tells of, which no mirror has room for.
    pub(super) fn outside(&self) -> Result<Vec<String>, CacheError> {
        let Some(meta) = &self.meta else { return Ok(Vec::new()) };
        let history = History::read(meta).map_err(|error| self.away(error))?;
        let activations = history.activations();
        let is_outside = |(path, stack): &(&&str, &Vec<_>)| {
            !stack.is_empty() && !Path::new(path).starts_with(self.root.path())
        };
        let mut outside: Vec<String> =
            activations.iter().filter(is_outside).map(|(path, _)| (*path).to_owned()).collect();
        outside.sort();
        Ok(outside)
    }
}

/// The record of a version, or what is wrong with it.
fn record(shelf: &Dir, version: &VersionName) -> disk::Result<Result<Option<Record>, &'static str>> {
    let name = version.to_string();
    Ok(match Record::read(shelf, &name)? {
        Some(record) => Ok(Some(record)),
        None if Record::is_damaged(shelf, &name)? => Err("its record is damaged"),
        None if shelf.stat(&name)?.is_none() => Err("missing"),
        None => Ok(None),
    })
}
