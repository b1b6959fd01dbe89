//! What a deploy leaves for `git dist run`: where its targets are, how they are started, and its environment files.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{DeployRequest, Prepared, spec_of};
use crate::disk::Replacements;
use crate::plan::{Action, Kind};
use crate::project::Project;
use crate::rollout::{Events, Result, Session};
use crate::root::{
    Deployed, KeptEnvironment, LaunchChange, LaunchRecord, LaunchedManifest, LaunchedTarget, below, change,
    read_environment,
};
use crate::source::HashKind;
use crate::source::git::blob_id;

/// Folders of a wildcard target that are written down; items of one with more are found by the history.
const MOST_FOLDERS: usize = 16;

/// The environment files of `project` as they are kept; `None` if it has none.
pub(super) fn kept(project: &Project) -> Option<KeptEnvironment> {
    if project.environment_files.is_empty() {
        return None;
    }
    let files = project.environment_files.iter();
    let files: Vec<_> = files
        .map(|file| json!({ "path": file.path, "text": String::from_utf8_lossy(&file.content) }))
        .collect();
    let text = format!("{}\n", json!({ "format": 1, "files": files }));
    Some(KeptEnvironment { name: blob_id(HashKind::Sha1, text.as_bytes()).to_string(), text })
}

impl Prepared {
    /// What the launch record says of what is deployed; `None` where there is no such record to write.
    pub(super) fn launch(&self, project: &Project, request: &DeployRequest) -> Option<Deployed> {
        let manifest = match (&project.manifest_path, &request.subscription) {
            (Some(path), _) => path.to_string(),
            // The content of one target of a project, whose dist.json is elsewhere.
            (None, Some(subscription)) => subscription.clone(),
            (None, None) => return None,
        };
        let root = project.root().ok()?;
        let mut targets: BTreeMap<String, LaunchedTarget> = BTreeMap::new();
        // What goes where the manifest does not send it, or is not activated, can only be chosen.
        let is_known = request.destination.is_none() && !request.consent.version_only;
        for (item, wanted) in self.plan.items.iter().zip(&self.work).filter(|_| is_known) {
            let Some(spec) = spec_of(project, &wanted.item) else { continue };
            if matches!(item.action, Action::Refuse(_) | Action::Skip { .. }) {
                continue;
            }
            let target = targets.entry(item.target.clone()).or_insert_with(|| LaunchedTarget {
                launch: self.provenance.launch(&item.target),
                ..LaunchedTarget::default()
            });
            if spec.pattern().is_literal() {
                target.destination = Some(below(root.path(), item.destination.path()));
            } else if target.folders.len() <= MOST_FOLDERS {
                target.folders.insert(below(root.path(), item.destination.folder()));
            }
        }
        for target in targets.values_mut().filter(|target| target.folders.len() > MOST_FOLDERS) {
            target.folders = BTreeSet::new();
        }
        let origin = self.provenance.origin.clone();
        let manifest =
            LaunchedManifest { origin, manifest, subscription: request.subscription.clone(), targets };
        Some(Deployed { manifest, environment: self.provenance.environment.clone() })
    }

    /// As a deploy does, writes down how targets are started: for one that has nothing else to do.
    ///
    /// # Errors
    /// When the lock cannot be taken, or the record not be read or written.
    pub fn settle(&self, project: &Project, request: &DeployRequest, events: &dyn Events) -> Result<()> {
        let Some(deployed) = self.launch(project, request).filter(|it| !it.manifest.targets.is_empty())
        else {
            return Ok(());
        };
        let root = project.root()?;
        let Some(meta) = root.open()? else { return Ok(()) };
        let is_kept = match &deployed.environment {
            Some(environment) => read_environment(&meta, &environment.name)?.is_some(),
            None => true,
        };
        if is_kept && LaunchRecord::read(&meta)?.knows(&deployed) {
            return Ok(());
        }
        let session = Session::begin(&root, Kind::Deploy, events)?;
        let mut files = Replacements::default();
        let what = LaunchChange { deployed: Some(deployed), ..LaunchChange::default() };
        change(&session.meta, &[what], &mut files)?;
        files.finish(|| Ok(()))?;
        Ok(())
    }
}
