//! Finding and opening a repository.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use bstr::BString;

use crate::credentials::without_credentials;
use crate::disk::on_disk;
use crate::door;

use super::{GitError, Result};

/// An open repository: bare, a clone or a linked working tree.
pub struct Repository {
    pub(super) shared: gix::ThreadSafeRepository,
    pub(super) local: gix::Repository,
}

impl Repository {
    /// Opens the repository at or above `start`; `GIT_DIR` wins, as in git.
    ///
    /// # Errors
    /// When there is none, when it belongs to somebody else (git's `safe.directory` rule), or when its
    /// configuration cannot be read.
    pub fn discover(start: &Path) -> Result<Self> {
        check_files(start)?;
        let open = |options: gix::open::Options| {
            let trust = gix::sec::trust::Mapping { full: options.clone(), reduced: options };
            gix::ThreadSafeRepository::discover_with_environment_overrides_opts(start, upwards(), trust)
        };
        let trusts = || git_trusts(Command::new("git").current_dir(start));
        open_if_trusted(options(), open, trusts).map_err(|source| refused(start, source))
    }

    /// Opens exactly the repository whose git directory is `git_dir`, as git handed it to a hook: nothing is
    /// searched for, and `GIT_DIR` is not asked.
    ///
    /// # Errors
    /// As [`Repository::discover`].
    pub fn at(git_dir: &Path) -> Result<Self> {
        check_own_files(git_dir)?;
        let open = |options| gix::ThreadSafeRepository::open_opts(git_dir, options);
        // git asks nobody about a directory that it is told; what it finds by itself it does.
        let trusts = || git_trusts(Command::new("git").current_dir(git_dir).env_remove("GIT_DIR"));
        open_if_trusted(options().open_path_as_is(true), open, trusts)
            .map_err(|source| refused(git_dir, source))
    }

