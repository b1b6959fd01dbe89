//! A deploy: what a project wants, against what is on disk, made into versions.

mod gather;
mod launch;
mod make;
mod planner;
mod provenance;
mod workshop;

use std::collections::{BTreeMap, HashMap};

use super::damage::refuse_all_damaged;
use super::{Admitted, Events, Report, Result, RolloutError, Session, Switch};
use crate::manifest::{self, Manifest, TargetSpec};
use crate::plan::{Action, Consent, Item, Kind, Plan, Refusal};
use crate::project::Project;
use crate::source::HashKind;
use crate::source::folder::Folder;
use crate::source::git::{Snapshot, blob_id};
use crate::target;
use crate::transform;
use crate::version::{Destination, Ingredients, Stored};

pub use gather::{Gathered, gather};
use planner::Planner;
use provenance::Provenance;

/// What is asked of a deploy, apart from the project.
#[derive(Clone, Debug, Default)]
pub struct DeployRequest {
    /// Patterns of target names; none means all.
    pub targets: Vec<String>,
    /// `--source`: only the item of this source.
    pub source: Option<String>,
    /// `--dest`: the destination instead of that in dist.json.
    pub destination: Option<String>,
    /// What the user allowed.
    pub consent: Consent,
    /// `--all`: deploy git's own files and junk too.
    pub all: bool,
    /// `--ignore-missing`.
    pub ignore_missing: bool,
    /// A hook or an update: an item that is refused for being rolled back does not hold back the others.
    pub unattended: bool,
    /// What started it, if it was no person.
    pub trigger: Option<String>,
    /// What keeps the targets up to date, if something does.
    pub subscription: Option<String>,
    /// Why, in the words of `-m`.
    pub why: Option<String>,
}

/// A plan with what is needed to carry it out.
pub struct Prepared {
    /// The plan: what everybody may read.
    pub plan: Plan,
    /// Targets without a source.
    pub missing: Vec<target::Missing>,
    provenance: Provenance,
    work: Vec<Wanted>,
}

/// What one destination wants.
struct Wanted {
    item: target::Item,
    ingredients: Ingredients,
    /// What the source holds, where it is on disk: it has been listed to know what it is.
    folder: Option<Folder>,
    /// The versions on disk that were marked bad, where what is active is not what is wanted.
    bad: Vec<Stored>,
    /// Version names carry the content id, because the commit does not tell what is in them.
    is_uncommitted: bool,
}

/// Plans a deploy of `project`: reads what is on disk, writes nothing, needs no lock. `snapshot` is the project's. What
/// would be activated is looked at when it is carried out, or by [`Prepared::look_over`].
///
/// # Errors
/// When targets cannot be resolved, or folders, records or the repository cannot be read.
pub fn plan_deploy(
    project: &Project,
    snapshot: Option<&Snapshot<'_>>,
    request: &DeployRequest,
) -> Result<Prepared> {
    let mut names = target::select(&project.manifest, &request.targets)?;
    let comes_from_elsewhere = |name: &str| project.manifest.comes_from_elsewhere(name);
    // Those are brought by updates; a deploy of everything else is no reason to complain.
    if let Some(name) = names.iter().find(|name| !request.targets.is_empty() && comes_from_elsewhere(name)) {
        return Err(RolloutError::Elsewhere { target: (*name).to_owned() });
    }
    names.retain(|name| !comes_from_elsewhere(name));
    let source = request.source.as_deref().map(|source| target::source_path(project, source)).transpose()?;
    let asked = target::Request {
        ignore_missing: request.ignore_missing || project.ignores_missing() || source.is_some(),
        source: source.as_deref(),
        destination: request.destination.as_deref(),
        ..target::Request::new(project, snapshot)
    };
    let mut resolved = target::resolve(asked, &names)?;
    if let Some(source) = &source {
        resolved.missing.clear();
        if resolved.items.is_empty() {
            resolved = resolve_ad_hoc(asked, source)?;
        }
    }
    let provenance = Provenance::of(project)?;
    let mut planner = Planner::new(project, snapshot, request, &provenance);
    let mut plan = Plan { kind: Kind::Deploy, items: Vec::new() };
    let mut work = Vec::new();
    for item in resolved.items {
        let mut wanted = planner.wanted(item)?;
        plan.items.push(planner.decide(&mut wanted)?);
        work.push(wanted);
    }
    Ok(Prepared { plan, missing: resolved.missing, provenance, work })
}

/// Resolves a source that no target deploys: `--dest` says where it goes.
fn resolve_ad_hoc(asked: target::Request<'_>, source: &str) -> Result<target::Resolved> {
    let Some(destination) = asked.destination else {
        return Err(target::TargetError::NoTargetFor { source_path: source.to_owned() }.into());
    };
    let manifest = Manifest::ad_hoc(source, destination);
    let asked = target::Request { manifest: &manifest, source: None, ignore_missing: false, ..asked };
    Ok(target::resolve(asked, &["cli"])?)
}

/// What commands of a target see in their environment, besides distman.env.
fn variables(provenance: &Provenance, item: &target::Item) -> BTreeMap<String, String> {
    let mut variables = provenance.variables();
    variables.insert("GIT_DIST_TARGET".to_owned(), item.target.clone());
    variables.insert("GIT_DIST_DESTINATION".to_owned(), item.destination.as_str().to_owned());
    variables
}

