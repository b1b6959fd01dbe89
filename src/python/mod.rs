//! Python packages: chosen once, with the digests of their files, and installed from exactly these.
//!
//! `uv` does the work, or `pip` where there is none. [`resolve`] asks an index and writes a [`Lock`]; [`install`] fills an
//! empty folder with what the lock says and nothing else. The same lock makes the same files, whatever the time and
//! folder, as long as the same program installs it. An egg in a directory or bucket is copied as one file.
//!
//! What the host says does not decide: indexes, options and hashes come from here alone. Programs of packages run only
//! where packages may be built; wheels and eggs run nothing.

mod egg;
mod error;
mod index;
mod interpreter;
mod lock;
mod requirement;
mod shelf;
mod tidy;
mod tool;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::disk::{Dir, DiskError};
use crate::remote::Limits;
use crate::source::git::Watch;

pub use error::{Cause, PythonError, Result};
pub use index::Index;
pub use lock::Lock;
pub use requirement::Requirement;

use egg::Egg;
use interpreter::Interpreter;
use lock::Pin;
use shelf::Shelf;
use tool::{Session, Tool, arguments};

/// What packages are chosen and installed with.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// The Python that is to run them: a name that is looked for in `PATH`, or a path.
    pub python: &'a str,
    /// Variables over those of the process environment.
    pub environment: &'a BTreeMap<String, String>,
    /// A folder for what is fetched, and for work in progress.
    pub cache: &'a Path,
    /// True if packages may be built, which runs programs of theirs here.
    pub allow_build: bool,
    /// True if nothing may be asked of a network, and of no directory or bucket.
    pub offline: bool,
    /// The most that the packages may take up, in bytes. What is fetched may be as much again, twice.
    pub most: u64,
    /// How long one waits for directories and buckets.
    pub limits: Limits,
    /// How long all of it may take, and who may stop it.
    pub watch: Watch<'a>,
}

/// What was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// The version of the package that was asked for.
    pub version: String,
    /// What installed it: `uv` or `pip`, with its version.
    pub tool: String,
    /// The one file in the folder, where it is an egg.
    pub egg: Option<String>,
    /// The bytes of all files.
    pub bytes: u64,
}

/// What this program is called where it did the work itself.
const OURSELVES: &str = concat!("git-dist ", env!("CARGO_PKG_VERSION"));

/// Chooses packages for `requirement`: it and all that it needs, in the highest versions that fit together.
///
/// # Errors
/// When there are none, the index cannot be reached, or there is neither uv nor pip.
pub fn resolve(requirement: &Requirement, index: &Index, options: &Options<'_>) -> Result<Lock> {
    if options.offline {
        return Err(PythonError::Offline { requirement: requirement.to_string() });
    }
    let mut session = Session::begin(options, index.secrets())?;
    let python = Interpreter::ask(&session)?;
    let lock = |tool: String, egg, pins| Lock {
        requirement: requirement.clone(),
        index: index.to_string(),
        python: python.name(),
        platform: python.platform.clone(),
        tool,
        egg,
        pins,
    };
    let place = match index {
        Index::Pypi { .. } => {
            session.ask_index(index.url().unwrap_or_default());
            None
        }
        Index::Packages(address) => {
            let shelf = Shelf::open(options, session.cache(), address)?;
            let files = shelf.list()?;
            let names = files.iter().map(|object| object.path.as_str());
            let egg = Egg::newest(names, requirement, &python);
            let newest = shelf.newest(&files, requirement);
            match egg {
                Some(egg) if newest.as_ref().is_none_or(|version| *version < egg.version) => {
                    let digests = BTreeSet::from([shelf.egg(&egg.file)?]);
                    let pins = vec![Pin { name: egg.name, version: egg.version, digests }];
                    return Ok(lock(OURSELVES.to_owned(), Some(egg.file), pins));
                }
                _ if newest.is_none() => {
                    let (at, requirement) = (address.to_string(), requirement.to_string());
                    return Err(PythonError::NotFound { at, requirement, only: shelf.only() });
                }
                _ => Some(shelf.all(&files, requirement)?),
            }
        }
    };
    let tool = Tool::find(&session, &python)?;
    let pins = match tool {
        Tool::Uv { .. } => choose_with_uv(&session, &tool, &python, requirement, place.as_deref())?,
        Tool::Pip { .. } => choose_with_pip(&session, &tool, requirement, place.as_deref())?,
    };
    Ok(lock(tool.name(), None, pins))
}

