//! The only door of this room to `git`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Error;
use crate::door;

/// Variables that tie a process to one repository, as `git rev-parse --local-env-vars` lists them. Known here so that
/// no process has to be started to ask; a test compares the two lists.
const LOCAL_ENVIRONMENT: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];

/// A repository as one of its work trees (or the bare repository) sees it.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The git directory; of a linked work tree, its own one below `worktrees/`.
    pub git_dir: PathBuf,
    /// The git directory that all work trees share.
    pub common_dir: PathBuf,
    /// The top of the work tree; none in a bare repository.
    pub work_tree: Option<PathBuf>,
}

impl Repository {
    /// Finds the repository that `git -C dir` would use, `GIT_DIR` of the environment included.
    ///
    /// # Errors
    ///
    /// [`Error::NotARepository`] with git's own words (also for a repository that `safe.directory` refuses), or
    /// [`Error::Spawn`].
    pub fn discover(dir: &Path) -> Result<Self, Error> {
        let ask = |what: &str| -> Result<Output, Error> {
            let mut command = Command::new("git");
            command.arg("-C").arg(dir).args(["rev-parse", what]);
            output(&mut command)
        };
        let git_dir = ask("--absolute-git-dir")?;
        if !git_dir.status.success() {
            return Err(Error::NotARepository { dir: dir.to_owned(), stderr: said(&git_dir) });
        }
        let top = ask("--show-toplevel")?;
        let work_tree = top.status.success().then(|| path(&top)).filter(|top| !top.as_os_str().is_empty());
        Self::open(&path(&git_dir), work_tree)
    }

    /// The repository with this git directory, as a hook hands it over. The environment is not asked.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] if git does not take it for a repository, or [`Error::Spawn`].
    pub fn open(git_dir: &Path, work_tree: Option<PathBuf>) -> Result<Self, Error> {
        let mut repository = Self { git_dir: git_dir.to_owned(), common_dir: git_dir.to_owned(), work_tree };
        let common_dir = repository.git(["rev-parse", "--git-common-dir"])?;
        repository.common_dir = repository.current_dir().join(OsString::from_vec(common_dir));
        Ok(repository)
    }

    /// Where git runs this repository's hooks: the top of the work tree, else the git directory (githooks(5)).
    pub(super) fn current_dir(&self) -> &Path {
        self.work_tree.as_deref().unwrap_or(&self.git_dir)
    }

    /// Runs `git ARGS` on this repository and returns its standard output without the last line end.
    pub(super) fn git<I, S>(&self, args: I) -> Result<Vec<u8>, Error>
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().to_owned()).collect();
        let output = self.output(&args)?;
        if output.status.success() { Ok(trimmed(output.stdout)) } else { Err(failed(&args, &output)) }
    }

    /// As [`Self::git`], but exit code `absent` means that there is nothing of the kind.
    pub(super) fn git_unless<const N: usize>(
        &self,
        absent: i32,
        args: [&str; N],
    ) -> Result<Option<Vec<u8>>, Error> {
        let args = args.map(OsString::from);
        let output = self.output(&args)?;
        match output.status.code() {
            Some(0) => Ok(Some(trimmed(output.stdout))),
            Some(code) if code == absent => Ok(None),
            _ => Err(failed(&args, &output)),
        }
    }

    fn output(&self, args: &[OsString]) -> Result<Output, Error> {
        let mut command = Command::new("git");
        for name in LOCAL_ENVIRONMENT {
            command.env_remove(name);
        }
        command.current_dir(self.current_dir()).arg("--git-dir").arg(&self.git_dir).args(args);
        output(&mut command)
    }

    /// The branch that `HEAD` names, with or without commits; none when it is detached.
    pub(super) fn head_branch(&self) -> Result<Option<String>, Error> {
        let name = self.git_unless(1, ["symbolic-ref", "--quiet", "HEAD"])?;
        Ok(name.and_then(|name| {
            String::from_utf8_lossy(&name).strip_prefix("refs/heads/").map(ToOwned::to_owned)
        }))
    }

    /// The full id of the commit that `name` leads to; none if it does not exist.
    pub(super) fn commit_id(&self, name: &str) -> Result<Option<String>, Error> {
        let id = self.git_unless(1, ["rev-parse", "--quiet", "--verify", &format!("{name}^{{commit}}")])?;
        Ok(id.map(|id| String::from_utf8_lossy(&id).into_owned()))
    }

    /// The directory git takes hooks from, `core.hooksPath` included, as an absolute path.
    pub(super) fn hooks_dir(&self) -> Result<PathBuf, Error> {
        let dir = self.git(["rev-parse", "--git-path", "hooks"])?;
        Ok(self.current_dir().join(OsString::from_vec(dir)))
    }
}

/// What git printed in answer to `git version`, whatever the repository.
pub(super) fn version_line() -> Result<String, Error> {
    let output = output(Command::new("git").arg("version"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn output(command: &mut Command) -> Result<Output, Error> {
    door::output(command.stdin(Stdio::null())).map_err(|source| Error::Spawn { source })
}

fn failed(args: &[OsString], output: &Output) -> Error {
    let words: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    Error::Git { command: words.join(" "), stderr: said(output) }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim_end().replace('\n', "; ")
}

fn path(output: &Output) -> PathBuf {
    let bytes = output.stdout.as_slice();
    PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(b"\n").unwrap_or(bytes)))
}

/// Without the one line end that git adds: a path may end in another.
fn trimmed(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_local_variable_of_this_git_is_cleared() {
        let listed = output(Command::new("git").args(["rev-parse", "--local-env-vars"])).unwrap();
        for name in String::from_utf8(listed.stdout).unwrap().lines() {
            assert!(LOCAL_ENVIRONMENT.contains(&name), "{name} would leak into git's answers");
        }
    }
}
