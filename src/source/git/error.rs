//! What can go wrong while reading a repository.

use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};
use gix::ObjectId;

use crate::command::CommandError;
use crate::credentials::without_credentials;
use crate::disk::{DiskError, Shown, on_disk};

/// The result of reading a repository.
pub type Result<T, E = GitError> = std::result::Result<T, E>;

/// Why a repository could not be read. Every variant names the revision, object or path.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no repository at or above the folder.
    #[error("`{}` is not in a git repository", Shown(path))]
    NotARepository {
        /// The folder that was searched from.
        path: PathBuf,
    },
    /// There is one, and something in it is broken.
    #[error("the git repository of `{}` cannot be read", Shown(path))]
    Unreadable {
        /// The folder that was searched from.
        path: PathBuf,
        /// What gix said.
        #[source]
        source: gix::Error,
    },
    /// The repository belongs to somebody else, and `safe.directory` does not list it.
    #[error("the repository `{}` is owned by somebody else", Shown(path))]
    Untrusted {
        /// The repository's git directory.
        path: PathBuf,
    },
    /// The revision does not name a commit of this repository.
    #[error("revision `{revision}` not found in `{}`", Shown(path))]
    NoSuchRevision {
        /// The revision as asked.
        revision: String,
        /// The repository.
        path: PathBuf,
        /// A branch or tag that is spelt like it.
        near: Option<String>,
        /// What gix said, where it says more than "not found".
        #[source]
        source: Option<gix::Error>,
    },
    /// The repository has no commit yet.
    #[error("`{}` has no commit yet", Shown(path))]
    Unborn {
        /// The repository.
        path: PathBuf,
    },
    /// The clone's history is cut off, so that commits cannot be counted.
    #[error("the history of `{revision}` is cut off in this shallow clone, so its commits cannot be counted")]
    Shallow {
        /// The revision as asked.
        revision: String,
    },
    /// An object is not in the repository.
    #[error("{what} is missing from the repository (object {id})")]
    MissingObject {
        /// What the object is to the reader: a path in backticks, a commit.
        what: String,
        /// The id of the missing object.
        id: ObjectId,
    },
    /// An object cannot be read, or its bytes do not match its id.
    #[error("{what} is corrupt in the repository (object {id})")]
    CorruptObject {
        /// What the object is to the reader.
        what: String,
        /// The id of the broken object.
        id: ObjectId,
        /// What gix said, if it was gix that noticed.
        #[source]
        source: Option<gix::Error>,
    },
    /// Something else is where a file is read.
    #[error("`{}` is no file but a {found}", Shown(on_disk(path)))]
    NotAFile {
        /// Full path in the repository.
        path: BString,
        /// What it is.
        found: &'static str,
    },
    /// A tree holds an entry that must never be written to a disk.
    #[error("refusing the tree entry `{}`: {reason}", Shown(on_disk(path)))]
    HostileEntry {
        /// Full path of the entry in the repository.
        path: BString,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An object says that it is larger than what is decoded.
    #[error("{what} is too large to be read (object {id})")]
    TooBig {
        /// What the object is to the reader.
        what: String,
        /// The id of the object.
        id: ObjectId,
        /// What gix said, if it was gix that noticed.
        #[source]
        source: Option<gix::Error>,
    },
    /// Where a repository has a file there is something that would be waited for, or read without end.
    #[error("`{}` is no file that a repository has", Shown(path))]
    Strange {
        /// Its path.
        path: PathBuf,
    },
    /// A tree stands for more than a deployment can hold.
    #[error(
        "`{}` stands for more than {} files and folders, or for longer paths than can be listed",
        Shown(on_disk(path)),
        super::MAX_ENTRIES
    )]
    TooLarge {
        /// Full path of the folder where the limit was reached.
        path: BString,
    },
    /// A submodule lies in the source and nothing says what to do with it.
    #[error("`{}` is a submodule", Shown(on_disk(path)))]
    Submodule {
        /// Full path of the submodule.
        path: BString,
    },
    /// A submodule is to be deployed, but its repository is not here.
    #[error("the repository of the submodule `{}` is not here", Shown(on_disk(path)))]
    SubmoduleMissing {
        /// Full path of the submodule.
        path: BString,
        /// What gix said.
        #[source]
        source: Option<Box<GitError>>,
    },
    /// A file is a git-lfs pointer and no filter turned it into content.
    #[error("`{}` is a git-lfs pointer, and no configured filter fetched its content", Shown(on_disk(path)))]
    LfsPointer {
        /// Full path of the file.
        path: BString,
    },
    /// A conversion that the attributes ask for failed.
    #[error("cannot apply {conversion} to `{}`", Shown(on_disk(path)))]
    Conversion {
        /// Full path of the file.
        path: BString,
        /// The attribute that asks for it, in backticks.
        conversion: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A git command that this room leaves some work to failed.
    #[error("`git {command}` failed: {stderr}")]
    Command {
        /// The subcommand with its first arguments.
        command: String,
        /// What it wrote to standard error, trimmed.
        stderr: String,
    },
    /// A git command on a store of releases failed, took too long or was stopped.
    #[error("cannot {act} in `{}`", Shown(path))]
    Store {
        /// What was tried.
        act: &'static str,
        /// The store.
        path: PathBuf,
        /// Why not.
        #[source]
        source: CommandError,
    },
    /// A remote could not be asked, or not be fetched from.
    #[error("cannot fetch from `{at}`: {said}")]
    Remote {
        /// Its address, without credentials.
        at: String,
        /// What git said, in one line.
        said: String,
        /// It may answer at another time.
        is_away: bool,
        /// All of it, which the line above says enough of.
        all: Box<CommandError>,
    },
    /// A bundle does not hold what was announced.
    #[error("the bundle `{}` {problem}", Shown(path))]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// What is the matter with it.
        problem: &'static str,
    },
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// git itself could not be started.
    #[error("cannot start `git`")]
    NoGit(#[source] std::io::Error),
    /// Anything else that gix reports.
    #[error("cannot {act}")]
    Other {
        /// What was tried.
        act: String,
        /// What gix said.
        #[source]
        source: gix::Error,
    },
}