    /// Opens exactly the repository at `path`, without looking at the environment: for submodules.
    ///
    /// # Errors
    /// As [`Repository::discover`].
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut isolated = options();
        isolated.permissions.env = gix::open::permissions::Environment::isolated();
        let opened = gix::ThreadSafeRepository::open_opts(path, isolated.clone()).or_else(|error| {
            // Where the working tree that `core.worktree` names is not checked out, gix takes it for somebody
            // else's. It is not needed; what matters is who owns the repository.
            match gix::sec::identity::is_path_owned_by_current_user(path) {
                Ok(true) => gix::ThreadSafeRepository::open_opts(path, isolated.bail_if_untrusted(false)),
                _ => Err(error),
            }
        });
        opened.map(Self::from_shared).map_err(|source| refused(path, source))
    }

    fn from_shared(shared: gix::ThreadSafeRepository) -> Self {
        let local = shared.to_thread_local();
        Self { shared, local }
    }

    /// The repository's own directory: `.git`, a bare repository, or a linked working tree's private folder.
    pub fn git_dir(&self) -> &Path {
        self.local.git_dir()
    }

    /// The directory that linked working trees share.
    pub fn common_dir(&self) -> &Path {
        self.local.common_dir()
    }

    /// The top of the working tree; `None` in a bare repository.
    pub fn workdir(&self) -> Option<&Path> {
        self.local.workdir()
    }

    /// What a person knows the repository by, for messages: the top of the working tree, or the git directory of a
    /// bare one, as an absolute path.
    pub(super) fn place(&self) -> PathBuf {
        let path = self.workdir().unwrap_or_else(|| self.git_dir());
        path.canonicalize().unwrap_or_else(|_| absolute(path))
    }

    /// The hash that names objects here.
    pub fn hash_kind(&self) -> gix::hash::Kind {
        self.local.object_hash()
    }

    /// The checked-out branch in short (`main`); `None` when HEAD is detached.
    pub fn branch(&self) -> Option<String> {
        if self.refs_need_git() {
            let name = self.git(&["symbolic-ref", "--quiet", "--short", "HEAD"]).ok()?;
            return Some(name.trim_end().to_owned());
        }
        let head = self.local.head_name().ok()??;
        Some(head.shorten().to_string())
    }

    /// Where this repository came from: the URL of `origin` or else of the first remote, without credentials;
    /// the repository's own path where there is no remote.
    pub fn origin(&self) -> String {
        let config = self.local.config_snapshot();
        let names = self.local.remote_names();
        let name = names.iter().find(|name| **name == "origin").or_else(|| names.iter().next());
        let url = name.and_then(|name| config.string(&format!("remote.{name}.url")));
        match url {
            Some(url) => {
                let url = url.to_string();
                let url = without_credentials(&url);
                // What is asked of an address is no part of where that is.
                let end = if url.contains("://") { url.find(['?', '#']) } else { None };
                url[..end.unwrap_or(url.len())].to_owned()
            }
            None => crate::disk::Shown(&self.place()).to_string(),
        }
    }

    /// Paths at or below `paths` of the working tree that are not as HEAD has them: changed, added, removed, or not
    /// known to git and not ignored either; a folder of such files is one path. Reads only what lies there. None in a
    /// bare repository.
    ///
    /// # Errors
    /// When git cannot be run or refuses.
    pub fn uncommitted(&self, paths: &[BString]) -> Result<Vec<BString>> {
        let Some(top) = self.workdir() else { return Ok(Vec::new()) };
        let mut command = Command::new("git");
        command.arg("--git-dir").arg(absolute(self.git_dir())).arg("--work-tree").arg(absolute(top));
        command.current_dir(top).stdin(std::process::Stdio::null());
        command.args(["--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false", "status"]);
        command.args(["--porcelain", "-z", "--no-renames", "--untracked-files=normal"]);
        command.args(["--ignore-submodules=all", "--"]);
        command.args(
            paths
                .iter()
                .map(|path| if path.is_empty() { OsStr::new(".") } else { on_disk(path).as_os_str() }),
        );
        let output = door::output(&mut command).map_err(GitError::NoGit)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(GitError::Command { command: "status".to_owned(), stderr });
        }
        // `XY path`, ended by NUL.
        let entries = output.stdout.split(|byte| *byte == 0).filter_map(|entry| entry.get(3..));
        Ok(entries.map(BString::from).collect())
    }

    /// A value of git's configuration as a string: repository, user and system scope as git reads them.
    pub fn config(&self, key: &str) -> Option<String> {
        self.local.config_snapshot().string(key).map(|value| value.to_string())
    }

    /// True where references are kept in a form that gix cannot read (reftable), so that git must be asked.
    pub(super) fn refs_need_git(&self) -> bool {
        self.config("extensions.refStorage").is_some_and(|format| !format.eq_ignore_ascii_case("files"))
    }

    /// Runs `git` on this repository, isolated from host configuration and replace refs, and returns what
    /// it prints.
    pub(super) fn git(&self, arguments: &[&str]) -> Result<String> {
        let mut command = git_command(self.git_dir());
        let output = door::output(command.args(arguments)).map_err(GitError::NoGit)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(GitError::Command { command: arguments.join(" "), stderr })
    }
}

/// A `git` that reads nothing from the host and hides nothing behind replace refs.
pub(super) fn git_command(git_dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("--git-dir").arg(git_dir).args(["--no-replace-objects", "-c", "safe.directory=*"]);
    // Neither grafts nor another repository's parts, whatever the environment says.
    command
        .env("GIT_GRAFT_FILE", "/dev/null")
        .env_remove("GIT_NAMESPACE")
        .env_remove("GIT_SHALLOW_FILE")
        .env_remove("GIT_REPLACE_REF_BASE");
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env("LC_ALL", "C.UTF-8");
    command
        .env_remove("GIT_CONFIG_PARAMETERS")
        .env_remove("GIT_CONFIG_COUNT")
        .env_remove("GIT_EXTERNAL_DIFF");
    command.env_remove("GIT_WORK_TREE").env_remove("GIT_INDEX_FILE").env_remove("GIT_DIR").env("TZ", "UTC");
    command.stdin(std::process::Stdio::null());
    command
}

