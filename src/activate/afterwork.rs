//! What is left to do once a rollout counts: dist info, marks, removals. None of it decides what is active.
//!
//! It is done as far as it can be. What cannot be done now, because a folder belongs to somebody else or a disk is
//! full, is kept in `unfinished.json` and tried again by every run that changes something; it holds nobody up.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::group::Group;
use super::swap::remove_if_there;
use super::{ActivateError, Mark, Result};
use crate::disk::{Dir, Filesystems};
use crate::root::bump_epoch;
use crate::stage::remove_version;
use crate::version::{Destination, DistInfo, Record, VersionName};

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
}

/// Versions that are removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// The destination.
    pub destination: PathBuf,
    /// Names of the versions.
    pub versions: Vec<String>,
}

impl Afterwork {
    pub(super) fn new(marks: Vec<Mark>, removals: Vec<Removal>) -> Self {
        Self { marks, removals, epoch: true, ..Self::default() }
    }

    pub(super) fn info(&mut self, destination: PathBuf, version: Option<String>, author: Option<String>) {
        self.infos.push(Info { destination, version, author });
    }

    pub(super) fn group(&mut self, path: PathBuf) {
        self.groups.push(path);
    }

    fn is_empty(&self) -> bool {
        let Self { infos, marks, removals, groups, epoch } = self;
        infos.is_empty() && marks.is_empty() && removals.is_empty() && groups.is_empty() && !epoch
    }

    /// Reads what earlier runs could not do. A file that cannot be understood is as good as none: what it held was
    /// tidying up.
    fn earlier(meta: &Dir) -> Self {
        let bytes = meta.read_file(UNFINISHED, 1 << 30).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// Does all of it that can be done, after what earlier runs left, and keeps the rest. The errors say what that
    /// is.
    ///
    /// # Errors
    /// When not even what is left can be kept.
    pub(super) fn run(self, meta: &Dir) -> Result<Vec<ActivateError>> {
        let mut left = Self::default();
        let mut errors = Vec::new();
        let mut touched = Filesystems::default();
        let earlier = Self::earlier(meta);
        let had_left = !earlier.is_empty();
        let is_changed = earlier.epoch || self.epoch;
        for work in [earlier, self] {
            for info in work.infos {
                keep(&mut left.infos, info, &mut errors, |info| info.write(&mut touched));
            }
            for mark in work.marks {
                keep(&mut left.marks, mark, &mut errors, |mark| write_mark(mark, &mut touched));
            }
            for removal in work.removals {
                keep(&mut left.removals, removal, &mut errors, Removal::run);
            }
            for path in work.groups {
                keep(&mut left.groups, path, &mut errors, |path| sweep(path));
            }
        }
        if let Err(error) = touched.sync() {
            errors.push(error.into());
        }
        if is_changed && let Err(error) = bump_epoch(meta) {
            errors.push(error.into());
            left.epoch = true;
        }
        if !left.is_empty() {
            let bytes = serde_json::to_vec(&left).expect("paths of destinations are UTF-8");
            meta.replace_file(UNFINISHED, &bytes)?;
        } else if had_left {
            meta.remove(UNFINISHED)?;
        }
        Ok(errors)
    }
}

/// Tries `act` on `work`, and keeps the work if it fails.
fn keep<T>(left: &mut Vec<T>, work: T, errors: &mut Vec<ActivateError>, act: impl FnOnce(&T) -> Result<()>) {
    if let Err(error) = act(&work) {
        errors.push(error);
        left.push(work);
    }
}

impl Info {
    /// Writes the dist info of what is active, or removes it with the destination.
    fn write(&self, touched: &mut Filesystems) -> Result<()> {
        let Ok(destination) = Destination::new(self.destination.clone()) else { return Ok(()) };
        let folder = match Dir::open(destination.folder()) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let name = DistInfo::file_name(destination.base());
        let Some(version) = &self.version else { return Ok(remove_if_there(&folder, Path::new(&name))?) };
        let versions = Dir::open(&destination.versions_folder())?;
        let info = match Record::read(&versions, version)? {
            Some(record) => DistInfo::new(&record, self.author.as_deref()),
            None => DistInfo::without_record(version, &destination.info().unwrap_or_default()),
        };
        folder.replace_file_later_durable(&name, info.to_text().as_bytes())?;
        touched.add(folder)?;
        Ok(())
    }
}

fn write_mark(mark: &Mark, touched: &mut Filesystems) -> Result<()> {
    let Ok(destination) = Destination::new(mark.destination.clone()) else { return Ok(()) };
    let versions = Dir::open(&destination.versions_folder())?;
    if let Some(record) = Record::read(&versions, &mark.version)? {
        let marked = match &mark.bad {
            Some(reason) => record.marked_bad(reason),
            None => record.marked_good(),
        };
        marked.write(&versions)?;
        touched.add(versions)?;
    }
    Ok(())
}

impl Removal {
    fn run(&self) -> Result<()> {
        let Ok(destination) = Destination::new(self.destination.clone()) else { return Ok(()) };
        for version in &self.versions {
            if let Some(name) = VersionName::parse(destination.base(), version) {
                remove_version(&destination, &name)?;
            }
        }
        Ok(())
    }
}

fn sweep(path: &Path) -> Result<()> {
    if let Some(group) = Group::at(path)? {
        group.sweep()?;
    }
    Ok(())
}