/// Installs what `lock` says to the folder `into`, which is empty or not there.
///
/// # Errors
/// When a file is not what it was, is not to be had, or is unfit; when the lock is for another Python. The folder is then
/// empty.
pub fn install(lock: &Lock, index: &Index, into: &Path, options: &Options<'_>) -> Result<Installed> {
    let into = std::path::absolute(into).map_err(|source| DiskError {
        act: "find",
        path: into.to_owned(),
        source,
    })?;
    let dir = Dir::create_all(&into)?;
    if !dir.names()?.is_empty() {
        return Err(PythonError::Content { path: into, why: "is not empty" });
    }
    let installed = install_into(lock, index, &dir, options);
    if installed.is_err() {
        for name in dir.names()? {
            dir.remove_all(name)?;
        }
    }
    installed
}

fn install_into(lock: &Lock, index: &Index, dir: &Dir, options: &Options<'_>) -> Result<Installed> {
    let mut session = Session::begin(options, index.secrets())?;
    let python = Interpreter::ask(&session)?;
    if lock.python != python.name() || lock.platform != python.platform {
        return Err(PythonError::OtherPython {
            locked: format!("{} on {}", lock.python, lock.platform),
            python: options.python.to_owned(),
            found: format!("{} on {}", python.name(), python.platform),
        });
    }
    let installed = |tool, bytes| Installed { version: lock.version(), tool, egg: lock.egg.clone(), bytes };
    let place = match index {
        Index::Pypi { .. } => {
            session.ask_index(index.url().unwrap_or_default());
            None
        }
        Index::Packages(address) => {
            let shelf = Shelf::open(options, session.cache(), address)?;
            if let (Some(egg), Some(pin)) = (&lock.egg, lock.own()) {
                let bytes = copy(shelf.egg_of(egg, pin)?, dir, egg)?;
                return Ok(installed(OURSELVES.to_owned(), bytes));
            }
            shelf.fill(lock)?;
            Some(shelf.path().to_owned())
        }
    };
    let tool = Tool::find(&session, &python)?;
    let work = session.work();
    work.create_file("requirements.txt", 0o600)?.write(lock.requirements().as_bytes())?;
    match tool {
        Tool::Uv { .. } => install_with_uv(&session, &tool, &python, lock, dir, place.as_deref())?,
        Tool::Pip { .. } => install_with_pip(&session, &tool, lock, dir, place)?,
    }
    let bytes = tidy::tidy(dir)?;
    if bytes > options.most {
        return Err(PythonError::TooLarge { requirement: lock.requirement.to_string(), most: options.most });
    }
    Ok(installed(tool.name(), bytes))
}

fn choose_with_uv(
    session: &Session<'_>,
    tool: &Tool,
    python: &Interpreter,
    requirement: &Requirement,
    place: Option<&Path>,
) -> Result<Vec<Pin>> {
    let work = session.work();
    work.create_file("requirements.in", 0o600)?.write(format!("{requirement}\n").as_bytes())?;
    let mut all = arguments(&[
        "pip",
        "compile",
        "requirements.in",
        "--output-file=requirements.txt",
        "--generate-hashes",
        "--no-annotate",
        "--no-header",
        "--no-emit-index-url",
        "--no-emit-find-links",
        "--python",
    ]);
    all.push(python.executable.clone().into());
    all.extend(uv_options(session, place));
    session.act(tool, "choose", &requirement.to_string(), all, None)?;
    let text = work.read_file("requirements.txt", 16 << 20)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    lock::pins(&text).map_err(|(line, why)| unexpected(tool, requirement, &format!("line {line}: {why}")))
}

fn install_with_uv(
    session: &Session<'_>,
    tool: &Tool,
    python: &Interpreter,
    lock: &Lock,
    dir: &Dir,
    place: Option<&Path>,
) -> Result<()> {
    let mut all = arguments(&[
        "pip",
        "install",
        "--requirements=requirements.txt",
        "--require-hashes",
        "--no-deps",
        "--link-mode=copy",
        "--target",
    ]);
    all.push(dir.path().into());
    all.push("--python".into());
    all.push(python.executable.clone().into());
    all.extend(uv_options(session, place));
    if session.options.offline {
        all.push("--offline".into());
    }
    session.act(tool, "install", &lock.requirement.to_string(), all, Some(dir.path()))
}

