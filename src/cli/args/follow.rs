//! Arguments of what publishes and what follows.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

/// Publish a revision as the next release of a channel, for machines that follow it
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
DEST is a directory, `s3://bucket/prefix`, `gs://`, `az://` or a web server that takes files. A release is signed, with the \
SSH key that git signs with (`user.signingKey`, where `gpg.format` is `ssh`), that of `dist.signingKey`, or `--sign-with`. \
What is published is what a deploy would export, before pipelines; the history of the repository is no part of it.

Examples:
  git dist publish /mnt/releases                         HEAD, to the channel `stable`
  git dist publish s3://acme-tools --channel beta --rev v2.0-rc1
  git dist publish s3://acme-tools --list                what is there
  git dist publish s3://acme-tools --refresh             sign again, before the release expires (for cron)
  git dist publish s3://acme-tools --prune               remove what no channel needs any more")]
pub(in crate::cli) struct Publish {
    /// Where to: a directory, `s3://bucket/prefix`, `gs://`, `az://`, `https://`
    #[arg(value_name = "DEST")]
    pub(in crate::cli) destination: String,
    /// The channel
    #[arg(long, value_name = "NAME", default_value = "stable")]
    pub(in crate::cli) channel: String,
    /// Publish this revision [default: HEAD]
    #[arg(long = "rev", value_name = "REV")]
    pub(in crate::cli) revision: Option<String>,
    /// Publish only these targets; `*`, `?` and `[..]` match
    #[arg(short, long = "target", value_name = "TARGET", num_args = 1.., action = ArgAction::Append)]
    pub(in crate::cli) targets: Vec<String>,
    /// Publish files as they lie in the working tree, committed or not
    #[arg(long, conflicts_with = "revision")]
    pub(in crate::cli) worktree: bool,
    /// Path of the manifest in the repository
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) manifest: Option<String>,
    /// Name of what is published [default: that of the repository]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Sign with this key: a file with an SSH key or a secret minisign key, or `key::ssh-ed25519 ...` of an agent
    #[arg(long, value_name = "KEY", action = ArgAction::Append)]
    pub(in crate::cli) sign_with: Vec<String>,
    /// Who may have signed what is there: a public key, or a file with keys [default: as git's configuration says, or else
    /// the key that it is signed with]
    #[arg(long, value_name = "KEY", action = ArgAction::Append)]
    pub(in crate::cli) key: Vec<String>,
    /// How long the release counts unless it is signed again
    #[arg(long, value_name = "TIME", default_value = "90days", value_parser = humantime::parse_duration)]
    pub(in crate::cli) expires: Duration,
    /// Write a bundle that needs no other after so many releases
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(in crate::cli) whole_after: u64,
    /// Nobody else publishes there, so that a store that does not heed conditions will do
    #[arg(long)]
    pub(in crate::cli) single_writer: bool,
    /// Begin anew where the channel was published before and is gone; machines that know it have to install anew
    #[arg(long)]
    pub(in crate::cli) new_chain: bool,
    /// Publish .gitattributes, .gitignore and .gitmodules too
    #[arg(long)]
    pub(in crate::cli) all: bool,
    /// Install the Python packages of targets, and make them a part of the release: who follows it needs no index, uv or
    /// pip
    #[arg(long)]
    pub(in crate::cli) vendor_python: bool,
    /// Make a release even if it holds what the one before holds
    #[arg(short, long)]
    pub(in crate::cli) force: bool,
    /// List the channels that are there
    #[arg(long, group = "instead")]
    pub(in crate::cli) list: bool,
    /// Sign the channel's release again, for a time that begins now
    #[arg(long, group = "instead")]
    pub(in crate::cli) refresh: bool,
    /// Remove what no channel needs any more
    #[arg(long, group = "instead")]
    pub(in crate::cli) prune: bool,
}

/// Bring what is followed up to date: targets that come from elsewhere, and what was installed
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
An upstream is asked when a day has passed, and not again for five minutes and more after it could not be reached. What \
fails its checks is taken back and not tried again. Exit code 10 of `--check` says that there is something new, that of \
`--wait` that it is active.

Examples:
  git dist update                          what is due
  git dist update --now tool               one target, at once
  git dist update --check                  is there anything new?
  git dist update --wait=2s tool           for an application that updates itself when it starts
  git dist update --print-unit systemd     a timer that does it")]
