//! Targets that are made of Python packages: what dist.json says of them, and the folder that they become.

use std::collections::BTreeMap;
use std::path::Path;

use bstr::BString;

use crate::disk::{Dir, DiskError};
use crate::manifest::Source;
use crate::project::Project;
use crate::python::{self, Index, Lock, Options, PythonError, Requirement};
use crate::remote::Limits;
use crate::source::folder::Folder;
use crate::source::git::Watch;
use crate::source::{HashKind, SourceError};

/// A target that is made of packages.
#[derive(Clone, Debug)]
pub struct Packages {
    /// What is required.
    pub requirement: Requirement,
    /// The path at which the target's source has them.
    pub source: BString,
    /// Where they may come from, in order.
    pub indexes: Vec<Index>,
}

/// Why the packages of a target cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PackagesError {
    /// The target does not say which packages.
    #[error("the target `{target}` does not say which package it is made of")]
    NoRequirement {
        /// The target.
        target: String,
    },
    /// Its source is none of packages.
    #[error("`{source_path}` cannot be where the packages of target `{target}` are: it has wildcards")]
    Wildcards {
        /// The target.
        target: String,
        /// Its source.
        source_path: String,
    },
    /// uv, pip or the index.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// What was installed cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The result of something with the packages of a target.
pub type Result<T, E = PackagesError> = std::result::Result<T, E>;

/// What packages are chosen and installed with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// A folder for what is fetched, and for work in progress.
    pub cache: &'a Path,
    /// Packages may be built, which runs programs of theirs.
    pub allow_build: bool,
    /// How long one waits for directories and buckets.
    pub limits: Limits,
    /// How long all of it may take, and who may stop it.
    pub watch: Watch<'a>,
}

/// The Python that is to run what is installed, found in `PATH`.
const PYTHON: &str = "python3";
/// The most that the packages of a target may take up, in bytes.
const MOST: u64 = 8 << 30;
/// Name of the file that says what was chosen.
const LOCK: &str = "requirements.lock";
/// The most of it that is read, in bytes.
const LONGEST: u64 = 16 << 20;

impl Packages {
    /// Those of the target `name` of `project`; `None` if it is not made of any.
    ///
    /// # Errors
    /// When what dist.json says of them is not enough, or makes no sense.
    pub fn of(project: &Project, name: &str) -> Result<Option<Self>> {
        let Some(spec) = project.manifest.targets.get(name) else { return Ok(None) };
        let settings = project.manifest.settings_of(spec);
        let Source::Upstreams(from) = &settings.from else { return Ok(None) };
        let is_one = |address: &&String| Index::is_one(address);
        let indexes: Vec<Index> =
            from.iter().filter(is_one).map(|it| Index::parse(it)).collect::<Result<_, _>>()?;
        if indexes.is_empty() {
            return Ok(None);
        }
        let Some(requirement) = &settings.require else {
            return Err(PackagesError::NoRequirement { target: name.to_owned() });
        };
        if spec.source.contains(['*', '?', '[']) {
            return Err(PackagesError::Wildcards {
                target: name.to_owned(),
                source_path: spec.source.clone(),
            });
        }
        let source = if spec.source == "." { "" } else { &spec.source };
        Ok(Some(Self { requirement: Requirement::parse(requirement)?, source: source.into(), indexes }))
    }

    /// What is to be installed from `index`: what the lock in `folder` says, as long as nothing else would be chosen now.
    ///
    /// # Errors
    /// When the index cannot be asked, or has nothing that fits.
    pub fn choose(&self, index: &Index, folder: &Dir, means: Means<'_>) -> Result<Lock> {
        let now = means.with(|options| python::resolve(&self.requirement, index, options))?;
        let is_same = |kept: &Lock| {
            kept.requirement() == now.requirement()
                && kept.index() == now.index()
                && kept.chose_the_same(&now)
        };
        // A lock that cannot be read is written anew, as is one that does not fit any more.
        let kept = match folder.read_file(LOCK, LONGEST) {
            Err(error) if error.is_not_found() => None,
            bytes => Lock::parse(&String::from_utf8_lossy(&bytes?)).ok(),
        };
        Ok(kept.filter(is_same).unwrap_or(now))
    }

    /// Writes down in `folder` what was chosen.
    ///
    /// # Errors
    /// When it may not be written.
    pub fn keep(lock: &Lock, folder: &Dir) -> Result<()> {
        Ok(folder.replace_file(LOCK, lock.to_string().as_bytes())?)
    }

    /// Installs what `lock` says to `into`, which is empty or not there, and lists it.
    ///
    /// # Errors
    /// When a file is not to be had, or is not what it was.
    pub fn install(
        lock: &Lock,
        index: &Index,
        into: &Path,
        hash: HashKind,
        means: Means<'_>,
    ) -> Result<Folder> {
        means.with(|options| python::install(lock, index, into, options))?;
        Ok(Folder::list(into, hash, &[])?)
    }
}

impl Means<'_> {
    fn with<T>(self, act: impl FnOnce(&Options<'_>) -> T) -> T {
        act(&Options {
            python: PYTHON,
            environment: &BTreeMap::new(),
            cache: self.cache,
            allow_build: self.allow_build,
            offline: false,
            most: MOST,
            limits: self.limits,
            watch: self.watch,
        })
    }
}

impl PackagesError {
    /// True if it may be otherwise at another time: the index is away, or slow.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Python(error) if error.is_unreachable())
    }

    /// True if what was found was refused for what it is.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Python(error) if error.is_refusal())
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoRequirement { .. } => {
                "the option `require` does: `\"require\": \"hello>=1.2\"`".to_owned()
            }
            Self::Wildcards { .. } => {
                "`\"source\": \".\"` is all that is installed, a path is where it is put".to_owned()
            }
            Self::Python(source) => source.hint()?.to_owned(),
            Self::Source(source) => return source.hint(),
            Self::Disk(source) => source.hint()?.to_owned(),
        })
    }
}
