//! Why a command did not do what it was run for.

use std::fmt;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use super::{Output, shown};
use crate::disk::Shown;

/// Why a command did not succeed. `command` is the command line as written, or the name of the program.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The folder to run it in is not there.
    #[error("cannot run `{}` in `{}`", shown(.command), Shown(.directory))]
    Directory {
        /// The command.
        command: String,
        /// The folder.
        directory: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could not be started.
    #[error("cannot start `{}`", shown(.command))]
    Start {
        /// The command.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It could not be watched.
    #[error("lost track of `{}`", shown(.command))]
    Watch {
        /// The command.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It failed.
    #[error("`{}` {}; {output}", shown(.command), Ending(*.status))]
    Failed {
        /// The command.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        output: Output,
    },
    /// It took too long and was stopped, with all that it had started.
    #[error("`{}` did not end within {}; {output}", shown(.command), humantime::format_duration(*.limit))]
    TimedOut {
        /// The command.
        command: String,
        /// The time that it had.
        limit: Duration,
        /// What it printed.
        output: Output,
    },
    /// The run was asked to stop, and the command with it.
    #[error("interrupted while `{}` ran", shown(.command))]
    Interrupted {
        /// The command.
        command: String,
    },
}

impl CommandError {
    /// True if the program itself is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// True if the command was stopped because the run was.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Interrupted { .. })
    }

    /// What happened, without what the command printed; `None` where it did not come to print anything.
    pub fn in_short(&self) -> Option<String> {
        match self {
            Self::Failed { command, status, .. } => Some(format!("`{}` {}", shown(command), Ending(*status))),
            Self::TimedOut { command, limit, .. } => {
                let limit = humantime::format_duration(*limit);
                Some(format!("`{}` did not end within {limit}", shown(command)))
            }
            _ => None,
        }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::TimedOut { .. } => Some("`timeout` says how long it may take".to_owned()),
            // What POSIX shells exit with for a command that they do not find or may not run.
            Self::Failed { status, .. } if matches!(status.code(), Some(126 | 127)) => {
                Some("is the program installed, and executable in the repository?".to_owned())
            }
            _ => None,
        }
    }
}

/// How a process ended, in words.
struct Ending(ExitStatus);

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.code(), self.0.signal()) {
            (Some(code), _) => write!(f, "failed with exit status {code}"),
            (None, Some(signal)) => write!(f, "was killed by signal {signal}{}", name(signal)),
            (None, None) => write!(f, "ended without an exit status"),
        }
    }
}

/// The name of a signal that commands commonly end with; the numbers are those of every Unix.
fn name(signal: i32) -> &'static str {
    match signal {
        1 => " (hangup)",
        2 => " (interrupt)",
        6 => " (abort)",
        8 => " (arithmetic error)",
        9 => " (kill)",
        11 => " (segmentation fault)",
        13 => " (broken pipe)",
        15 => " (terminate)",
        _ => "",
    }
}
