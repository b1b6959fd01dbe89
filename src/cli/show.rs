//! `git dist show`: what is active, and which versions there are.

use serde_json::json;

use super::args::Show;
use super::context::Context;
use super::error::{CliError, DONE};
use super::json;
use super::printer::{Printer, Tone};
use super::table::Table;
use super::update::{as_value, freshness, in_words};
use crate::inventory::{Installed, Inventory, Look};
use crate::update::{State, Subscription};
use crate::version::{Link, Stored, VersionName, is_in_use};

pub(super) fn run(context: &Context<'_>, arguments: &Show) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let (root, mut inventory) = context.inventory(project.as_ref())?;
    let selected = inventory.select(&arguments.targets)?;
    let printer = context.printer;
    let looks: Vec<Look> = match context.global.verbose {
        0 if !printer.is_json() => inventory.look_at_newest(&selected)?,
        _ => inventory.look(&selected)?,
    };
    let mut followed = freshness(&root)?;
    let is_asked = |name: &String| arguments.targets.is_empty() || arguments.targets.contains(name);
    followed.retain(|(subscription, _)| is_asked(&subscription.name));
    if printer.is_json() {
        let mut items = Vec::new();
        for (item, look) in selected.iter().zip(&looks) {
            items.push(to_json(item, look, &used(&mut inventory, item, look)?));
        }
        let followed: Vec<_> =
            followed.iter().map(|(subscription, state)| as_value(subscription, state)).collect();
        printer
            .json(&json!({ "format": "git-dist/show", "version": 1, "items": items, "follows": followed }))?;
        return Ok(DONE);
    }
    if selected.is_empty() {
        printer.talk("nothing is deployed");
    }
    if context.global.verbose == 0 {
        let mut table = Table::default();
        for (item, look) in selected.iter().zip(&looks) {
            table.row(headline(item, look));
        }
        table.print(printer, "")?;
        return tell_freshness(printer, &followed);
    }
    for (item, look) in selected.iter().zip(&looks) {
        let mut heading = Table::default();
        heading.row(headline(item, look));
        heading.print(printer, "")?;
        let mut versions = Table::default();
        let used = used(&mut inventory, item, look)?;
        for stored in look.stored.iter().rev() {
            let mut cells = version_cells(stored, &look.link, context.global.verbose > 1);
            cells.extend(used.contains(&stored.name).then(|| ("in use".to_owned(), Tone::Changed)));
            versions.row(cells);
        }
        versions.print(printer, "  ")?;
    }
    tell_freshness(printer, &followed)
}

fn tell_freshness(printer: &Printer, followed: &[(Subscription, State)]) -> Result<u8, CliError> {
    for (subscription, state) in followed {
        let tone = if state.failures > 0 { Tone::Bad } else { Tone::Dim };
        printer.line(printer.paint(in_words(subscription, state), tone))?;
    }
    Ok(DONE)
}

/// The versions of which something runs.
fn used(inventory: &mut Inventory, item: &Installed, look: &Look) -> Result<Vec<VersionName>, CliError> {
    let Some(versions) = inventory.shelves.dir(&item.destination)? else { return Ok(Vec::new()) };
    let mut used = Vec::new();
    for stored in &look.stored {
        if is_in_use(&versions, &stored.name)? {
            used.push(stored.name.clone());
        }
    }
    Ok(used)
}

fn to_json(item: &Installed, look: &Look, used: &[VersionName]) -> serde_json::Value {
    let stored = |stored: &Stored| json::stored(stored, &look.link, used.contains(&stored.name));
    json!({
        "target": item.target,
        "destination": item.destination.as_str(),
        "active": look.active().map(ToString::to_string),
        "state": state(item, look),
        "versions": look.stored.iter().map(stored).collect::<Vec<_>>(),
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

fn headline(item: &Installed, look: &Look) -> Vec<(String, Tone)> {
    let version = look.active().map_or_else(|| "-".to_owned(), VersionName::tail);
    let mut cells = vec![
        (item.target.clone(), Tone::Strong),
        (item.destination.as_str().to_owned(), Tone::Plain),
        (version, Tone::Good),
    ];
    if let Some(state) = state(item, look) {
        cells.push((format!("({state})"), Tone::Bad));
    }
    let position = look.stored.iter().position(|stored| Some(&stored.name) == look.active());
    let newer = position.map_or(&[][..], |position| &look.stored[position + 1..]);
    let newer = newer.iter().filter(|stored| !stored.is_bad()).count();
    if newer > 0 {
        cells.push((format!("({newer} newer on disk)"), Tone::Changed));
    }
    cells
}

fn version_cells(stored: &Stored, link: &Link, with_commit: bool) -> Vec<(String, Tone)> {
    let is_active = link.version() == Some(&stored.name);
    let (mark, tone) = if is_active { ("*", Tone::Good) } else { (" ", Tone::Plain) };
    let mut cells = vec![(mark.to_owned(), tone), (stored.name.tail(), tone)];
    let Some(record) = &stored.record else {
        cells.push(("unverified".to_owned(), Tone::Dim));
        return cells;
    };
    cells.push((to_the_second(&record.created_at), Tone::Dim));
    if with_commit {
        cells.push((record.author.clone(), Tone::Plain));
        cells.push((record.subject.clone(), Tone::Plain));
        if let Some(signature) = &record.signature {
            cells.push((format!("signed by {signature}"), Tone::Plain));
        }
    }
    if record.is_bad() {
        let reason = record.reason.as_deref().unwrap_or("no reason given");
        cells.push((format!("bad: {reason}"), Tone::Bad));
    }
    cells
}

/// A time as people read it: `2026-11-20T07:09:16.123Z` without the fraction.
fn to_the_second(time: &str) -> String {
    match time.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => time.to_owned(),
    }
}