fn spec_of<'p>(project: &'p Project, item: &target::Item) -> Option<&'p TargetSpec> {
    project.manifest.targets.get(&item.target)
}

impl Prepared {
    /// True if something in it comes from a working tree.
    pub(in crate::rollout) fn has_uncommitted(&self) -> bool {
        self.work.iter().any(|wanted| wanted.is_uncommitted)
    }

    /// Refuses what the plan would activate and is damaged, unless that is meant.
    ///
    /// # Errors
    /// When a `versions/` folder cannot be read.
    pub fn look_over(&mut self, request: &DeployRequest) -> Result<()> {
        if request.consent.force { Ok(()) } else { refuse_all_damaged(&mut self.plan.items) }
    }

    /// The items that are refused and hold back the whole rollout.
    pub fn refused(&self, request: &DeployRequest) -> Vec<Item> {
        let holds_back = |item: &&Item| match &item.action {
            Action::Refuse(refusal) => !(request.unattended && refusal.is_only_rolled_back()),
            _ => false,
        };
        self.plan.items.iter().filter(holds_back).cloned().collect()
    }

    /// What would have to be allowed with `--adopt`.
    pub fn occupied(&self) -> impl Iterator<Item = &Item> {
        let is_occupied = |item: &&Item| matches!(&item.action, Action::Refuse(Refusal::Occupied { .. }));
        self.plan.items.iter().filter(is_occupied)
    }

    /// What the plan would run, one line each: pipeline steps, `verify` and `after`.
    pub fn commands(&self, project: &Project) -> Vec<String> {
        let mut lines = Vec::new();
        let mut told = std::collections::BTreeSet::new();
        for (item, wanted) in self.plan.items.iter().zip(&self.work) {
            let is_made = matches!(item.action, Action::Create { .. });
            let Some(spec) = spec_of(project, &wanted.item).filter(|_| told.insert(&item.target)) else {
                continue;
            };
            let target = &item.target;
            if is_made {
                let steps = project.manifest.pipeline_of(spec);
                lines.extend(
                    transform::describe(&steps).into_iter().map(|line| format!("`{target}`: {line}")),
                );
                lines.extend(spec.verify.iter().map(|line| format!("`{target}`: verify with `{line}`")));
            }
            if item.action.is_change() {
                lines.extend(spec.after.iter().map(|line| format!("`{target}`: run `{line}` afterwards")));
            }
        }
        lines
    }

    /// The group that each destination flips with: one for those of one dist.json.
    fn groups(&self, project: &Project) -> HashMap<Destination, Option<String>> {
        let id = format!("{}\0{}", self.provenance.origin, project.folder);
        let id = blob_id(HashKind::Sha1, id.as_bytes()).to_string();
        let group = |wanted: &Wanted| {
            let is_together = wanted.item.settings.switch == manifest::Switch::Together;
            (wanted.item.destination.clone(), is_together.then(|| id[..16].to_owned()))
        };
        self.work.iter().map(group).collect()
    }

    /// Carries the plan out.
    ///
    /// # Errors
    /// When an item is refused, or content cannot be read, made, checked, written or activated. Nothing is changed
    /// then.
    pub fn execute(
        mut self,
        mut session: Session,
        project: &Admitted<'_>,
        snapshot: Option<&Snapshot<'_>>,
        request: &DeployRequest,
        events: &dyn Events,
    ) -> Result<Report> {
        project.check(&self)?;
        project.note(&session.meta)?;
        self.provenance.signature = project.signature().cloned();
        self.look_over(request)?;
        let refused = self.refused(request);
        if !refused.is_empty() {
            return Err(RolloutError::Refused(refused));
        }
        let complete = self
            .make(&mut session, project, snapshot, request, events)
            .map_err(|error| error.or_interrupted(events))?;
        let launch = self.launch(project, request);
        let set_aside = self.plan.take_refused();
        let about = Switch {
            trigger: request.trigger.clone(),
            why: request.why.clone(),
            origin: Some(self.provenance.origin.clone()),
            revision: Some(self.provenance.revision.clone()),
            commit: Some(self.provenance.commit.clone()).filter(|commit| !commit.is_empty()),
            manifest: match request.destination {
                None => project.manifest_path.as_ref().map(ToString::to_string),
                // It went to a place that the manifest does not know.
                Some(_) => None,
            },
            signature: project.signature().cloned(),
            author: project.manifest.author.clone(),
            keep: self
                .work
                .iter()
                .map(|wanted| (wanted.item.target.clone(), wanted.item.settings.keep))
                .collect(),
            groups: self.groups(project),
            infos: BTreeMap::new(),
            version_only: request.consent.version_only,
            variables: self.provenance.variables(),
            launch,
            insists: false,
        };
        let items = self.plan.items;
        let mut report = session.switch(Some(project), Kind::Deploy, items, &complete, &about, events)?;
        report.items.extend(set_aside);
        project.remember();
        Ok(report)
    }

    /// What is to be reported where the plan changes nothing.
    pub fn nothing_to_do(&self, project: &Admitted<'_>) -> Report {
        project.remember();
        Report::nothing(self.plan.clone())
    }
}
