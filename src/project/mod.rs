//! A project: the manifest and environment of one revision of one repository, or of a folder, read once.

mod error;
mod files;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice as _};

use crate::disk::Shown;
use crate::environment::{self, Environment, EnvironmentError, EnvironmentFile, Files};
use crate::manifest::{Manifest, Parsed};
use crate::root::{META, Root};
use crate::source::git::{CommitCount, GitError, Repository, Revision, Snapshot};

pub use error::ProjectError;
use files::{FileReader, ProjectFiles, find_manifest, folder_of};

/// Name of the manifest.
pub const MANIFEST: &str = "dist.json";
/// Name of the environment file beside it.
pub const ENVIRONMENT: &str = "distman.env";

/// What one revision, or one folder, says is to be deployed.
pub struct Project {
    /// Where it was read from.
    pub base: Base,
    /// Folder of dist.json below the base; empty for its top.
    pub folder: BString,
    /// Path of the manifest below the base; `None` where there is none (`--source` and `--dest`).
    pub manifest_path: Option<BString>,
    /// The manifest.
    pub manifest: Manifest,
    /// Its bytes, where there is one.
    pub manifest_bytes: Option<Vec<u8>>,
    /// The environment that fills `{VAR}`.
    pub environment: Environment,
    /// The files of the project that the environment was read from, `distman.env` first.
    pub environment_files: Vec<EnvironmentFile>,
    /// What is doubtful in manifest and environment, as text with its place and hint.
    pub warnings: Vec<Doubt>,
    /// Every target is read from the disk, whatever its option `from` says (`--worktree`).
    pub from_worktree: bool,
    count: OnceCell<CommitCount>,
}

/// What a project is read from.
#[allow(clippy::large_enum_variant)] // there is one in a run
pub enum Base {
    /// A revision of a repository.
    Git {
        /// The repository.
        repository: Repository,
        /// The revision, pinned.
        revision: Revision,
    },
    /// A folder that is in no repository.
    Folder(PathBuf),
}

/// What is asked of [`Project::open`].
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// Where the user stands.
    pub start: &'a Path,
    /// The revision.
    pub revision: &'a str,
    /// Path of the manifest below the base, if it is not to be looked for.
    pub manifest: Option<&'a str>,
    /// Manifest, environment and every source are read from the disk (`--worktree`).
    pub worktree: bool,
    /// The manifest to use where there is none (`--source` and `--dest`).
    pub otherwise: Option<Manifest>,
}

impl<'a> Opening<'a> {
    /// The project at `start`, at `revision`, with the manifest that is found there.
    pub fn new(start: &'a Path, revision: &'a str) -> Self {
        Self { start, revision, manifest: None, worktree: false, otherwise: None }
    }
}

/// Something doubtful in a file that was read: no error, but worth a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// Where and what.
    pub message: String,
    /// The next step, if there is one.
    pub hint: Option<String>,
}

/// The process environment, as the environment file's reader wants it. Names that are not UTF-8 cannot be
/// referred to and are left out.
pub fn process_environment() -> BTreeMap<String, OsString> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect()
}

impl Project {
    /// Reads the project that `opening.start` lies in. The manifest is looked for in that folder and above it, up
    /// to the top of the repository. A folder that is in no repository is read from the disk.
    ///
    /// # Errors
    /// When repository, revision, manifest or environment cannot be read.
    pub fn open(opening: Opening<'_>, process: &BTreeMap<String, OsString>) -> Result<Self, ProjectError> {
        let (base, from) = match Repository::discover(opening.start) {
            Ok(repository) => {
                let revision = repository.resolve(opening.revision)?;
                let from = folder_of(&repository, opening.start);
                (Base::Git { repository, revision }, from)
            }
            // A repository that is there and cannot be read is an error, and no plain folder.
            Err(GitError::NotARepository { path }) => {
                let is_folder = opening.otherwise.is_some() || path.join(MANIFEST).is_file();
                if !is_folder || opening.revision != "HEAD" {
                    return Err(GitError::NotARepository { path }.into());
                }
                (Base::Folder(path.components().collect()), BString::default())
            }
            Err(error) => return Err(error.into()),
        };
        Self::read(base, from, opening, process)
    }

