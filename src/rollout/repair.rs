//! Exporting damaged versions again from the commit that their records name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, ByteSlice as _};

use super::{DeployRequest, Events, Report, Result, RolloutError, Session, Switch, Verified, plan_deploy};
use crate::disk::Folders;
use crate::plan::{Action, Item, Kind};
use crate::project::{Opening, Project};
use crate::source::ObjectId;
use crate::source::git::{ListOptions, Repository, Revision, Snapshot, Submodules};
use crate::stage::{self, Content, Export, Sharing, StagingFolder};
use crate::version::Record;

/// Why a version could not be made again.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// Nothing says from what.
    #[error("its record does not say from what it was made")]
    NoRecord,
    /// There is no repository to make it from.
    #[error("there is no repository here to make it from")]
    NoRepository,
    /// The commit has no such source any more: the history was rewritten, or the record changed.
    #[error("`{source_path}` is not in commit {commit}")]
    NoSource {
        /// The source in the record.
        source_path: String,
        /// The commit in the record.
        commit: String,
    },
    /// Git never had what is in it.
    #[error("it was deployed from a working tree, which git never had")]
    Uncommitted,
    /// What git holds now does not give the content that the record promises.
    #[error("git gives {found} where its record says {expected}")]
    OtherContent {
        /// Content id that the export gave.
        found: String,
        /// Content id in the record.
        expected: String,
    },
}

/// Where the user stands, and the process environment: what reading a project takes.
pub type Place<'a> = (&'a Path, &'a BTreeMap<String, OsString>);

impl RepairError {
    /// The next step that helps.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoRepository => "run it in a clone of what the version was deployed from",
            _ => "`git dist` deploys a whole version beside it",
        }
    }
}

/// What became of the versions that were to be repaired.
#[derive(Debug)]
pub struct Repaired {
    /// Those that are whole again.
    pub report: Report,
    /// Those that are not, as they were, and why.
    pub failures: Vec<(Verified, RolloutError)>,
}

/// Exports each damaged version of `damaged` again into its place, without sharing any file with another version, and
/// writes anew what is said of the active ones. One version is repaired or left as it is, whatever becomes of others.
///
/// # Errors
/// When the run is interrupted, or the history cannot be written.
pub fn repair(
    mut session: Session,
    repository: Option<&Repository>,
    place: Place<'_>,
    damaged: &[Verified],
    why: Option<String>,
    events: &dyn Events,
) -> Result<Repaired> {
    let mut items = Vec::new();
    let mut failures = Vec::new();
    for verified in damaged {
        if events.is_interrupted() {
            return Err(match items.len() {
                0 => RolloutError::interrupted(),
                count => {
                    let outcome = format!("{} whole again, the others are as they were", are(count));
                    RolloutError::Interrupted { outcome, again: None }
                }
            });
        }
        let destination = verified.installed.destination.clone();
        let remade = session.claim_for_versions(&destination, events).and_then(|_| {
            if verified.is_damaged { remake(&session, repository, place, verified, events) } else { Ok(()) }
        });
        match remade {
            Err(_) if events.is_interrupted() => {}
            Err(error) => failures.push((verified.clone(), error)),
            Ok(()) => items.push(Item {
                target: verified.installed.target.clone(),
                source: String::new(),
                from: destination.link(&mut Folders::default())?.version().cloned(),
                destination,
                action: Action::Repair { version: verified.stored.name.clone() },
                warnings: Vec::new(),
            }),
        }
    }
    let about = Switch { why, ..Switch::default() };
    let report = session.switch(None, Kind::Repair, items, &[], &about, events)?;
    Ok(Repaired { report, failures })
}

fn are(count: usize) -> String {
    if count == 1 { "1 version is".to_owned() } else { format!("{count} versions are") }
}

/// True if the record names a commit by its full id, and one that the version is called after.
pub(super) fn names_its_commit(record: &Record, revision: &Revision) -> bool {
    let is_full = ObjectId::from_hex(record.commit.as_bytes()).is_ok_and(|id| id == revision.commit);
    let tail = record.version.rsplit_once('.').map_or("", |(_, tail)| tail);
    let short = tail.split('-').next().unwrap_or_default();
    is_full && !short.is_empty() && record.commit.starts_with(short)
}

/// How the source of a version was listed.
pub(super) fn list_options(record: &Record) -> ListOptions {
    ListOptions {
        ignore: record.recipe.ignore.clone(),
        submodules: match record.recipe.submodules.as_str() {
            "recurse" => Submodules::Recurse,
            "skip" => Submodules::Skip,
            _ => Submodules::Error,
        },
        all: record.recipe.all,
    }
}

fn remake(
    session: &Session,
    repository: Option<&Repository>,
    place: Place<'_>,
    verified: &Verified,
    events: &dyn Events,
) -> Result<()> {
    let (destination, name) = (&verified.installed.destination, &verified.stored.name);
    let record = verified.stored.record.as_ref().ok_or(RepairError::NoRecord)?;
    if record.recipe.uncommitted {
        return Err(RepairError::Uncommitted.into());
    }
    let repository = repository.ok_or(RepairError::NoRepository)?;
    let revision = repository.resolve(&record.commit)?;
    if !names_its_commit(record, &revision) {
        return Err(RepairError::NoRecord.into());
    }
    let mtime = revision.time;
    let snapshot = Snapshot::new(repository, revision);
    let source = BStr::new(record.source.as_bytes());
    let no_source = || {
        let (source_path, commit) = (record.source.clone(), record.commit.clone());
        RolloutError::from(RepairError::NoSource { source_path, commit })
    };
    let node = snapshot.node(source)?.ok_or_else(no_source)?;
    let listing = snapshot.list(source.as_bstr(), node, &list_options(record))?;
    let rollout = session.staging.clone();
    let export = Export {
        destination: destination.clone(),
        folder: Arc::new(StagingFolder::create(destination, &rollout)?),
        content: Content { mode: node.mode, listing, store: 0 },
        record: Record { mtimes: BTreeSet::new(), object: node.id.to_string(), ..record.clone() },
        sharing: if record.writable { Sharing::Copy } else { Sharing::Auto },
        previous: Vec::new(),
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
        // What git proved to be wrong in the record is no reason to distrust git.
        if staged.record().content != record.content && !verified.is_disproved {
            let (found, expected) = (staged.record().content.clone(), record.content.clone());
            return Err(RepairError::OtherContent { found, expected }.into());
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