impl GitError {
    /// True if a remote could not be reached, or not in time; not where it said no, as far as git tells that.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Remote { is_away: true, .. })
    }

    /// What `source` means, with which git did not do what it was to do with the remote `url`.
    pub(super) fn of_remote(url: &str, source: CommandError) -> Self {
        const NO: [&str; 8] = [
            "Authentication failed",
            "Permission denied",
            "could not read Username",
            "could not read Password",
            "not found",
            "does not appear to be a git repository",
            "returned error: 4",
            "Host key verification failed",
        ];
        let at = without_credentials(url).into_owned();
        let (said, is_away) = match &source {
            CommandError::Failed { output, .. } => {
                let all = output.bytes().to_str_lossy().into_owned();
                // The first complaint says what is the matter; what follows is advice.
                let lines: Vec<&str> = all.lines().map(str::trim_end).collect();
                let first = lines.iter().position(|line| line.starts_with("fatal: "));
                let said = match first {
                    // Why not, ssh has said before.
                    Some(at) if at > 0 && lines[at].contains("Could not read from remote") => lines[at - 1],
                    Some(at) => lines[at].trim_start_matches("fatal: "),
                    None => lines.last().copied().unwrap_or("git failed"),
                };
                let is_gone = is_local(url).is_some_and(|path| !path.exists());
                let said = without_credentials(&said.replace(url, &at)).into_owned();
                (said, is_gone || !NO.iter().any(|words| all.contains(words)))
            }
            CommandError::TimedOut { limit, .. } => {
                (format!("no answer within {}", humantime::format_duration(*limit)), true)
            }
            _ => (source.to_string(), false),
        };
        Self::Remote { at, said: Shown(&said).to_string(), is_away, all: Box::new(source) }
    }

    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NotARepository { .. } => "run it in a clone, or name one: `git dist -C DIR`".into(),
            Self::Untrusted { path } => format!("`git config --global --add safe.directory {}`", Shown(path)),
            Self::NoSuchRevision { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::NoSuchRevision { .. } => "`git fetch --tags` if it was made elsewhere".into(),
            Self::Unborn { .. } => "commit dist.json first".into(),
            Self::Shallow { .. } => "`git fetch --unshallow`".into(),
            Self::MissingObject { .. } => {
                "`git fetch --refetch` gets missing objects, `git fsck` lists them".into()
            }
            Self::CorruptObject { .. } => "`git fsck` lists what is broken".into(),
            Self::TooBig { .. } => {
                format!("`{}=BYTES git dist` reads larger ones, all of it in memory", super::SIZE_LIMIT)
            }
            Self::NotAFile { found: "symlink", .. } => {
                "links are not followed here: commit the file itself".into()
            }
            Self::Submodule { .. } => {
                "set the option `submodules` to `recurse` or `skip` in dist.json, globally or for the target"
                    .into()
            }
            Self::SubmoduleMissing { path, .. } => format!("`git submodule update --init {path}`"),
            Self::Remote { said, .. } if said.contains("Host key verification failed") => {
                "`ssh` to it once by hand, and compare its key with what its owner says; nobody is asked here"
                    .into()
            }
            Self::LfsPointer { .. } => "`git lfs install`, then `git lfs fetch`".into(),
            _ => return None,
        })
    }
}

/// The path of a remote that is on this machine.
fn is_local(url: &str) -> Option<&std::path::Path> {
    let path = url.strip_prefix("file://").unwrap_or(url);
    path.starts_with('/').then(|| path.as_ref())
}
