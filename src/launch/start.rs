//! The lease, the variables, and the start.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;

use super::program::{Program, program};
use super::{Found, LaunchError, Result, python};
use crate::command::without_git;
use crate::door;
use crate::environment::EnvironmentFile;
use crate::project::environment_of;
use crate::root::read_environment;
use crate::version::{Launch, Lease, NoLease, Record};

/// A program that is ready to be started.
#[derive(Debug)]
pub struct Start {
    /// The program: a path, or a name that `PATH` leads to.
    pub program: PathBuf,
    /// Its first arguments, before those of the user.
    pub arguments: Vec<OsString>,
    /// Its variables over those of the process environment.
    pub variables: BTreeMap<String, String>,
    /// The version, leased.
    pub lease: Lease,
    /// The environment that the version was deployed with is not kept any more.
    pub is_environment_lost: bool,
    name: OsString,
}

/// Leases what is active at the destination that was found, and puts together what starting it takes: its own program,
/// or `command`, with the variables that it was deployed with and `process` over them.
///
/// # Errors
/// When nothing is active there, nothing in it can be started, or the variables cannot be resolved.
pub fn prepare(
    found: &Found,
    command: Option<&OsStr>,
    mut process: BTreeMap<String, OsString>,
) -> Result<Start> {
    let destination = &found.destination;
    let lease = match Lease::take(destination)? {
        Ok(lease) => lease,
        Err(NoLease::NotDeployed) => {
            return Err(LaunchError::NotDeployed { destination: destination.path().to_owned() });
        }
        Err(NoLease::Gone(version)) => {
            return Err(LaunchError::Gone { destination: destination.path().to_owned(), version });
        }
    };
    let name = lease.version.to_string();
    let record = Record::read(&lease.versions, &name)?;
    let launch = match (&found.launch, &record) {
        (Some(launch), _) => launch.clone(),
        (None, Some(record)) => record.launch.clone(),
        (None, None) => Launch::default(),
    };
    let path = lease.versions.join(&name);
    let Program { path: program, name, arguments } = match command {
        Some(command) => Program { path: command.into(), name: command.to_owned(), arguments: Vec::new() },
        None => program((&path, lease.kind), (destination.path(), &found.target), &launch.run)?,
    };
    // The root that it was found in, whatever default there is.
    process.insert("DEPLOY_ROOT".to_owned(), found.root.path().into());
    let kept = match &launch.environment {
        Some(name) => read_environment(&found.meta, name)?,
        None => None,
    };
    let is_environment_lost = launch.environment.is_some() && kept.is_none();
    let environment = environment_of(files(kept), &process)?;
    let mut variables: BTreeMap<String, String> =
        environment.iter().map(|(name, variable)| (name.to_owned(), variable.value.clone())).collect();
    let of_record =
        |part: fn(&Record) -> &String| record.as_ref().map(|it| part(it).clone()).unwrap_or_default();
    let version = &lease.version;
    let own = [
        ("GIT_DIST_TARGET", found.target.clone()),
        ("GIT_DIST_DESTINATION", destination.as_str().to_owned()),
        ("GIT_DIST_REV", of_record(|record| &record.revision)),
        ("GIT_DIST_COMMIT", of_record(|record| &record.commit)),
        ("GIT_DIST_VERSION", format!("{}.{}", version.count(), version.short())),
        ("GIT_DIST_VERSION_PATH", path.to_str().unwrap_or_default().to_owned()),
    ];
    variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
    for (variable, first) in python::found_first(&path, lease.kind)? {
        let of_process = process.get(variable).map(|it| it.to_str().map(ToOwned::to_owned));
        let others = match (variables.remove(variable), of_process) {
            (Some(own), _) => Some(own),
            // What is no text cannot be added to, and stays.
            (None, Some(None)) => continue,
            (None, of_process) => of_process.flatten(),
        };
        let others = others.filter(|it| !it.is_empty());
        let all: Vec<String> = std::iter::once(first).chain(others).collect();
        variables.insert(variable.to_owned(), all.join(":"));
    }
    Ok(Start { program, arguments, variables, lease, is_environment_lost, name })
}

impl Start {
    /// Becomes the program, with `arguments` behind its own. It holds the lease from then on, and so does what it starts.
    pub fn exec(&self, arguments: &[OsString]) -> LaunchError {
        if let Err(error) = self.lease.keep_over_exec() {
            return error.into();
        }
        let mut command = Command::new(&self.program);
        without_git(&mut command);
        command.arg0(&self.name).args(&self.arguments).args(arguments).envs(&self.variables);
        let source = door::exec(&mut command);
        LaunchError::Exec { program: self.program.clone(), source }
    }
}

/// The environment files in the text that was kept. One that cannot be understood holds none.
fn files(kept: Option<Vec<u8>>) -> Vec<EnvironmentFile> {
    #[derive(Deserialize)]
    struct Kept {
        files: Vec<KeptFile>,
    }
    #[derive(Deserialize)]
    struct KeptFile {
        path: String,
        text: String,
    }
    let kept: Option<Kept> = kept.and_then(|text| serde_json::from_slice(&text).ok());
    let files = kept.map(|kept| kept.files).unwrap_or_default().into_iter();
    files.map(|file| EnvironmentFile { path: file.path, content: file.text.into_bytes() }).collect()
}
