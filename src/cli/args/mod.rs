//! Every argument `git dist` knows. The man page, the completions and the CLI reference are made from here.

mod follow;
mod manual;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

pub(super) use follow::{Install, Publish, Unit, Update};
pub(super) use manual::{Completions, Man};

/// The command as clap sees it, for the man page, completions and documentation.
pub fn command() -> clap::Command {
    use clap::CommandFactory as _;
    Cli::command()
}

/// The digits of a commit's id. Fewer than four are too likely to name another one (distman's rule).
fn commit(text: &str) -> Result<String, &'static str> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if (4..=64).contains(&text.len()) && is_hex {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a commit is named by 4 or more of its hexadecimal digits")
    }
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

impl Cli {
    /// True if the command changes a deployment root, unless it is a dry run.
    pub(super) fn is_change(&self) -> bool {
        match &self.command {
            None => !self.deploy.spellings.show,
            Some(Command::Verify(arguments)) => arguments.repair,
            Some(Command::Hook(hook)) => hook.is_run(),
            Some(Command::Cache(cache)) => cache.is_change(),
            Some(
                Command::Rollback(_)
                | Command::Use(_)
                | Command::Reset(_)
                | Command::Delete(_)
                | Command::Prune(_)
                | Command::Update(_)
                | Command::Install(_),
            ) => true,
            _ => false,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  git dist                        deploy HEAD, as dist.json says
  git dist -d                     show what that would do
  git dist --rev v1.2 -t 'web*'   deploy a tag, some targets
  git dist show                   what is active
  git dist rollback tool          go back to the version before
  git dist hook install           deploy after every merge and pull
  git dist run tool -- --help     start what is active
  git dist publish DEST           make HEAD a signed release that machines follow
  git dist install URL --key KEY  follow one; `git dist update` brings what is new

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
    /// How long to wait for another run that changes the same root: 90s, 5m, 0s
    #[arg(long, value_name = "TIME", default_value = "30s", global = true, value_parser = humantime::parse_duration)]
    pub(super) lock_wait: Duration,
    /// Show what would be done, and do nothing
    #[arg(short = 'd', long = "dry-run", visible_alias = "dryrun", global = true)]
    pub(super) dry_run: bool,
    /// Do not wait until changes are on disk: faster, but a power cut may leave files empty or a mix
    #[arg(long, global = true)]
    pub(super) no_sync: bool,
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
    /// Deploy files as they lie in the working tree, committed or not
    #[arg(long, conflicts_with = "revision")]
    pub(super) worktree: bool,
    /// Deploy only this source; with --dest also without dist.json
    #[arg(long, value_name = "PATH")]
    pub(super) source: Option<String>,
    /// Deploy to this place instead of that in dist.json
    #[arg(long = "dest", value_name = "PATH")]
    pub(super) destination: Option<String>,
    /// Path of the manifest in the repository
    #[arg(long, value_name = "PATH")]
    pub(super) manifest: Option<String>,
    /// Deploy what would be refused: an older or foreign revision, a version marked bad or damaged; never what is not signed
    /// where signatures are asked for
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
    #[command(flatten)]
    pub(super) spellings: Spellings,
}

/// distman's spellings of other commands; they work on the targets of `-t`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "As distman spells it")]
pub(super) struct Spellings {
    /// Show what is active: `git dist show`
    #[arg(short, long, group = "spelling", conflicts_with = "which")]
    pub(super) show: bool,
    /// Activate this version: `git dist use`; a negative number counts back
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, group = "which")]
    pub(super) number: Option<i64>,
    /// Activate the version of this commit (4 digits or more): `git dist use`
    #[arg(short, long, value_name = "HASH", group = "which", value_parser = commit)]
    pub(super) commit: Option<String>,
    /// Activate the newest good version: `git dist reset`
    #[arg(long, group = "spelling", conflicts_with = "which")]
    pub(super) reset: bool,
    /// Remove: `git dist delete`; with `-n` or `-c` one version
    #[arg(long, group = "spelling")]
    pub(super) delete: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Show(Show),
    Diff(Diff),
    Log(Log),
    Rollback(Rollback),
    Use(Use),
    Reset(Reset),
    Delete(Delete),
    Prune(Prune),
    Verify(Verify),
    Cache(super::cache::Cache),
    Env(Env),
    Init(Init),
    Doctor(Doctor),
    Schema(Schema),
    Completions(Completions),
    Man(Man),
    Hook(super::hook::Hook),
    Publish(Publish),
    Update(Update),
    Install(Install),
    Run(super::run::Run),
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

/// Show what a deploy would change against what is active
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist diff                          files that a deploy of HEAD would change
  git dist diff --rev v1.3 tool          of a tag, for one target
  git dist diff --exit-code -q || ...    exit code 4 says that something would change")]
pub(super) struct Diff {
    /// Targets
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Compare this revision [default: HEAD]
    #[arg(long = "rev", value_name = "REV")]
    pub(super) revision: Option<String>,
    /// Exit with 4 if something would change
    #[arg(long)]
    pub(super) exit_code: bool,
}

/// Show the history: who changed what, when and why
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist log              the last rollouts, the newest first
  git dist log -v tool      every change of one target
  git dist log --json       for programs")]
pub(super) struct Log {
    /// Targets, destinations or items
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// At most so many rollouts; 0 for all
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    pub(super) limit: usize,
}

/// Go back to what was active before, and mark what is left as bad
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Without a target the last rollout is taken back, with all that it changed. A version that was rolled back \
stays so: hooks do not bring the same content back until newer content comes, or `-f` or `use` says so.

Examples:
  git dist rollback                      take back the last rollout
  git dist rollback tool -m 'crashes'    one target, and say why
  git dist rollback tool -2              two versions back
  git dist rollback tool --to 141        to a count, a hash or a version's name
  git dist rollback --to r17             everything as it was after rollout r17
  git dist rollback --rollout r17        take back what rollout r17 changed")]
pub(super) struct Rollback {
    /// Targets, destinations or items
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Go back to this version (count, hash or name), or to after this rollout (`r17`)
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["steps", "rollout"])]
    pub(super) to: Option<String>,
    /// Go back so many versions; `-2` is short for `--steps 2`
    #[arg(long, value_name = "K", conflicts_with = "rollout")]
    pub(super) steps: Option<usize>,
    /// Take back what this rollout changed
    #[arg(long, value_name = "ID")]
    pub(super) rollout: Option<String>,
    /// Activate a version that is damaged
    #[arg(short, long)]
    pub(super) force: bool,
    /// Why, for the history and the mark
    #[arg(short, long = "message", value_name = "WHY")]
    pub(super) message: Option<String>,
}

