//! A deploy with nobody there to ask, as a hook or an update runs it.

use std::path::PathBuf;

use super::commands::commands_of;
use super::confine::Confinement;
use super::{Admitted, DeployRequest, Events, Report, Result, RolloutError, Session, plan_deploy};
use crate::plan::Kind;
use crate::project::Project;
use crate::target::{self, Missing};

/// What a deploy with nobody there did.
#[derive(Clone, Debug)]
pub struct Unattended {
    /// What it did; without a number if there was nothing to do.
    pub report: Report,
    /// Targets without a source at the revision.
    pub missing: Vec<Missing>,
}

/// What a deploy with nobody there may do.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Commands of the manifest may run.
    pub commands: bool,
    /// Folders that may be written to, with all below them; none means nothing may.
    pub roots: Vec<PathBuf>,
}

impl Permissions {
    /// Refuses a project whose root, log or temporary files are where nothing may be written.
    ///
    /// # Errors
    /// [`RolloutError::Outside`], and [`RolloutError::Project`] if the root is no absolute path.
    pub fn check(&self, project: &Project) -> Result<()> {
        Ok(Confinement::new(&self.roots)?.check_root(project, &project.root()?)?)
    }
}

/// Deploys `project` without asking anybody. Whatever would need a person is refused; an item that was rolled back is
/// left alone. Where nothing would change, neither the lock is taken nor anything written.
///
/// `is_still_wanted` is asked under the lock, after the wait for it: another run may have deployed something newer
/// meanwhile. If it says no, nothing is done and `None` returned.
///
/// # Errors
/// [`RolloutError::Outside`] if the root or a destination is not among the folders that `permissions` names;
/// [`RolloutError::Commands`] if a target runs commands and may not; otherwise as a deploy.
pub fn deploy_unattended(
    project: &Admitted<'_>,
    request: &DeployRequest,
    permissions: &Permissions,
    is_still_wanted: &dyn Fn() -> bool,
    events: &dyn Events,
) -> Result<Option<Unattended>> {
    let request = DeployRequest { unattended: true, ..request.clone() };
    let confinement = Confinement::new(&permissions.roots)?;
    let root = project.root()?;
    confinement.check_root(project, &root)?;
    if !permissions.commands {
        refuse_commands(project, &request.targets)?;
    }
    Session::settle(&root, Kind::Deploy, events)?;
    let snapshot = project.snapshot();
    let prepared = plan_deploy(project, snapshot.as_ref(), &request)?;
    project.check(&prepared)?;
    confinement.check_items(&prepared.plan.items)?;
    let refused = prepared.refused(&request);
    if !refused.is_empty() {
        return Err(RolloutError::Refused(refused));
    }
    if !prepared.plan.is_change() {
        project.settle(events)?;
        prepared.settle(project, &request, events)?;
        let report = prepared.nothing_to_do(project);
        return Ok(Some(Unattended { report, missing: prepared.missing }));
    }
    let session = Session::begin(&root, prepared.plan.kind, events)?;
    if !is_still_wanted() {
        return Ok(None);
    }
    // What was planned before the lock was taken may be stale.
    let mut prepared = plan_deploy(project, snapshot.as_ref(), &request)?;
    confinement.check_items(&prepared.plan.items)?;
    let missing = std::mem::take(&mut prepared.missing);
    let report = prepared.execute(session, project, snapshot.as_ref(), &request, events)?;
    Ok(Some(Unattended { report, missing }))
}

/// Refuses the first target that runs commands: who can push to a branch must not thereby run programs here.
fn refuse_commands(project: &Project, targets: &[String]) -> Result<()> {
    for name in target::select(&project.manifest, targets)? {
        let Some(spec) = project.manifest.targets.get(name) else { continue };
        let commands = commands_of(&project.manifest, spec);
        if !commands.is_empty() {
            return Err(RolloutError::Commands { target: name.to_owned(), commands });
        }
    }
    Ok(())
}
