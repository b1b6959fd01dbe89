//! `git dist hook run`: what an installed hook calls.

use std::path::absolute;

use super::Run;
use crate::causes::chain;
use crate::cli::context::Context;
use crate::cli::deploy::{change, note_changes};
use crate::cli::error::{CliError, DONE, FAILED, USAGE};
use crate::hook::{self, Outcome, OutcomeKind, Request};
use crate::plan::{Action, Consent, Item};
use crate::project::{Project, ProjectError};
use crate::rollout::{
    DeployRequest, Permissions, RolloutError, Unattended, admit, deploy_unattended, refusal,
};

pub(super) fn run(context: &Context<'_>, arguments: &Run) -> Result<u8, CliError> {
    let mut call = arguments.call.iter().map(|word| word.to_string_lossy().into_owned());
    let name = call.next().unwrap_or_default();
    let call: Vec<String> = call.collect();
    if context.global.dry_run {
        let message = "a hook that ran has no dry run".to_owned();
        return Err(CliError::Told { message, hint: Some("`git dist -d`".to_owned()), code: USAGE });
    }
    let here = std::path::PathBuf::from(".");
    let directory = |path: &std::path::Path| {
        absolute(path).map_err(|source| CliError::Directory { path: path.to_owned(), source })
    };
    let place = hook::Context {
        git_dir: arguments.git_dir.as_deref().map(directory).transpose()?,
        current_dir: directory(&here)?,
    };
    let mut input = std::io::stdin().lock();
    let ran = hook::run(&place, &name, &call, &mut input, &mut |request| deploy(context, request))?;
    for message in &ran.messages {
        context.printer.talk(format!("git dist: {message}"));
    }
    Ok(ran.exit_code)
}

/// Deploys what a hook wants, and says how it went.
fn deploy(context: &Context<'_>, request: &Request) -> Outcome {
    match attempt(context, request) {
        Ok((_, None)) => {
            outcome(OutcomeKind::Skipped, format!("`{}` has moved on meanwhile", request.branch))
        }
        Ok((project, Some(done))) => told(&project, &done),
        Err(error) => {
            let failed = failed(&error);
            Outcome { exit_code: context.interrupts.exit_code().unwrap_or(failed.exit_code), ..failed }
        }
    }
}

fn attempt(context: &Context<'_>, request: &Request) -> Result<(Project, Option<Unattended>), CliError> {
    let project = Project::open_branch(
        &request.repository.git_dir,
        &request.branch,
        &request.commit,
        request.manifest.as_deref(),
        &context.process,
    )?;
    let permissions = Permissions { commands: request.allow_commands, roots: request.roots.clone() };
    // The root and the log are files that the environment of the commit names.
    permissions.check(&project)?;
    let admitted = admit(&project)?;
    context.keep_log(&project.environment);
    let wanted = DeployRequest {
        targets: request.targets.clone(),
        consent: Consent { named_revision: request.explicit, ..Consent::default() },
        trigger: Some(format!("hook {}", request.hook)),
        ..DeployRequest::default()
    };
    // Where git cannot tell, the commit that the hook was called for is as good as any.
    let is_still_wanted = || request.is_still_tip().unwrap_or(true);
    let bar = context.bar();
    let done = deploy_unattended(&admitted, &wanted, &permissions, &is_still_wanted, &bar)?;
    if let Some(done) = &done {
        note_changes(context.printer, &done.report.items);
    }
    Ok((project, done))
}

fn outcome(kind: OutcomeKind, summary: String) -> Outcome {
    Outcome { kind, exit_code: DONE, summary, detail: String::new(), hint: None }
}

fn told(project: &Project, done: &Unattended) -> Outcome {
    let report = &done.report;
    let (refused, rest): (Vec<&Item>, Vec<&Item>) =
        report.items.iter().partition(|item| matches!(item.action, Action::Refuse(_)));
    let changed: Vec<&Item> = rest.iter().copied().filter(|item| item.action.is_change()).collect();
    let left_alone = || match refused.as_slice() {
        [item] => refusal(item),
        items => format!("{} were rolled back", destinations(items.len())),
    };
    let mut outcome = match (report.number, changed.as_slice()) {
        (Some(number), [item]) => {
            let name = item.destination.as_str();
            outcome(OutcomeKind::Deployed, format!("r{number}: {name} {}", change(item).1))
        }
        (Some(number), items) => {
            outcome(OutcomeKind::Deployed, format!("r{number}: {}", destinations(items.len())))
        }
        (None, _) if !refused.is_empty() => {
            Outcome { exit_code: FAILED, ..outcome(OutcomeKind::Refused, left_alone()) }
        }
        (None, _) if rest.is_empty() => {
            outcome(OutcomeKind::Unchanged, "no target has a source there".to_owned())
        }
        (None, _) => outcome(OutcomeKind::Unchanged, "nothing to do".to_owned()),
    };
    if outcome.kind == OutcomeKind::Deployed && !refused.is_empty() {
        outcome.summary = format!("{}; left alone: {}", outcome.summary, left_alone());
    }
    outcome.hint = refused.first().and_then(|item| match &item.action {
        Action::Refuse(refusal) => Some(by_hand(refusal.hint(&item.target))),
        _ => None,
    });
    outcome.detail = details(project, done).join("\n");
    outcome
}

/// Every item that is not as it was, and every doubt, for the log.
fn details(project: &Project, done: &Unattended) -> Vec<String> {
    let mut lines = Vec::new();
    for item in done.report.items.iter().filter(|item| !matches!(item.action, Action::Unchanged { .. })) {
        let (word, destination) = (item.action.word(), item.destination.as_str());
        lines.push(format!("{word:<9} {}  {destination}  {}", item.target, change(item).1));
        lines.extend(item.warnings.iter().map(|warning| format!("warning: {destination}: {warning}")));
    }
    let missing = done.missing.iter();
    lines.extend(
        missing.map(|gone| format!("warning: target `{}`: nothing matches `{}`", gone.target, gone.source)),
    );
    lines.extend(project.warnings.iter().map(|doubt| format!("warning: {}", doubt.message)));
    lines.extend(done.report.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines
}

fn destinations(count: usize) -> String {
    if count == 1 { "1 destination".to_owned() } else { format!("{count} destinations") }
}

fn failed(error: &CliError) -> Outcome {
    let kind = match error {
        CliError::Project(ProjectError::NoManifest { .. }) => OutcomeKind::Skipped,
        CliError::Rollout(
            RolloutError::Refused(_)
            | RolloutError::Commands { .. }
            | RolloutError::Outside(_)
            | RolloutError::NotSigned { .. },
        ) => OutcomeKind::Refused,
        _ => OutcomeKind::Failed,
    };
    let hint = match error {
        CliError::Rollout(RolloutError::Commands { .. }) => {
            Some("`git dist hook install --allow-commands` lets hooks run them".to_owned())
        }
        _ => error.hint().map(by_hand),
    };
    let summary = match error {
        CliError::Rollout(RolloutError::Refused(items)) if items.len() == 1 => refusal(&items[0]),
        _ => chain(error),
    };
    let exit_code = if kind == OutcomeKind::Skipped { DONE } else { error.code() };
    Outcome { kind, exit_code, summary, detail: error.details().join("\n"), hint }
}

/// A hint for somebody who typed no command that a flag could be added to.
fn by_hand(hint: String) -> String {
    match hint.strip_prefix("`-") {
        Some(rest) => format!("`git dist -{rest}"),
        None => hint,
    }
}
