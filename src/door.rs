//! The door: whatever changes something outside of this process passes here, and is done again where a signal
//! interrupted it before it did anything.
//!
//! In debug builds a test can see every act and make any of them fail. `GIT_DIST_ACTS` names a file that gets a line
//! for each: number, act, path. `GIT_DIST_FAULT` says what happens where: `17:ENOSPC` fails the 17th act, `17+:ENOSPC`
//! all from there on, and `17:KILL` kills the process right before it; with `:half` behind it, half of what a write is
//! given is written before that. Several are separated by commas. Release builds hold nothing of this.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

/// Errors of acts, of which one says that a signal came and nothing was done.
pub trait ActError: From<Errno> {
    /// True if nothing was done because a signal came.
    fn is_interruption(&self) -> bool;
}

impl ActError for Errno {
    fn is_interruption(&self) -> bool {
        *self == Self::INTR
    }
}

impl ActError for io::Error {
    fn is_interruption(&self) -> bool {
        self.kind() == io::ErrorKind::Interrupted
    }
}

/// Does `call`, which does `act` to what is at `path`.
///
/// # Errors
/// Those of `call`, interruptions excepted.
#[inline]
pub fn pass<T, E: ActError>(
    act: &'static str,
    path: impl Fn() -> PathBuf,
    call: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    pass_or(act, path, call, || ())
}

/// Writes all of `bytes` to `file`, which is at `path`.
///
/// # Errors
/// When the disk is full or fails; some of it may be written then.
#[inline]
pub fn write(mut file: &File, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Errors are those of the act that this is half of.
    let half = || drop((&*file).write_all(&bytes[..bytes.len() / 2]));
    pass_or("write", || path.to_owned(), || file.write_all(bytes), half)
}

/// Starts `command`.
///
/// # Errors
/// When the program cannot be run.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    let program = PathBuf::from(command.get_program());
    pass("run", || program.clone(), || command.spawn())
}

/// Runs `command` to its end.
///
/// # Errors
/// When the program cannot be run.
pub fn output(command: &mut Command) -> io::Result<Output> {
    let program = PathBuf::from(command.get_program());
    pass("run", || program.clone(), || command.output())
}

/// Becomes `command`. An error says why that was not possible.
pub fn exec(command: &mut Command) -> io::Error {
    let program = PathBuf::from(command.get_program());
    let become_it = || -> io::Result<()> { Err(command.exec()) };
    pass("exec", || program.clone(), become_it).err().unwrap_or_else(|| io::ErrorKind::Other.into())
}

/// The path of this program, to be started again. In debug builds `GIT_DIST_PROGRAM` names another one.
///
/// # Errors
/// When the system does not tell.
pub fn own_program() -> io::Result<PathBuf> {
    #[cfg(debug_assertions)]
    if let Some(program) = std::env::var_os("GIT_DIST_PROGRAM") {
        return Ok(program.into());
    }
    std::env::current_exe()
}

/// Sends `signal` to a process. An error means that nobody is left to hear it.
pub fn stop(process: Pid, signal: Signal) {
    let _ = kill_process(process, signal);
}

/// As [`pass`]; `half` is what is done of an act that fails in the middle.
#[inline]
fn pass_or<T, E: ActError>(
    act: &'static str,
    path: impl Fn() -> PathBuf,
    mut call: impl FnMut() -> Result<T, E>,
    half: impl Fn(),
) -> Result<T, E> {
    loop {
        let done = match fault::next(act, &path) {
            Some(fault) => Err(fault.strike(&half).into()),
            None => call(),
        };
        match done {
            Err(error) if error.is_interruption() => {}
            done => return done,
        }
    }
}

#[cfg(not(debug_assertions))]
mod fault {
    use super::{Errno, PathBuf};

    /// There are none.
    pub(super) enum Fault {}

    impl Fault {
        pub(super) fn strike(self, _: impl Fn()) -> Errno {
            match self {}
        }
    }

    #[inline]
    pub(super) fn next(_: &'static str, _: impl Fn() -> PathBuf) -> Option<Fault> {
        None
    }
}

#[cfg(debug_assertions)]
mod fault {
    use std::io::Write as _;
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::process::getpid;

    use super::{Errno, File, PathBuf, Signal, kill_process};

    /// What a test wants to happen.
    #[derive(Clone, Copy)]
    pub(super) struct Fault {
        number: u64,
        is_lasting: bool,
        /// What the system says; `None` if the process does not live to hear it.
        errno: Option<Errno>,
        is_half: bool,
    }

    impl Fault {
        fn parse(text: &str) -> Option<Self> {
            let (number, what) = text.split_once(':')?;
            let (what, half) = what.split_once(':').unwrap_or((what, ""));
            let errno = match what {
                "KILL" => None,
                "EACCES" => Some(Errno::ACCESS),
                "EINTR" => Some(Errno::INTR),
                "EIO" => Some(Errno::IO),
                "ENOSPC" => Some(Errno::NOSPC),
                _ => return None,
            };
            let is_lasting = number.ends_with('+');
            let number = number.trim_end_matches('+').parse().ok()?;
            Some(Self { number, is_lasting, errno, is_half: half == "half" })
        }

        fn is_at(self, number: u64) -> bool {
            self.number == number || self.is_lasting && self.number < number
        }

        /// Does half of the act where that is meant, and returns what the system says, or does not return.
        pub(super) fn strike(self, half: impl Fn()) -> Errno {
            if self.is_half {
                half();
            }
            self.errno.unwrap_or_else(|| {
                let _ = kill_process(getpid(), Signal::KILL);
                std::process::abort()
            })
        }
    }

    /// Counts an act, notes it, and returns what shall happen to it.
    pub(super) fn next(act: &'static str, path: impl Fn() -> PathBuf) -> Option<Fault> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
            let text = std::env::var("GIT_DIST_FAULT").unwrap_or_default();
            let parse = |text| Fault::parse(text).expect("GIT_DIST_FAULT is `NUMBER[+]:WHAT[:half]`");
            text.split(',').filter(|text| !text.is_empty()).map(parse).collect()
        });
        static ACTS: LazyLock<Option<File>> = LazyLock::new(|| {
            let path = std::env::var_os("GIT_DIST_ACTS")?;
            Some(File::options().append(true).create(true).open(path).expect("GIT_DIST_ACTS can be written"))
        });
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        if let Some(mut acts) = ACTS.as_ref() {
            let line = format!("{number}\t{act}\t{}\n", path().display());
            acts.write_all(line.as_bytes()).expect("GIT_DIST_ACTS can be written");
        }
        FAULTS.iter().copied().find(|fault| fault.is_at(number))
    }
}
