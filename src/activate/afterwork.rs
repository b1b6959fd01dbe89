//! What is left to do once a rollout counts: dist info, marks, removals. None of it decides what is active.
//!
//! It is done as far as it can be. What cannot be done now, because a folder belongs to somebody else or a disk is
//! full, is kept in `unfinished.json` and tried again by every run that changes something; it holds nobody up.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::reach::Reach;
use super::swap::remove_if_there;
use super::{ActivateError, Mark, Result};
use crate::disk::{Dir, Folders, Kind, Replacements};
use crate::root::{self, LaunchChange, bump_epoch};
use crate::stage::Trash;
use crate::version::{Destination, DistInfo, FileListing, Record, VersionName};

/// Name of the file in the root's own folder.
pub(super) const UNFINISHED: &str = "unfinished.json";

/// What is left to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Afterwork {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    infos: Vec<Info>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    marks: Vec<Mark>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    removals: Vec<Removal>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    launches: Vec<LaunchChange>,
    /// The change stamp is to be bumped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    epoch: bool,
}

/// The dist info of a destination.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Info {
    destination: PathBuf,
    /// The version that is active; `None` where the destination was removed.
    version: Option<String>,
    author: Option<String>,
    /// What is said of it, if that is not what its record says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    said: Option<DistInfo>,
}

/// Versions that are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The destination.
    pub destination: PathBuf,
    /// Names of the versions.
    pub versions: Vec<String>,
    /// They go though somebody uses them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insists: bool,
    /// The version that the same run made, which may share files with them. Another run knows nothing of what happened
    /// to those in between.
    #[serde(skip)]
    pub made: Option<String>,
}

impl Afterwork {
    pub(super) fn new(marks: Vec<Mark>, removals: Vec<Removal>) -> Self {
        Self { marks, removals, epoch: true, ..Self::default() }
    }

    pub(super) fn info(
        &mut self,
        destination: PathBuf,
        version: Option<String>,
        (author, said): (Option<String>, Option<DistInfo>),
    ) {
        self.infos.push(Info { destination, version, author, said });
    }

    pub(super) fn group(&mut self, path: PathBuf) {
        self.groups.push(path);
    }

    pub(super) fn launch(&mut self, change: LaunchChange) {
        self.launches.extend((!change.is_empty()).then_some(change));
    }

    fn is_empty(&self) -> bool {
        self.len() == 0 && !self.epoch
    }

    /// Reads what earlier runs could not do. A file that cannot be understood is as good as none: what it held was
    /// no more than tidying up. What leads where it must not is forgotten, and told.
    fn earlier(meta: &Dir, errors: &mut Vec<ActivateError>) -> Self {
        let (bytes, owner) = match meta.read_file_with_owner(UNFINISHED, 1 << 30) {
            Ok(read) => read,
            Err(error) => {
                errors.extend((!error.is_not_found()).then_some(error.into()));
                return Self::default();
            }
        };
        let mut work: Self = serde_json::from_slice(&bytes).unwrap_or_default();
        let Ok(reach) = Reach::new(meta, owner) else { return Self::default() };
        let all = work.len();
        work.infos.retain(|info| match &info.version {
            Some(version) => reach.version(&info.destination, version),
            None => reach.destination(&info.destination).is_some(),
        });
        work.marks.retain(|mark| reach.mark(mark));
        work.removals.retain(|removal| reach.removal(removal));
        work.groups.retain(|path| reach.group(path));
        work.launches.retain(LaunchChange::is_sound);
        if work.len() < all {
            errors.push(ActivateError::Astray { path: meta.join(UNFINISHED) });
        }
        work
    }

    fn len(&self) -> usize {
        self.infos.len() + self.marks.len() + self.removals.len() + self.groups.len() + self.launches.len()
    }

