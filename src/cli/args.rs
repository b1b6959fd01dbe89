//! Every argument `git dist` knows. The man page, the completions and the CLI reference are made from here.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

/// The command as clap sees it, for the man page, completions and documentation.
pub fn command() -> clap::Command {
    use clap::CommandFactory as _;
    Cli::command()
}

/// Deploy any revision of a git repository as immutable, verifiable, instantly reversible versions.
#[derive(Debug, Parser)]
#[command(
    name = "git-dist",
    bin_name = "git dist",
    version,
    args_conflicts_with_subcommands = false,
    after_help = EXAMPLES,
    max_term_width = 100,
)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(flatten)]
    pub(super) deploy: Deploy,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  git dist                        deploy HEAD, as dist.json says
  git dist -d                     show what that would do
  git dist --rev v1.2 -t 'web*'   deploy a tag, some targets
  git dist show                   what is active
  git dist rollback tool          go back to the version before
  git dist hook install           deploy after every merge and pull

`git help dist` shows the manual once the man page is installed (`git dist man --install`).";

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Common options")]
pub(super) struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub(super) directory: Option<PathBuf>,
    /// Say more; twice says even more
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub(super) verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Colour the output
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(super) color: Color,
    /// Answer yes to every question
    #[arg(short, long, global = true)]
    pub(super) yes: bool,
    /// Show what would be done, and do nothing
    #[arg(short = 'd', long = "dry-run", visible_alias = "dryrun", global = true)]
    pub(super) dry_run: bool,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Options of a deploy.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Deploy options")]
pub(super) struct Deploy {
    /// Folder of the repository or of dist.json in it [default: here]
    #[arg(value_name = "LOCATION")]
    pub(super) location: Option<PathBuf>,
    /// Deploy only these targets; `*`, `?` and `[..]` match
    #[arg(short, long = "target", value_name = "TARGET", num_args = 1.., action = ArgAction::Append)]
    pub(super) targets: Vec<String>,
    /// Deploy this revision: a branch, tag, hash, HEAD~2 ... [default: HEAD]
    #[arg(long = "rev", value_name = "REV")]
    pub(super) revision: Option<String>,
    /// Path of the manifest in the repository
    #[arg(long, value_name = "PATH")]
    pub(super) manifest: Option<String>,
    /// Deploy what would be refused: an older or foreign revision, a version marked bad
    #[arg(short, long)]
    pub(super) force: bool,
    /// Move what stands at a destination aside
    #[arg(long)]
    pub(super) adopt: bool,
    /// Deploy .gitattributes, .gitignore and .gitmodules too
    #[arg(long)]
    pub(super) all: bool,
    /// Pass over targets whose source is not in the revision
    #[arg(long)]
    pub(super) ignore_missing: bool,
    /// Make versions, but do not activate them
    #[arg(long)]
    pub(super) version_only: bool,
    /// Why, for the history
    #[arg(short, long = "message", value_name = "WHY")]
    pub(super) message: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Show(Show),
}

/// Show what is active, and which versions there are
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist show            the active version of every target
  git dist show -v tool    all versions of `tool`
  git dist show -vv tool   with their commits")]
pub(super) struct Show {
    /// Targets, destinations or items
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
}
