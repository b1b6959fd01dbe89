//! `git dist log`: the history, with what updates did besides.

use super::args::Log;
use super::context::Context;
use super::error::{CliError, DONE};
use super::json;
use super::printer::{Printer, Tone};
use crate::events::{self, Event, EventKind};
use crate::history::{Change, Rollout};

pub(super) fn run(context: &Context<'_>, arguments: &Log) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let (root, inventory) = context.inventory(project.as_ref())?;
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
    let is_verbose = context.global.verbose > 0;
    let events = match root.open()? {
        Some(meta) => events::read(&meta)?,
        None => Vec::new(),
    };
    // What was activated is a rollout; that there was nothing new is told to those who want to know more.
    let is_told = |event: &&Event| match event.kind {
        EventKind::Activated => event.rollout.is_none(),
        EventKind::Probe => is_verbose || context.printer.is_json(),
        _ => true,
    };
    let is_about = |event: &&Event| {
        let is_it = |asked: &String| {
            *asked == event.subscription
                || globset::Glob::new(asked)
                    .is_ok_and(|it| it.compile_matcher().is_match(&event.subscription))
        };
        arguments.targets.is_empty() || arguments.targets.iter().any(is_it)
    };
    let rollouts = inventory.history.rollouts.iter().filter(|rollout| rollout.items.iter().any(is_asked));
    let mut entries: Vec<Entry<'_>> = rollouts.map(Entry::Rollout).collect();
    entries.extend(events.iter().filter(is_told).filter(is_about).map(Entry::Event));
    entries.sort_by(|a, b| b.time().cmp(a.time()).then_with(|| b.number().cmp(&a.number())));
    entries.truncate(limit);
    let printer = context.printer;
    if printer.is_json() {
        let rollouts: Vec<&Rollout> = entries.iter().filter_map(Entry::rollout).collect();
        let events: Vec<&Event> = entries.iter().filter_map(Entry::event).collect();
        printer.json(&json::log(&rollouts, &events))?;
        return Ok(DONE);
    }
    if entries.is_empty() {
        printer.talk("nothing was ever deployed there");
    }
    for entry in entries {
        let rollout = match entry {
            Entry::Rollout(rollout) => rollout,
            Entry::Event(event) => {
                printer.line(event_line(printer, event))?;
                continue;
            }
        };
        printer.line(headline(printer, rollout))?;
        let is_long = rollout.items.len() > 10 && !is_verbose;
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

/// A line of the log.
enum Entry<'e> {
    Rollout(&'e Rollout),
    Event(&'e Event),
}

impl<'e> Entry<'e> {
    fn time(&self) -> &str {
        match self {
            Self::Rollout(rollout) => &rollout.time,
            Self::Event(event) => &event.time,
        }
    }

    fn number(&self) -> u64 {
        self.rollout().map_or(0, |rollout| rollout.number)
    }

    fn rollout(&self) -> Option<&'e Rollout> {
        if let Self::Rollout(rollout) = self { Some(rollout) } else { None }
    }

    fn event(&self) -> Option<&'e Event> {
        if let Self::Event(event) = self { Some(event) } else { None }
    }
}

fn event_line(printer: &Printer, event: &Event) -> String {
    let tone = match event.kind {
        EventKind::Probe | EventKind::Fetch => Tone::Dim,
        EventKind::Activated => Tone::Good,
        _ => Tone::Bad,
    };
    let mut line = format!(
        "-- {} {} {}",
        printer.paint(&event.time, Tone::Dim),
        printer.paint(event.kind.word(), tone),
        printer.paint(&event.subscription, Tone::Strong),
    );
    let size = (event.bytes > 0).then(|| indicatif::HumanBytes(event.bytes).to_string());
    let from = event.upstream.as_ref().map(|upstream| format!("from {upstream}"));
    for more in [&event.release, &size, &from, &event.detail].into_iter().flatten() {
        line.push_str(&printer.paint(format!("  {more}"), Tone::Plain));
    }
    line
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
