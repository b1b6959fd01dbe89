//! Why packages could not be had.

use crate::command::CommandError;
use crate::disk::{DiskError, Shown};
use crate::remote::RemoteError;

/// Why something could not be done with Python packages.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// It is no plain requirement.
    #[error("`{text}` is no requirement: {why}")]
    Requirement {
        /// The text, with escapes and without credentials.
        text: String,
        /// What is the matter with it.
        why: String,
    },
    /// It is no place of packages.
    #[error("`{text}` is no place of Python packages: {why}")]
    Index {
        /// The address, without credentials.
        text: String,
        /// What is the matter with it.
        why: &'static str,
    },
    /// The text of a lock is not one that git dist writes.
    #[error("the lock of Python packages is not as it was written: line {line}: {why}")]
    Lock {
        /// The line.
        line: usize,
        /// What is the matter with it.
        why: String,
    },
    /// The packages were chosen for another Python or machine.
    #[error("the lock is for {locked}, and `{python}` is {found}")]
    OtherPython {
        /// What the lock says.
        locked: String,
        /// The Python that is to run the packages.
        python: String,
        /// What it is.
        found: String,
    },
    /// There is no such Python, or it does not say what it is.
    #[error("`{python}` cannot be asked what it is")]
    NoPython {
        /// The program.
        python: String,
        /// What happened.
        #[source]
        source: Option<Box<CommandError>>,
    },
    /// There is neither uv nor pip.
    #[error("there is neither `uv` nor `{python} -m pip` to install Python packages with")]
    NoTool {
        /// The program.
        python: String,
    },
    /// Nothing may be asked of the network.
    #[error("the packages of `{requirement}` cannot be chosen without the network")]
    Offline {
        /// What is asked for.
        requirement: String,
    },
    /// uv or pip did not do it.
    #[error("`{tool}` could not {act} the packages of `{requirement}`\n{said}")]
    Failed {
        /// Which of them.
        tool: String,
        /// What it was to do.
        act: &'static str,
        /// What is asked for.
        requirement: String,
        /// How it ended and what it printed, without credentials.
        said: String,
        /// What that means.
        cause: Cause,
    },
    /// The run was asked to stop.
    #[error("interrupted while `{tool}` ran")]
    Interrupted {
        /// Which program.
        tool: String,
    },
    /// The packages are larger than they may be.
    #[error("the packages of `{requirement}` take up more than {most} bytes")]
    TooLarge {
        /// What is asked for.
        requirement: String,
        /// The most that would have been taken.
        most: u64,
    },
    /// No file in the place is what is asked for.
    #[error("`{at}` has no package for `{requirement}`{only}")]
    NotFound {
        /// The place.
        at: String,
        /// What is asked for.
        requirement: String,
        /// Which files count.
        only: &'static str,
    },
    /// A file is not the one that was chosen.
    #[error("`{file}` in `{at}` is not what it was: its SHA-256 is {found}, which the lock does not have")]
    Mismatch {
        /// The file.
        file: String,
        /// The place.
        at: String,
        /// The digest that was found.
        found: String,
    },
    /// A file or folder is unfit.
    #[error("`{}` {why}", Shown(.path))]
    Content {
        /// Its path, of what was installed below the folder that it is in.
        path: std::path::PathBuf,
        /// What is the matter with it.
        why: &'static str,
    },
    /// The directory or bucket.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// Something on this machine's disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The result of something with packages.
pub type Result<T, E = PythonError> = std::result::Result<T, E>;

/// What a failure of uv or pip means, as far as that can be read from what it printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The index does not answer, or not now.
    Unreachable,
    /// The index does not let anybody in.
    Denied,
    /// The index has no such package, or not in such a version, or not for this machine.
    NotFound,
    /// A file is not the one that was chosen.
    Mismatch,
    /// Something else.
    Other,
}

impl Cause {
    /// Reads it from what a program printed. What it did not find there is nothing that could be said with certainty.
    pub(super) fn of(said: &str) -> Self {
        let has = |texts: &[&str]| texts.iter().any(|text| said.contains(text));
        if has(&["Hash mismatch", "DO NOT MATCH THE HASHES"]) {
            Self::Mismatch
        } else if has(&["401 Unauthorized", "403 Forbidden", "401 Client Error", "403 Client Error"]) {
            Self::Denied
        } else if has(&[
            "error sending request",
            "error decoding response body",
            "HTTP status server error",
            " Server Error",
            "connection error",
            "Connection refused",
            "Max retries exceeded",
            "Failed to establish a new connection",
            "Connection broken",
            "operation timed out",
            "Read timed out",
            "did not end within",
            "because the network was disabled",
        ]) {
            Self::Unreachable
        } else if has(&["No solution found", "No matching distribution", "404 Client Error", "404 Not Found"])
        {
            Self::NotFound
        } else {
            Self::Other
        }
    }
}

impl PythonError {
    /// True if it may be otherwise at another time: the index is away, or slow.
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::Failed { cause, .. } => *cause == Cause::Unreachable,
            Self::Remote(error) => error.is_unreachable(),
            Self::Offline { .. } => true,
            _ => false,
        }
    }

    /// True if what was found was refused: somebody does not let us in, or a file is not what it should be.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Failed { cause, .. } => matches!(cause, Cause::Denied | Cause::Mismatch),
            Self::Remote(error) => matches!(error, RemoteError::Denied { .. } | RemoteError::Mismatch { .. }),
            Self::Mismatch { .. } | Self::TooLarge { .. } | Self::Content { .. } => true,
            _ => false,
        }
    }

    /// True if it ended because the run was asked to stop.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Lock { .. } | Self::OtherPython { .. } => "choose the packages anew",
            Self::NoTool { .. } => "install uv (https://docs.astral.sh/uv/), or pip for this Python",
            Self::NoPython { .. } => "install Python, or name the one that is to run the packages",
            Self::Failed { cause: Cause::Denied, .. } => {
                "an address holds user and password as `pypi:https://USER:PASSWORD@HOST/simple`, and `~/.netrc` is read"
            }
            Self::Failed { cause: Cause::Mismatch, .. } | Self::Mismatch { .. } => {
                "somebody replaced a file: ask who keeps the packages, and choose them anew if it was meant to be"
            }
            Self::Failed { cause: Cause::NotFound, said, .. }
                if said.contains("building from source is disabled")
                    || said.contains("no usable wheels")
                    || said.contains("no wheels") =>
            {
                "packages that have to be built run programs of theirs here, which has to be allowed"
            }
            Self::Remote(error) => return error.hint(),
            Self::Disk(error) => return error.hint(),
            _ => return None,
        })
    }
}
