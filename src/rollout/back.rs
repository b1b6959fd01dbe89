//! Rollback, use, reset, delete and prune: plans over what is installed, without any source.

use std::collections::HashMap;
use std::path::PathBuf;

use super::damage::refuse_all_damaged;
use super::prune::used;
use super::{Events, Report, Result, RolloutError, Session, Switch, admit};
use crate::causes::chain;
use crate::history::History;
use crate::inventory::{Installed, Inventory, Look};
use crate::plan::{self, Action, Asked, Back, Item, Kind, Plan, Refusal};
use crate::project::Project;
use crate::root::Root;
use crate::version::{Shelves, VersionName};

/// What is asked of the selected destinations.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Go back this far.
    Rollback(Back),
    /// Go back to before this rollout, or to after it if `after` is set.
    RollbackTo {
        /// The rollout's number.
        rollout: u64,
        /// What it made active is meant, not what it replaced.
        after: bool,
    },
    /// Activate this version.
    Use(Asked),
    /// Activate the newest good version.
    Reset,
    /// Remove this version, or the whole destination.
    Delete(Option<Asked>),
    /// Remove versions beyond what is kept, and what left dist.json.
    Prune {
        /// How many good versions each target keeps besides the active and the previous one.
        keep: HashMap<String, usize>,
        /// For targets that are not in the map.
        otherwise: usize,
    },
}

impl Choice {
    /// The kind of rollout that this is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Rollback(_) | Self::RollbackTo { .. } => Kind::Rollback,
            Self::Use(_) => Kind::Use,
            Self::Reset => Kind::Reset,
            Self::Delete(_) => Kind::Delete,
            Self::Prune { .. } => Kind::Prune,
        }
    }

    /// True if of several destinations those that have no such version stay as they are: an item that is new has
    /// fewer versions than its neighbours.
    fn passes_over(&self) -> bool {
        matches!(self, Self::Rollback(_) | Self::RollbackTo { .. } | Self::Use(_) | Self::Delete(Some(_)))
    }
}

/// The destinations that `choice` is made for when `targets` are named. A rollback that names none takes the last
/// rollout back, with all that it changed.
///
/// # Errors
/// When a name matches nothing, or there is nothing to go back from.
pub fn select(inventory: &Inventory, targets: &[String], choice: &Choice) -> Result<Vec<Installed>> {
    let mut selected = inventory.select(targets)?;
    match choice {
        Choice::RollbackTo { rollout, after } => {
            let found =
                inventory.history.rollout(*rollout).ok_or(RolloutError::NoRollout { number: *rollout })?;
            let then = inventory.history.until(*rollout);
            let activations = then.activations();
            selected.retain(|item| {
                let path = item.destination.as_str();
                let is_changed =
                    || found.items.iter().any(|change| !change.inactive && change.destination == path);
                if *after { activations.contains_key(path) } else { is_changed() }
            });
        }
        Choice::Rollback(_) if targets.is_empty() => selected = last_rollout(inventory, selected),
        _ => {}
    }
    if selected.is_empty() && choice.kind() == Kind::Rollback {
        return Err(RolloutError::NothingBefore);
    }
    Ok(selected)
}

/// The destinations whose present version came with the latest rollout that is not taken back.
fn last_rollout(inventory: &Inventory, selected: Vec<Installed>) -> Vec<Installed> {
    let latest = inventory.latest_activation();
    let number =
        |item: &Installed| latest.get(item.destination.as_str()).map(|activation| activation.rollout);
    let Some(newest) = selected.iter().filter_map(number).max() else { return selected };
    selected.into_iter().filter(|item| number(item) == Some(newest)).collect()
}

/// What a choice does.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// The plan.
    pub plan: Plan,
    /// Refused items that stay as they are while the others go on.
    pub left: Vec<Item>,
    /// Versions that would go and are in use.
    pub in_use: Vec<(PathBuf, VersionName)>,
}

/// How a choice is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner<'w> {
    /// Why, for the history and the mark of what is left.
    pub why: Option<&'w str>,
    /// A damaged version is meant, or one that is in use is to be deleted.
    pub force: bool,
}

/// Plans `choice` for the destinations `selected` of `inventory`. What would be activated is looked at when it is carried
/// out, or by [`look_over`].
///
/// # Errors
/// When a folder or record cannot be read.
pub fn plan_choice(
    inventory: &mut Inventory,
    selected: &[Installed],
    choice: &Choice,
    manner: Manner<'_>,
) -> Result<Chosen> {
    let looks = match choice {
        Choice::Rollback(Back::Steps(steps)) => inventory.look_back(selected, *steps)?,
        _ => inventory.look(selected)?,
    };
    let then = match choice {
        Choice::RollbackTo { rollout, after } => {
            Some(inventory.history.until(if *after { *rollout } else { rollout.saturating_sub(1) }))
        }
        _ => None,
    };
    let activations = then.as_ref().map(History::activations).unwrap_or_default();
    let then = |installed: &Installed| {
        let top = activations.get(installed.destination.as_str()).and_then(|stack| stack.first());
        top.map(|activation| activation.version.clone())
    };
    let items = selected.iter().zip(&looks).map(|(installed, look)| Item {
        target: installed.target.clone(),
        source: String::new(),
        destination: installed.destination.clone(),
        from: look.active().cloned(),
        action: decide(installed, look, choice, then(installed), manner.why),
        warnings: Vec::new(),
    });
    let mut plan = Plan { kind: choice.kind(), items: items.collect() };
    let in_use = keep_used(&mut plan, &mut inventory.shelves, manner.force)?;
    let passes_over = selected.len() > 1 && choice.passes_over() && plan.is_change();
    let left = if passes_over { plan.take_refused() } else { Vec::new() };
    Ok(Chosen { plan, left, in_use })
}

