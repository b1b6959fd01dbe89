//! The programs that choose and install packages: uv, else pip.
//!
//! What the host says about indexes, hashes and packages does not count: variables and configuration files of both are
//! left out, but for those that say how the network is reached.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bstr::ByteSlice as _;
use pep440_rs::Version;

use super::error::Cause;
use super::interpreter::Interpreter;
use super::{Options, PythonError, Result};
use crate::causes;
use crate::command::{self, Background, Command, CommandError, Output, Program};
use crate::disk::{Dir, WorkFolder};

/// Beginnings of names of variables that could decide what is installed.
const DECIDING: [&str; 5] = ["PIP_", "UV_", "PYTHON", "VIRTUAL_ENV", "CONDA_"];
/// Those of them that only say how the network is reached.
const KEPT: [&str; 8] = [
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_PROXY",
    "PIP_TIMEOUT",
    "PIP_DEFAULT_TIMEOUT",
    "UV_HTTP_TIMEOUT",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
];
/// What everything runs with. The date is that of the oldest entry that a zip file can have.
const FIXED: [(&str, &str); 14] = [
    ("GIT_ASKPASS", "true"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("NO_COLOR", "1"),
    ("PIP_CONFIG_FILE", "/dev/null"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
    ("PIP_KEYRING_PROVIDER", "disabled"),
    ("PIP_NO_INPUT", "1"),
    ("PIP_RETRIES", "1"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("SOURCE_DATE_EPOCH", "315532800"),
    ("UV_HTTP_RETRIES", "1"),
    ("UV_KEYRING_PROVIDER", "disabled"),
    ("UV_NO_PROGRESS", "1"),
    ("UV_PYTHON_DOWNLOADS", "never"),
];
/// The first uv that knows all that it is told here; an older one could ask another index than it is told.
const FIRST_UV: [u64; 2] = [0, 5];
/// The first pip that reports what it would install.
const FIRST_PIP: [u64; 2] = [22, 2];
/// How long one waits at least before folders are measured again.
const PAUSE: Duration = Duration::from_millis(500);

/// The folder and the environment that programs run in.
pub(super) struct Session<'a> {
    pub(super) options: &'a Options<'a>,
    cache: PathBuf,
    work: WorkFolder,
    variables: BTreeMap<String, String>,
    without: Vec<OsString>,
    secrets: Vec<String>,
}

/// What installs packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Uv { version: String },
    Pip { version: String, python: PathBuf },
}

impl<'a> Session<'a> {
    /// Makes the folder. `secrets` never get into messages.
    pub(super) fn begin(options: &'a Options<'a>, secrets: Vec<String>) -> Result<Self> {
        // Programs run in another folder, and are told of it in text.
        let cache = std::path::absolute(options.cache).ok().filter(|cache| cache.to_str().is_some());
        let cache = cache.ok_or_else(|| PythonError::Content {
            path: options.cache.to_owned(),
            why: "cannot be named to programs: its name is not UTF-8",
        })?;
        let work = WorkFolder::create_in(&cache)?;
        let is_kept =
            |name: &str| !DECIDING.iter().any(|start| name.starts_with(start)) || KEPT.contains(&name);
        let mut variables: BTreeMap<String, String> = options
            .environment
            .iter()
            .filter(|(name, _)| is_kept(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
        for (name, value) in FIXED {
            set(name, value);
        }
        // What a killed program leaves goes with the work folder.
        set("TMPDIR", &work.dir().path().to_string_lossy());
        for (name, folder) in [("PIP_CACHE_DIR", "pip"), ("UV_CACHE_DIR", "uv")] {
            set(name, &cache.join(folder).to_string_lossy());
        }
        let without = std::env::vars_os().map(|(name, _)| name);
        let without = without.filter(|name| !is_kept(&name.to_string_lossy())).collect();
        Ok(Self { options, cache, work, variables, without, secrets })
    }

    /// The folder, in which nothing lasts.
    pub(super) fn work(&self) -> &Dir {
        self.work.dir()
    }

    /// The folder for what lasts.
    pub(super) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Lets programs know where the index is. It is not part of their command lines, which other users can see.
    pub(super) fn ask_index(&mut self, url: &str) {
        for name in ["UV_DEFAULT_INDEX", "PIP_INDEX_URL"] {
            self.variables.insert(name.to_owned(), url.to_owned());
        }
    }

    /// Runs a program to its end.
    pub(super) fn run(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item: Into<OsString>>,
    ) -> Result<Output, CommandError> {
        self.run_watched(program, arguments, self.options.watch.interrupted)
    }

    fn run_watched(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item: Into<OsString>>,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<Output, CommandError> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let command = Command {
            program: Program::Path(program, &arguments),
            directory: self.work.dir().path(),
            environment: &self.variables,
            without: &self.without,
            input: None,
            time_limit: self.options.watch.limit,
            background: Background::Stop,
        };
        command::run(&command, interrupted)
    }

    /// Lets `tool` do something for `requirement`, as long as what it writes, also to the folder `into`, stays within
    /// bounds.
    pub(super) fn act(
        &self,
        tool: &Tool,
        act: &'static str,
        requirement: &str,
        arguments: Vec<OsString>,
        into: Option<&Path>,
    ) -> Result<()> {
        let folders: Vec<&Path> = [self.cache.as_path()].into_iter().chain(into).collect();
        let growth = Growth::begin(&folders, self.options.most);
        let interrupted = || (self.options.watch.interrupted)() || growth.is_too_much();
        let (program, arguments) = match tool {
            Tool::Uv { .. } => ("uv", arguments),
            Tool::Pip { python, .. } => {
                let start = ["-I", "-m", "pip", "--log"].map(OsString::from);
                let log = self.work().join(LOG).into_os_string();
                (
                    python.to_str().unwrap_or_default(),
                    start.into_iter().chain([log]).chain(arguments).collect(),
                )
            }
        };
        match self.run_watched(program, arguments, &interrupted) {
            Ok(_) => Ok(()),
            Err(CommandError::Interrupted { .. }) if growth.was_too_much.load(Ordering::Relaxed) => {
                Err(PythonError::TooLarge { requirement: requirement.to_owned(), most: self.options.most })
            }
            Err(CommandError::Interrupted { .. }) => Err(PythonError::Interrupted { tool: tool.name() }),
            Err(error) => {
                let said = self.shown(&(causes::chain(&error) + &self.noted()));
                let cause = Cause::of(&said);
                let requirement = requirement.to_owned();
                Err(PythonError::Failed { tool: tool.name(), act, requirement, said, cause })
            }
        }
    }

    /// What pip says to its log alone: why it passed an index over.
    fn noted(&self) -> String {
        let log = self.work().read_file(LOG, 64 << 20).unwrap_or_default();
        let lines = log.lines().filter_map(|line| line.find("Could not fetch URL").map(|at| &line[at..]));
        lines.flat_map(|line| ["\n    ".to_owned(), line.to_str_lossy().escape_debug().to_string()]).collect()
    }

    /// `text` without credentials.
    fn shown(&self, text: &str) -> String {
        let mut shown = crate::credentials::without_credentials(text).into_owned();
        for secret in &self.secrets {
            shown = shown.replace(secret.as_str(), "***");
        }
        shown
    }
}

/// Where pip says more.
const LOG: &str = "pip.log";

impl Tool {
    /// Finds what there is: uv, or the pip of `python`.
    pub(super) fn find(session: &Session<'_>, python: &Interpreter) -> Result<Self> {
        let version = |said: &Output, first: [u64; 2]| {
            let version = said.bytes().to_str().ok()?.split_whitespace().nth(1)?.to_owned();
            let is_new = Version::from_str(&version).is_ok_and(|version| version.release() >= &first[..]);
            is_new.then_some(version)
        };
        match session.run("uv", ["--version"]) {
            Ok(said) => {
                if let Some(version) = version(&said, FIRST_UV) {
                    return Ok(Self::Uv { version });
                }
            }
            Err(error) if error.is_interrupted() => {
                return Err(PythonError::Interrupted { tool: "uv".to_owned() });
            }
            Err(_) => {}
        }
        let executable = python.executable.to_str().unwrap_or_default();
        let found = session.run(executable, ["-I", "-m", "pip", "--version"]).ok();
        let version = found.and_then(|said| version(&said, FIRST_PIP));
        let version =
            version.ok_or_else(|| PythonError::NoTool { python: session.options.python.to_owned() })?;
        Ok(Self::Pip { version, python: python.executable.clone() })
    }

    /// Its name and version.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Uv { version } => format!("uv {version}"),
            Self::Pip { version, .. } => format!("pip {version}"),
        }
    }
}

/// Command line arguments.
pub(super) fn arguments<'t>(
    texts: impl IntoIterator<Item = &'t (impl AsRef<OsStr> + ?Sized + 't)>,
) -> Vec<OsString> {
    texts.into_iter().map(|text| text.as_ref().to_owned()).collect()
}

