//! `git dist rollback`, `use`, `reset`, `delete` and `prune`.

use std::collections::HashMap;

use super::args::{Delete, Prune, Reset, Rollback, Use};
use super::context::Context;
use super::deploy::{item_line, note_changes, show_items, show_kept, show_plan_items};
use super::error::{CliError, DONE, FAILED, USAGE};
use super::json;
use super::spelling::asked;
use crate::manifest::Settings;
use crate::plan::{Action, Asked, Back, Item, Plan};
use crate::project::Project;
use crate::rollout::{
    Choice, Chosen, Manner, Report, RolloutError, carry_out, look_over, plan_choice, refusal, select,
};

pub(super) fn rollback(context: &Context<'_>, arguments: &Rollback) -> Result<u8, CliError> {
    let usage = |message: String, hint: Option<&str>| {
        Err(CliError::Told { message, hint: hint.map(ToOwned::to_owned), code: USAGE })
    };
    let choice = match (&arguments.to, &arguments.rollout, arguments.steps) {
        (Some(to), _, _) => match rollout_number(to) {
            Some(rollout) => Choice::RollbackTo { rollout, after: true },
            None => Choice::Rollback(Back::To(to.clone())),
        },
        (_, Some(id), _) => match rollout_number(id).or_else(|| id.parse().ok()) {
            Some(rollout) => Choice::RollbackTo { rollout, after: false },
            None => return usage(format!("`{id}` is no rollout"), Some("`git dist log` lists them")),
        },
        (_, _, Some(0)) => return usage("`--steps 0` goes nowhere".to_owned(), None),
        (_, _, steps) => Choice::Rollback(Back::Steps(steps.unwrap_or(1))),
    };
    choose(context, &arguments.targets, &choice, manner(arguments.message.as_deref(), arguments.force))
}

/// The rollout in `r17`.
fn rollout_number(text: &str) -> Option<u64> {
    text.strip_prefix('r')?.parse().ok()
}

pub(super) fn manner(why: Option<&str>, force: bool) -> Manner<'_> {
    Manner { why, force }
}

/// Plans `choice` for what `targets` name, asks before something is removed from use, and carries it out.
pub(super) fn choose(
    context: &Context<'_>,
    targets: &[String],
    choice: &Choice,
    manner: Manner<'_>,
) -> Result<u8, CliError> {
    choose_in(context, context.project_if_any()?.as_ref(), targets, choice, manner)
}

fn choose_in(
    context: &Context<'_>,
    project: Option<&Project>,
    targets: &[String],
    choice: &Choice,
    manner: Manner<'_>,
) -> Result<u8, CliError> {
    let printer = context.printer;
    if !context.global.dry_run {
        context.settle(&context.root(project)?, choice.kind())?;
    }
    let (root, mut inventory) = context.inventory(project)?;
    let selected = select(&inventory, targets, choice)?;
    let Chosen { mut plan, left, in_use } = plan_choice(&mut inventory, &selected, choice, manner)?;
    for item in &left {
        printer.warn(format!("left as it is: {}", refusal(item)), None);
    }
    if context.global.dry_run {
        look_over(&mut plan, manner)?;
        if printer.is_json() {
            printer.json(&json::plan(plan.kind.word(), None, &plan.items, &[]))?;
        } else {
            show_plan_items(printer, &plan.items)?;
            printer.talk("dry run: nothing was changed");
        }
    }
    let refused = plan.refused();
    if !refused.is_empty() {
        return Err(RolloutError::Refused(refused).into());
    }
    if context.global.dry_run {
        return Ok(DONE);
    }
    if !plan.is_change() {
        let report = Report { in_use, ..Report::nothing(plan) };
        if printer.is_json() {
            printer.json(&json::report(&report, None))?;
        } else {
            show_kept(printer, &report);
        }
        printer.talk("nothing to do");
        return Ok(DONE);
    }
    ask_before_removal(context, &plan)?;
    let bar = context.bar();
    let report = carry_out(&root, &mut inventory, project, &selected, (choice, manner), &bar)?;
    drop(bar);
    note_changes(printer, &report.items);
    if printer.is_json() {
        return printer.report(printer.json(&json::report(&report, None)));
    }
    let shown = show_items(printer, &report);
    if let Some(number) = report.number {
        printer.talk(format!("r{number}: {} done", report.kind.word()));
    }
    printer.report(shown)
}

pub(super) fn activate(context: &Context<'_>, arguments: &Use) -> Result<u8, CliError> {
    let by_text = || Asked::Text(arguments.version.clone().unwrap_or_default());
    let asked = asked(arguments.number, arguments.commit.as_ref()).unwrap_or_else(by_text);
    let targets = std::slice::from_ref(&arguments.target);
    choose(context, targets, &Choice::Use(asked), manner(arguments.message.as_deref(), arguments.force))
}

pub(super) fn reset(context: &Context<'_>, arguments: &Reset) -> Result<u8, CliError> {
    choose(context, &arguments.targets, &Choice::Reset, manner(arguments.message.as_deref(), arguments.force))
}

pub(super) fn delete(context: &Context<'_>, arguments: &Delete) -> Result<u8, CliError> {
    let targets = std::slice::from_ref(&arguments.target);
    let version = arguments.version.clone().map(Asked::Text);
    choose(context, targets, &Choice::Delete(version), manner(arguments.message.as_deref(), arguments.force))
}

pub(super) fn prune(context: &Context<'_>, arguments: &Prune) -> Result<u8, CliError> {
    let project = context.project_if_any()?;
    let keep = match (arguments.keep, &project) {
        (None, Some(project)) => keep_by_target(project),
        _ => HashMap::new(),
    };
    let choice = Choice::Prune { keep, otherwise: arguments.keep.unwrap_or(Settings::default().keep) };
    choose_in(context, project.as_ref(), &arguments.targets, &choice, Manner::default())
}

fn keep_by_target(project: &Project) -> HashMap<String, usize> {
    let keep = |spec| project.manifest.settings_of(spec).keep;
    project.manifest.targets.iter().map(|(name, spec)| (name.clone(), keep(spec))).collect()
}

fn ask_before_removal(context: &Context<'_>, plan: &Plan) -> Result<(), CliError> {
    let unlinked: Vec<&Item> =
        plan.items.iter().filter(|item| matches!(item.action, Action::Remove { unlink: true, .. })).collect();
    if unlinked.is_empty() || context.global.yes {
        return Ok(());
    }
    for item in &unlinked {
        context.printer.talk(item_line(context.printer, item));
    }
    let what = if unlinked.len() == 1 { "this destination" } else { "these destinations" };
    if context.printer.ask(&format!("remove {what} with all versions?")) {
        return Ok(());
    }
    Err(CliError::Told {
        message: format!("not removed: {what} would go with all versions"),
        hint: Some("`-y` says yes".to_owned()),
        code: FAILED,
    })
}
