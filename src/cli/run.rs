//! `git dist run`: becomes the active version of a target.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::context::Context;
use super::error::{CliError, DONE};
use crate::door;
use crate::launch::{
    Found, LaunchError, Start, Update, find, find_by_history, is_due, prepare, start_update,
};
use crate::project::{Opening, Project};
use crate::root::Root;

/// Start the active version of a target, with the environment it was deployed with
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
What is started is what `run` in dist.json says, else the target itself if it is a file, else `bin/TARGET`, `TARGET` or \
`__main__.py` in it. Signals and exit code are the program's; 125, 126 and 127 say that it was not started.

Examples:
  git dist run tool                              from any folder
  git dist run tool -- --fast 'a file'           with arguments
  git dist run lib --command python3 -- -m hello   another program, with the environment of `lib`
  DEPLOY_ROOT=/srv/pipe/prod git dist run tool     from another root")]
pub(super) struct Run {
    /// Target, destination or item
    #[arg(value_name = "TARGET")]
    target: String,
    /// Start this program, which `PATH` leads to, in place of the target's own
    #[arg(long, value_name = "PROGRAM")]
    command: Option<OsString>,
    /// Whether an update that is due is made: for the next start, or before this one
    #[arg(long, value_name = "WHEN", default_value = "background")]
    update: When,
    /// How long the start waits for an update at most; implies `--update=wait`
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    wait: Option<Duration>,
    /// What the program is given
    #[arg(value_name = "ARGS", last = true)]
    arguments: Vec<OsString>,
}

/// When an update that is due is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum When {
    /// Not at all
    Never,
    /// Beside the program, for the next start
    Background,
    /// Before the program is started
    Wait,
}

/// How long `--update=wait` waits.
const WAIT: Duration = Duration::from_secs(10);

pub(super) fn run(context: &Context<'_>, arguments: &Run) -> Result<u8, CliError> {
    let found = found(context, &arguments.target)?;
    if !context.global.dry_run {
        update(context, &found, arguments);
    }
    let start = prepare(&found, arguments.command.as_deref(), context.process.clone())?;
    if start.is_environment_lost {
        let message = "the environment that this version was deployed with is not kept any more";
        context.printer.warn(message, Some("a deploy of its revision brings it back"));
    }
    if context.global.dry_run {
        return show(context, &found, &start, &arguments.arguments);
    }
    Err(start.exec(&arguments.arguments).into())
}

/// What is meant, in the root of the process environment, or else in that of the project here.
fn found(context: &Context<'_>, asked: &str) -> Result<Found, CliError> {
    let root = context.root(None)?;
    if let Some(found) = find(&root, asked)? {
        return Ok(found);
    }
    let error = match find_by_history(&root, asked) {
        Err(error @ LaunchError::NoSuch { .. }) => error,
        found => return Ok(found?),
    };
    let Some(other) = root_here(context).filter(|other| *other != root) else { return Err(error.into()) };
    if let Some(found) = find(&other, asked)? {
        return Ok(found);
    }
    match find_by_history(&other, asked) {
        Err(LaunchError::NoSuch { asked, hint, .. }) => {
            let roots = vec![root.path().to_owned(), other.path().to_owned()];
            Err(LaunchError::NoSuch { asked, roots, hint }.into())
        }
        found => Ok(found?),
    }
}

/// The root of the project here. One that cannot be read has none: it is not what was asked for.
fn root_here(context: &Context<'_>) -> Option<Root> {
    Project::open(Opening::new(context.location(), "HEAD"), &context.process).ok()?.root().ok()
}

/// Has an update made that is due. Whatever becomes of it, the program is started.
fn update(context: &Context<'_>, found: &Found, arguments: &Run) {
    let Some(subscription) = &found.subscription else { return };
    let update = match (arguments.update, arguments.wait) {
        _ if context.is_offline() => Update::Never,
        (_, Some(limit)) => Update::Wait(limit),
        (When::Never, None) => Update::Never,
        (When::Background, None) => Update::Background,
        (When::Wait, None) => Update::Wait(WAIT),
    };
    if update == Update::Never || !is_due(&found.meta, subscription) {
        return;
    }
    let started = door::own_program()
        .and_then(|program| start_update(&program, found.root.path(), subscription, update));
    if let Err(error) = started {
        context.printer.warn(format!("no update was started: {error}"), None);
    }
}

/// Shows what would be started.
fn show(context: &Context<'_>, found: &Found, start: &Start, more: &[OsString]) -> Result<u8, CliError> {
    let words = [start.program.as_os_str().to_owned()].into_iter();
    let words = words.chain(start.arguments.iter().cloned()).chain(more.iter().cloned());
    let words: Vec<String> = words.map(|word| word.to_string_lossy().into_owned()).collect();
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&json!({
            "format": "git-dist/run",
            "version": 1,
            "target": found.target,
            "destination": found.destination.as_str(),
            "active": start.lease.version.to_string(),
            "command": words,
            "variables": start.variables,
        }))?;
        return Ok(DONE);
    }
    let quoted: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    printer.line(printer.paint(quoted.join(" "), super::printer::Tone::Plain))?;
    printer.talk("dry run: nothing was started");
    Ok(DONE)
}

/// `word` as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
