//! `git dist hook`: deploy after merges, pulls, rebases and pushes.

mod install;
mod run;
mod status;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::context::Context;
use super::error::CliError;
use crate::hook::{Repository, Widening};

/// Deploy after every merge, pull, rebase or push
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist hook install                   deploy the checked-out branch after merges and pulls
  git dist hook install --branch live     deploy `live`; in a bare repository after every push to it
  git dist hook install -t web --on commit
                                          only `web`, and after every commit too
  git dist hook status                    what is installed, and what it did last
  git config dist.auto false              switch the hooks off for a while
  git dist hook uninstall                 hooks that were there before are as they were")]
pub(super) struct Hook {
    #[command(subcommand)]
    command: Command,
}

impl Hook {
    /// True if a hook of git calls, and not a person.
    pub(super) fn is_run(&self) -> bool {
        matches!(self.command, Command::Run(_))
    }
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    Install(Install),
    /// Take the hooks away; those that were there before come back as they were
    Uninstall,
    /// Show what is installed and what it did last
    Status,
    Run(Run),
}

/// Write the hooks and the settings they obey
///
/// In a clone: after merges, pulls and rebases. In a bare repository: after pushes. Existing hooks are kept and go on
/// running. Doing it again brings everything up to date; settings that are not named stay.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist hook install
  git dist hook install --branch live -t 'web*'
  git dist hook install --on commit --on checkout")]
struct Install {
    /// Branch to deploy [default: `dist.branch`, else the one checked out]
    #[arg(long, value_name = "BRANCH", allow_hyphen_values = true)]
    branch: Option<String>,
    /// Deploy only these targets; `*`, `?` and `[..]` match [default: `dist.target`, else all]
    #[arg(short, long = "target", value_name = "TARGET", num_args = 1.., action = ArgAction::Append)]
    targets: Vec<String>,
    /// Deploy after this too
    #[arg(long, value_name = "EVENT", action = ArgAction::Append)]
    on: Vec<On>,
    /// Let hooks write to this folder too; the first installation allows the deployment root and the folders of present
    /// destinations
    #[arg(long = "root", value_name = "DIR", action = ArgAction::Append)]
    roots: Vec<PathBuf>,
    /// Let hooks run the commands of dist.json: whoever can push to the branch then runs programs here
    #[arg(long)]
    allow_commands: bool,
}

/// An event that deploys where `--on` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum On {
    /// Every commit, not only one that concludes a merge
    Commit,
    /// Checking the branch out
    Checkout,
}

impl From<On> for Widening {
    fn from(on: On) -> Self {
        match on {
            On::Commit => Self::Commit,
            On::Checkout => Self::Checkout,
        }
    }
}

/// What an installed hook calls
#[derive(Clone, Debug, Args)]
#[command(hide = true)]
struct Run {
    /// The repository's git directory [default: ask git]
    #[arg(long, value_name = "DIR")]
    git_dir: Option<PathBuf>,
    /// Name of the hook, then the arguments git gave it
    #[arg(value_name = "NAME", required = true, num_args = 1.., trailing_var_arg = true, allow_hyphen_values = true)]
    call: Vec<OsString>,
}

pub(super) fn run(context: &Context<'_>, arguments: Hook) -> Result<u8, CliError> {
    match arguments.command {
        Command::Install(arguments) => install::install(context, arguments),
        Command::Uninstall => install::uninstall(context),
        Command::Status => status::status(context),
        Command::Run(arguments) => run::run(context, &arguments),
    }
}

/// The repository here, as git finds it.
fn repository() -> Result<Repository, CliError> {
    let here = std::path::absolute(".").unwrap_or_else(|_| PathBuf::from("."));
    Ok(Repository::discover(&here)?)
}
