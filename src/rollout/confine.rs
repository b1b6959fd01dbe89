//! Keeping a deploy with nobody there to the folders that it may write to.
//!
//! dist.json and distman.env come with the commit, so whoever can push names every path in them. Pushed bytes may go
//! where a person said, and must never pass for what git dist itself writes down.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Shown;
use crate::environment::{Environment, Origin};
use crate::plan::Item;
use crate::project::Project;
use crate::root::{AllowedRoots, META, Root, resolved};
use crate::version::{SHARED, VERSIONS};

/// Why a deploy with nobody there may not write where it would.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// No folder is allowed.
    #[error("nobody has said yet where hooks of this repository may deploy to")]
    NoRoots,
    /// The deployment root is somewhere else.
    #[error("the deployment root `{}` lies outside of every `dist.root`", Shown(path))]
    Root {
        /// The root, links on the way resolved.
        path: PathBuf,
    },
    /// The root's own folder is in what was deployed, or in shared data: nothing in it can be believed.
    #[error("the deployment root's own folder `{}` lies in what was deployed", Shown(path))]
    Deployed {
        /// The folder, links on the way resolved.
        path: PathBuf,
    },
    /// A destination is somewhere else.
    #[error(
        "the destination `{}` of target `{target}` is in `{}`, outside of every `dist.root`",
        Shown(destination),
        Shown(folder)
    )]
    Destination {
        /// The target's name.
        target: String,
        /// The destination as dist.json says.
        destination: PathBuf,
        /// Its folder, links on the way resolved.
        folder: PathBuf,
    },
    /// A destination lies among git dist's own files.
    #[error(
        "the destination `{}` of target `{target}` lies in a folder that git dist keeps for itself",
        Shown(destination)
    )]
    Own {
        /// The target's name.
        target: String,
        /// The destination.
        destination: PathBuf,
    },
    /// The environment wants a log or temporary files somewhere else.
    #[error("`{name}` is `{}`, outside of every `dist.root` or in what was deployed", Shown(path))]
    Folder {
        /// The variable.
        name: &'static str,
        /// The folder, links on the way resolved.
        path: PathBuf,
    },
    /// A path cannot be followed.
    #[error("cannot tell where `{}` leads", Shown(path))]
    Unclear {
        /// The path.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl OutsideError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        let allow = |folder: &Path| {
            Some(format!(
                "if that is meant: `git config --add dist.root {}` in that repository",
                quoted(folder)
            ))
        };
        match self {
            Self::NoRoots => {
                Some("`git dist hook install`, once more, writes it down as `dist.root`".to_owned())
            }
            Self::Root { path } | Self::Folder { path, .. } => allow(path),
            Self::Destination { folder, .. } => allow(folder),
            Self::Deployed { .. } | Self::Own { .. } | Self::Unclear { .. } => None,
        }
    }
}

/// A path as a word for a shell.
fn quoted(path: &Path) -> String {
    let text = Shown(path).to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Where a deploy may write.
pub(super) struct Confinement {
    roots: AllowedRoots,
}

impl Confinement {
    /// Keeps to these folders.
    pub(super) fn new(folders: &[PathBuf]) -> Result<Self, OutsideError> {
        let mut roots = Vec::new();
        for folder in folders {
            roots.push(followed(folder)?);
        }
        let roots = AllowedRoots::new(&roots).map_err(unclear(Path::new("/")))?;
        if roots.is_empty() { Err(OutsideError::NoRoots) } else { Ok(Self { roots }) }
    }

    /// Refuses a deployment root elsewhere, or one whose own folder holds pushed bytes: a journal in it would be
    /// carried out, wherever it leads.
    pub(super) fn check_root(&self, project: &Project, root: &Root) -> Result<(), OutsideError> {
        if self.below(root.path())?.is_none() {
            return Err(OutsideError::Root { path: followed(root.path())? });
        }
        let meta = root.meta_path();
        match self.below(&meta)? {
            Some(below) if !is_deployed(&below) => {}
            Some(_) => return Err(OutsideError::Deployed { path: followed(&meta)? }),
            None => return Err(OutsideError::Root { path: followed(&meta)? }),
        }
        ["LOG_DIR", "BUILD_DIR"]
            .into_iter()
            .try_for_each(|name| self.check_folder(&project.environment, name))
    }

    /// Refuses a folder that a variable names, unless the environment of the hook itself does, which nobody pushes.
    fn check_folder(&self, environment: &Environment, name: &'static str) -> Result<(), OutsideError> {
        let (Some(variable), Some(path)) = (environment.get(name), environment.path(name)) else {
            return Ok(());
        };
        let is_home_pushed = variable.value.starts_with('~');
        if !is_home_pushed && variable.origins.iter().all(|origin| *origin == Origin::Process) {
            return Ok(());
        }
        let path = std::path::absolute(&path).map_err(unclear(&path))?;
        match self.below(&path)? {
            Some(below) if !is_deployed(&below) => Ok(()),
            _ => Err(OutsideError::Folder { name, path: followed(&path)? }),
        }
    }

    /// Refuses destinations elsewhere.
    pub(super) fn check_items(&self, items: &[Item]) -> Result<(), OutsideError> {
        for item in items {
            let (target, destination) = (item.target.clone(), item.destination.path().to_owned());
            // Versions are written beside the destination, in a folder that may be a link itself.
            for folder in [item.destination.folder().to_owned(), item.destination.versions_folder()] {
                match self.below(&folder)? {
                    Some(below) if below.iter().all(|name| name != META) => {}
                    Some(_) => return Err(OutsideError::Own { target, destination }),
                    None => {
                        let folder = followed(&folder)?;
                        return Err(OutsideError::Destination { target, destination, folder });
                    }
                }
            }
        }
        Ok(())
    }

    fn below(&self, path: &Path) -> Result<Option<PathBuf>, OutsideError> {
        self.roots.below(path).map_err(unclear(path))
    }
}

/// True if the path below an allowed folder leads through what pushed bytes can be in.
fn is_deployed(below: &Path) -> bool {
    below.iter().any(|name| name == VERSIONS || name == SHARED)
}

fn followed(path: &Path) -> Result<PathBuf, OutsideError> {
    resolved(path).map_err(unclear(path))
}

fn unclear(path: &Path) -> impl FnOnce(io::Error) -> OutsideError {
    let path = path.to_owned();
    move |source| OutsideError::Unclear { path, source }
}
