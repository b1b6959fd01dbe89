//! What a file that an earlier run left in the root's own folder may lead to.
//!
//! The journal and what is unfinished are carried out by whoever comes next, with that user's rights. Who may write to
//! the root's own folder could leave one there that names anything: so names must be names, and what neither this user
//! nor root wrote reaches beyond the root, where destinations may lie too, only into folders of whoever wrote it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{ActivateError, Flip, Mark, PENDING, Pending, PendingSwap, Removal, Result, group};
use crate::disk::{Dir, DiskError};
use crate::root::{LaunchChange, resolved};
use crate::version::{Destination, GROUPS, VersionName};

/// How far what was left leads.
pub(super) struct Reach {
    /// The root, links on the way resolved, and who wrote the file; `None` where everything may be reached.
    within: Option<(PathBuf, u32)>,
    /// The folder of the root's groups, links on the way resolved.
    groups: PathBuf,
}

impl Reach {
    /// The reach of a file in `meta` that `owner` wrote.
    pub(super) fn new(meta: &Dir, owner: u32) -> std::io::Result<Self> {
        let is_trusted = owner == 0 || owner == rustix::process::geteuid().as_raw();
        let meta = resolved(meta.path())?;
        let within = (!is_trusted).then(|| (meta.parent().unwrap_or(&meta).to_owned(), owner));
        Ok(Self { within, groups: meta.join(GROUPS) })
    }

    /// True if everything that the journal names is within reach.
    pub(super) fn holds(&self, pending: &Pending) -> bool {
        let Pending { marks, removals, swaps, flips, launch, .. } = pending;
        let change = LaunchChange { deployed: launch.clone(), ..LaunchChange::default() };
        marks.iter().all(|mark| self.mark(mark))
            && removals.iter().all(|removal| self.removal(removal))
            && swaps.iter().all(|swap| self.swap(swap))
            && flips.iter().all(|flip| self.flip(flip))
            && change.is_sound()
    }

    pub(super) fn mark(&self, mark: &Mark) -> bool {
        self.version(&mark.destination, &mark.version)
    }

    pub(super) fn removal(&self, removal: &Removal) -> bool {
        self.destination(&removal.destination).is_some()
    }

    /// True if `version` is the name of a version of `destination`.
    pub(super) fn version(&self, destination: &Path, version: &str) -> bool {
        self.destination(destination).is_some_and(|it| VersionName::parse(it.base(), version).is_some())
    }

    /// True if `path` is the folder of one of the root's groups.
    pub(super) fn group(&self, path: &Path) -> bool {
        path.components().next_back().is_some_and(is_plain)
            && path.parent().is_some_and(|folder| resolved(folder).is_ok_and(|real| real == self.groups))
    }

    /// The destination at `path`, if it is one and within reach.
    pub(super) fn destination(&self, path: &Path) -> Option<Destination> {
        // Longer than any path that could be opened.
        let destination = Destination::new(path).ok().filter(|it| it.as_str().len() < 4_096)?;
        let versions = destination.versions_folder();
        let is_within = self.may(destination.folder()) && (!versions.exists() || self.may(&versions));
        is_within.then_some(destination)
    }

    fn may(&self, folder: &Path) -> bool {
        let Some((root, owner)) = &self.within else { return true };
        let is_theirs = |real: &Path| real.metadata().is_ok_and(|meta| meta.uid() == *owner);
        resolved(folder).is_ok_and(|real| real.starts_with(root) || is_theirs(&real))
    }

    fn swap(&self, swap: &PendingSwap) -> bool {
        let Some(destination) = self.destination(&swap.destination) else { return false };
        let is_version = |name: &String| VersionName::parse(destination.base(), name).is_some();
        let beside = format!("{}.before-r", destination.base());
        let is_aside = |name: &String| name.starts_with(&beside) && !name.contains('/');
        swap.version.as_ref().is_none_or(is_version) && swap.aside.as_ref().is_none_or(is_aside)
    }

    fn flip(&self, flip: &Flip) -> bool {
        self.group(&flip.group)
            && [flip.from.as_ref(), Some(&flip.to)]
                .into_iter()
                .flatten()
                .all(|name| group::is_generation(name))
    }
}

/// Reads the journal that a killed run left.
///
/// # Errors
/// When it is damaged or leads where it must not.
pub(super) fn read_journal(meta: &Dir) -> Result<Option<Pending>> {
    let path = meta.join(PENDING);
    let (bytes, owner) = match meta.read_file_with_owner(PENDING, 1 << 30) {
        Ok(read) => read,
        Err(error) if error.is_not_found() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let pending: Pending = match serde_json::from_slice(&bytes) {
        Ok(pending) => pending,
        Err(source) => return Err(ActivateError::Damaged { path, source }),
    };
    match Reach::new(meta, owner) {
        Ok(reach) if reach.holds(&pending) => Ok(Some(pending)),
        Ok(_) => Err(ActivateError::Astray { path }),
        Err(source) => Err(DiskError { act: "follow", path, source }.into()),
    }
}

fn is_plain(part: std::path::Component<'_>) -> bool {
    matches!(part, std::path::Component::Normal(_))
}