pub(in crate::cli) struct Update {
    /// Targets that come from elsewhere, or names of what was installed
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    /// Do not wait until the time has come
    #[arg(long)]
    pub(in crate::cli) now: bool,
    /// Only look whether there is something new; exit with 10 if there is
    #[arg(long)]
    pub(in crate::cli) check: bool,
    /// Do what is due, but keep nobody waiting for longer [default: 10s]; it goes on in the background then. Exit with 10
    /// if something new is active, and with 0 otherwise, whatever became of it: `git dist log` knows
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "10s",
        value_parser = humantime::parse_duration,
        conflicts_with_all = ["now", "check", "offline", "force", "print_unit", "metrics"])]
    pub(in crate::cli) wait: Option<Duration>,
    /// Use no network; so does `GIT_DIST_OFFLINE=1`
    #[arg(long, conflicts_with_all = ["now", "check"])]
    pub(in crate::cli) offline: bool,
    /// Try a release again that failed
    #[arg(short, long)]
    pub(in crate::cli) force: bool,
    /// Time between two checks, from now on [default: a day]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(in crate::cli) ttl: Option<Duration>,
    /// How long an upstream may take to answer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = humantime::parse_duration)]
    pub(in crate::cli) probe: Duration,
    /// How long all of it may take; what was fetched by then is kept
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(in crate::cli) timeout: Duration,
    /// Warn about what no upstream answered for longer, from now on
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(in crate::cli) max_stale: Option<Duration>,
    /// Fail where that is so
    #[arg(long)]
    pub(in crate::cli) fail_when_stale: bool,
    /// Write figures for the text collector of the node exporter to this file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) metrics: Option<PathBuf>,
    /// Print what runs updates on a schedule
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) print_unit: Option<Unit>,
    /// Run in a session of its own: for `git dist run`
    #[arg(long, hide = true)]
    pub(in crate::cli) detached: bool,
}

/// What runs updates on a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Unit {
    /// A service and a timer of systemd
    Systemd,
    /// A property list of launchd
    Launchd,
    /// A line of a crontab
    Cron,
}

/// Install what is published somewhere, and keep it up to date from then on
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Everything goes below the deployment root (`DEPLOY_ROOT`), where dist.json of the release says. The key is that of whoever \
publishes: get it from somebody you trust, not from the place itself.

Examples:
  git dist install https://releases.example.org/tools --key 'ssh-ed25519 AAAA...'
  git dist install s3://acme-tools --channel beta --key publisher.pub
  git dist install https://github.com/acme/tool.git --track 'v*'
  DEPLOY_ROOT=/opt/tools git dist install /mnt/releases --key publisher.pub")]
pub(in crate::cli) struct Install {
    /// Where it is published, or a git repository
    #[arg(value_name = "URL")]
    pub(in crate::cli) address: String,
    /// Only these targets
    #[arg(value_name = "TARGET")]
    pub(in crate::cli) targets: Vec<String>,
    /// The channel [default: stable]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) channel: Option<String>,
    /// Of a git repository: the branch, tag pattern (`v*`) or requirement (`^1.2`) to follow
    #[arg(long, value_name = "WHAT")]
    pub(in crate::cli) track: Option<String>,
    /// Who may sign: a public key of SSH or minisign, or a file with keys
    #[arg(long, value_name = "KEY", action = ArgAction::Append)]
    pub(in crate::cli) key: Vec<String>,
    /// Other addresses of the same, tried in order when one cannot be reached
    #[arg(long, value_name = "URL", action = ArgAction::Append)]
    pub(in crate::cli) mirror: Vec<String>,
    /// What it is called here [default: the last part of the address]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
    /// Let it run the commands of its dist.json: whoever publishes then runs programs here
    #[arg(long)]
    pub(in crate::cli) allow_commands: bool,
    /// Let it write to this folder too
    #[arg(long = "root", value_name = "DIR", action = ArgAction::Append)]
    pub(in crate::cli) roots: Vec<PathBuf>,
    /// Time between two checks [default: a day]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    pub(in crate::cli) ttl: Option<Duration>,
    /// Install it anew where something of that name is installed: what was seen of it before is forgotten
    #[arg(long)]
    pub(in crate::cli) replace: bool,
}
