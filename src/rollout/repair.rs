//! Exporting damaged versions again from the commit that their records name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, ByteSlice as _};

use super::{DeployRequest, Events, Report, Result, RolloutError, Session, Switch, plan_deploy};
use crate::plan::{Action, Item, Kind};
use crate::project::{Opening, Project};
use crate::source::git::{ListOptions, Repository, Snapshot, Submodules};
use crate::stage::{self, Content, Export, Sharing, StagingFolder};
use crate::version::{Destination, Record, VersionName};

/// Why a version could not be made again.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The commit has no such source any more: the history was rewritten, or the record changed.
    #[error("`{source_path}` is not in commit {commit}")]
    NoSource {
        /// The source in the record.
        source_path: String,
        /// The commit in the record.
        commit: String,
    },
    /// Git never had what is in it.
    #[error("version {version} was deployed from a working tree, so that git cannot make it again")]
    Uncommitted {
        /// The version's name.
        version: String,
    },
    /// What git holds now does not give the content that the record promises.
    #[error("version {version} cannot be made again: git gives {found} where its record says {expected}")]
    OtherContent {
        /// The version's name.
        version: String,
        /// Content id that the export gave.
        found: String,
        /// Content id in the record.
        expected: String,
    },
}

/// Where the user stands, and the process environment: what reading a project takes.
pub type Place<'a> = (&'a Path, &'a BTreeMap<String, OsString>);

/// Exports each of `damaged` again into its place, without sharing any file with another version.
///
/// # Errors
/// When a commit is not in `repository`, or does not give what the record says. Versions before the failing one
/// are whole by then.
pub fn repair(
    mut session: Session,
    repository: &Repository,
    place: Place<'_>,
    damaged: &[(Item, Record)],
    why: Option<String>,
    events: &dyn Events,
) -> Result<Report> {
    let mut items = Vec::new();
    for (item, record) in damaged {
        session.claim(&item.destination, events)?;
        let Some(name) = VersionName::parse(item.destination.base(), &record.version) else { continue };
        remake(&session, repository, place, &item.destination, &name, record, events).map_err(
            |error| match (events.is_interrupted(), items.len()) {
                (true, 0) => RolloutError::interrupted(),
                (true, count) => {
                    let outcome = format!("{} whole again, the others are as they were", are(count));
                    RolloutError::Interrupted { outcome, again: None }
                }
                (false, _) => error,
            },
        )?;
        items.push(Item { action: Action::Repair { version: name }, ..item.clone() });
    }
    session.switch(None, Kind::Repair, items, &[], &Switch { why, ..Switch::default() }, events)
}

fn are(count: usize) -> String {
    if count == 1 { "1 version is".to_owned() } else { format!("{count} versions are") }
}

fn remake(
    session: &Session,
    repository: &Repository,
    place: Place<'_>,
    destination: &Destination,
    name: &VersionName,
    record: &Record,
    events: &dyn Events,
) -> Result<()> {
    if record.recipe.uncommitted {
        return Err(RepairError::Uncommitted { version: name.to_string() }.into());
    }
    let revision = repository.resolve(&record.commit)?;
    let mtime = revision.time;
    let snapshot = Snapshot::new(repository, revision);
    let source = BStr::new(record.source.as_bytes());
    let no_source = || {
        let (source_path, commit) = (record.source.clone(), record.commit.clone());
        RolloutError::from(RepairError::NoSource { source_path, commit })
    };
    let node = snapshot.node(source)?.ok_or_else(no_source)?;
    let options = ListOptions {
        ignore: record.recipe.ignore.clone(),
        submodules: match record.recipe.submodules.as_str() {
            "recurse" => Submodules::Recurse,
            "skip" => Submodules::Skip,
            _ => Submodules::Error,
        },
        all: record.recipe.all,
    };
    let listing = snapshot.list(source.as_bstr(), node, &options)?;
    let rollout = session.staging_suffix();
    let export = Export {
        destination: destination.clone(),
        folder: Arc::new(StagingFolder::create(destination, &rollout)?),
        content: Content { mode: node.mode, listing, store: 0 },
        record: Record { mtimes: BTreeSet::new(), ..record.clone() },
        sharing: if record.writable { Sharing::Copy } else { Sharing::Auto },
        previous: None,
        shared: record.recipe.shared.clone(),
        mtime,
    };
    let staged = if record.recipe.pipeline {
        let (start, process) = place;
        let project = Project::open(Opening::new(start, &record.commit), process)?;
        let targets = vec![record.target.clone()];
        let request = DeployRequest { targets, all: record.recipe.all, ..DeployRequest::default() };
        let prepared = plan_deploy(&project, Some(&snapshot), &request)?;
        prepared.stage_again(&project, &snapshot, export, events)?.ok_or_else(no_source)?
    } else {
        stage::export(vec![export], &[&snapshot.contents()], repository.hash_kind(), events)?
    };
    for staged in staged {
        if staged.record().content != record.content {
            let found = staged.record().content.clone();
            let (version, expected) = (name.to_string(), record.content.clone());
            return Err(RepairError::OtherContent { version, found, expected }.into());
        }
        for version in stage::make_durable(vec![staged.seal(name.clone())?])? {
            version.replace()?;
        }
    }
    Ok(())
}

impl From<RepairError> for RolloutError {
    fn from(error: RepairError) -> Self {
        Self::Repair(error)
    }
}
