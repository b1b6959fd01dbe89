//! `git dist`: deploy.

use std::path::Path;

use super::args::Deploy;
use super::context::Context;
use super::error::{CliError, DONE, USAGE};
use super::json;
use super::printer::{Printer, Tone};
use super::table::Table;
use super::uncommitted;
use crate::disk::Shown;
use crate::log_file::Level;
use crate::manifest::Manifest;
use crate::plan::{Action, Consent, Item, Kind};
use crate::project::{Opening, Project};
use crate::rollout::{Admitted, DeployRequest, Prepared, Report, RolloutError, Session, admit, plan_deploy};
use crate::spelling::nearest;
use crate::version::VersionName;

pub(super) fn run(context: &Context<'_>, arguments: &Deploy) -> Result<u8, CliError> {
    if let Some(location) = arguments.location.as_deref().filter(|location| !location.exists()) {
        return Err(no_such_command(location));
    }
    if arguments.destination.is_some() && arguments.source.is_none() && arguments.targets.is_empty() {
        let message = "`--dest` needs `--source` or `--target` to say what goes there".to_owned();
        return Err(CliError::Told { message, hint: None, code: USAGE });
    }
    let revision = arguments.revision.as_deref().unwrap_or("HEAD");
    let opening = Opening {
        start: context.location(),
        revision,
        manifest: arguments.manifest.as_deref(),
        worktree: arguments.worktree,
        // `--source P --dest P` needs no manifest.
        otherwise: arguments.source.as_ref().and(arguments.destination.as_ref()).map(|_| Manifest::empty()),
    };
    let project = context.open(opening)?;
    let project = admit(&project)?;
    context.keep_log(&project.environment);
    context.tell_doubts(&project);
    let request = DeployRequest {
        targets: arguments.targets.clone(),
        source: arguments.source.clone(),
        destination: arguments.destination.as_deref().map(absolute_destination),
        consent: Consent {
            force: arguments.force,
            adopt: arguments.adopt || context.global.yes,
            named_revision: arguments.revision.is_some(),
            version_only: arguments.version_only,
        },
        all: arguments.all,
        ignore_missing: arguments.ignore_missing,
        unattended: false,
        trigger: None,
        subscription: None,
        why: arguments.message.clone(),
    };
    deploy(context, &project, request)
}

/// `git dist lgo` is read as a deploy of the folder `lgo`; what was meant is a command.
fn no_such_command(location: &Path) -> CliError {
    let word = location.to_string_lossy();
    let command = super::args::command();
    let near = nearest(&word, command.get_subcommands().map(clap::Command::get_name));
    let hint = match near {
        Some(near) => format!("did you mean `git dist {near}`?"),
        None => "`git dist -h` lists the commands".to_owned(),
    };
    let message = format!("there is no command and no folder `{}`", Shown(location));
    CliError::Told { message, hint: Some(hint), code: USAGE }
}

/// `--dest` as an absolute path: what is relative is so to where the user stands, as every path on a command line.
/// One that starts with a `{VAR}` is not.
fn absolute_destination(text: &str) -> String {
    if text.starts_with('{') {
        return text.to_owned();
    }
    let absolute = std::path::absolute(text).ok().and_then(|path| path.into_os_string().into_string().ok());
    absolute.unwrap_or_else(|| text.to_owned())
}

/// Plans, asks where something is in the way, and carries out.
pub(super) fn deploy(
    context: &Context<'_>,
    project: &Admitted<'_>,
    mut request: DeployRequest,
) -> Result<u8, CliError> {
    let printer = context.printer;
    let root = project.root()?;
    if !context.global.dry_run {
        context.settle(&root, Kind::Deploy)?;
    }
    let snapshot = project.snapshot();
    let mut prepared = plan_deploy(project, snapshot.as_ref(), &request)?;
    project.check(&prepared)?;
    tell_missing(printer, &prepared);
    if context.global.dry_run {
        prepared.look_over(&request)?;
        return show_plan(printer, project, &prepared, &request);
    }
    if prepared.occupied().next().is_some() && ask_to_adopt(printer, &prepared) {
        request.consent.adopt = true;
    }
    let refused = prepared.refused(&request);
    if !refused.is_empty() && !request.consent.adopt {
        return Err(RolloutError::Refused(refused).into());
    }
    if !prepared.plan.is_change() && refused.is_empty() {
        project.settle(&context.bar())?;
        prepared.settle(project, &request, &context.bar())?;
        return nothing_to_do(printer, project, &prepared, context.global.verbose > 0);
    }
    let report = {
        let bar = context.bar();
        let session = Session::begin(&root, prepared.plan.kind, &bar)?;
        // What was planned before the lock was taken may be stale.
        prepared = plan_deploy(project, snapshot.as_ref(), &request)?;
        prepared.execute(session, project, snapshot.as_ref(), &request, &bar)?
    };
    printer.report(show_report(printer, project, &report))
}

