//! The manifest's own commands around the switch: `verify` before, `after` behind.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Events, Result, RolloutError};
use crate::command::{self, Background, Command, Program, fill};
use crate::manifest::TargetSpec;
use crate::project::Project;
use crate::stage::Staged;

/// What a target's commands run with.
pub(super) struct Checks<'a> {
    pub(super) project: &'a Project,
    pub(super) spec: &'a TargetSpec,
    /// The target, for messages.
    pub(super) target: &'a str,
    /// `GIT_DIST_*`.
    pub(super) variables: &'a BTreeMap<String, String>,
}

/// Runs the `verify` commands of a target on a staged version, in its folder. `{staged}` is its path.
pub(super) fn verify(checks: &Checks<'_>, staged: &Staged, events: &dyn Events) -> Result<()> {
    let path = staged.path();
    let directory =
        if path.is_dir() { path.clone() } else { path.parent().map_or(path.clone(), Path::to_owned) };
    let path = path.into_os_string();
    let own = |name: &str| (name == "staged").then(|| path.clone());
    for line in &checks.spec.verify {
        checks.run(line, &own, &directory, Background::Stop, events).map_err(|source| {
            RolloutError::Verify {
                target: checks.target.to_owned(),
                destination: staged.destination().path().to_owned(),
                source,
            }
        })?;
    }
    Ok(())
}

/// Runs the `after` commands of a target, in the deployment root. What they start in the background lives on.
pub(super) fn after(
    checks: &Checks<'_>,
    root: &Path,
    events: &dyn Events,
) -> Result<(), (String, crate::causes::BoxError)> {
    for line in &checks.spec.after {
        checks
            .run(line, &|_| None, root, Background::Keep, events)
            .map_err(|source| (format!("`{line}` of target `{}` failed", checks.target), source))?;
    }
    Ok(())
}

impl Checks<'_> {
    fn run(
        &self,
        line: &str,
        own: &dyn Fn(&str) -> Option<std::ffi::OsString>,
        directory: &Path,
        background: Background,
        events: &dyn Events,
    ) -> Result<(), crate::causes::BoxError> {
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
            time_limit: None,
            background,
        };
        command::run(&command, &|| events.is_interrupted())?;
        Ok(())
    }
}