    /// Does all of it that can be done, after what earlier runs left, and keeps the rest. The errors say what that
    /// is.
    ///
    /// # Errors
    /// When not even what is left can be kept.
    pub(super) fn run(self, meta: &Dir) -> Result<Vec<ActivateError>> {
        let (mut left, mut errors) = (Self::default(), Vec::new());
        let had_left = meta.stat(UNFINISHED)?.is_some_and(|stat| stat.kind == Kind::File);
        let work = Self::earlier(meta, &mut errors).and(self);
        let (mut files, mut trash) = (Replacements::default(), Trash::default());
        let mut folders = Folders::default();
        // First what makes room.
        for removal in &work.removals {
            keep(&mut left.removals, removal, &mut errors, removal.run(&mut trash, &mut folders, &mut files));
        }
        if let Err(error) = trash.empty() {
            errors.push(error.into());
            left.removals.clone_from(&work.removals);
        }
        work.removals.iter().for_each(Removal::settle);
        for info in &work.infos {
            keep(&mut left.infos, info, &mut errors, info.write(&mut folders, &mut files));
        }
        for mark in &work.marks {
            keep(&mut left.marks, mark, &mut errors, write_mark(mark, &mut folders, &mut files));
        }
        for path in &work.groups {
            keep(&mut left.groups, path, &mut errors, sweep(path));
        }
        if let Err(error) = root::change(meta, &work.launches, &mut files) {
            errors.push(error.into());
            left.launches.clone_from(&work.launches);
        }
        // Whoever sees another stamp finds all the rest.
        let bump = || if work.epoch { bump_epoch(meta) } else { Ok(()) };
        if let Err(error) = files.touch(meta).and_then(|()| files.finish(bump)) {
            errors.push(error.into());
            left.epoch = work.epoch;
            (left.infos, left.marks, left.launches) = (work.infos, work.marks, work.launches);
        }
        if !left.is_empty() {
            let bytes = serde_json::to_vec(&left).expect("paths of destinations are UTF-8");
            meta.replace_file(UNFINISHED, &bytes)?;
            meta.sync()?;
        } else if had_left {
            meta.remove(UNFINISHED)?;
        }
        Ok(errors)
    }

    /// This and then `other`.
    fn and(mut self, other: Self) -> Self {
        self.infos.extend(other.infos);
        self.marks.extend(other.marks);
        self.removals.extend(other.removals);
        self.groups.extend(other.groups);
        self.launches.extend(other.launches);
        self.epoch |= other.epoch;
        self
    }
}

/// Keeps `work` if it failed.
fn keep<T: Clone>(left: &mut Vec<T>, work: &T, errors: &mut Vec<ActivateError>, done: Result<()>) {
    if let Err(error) = done {
        errors.push(error);
        left.push(work.clone());
    }
}

impl Info {
    /// Writes the dist info of what is active, or removes it with the destination.
    fn write(&self, folders: &mut Folders, files: &mut Replacements) -> Result<()> {
        let Ok(destination) = Destination::new(self.destination.clone()) else { return Ok(()) };
        let folder = match folders.open(destination.folder()) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let name = DistInfo::file_name(destination.base());
        let Some(version) = &self.version else {
            files.touch(&folder)?;
            return Ok(remove_if_there(&folder, Path::new(&name))?);
        };
        let versions = folders.open(&destination.versions_folder())?;
        let info = match (&self.said, Record::read(&versions, version)?) {
            (Some(said), _) => said.clone(),
            (None, Some(record)) => DistInfo::new(&record, self.author.as_deref()),
            (None, None) => DistInfo::without_record(version, &destination.info().unwrap_or_default()),
        };
        Ok(files.add(&folder, &name, info.to_text().as_bytes())?)
    }
}

fn write_mark(mark: &Mark, folders: &mut Folders, files: &mut Replacements) -> Result<()> {
    let Ok(destination) = Destination::new(mark.destination.clone()) else { return Ok(()) };
    let versions = folders.open(&destination.versions_folder())?;
    if let Some(record) = Record::read(&versions, &mark.version)? {
        let marked = match &mark.bad {
            Some(reason) => record.marked_bad(reason),
            None => record.marked_good(),
        };
        marked.replace(&versions, files)?;
    }
    Ok(())
}

impl Removal {
    fn run(&self, trash: &mut Trash, folders: &mut Folders, files: &mut Replacements) -> Result<()> {
        let Ok(destination) = Destination::new(self.destination.clone()) else { return Ok(()) };
        for version in &self.versions {
            if let Some(name) = VersionName::parse(destination.base(), version) {
                trash.add(&destination, &name, self.insists)?;
            }
        }
        files.touch(&*folders.open(&destination.versions_folder())?)?;
        Ok(())
    }

    /// Makes the listing of the version that was made younger than its files again: a removal is a change of those that
    /// are shared. Where that cannot be done the next deploy reads them before it shares them.
    fn settle(&self) {
        let Some(made) = self.made.as_ref().filter(|_| !self.versions.is_empty()) else { return };
        if let Ok(destination) = Destination::new(self.destination.clone())
            && let Ok(versions) = Dir::open(&destination.versions_folder())
        {
            let _ = versions.touch(FileListing::file_name(made));
        }
    }
}

fn sweep(path: &Path) -> Result<()> {
    if let Some(group) = Group::at(path)? {
        group.sweep()?;
    }
    Ok(())
}