fn tell_missing(printer: &Printer, prepared: &Prepared) {
    for missing in &prepared.missing {
        printer.warn(format!("target `{}`: nothing matches `{}`", missing.target, missing.source), None);
    }
}

fn ask_to_adopt(printer: &Printer, prepared: &Prepared) -> bool {
    for item in prepared.occupied() {
        if let Action::Refuse(refusal) = &item.action {
            printer.talk(format!("{}: {}", item.destination.as_str(), refusal.message()));
        }
    }
    printer.ask("move aside and deploy?")
}

fn revision_of(project: &Project) -> Option<(String, String)> {
    project.revision().map(|revision| (revision.asked.clone(), revision.commit.to_string()))
}

fn headline(project: &Project) -> Result<String, CliError> {
    let what = match (project.revision(), project.count()?) {
        (Some(revision), Some(count)) => {
            let name = revision.branch.as_deref().unwrap_or(&revision.asked);
            let subject = &revision.subject;
            let worktree = if project.from_worktree { "the working tree at " } else { "" };
            format!("{worktree}{name} {count}.{} \"{subject}\"", revision.short())
        }
        _ => project.base.to_string(),
    };
    Ok(what + &project.root().map(|root| format!(" -> {}", Shown(root.path()))).unwrap_or_default())
}

fn show_plan(
    printer: &Printer,
    project: &Project,
    prepared: &Prepared,
    request: &DeployRequest,
) -> Result<u8, CliError> {
    let revision = revision_of(project);
    let revision = revision.as_ref().map(|(asked, commit)| (asked.as_str(), commit.as_str()));
    if printer.is_json() {
        printer.json(&json::plan("deploy", revision, &prepared.plan.items, &prepared.commands(project)))?;
    } else {
        printer.talk(format!("would deploy {}", headline(project)?));
        show_plan_items(printer, &prepared.plan.items)?;
        for line in prepared.commands(project) {
            printer.talk(format!("would run: {line}"));
        }
        printer.talk("dry run: nothing was changed");
    }
    let refused = prepared.refused(request);
    if refused.is_empty() { Ok(DONE) } else { Err(RolloutError::Refused(refused).into()) }
}

fn nothing_to_do(
    printer: &Printer,
    project: &Admitted<'_>,
    prepared: &Prepared,
    is_verbose: bool,
) -> Result<u8, CliError> {
    let report = prepared.nothing_to_do(project);
    let revision = revision_of(project);
    let revision = revision.as_ref().map(|(asked, commit)| (asked.as_str(), commit.as_str()));
    if printer.is_json() {
        printer.json(&json::report(&report, revision))?;
        return Ok(DONE);
    }
    for item in report.items.iter().filter(|item| item.action.is_refusal()) {
        printer.line(item_line(printer, item))?;
    }
    let count = report.items.len();
    printer.talk(format!("nothing to do: {} at {}", destinations(count), headline(project)?));
    if printer.may_draw() || is_verbose {
        uncommitted::tell(printer, project, &report.items);
    }
    Ok(DONE)
}

fn destinations(count: usize) -> String {
    if count == 1 { "1 destination is".to_owned() } else { format!("{count} destinations are") }
}

fn show_report(printer: &Printer, project: &Project, report: &Report) -> Result<(), CliError> {
    let revision = revision_of(project);
    let revision = revision.as_ref().map(|(asked, commit)| (asked.as_str(), commit.as_str()));
    note_changes(printer, &report.items);
    if printer.is_json() {
        printer.note(Level::Info, done(project, report)?);
        return printer.json(&json::report(report, revision));
    }
    show_items(printer, report)?;
    printer.talk(done(project, report)?);
    Ok(())
}

