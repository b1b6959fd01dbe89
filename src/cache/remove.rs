//! Pruning and removing a mirror.

use std::path::{Path, PathBuf};

use super::error::CacheError;
use super::source::Walk;
use super::stamp::Stamp;
use super::{LAST_CHECK, Mirror};
use crate::disk::{self, Dir, Kind as DiskKind, Locked};
use crate::plan::{Action, Item, Kind, Plan};
use crate::rollout::{Events, Report, Session, Switch, keep_used};
use crate::version::{Link, Shelves, VersionName};

/// What became of a mirror that was removed.
#[derive(Debug)]
pub struct Deleted {
    /// What was removed.
    pub report: Report,
    /// Something that no mirror made stays in its place.
    pub is_left: bool,
}

/// What is removed of a mirror, and which versions stay because something runs from them.
#[derive(Debug)]
pub struct Chosen {
    /// What is done to each destination.
    pub items: Vec<Item>,
    /// The versions that stay, each with its destination.
    pub in_use: Vec<(PathBuf, VersionName)>,
}

impl Mirror {
    /// Which versions [`Mirror::prune`] removes: those that are neither active nor keep something from coming back that was
    /// rolled back in the mirror.
    ///
    /// # Errors
    /// When there is no mirror, or it cannot be read.
    pub fn plan_prune(&self) -> Result<Chosen, CacheError> {
        self.plan_removal(Kind::Prune, |look, active| {
            let is_kept = |stored: &&crate::version::Stored| stored.name == *active || stored.is_bad();
            let versions: Vec<VersionName> =
                look.iter().filter(|stored| !is_kept(stored)).map(|stored| stored.name.clone()).collect();
            if versions.is_empty() {
                Action::Unchanged { version: active.clone() }
            } else {
                Action::Remove { versions, unlink: false }
            }
        })
    }

    /// Removes the versions that are not active any more and that nothing runs from.
    ///
    /// # Errors
    /// When there is no mirror, or the disk says no.
    pub fn prune(&self, events: &dyn Events) -> Result<Report, CacheError> {
        self.plan_prune()?;
        let session = Session::begin(&self.root, Kind::Prune, events)?;
        // What was planned before the lock was taken may be stale.
        let Chosen { items, in_use } = self.plan_prune()?;
        let report = session.switch(None, Kind::Prune, items, &[], &Switch::default(), events)?;
        Ok(Report { in_use, ..report })
    }

    /// What [`Mirror::delete`] removes.
    ///
    /// # Errors
    /// When there is no mirror, or it cannot be read; when something of it is in use, unless that does not matter.
    pub fn plan_delete(&self) -> Result<Vec<Item>, CacheError> {
        let chosen = self.plan_removal(Kind::Delete, |look, _| {
            let versions = look.iter().map(|stored| stored.name.clone()).collect();
            Action::Remove { versions, unlink: true }
        })?;
        if !self.force
            && let Some(version) = self.running()?
        {
            return Err(CacheError::InUse(version));
        }
        Ok(chosen.items)
    }

    /// A version that something runs from, also one that nothing leads to any more.
    fn running(&self) -> Result<Option<PathBuf>, CacheError> {
        let dir = Dir::open(self.root.path())?;
        for versions in Walk::through(&self.root, &dir)?.shelves.values() {
            for name in versions.names()? {
                if matches!(versions.try_exclude(&name)?, Locked::Busy) {
                    return Ok(Some(versions.join(name)));
                }
            }
        }
        Ok(None)
    }

    /// Removes the mirror: first what leads to its versions, then these, then what is known of it. Files that no mirror
    /// made stay.
    ///
    /// # Errors
    /// When there is no mirror, or the disk says no.
    pub fn delete(&self, events: &dyn Events) -> Result<Deleted, CacheError> {
        self.plan_delete()?;
        let mut session = Session::begin(&self.root, Kind::Delete, events)?;
        if Stamp::is_there(&session.meta)? {
            // One that was half removed is not fresh.
            Stamp::begun(self.source.path()).write(&session.meta)?;
        }
        let items = self.plan_delete()?;
        let report = session.switch_and_stay(None, Kind::Delete, items, &[], &Switch::default(), events)?;
        let dir = Dir::open(self.root.path())?;
        let shelves = Walk::through(&self.root, &dir)?.shelves;
        shelves.keys().try_for_each(|shelf| dir.remove_all(shelf))?;
        remove_empty_folders(&dir)?;
        dir.remove_all(self.root.meta_path().file_name().unwrap_or_default())?;
        drop(session);
        let is_left = !dir.names()?.is_empty();
        if let (false, Some(name)) = (is_left, self.root.path().file_name()) {
            Dir::open(self.root.path().parent().unwrap_or(Path::new("/")))?.remove_if_empty(name)?;
        }
        Ok(Deleted { report, is_left })
    }

    /// A plan of what `decide` says for each destination, given its versions and the active one.
    fn plan_removal(
        &self,
        kind: Kind,
        decide: impl Fn(&[crate::version::Stored], &VersionName) -> Action,
    ) -> Result<Chosen, CacheError> {
        let none = || CacheError::NoMirror(self.root.path().to_owned());
        let meta = self.open_mirror()?.ok_or_else(none)?;
        if !Stamp::is_there(&meta)? && meta.stat(LAST_CHECK)?.is_none() {
            return Err(none());
        }
        let mut shelves = Shelves::default();
        let mut items = Vec::new();
        for deployed in Walk::through(&self.root, &Dir::open(self.root.path())?)?.deployed {
            let stored = shelves.versions(&deployed.destination)?;
            let active = &deployed.version;
            let record = stored.iter().find(|stored| stored.name == *active);
            let record = record.and_then(|stored| stored.record.as_ref());
            let target = record.map_or(deployed.destination.base(), |record| &record.target).to_owned();
            let action = decide(&stored, active);
            let link = Link::Version(deployed.version.clone());
            items.push(super::decide::item(target, deployed.destination, &link, action));
        }
        let mut plan = Plan { kind, items };
        // What a mirror that is removed as a whole has in use is looked for as a whole.
        let in_use = keep_used(&mut plan, &mut shelves, kind == Kind::Delete)?;
        Ok(Chosen { items: plan.items, in_use })
    }
}

/// Removes the folders below `dir` that hold nothing, also after that.
fn remove_empty_folders(dir: &Dir) -> disk::Result<()> {
    let mut folders = vec![PathBuf::new()];
    let mut next = 0;
    while let Some(below) = folders.get(next).cloned() {
        next += 1;
        for (name, kind) in dir.descend(&below)?.entries()? {
            if kind == DiskKind::Directory {
                folders.push(below.join(name));
            }
        }
    }
    // Those that were found later lie deeper.
    for below in folders.iter().skip(1).rev() {
        if let (Some(parent), Some(name)) = (below.parent(), below.file_name()) {
            dir.descend(parent)?.remove_if_empty(name)?;
        }
    }
    Ok(())
}
