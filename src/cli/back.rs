//! `git dist rollback`, `use`, `reset`, `delete` and `prune`.

use std::collections::HashMap;

use super::args::{Delete, Prune, Reset, Rollback, Use};
use super::context::Context;
use super::deploy::{item_line, note_changes, show_items, show_plan_items};
use super::error::{CliError, DONE, FAILED, USAGE};
use super::json;
use super::spelling::asked;
use crate::inventory::{Installed, Inventory};
use crate::manifest::Settings;
use crate::plan::{Action, Asked, Back, Item, Kind, Plan};
use crate::project::Project;
use crate::rollout::{Choice, RolloutError, Session, Switch, carry_out, plan_choice};

pub(super) fn rollback(context: &Context<'_>, arguments: &Rollback) -> Result<u8, CliError> {
    let why = arguments.message.clone();
    let choice = match (&arguments.to, &arguments.rollout, arguments.steps) {
        (Some(to), _, _) => match rollout_number(to) {
            Some(rollout) => Choice::RollbackTo { rollout, after: true, why: why.clone() },
            None => Choice::Rollback { back: Back::To(to.clone()), why: why.clone() },
        },
        (_, Some(id), _) => {
            let rollout = rollout_number(id).or_else(|| id.parse().ok()).ok_or_else(|| CliError::Told {
                message: format!("`{id}` is no rollout"),
                hint: Some("`git dist log` lists them".to_owned()),
                code: USAGE,
            })?;
            Choice::RollbackTo { rollout, after: false, why: why.clone() }
        }
        (_, _, Some(0)) => {
            let message = "`--steps 0` goes nowhere".to_owned();
            return Err(CliError::Told { message, hint: None, code: USAGE });
        }
        (_, _, steps) => Choice::Rollback { back: Back::Steps(steps.unwrap_or(1)), why: why.clone() },
    };
    let run = Run::begin(context, Kind::Rollback)?;
    let mut selected = run.inventory.select(&arguments.targets)?;
    if let Choice::RollbackTo { rollout, after, .. } = &choice {
        let Some(found) = run.inventory.history.rollout(*rollout) else {
            return Err(CliError::Told {
                message: format!("there is no rollout r{rollout}"),
                hint: Some("`git dist log` lists them".to_owned()),
                code: FAILED,
            });
        };
        let touched = |item: &Installed| {
            let path = item.destination.as_str();
            if *after {
                run.inventory.history.until(*rollout).activations().contains_key(path)
            } else {
                found.items.iter().any(|change| !change.inactive && change.destination == path)
            }
        };
        selected.retain(touched);
    } else if arguments.targets.is_empty() {
        selected = last_rollout(&run.inventory, selected);
    }
    if selected.is_empty() {
        return Err(CliError::Told {
            message: "there is nothing to go back from".to_owned(),
            hint: Some("`git dist show -v` lists what is deployed".to_owned()),
            code: FAILED,
        });
    }
    // Of several destinations some may be new since; they stay, and are told.
    let several = selected.len() > 1;
    run.finish(context, &selected, &choice, why, several)
}

/// The rollout in `r17`.
fn rollout_number(text: &str) -> Option<u64> {
    text.strip_prefix('r')?.parse().ok()
}

/// The destinations whose present version came with the latest rollout that is not taken back.
fn last_rollout(inventory: &Inventory, selected: Vec<Installed>) -> Vec<Installed> {
    let latest = inventory.latest_activation();
    let number =
        |item: &Installed| latest.get(item.destination.as_str()).map(|activation| activation.rollout);
    let Some(newest) = selected.iter().filter_map(number).max() else { return selected };
    selected.into_iter().filter(|item| number(item) == Some(newest)).collect()
}

/// Plans and carries out `choice` for what `targets` name. Of several destinations those that have no such version
/// stay as they are, and are told, as in distman: an item that is new has fewer versions than its neighbours.
pub(super) fn choose(
    context: &Context<'_>,
    targets: &[String],
    choice: &Choice,
    why: Option<String>,
) -> Result<u8, CliError> {
    let run = Run::begin(context, choice.kind())?;
    let selected = run.inventory.select(targets)?;
    let one_version = matches!(choice, Choice::Use(_) | Choice::Delete(Some(_)));
    run.finish(context, &selected, choice, why, one_version && selected.len() > 1)
}

pub(super) fn activate(context: &Context<'_>, arguments: &Use) -> Result<u8, CliError> {
    let by_text = || Asked::Text(arguments.version.clone().unwrap_or_default());
    let asked = asked(arguments.number, arguments.commit.as_ref()).unwrap_or_else(by_text);
    let targets = std::slice::from_ref(&arguments.target);
    choose(context, targets, &Choice::Use(asked), arguments.message.clone())
}

