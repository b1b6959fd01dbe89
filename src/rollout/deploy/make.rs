//! Making versions: list, transform, stage, check, name, and complete.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bstr::ByteSlice as _;

use super::planner::{fingerprint, submodules};
use super::workshop::Workshop;
use super::{DeployRequest, Prepared, Provenance, Wanted, spec_of, variables};
use crate::disk::{Dir, Replacements};
use crate::manifest;
use crate::plan::{Action, Consent, Item, Refusal};
use crate::project::Project;
use crate::rollout::commands::{Checks, verify};
use crate::rollout::damage::refuse_damaged;
use crate::rollout::session::FolderId;
use crate::rollout::{Events, Result, RolloutError, Session};
use crate::source::folder::Folder;
use crate::source::git::{ListOptions, Repository, Snapshot};
use crate::source::{Contents, HashKind, Listing, Mode};
use crate::stage::{self, CompleteVersion, Content, Export, Previous, Sharing, Staged, StagingFolder};
use crate::target::Place;
use crate::version::{Destination, FileListing, ListingError, Record, Shelves, Stored, VersionName};

impl Prepared {
    /// Makes every version that the plan creates. Items whose content turns out to be on disk become relinks, or
    /// are refused where that was marked bad.
    pub(super) fn make(
        &mut self,
        session: &mut Session,
        project: &Project,
        snapshot: Option<&Snapshot<'_>>,
        request: &DeployRequest,
        events: &dyn Events,
    ) -> Result<Vec<CompleteVersion>> {
        let staged = self.stage(session, project, snapshot, events)?;
        let mut sealed = Vec::new();
        let mut known = Vec::new();
        let mut shelves = Shelves::default();
        for (index, staged) in staged {
            let wanted = &self.work[index];
            if let Some(spec) = spec_of(project, &wanted.item) {
                let variables = variables(&self.provenance, &wanted.item);
                let checks = Checks { project, spec, variables: &variables };
                verify(&checks, &wanted.item.target, &staged, events)?;
            }
            if let Some(version) = self.place(index, staged, request.consent, &mut known)? {
                sealed.push(version);
            } else if !request.consent.force {
                refuse_damaged(&mut self.plan.items[index], &mut shelves)?;
            }
        }
        let refused = self.refused(request);
        if !refused.is_empty() {
            return Err(RolloutError::Refused(refused));
        }
        let mut files = Replacements::default();
        for (destination, record) in known {
            record.replace(&Dir::open(&destination.versions_folder())?, &mut files)?;
        }
        files.finish(|| Ok(()))?;
        Ok(stage::complete(sealed)?)
    }

    /// Stages what is to be created. Returns each staged version with the index of its item.
    fn stage(
        &mut self,
        session: &mut Session,
        project: &Project,
        snapshot: Option<&Snapshot<'_>>,
        events: &dyn Events,
    ) -> Result<Vec<(usize, Staged)>> {
        let rollout = session.staging.clone();
        let kind = project.repository().map_or(HashKind::Sha1, Repository::hash_kind);
        let mut folders: HashMap<FolderId, Arc<StagingFolder>> = HashMap::new();
        let mut shelves = Shelves::default();
        let mut workshop = Workshop::new(project, snapshot, kind);
        // The first place is the repository's, whose contents are complete only when all is listed.
        let mut stores: Vec<Option<Box<dyn Contents>>> = snapshot.iter().map(|_| None).collect();
        let mut exports = Vec::new();
        let mut indices = Vec::new();
        for (index, (item, wanted)) in self.plan.items.iter().zip(&mut self.work).enumerate() {
            let Action::Create { name, .. } = &item.action else { continue };
            let folder_id = session.claim_for_versions(&item.destination, events)?;
            let (listing, folder) = match (wanted.folder.take(), snapshot) {
                (Some(folder), _) => (folder.listing.clone(), Some(folder)),
                (None, Some(snapshot)) => (list(wanted, snapshot)?, None),
                (None, None) => continue,
            };
            let record = self.provenance.record(
                wanted,
                name,
                &listing.uses,
                fingerprint(snapshot, wanted, &listing.uses),
            );
            let mut content = Content { mode: wanted.item.place.mode(), listing, store: 0 };
            let mut made = folder;
            if wanted.ingredients.pipeline.is_some() {
                let contents = made.take().map(Folder::into_contents);
                let contents = contents.as_ref().map(|contents| contents as &dyn Contents);
                made = Some(workshop.run(wanted, &self.provenance, &content, contents, events)?);
            }
            if let Some(folder) = made {
                content = Content { mode: folder.mode, listing: folder.listing.clone(), store: stores.len() };
                stores.push(Some(Box::new(folder.into_contents())));
            }
            let record = Record { mode: content.mode.as_str().to_owned(), ..record };
            exports.push(Export {
                destination: item.destination.clone(),
                folder: staging_folder(&mut folders, folder_id, &item.destination, &rollout)?,
                previous: match content.mode {
                    Mode::Directory => previous(&mut shelves, item)?,
                    _ => Vec::new(),
                },
                content,
                record,
                sharing: sharing(wanted.item.settings.link),
                shared: wanted.item.shared.clone(),
                mtime: self.provenance.time,
            });
            indices.push(index);
        }
        if let (Some(snapshot), Some(first)) = (snapshot, stores.first_mut()) {
            *first = Some(Box::new(snapshot.contents()));
        }
        let contents: Vec<&dyn Contents> = stores.iter().flatten().map(|store| &**store).collect();
        let staged = stage::export(exports, &contents, kind, events)?;
        Ok(indices.into_iter().zip(staged).collect())
    }

