//! What targets hold before any pipeline: for those who carry it elsewhere.

use bstr::{BString, ByteSlice as _};

use super::planner::submodules;
use crate::project::Project;
use crate::rollout::{Result, RolloutError};
use crate::source::Listing;
use crate::source::folder::{Folder, FolderContents, JUNK};
use crate::source::git::{ListOptions, Repository, Snapshot};
use crate::source::{HashKind, Mode};
use crate::target::{self, Place};

/// One source, and what it holds.
pub struct Gathered {
    /// Full path of the source in the repository.
    pub source: BString,
    /// What it is itself.
    pub mode: Mode,
    /// What it holds.
    pub listing: Listing,
    /// Where its bytes are, if that is a folder on disk: else they are the snapshot's.
    pub folder: Option<FolderContents>,
}

/// The sources of the targets that `patterns` select, all of them where there is none, and the targets' names. Targets
/// that come from elsewhere are left out. Git's own files are gathered where `all` says so.
///
/// # Errors
/// When targets cannot be resolved or read, and when a target without a source is not passed over.
pub fn gather(
    project: &Project,
    snapshot: Option<&Snapshot<'_>>,
    patterns: &[String],
    all: bool,
) -> Result<(Vec<String>, Vec<Gathered>)> {
    let mut names = target::select(&project.manifest, patterns)?;
    names.retain(|name| !project.manifest.comes_from_elsewhere(name));
    let asked = target::Request {
        ignore_missing: project.ignores_missing(),
        ..target::Request::new(project, snapshot)
    };
    let kind = project.repository().map_or(HashKind::Sha1, Repository::hash_kind);
    let mut gathered = Vec::new();
    for item in target::resolve(asked, &names)?.items {
        let (mode, listing, folder) = match (&item.place, snapshot) {
            (Place::Git(node), Some(snapshot)) => {
                let options = ListOptions {
                    ignore: item.settings.ignore.clone(),
                    submodules: submodules(item.settings.submodules).0,
                    all,
                };
                let listing = snapshot.list(item.source.as_bstr(), *node, &options);
                let content = |source| RolloutError::Content { target: item.target.clone(), source };
                (node.mode, listing.map_err(content)?, None)
            }
            (Place::Git(_), None) => continue,
            (Place::Disk { path, .. }, _) => {
                let junk = JUNK.iter().filter(|_| !all).map(|pattern| (*pattern).to_owned());
                let own = [".git".to_owned()].into_iter().chain(junk);
                let ignore: Vec<String> = own.chain(item.settings.ignore.iter().cloned()).collect();
                let folder = Folder::list(path, kind, &ignore)
                    .map_err(|source| RolloutError::Source { target: item.target.clone(), source })?;
                (folder.mode, folder.listing.clone(), Some(folder.into_contents()))
            }
        };
        gathered.push(Gathered { source: item.source, mode, listing, folder });
    }
    Ok((names.into_iter().map(ToOwned::to_owned).collect(), gathered))
}
