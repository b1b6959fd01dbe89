//! `git dist verify`: hash again, and repair.

use std::path::Path;

use serde_json::json;

use super::args::Verify;
use super::context::Context;
use super::error::{CliError, DIFFERENT, DONE};
use super::printer::{Printer, Tone};
use crate::activate::is_pending;
use crate::causes::chain;
use crate::plan::Kind;
use crate::project::Project;
use crate::rollout::{Repaired, Session, Verification, Verified, repair, verify};
use crate::source::git::Repository;
use crate::spelling::counted;

pub(super) fn run(context: &Context<'_>, arguments: &Verify) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    if arguments.repair && !context.global.dry_run {
        context.settle(&context.root(project.as_ref())?, Kind::Repair)?;
    }
    let (root, mut inventory) = context.inventory(project.as_ref())?;
    let selected = inventory.select(&arguments.targets)?;
    let discovered = match &project {
        Some(_) => None,
        // Without a manifest there is still what versions were made from.
        None => Repository::discover(Path::new(".")).ok(),
    };
    let repository = project.as_ref().and_then(Project::repository).or(discovered.as_ref());
    let is_settled = match root.open()? {
        Some(meta) => !is_pending(&meta)?,
        None => true,
    };
    let Verification { versions, astray } =
        verify(&mut inventory, &selected, repository, (arguments.all, is_settled))?;
    let printer = context.printer;
    if printer.is_json() {
        show_json(printer, &versions)?;
    } else {
        show(context, &versions)?;
    }
    for (installed, what) in &astray {
        let told = format!("`{}` {what}", installed.destination.as_str());
        printer
            .warn(told, Some("`git dist reset` activates the newest good version, `git dist` deploys again"));
    }
    let verdict = if astray.is_empty() { DONE } else { DIFFERENT };
    let damaged: Vec<Verified> = versions.into_iter().filter(Verified::differs).collect();
    if damaged.is_empty() {
        return Ok(verdict);
    }
    let is_shared = |verified: &Verified| verified.checked.as_ref().is_some_and(|checked| checked.is_shared);
    if !arguments.all && damaged.iter().any(is_shared) {
        printer.warn(
            "other versions share files that were changed",
            Some("`git dist verify --all --repair` checks and repairs them too"),
        );
    }
    if !arguments.repair || context.global.dry_run {
        return Ok(DIFFERENT);
    }
    let bar = context.bar();
    let session = Session::begin(&root, Kind::Repair, &bar)?;
    let place = (Path::new("."), &context.process);
    let Repaired { report, failures } = repair(session, repository, place, &damaged, None, &bar)?;
    drop(bar);
    super::deploy::note_changes(printer, &report.items);
    if !printer.is_json() {
        super::deploy::show_items(printer, &report)?;
    }
    let failed = failures.iter().filter(|(verified, _)| verified.is_damaged).count();
    let exported = damaged.iter().filter(|verified| verified.is_damaged).count() - failed;
    if exported > 0 {
        printer.talk(format!("exported {} again", counted(exported, "version")));
    }
    let is_whole = failures.is_empty();
    for (verified, error) in failures {
        let (destination, version) = (verified.installed.destination.as_str(), verified.stored.name.tail());
        let told = format!("version {version} of `{destination}` cannot be repaired: {}", chain(&error));
        printer.warn(told, CliError::from(error).hint().as_deref());
    }
    Ok(if is_whole { verdict } else { DIFFERENT })
}

fn show(context: &Context<'_>, verified: &[Verified]) -> Result<(), CliError> {
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
    let damaged = verified.iter().filter(|entry| entry.differs()).count();
    let text = match damaged {
        0 => format!("{}, all as deployed", counted(verified.len(), "version")),
        _ => format!("{damaged} of {} damaged", counted(verified.len(), "version")),
    };
    printer.talk(text);
    Ok(())
}

fn show_json(printer: &Printer, verified: &[Verified]) -> Result<(), CliError> {
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