    /// Reads the project of the repository whose git directory is `git_dir`, at `commit`, which `branch` has been
    /// seen to point to: records name the branch. The manifest is looked for at the top of the repository;
    /// `manifest` names its path instead.
    ///
    /// # Errors
    /// As [`Project::open`].
    pub fn open_branch(
        git_dir: &Path,
        branch: &str,
        commit: &str,
        manifest: Option<&str>,
        process: &BTreeMap<String, OsString>,
    ) -> Result<Self, ProjectError> {
        let repository = Repository::at(git_dir)?;
        let resolved = repository.resolve(commit)?;
        let revision = Revision { asked: branch.to_owned(), branch: Some(branch.to_owned()), ..resolved };
        let opening = Opening { manifest, ..Opening::new(git_dir, commit) };
        Self::read(Base::Git { repository, revision }, BString::default(), opening, process)
    }

    /// Reads the manifest found in the folder `from` or above it, or the one that is named.
    fn read(
        base: Base,
        from: BString,
        opening: Opening<'_>,
        process: &BTreeMap<String, OsString>,
    ) -> Result<Self, ProjectError> {
        let reader = match &base {
            Base::Folder(path) => FileReader::Disk(path.clone()),
            Base::Git { repository, .. } if opening.worktree => {
                let top = repository
                    .workdir()
                    .ok_or_else(|| ProjectError::NoWorktree { path: repository.git_dir().to_owned() })?;
                FileReader::Disk(top.to_owned())
            }
            Base::Git { repository, revision } => {
                FileReader::Revision(Snapshot::new(repository, revision.clone()))
            }
        };
        let found = find_manifest(&reader, &base, from.clone(), opening.manifest);
        let (manifest_path, manifest_bytes, folder, parsed) = match (found, opening.otherwise) {
            (Err(ProjectError::NoManifest { .. }), Some(manifest)) => {
                (None, None, from, Parsed { manifest, warnings: Vec::new() })
            }
            (found, _) => {
                let (path, bytes, parsed) = found?;
                let folder = path.rfind_byte(b'/').map_or(BString::default(), |end| path[..end].into());
                (Some(path), Some(bytes), folder, parsed)
            }
        };
        let mut warnings: Vec<Doubt> = parsed
            .warnings
            .iter()
            .map(|warning| Doubt { message: warning.to_string(), hint: warning.hint.clone() })
            .collect();
        let files = ProjectFiles::new(&reader, folder.as_bstr(), process);
        let (environment, more) = read_environment(&files, process)
            .map_err(|source| ProjectError::Environment { at: base.to_string(), source: Box::new(source) })?;
        warnings.extend(more);
        let environment_files = files.found.into_inner();
        drop(reader);
        let manifest = parsed.manifest;
        let from_worktree = opening.worktree || matches!(base, Base::Folder(_));
        let count = OnceCell::new();
        Ok(Self {
            base,
            folder,
            manifest_path,
            manifest,
            manifest_bytes,
            environment,
            environment_files,
            warnings,
            from_worktree,
            count,
        })
    }

    /// This project with content that comes from elsewhere: its targets are looked for in `revision` of `repository`,
    /// with paths from the top.
    #[must_use]
    pub fn of_content(mut self, repository: Repository, revision: Revision) -> Self {
        self.manifest.take_all_from_git();
        Self {
            base: Base::Git { repository, revision },
            folder: BString::default(),
            manifest_path: None,
            from_worktree: false,
            count: OnceCell::new(),
            ..self
        }
    }

    /// The repository, if the project is in one.
    pub fn repository(&self) -> Option<&Repository> {
        match &self.base {
            Base::Git { repository, .. } => Some(repository),
            Base::Folder(_) => None,
        }
    }

    /// The revision, if the project is in a repository.
    pub fn revision(&self) -> Option<&Revision> {
        match &self.base {
            Base::Git { revision, .. } => Some(revision),
            Base::Folder(_) => None,
        }
    }

    /// Number of commits up to the revision, which versions are numbered by; `None` outside git. Counted when it is
    /// first asked for: what only looks at what is deployed need not walk the history.
    ///
    /// # Errors
    /// When the history is cut off by a shallow clone, or objects are missing.
    pub fn count(&self) -> Result<Option<u64>, ProjectError> {
        let Base::Git { repository, revision } = &self.base else { return Ok(None) };
        if let Some(count) = self.count.get() {
            return Ok(Some(count.commits));
        }
        let count = repository.count(revision)?;
        Ok(Some(self.count.get_or_init(|| count).commits))
    }