/// How much folders grow.
struct Growth<'a> {
    folders: &'a [&'a Path],
    before: u64,
    most: u64,
    was_too_much: AtomicBool,
    next: Mutex<Instant>,
}

impl<'a> Growth<'a> {
    fn begin(folders: &'a [&'a Path], most: u64) -> Self {
        let before = folders.iter().map(|folder| size(folder)).sum();
        Self {
            folders,
            before,
            most,
            was_too_much: AtomicBool::new(false),
            next: Mutex::new(Instant::now() + PAUSE),
        }
    }

    /// True once they have grown by more than they may. Measuring takes a tenth of the time at most.
    fn is_too_much(&self) -> bool {
        let Ok(mut next) = self.next.try_lock() else { return false };
        let started = Instant::now();
        if started >= *next {
            let now: u64 = self.folders.iter().map(|folder| size(folder)).sum();
            // What is fetched is unpacked, and then copied.
            if now.saturating_sub(self.before) > self.most.saturating_mul(3) {
                self.was_too_much.store(true, Ordering::Relaxed);
            }
            *next = started + PAUSE.max(started.elapsed() * 10);
        }
        self.was_too_much.load(Ordering::Relaxed)
    }
}

/// The bytes of all files below `folder`, as far as that can be said while others change it.
fn size(folder: &Path) -> u64 {
    let mut folders = vec![folder.to_owned()];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                Err(_) => {}
            }
        }
    }
    bytes
}
