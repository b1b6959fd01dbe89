//! The manifest's own commands around the switch: `verify` before, `after` behind.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Events, Result, RolloutError};
use crate::causes::chain;
use crate::command::{self, Background, Command, CommandError, FillError, Program, fill};
use crate::credentials::without_credentials;
use crate::manifest::{Manifest, TargetSpec};
use crate::project::Project;
use crate::stage::Staged;
use crate::transform;

/// Why a command of `verify` or `after` did not say that all is well.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A placeholder in it cannot be filled in.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// It failed, or could not be run.
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl CheckError {
    /// The error with its causes in one line, without what the command printed.
    pub fn in_short(&self) -> String {
        match self {
            Self::Command(error) => match error.in_short() {
                Some(short) => without_credentials(&short).into_owned(),
                None => chain(self),
            },
            Self::Fill(_) => chain(self),
        }
    }

    /// True if the command ran and said no; else something else is wrong than what was deployed.
    pub fn is_verdict(&self) -> bool {
        matches!(self, Self::Command(CommandError::Failed { .. } | CommandError::TimedOut { .. }))
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Command(error) => error.hint(),
            Self::Fill(error) => error.hint(),
        }
    }
}

/// What deploying a target runs on this machine, in words: steps of its pipeline that start programs, `verify` and
/// `after`.
pub fn commands_of(manifest: &Manifest, spec: &TargetSpec) -> Vec<String> {
    let steps = manifest.pipeline_of(spec).into_iter();
    let running = steps.filter(|(_, step)| transform::runs_programs(step));
    let mut commands: Vec<String> = running.map(|(name, _)| format!("pipeline step `{name}`")).collect();
    let lists = [("verify", &spec.verify), ("after", &spec.after)];
    commands.extend(lists.iter().filter(|(_, list)| !list.is_empty()).map(|(key, _)| format!("`{key}`")));
    commands
}

/// What a target's commands run with.
pub(super) struct Checks<'a> {
    pub(super) project: &'a Project,
    pub(super) spec: &'a TargetSpec,
    /// `GIT_DIST_*`.
    pub(super) variables: &'a BTreeMap<String, String>,
}

/// Runs the `verify` commands of the target `target` on a staged version, in its folder. `{staged}` is its path.
pub(super) fn verify(checks: &Checks<'_>, target: &str, staged: &Staged, events: &dyn Events) -> Result<()> {
    let path = staged.path();
    let directory =
        if path.is_dir() { path.clone() } else { path.parent().map_or(path.clone(), Path::to_owned) };
    let path = path.into_os_string();
    let own = |name: &str| (name == "staged").then(|| path.clone());
    for line in &checks.spec.verify {
        checks.run(line, &own, &directory, Background::Stop, &|| events.is_interrupted()).map_err(
            |source| RolloutError::Verify {
                target: target.to_owned(),
                destination: staged.destination().path().to_owned(),
                source,
            },
        )?;
    }
    Ok(())
}

/// Runs the `after` commands of a target, in the deployment root. What they start in the background lives on.
pub(super) fn after(
    checks: &Checks<'_>,
    root: &Path,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<(), CheckError> {
    let run = |line: &String| checks.run(line, &|_| None, root, Background::Keep, interrupted);
    checks.spec.after.iter().try_for_each(run)
}

impl Checks<'_> {
    fn run(
        &self,
        line: &str,
        own: &dyn Fn(&str) -> Option<std::ffi::OsString>,
        directory: &Path,
        background: Background,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), CheckError> {
        let environment = &self.project.environment;
        let values = |name: &str| {
            let variable = || self.variables.get(name).cloned();
            let known = || environment.get(name).map(|variable| variable.value.clone());
            own(name).or_else(|| variable().or_else(known).map(Into::into))
        };
        let filled = fill(line, &values)?;
        let mut variables: BTreeMap<String, String> =
            environment.iter().map(|(name, variable)| (name.to_owned(), variable.value.clone())).collect();
        variables.extend(self.variables.clone());
        let command = Command {
            program: Program::Shell(&filled),
            directory,
            environment: &variables,
            without: &[],
            input: None,
            time_limit: None,
            background,
        };
        command::run(&command, interrupted)?;
        Ok(())
    }
}
