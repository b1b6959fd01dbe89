//! distman's spellings (`-s`, `-n`, `-c`, `--reset`, `--delete`), which stay accepted: each is one of our commands
//! for the targets of `-t`.

use super::args::{Deploy, Show};
use super::context::Context;
use super::error::CliError;
use super::{back, show};
use crate::rollout::Choice;

/// Runs the command that the arguments spell in distman's way; `None` if they ask for a deploy.
pub(super) fn run(context: &Context<'_>, arguments: &Deploy) -> Result<Option<u8>, CliError> {
    let spellings = &arguments.spellings;
    let version = spellings.number.map(|number| number.to_string()).or_else(|| spellings.commit.clone());
    let choice = match version {
        _ if spellings.show => {
            let targets = arguments.targets.clone();
            return show::run(context, &Show { targets }).map(Some);
        }
        version if spellings.delete => Choice::Delete(version),
        _ if spellings.reset => Choice::Reset,
        Some(version) => Choice::Use(version),
        None => return Ok(None),
    };
    back::choose(context, &arguments.targets, &choice, arguments.message.clone()).map(Some)
}
