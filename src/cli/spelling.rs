//! distman's spellings (`-s`, `-n`, `-c`, `--reset`, `--delete`), which stay accepted: each is one of our commands
//! for the targets of `-t`.

use super::args::{Deploy, Show};
use super::context::Context;
use super::error::CliError;
use super::{back, show};
use crate::plan::Asked;
use crate::rollout::Choice;

/// Runs the command that the arguments spell in distman's way; `None` if they ask for a deploy.
pub(super) fn run(context: &Context<'_>, arguments: &Deploy) -> Result<Option<u8>, CliError> {
    let spellings = &arguments.spellings;
    let asked = asked(spellings.number, spellings.commit.as_ref());
    let choice = match asked {
        _ if spellings.show => {
            let targets = arguments.targets.clone();
            return show::run(context, &Show { targets }).map(Some);
        }
        asked if spellings.delete => Choice::Delete(asked),
        _ if spellings.reset => Choice::Reset,
        Some(asked) => Choice::Use(asked),
        None => return Ok(None),
    };
    let manner = back::manner(arguments.message.as_deref(), arguments.force);
    back::choose(context, &arguments.targets, &choice, manner).map(Some)
}

/// What `-n` and `-c` ask for.
pub(super) fn asked(number: Option<i64>, commit: Option<&String>) -> Option<Asked> {
    number.map(Asked::number).or_else(|| commit.cloned().map(Asked::Commit))
}
