//! Where a deployment came from: what names its versions and stands in their records.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, Utc};

use super::Wanted;
use super::launch::kept;
use crate::lock::Holder;
use crate::project::{Base, Project};
use crate::rollout::Result;
use crate::root::KeptEnvironment;
use crate::signature::Signature;
use crate::version::{Launch, Recipe, Record, State, VersionName};

/// Where a deployment came from.
#[derive(Clone, Debug)]
pub(super) struct Provenance {
    /// URL of the remote without credentials, or a path.
    pub(super) origin: String,
    /// The revision as asked; `working tree` outside git.
    pub(super) revision: String,
    /// Full id of the commit; empty outside git.
    pub(super) commit: String,
    /// Commits reachable from it, and its short id; `None` outside git.
    pub(super) numbered: Option<(u64, String)>,
    /// The commit's date in seconds since 1970; now, outside git.
    pub(super) time: i64,
    author: String,
    subject: String,
    branch: Option<String>,
    /// The signature that was asked for and found.
    pub(super) signature: Option<Signature>,
    /// The environment files, as they are kept.
    pub(super) environment: Option<KeptEnvironment>,
    /// What dist.json says that is started, for each target.
    runs: BTreeMap<String, Vec<String>>,
}

impl Provenance {
    pub(super) fn of(project: &Project) -> Result<Self> {
        let origin = project.origin();
        let count = project.count()?;
        let environment = kept(project);
        let targets = project.manifest.targets.iter().filter(|(_, spec)| !spec.run.is_empty());
        let runs = targets.map(|(name, spec)| (name.clone(), spec.run.clone())).collect();
        Ok(match &project.base {
            Base::Git { revision, .. } => Self {
                origin,
                revision: revision.asked.clone(),
                commit: revision.commit.to_string(),
                numbered: count.map(|count| (count, revision.short())),
                time: revision.time,
                author: format!("{} <{}>", revision.author.name, revision.author.email),
                subject: revision.subject.clone(),
                branch: revision.branch.clone(),
                signature: None,
                environment,
                runs,
            },
            Base::Folder(_) => Self {
                origin,
                revision: "working tree".to_owned(),
                commit: String::new(),
                numbered: None,
                time: Utc::now().timestamp(),
                author: project.manifest.author.clone().unwrap_or_else(|| Holder::me("deploy").user),
                subject: String::new(),
                branch: None,
                signature: None,
                environment,
                runs,
            },
        })
    }

    /// `142.c73fe42`; empty outside git.
    pub(super) fn version(&self) -> String {
        self.numbered.as_ref().map(|(count, short)| format!("{count}.{short}")).unwrap_or_default()
    }

    /// What commands see of the commit, besides distman.env.
    pub(super) fn variables(&self) -> BTreeMap<String, String> {
        let pairs = [
            ("GIT_DIST_REV", self.revision.clone()),
            ("GIT_DIST_COMMIT", self.commit.clone()),
            ("GIT_DIST_VERSION", self.version()),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// How versions of `target` are started.
    pub(super) fn launch(&self, target: &str) -> Launch {
        Launch {
            run: self.runs.get(target).cloned().unwrap_or_default(),
            environment: self.environment.as_ref().map(|environment| environment.name.clone()),
        }
    }

    /// The record of a version that is about to be staged, but for what staging finds out.
    pub(super) fn record(
        &self,
        wanted: &Wanted,
        name: &VersionName,
        uses: &BTreeSet<String>,
        fingerprint: String,
    ) -> Record {
        let me = Holder::me("deploy");
        let date = DateTime::<Utc>::from_timestamp(self.time, 0).unwrap_or_default();
        let ingredients = &wanted.ingredients;
        Record {
            format: 1,
            version: name.to_string(),
            target: wanted.item.target.clone(),
            source: wanted.item.source.to_string(),
            origin: self.origin.clone(),
            revision: self.revision.clone(),
            branch: self.branch.clone(),
            commit: self.commit.clone(),
            date: date.to_rfc3339_opts(SecondsFormat::Secs, true),
            author: self.author.clone(),
            subject: self.subject.clone(),
            signature: self.signature.clone(),
            mode: ingredients.mode.to_owned(),
            object: ingredients.object.to_string(),
            content: String::new(),
            fingerprint,
            uses: uses.clone(),
            files: 0,
            bytes: 0,
            mtimes: BTreeSet::new(),
            writable: ingredients.writable,
            recipe: Recipe {
                ignore: ingredients.ignore.clone(),
                submodules: ingredients.submodules.to_owned(),
                all: ingredients.all,
                shared: wanted.item.shared.clone(),
                pipeline: ingredients.pipeline.is_some(),
                uncommitted: wanted.is_uncommitted,
            },
            launch: self.launch(&wanted.item.target),
            // Versions of one commit are ordered by it.
            created_at: Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
            created_by: format!("{}@{}", me.user, me.host),
            tool: format!("git-dist {}", env!("CARGO_PKG_VERSION")),
            state: State::Good,
            reason: None,
        }
    }
}