pub(super) fn reset(context: &Context<'_>, arguments: &Reset) -> Result<u8, CliError> {
    choose(context, &arguments.targets, &Choice::Reset, arguments.message.clone())
}

pub(super) fn delete(context: &Context<'_>, arguments: &Delete) -> Result<u8, CliError> {
    let targets = std::slice::from_ref(&arguments.target);
    let version = arguments.version.clone().map(Asked::Text);
    choose(context, targets, &Choice::Delete(version), arguments.message.clone())
}

pub(super) fn prune(context: &Context<'_>, arguments: &Prune) -> Result<u8, CliError> {
    let run = Run::begin(context, Kind::Prune)?;
    let selected = run.inventory.select(&arguments.targets)?;
    let default = usize::try_from(Settings::default().keep).unwrap_or(usize::MAX);
    let keep = match (arguments.keep, &run.project) {
        (None, Some(project)) => keep_by_target(project),
        _ => HashMap::new(),
    };
    let choice = Choice::Prune { keep, otherwise: arguments.keep.unwrap_or(default) };
    run.finish(context, &selected, &choice, None, false)
}

fn keep_by_target(project: &Project) -> HashMap<String, usize> {
    let keep = |spec| usize::try_from(project.manifest.settings_of(spec).keep).unwrap_or(usize::MAX);
    project.manifest.targets.iter().map(|(name, spec)| (name.clone(), keep(spec))).collect()
}

/// A command that works on what is installed.
struct Run {
    project: Option<Project>,
    root: crate::root::Root,
    inventory: Inventory,
}

impl Run {
    fn begin(context: &Context<'_>, kind: Kind) -> Result<Self, CliError> {
        let project = context.project_if_any()?;
        if !context.global.dry_run {
            Session::settle(&context.root(project.as_ref())?, kind, &context.bar())?;
        }
        let (root, inventory) = context.inventory(project.as_ref())?;
        Ok(Self { project, root, inventory })
    }

    /// Plans, asks before something is removed from use, and carries out.
    fn finish(
        mut self,
        context: &Context<'_>,
        selected: &[Installed],
        choice: &Choice,
        why: Option<String>,
        pass_over: bool,
    ) -> Result<u8, CliError> {
        let printer = context.printer;
        let mut plan = plan_choice(&mut self.inventory, selected, choice)?;
        if pass_over {
            leave_what_cannot(context, &mut plan);
        }
        if context.global.dry_run {
            if printer.is_json() {
                printer.json(&json::plan(plan.kind.word(), None, &plan.items, &[]))?;
            } else {
                show_plan_items(printer, &plan.items)?;
                printer.talk("dry run: nothing was changed");
            }
            return refuse(&plan).map(|()| DONE);
        }
        refuse(&plan)?;
        if !plan.items.iter().any(|item| item.action.is_change()) {
            printer.talk("nothing to do");
            return Ok(DONE);
        }
        ask_before_removal(context, &plan)?;
        let about = Switch {
            why,
            author: self.project.as_ref().and_then(|project| project.manifest.author.clone()),
            ..Switch::default()
        };
        let report = {
            let bar = context.bar();
            let session = Session::begin(&self.root, plan.kind, &bar)?;
            // What was planned before the lock was taken may be stale.
            self.inventory = Inventory::take(Some(&session.meta), self.project.as_ref())?;
            plan = plan_choice(&mut self.inventory, selected, choice)?;
            if pass_over {
                plan.items.retain(|item| !matches!(item.action, Action::Refuse(_)));
            }
            carry_out(session, self.project.as_ref(), plan, &about, &bar)?
        };
        note_changes(printer, &report.items);
        if printer.is_json() {
            printer.json(&json::report(&report, None))?;
            return Ok(DONE);
        }
        show_items(printer, &report)?;
        if let Some(number) = report.number {
            printer.talk(format!("r{number}: {} done", report.kind.word()));
        }
        Ok(DONE)
    }
}

fn refuse(plan: &Plan) -> Result<(), CliError> {
    let is_refused = |item: &&Item| matches!(item.action, Action::Refuse(_));
    let refused: Vec<Item> = plan.items.iter().filter(is_refused).cloned().collect();
    if refused.is_empty() { Ok(()) } else { Err(RolloutError::Refused(refused).into()) }
}

/// Takes refused items out of a plan in which others can go on, and says so.
fn leave_what_cannot(context: &Context<'_>, plan: &mut Plan) {
    let can_go_on = plan.items.iter().any(|item| item.action.is_change());
    if !can_go_on {
        return;
    }
    let (refused, rest): (Vec<Item>, Vec<Item>) =
        plan.items.drain(..).partition(|item| matches!(item.action, Action::Refuse(_)));
    for item in refused {
        context.printer.warn(format!("left as it is: {}", crate::rollout::refusal(&item)), None);
    }
    plan.items = rest;
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
