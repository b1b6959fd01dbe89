//! Why a pipeline did not give a result.

use std::path::PathBuf;
use std::time::Duration;

use crate::command::{CommandError, FillError, shown};
use crate::disk::{DiskError, Shown};

/// Why the pipeline of a target did not give a result.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// A step failed.
    #[error("step `{}` of target `{}` failed", shown(.step), shown(.target))]
    Step {
        /// The target.
        target: String,
        /// The step's name.
        step: String,
        /// What went wrong.
        #[source]
        source: Box<StepError>,
    },
    /// The private folder of the pipeline cannot be used.
    #[error("cannot run the pipeline of target `{}`", shown(.target))]
    Work {
        /// The target.
        target: String,
        /// What the disk said.
        #[source]
        source: DiskError,
    },
}

impl TransformError {
    /// True if the pipeline stopped because the run was asked to.
    pub fn is_interrupted(&self) -> bool {
        match self {
            Self::Step { source, .. } => match &**source {
                StepError::Interrupted => true,
                StepError::Command(error) => error.is_interrupted(),
                _ => false,
            },
            Self::Work { .. } => false,
        }
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Step { source, .. } => source.hint(),
            Self::Work { .. } => None,
        }
    }
}

/// What went wrong in a step.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A command failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A command's placeholders could not be filled.
    #[error(transparent)]
    Fill(#[from] FillError),
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The run was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// The step took too long.
    #[error("it did not end within {}", humantime::format_duration(*.limit))]
    TimedOut {
        /// The time that it had.
        limit: Duration,
    },
    /// A function that nobody knows.
    #[error("unknown function `{}`", shown(.name))]
    UnknownFunction {
        /// Its name, as written.
        name: String,
        /// A function that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A function's options are not what it takes.
    #[error("the options of `{function}` are wrong")]
    Options {
        /// The function.
        function: &'static str,
        /// What is wrong with them.
        #[source]
        source: serde_json::Error,
    },
    /// A token that would be found everywhere.
    #[error("a token of `replace_tokens` is empty")]
    EmptyToken,
    /// The tokens are too many to look for.
    #[error("the tokens of `replace_tokens` cannot be looked for")]
    Tokens(#[source] aho_corasick::BuildError),
    /// A variable that nobody defines.
    #[error("unknown variable `{name}` in `{}`", shown(.text))]
    UnknownVariable {
        /// The name.
        name: String,
        /// The text that it stands in.
        text: String,
    },
    /// A mode that `chmod` does not know.
    #[error("`{}` is no file mode", shown(.mode))]
    Mode {
        /// The mode, as written.
        mode: String,
    },
    /// A file of a kind that `minify` cannot make smaller.
    #[error("`{}` is no file that `minify` knows", Shown(.path))]
    NotMinifiable {
        /// The file, relative to the source.
        path: PathBuf,
    },
    /// A file that is broken, so that `minify` cannot tell what it means.
    #[error("cannot minify `{}`", Shown(.path))]
    Minify {
        /// The file, relative to the source.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: html_minifier::HTMLMinifierError,
    },
    /// The step needs Python, and there is none.
    #[error("`{}` needs Python, and there is no `python3`", shown(.function))]
    NoPython {
        /// The function.
        function: String,
        /// What the system said.
        #[source]
        source: CommandError,
    },
    /// Python does not find the function.
    #[error("Python does not find the function `{}`", shown(.function))]
    NoFunction {
        /// The function.
        function: String,
        /// What Python said.
        #[source]
        source: CommandError,
    },
    /// A request to Python could not be written down.
    #[error("cannot pass the options of `{}` on to Python", shown(.function))]
    Request {
        /// The function.
        function: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The source of the pipeline is not there, or has no name.
    #[error("there is nothing to transform at `{}`", Shown(.path))]
    NoInput {
        /// Where it should have been.
        path: PathBuf,
    },
    /// The step took its output away.
    #[error("it left no output at `{}`", Shown(.path))]
    NoOutput {
        /// Where it should have been.
        path: PathBuf,
    },
    /// The step left something that is no content.
    #[error("its output `{}` is neither a file nor a directory", Shown(.path))]
    Special {
        /// The path.
        path: PathBuf,
    },
    /// The step left a link that would lead elsewhere, or nowhere, once deployed.
    #[error("its output `{}` is a link to `{}`, which leads outside", Shown(.path), Shown(.to))]
    LeadsOutside {
        /// The link.
        path: PathBuf,
        /// What it says.
        to: PathBuf,
    },
}

impl StepError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Command(error) => error.hint(),
            Self::Fill(error) => error.hint(),
            Self::TimedOut { .. } => Some("`timeout` says how long it may take".to_owned()),
            Self::UnknownFunction { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownFunction { .. } => Some(
                "built in are `replace_tokens`, `chmod`, `byte_compile` and `minify`; `module.function` calls Python"
                    .to_owned(),
            ),
            Self::UnknownVariable { name, .. } => {
                Some(format!("define `{name}` in `distman.env`; `git dist env` lists what is known"))
            }
            Self::Mode { .. } => Some("write it as `755` or as `u=rwX,go=rX`".to_owned()),
            Self::NotMinifiable { .. } => Some("without `strict`, such files are kept as they are".to_owned()),
            Self::NoFunction { .. } => {
                Some("install its module for `python3`, or commit it to the repository".to_owned())
            }
            _ => None,
        }
    }
}
