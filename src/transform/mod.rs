//! Pipelines: the steps that turn an exported source into what is deployed.
//!
//! Every step reads the output of the one before and writes into a fresh folder, so that nothing of an earlier
//! run or of another item is ever deployed. As in distman, the output of a script or of a Python function begins
//! as a copy of its input; the built-in functions write theirs in one pass. No symbolic link is followed.
//!
//! Commands and Python functions run in a checkout of the revision, so that the repository's own scripts and
//! modules are those of the revision too.

mod byte_compile;
mod chmod;
mod error;
mod function;
mod ingredients;
mod minify;
mod output;
mod python;
mod scope;
mod tokens;
mod tree;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::command::{self, Background, Command, Program, TimeLimit, shown};
use crate::disk::{Dir, Kind};
use crate::environment::Environment;
use crate::manifest::{Action, Step};

pub use error::{StepError, TransformError};
pub use ingredients::ingredients;

use function::Function;
use scope::Scope;

/// The pipeline of one item, and what it runs with.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// The target, for messages.
    pub target: &'a str,
    /// The steps in their order, with their names.
    pub steps: &'a [(&'a str, &'a Step)],
    /// The exported source: a file, a directory or a symbolic link, named as in the repository. Scripts may
    /// write to it, so that it must share no file with a deployed version.
    pub input: &'a Path,
    /// A checkout of the revision, in which commands run. Only read where [`needs_checkout`] says so.
    pub checkout: &'a Path,
    /// An empty private folder.
    pub work: &'a Path,
    /// The environment of the deployment.
    pub environment: &'a Environment,
    /// `GIT_DIST_REV`, `GIT_DIST_COMMIT`, `GIT_DIST_VERSION`, `GIT_DIST_TARGET` and `GIT_DIST_DESTINATION`.
    pub variables: &'a BTreeMap<String, String>,
}

/// True if a step starts a program: a script, a Python function, the Python compiler. The variables of such a step
/// come from the revision, so that even a program of this machine does what they say.
pub fn runs_programs(step: &Step) -> bool {
    match &step.action {
        Action::Script(_) => true,
        Action::Function { name, .. } => !function::is_done_here(name),
    }
}

/// Runs the steps of a pipeline, and returns the path of the last one's output: a file or directory of the
/// input's name in [`Job::work`], or the input itself where there are no steps.
///
/// A source that is a symbolic link is returned as it is: there is nothing in it that a step could change.
///
/// # Errors
///
/// When a step fails, takes longer than its `timeout`, leaves nothing or what cannot be deployed, or is
/// interrupted. The error names the step and the target, and shows what a failed command printed.
pub fn run(job: &Job<'_>, interrupted: &(dyn Fn() -> bool + Sync)) -> Result<PathBuf, TransformError> {
    let in_work = |source| TransformError::Work { target: job.target.to_owned(), source };
    let work = Dir::open(job.work).map_err(in_work)?;
    let mut current = job.input.to_owned();
    for (index, (name, step)) in job.steps.iter().enumerate() {
        // The output has a folder of its own, so that its name can be any.
        let private = work.make_private_dir(index.to_string()).map_err(in_work)?;
        let folder = private.make_private_dir("output").map_err(in_work)?;
        let step = StepRun {
            job,
            action: &step.action,
            scope: Scope::new(step, job.variables, job.environment),
            input: &current,
            private: &private,
            folder: &folder,
            watch: Watch { time_limit: step.timeout.map(TimeLimit::start), interrupted },
        };
        current = step.run().map_err(|source| failed(job.target, name, source))?;
    }
    Ok(current)
}

/// True if a step runs a command or a Python function, which may read anything in the revision: a checkout is
/// needed, and the tree of the revision decides the result.
pub fn needs_checkout(steps: &[(&str, &Step)]) -> bool {
    steps.iter().any(|(_, step)| match &step.action {
        Action::Script(_) => true,
        Action::Function { name, .. } => !function::is_built_in(name),
    })
}

