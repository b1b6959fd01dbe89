//! `git dist show`: what is active, and which versions there are.

use serde_json::json;

use super::args::Show;
use super::context::Context;
use super::error::{CliError, DONE};
use super::json;
use super::printer::{Printer, Tone};
use crate::inventory::{Installed, Look};
use crate::version::{Link, Stored};

pub(super) fn run(context: &Context<'_>, arguments: &Show) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let (_, mut inventory) = context.inventory(project.as_ref())?;
    let selected = inventory.select(&arguments.targets)?;
    let looks = inventory.look(&selected)?;
    let printer = &*context.printer;
    if printer.is_json() {
        let items: Vec<_> = selected.iter().zip(&looks).map(|(item, look)| to_json(item, look)).collect();
        printer.json(&json!({ "format": "git-dist/show", "version": 1, "items": items }))?;
        return Ok(DONE);
    }
    if selected.is_empty() {
        printer.talk("nothing is deployed");
    }
    for (item, look) in selected.iter().zip(&looks) {
        printer.line(headline(printer, item, look))?;
        if context.global.verbose > 0 {
            for stored in look.stored.iter().rev() {
                printer.line(version_line(printer, stored, &look.link, context.global.verbose > 1))?;
            }
        }
    }
    Ok(DONE)
}

fn to_json(item: &Installed, look: &Look) -> serde_json::Value {
    json!({
        "target": item.target,
        "destination": item.destination.as_str(),
        "active": look.active().map(ToString::to_string),
        "state": state(item, look),
        "versions": look.stored.iter().map(|stored| json::stored(stored, &look.link)).collect::<Vec<_>>(),
        "earlier": look.earlier.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// What there is to say of a destination beyond its version.
fn state(item: &Installed, look: &Look) -> Option<String> {
    match (&look.link, look.active_stored()) {
        (Link::Absent, _) => Some("not deployed".to_owned()),
        (Link::Foreign(what), _) => Some(format!("{what} stands there that no deployment made")),
        (Link::Version(_), None) => Some("broken: the version is gone".to_owned()),
        (Link::Version(_), Some(stored)) if stored.record.is_none() => Some("unverified".to_owned()),
        (Link::Version(_), Some(stored)) if stored.is_bad() => Some("bad".to_owned()),
        _ if !item.is_wanted => Some("not in dist.json any more".to_owned()),
        _ => None,
    }
}

fn headline(printer: &Printer, item: &Installed, look: &Look) -> String {
    let version = look.active().map_or_else(|| "-".to_owned(), crate::version::VersionName::tail);
    let mut line = format!(
        "{}  {}  {}",
        printer.paint(&item.target, Tone::Strong),
        printer.paint(item.destination.as_str(), Tone::Plain),
        printer.paint(version, Tone::Good)
    );
    if let Some(state) = state(item, look) {
        line.push_str(&printer.paint(format!("  ({state})"), Tone::Bad));
    }
    let newer = look
        .active()
        .map_or(0, |active| look.stored.iter().filter(|s| s.name > *active && !s.is_bad()).count());
    if newer > 0 {
        line.push_str(&printer.paint(format!("  ({newer} newer on disk)"), Tone::Changed));
    }
    line
}

fn version_line(printer: &Printer, stored: &Stored, link: &Link, with_commit: bool) -> String {
    let is_active = *link == Link::Version(stored.name.clone());
    let mark = if is_active { printer.paint("*", Tone::Good) } else { " ".to_owned() };
    let tone = if is_active { Tone::Good } else { Tone::Plain };
    let mut line = format!("  {mark} {}", printer.paint(stored.name.tail(), tone));
    match &stored.record {
        None => line.push_str(&printer.paint("  unverified", Tone::Dim)),
        Some(record) => {
            line.push_str(&printer.paint(format!("  {}", record.created_at), Tone::Dim));
            if with_commit {
                line.push_str(
                    &printer.paint(format!("  {}  {}", record.author, record.subject), Tone::Plain),
                );
            }
            if record.is_bad() {
                let reason = record.reason.as_deref().unwrap_or("no reason given");
                line.push_str(&printer.paint(format!("  bad: {reason}"), Tone::Bad));
            }
        }
    }
    line
}