/// Leaves versions that are in use out of what a prune removes, and returns them; to delete them is refused unless it
/// is meant.
///
/// # Errors
/// When a `versions/` folder cannot be opened.
pub fn keep_used(
    plan: &mut Plan,
    shelves: &mut Shelves,
    is_meant: bool,
) -> crate::disk::Result<Vec<(PathBuf, VersionName)>> {
    let mut kept = Vec::new();
    let is_prune = plan.kind == Kind::Prune;
    for item in plan.items.iter_mut().filter(|_| is_prune || !is_meant) {
        let Action::Remove { versions, unlink } = &mut item.action else { continue };
        let used = used(shelves.dir(&item.destination)?.as_deref(), versions);
        if used.is_empty() {
            continue;
        }
        let is_nothing = versions.is_empty() && !*unlink;
        if !is_prune {
            item.action = Action::Refuse(Refusal::InUse { versions: used });
            continue;
        }
        let path = item.destination.path();
        kept.extend(used.into_iter().map(|version| (path.to_owned(), version)));
        if is_nothing {
            item.action = match &item.from {
                Some(version) => Action::Unchanged { version: version.clone() },
                None => Action::Skip { reason: "what is left there is in use".to_owned() },
            };
        }
    }
    Ok(kept)
}

/// Refuses what `plan` would activate and is damaged, unless that is meant.
///
/// # Errors
/// When a `versions/` folder cannot be read.
pub fn look_over(plan: &mut Plan, manner: Manner<'_>) -> Result<()> {
    if manner.force { Ok(()) } else { refuse_all_damaged(&mut plan.items) }
}

fn decide(
    installed: &Installed,
    look: &Look,
    choice: &Choice,
    then: Option<String>,
    why: Option<&str>,
) -> Action {
    let go_back = |back| plan::rollback(look.active(), &look.earlier, &look.stored, back, why);
    match choice {
        Choice::Rollback(back) => go_back(back),
        Choice::RollbackTo { .. } => match then {
            Some(version) => go_back(&Back::To(version)),
            None => Action::Refuse(Refusal::NoPrevious),
        },
        Choice::Use(asked) => plan::activate(&look.link, &look.stored, asked),
        Choice::Reset => plan::reset(&look.link, &look.stored),
        Choice::Delete(asked) => plan::delete(&look.link, &look.stored, asked.as_ref()),
        Choice::Prune { .. } if !installed.is_wanted => plan::delete(&look.link, &look.stored, None),
        Choice::Prune { keep, otherwise } => {
            let keep = keep.get(&installed.target).copied().unwrap_or(*otherwise);
            let versions = plan::beyond_keep(&look.stored, look.active(), look.earlier.first(), keep);
            match look.active() {
                _ if !versions.is_empty() => Action::Remove { versions, unlink: false },
                Some(active) => Action::Unchanged { version: active.clone() },
                None => Action::Skip { reason: "nothing is deployed there".to_owned() },
            }
        }
    }
}

/// The project whose `after` commands follow the plan, or why they do not: going back is to what was accepted once, but
/// the commands are those of the revision at hand.
fn commands<'p>(project: Option<&'p Project>, items: &[Item]) -> (Option<&'p Project>, Option<String>) {
    let Some(project) = project else { return (None, None) };
    let runs = |item: &Item| {
        let spec = project.manifest.targets.get(&item.target);
        item.action.is_switch() && spec.is_some_and(|spec| !spec.after.is_empty())
    };
    if !items.iter().any(runs) {
        return (Some(project), None);
    }
    match admit(project) {
        Ok(_) => (Some(project), None),
        Err(error) => {
            (None, Some(format!("`after` commands of {} were left out: {}", project.base, chain(&error))))
        }
    }
}

/// Carries `choice` out for the destinations `selected` of `inventory`, under the lock of `root`: what was planned
/// before may be stale.
///
/// # Errors
/// When an item is refused, the disk says no or an `after` command fails; nothing is changed then. A prune goes by what
/// dist.json says, which must be signed where that is asked for.
pub fn carry_out(
    root: &Root,
    inventory: &mut Inventory,
    project: Option<&Project>,
    selected: &[Installed],
    (choice, manner): (&Choice, Manner<'_>),
    events: &dyn Events,
) -> Result<Report> {
    if let (Choice::Prune { .. }, Some(project)) = (choice, project) {
        admit(project)?;
    }
    let session = Session::begin(root, choice.kind(), events)?;
    inventory.renew(session.history.clone());
    let Chosen { mut plan, in_use, .. } = plan_choice(inventory, selected, choice, manner)?;
    look_over(&mut plan, manner)?;
    let refused = plan.refused();
    if !refused.is_empty() {
        return Err(RolloutError::Refused(refused));
    }
    let about = Switch {
        why: manner.why.map(ToOwned::to_owned),
        author: project.and_then(|project| project.manifest.author.clone()),
        insists: manner.force && choice.kind() == Kind::Delete,
        ..Switch::default()
    };
    let (project, left_out) = commands(project, &plan.items);
    let report = session.switch(project, plan.kind, plan.items, &[], &about, events)?;
    Ok(Report { in_use, left_out, ..report })
}
