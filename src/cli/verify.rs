//! `git dist verify`: hash again, and repair.

use std::path::Path;

use serde_json::json;

use super::args::Verify;
use super::context::Context;
use super::error::{CliError, DIFFERENT, DONE};
use super::printer::{Printer, Tone};
use crate::inventory::{Installed, Look};
use crate::plan::{Action, Item, Kind};
use crate::rollout::{RolloutError, Session, repair};
use crate::source::git::Repository;
use crate::spelling::counted;
use crate::version::{Checked, Difference, Link, Record, Stored, check};

/// A version that was checked.
struct Verified<'a> {
    installed: &'a Installed,
    stored: &'a Stored,
    checked: Option<Checked>,
}

pub(super) fn run(context: &Context<'_>, arguments: &Verify) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let (root, mut inventory) = context.inventory(project.as_ref())?;
    let selected = inventory.select(&arguments.targets)?;
    let looks = inventory.look(&selected)?;
    let mut verified = Vec::new();
    let mut broken = Vec::new();
    for (installed, look) in selected.iter().zip(&looks) {
        if let (Some(active), None) = (look.active(), look.active_stored()) {
            broken.push((installed, active));
        }
        for stored in look.stored.iter().filter(|stored| arguments.all || is_active(look, stored)) {
            let checked = match (&stored.record, inventory.shelves.dir(&installed.destination)?) {
                (Some(record), Some(versions)) => {
                    Some(check(versions, &stored.name, record).map_err(RolloutError::from)?)
                }
                (None, Some(versions)) if Record::is_damaged(versions, &stored.name.to_string())? => {
                    let difference = Difference { path: "".into(), what: "its record is damaged" };
                    Some(Checked { differences: vec![difference], ..Checked::default() })
                }
                _ => None,
            };
            verified.push(Verified { installed, stored, checked });
        }
    }
    let printer = context.printer;
    if printer.is_json() {
        show_json(printer, &verified)?;
    } else {
        show(context, &verified)?;
    }
    for (installed, active) in &broken {
        printer.warn(
            format!(
                "`{}` leads to version {}, which is not there",
                installed.destination.as_str(),
                active.tail()
            ),
            Some("`git dist reset` activates the newest good version, `git dist` deploys again"),
        );
    }
    let damaged: Vec<&Verified<'_>> = verified.iter().filter(|verified| verified.is_damaged()).collect();
    if damaged.is_empty() {
        return Ok(if broken.is_empty() { DONE } else { DIFFERENT });
    }
    if !arguments.repair || context.global.dry_run {
        return Ok(DIFFERENT);
    }
    let repository = Repository::discover(Path::new(".")).map_err(RolloutError::from)?;
    let items =
        damaged.iter().filter_map(|verified| Some((verified.item(), verified.stored.record.clone()?)));
    let items: Vec<_> = items.collect();
    let bar = context.bar();
    let session = Session::begin(&root, Kind::Repair, &bar)?;
    let report = repair(session, &repository, (Path::new("."), &context.process), &items, None, &bar)?;
    super::deploy::note_changes(printer, &report.items);
    if !printer.is_json() {
        super::deploy::show_items(printer, &report)?;
    }
    printer.talk(format!("exported {} again", counted(items.len(), "version")));
    let lost = damaged.len() - items.len();
    if lost > 0 {
        let versions = counted(lost, "version");
        printer.warn(
            format!("{versions} cannot be exported again: the record does not say from what"),
            Some("`git dist` deploys a whole version beside it"),
        );
    }
    Ok(if broken.is_empty() && lost == 0 { DONE } else { DIFFERENT })
}

fn is_active(look: &Look, stored: &Stored) -> bool {
    look.link == Link::Version(stored.name.clone())
}

impl Verified<'_> {
    fn is_damaged(&self) -> bool {
        self.checked.as_ref().is_some_and(|checked| !checked.differences.is_empty())
    }

    fn item(&self) -> Item {
        Item {
            target: self.installed.target.clone(),
            source: String::new(),
            destination: self.installed.destination.clone(),
            from: self.installed.destination.link().ok().and_then(|link| match link {
                Link::Version(name) => Some(name),
                _ => None,
            }),
            action: Action::Repair { version: self.stored.name.clone() },
            warnings: Vec::new(),
        }
    }
}

fn show(context: &Context<'_>, verified: &[Verified<'_>]) -> Result<(), CliError> {
    let printer = context.printer;
    for entry in verified {
        let (verdict, tone) = match &entry.checked {
            None => ("unverified: it has no record", Tone::Dim),
            Some(checked) if checked.differences.is_empty() => ("ok", Tone::Good),
            Some(_) => ("DAMAGED", Tone::Bad),
        };
        printer.line(format!(
            "{}  {}  {}  {}",
            printer.paint(&entry.installed.target, Tone::Strong),
            printer.paint(entry.installed.destination.as_str(), Tone::Plain),
            printer.paint(entry.stored.name.tail(), Tone::Plain),
            printer.paint(verdict, tone)
        ))?;
        let Some(checked) = &entry.checked else { continue };
        for difference in &checked.differences {
            let path = if difference.path.is_empty() { ".".into() } else { difference.path.to_string() };
            printer.line(format!(
                "  {}  {}",
                printer.paint(path, Tone::Plain),
                printer.paint(difference.what, Tone::Bad)
            ))?;
        }
        if context.global.verbose > 0 {
            for leftover in &checked.leftovers {
                let path = printer.paint(leftover.to_string(), Tone::Dim);
                printer
                    .line(format!("  {path}  {}", printer.paint("left behind by a program", Tone::Dim)))?;
            }
        }
    }
    let damaged = verified.iter().filter(|entry| entry.is_damaged()).count();
    let text = match damaged {
        0 => format!("{}, all as deployed", counted(verified.len(), "version")),
        _ => format!("{damaged} of {} damaged", counted(verified.len(), "version")),
    };
    printer.talk(text);
    Ok(())
}

fn show_json(printer: &Printer, verified: &[Verified<'_>]) -> Result<(), CliError> {
    let items: Vec<_> = verified
        .iter()
        .map(|entry| {
            let checked = entry.checked.clone().unwrap_or_default();
            let differences = checked.differences.iter();
            json!({
                "target": entry.installed.target,
                "destination": entry.installed.destination.as_str(),
                "version": entry.stored.name.to_string(),
                "verified": entry.checked.is_some(),
                "differences": differences
                    .map(|difference| json!({ "path": difference.path.to_string(), "what": difference.what }))
                    .collect::<Vec<_>>(),
                "leftovers": checked.leftovers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        })
        .collect();
    printer.json(&json!({ "format": "git-dist/verify", "version": 1, "items": items }))
}