/// What [`run`] would do, one line for each command and function. Nothing is run and nothing is checked.
pub fn describe(steps: &[(&str, &Step)]) -> Vec<String> {
    let lines = steps.iter().flat_map(|(name, step)| {
        let acts: Vec<_> = match &step.action {
            Action::Script(commands) => {
                commands.iter().map(|command| format!("run `{}`", shown(command))).collect()
            }
            Action::Function { name, .. } if function::is_built_in(name) => vec![shown(name)],
            Action::Function { name, .. } => vec![format!("call `{}` through python3", shown(name))],
        };
        let name = shown(name);
        acts.into_iter().map(move |act| format!("step `{name}`: {act}"))
    });
    lines.collect()
}

fn failed(target: &str, step: &str, source: StepError) -> TransformError {
    TransformError::Step { target: target.to_owned(), step: step.to_owned(), source: Box::new(source) }
}

/// One step at work.
struct StepRun<'a> {
    job: &'a Job<'a>,
    action: &'a Action,
    scope: Scope<'a>,
    input: &'a Path,
    private: &'a Dir,
    folder: &'a Dir,
    watch: Watch<'a>,
}

impl StepRun<'_> {
    fn run(&self) -> Result<PathBuf, StepError> {
        let (parent, name) = tree::place(self.input)?;
        let stat = parent.stat(name)?.ok_or_else(|| StepError::NoInput { path: self.input.to_owned() })?;
        if stat.kind == Kind::Symlink {
            return Ok(self.input.to_owned());
        }
        let output = self.folder.join(name);
        match self.action {
            Action::Script(commands) => {
                self.copy()?;
                self.script(commands, &output)?;
                self.check()?;
            }
            Action::Function { name, options } => match Function::read(name, options)? {
                Function::ReplaceTokens(options) => {
                    let mut tokens = tokens::Tokens::new(&options, &self.scope)?;
                    self.rewrite(&mut tokens)?;
                }
                Function::Chmod(mode) => self.rewrite(&mut chmod::Chmod(mode))?,
                Function::Minify(options) => self.rewrite(&mut minify::Minify { strict: options.strict })?,
                Function::ByteCompile => self.byte_compile()?,
                Function::Python => {
                    self.copy()?;
                    self.call(name, options, &output)?;
                    self.check()?;
                }
            },
        }
        Ok(output)
    }

    fn rewrite(&self, rewrite: &mut dyn tree::Rewrite) -> Result<(), StepError> {
        tree::rewrite(self.input, self.folder, &self.watch, rewrite)
    }

    fn copy(&self) -> Result<(), StepError> {
        self.rewrite(&mut tree::Copy)
    }

    fn check(&self) -> Result<(), StepError> {
        output::check(self.folder, self.input, &[self.job.work, self.job.checkout, self.job.input])
    }

    fn script(&self, commands: &[String], output: &Path) -> Result<(), StepError> {
        let values = |name: &str| match name {
            "input" => Some(self.input.as_os_str().to_owned()),
            "output" => Some(output.as_os_str().to_owned()),
            _ => self.scope.get(name).map(OsString::from),
        };
        for command in commands {
            let filled = command::fill(command, &values)?;
            self.command(Program::Shell(&filled), self.job.checkout, &self.scope.process_environment())?;
        }
        Ok(())
    }

    fn command(
        &self,
        program: Program<'_>,
        directory: &Path,
        environment: &BTreeMap<String, String>,
    ) -> Result<(), StepError> {
        let command = Command {
            program,
            directory,
            environment,
            without: &[],
            input: None,
            time_limit: self.watch.time_limit,
            background: Background::Stop,
        };
        command::run(&command, self.watch.interrupted)?;
        Ok(())
    }
}

/// What can stop a step from outside.
#[derive(Clone, Copy)]
struct Watch<'a> {
    time_limit: Option<TimeLimit>,
    interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Watch<'_> {
    /// An error if the step has to stop.
    fn check(&self) -> Result<(), StepError> {
        if (self.interrupted)() {
            return Err(StepError::Interrupted);
        }
        match self.time_limit.filter(TimeLimit::is_over) {
            Some(time) => Err(StepError::TimedOut { limit: time.limit() }),
            None => Ok(()),
        }
    }
}