/// The variable that says how many bytes an object may have; git knows it too.
pub const SIZE_LIMIT: &str = "GIT_ALLOC_LIMIT";

/// Most bytes of an object, unless [`SIZE_LIMIT`] says otherwise. Objects are decoded in memory, and one of some bytes
/// can announce any size.
const DEFAULT_SIZE_LIMIT: u64 = 2 << 30;

/// Most bytes that an object may have.
pub(super) fn size_limit() -> u64 {
    let asked = std::env::var(SIZE_LIMIT).ok().and_then(|limit| limit.trim().parse().ok());
    asked.filter(|limit| *limit > 0).unwrap_or(DEFAULT_SIZE_LIMIT)
}

fn options() -> gix::open::Options {
    gix::open::Options::default()
        .permissions(gix::open::Permissions::all())
        .bail_if_untrusted(true)
        .config_overrides([
            "core.useReplaceRefs=false".to_owned(),
            format!("gitoxide.objects.allocLimit={}", size_limit()),
        ])
}

/// Refuses what would be waited for, or read without end, where a repository at or above `start` has files: gix reads
/// them before it knows whose they are.
fn check_files(start: &Path) -> Result<()> {
    if let Some(git_dir) = std::env::var_os("GIT_DIR") {
        return check_own_files(Path::new(&git_dir));
    }
    let start = absolute(start);
    start.ancestors().try_for_each(|folder| {
        check_own_files(&folder.join(".git"))?;
        check_own_files(folder)
    })
}

fn check_own_files(git_dir: &Path) -> Result<()> {
    for (name, limit) in
        [("HEAD", 64 << 10), ("commondir", 64 << 10), ("config", 64 << 20), ("packed-refs", u64::MAX)]
    {
        let path = git_dir.join(name);
        let meta = match path.metadata() {
            Ok(meta) => meta,
            // Without this one it is no repository, and the others are somebody's.
            Err(_) if name == "HEAD" => break,
            Err(_) => continue,
        };
        if !meta.is_dir() && (!meta.is_file() || meta.len() > limit) {
            return Err(GitError::Strange { path });
        }
    }
    Ok(())
}

/// Opens a repository if gix trusts it, or else git: the rule is git's, whose scopes and variables gix does not all know.
fn open_if_trusted(
    options: gix::open::Options,
    open: impl Fn(gix::open::Options) -> std::result::Result<gix::ThreadSafeRepository, gix::Error>,
    git_trusts: impl FnOnce() -> bool,
) -> std::result::Result<Repository, gix::Error> {
    let opened = match open(options.clone()) {
        Err(error) if is_untrusted(&error) && git_trusts() => {
            open(options.bail_if_untrusted(false).filter_config_section(|_| true))
        }
        opened => opened,
    };
    opened.map(Repository::from_shared)
}

/// True if git works in the repository that `command` finds.
fn git_trusts(command: &mut Command) -> bool {
    let output = door::output(command.args(["rev-parse", "--git-dir"]).stdin(std::process::Stdio::null()));
    output.is_ok_and(|output| output.status.success())
}

fn is_untrusted(error: &gix::Error) -> bool {
    format!("{error:#} {error:?}").contains("considered unsafe as it's not owned by the current user")
}

fn upwards() -> gix::discover::upwards::Options<'static> {
    gix::discover::upwards::Options { match_ceiling_dir_or_error: false, ..Default::default() }
}

fn refused(path: &Path, source: gix::Error) -> GitError {
    let path = absolute(path);
    if is_untrusted(&source) {
        return GitError::Untrusted { path };
    }
    match beyond_not_found(source) {
        Some(source) => GitError::Unreadable { path, source },
        None => GitError::NotARepository { path },
    }
}

/// What gix says where that is more than "not found", which the message already says.
pub(super) fn beyond_not_found(source: gix::Error) -> Option<gix::Error> {
    (!source.classify().is_not_found()).then_some(source)
}

pub(super) fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // Without the `.` that a relative path may leave inside.
    path.components().collect()
}
