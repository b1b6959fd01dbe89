//! What every command starts from: the environment of the process, the project and the root.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::args::{Cli, Global};
use super::error::CliError;
use super::interrupts::Interrupts;
use super::printer::Printer;
use super::progress::Bar;
use crate::environment::Environment;
use crate::inventory::Inventory;
use crate::lock::Holder;
use crate::log_file::Log;
use crate::plan::Kind;
use crate::project::{self, Opening, Project, ProjectError};
use crate::rollout::admit;
use crate::rollout::{RolloutError, Session};
use crate::root::Root;
use crate::source::git::GitError;

/// What every command starts from.
pub(super) struct Context<'p> {
    pub(super) printer: &'p Printer,
    pub(super) global: Global,
    pub(super) process: BTreeMap<String, OsString>,
    location: PathBuf,
    /// True if the command changes something, so that it belongs in the log.
    is_logged: bool,
    pub(super) interrupts: &'p Interrupts,
}

impl<'p> Context<'p> {
    /// What the command of `cli` starts from.
    pub(super) fn new(cli: &Cli, printer: &'p Printer, interrupts: &'p Interrupts) -> Result<Self, CliError> {
        let global = &cli.global;
        if let Some(path) = &global.directory {
            std::env::set_current_dir(path)
                .map_err(|source| CliError::Directory { path: path.clone(), source })?;
        }
        let location = cli.deploy.location.clone().unwrap_or_else(|| PathBuf::from("."));
        let process = project::process_environment();
        let is_logged = cli.is_change() && !global.dry_run;
        let context = Self { printer, global: global.clone(), process, location, is_logged, interrupts };
        // Until the project says otherwise; what is wrong with the environment is told with it.
        if is_logged && let Ok(environment) = project::environment_without_project(&context.process) {
            context.keep_log(&environment);
        }
        Ok(context)
    }

    /// True if the user says that there is no network, or that it is not to be used: `GIT_DIST_OFFLINE` is anything but
    /// empty or `0`.
    pub(super) fn is_offline(&self) -> bool {
        self.process.get("GIT_DIST_OFFLINE").is_some_and(|value| !value.is_empty() && value != "0")
    }

    /// Keeps the log that `environment` asks for.
    pub(super) fn keep_log(&self, environment: &Environment) {
        if self.is_logged {
            self.printer.keep_log(Log::of(environment, &Holder::me("").user));
        }
    }

    /// Draws progress and tells of events. From here on a signal is a wish that the work looks at.
    pub(super) fn bar(&self) -> Bar<'_> {
        self.interrupts.hold();
        Bar::new(self.printer, self.interrupts, self.global.lock_wait)
    }

    /// Clears away what a killed run left of `root`.
    pub(super) fn settle(&self, root: &Root, kind: Kind) -> Result<(), CliError> {
        Session::settle(root, kind, &self.bar())?;
        self.interrupts.release();
        if self.interrupts.count() > 0 {
            return Err(RolloutError::interrupted().into());
        }
        Ok(())
    }

    /// The project that `opening` asks for.
    pub(super) fn project(&self, opening: Opening<'_>) -> Result<Project, CliError> {
        let project = self.open(opening)?;
        // What an unsigned revision says does not even decide where the log is.
        if self.is_logged && admit(&project).is_ok() {
            self.keep_log(&project.environment);
        }
        Ok(project)
    }

    /// As [`Context::project`], without keeping the log that its environment asks for.
    pub(super) fn open(&self, opening: Opening<'_>) -> Result<Project, CliError> {
        if !opening.start.is_dir() {
            let source = std::io::Error::from(std::io::ErrorKind::NotADirectory);
            return Err(CliError::Directory { path: opening.start.to_owned(), source });
        }
        Ok(Project::open(opening, &self.process)?)
    }

    /// Says what is doubtful in manifest and environment: where they decide what happens, or with `-v`.
    pub(super) fn tell_doubts(&self, project: &Project) {
        for doubt in &project.warnings {
            self.printer.warn(&doubt.message, doubt.hint.as_deref());
        }
    }

    /// The folder that the command works in: LOCATION, or where it was started.
    pub(super) fn location(&self) -> &Path {
        &self.location
    }

    /// The project here, at a revision.
    pub(super) fn project_at(&self, revision: &str) -> Result<Project, CliError> {
        self.project(Opening::new(&self.location, revision))
    }

    /// The project here, if there is one: for commands that can do without. A repository that is not there, or
    /// has no manifest, is no error; anything else that is wrong with it is.
    pub(super) fn project_if_any(&self) -> Result<Option<Project>, CliError> {
        match self.project_at("HEAD") {
            Ok(project) => {
                if self.global.verbose > 0 {
                    self.tell_doubts(&project);
                }
                Ok(Some(project))
            }
            Err(CliError::Project(
                ProjectError::NoManifest { .. }
                | ProjectError::Git(GitError::NotARepository { .. } | GitError::Unborn { .. }),
            )) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The root that `project` deploys to, or that the process environment names.
    pub(super) fn root(&self, project: Option<&Project>) -> Result<Root, CliError> {
        match project {
            Some(project) => Ok(project.root()?),
            None => {
                let environment = project::environment_without_project(&self.process)
                    .map_err(|error| CliError::Environment(Box::new(error)))?;
                Ok(project::root(&environment)?)
            }
        }
    }

    /// What is installed, seen from here.
    pub(super) fn inventory(&self, project: Option<&Project>) -> Result<(Root, Inventory), CliError> {
        let root = self.root(project)?;
        let meta = root.open()?;
        let inventory = Inventory::take(meta.as_ref(), project)?;
        if !inventory.history.damaged.is_empty() {
            let lines: Vec<String> = inventory.history.damaged.iter().map(ToString::to_string).collect();
            self.printer.warn(format!("the history has damaged lines: {}", lines.join(", ")), None);
        }
        Ok((root, inventory))
    }
}
