//! From what arrived to a rollout.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::arrival::store_path;
use super::{Arrival, Follows, Result, Run, Subscription, UpdateError};
use crate::manifest::Source;
use crate::plan::{Action, Consent};
use crate::project::{Opening, Project};
use crate::rollout::{Admitted, DeployRequest, Permissions, Report, admit, admit_release, deploy_unattended};
use crate::signature::Signers;
use crate::source::git::Repository;

/// The variables of the process.
pub type Environment = BTreeMap<String, OsString>;

/// The project whose dist.json says where things go, if that does not come with the release.
pub(super) fn project_of(subscription: &Subscription, environment: &Environment) -> Result<Option<Project>> {
    match &subscription.manifest {
        Follows::Release => Ok(None),
        Follows::Project { location } => {
            Ok(Some(Project::open(Opening::new(location, "HEAD"), environment)?))
        }
    }
}

/// Who may sign, by what the project's repository and this machine are configured to.
pub(super) fn signers_of(project: &Project) -> Result<Signers> {
    let Some(repository) = project.repository() else { return Ok(Signers::default()) };
    Ok(Signers::read(repository, &repository.settings()?)?)
}

/// The targets of `project` that come from elsewhere, with their upstreams.
pub(super) fn deployable(project: &Project) -> Vec<(&str, Vec<String>)> {
    let upstreams = |(name, spec)| match project.manifest.settings_of(spec).from {
        Source::Upstreams(from) => Some((String::as_str(name), from)),
        _ => None,
    };
    project.manifest.targets.iter().filter_map(upstreams).collect()
}

/// Why nothing of a release was activated, if it holds what somebody went back from or what failed before.
pub(super) fn held_back(report: &Report) -> Option<String> {
    let mut refusals = report.items.iter().filter_map(|item| match &item.action {
        Action::Refuse(refusal) => Some(refusal.message()),
        _ => None,
    });
    refusals.next().filter(|_| report.number.is_none())
}

/// Deploys what arrived; where that was forced, also what was marked bad.
pub(super) fn deploy(
    run: &Run<'_>,
    project: Option<Project>,
    arrival: &Arrival,
    commit: &str,
) -> Result<Report> {
    let Run { root, folder, subscription, environment, events, .. } = *run;
    let store = store_path(folder);
    let is_own = project.is_none();
    let arrived = match project {
        Some(project) => {
            let repository = Repository::at(&store)?;
            let revision = repository.resolve_as(commit, &arrival.branch())?;
            project.of_content(repository, revision)
        }
        None => {
            // Where it goes was said when it was installed: the release has no say in that.
            let mut environment = environment.clone();
            environment.insert("DEPLOY_ROOT".to_owned(), root.path().as_os_str().to_owned());
            let manifest = arrival.manifest_path();
            let mut project =
                Project::open_branch(&store, &arrival.branch(), commit, manifest, &environment)?;
            project.manifest.take_all_from_git();
            project
        }
    };
    if arrived.root()?.path() != root.path() {
        return Err(UpdateError::OtherRoot {
            found: arrived.root()?.path().to_owned(),
            root: root.path().to_owned(),
        });
    }
    let permissions = if is_own {
        let roots = [root.path().to_owned()].into_iter().chain(subscription.roots.iter().cloned()).collect();
        Permissions { commands: subscription.allow_commands, roots }
    } else {
        // The dist.json is this machine's own, as in a deploy by hand.
        Permissions { commands: true, roots: vec![PathBuf::from("/")] }
    };
    permissions.check(&arrived)?;
    let admitted: Admitted<'_> = match &arrival.signature {
        Some(signature) => admit_release(&arrived, signature.clone()),
        None => admit(&arrived)?,
    };
    let request = DeployRequest {
        targets: targets(subscription, arrival, &arrived)?,
        consent: Consent { force: run.request.force, ..Consent::default() },
        trigger: Some(format!("update {}", subscription.name)),
        subscription: Some(subscription.name.clone()),
        ..DeployRequest::default()
    };
    let done = deploy_unattended(&admitted, &request, &permissions, &|| true, events)?;
    let Some(done) = done else { return Err(UpdateError::Moved { upstream: arrival.upstream.clone() }) };
    Ok(done.report)
}

/// The targets that are deployed: those that are followed, of those that arrived.
fn targets(subscription: &Subscription, arrival: &Arrival, project: &Project) -> Result<Vec<String>> {
    let Some(held) = arrival.targets() else { return Ok(subscription.targets.clone()) };
    let wanted = crate::target::select(&project.manifest, &subscription.targets)
        .map_err(crate::rollout::RolloutError::from)?;
    if matches!(subscription.manifest, Follows::Project { .. }) {
        return Ok(wanted.into_iter().map(ToOwned::to_owned).collect());
    }
    let names: Vec<String> = wanted
        .into_iter()
        .filter(|name| held.iter().any(|held| held == name))
        .map(ToOwned::to_owned)
        .collect();
    if names.is_empty() {
        return Err(UpdateError::NoTargets { release: arrival.release.clone() });
    }
    Ok(names)
}
