//! Rollback, use, reset, delete and prune: plans over what is installed, without any source.

use std::collections::HashMap;

use super::{Events, Report, Result, Session, Switch};
use crate::history::History;
use crate::inventory::{Installed, Inventory, InventoryError, Look};
use crate::plan::{self, Action, Asked, Back, Item, Kind, Plan, Refusal};
use crate::project::Project;

/// What is asked of the selected destinations.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Go back.
    Rollback {
        /// How far.
        back: Back,
        /// Why, for the mark of what is left.
        why: Option<String>,
    },
    /// Go back to before this rollout, or to after it if `after` is set.
    RollbackTo {
        /// The rollout's number.
        rollout: u64,
        /// What it made active is meant, not what it replaced.
        after: bool,
        /// Why, for the mark of what is left.
        why: Option<String>,
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
            Self::Rollback { .. } | Self::RollbackTo { .. } => Kind::Rollback,
            Self::Use(_) => Kind::Use,
            Self::Reset => Kind::Reset,
            Self::Delete(_) => Kind::Delete,
            Self::Prune { .. } => Kind::Prune,
        }
    }
}

/// Plans `choice` for the destinations `selected` of `inventory`.
///
/// # Errors
/// When a folder or record cannot be read.
pub fn plan_choice(
    inventory: &mut Inventory,
    selected: &[Installed],
    choice: &Choice,
) -> Result<Plan, InventoryError> {
    let looks = match choice {
        Choice::Rollback { back: Back::Steps(steps), .. } => inventory.look_back(selected, *steps)?,
        _ => inventory.look(selected)?,
    };
    let then = match choice {
        Choice::RollbackTo { rollout, after, .. } => {
            Some(inventory.history.until(if *after { *rollout } else { rollout.saturating_sub(1) }))
        }
        _ => None,
    };
    let items = selected.iter().zip(&looks).map(|(installed, look)| Item {
        target: installed.target.clone(),
        source: String::new(),
        destination: installed.destination.clone(),
        from: look.active().cloned(),
        action: decide(installed, look, choice, then.as_ref()),
        warnings: Vec::new(),
    });
    Ok(Plan { kind: choice.kind(), items: items.collect() })
}

fn decide(installed: &Installed, look: &Look, choice: &Choice, then: Option<&History>) -> Action {
    match choice {
        Choice::Rollback { back, why } => {
            plan::rollback(look.active(), &look.earlier, &look.stored, back, why.as_deref())
        }
        Choice::RollbackTo { why, .. } => {
            let activations = then.map(History::activations).unwrap_or_default();
            let top = activations.get(installed.destination.as_str()).and_then(|stack| stack.first());
            match top {
                None => Action::Refuse(Refusal::NoPrevious),
                Some(top) => {
                    let back = Back::To(top.version.clone());
                    plan::rollback(look.active(), &look.earlier, &look.stored, &back, why.as_deref())
                }
            }
        }
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

/// Carries a plan of [`plan_choice`] out, under the lock.
///
/// # Errors
/// When an item is refused or the disk says no; nothing is changed then.
pub fn carry_out(
    session: Session,
    project: Option<&Project>,
    plan: Plan,
    about: &Switch,
    events: &dyn Events,
) -> Result<Report> {
    let refused: Vec<Item> =
        plan.items.iter().filter(|item| matches!(item.action, Action::Refuse(_))).cloned().collect();
    if !refused.is_empty() {
        return Err(super::RolloutError::Refused(refused));
    }
    session.switch(project, plan.kind, plan.items, &[], about, events)
}