    /// Stages the one item again whose source and target `record` names, for a repair, with the pipeline that the
    /// project's revision says. `None` if the revision has no such item.
    pub(in crate::rollout) fn stage_again(
        mut self,
        project: &Project,
        snapshot: &Snapshot<'_>,
        mut export: Export,
        events: &dyn Events,
    ) -> Result<Option<Vec<Staged>>> {
        let record = &export.record;
        let is_it =
            |wanted: &Wanted| wanted.item.target == record.target && wanted.item.source == record.source;
        let Some(index) = self.work.iter().position(is_it) else { return Ok(None) };
        let wanted = self.work.swap_remove(index);
        let kind = snapshot.repository().hash_kind();
        let mut workshop = Workshop::new(project, Some(snapshot), kind);
        let made = workshop.run(&wanted, &self.provenance, &export.content, None, events)?;
        export.content = Content { mode: made.mode, listing: made.listing.clone(), store: 0 };
        Ok(Some(stage::export(vec![export], &[&made.into_contents()], kind, events)?))
    }

    /// Gives a staged version its final name, or finds that the disk holds it already: the item then relinks, stays
    /// as it is, or is refused because that content was marked bad. A record of the same content that is to remember
    /// another fingerprint goes to `known`.
    fn place(
        &mut self,
        index: usize,
        staged: Staged,
        consent: Consent,
        known: &mut Vec<(Destination, Record)>,
    ) -> Result<Option<stage::Sealed>> {
        let item = &mut self.plan.items[index];
        let Action::Create { name, adopt } = &item.action else { return Ok(None) };
        let (adopt, name) = (*adopt, name.clone());
        let is_same =
            |found: &Record| found.content == staged.record().content && found.mode == staged.record().mode;
        let is_same_bad = |stored: &&Stored| stored.record.as_ref().is_some_and(is_same);
        if let Some(bad) = self.work[index].bad.iter().find(is_same_bad).filter(|_| !consent.version_only) {
            let (version, record) = (bad.name.clone(), bad.record.as_ref());
            item.action = if consent.force {
                Action::Relink { to: version, adopt, clear_mark: true, mark_bad: None, back: 0 }
            } else {
                let reason = record.and_then(|record| record.reason.clone());
                Action::Refuse(Refusal::Bad { version, reason })
            };
            return Ok(None);
        }
        for name in names(&self.provenance, &self.work[index], &name, &staged) {
            let text = name.to_string();
            if staged.versions().stat(&text)?.is_none() {
                item.action = Action::Create { name: name.clone(), adopt };
                return Ok(Some(staged.seal(name)?));
            }
            let Some(found) = Record::read(staged.versions(), &text)? else { continue };
            if is_same(&found) {
                // The same bytes under another fingerprint: remembered, so that the next run need not look.
                let fingerprint = staged.record().fingerprint.clone();
                let uses = staged.record().uses.clone();
                known.push((item.destination.clone(), Record { fingerprint, uses, ..found }));
                item.action = if item.from.as_ref() == Some(&name) && !adopt {
                    Action::Unchanged { version: name }
                } else {
                    Action::Relink { to: name, adopt, clear_mark: false, mark_bad: None, back: 0 }
                };
                return Ok(None);
            }
        }
        // Two contents whose ids begin alike: nobody will see this, and nobody loses anything.
        let action = Action::Refuse(Refusal::Occupied { by: "another version of this name".to_owned() });
        Err(RolloutError::Refused(vec![Item { action, ..item.clone() }]))
    }

