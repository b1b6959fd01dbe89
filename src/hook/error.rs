//! What can go wrong around hooks, and the next step where there is one.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use crate::disk::DiskError;

/// A failure to install, remove, read or run hooks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `git` itself did not start.
    #[error("`git` could not be started")]
    Spawn {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A git command failed.
    #[error("`git {command}` failed: {stderr}")]
    Git {
        /// The command line without `git`.
        command: String,
        /// What git said.
        stderr: String,
    },
    /// A hook runs as root in the repository of somebody else, whose settings it would carry out.
    #[error("you are root, and the repository `{}` belongs to {owner}: its hooks deploy nothing for you", dir.display())]
    NotRoots {
        /// The directory that all of its work trees share.
        dir: PathBuf,
        /// The owner's name.
        owner: String,
    },
    /// There is no repository at this place.
    #[error("git opens no repository at `{}`: {stderr}", dir.display())]
    NotARepository {
        /// Where it was looked for.
        dir: PathBuf,
        /// What git said.
        stderr: String,
    },
    /// `git version` printed something else.
    #[error("`git version` printed `{printed}`, which holds no version")]
    GitVersion {
        /// The line printed.
        printed: String,
    },
    /// No branch was named, and none is checked out.
    #[error("no branch is checked out, so there is none to deploy from")]
    NoBranch,
    /// The branch name is not one git accepts.
    #[error("`{branch}` is no branch name")]
    InvalidBranch {
        /// The name as given.
        branch: String,
    },
    /// The hook directory belongs to more than this repository.
    #[error("the hook directory `{}` is outside of the repository and is not written", dir.display())]
    OutsideDirectory {
        /// Where `core.hooksPath` leads.
        dir: PathBuf,
        /// Per hook file, the one line that makes it deploy.
        lines: Vec<(PathBuf, String)>,
        /// The branch that was to be deployed.
        branch: String,
        /// The folders that hooks were to be allowed to write to.
        roots: Vec<PathBuf>,
    },
    /// A block of git dist has lost one of its marks.
    #[error("the git dist block in `{}` is damaged: {problem}", path.display())]
    DamagedBlock {
        /// The hook file.
        path: PathBuf,
        /// What is missing.
        problem: &'static str,
    },
    /// The place for the existing hook is taken.
    #[error("`{}` holds an earlier hook that nothing calls any more", path.display())]
    KeptHookInTheWay {
        /// The file in the way.
        path: PathBuf,
    },
    /// The hook is a directory, a socket or something else git never runs.
    #[error("`{}` is no file", path.display())]
    NotAFile {
        /// The hook's path.
        path: PathBuf,
    },
    /// The binary that hooks are to call cannot be called from anywhere.
    #[error("hooks need an absolute path in UTF-8 to an existing binary, and `{}` is none", path.display())]
    Binary {
        /// The path as given.
        path: PathBuf,
    },
    /// The system does not tell where this program lies.
    #[error("could not tell where this program lies")]
    OwnPath {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A setting has a value of the wrong kind.
    #[error("`{key}` is `{value}` in the git configuration: expected {expected}")]
    Setting {
        /// The configuration key.
        key: &'static str,
        /// The value found.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// git dist has no part in this hook.
    #[error("git dist has no `{name}` hook")]
    UnknownHook {
        /// The name as given.
        name: String,
    },
    /// A line on the standard input of `post-receive` is not what githooks(5) says.
    #[error("post-receive was given the line `{line}`, not `<old> <new> <ref>`")]
    ReceivedLine {
        /// The line, shortened.
        line: String,
    },
    /// The record of past hooks cannot be read.
    #[error("`{}` is not a record of hook outcomes", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file could not be read, written, moved or removed.
    #[error("could not {act} `{}`", path.display())]
    Io {
        /// The act, as a verb.
        act: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<DiskError> for Error {
    fn from(DiskError { act, path, source }: DiskError) -> Self {
        Self::Io { act, path, source }
    }
}

impl Error {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spawn { .. } => Some("is `git` on the PATH?".to_owned()),
            Self::NotRoots { .. } => {
                Some("run git as the repository's owner: `sudo -u OWNER git ...`".to_owned())
            }
            Self::NoBranch => Some("name one: `git dist hook install --branch BRANCH`".to_owned()),
            Self::OutsideDirectory { lines, branch, roots, .. } => Some(outside_hint(lines, branch, roots)),
            Self::DamagedBlock { path, .. } => {
                Some(format!("remove the rest of the block from `{}` by hand", path.display()))
            }
            Self::KeptHookInTheWay { path } => {
                Some(format!("look at it, then move `{}` away or back to its place", path.display()))
            }
            Self::Setting { key, .. } => {
                Some(format!("`git config --show-origin --get-all {key}` shows where it is set"))
            }
            Self::Journal { path, .. } => {
                Some(format!("remove `{}`; the next hook writes a new one", path.display()))
            }
            _ => None,
        }
    }

    /// An [`Error::Io`], for `map_err`.
    pub(super) fn io(act: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { act, path, source }
    }
}

/// The lines to add by hand, and the settings without which they do nothing.
fn outside_hint(lines: &[(PathBuf, String)], branch: &str, roots: &[PathBuf]) -> String {
    let mut hint = format!("`git config dist.branch {branch}`");
    for root in roots {
        let _ = write!(hint, ", `git config --add dist.root {}`", root.display());
    }
    hint.push_str(", then add one line to each of these hooks yourself");
    for (path, line) in lines {
        let _ = write!(hint, "\n`{}`:\n  {line}", path.display());
    }
    hint
}
