//! Why a project could not be read.

use std::path::PathBuf;

use bstr::BString;

use super::MANIFEST;
use crate::disk::{Shown, on_disk};
use crate::environment::EnvironmentError;
use crate::manifest::ManifestError;
use crate::source::git::GitError;

/// Why a project could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The repository or an object in it.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no manifest at the revision.
    #[error("there is no `{MANIFEST}` in {at}{}", Place(folder))]
    NoManifest {
        /// Where it was looked for.
        at: String,
        /// The folder that was looked in first.
        folder: BString,
        /// True if one lies in the working tree, uncommitted.
        uncommitted: bool,
    },
    /// The manifest is not what a manifest looks like.
    #[error("the manifest of {at} cannot be used")]
    Manifest {
        /// Where it was read.
        at: String,
        /// The place and what is wrong there.
        #[source]
        source: ManifestError,
    },
    /// The environment file is not what one looks like.
    #[error("the environment of {at} cannot be used")]
    Environment {
        /// Where it was read.
        at: String,
        /// The place and what is wrong there.
        #[source]
        source: Box<EnvironmentError>,
    },
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] crate::disk::DiskError),
    /// A bare repository has no files to deploy from the disk.
    #[error("`{}` is a bare repository, which has no working tree", Shown(path))]
    NoWorktree {
        /// The repository's git directory.
        path: PathBuf,
    },
    /// The deployment root is no absolute path.
    #[error("`DEPLOY_ROOT` is `{value}`, which is not an absolute path")]
    RelativeRoot {
        /// The value.
        value: String,
    },
    /// The folder of the root's own files is no plain name.
    #[error("`DISTMAN_META_DIR` is `{value}`, which is not the name of a folder in the deployment root")]
    MetaDir {
        /// The value.
        value: String,
    },
}

struct Place<'a>(&'a BString);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at or above `{}`", Shown(on_disk(self.0))) }
    }
}

impl ProjectError {
    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Git(source) => source.hint(),
            Self::NoManifest { uncommitted: true, .. } => {
                Some(format!("it is in the working tree only: `git add {MANIFEST}`, then `git commit`"))
            }
            Self::NoManifest { .. } => Some("`git dist init` writes one".to_owned()),
            Self::Disk(_) => None,
            Self::NoWorktree { .. } => Some("leave `--worktree` out to deploy a revision".to_owned()),
            Self::Manifest { source, .. } => source.hint(),
            Self::Environment { source, .. } => source.hint(),
            Self::MetaDir { .. } => {
                Some("`git dist env DISTMAN_META_DIR` tells where it comes from".to_owned())
            }
            Self::RelativeRoot { .. } => {
                Some("`git dist env DEPLOY_ROOT` tells where it comes from".to_owned())
            }
        }
    }
}
