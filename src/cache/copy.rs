//! Copying what a plan asks for, and what goes with it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::decide::Decided;
use super::error::{CacheError, Failure};
use super::source::{Deployed, Look, Source, Walk};
use crate::disk::Dir;
use crate::manifest::Settings;
use crate::plan::{Action, Item};
use crate::rollout::{Events, FolderId, Session, Switch};
use crate::stage::{
    self, CompleteVersion, Copied, CopyError, Damage, Holds, Original, Previous, StagingFolder, find_files,
    listed_files,
};
use crate::version::{Destination, DistInfo, Stored};

/// Copies every version that `decided` asks for, and makes them durable and visible. Nothing leads to them yet.
pub(super) fn copy(
    (source, look): (&Source, &Look),
    decided: &Decided,
    session: &mut Session,
    workers: usize,
    copied: &mut Copied,
    events: &dyn Events,
) -> Result<Vec<CompleteVersion>, Failure> {
    let mut folders: HashMap<FolderId, Arc<StagingFolder>> = HashMap::new();
    let mut originals = Vec::new();
    let all = look.walk.deployed.iter().zip(&look.records).zip(&decided.items).zip(&decided.earlier);
    for (((deployed, record), item), earlier) in all {
        if !matches!(item.action, Action::Create { .. } | Action::Repair { .. }) {
            continue;
        }
        let Some(versions) = look.walk.shelf(&deployed.below) else { continue };
        let id = session.claim_for_versions(&item.destination, events)?;
        let folder = match folders.get(&id) {
            Some(folder) => Arc::clone(folder),
            None => {
                let made = Arc::new(StagingFolder::create(&item.destination, &session.staging)?);
                Arc::clone(folders.entry(id).or_insert(made))
            }
        };
        let failed = |error: CopyError| Failure::of(error, source.root.path());
        let holds = match record {
            Ok(Some(record)) => {
                let files = listed_files(versions, record).map_err(failed)?.map_err(|what| {
                    let version = versions.join(deployed.version.to_string());
                    let (name, path) = (deployed.version.clone(), bstr::BString::default());
                    Failure::Source(CacheError::Damaged(Damage { version, name, path, what }))
                })?;
                let previous = previous(folder.versions(), earlier.as_ref())?.map(Box::new);
                Holds::Recorded { record: Box::new(record.clone()), files, previous }
            }
            _ => {
                let files = find_files(versions, &deployed.version).map_err(failed)?;
                let earlier = earlier.as_ref().filter(|earlier| earlier.record.is_none());
                Holds::Found { files, previous: earlier.map(|earlier| earlier.name.clone()) }
            }
        };
        let (name, destination) = (deployed.version.clone(), item.destination.clone());
        originals.push(Original { versions, name, holds, destination, folder });
    }
    let (sealed, more) =
        stage::copy(originals, workers, events).map_err(|error| Failure::of(error, source.root.path()))?;
    copied.files += more.files;
    copied.bytes += more.bytes;
    copied.shared += more.shared;
    let (mut new, mut replaced) = (Vec::new(), Vec::new());
    for sealed in sealed {
        if sealed.is_repair()? { replaced.push(sealed) } else { new.push(sealed) }
    }
    let mut fresh = stage::complete(new)?;
    for version in stage::make_durable(replaced)? {
        fresh.push(version.replace()?);
    }
    Ok(fresh)
}

/// The earlier version, if its files can be shared.
fn previous(versions: &Dir, earlier: Option<&Stored>) -> Result<Option<Previous>, Failure> {
    let Some(earlier) = earlier.filter(|earlier| earlier.record.is_some()) else { return Ok(None) };
    Ok(Previous::read(versions, earlier)?)
}

/// What is said of a copy, in the mirror's history and beside its destinations.
pub(super) fn about(
    source: &Path,
    walk: &Walk,
    items: &[Item],
    groups: HashMap<Destination, Option<String>>,
) -> Switch {
    let keep = Settings::default().keep;
    let switched = walk.deployed.iter().zip(items).filter(|(_, item)| item.action.is_change());
    Switch {
        origin: Some(source.to_string_lossy().into_owned()),
        keep: items.iter().map(|item| (item.target.clone(), keep)).collect(),
        infos: switched
            .filter_map(|(deployed, item)| Some((item.destination.clone(), info(deployed)?)))
            .collect(),
        groups,
        ..Switch::default()
    }
}

/// The dist info of a destination in the source: who answers for a deployment stands in no record. One that an earlier
/// deployment left there tells of something else.
fn info(deployed: &Deployed) -> Option<DistInfo> {
    let info = deployed.destination.info()?;
    let is_of_it = info.get("version").is_none_or(|version| version == deployed.version.to_string());
    is_of_it.then_some(info)
}