/// Activate one version by count, hash or name
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist use tool 141         by its count
  git dist use tool c73fe42     by its commit
  git dist use tool -n -1       the one before what is active, by count")]
pub(super) struct Use {
    /// Target, destination or item
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
    /// Count, hash or name of the version
    #[arg(value_name = "VERSION", required_unless_present_any = ["number", "commit"])]
    pub(super) version: Option<String>,
    /// The version's count; a negative number counts back from what is active
    #[arg(short, long, value_name = "N", allow_negative_numbers = true, conflicts_with = "version")]
    pub(super) number: Option<i64>,
    /// The version's commit, 4 digits or more
    #[arg(short, long, value_name = "HASH", conflicts_with_all = ["version", "number"], value_parser = commit)]
    pub(super) commit: Option<String>,
    /// Activate a version that is damaged
    #[arg(short, long)]
    pub(super) force: bool,
    /// Why, for the history
    #[arg(short, long = "message", value_name = "WHY")]
    pub(super) message: Option<String>,
}

/// Activate the newest good version
#[derive(Clone, Debug, Args)]
pub(super) struct Reset {
    /// Targets, destinations or items
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Activate a version that is damaged
    #[arg(short, long)]
    pub(super) force: bool,
    /// Why, for the history
    #[arg(short, long = "message", value_name = "WHY")]
    pub(super) message: Option<String>,
}

/// Remove one version, or a destination with all of its versions
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist delete tool 139    one version that is not active
  git dist delete tool        the destination and all of its versions (asks first)")]
pub(super) struct Delete {
    /// Target, destination or item
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
    /// Count, hash or name of one version
    #[arg(value_name = "VERSION")]
    pub(super) version: Option<String>,
    /// Delete a version that is in use
    #[arg(short, long)]
    pub(super) force: bool,
    /// Why, for the history
    #[arg(short, long = "message", value_name = "WHY")]
    pub(super) message: Option<String>,
}

/// Remove versions beyond what is kept, and what left dist.json
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
The active version and the one before it are always kept. Destinations that dist.json does not ask for any \
more are removed from use (asks first).

Examples:
  git dist prune -d            show what would go
  git dist prune --keep 3      keep three good versions of each target")]
pub(super) struct Prune {
    /// Targets, destinations or items
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Good versions to keep besides the active and the previous one [default: the option `keep`]
    #[arg(long, value_name = "N")]
    pub(super) keep: Option<usize>,
}

/// Hash what is deployed again, and say what differs
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
What programs leave behind when they run, as `__pycache__`, is listed with `-v` and is no difference.

Examples:
  git dist verify                  the active versions
  git dist verify --all tool       every version of one target
  git dist verify --repair         export what differs from git again")]
pub(super) struct Verify {
    /// Targets, destinations or items
    #[arg(value_name = "TARGET")]
    pub(super) targets: Vec<String>,
    /// Check every version, not only the active ones
    #[arg(long)]
    pub(super) all: bool,
    /// Export damaged versions from git again
    #[arg(long)]
    pub(super) repair: bool,
}

/// Show the variables that destinations are filled with, and where each comes from
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  git dist env                        every variable with its origin
  git dist env DEPLOY_ROOT            one value
  eval \"$(git dist env --export)\"    set them in this shell")]
pub(super) struct Env {
    /// Only this variable's value
    #[arg(value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Print lines that a shell can eval
    #[arg(long, conflicts_with = "name")]
    pub(super) export: bool,
    /// Read the environment of this revision [default: HEAD]
    #[arg(long = "rev", value_name = "REV")]
    pub(super) revision: Option<String>,
}

/// Write a dist.json and distman.env that fit the repository
#[derive(Clone, Debug, Args)]
pub(super) struct Init {}

/// Say what is wrong with repository, manifest, environment, root and hooks, and what to do
#[derive(Clone, Debug, Args)]
pub(super) struct Doctor {}

/// Print the JSON Schema of dist.json, for editors
#[derive(Clone, Debug, Args)]
pub(super) struct Schema {}
