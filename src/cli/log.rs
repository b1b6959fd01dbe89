//! `git dist log`: the history.

use super::args::Log;
use super::context::Context;
use super::error::{CliError, DONE};
use super::json;
use super::printer::{Printer, Tone};
use crate::history::{Change, Rollout};

pub(super) fn run(context: &Context<'_>, arguments: &Log) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let (_, inventory) = context.inventory(project.as_ref())?;
    let is_asked = |change: &Change| {
        let base = change.destination.rsplit('/').next().unwrap_or_default();
        arguments.targets.is_empty()
            || arguments.targets.iter().any(|asked| {
                globset::Glob::new(asked).is_ok_and(|glob| glob.compile_matcher().is_match(&change.target))
                    || *asked == change.target
                    || *asked == change.destination
                    || asked == base
            })
    };
    let limit = if arguments.limit == 0 { usize::MAX } else { arguments.limit };
    let rollouts: Vec<&Rollout> = inventory
        .history
        .rollouts
        .iter()
        .rev()
        .filter(|rollout| rollout.items.iter().any(is_asked))
        .take(limit)
        .collect();
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&json::log(&rollouts))?;
        return Ok(DONE);
    }
    if rollouts.is_empty() {
        printer.talk("nothing was ever deployed there");
    }
    for rollout in rollouts {
        printer.line(headline(printer, rollout))?;
        let is_long = rollout.items.len() > 10 && context.global.verbose == 0;
        let shown = rollout.items.iter().filter(|change| is_asked(change));
        for change in shown.take(if is_long { 3 } else { usize::MAX }) {
            printer.line(change_line(printer, change))?;
        }
        if is_long {
            let count = rollout.items.len();
            printer.line(
                printer.paint(format!("    ... {count} destinations in all (`-v` lists them)"), Tone::Dim),
            )?;
        }
    }
    Ok(DONE)
}

fn headline(printer: &Printer, rollout: &Rollout) -> String {
    let mut line = format!(
        "{} {} {} by {}",
        printer.paint(format!("r{}", rollout.number), Tone::Strong),
        printer.paint(&rollout.time, Tone::Dim),
        printer.paint(rollout.kind.word(), Tone::Changed),
        printer.paint(&rollout.by, Tone::Plain),
    );
    if let (Some(revision), Some(commit)) = (&rollout.revision, &rollout.commit) {
        let short = commit.get(..7).unwrap_or(commit);
        line.push_str(&printer.paint(format!("  {revision} ({short})"), Tone::Plain));
    }
    if let Some(trigger) = &rollout.trigger {
        line.push_str(&printer.paint(format!("  [{trigger}]"), Tone::Dim));
    }
    if let Some(why) = &rollout.why {
        line.push_str(&printer.paint(format!("  \"{why}\""), Tone::Plain));
    }
    if let Some(signature) = &rollout.signature {
        line.push_str(&printer.paint(format!("  signed by {signature}"), Tone::Plain));
    }
    if let Some(undone) = &rollout.undone {
        line.push_str(&printer.paint(format!("  UNDONE: {undone}"), Tone::Bad));
    }
    line
}

fn change_line(printer: &Printer, change: &Change) -> String {
    let base = change.destination.rsplit('/').next().unwrap_or_default();
    let tail = |name: &Option<String>| {
        let name = name.as_deref().unwrap_or("nothing");
        name.strip_prefix(base).map_or(name, |tail| tail.trim_start_matches('.')).to_owned()
    };
    let what = if change.inactive && change.removed.is_empty() {
        format!("{} (what is active did not change)", tail(&change.to))
    } else if change.inactive {
        format!("removed {}", change.removed.join(", "))
    } else {
        format!("{} -> {}", tail(&change.from), tail(&change.to))
    };
    format!(
        "    {}  {}  {}",
        printer.paint(&change.target, Tone::Strong),
        printer.paint(&change.destination, Tone::Plain),
        printer.paint(what, Tone::Good),
    )
}
