//! `git dist hook status`: what is installed, and what it did last.

use serde_json::{Value, json};

use super::repository;
use crate::cli::context::Context;
use crate::cli::error::{CliError, DONE};
use crate::cli::printer::{Printer, Tone};
use crate::hook::{
    self, HookState, HookStatus, Mechanism, Record, RecordedResult, Settings, Status, Widening,
};

pub(super) fn status(context: &Context<'_>) -> Result<u8, CliError> {
    let repository = repository()?;
    let status = hook::status(&repository, &hook::own_binary()?)?;
    let printer = context.printer;
    if printer.is_json() {
        let mut value = json!({ "format": "git-dist/hook-status", "version": 1 });
        if let (Value::Object(into), Ok(Value::Object(more))) = (&mut value, serde_json::to_value(&status)) {
            into.extend(more);
        }
        printer.json(&value)?;
        return Ok(DONE);
    }
    show_settings(printer, &status, repository.work_tree.is_none())?;
    for hook in &status.hooks {
        let is_foreign = matches!(hook.state, HookState::Absent | HookState::Foreign);
        if hook.wanted || !is_foreign {
            show_hook(printer, hook)?;
        }
    }
    advise(printer, &status);
    Ok(DONE)
}

fn is_any_installed(status: &Status) -> bool {
    status.hooks.iter().any(|hook| !matches!(hook.state, HookState::Absent | HookState::Foreign))
}

/// When hooks deploy, as the start of a sentence.
pub(super) fn occasions(settings: &Settings, branch: &str, is_bare: bool) -> String {
    if is_bare {
        return format!("every push to `{branch}`");
    }
    let is_on = |widening| settings.on.contains(&widening);
    match (is_on(Widening::Commit), is_on(Widening::Checkout)) {
        (false, false) => format!("every merge, pull or rebase of `{branch}`"),
        (true, false) => format!("every commit, merge, pull or rebase of `{branch}`"),
        (false, true) => format!("every merge, pull, rebase or checkout of `{branch}`"),
        (true, true) => format!("every commit, merge, pull, rebase or checkout of `{branch}`"),
    }
}

fn show_settings(printer: &Printer, status: &Status, is_bare: bool) -> Result<(), CliError> {
    let settings = &status.settings;
    let row = |name: &str, value: String| {
        printer.line(format!(
            "{} {}",
            printer.paint(format!("{name:<13}"), Tone::Dim),
            printer.paint(value, Tone::Plain)
        ))
    };
    let when = match &settings.branch {
        _ if !is_any_installed(status) => "never: no hook of git dist is installed here".to_owned(),
        None => "never: `dist.branch` is not set".to_owned(),
        Some(_) if !settings.auto => "never: `dist.auto` is false".to_owned(),
        Some(branch) => occasions(settings, branch, is_bare),
    };
    row("deploys on", when)?;
    row("targets", if settings.targets.is_empty() { "all".to_owned() } else { settings.targets.join(", ") })?;
    if let Some(manifest) = &settings.manifest {
        row("manifest", manifest.clone())?;
    }
    let roots: Vec<String> = settings.roots.iter().map(|root| root.display().to_string()).collect();
    row("roots", if roots.is_empty() { "none".to_owned() } else { roots.join(", ") })?;
    row("commands", if settings.allow_commands { "allowed" } else { "refused" }.to_owned())?;
    if settings.require_signed {
        row("signatures", "required".to_owned())?;
    }
    let place = match status.mechanism {
        Mechanism::Config => "the repository's configuration".to_owned(),
        Mechanism::Files if status.hooks_dir_inside => status.hooks_dir.display().to_string(),
        Mechanism::Files => format!("{} (outside of the repository)", status.hooks_dir.display()),
    };
    row("hooks in", place)?;
    row("log", status.log.display().to_string())
}

fn show_hook(printer: &Printer, hook: &HookStatus) -> Result<(), CliError> {
    let tone = match hook.state {
        HookState::Installed => Tone::Good,
        HookState::Absent | HookState::Foreign if !hook.wanted => Tone::Dim,
        _ => Tone::Bad,
    };
    let state = printer.paint(hook.state.words(), tone);
    printer
        .line(format!("{} {state}", printer.paint(format!("{:<13}", hook.hook.as_str()), Tone::Strong)))?;
    if hook.last != hook.last_deployment
        && let Some(last) = &hook.last
    {
        printer.line(record_line(printer, last))?;
    }
    if let Some(last) = &hook.last_deployment {
        printer.line(record_line(printer, last))?;
    }
    Ok(())
}

fn record_line(printer: &Printer, record: &Record) -> String {
    let tone = match record.result {
        RecordedResult::Deployed | RecordedResult::Unchanged => Tone::Good,
        RecordedResult::Skipped => Tone::Dim,
        RecordedResult::Started | RecordedResult::Refused | RecordedResult::Failed => Tone::Bad,
    };
    let commit =
        record.commit.as_deref().map_or_else(String::new, |id| format!(" {}", id.get(..7).unwrap_or(id)));
    format!(
        "  {} {}{}: {}",
        printer.paint(&record.when, Tone::Dim),
        printer.paint(record.result.as_str(), tone),
        printer.paint(commit, Tone::Plain),
        printer.paint(&record.message, Tone::Plain),
    )
}

fn advise(printer: &Printer, status: &Status) {
    if !is_any_installed(status) {
        printer.talk("`git dist hook install` writes the hooks");
        return;
    }
    if status.settings.roots.is_empty() {
        printer.warn(
            "hooks deploy nothing, because no `dist.root` says where they may",
            Some("`git dist hook install`, once more, writes it down"),
        );
    }
    let is_foreign = |hook: &HookStatus| matches!(hook.state, HookState::Absent | HookState::Foreign);
    let is_broken =
        |hook: &HookStatus| hook.state != HookState::Installed && (hook.wanted || !is_foreign(hook));
    let broken: Vec<&str> =
        status.hooks.iter().filter(|hook| is_broken(hook)).map(|hook| hook.hook.as_str()).collect();
    if !broken.is_empty() {
        let told = format!("these hooks do not deploy as they should: {}", broken.join(", "));
        printer.warn(told, Some("`git dist hook install` writes them anew"));
    }
}