fn uv_options(session: &Session<'_>, place: Option<&Path>) -> Vec<OsString> {
    let mut all = arguments(&["--no-config", "--quiet", "--color=never"]);
    if !session.options.allow_build {
        all.push("--only-binary=:all:".into());
    }
    all.extend(place.map(only_from).into_iter().flatten());
    all
}

fn choose_with_pip(
    session: &Session<'_>,
    tool: &Tool,
    requirement: &Requirement,
    place: Option<&Path>,
) -> Result<Vec<Pin>> {
    let mut all =
        arguments(&["install", "--dry-run", "--ignore-installed", "--quiet", "--report=report.json"]);
    all.extend(pip_options(session, place));
    all.push(requirement.to_string().into());
    session.act(tool, "choose", &requirement.to_string(), all, None)?;
    let report = session.work().read_file("report.json", 256 << 20)?;
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap_or_default();
    let mut lines = String::new();
    for item in report["install"].as_array().into_iter().flatten() {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let (name, version) = (text(&item["metadata"]["name"]), text(&item["metadata"]["version"]));
        if item["is_direct"] != serde_json::Value::Bool(false) {
            return Err(unexpected(tool, requirement, &format!("`{name}` comes from an address of its own")));
        }
        let digest = text(&item["download_info"]["archive_info"]["hashes"]["sha256"]);
        let _ = write!(lines, "{name}=={version} \\\n    --hash=sha256:{digest}\n");
    }
    lock::pins(&lines).map_err(|(line, why)| unexpected(tool, requirement, &format!("line {line}: {why}")))
}

fn install_with_pip(
    session: &Session<'_>,
    tool: &Tool,
    lock: &Lock,
    dir: &Dir,
    mut place: Option<PathBuf>,
) -> Result<()> {
    let requirement = lock.requirement.to_string();
    let from_lock = ["--quiet", "--require-hashes", "--no-deps", "--requirement=requirements.txt"];
    // pip has no way to install from its cache alone: what is fetched is kept beside it.
    if place.is_none() && (session.options.offline || !session.options.allow_build) {
        let wheels = session.cache().join("wheels");
        if !session.options.offline {
            let mut all = arguments(&["download", "--dest"]);
            all.push(wheels.clone().into());
            all.extend(arguments(&from_lock));
            all.extend(pip_options(session, None));
            session.act(tool, "fetch", &requirement, all, None)?;
        }
        place = Some(wheels);
    }
    let mut all = arguments(&["install", "--no-compile", "--target"]);
    all.push(dir.path().into());
    all.extend(arguments(&from_lock));
    all.extend(pip_options(session, place.as_deref()));
    session.act(tool, "install", &requirement, all, Some(dir.path()))
}

fn pip_options(session: &Session<'_>, place: Option<&Path>) -> Vec<OsString> {
    let mut all = Vec::new();
    if !session.options.allow_build {
        all.push("--only-binary=:all:".into());
    }
    all.extend(place.map(only_from).into_iter().flatten());
    all
}

/// Options by which only the files in `place` count.
fn only_from(place: &Path) -> [OsString; 3] {
    ["--no-index".into(), "--find-links".into(), place.into()]
}

fn unexpected(tool: &Tool, requirement: &Requirement, what: &str) -> PythonError {
    PythonError::Failed {
        tool: tool.name(),
        act: "choose",
        requirement: requirement.to_string(),
        said: format!("its answer is not understood: {}", what.escape_debug()),
        cause: Cause::Other,
    }
}

/// Copies a file to `dir`, and returns its size.
fn copy(mut from: std::fs::File, dir: &Dir, name: &str) -> Result<u64> {
    let mut to = dir.create_file(name, 0o644)?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(DiskError { act: "read", path: dir.join(name), source }.into()),
            Ok(0) => return Ok(bytes),
            Ok(count) => {
                to.write(&buffer[..count])?;
                bytes += count as u64;
            }
        }
    }
}