fn done(project: &Project, report: &Report) -> Result<String, CliError> {
    let number = report.number.map(|number| format!("r{number}: ")).unwrap_or_default();
    let verb = if report.number.is_some() { "deployed" } else { "nothing to do for" };
    Ok(format!("{number}{verb} {}", headline(project)?))
}

/// Writes what changed to the log.
pub(super) fn note_changes(printer: &Printer, items: &[Item]) {
    for item in items.iter().filter(|item| item.action.is_change()) {
        let cells: Vec<String> = cells(item).into_iter().map(|(text, _)| text).collect();
        printer.note(Level::Info, cells.join("  "));
    }
}

/// The items of a report, what was pruned, and what is left to the next run.
pub(super) fn show_items(printer: &Printer, report: &Report) -> Result<(), CliError> {
    if !printer.is_quiet() {
        show_plan_items(printer, &report.items)?;
    }
    for (destination, version) in &report.pruned {
        printer.talk(format!("pruned {} of {}", version.tail(), Shown(destination)));
    }
    show_kept(printer, report);
    if let Some(left_out) = &report.left_out {
        printer.warn(left_out, Some("run what they do yourself"));
    }
    for warning in &report.warnings {
        printer.warn(warning, Some("the next run tries again"));
    }
    Ok(())
}

/// What was not removed because it is in use.
pub(super) fn show_kept(printer: &Printer, report: &Report) {
    for (destination, version) in report.in_use.iter().filter(|_| printer.is_verbose()) {
        printer.talk(format!("kept {} of {}: it is in use", version.tail(), Shown(destination)));
    }
}

/// Unchanged items that are listed beside others; more are counted.
const MOST_UNCHANGED: usize = 20;

/// The items of a plan, one line each, in columns.
pub(super) fn show_plan_items(printer: &Printer, items: &[Item]) -> Result<(), CliError> {
    let is_unchanged = |item: &&Item| matches!(item.action, Action::Unchanged { .. });
    let unchanged = items.iter().filter(is_unchanged).count();
    // A thousand that stay would bury the one that changes.
    let is_buried = unchanged > MOST_UNCHANGED && unchanged < items.len();
    let mut table = Table::default();
    for item in items.iter().filter(|item| !(is_buried && is_unchanged(item))) {
        table.row(cells(item));
    }
    table.print(printer, "")?;
    if is_buried {
        printer.line(printer.paint(format!("unchanged  {unchanged} others"), Tone::Dim))?;
    }
    Ok(())
}

/// One item in one line.
pub(super) fn item_line(printer: &Printer, item: &Item) -> String {
    let cells: Vec<String> = cells(item).into_iter().map(|(text, tone)| printer.paint(text, tone)).collect();
    cells.join("  ")
}

/// What happens, to which target, where, from what to what.
fn cells(item: &Item) -> Vec<(String, Tone)> {
    let (tone, change) = change(item);
    let mut cells = vec![
        (item.action.word().to_owned(), tone),
        (item.target.clone(), Tone::Strong),
        (item.destination.as_str().to_owned(), Tone::Plain),
        (change, tone),
    ];
    if !item.warnings.is_empty() {
        cells.push((format!("({})", item.warnings.join("; ")), Tone::Changed));
    }
    cells
}

/// What changes at one item, in words.
pub(super) fn change(item: &Item) -> (Tone, String) {
    let tail = VersionName::tail;
    let from = item.from.as_ref().map_or_else(|| "new".to_owned(), tail);
    match &item.action {
        Action::Create { name, .. } => (Tone::Good, format!("{from} -> {}", name.tail())),
        Action::Relink { to, .. } => (Tone::Changed, format!("{from} -> {}", to.tail())),
        Action::Unchanged { version } => (Tone::Dim, version.tail()),
        Action::Remove { versions, unlink } => {
            let names: Vec<String> = versions.iter().map(tail).collect();
            let whole = if *unlink { "the destination and " } else { "" };
            let names = if names.is_empty() { "no version".to_owned() } else { names.join(", ") };
            (Tone::Changed, format!("{whole}{names}"))
        }
        Action::Repair { version } => (Tone::Changed, version.tail()),
        Action::Skip { reason } => (Tone::Dim, reason.clone()),
        Action::Refuse(refusal) => (Tone::Bad, refusal.message()),
    }
}
