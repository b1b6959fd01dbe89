//! Commands: the one door to the programs that a manifest names.
//!
//! A command runs in a process group of its own, so that stopping it stops what it started too; it reads
//! nothing, what it prints is captured in order, and nothing that it leaves running can hold the run up. It
//! inherits the process environment, without the variables by which git binds its children to one repository.

mod descendants;
mod error;
mod fill;
mod output;
mod quoting;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::door;

pub use descendants::with_stoppable_programs;
pub use error::CommandError;
pub use fill::{FillError, Filled, fill, mentions};
pub use output::{MAX_OUTPUT, Output};

pub(crate) use fill::placeholder;

/// What `git rev-parse --local-env-vars` lists, and the quarantine of a push in progress.
const GIT_LOCAL: [&str; 16] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// How long a command may take to end by itself when it is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// How often a command that prints nothing is looked at.
const TICK: Duration = Duration::from_millis(50);

/// The longest command that an error shows in full, in characters.
const SHOWN_COMMAND: usize = 200;

/// A command, and what it runs with.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// What is run.
    pub program: Program<'a>,
    /// The folder it runs in.
    pub directory: &'a Path,
    /// Variables over those of the process environment.
    pub environment: &'a BTreeMap<String, String>,
    /// Variables of the process environment that it does not get.
    pub without: &'a [OsString],
    /// What it reads; nothing by default.
    pub input: Option<&'a File>,
    /// When it is stopped; `None` = never.
    pub time_limit: Option<TimeLimit>,
    /// What becomes of what it leaves running.
    pub background: Background,
}

/// What a command runs.
#[derive(Debug, Clone, Copy)]
pub enum Program<'a> {
    /// A command line for `/bin/sh`, as in distman.
    Shell(&'a Filled),
    /// A program that is looked for in `PATH`, and its arguments.
    Path(&'a str, &'a [OsString]),
}

/// What becomes of processes that a command leaves running when it ends well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// They are killed: whatever comes next must not find its files still changing.
    Stop,
    /// They live on: a service that was restarted.
    Keep,
}

/// A length of time, and when it began.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimit {
    limit: Duration,
    started: Instant,
}

impl TimeLimit {
    /// A time limit that begins now.
    pub fn start(limit: Duration) -> Self {
        Self { limit, started: Instant::now() }
    }

    /// The whole length of time.
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// When the time has passed.
    pub fn end(&self) -> Option<Instant> {
        self.started.checked_add(self.limit)
    }

    /// True once the time has passed.
    pub fn is_over(&self) -> bool {
        self.started.elapsed() >= self.limit
    }
}

/// Runs a command to its end, and returns what it printed.
///
/// When its time is over, or `interrupted` says so, its process group is asked to end (SIGTERM) and killed two
/// seconds later.
///
/// # Errors
///
/// When it cannot be started, fails, takes too long or is interrupted; see [`CommandError`].
pub fn run(command: &Command<'_>, interrupted: &(dyn Fn() -> bool + Sync)) -> Result<Output, CommandError> {
    let (group, pipe) = start(command)?;
    let ended = watch(command, group, pipe, interrupted);
    let (status, stop, output) =
        ended.map_err(|source| CommandError::Watch { command: command.name().to_owned(), source })?;
    let name = command.name().to_owned();
    match stop {
        Some(Stop::Interrupted) => Err(CommandError::Interrupted { command: name }),
        Some(Stop::TimeOver(limit)) => Err(CommandError::TimedOut { command: name, limit, output }),
        None if status.success() => Ok(output),
        None => Err(CommandError::Failed { command: name, status, output }),
    }
}

/// Why a command is stopped.
#[derive(Debug, Clone, Copy)]
enum Stop {
    Interrupted,
    TimeOver(Duration),
}

