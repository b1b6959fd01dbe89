//! `git dist diff`: what a deploy would change.

use serde_json::json;

use super::args::Diff;
use super::context::Context;
use super::deploy::item_line;
use super::error::{CliError, DIFFERENT, DONE};
use super::json;
use super::printer::{Printer, Tone};
use crate::causes::chain;
use crate::plan::{Consent, Item};
use crate::rollout::{Change, DeployRequest, FileChange, admit, plan_deploy};

pub(super) fn run(context: &Context<'_>, arguments: &Diff) -> Result<u8, CliError> {
    let printer = context.printer;
    let project = context.project_at(arguments.revision.as_deref().unwrap_or("HEAD"))?;
    context.tell_doubts(&project);
    let snapshot = project.snapshot();
    // The question is what would change, not whether it may.
    let consent = Consent { force: true, adopt: true, named_revision: true, version_only: false };
    let request = DeployRequest { targets: arguments.targets.clone(), consent, ..DeployRequest::default() };
    let prepared = plan_deploy(&project, snapshot.as_ref(), &request)?;
    let changes = prepared.file_changes(snapshot.as_ref())?;
    let is_different = changes.iter().any(|(item, _)| item.action.is_change());
    if printer.is_json() {
        let items: Vec<_> = changes
            .iter()
            .map(|(item, files)| {
                let mut value = json::item(item);
                value["files"] = files_json(files);
                value
            })
            .collect();
        printer.json(&json!({
            "format": "git-dist/diff",
            "version": 1,
            "revision": project.revision().map(|revision| revision.asked.clone()),
            "commit": project.revision().map(|revision| revision.commit.to_string()),
            "items": items,
        }))?;
    } else {
        for (item, files) in changes.iter().filter(|(item, _)| item.action.is_change()) {
            printer.line(item_line(printer, item))?;
            show_files(printer, item, files)?;
        }
        if !is_different {
            printer.talk("a deploy would change nothing");
        }
    }
    if let Err(error) = admit(&project) {
        let error = CliError::from(error);
        printer.warn(format!("a deploy would be refused: {}", chain(&error)), error.hint().as_deref());
    }
    Ok(if is_different && arguments.exit_code { DIFFERENT } else { DONE })
}

/// Files that differ, one line each.
pub(super) fn show_files(printer: &Printer, item: &Item, files: &[FileChange]) -> Result<(), CliError> {
    for file in files {
        let tone = match file.change {
            Change::Added => Tone::Good,
            Change::Deleted => Tone::Bad,
            Change::Modified | Change::Mode => Tone::Changed,
        };
        let letter = printer.paint(file.change.letter().to_string(), tone);
        let below = printer.paint(file.path.to_string(), Tone::Plain);
        let base = printer.paint(item.destination.base(), Tone::Plain);
        let separator = if below.is_empty() { "" } else { "/" };
        printer.line(format!("  {letter} {base}{separator}{below}"))?;
    }
    Ok(())
}

/// Files that differ, for programs.
pub(super) fn files_json(files: &[FileChange]) -> serde_json::Value {
    let file = |file: &FileChange| json!({ "path": file.path.to_string(), "change": file.change.letter().to_string() });
    files.iter().map(file).collect()
}
