//! From the words of a command line to what they ask for.

use std::ffi::OsString;

use clap::{Args as _, FromArgMatches as _};

use super::args::{Cli, Deploy, command};

/// What clap needs of a stack to describe every argument, with much to spare.
const STACK: usize = 4 << 20;

/// Reads the arguments. Options of a deploy that stand before another command are an error: `git dist -t web rollback`
/// must not roll everything back.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // Whatever limit there is on the stack of the process, and on its threads.
    let words = arguments.clone();
    match std::thread::Builder::new().stack_size(STACK).spawn(move || read(words)) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => read(arguments),
    }
}

fn read(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(expand_steps(arguments))?;
    if let Some((name, _)) = matches.subcommand()
        && let Some(stray) = deploy_argument(&matches)
    {
        let message = format!("`{stray}` belongs to a deploy and not before `{name}`");
        return Err(command.error(clap::error::ErrorKind::ArgumentConflict, message));
    }
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The first argument of a deploy that was given, as it is written.
fn deploy_argument(matches: &clap::ArgMatches) -> Option<String> {
    let deploy = Deploy::augment_args(clap::Command::new(""));
    let is_given = |argument: &&clap::Arg| {
        matches.value_source(argument.get_id().as_str()) == Some(clap::parser::ValueSource::CommandLine)
    };
    let given = deploy.get_arguments().find(is_given)?;
    Some(match given.get_long() {
        Some(long) => format!("--{long}"),
        None => given.get_value_names()?.first()?.to_string(),
    })
}

/// Lets `git dist rollback tool -2` mean `--steps 2`, as git's own commands take counts.
fn expand_steps(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut is_rollback = false;
    let mut is_over = false;
    let expand = |argument: OsString| {
        let text = argument.to_str().unwrap_or_default();
        // What follows is for a program that is run.
        is_over |= text == "--";
        if is_over {
            return argument;
        }
        let steps = text.strip_prefix('-').filter(|steps| steps.parse::<u32>().is_ok());
        let expanded = match steps {
            Some(steps) if is_rollback => OsString::from(format!("--steps={steps}")),
            _ => argument.clone(),
        };
        is_rollback |= text == "rollback";
        expanded
    };
    arguments.into_iter().map(expand).collect()
}
