//! Python packages that become a part of the release, so that whoever follows it needs neither an index nor uv or pip.

use std::path::PathBuf;
use std::time::Duration;

use bstr::ByteSlice as _;

use super::{PublishError, Result};
use crate::disk::{Dir, WorkFolder};
use crate::packages::{Means, Packages};
use crate::project::{Base, Project};
use crate::python::{Index, Lock};
use crate::remote::{Limits, hex};
use crate::rollout::Gathered;
use crate::source::git::{Repository, Watch, join};
use crate::source::{HashKind, Mode};

/// How long directories and buckets may take to answer, and between two bytes.
const LIMITS: Limits = Limits { probe: Duration::from_secs(10), total: None, stall: Duration::from_mins(1) };

/// Installs the packages of the targets that `patterns` select. Returns the targets' names and what they hold.
pub(super) fn vendor(
    project: &Project,
    patterns: &[String],
    work: &WorkFolder,
    watch: Watch<'_>,
) -> Result<Vec<(String, Gathered)>> {
    let hash = project.repository().map_or(HashKind::Sha1, Repository::hash_kind);
    let names =
        crate::target::select(&project.manifest, patterns).map_err(crate::rollout::RolloutError::from)?;
    let mut vendored = Vec::new();
    for name in names {
        let Some(packages) = Packages::of(project, name)? else { continue };
        if packages.source.is_empty() {
            return Err(PublishError::NoPlace { target: name.to_owned() });
        }
        let folder = Dir::create_all(&folder_of(project, name, work))?;
        let cache = folder.join("cache");
        let means = Means { cache: &cache, allow_build: true, limits: LIMITS, watch };
        let (index, lock) = choose(&packages, &folder, means)?;
        let into = work.dir().join("vendored").join(vendored.len().to_string());
        let installed = Packages::install(&lock, index, &into, hash, means)?;
        Packages::keep(&lock, &folder)?;
        let gathered = Gathered {
            source: join(project.folder.as_bstr(), packages.source.as_bstr()),
            mode: Mode::Directory,
            listing: installed.listing.clone(),
            folder: Some(installed.into_contents()),
        };
        vendored.push((name.to_owned(), gathered));
    }
    Ok(vendored)
}

/// Chooses from the first index that can be reached.
fn choose<'p>(packages: &'p Packages, folder: &Dir, means: Means<'_>) -> Result<(&'p Index, Lock)> {
    let mut away = None;
    for index in &packages.indexes {
        match packages.choose(index, folder, means) {
            Ok(lock) => return Ok((index, lock)),
            Err(error) if error.is_unreachable() => away = away.or(Some(error)),
            Err(error) => return Err(error.into()),
        }
    }
    Err(away.map_or(PublishError::NoTargets, PublishError::from))
}

/// Where what was chosen for a target is kept.
fn folder_of(project: &Project, name: &str, work: &WorkFolder) -> PathBuf {
    let all = match &project.base {
        Base::Git { repository, .. } => repository.common_dir().join("dist").join("packages"),
        // A folder has no place of its own for what is to be kept.
        Base::Folder(_) => work.dir().join("packages"),
    };
    // A target may be called anything.
    all.join(hex(name.as_bytes()))
}