fn start(command: &Command<'_>) -> Result<(Group, PipeReader), CommandError> {
    let failed = |source| CommandError::Start { command: command.name().to_owned(), source };
    // The system's "not found" would not say whether the program or the folder is missing.
    let is_folder = std::fs::metadata(command.directory).and_then(|metadata| {
        if metadata.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
    });
    is_folder.map_err(|source| CommandError::Directory {
        command: command.name().to_owned(),
        directory: command.directory.to_owned(),
        source,
    })?;
    let (reader, writer) = io::pipe().map_err(failed)?;
    rustix::io::ioctl_fionbio(&reader, true).map_err(io::Error::from).map_err(failed)?;

    let mut process = match command.program {
        Program::Shell(filled) => {
            let mut shell = std::process::Command::new("/bin/sh");
            shell.arg("-c").arg(filled.line()).envs(filled.environment());
            shell
        }
        Program::Path(program, arguments) => {
            let mut process = std::process::Command::new(program);
            process.args(arguments);
            process
        }
    };
    without_git(&mut process);
    for variable in command.without {
        process.env_remove(variable);
    }
    let input = command.input.map(File::try_clone).transpose().map_err(failed)?;
    process
        .envs(command.environment)
        .current_dir(command.directory)
        .process_group(0)
        .stdin(input.map_or_else(Stdio::null, Stdio::from))
        .stdout(writer.try_clone().map_err(failed)?)
        .stderr(writer);
    // Dropping `process` closes this side's copies of the pipe's writing end.
    let child = door::spawn(&mut process).map_err(failed)?;
    Ok((Group { child: Some(child) }, reader))
}

/// Keeps from `process` the variables by which git binds its children to one repository.
pub fn without_git(process: &mut std::process::Command) {
    for variable in GIT_LOCAL {
        process.env_remove(variable);
    }
}

fn watch(
    command: &Command<'_>,
    group: Group,
    mut pipe: PipeReader,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> io::Result<(ExitStatus, Option<Stop>, Output)> {
    let mut output = Output::default();
    let mut stop: Option<(Stop, TimeLimit)> = None;
    let mut is_open = true;
    let mut pause = Duration::from_millis(1);
    loop {
        // In this order, so that what it printed before it ended is read.
        let has_ended = group.has_ended()?;
        is_open = is_open && output.read_from(&mut pipe)?;
        if has_ended {
            break;
        }
        match &stop {
            Some((_, grace)) if grace.is_over() => break,
            Some(_) => {}
            None => {
                let reason = if interrupted() {
                    Some(Stop::Interrupted)
                } else {
                    let over = command.time_limit.filter(TimeLimit::is_over);
                    over.map(|time| Stop::TimeOver(time.limit))
                };
                if let Some(reason) = reason {
                    group.signal(Signal::TERM);
                    stop = Some((reason, TimeLimit::start(GRACE)));
                }
            }
        }
        if is_open {
            wait_for_output(&pipe)?;
        } else {
            // Most commands end right after they close their output.
            std::thread::sleep(pause);
            pause = (pause * 2).min(TICK);
        }
    }
    let stop = stop.map(|(reason, _)| reason);
    let keep = command.background == Background::Keep && stop.is_none();
    Ok((group.end(keep)?, stop, output))
}

fn wait_for_output(pipe: &PipeReader) -> io::Result<()> {
    let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
    match poll(&mut [PollFd::new(pipe, PollFlags::IN)], Some(&tick)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A child that leads a process group of its own. Dropped, the group is killed and the child reaped.
struct Group {
    child: Option<Child>,
}

impl Group {
    fn leader(&self) -> Option<Pid> {
        self.child.as_ref().map(Pid::from_child)
    }

    /// True if the leader has ended. It is not reaped yet, so that its number still names the group.
    fn has_ended(&self) -> io::Result<bool> {
        let Some(leader) = self.leader() else { return Ok(true) };
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(leader), options) {
            Ok(status) => Ok(status.is_some()),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader() {
            // An error means that nobody is left to hear it.
            let _ = kill_process_group(leader, signal);
        }
    }

    /// Kills the group unless it is kept, and reaps the leader.
    fn end(mut self, keep: bool) -> io::Result<ExitStatus> {
        if !keep {
            self.signal(Signal::KILL);
        }
        match self.child.take() {
            Some(mut child) => child.wait(),
            None => Ok(ExitStatus::default()),
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        if let Some(mut child) = self.child.take() {
            // Only to leave no zombie behind an error that is being reported already.
            let _ = child.wait();
        }
    }
}

impl Command<'_> {
    fn name(&self) -> &str {
        match self.program {
            Program::Shell(filled) => filled.template(),
            Program::Path(program, _) => program,
        }
    }
}

/// A command for a message: in one line, without control characters, and not too long.
pub(crate) fn shown(command: &str) -> String {
    let mut shown: String = command.chars().take(SHOWN_COMMAND).collect();
    if shown.len() < command.len() {
        shown.push_str("...");
    }
    output::visible(shown.as_bytes()).replace('\n', "\\n").replace('\t', " ")
}
