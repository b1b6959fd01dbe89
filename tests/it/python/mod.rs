//! Python packages, asked of the library itself, with the real uv and the real pip against an index of a test's own.

mod eggs;
mod failures;
mod installs;
pub(crate) mod packages;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use git_dist::command::TimeLimit;
use git_dist::python::{self, Index, Installed, Lock, Options, PythonError, Requirement};
use git_dist::remote::Limits;
use git_dist::source::git::Watch;

use crate::support::{Sandbox, skipped};

const LIMITS: Limits = Limits { probe: Duration::from_mins(1), total: None, stall: Duration::from_mins(1) };

/// A machine with Python and one of the programs that install packages.
struct Machine {
    sandbox: Sandbox,
    environment: BTreeMap<String, String>,
    allow_build: Cell<bool>,
    offline: Cell<bool>,
    most: Cell<u64>,
    time: Cell<Option<Duration>>,
    is_uv: bool,
}

/// One with uv, and one with pip, as far as this machine has them.
fn machines() -> Vec<Machine> {
    let mut machines = Vec::new();
    match uv() {
        Some(folder) => machines.push(Machine::new(&folder, true)),
        // Not `skipped`: .ci/run says itself where it cannot be installed.
        None => eprintln!("SKIPPED: there is no uv, also in GIT_DIST_TEST_UV"),
    }
    let pip = Command::new("python3").args(["-I", "-m", "pip", "--version"]).output();
    if pip.is_ok_and(|pip| pip.status.success()) {
        machines.push(Machine::new(Path::new("/nowhere"), false));
    } else {
        skipped("python3 has no pip");
    }
    machines
}

/// The folder of uv.
pub(crate) fn uv() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::var_os("GIT_DIST_TEST_UV").map(PathBuf::from);
    named.into_iter().chain(std::env::split_paths(&path)).find(|folder| folder.join("uv").is_file())
}

impl Machine {
    fn new(folder: &Path, is_uv: bool) -> Self {
        let sandbox = Sandbox::new();
        if !is_uv {
            sandbox.script("uv", "#!/bin/sh\nexit 127\n");
        }
        let path = std::env::var("PATH").unwrap();
        let bin = sandbox.path().join("bin");
        let environment = BTreeMap::from(
            [
                ("PATH", format!("{}:{}:{path}", bin.display(), folder.display())),
                ("HOME", sandbox.home().display().to_string()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        fs::create_dir(sandbox.path().join("packages")).unwrap();
        Self {
            sandbox,
            environment,
            allow_build: Cell::new(false),
            offline: Cell::new(false),
            most: Cell::new(1 << 30),
            time: Cell::new(None),
            is_uv,
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.to_owned(), value.to_owned());
    }

    /// Where packages are made.
    fn packages(&self) -> PathBuf {
        self.sandbox.path().join("packages")
    }

    fn with<T>(&self, act: impl FnOnce(&Options<'_>) -> T) -> T {
        let cache = self.sandbox.path().join("cache");
        act(&Options {
            python: "python3",
            environment: &self.environment,
            cache: &cache,
            allow_build: self.allow_build.get(),
            offline: self.offline.get(),
            most: self.most.get(),
            limits: LIMITS,
            watch: Watch { limit: self.time.get().map(TimeLimit::start), interrupted: &|| false },
        })
    }

    fn resolve(&self, requirement: &str, index: &str) -> Result<Lock, PythonError> {
        let requirement = Requirement::parse(requirement)?;
        let index = Index::parse(index)?;
        self.with(|options| python::resolve(&requirement, &index, options))
    }

    /// What would be chosen now, where that is something else.
    fn newer(&self, lock: &Lock, index: &str) -> Result<Option<Lock>, PythonError> {
        let now = self.resolve(&lock.requirement().to_string(), index)?;
        Ok(Some(now).filter(|now| !now.chose_the_same(lock)))
    }

    fn install(&self, lock: &Lock, index: &str, folder: &str) -> Result<Installed, PythonError> {
        let index = Index::parse(index)?;
        self.with(|options| python::install(lock, &index, &self.folder(folder), options))
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    /// The id of the git tree that a folder is.
    fn tree_id(&self, folder: &str) -> String {
        let folder = self.folder(folder);
        let git = |arguments: &[&str]| {
            let mut git = self.sandbox.command("git", &folder);
            git.env("GIT_DIR", self.sandbox.path().join(format!("{}.git", folder.display())));
            let run = self.sandbox.run(git.env("GIT_WORK_TREE", &folder).args(arguments));
            run.raw_stdout().trim().to_owned()
        };
        git(&["init", "--quiet"]);
        git(&["add", "--force", "--all", "."]);
        git(&["write-tree"])
    }

    /// What Python prints that finds modules in the folder.
    fn python(&self, folder: &str, arguments: &[&str]) -> String {
        let mut python = self.sandbox.command("python3", self.sandbox.path());
        python.env("PYTHONPATH", self.folder(folder)).env("PYTHONDONTWRITEBYTECODE", "1");
        self.sandbox.run(python.args(arguments)).raw_stdout().to_owned()
    }

    /// True if nothing is in the folder.
    fn is_empty(&self, folder: &str) -> bool {
        fs::read_dir(self.folder(folder)).unwrap().next().is_none()
    }
}

/// The names of all files of a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
    sha2::Sha256::digest(bytes).iter().flat_map(digits).collect()
}
