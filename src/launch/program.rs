//! What of a version is started.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{LaunchError, Result};
use crate::disk::Kind;

/// A program, its own name for itself, and its first arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) name: OsString,
    pub(super) arguments: Vec<OsString>,
}

/// A folder with this in it is a program for Python.
const PYTHON_MAIN: &str = "__main__.py";

/// What is started of the version at `version`, which is active at `destination` and belongs to `target`: what `run`
/// says, or what is called like it.
pub(super) fn program(
    (version, kind): (&Path, Kind),
    (destination, target): (&Path, &str),
    run: &[String],
) -> Result<Program> {
    // A link that is a version stands one folder below the place from where its text leads on.
    let is_folder = match kind {
        Kind::Directory => true,
        Kind::Symlink => version.is_dir(),
        _ => false,
    };
    if !is_folder {
        is_executable(version)?;
        let name = destination.as_os_str().to_owned();
        return Ok(Program { path: version.to_owned(), name, arguments: Vec::new() });
    }
    if let Some((program, arguments)) = run.split_first() {
        let path = version.join(program);
        if !path.exists() {
            return Err(LaunchError::Nothing { version: version.to_owned(), looked: vec![program.clone()] });
        }
        is_executable(&path)?;
        let name = path.as_os_str().to_owned();
        return Ok(Program { path, name, arguments: arguments.iter().map(OsString::from).collect() });
    }
    let mut looked = Vec::new();
    // An item of a wildcard target has a name of its own.
    let base = destination.file_name().and_then(|name| name.to_str()).unwrap_or(target);
    let mut names = vec![target];
    names.extend((base != target).then_some(base));
    for name in names.into_iter().filter(|name| !name.contains('/') && !matches!(*name, "." | "..")) {
        for place in [format!("bin/{name}"), name.to_owned()] {
            let path = version.join(&place);
            if path.is_file() {
                is_executable(&path)?;
                return Ok(Program { name: path.as_os_str().to_owned(), path, arguments: Vec::new() });
            }
            looked.push(place);
        }
    }
    if version.join(PYTHON_MAIN).is_file() {
        let python = "python3";
        return Ok(Program {
            path: python.into(),
            name: python.into(),
            arguments: vec![version.as_os_str().to_owned()],
        });
    }
    looked.push(PYTHON_MAIN.to_owned());
    Err(LaunchError::Nothing { version: version.to_owned(), looked })
}

/// Refuses what is no program: the system would say no more than that it may not be started.
fn is_executable(path: &Path) -> Result<()> {
    match path.metadata() {
        Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => Ok(()),
        Ok(_) => Err(LaunchError::NotExecutable { path: path.to_owned() }),
        Err(source) => Err(LaunchError::Exec { program: path.to_owned(), source }),
    }
}