    /// Notes in the git directory what was counted, for the next run. Called by runs that may change something.
    pub fn remember_count(&self) {
        if let (Base::Git { repository, revision }, Some(count)) = (&self.base, self.count.get()) {
            repository.remember(revision, *count);
        }
    }

    /// The tree of the revision, if the project is in a repository.
    pub fn snapshot(&self) -> Option<Snapshot<'_>> {
        match &self.base {
            Base::Git { repository, revision } => Some(Snapshot::new(repository, revision.clone())),
            Base::Folder(_) => None,
        }
    }

    /// The folder on disk that holds dist.json's folder; `None` for a bare repository.
    pub fn worktree(&self) -> Option<&Path> {
        match &self.base {
            Base::Git { repository, .. } => repository.workdir(),
            Base::Folder(path) => Some(path),
        }
    }

    /// Where the project came from: a remote's URL without credentials, or a path.
    pub fn origin(&self) -> String {
        match &self.base {
            Base::Git { repository, .. } => repository.origin(),
            Base::Folder(path) => Shown(path).to_string(),
        }
    }

    /// True if the environment says that targets whose source is missing are passed over: `IGNORE_MISSING` is
    /// `true`, `1` or `yes`, in any case (distman's setting; anything else is no).
    pub fn ignores_missing(&self) -> bool {
        let value =
            self.environment.get("IGNORE_MISSING").map(|variable| variable.value.to_ascii_lowercase());
        matches!(value.as_deref(), Some("true" | "1" | "yes"))
    }

    /// The deployment root.
    ///
    /// # Errors
    /// When `DEPLOY_ROOT` is not an absolute path, or `DISTMAN_META_DIR` no name.
    pub fn root(&self) -> Result<Root, ProjectError> {
        root(&self.environment)
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Git { revision, .. } => write!(f, "revision `{}`", revision.asked),
            Self::Folder(path) => write!(f, "folder `{}`", Shown(path)),
        }
    }
}

/// The environment without any repository: the process environment over the defaults.
///
/// # Errors
/// As for a file, though without one there is little to be wrong.
pub fn environment_without_project(
    process: &BTreeMap<String, OsString>,
) -> Result<Environment, EnvironmentError> {
    environment_of(Vec::new(), process)
}

/// The environment that the files of a project, kept since they were read, give with the process environment `process`.
/// What they include along `ENVPATH` is read now.
///
/// # Errors
/// Every way in which a file can be broken; see [`EnvironmentError`].
pub fn environment_of(
    kept: Vec<EnvironmentFile>,
    process: &BTreeMap<String, OsString>,
) -> Result<Environment, EnvironmentError> {
    let entry = kept.first().map_or("", |file| file.path.as_str());
    let folder = BString::from(entry.rsplit_once('/').map_or("", |(folder, _)| folder));
    let reader = FileReader::Kept(kept);
    let files = ProjectFiles::new(&reader, folder.as_bstr(), process);
    read_environment(&files, process).map(|(environment, _)| environment)
}

/// The deployment root that `environment` names.
///
/// # Errors
/// When `DEPLOY_ROOT` is not an absolute path, or `DISTMAN_META_DIR` no name.
pub fn root(environment: &Environment) -> Result<Root, ProjectError> {
    let value = |name| environment.get(name).map(|variable| variable.value.as_str());
    let path = environment.path("DEPLOY_ROOT").unwrap_or_default();
    if !path.is_absolute() {
        return Err(ProjectError::RelativeRoot {
            value: value("DEPLOY_ROOT").unwrap_or_default().to_owned(),
        });
    }
    let meta = value("DISTMAN_META_DIR").filter(|name| !name.is_empty()).unwrap_or(META);
    if meta.contains('/') || matches!(meta, "." | "..") {
        return Err(ProjectError::MetaDir { value: meta.to_owned() });
    }
    Ok(Root::new(path.components().collect::<PathBuf>(), meta))
}

fn read_environment(
    files: &dyn Files,
    process: &BTreeMap<String, OsString>,
) -> Result<(Environment, Vec<Doubt>), EnvironmentError> {
    let home = std::env::home_dir();
    let platform = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    let context = environment::Context { process, platform, home: home.as_deref() };
    let (environment, warnings) = Environment::resolve(&context, files, ENVIRONMENT)?;
    let doubt = |warning: environment::Warning| Doubt { message: warning.to_string(), hint: warning.hint() };
    Ok((environment, warnings.into_iter().map(doubt).collect()))
}