    /// What is exported for the item `index`, before any pipeline.
    pub(in crate::rollout) fn listing(
        &self,
        index: usize,
        snapshot: Option<&Snapshot<'_>>,
    ) -> Result<Listing> {
        let wanted = &self.work[index];
        match (&wanted.folder, snapshot) {
            (Some(folder), _) => Ok(folder.listing.clone()),
            (None, Some(snapshot)) => list(wanted, snapshot),
            (None, None) => Ok(Listing::default()),
        }
    }

    /// True if the item `index` goes through a pipeline, whose result nobody knows before it ran.
    pub(in crate::rollout) fn has_pipeline(&self, index: usize) -> bool {
        self.work[index].ingredients.pipeline.is_some()
    }
}

/// The names a version may get, the preferred one first.
fn names(provenance: &Provenance, wanted: &Wanted, name: &VersionName, staged: &Staged) -> Vec<VersionName> {
    let content = &staged.record().content;
    match &provenance.numbered {
        Some(_) if wanted.is_uncommitted => vec![name.with_content(content)],
        Some(_) => vec![name.clone(), name.with_content(content)],
        None => vec![VersionName::new(name.base(), name.count(), content.get(..7).unwrap_or_default())],
    }
}

fn list(wanted: &Wanted, snapshot: &Snapshot<'_>) -> Result<Listing> {
    let Wanted { item, ingredients, .. } = wanted;
    let Place::Git(node) = item.place else { return Ok(Listing::default()) };
    let options = ListOptions {
        ignore: ingredients.ignore.clone(),
        submodules: submodules(item.settings.submodules).0,
        all: ingredients.all,
    };
    snapshot
        .list(item.source.as_bstr(), node, &options)
        .map_err(|source| RolloutError::Content { target: item.target.clone(), source })
}

fn staging_folder(
    folders: &mut HashMap<FolderId, Arc<StagingFolder>>,
    id: FolderId,
    destination: &Destination,
    rollout: &str,
) -> Result<Arc<StagingFolder>> {
    if let Some(folder) = folders.get(&id) {
        return Ok(Arc::clone(folder));
    }
    let folder = Arc::new(StagingFolder::create(destination, rollout)?);
    folders.insert(id, Arc::clone(&folder));
    Ok(folder)
}

/// The versions to share unchanged files with: the one that was listed last, and what is active. They are two after a
/// rollback. What both hold was last linked into the later one: its listing says that the file did not change since.
fn previous(shelves: &mut Shelves, item: &Item) -> Result<Vec<Previous>> {
    let stored = shelves.versions(&item.destination)?;
    let Some(versions) = shelves.dir(&item.destination)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for Stored { name, record } in stored {
        let Some(record) = record.filter(|record| record.mode == Mode::Directory.as_str()) else { continue };
        if let Some(stat) = versions.stat(FileListing::file_name(&name.to_string()))? {
            found.push((stat.changed, name, record));
        }
    }
    found.sort_by_key(|(listed, ..)| std::cmp::Reverse(*listed));
    let mut is_first = true;
    found.retain(|(_, name, _)| std::mem::take(&mut is_first) || Some(name) == item.from.as_ref());
    let mut previous = Vec::new();
    for (listed, name, record) in found {
        match FileListing::read(&versions, &name.to_string()) {
            Ok(Some(files)) => previous.push(Previous { name, record, files, listed }),
            // There is nothing to share with a version that one cannot tell the files of.
            Ok(None) | Err(ListingError::Damaged { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(previous)
}

fn sharing(link: manifest::Link) -> Sharing {
    match link {
        manifest::Link::Auto => Sharing::Auto,
        manifest::Link::Reflink => Sharing::Reflink,
        manifest::Link::Hardlink => Sharing::Hardlink,
        manifest::Link::Copy => Sharing::Copy,
    }
}

/// The file name that commands see a source under.
pub(super) fn file_name(wanted: &Wanted) -> PathBuf {
    let source = crate::disk::on_disk(&wanted.item.source);
    let name = source.file_name().unwrap_or_else(|| wanted.item.destination.base().as_ref());
    Path::new(name).to_owned()
}
