//! Why a program was not started, with the exit code that tells it from the program's own.

use std::io;
use std::path::PathBuf;

use crate::disk::{DiskError, Shown};
use crate::environment::EnvironmentError;
use crate::inventory::InventoryError;
use crate::version::VersionName;

/// What `env` and `timeout` exit with when it is they that fail.
const OWN: u8 = 125;
/// What shells exit with when a program is there and cannot be started.
const NOT_STARTED: u8 = 126;
/// What shells exit with when there is no such program.
const NOT_THERE: u8 = 127;

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Nothing that is deployed has the name.
    #[error("nothing called `{asked}` is deployed to {}", listed(.roots))]
    NoSuch {
        /// What was asked for.
        asked: String,
        /// The roots that were looked at.
        roots: Vec<PathBuf>,
        /// What the inventory has to say, where it was asked.
        hint: Option<String>,
    },
    /// Several destinations have the name.
    #[error("`{asked}` may be {}", destinations.iter().map(|it| format!("`{}`", Shown(it))).collect::<Vec<_>>().join(" or "))]
    Several {
        /// What was asked for.
        asked: String,
        /// The destinations.
        destinations: Vec<PathBuf>,
    },
    /// Nothing that a deployment made stands at the destination.
    #[error("nothing is deployed to `{}`", Shown(destination))]
    NotDeployed {
        /// The destination.
        destination: PathBuf,
    },
    /// The destination leads to a version that is not there.
    #[error("version {} of `{}` is gone", version.tail(), Shown(destination))]
    Gone {
        /// The destination.
        destination: PathBuf,
        /// The version.
        version: VersionName,
    },
    /// Nothing in the version can be started.
    #[error("nothing in `{}` can be started: there is no {}", Shown(version), list(looked))]
    Nothing {
        /// The version's path.
        version: PathBuf,
        /// What was looked for.
        looked: Vec<String>,
    },
    /// What would be started is no program.
    #[error("`{}` is not executable", Shown(path))]
    NotExecutable {
        /// Its path.
        path: PathBuf,
    },
    /// The system did not start it.
    #[error("cannot start `{}`", Shown(program))]
    Exec {
        /// The program.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The variables cannot be put together.
    #[error("the environment that was deployed with it cannot be used")]
    Environment(#[from] EnvironmentError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// What is installed cannot be told.
    #[error(transparent)]
    Inventory(#[from] InventoryError),
}

impl LaunchError {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::NoSuch { .. } | Self::NotDeployed { .. } | Self::Gone { .. } | Self::Nothing { .. } => {
                NOT_THERE
            }
            Self::Exec { source, .. } if source.kind() == io::ErrorKind::NotFound => NOT_THERE,
            Self::NotExecutable { .. } | Self::Exec { .. } => NOT_STARTED,
            Self::Several { .. } | Self::Environment(_) | Self::Disk(_) | Self::Inventory(_) => OWN,
        }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuch { hint, .. } => {
                let otherwise =
                    "`DEPLOY_ROOT` says where it is deployed, `git dist show` lists what is there";
                Some(hint.clone().unwrap_or_else(|| otherwise.to_owned()))
            }
            Self::Several { .. } => Some("name one of them".to_owned()),
            Self::NotDeployed { .. } => Some("`git dist show -v` lists what is deployed".to_owned()),
            Self::Gone { .. } => {
                Some("`git dist reset` activates the newest version that is there".to_owned())
            }
            Self::Nothing { .. } => Some(
                "`\"run\"` in dist.json names the program, `--command PROGRAM` starts another one".to_owned(),
            ),
            Self::NotExecutable { .. } => Some("`git update-index --chmod=+x PATH` makes it so".to_owned()),
            Self::Inventory(source) => source.hint(),
            Self::Environment(source) => source.hint(),
            Self::Exec { .. } | Self::Disk(_) => None,
        }
    }
}

fn listed(roots: &[PathBuf]) -> String {
    roots.iter().map(|root| format!("`{}`", Shown(root))).collect::<Vec<_>>().join(" or ")
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", Shown(name))).collect::<Vec<_>>().join(" and no ")
}
