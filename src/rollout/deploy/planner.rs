//! What each destination wants and what is there, brought before the pure decision.

use std::collections::{BTreeSet, HashMap};

use bstr::{BString, ByteSlice as _};

use super::{DeployRequest, Provenance, Wanted, spec_of, variables};
use crate::manifest;
use crate::plan::{self, Candidate, Item, Situation};
use crate::project::Project;
use crate::rollout::{Result, RolloutError};
use crate::source::folder::{Folder, JUNK};
use crate::source::git::{Ancestry, Repository, Snapshot, Submodules, tree_id};
use crate::source::{HashKind, Mode, ObjectId};
use crate::target::{self, Place};
use crate::transform;
use crate::version::{Ingredients, Shelves, Stored, VersionName};

pub(super) struct Planner<'a> {
    project: &'a Project,
    snapshot: Option<&'a Snapshot<'a>>,
    request: &'a DeployRequest,
    provenance: &'a Provenance,
    shelves: Shelves,
    ancestries: HashMap<String, Ancestry>,
    /// Attribute files above a folder of the repository, which thousands of items may share.
    attributes: HashMap<BString, Vec<(BString, ObjectId)>>,
    /// Content id of the whole working tree, once it was needed.
    worktree: Option<String>,
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        project: &'a Project,
        snapshot: Option<&'a Snapshot<'a>>,
        request: &'a DeployRequest,
        provenance: &'a Provenance,
    ) -> Self {
        Self {
            project,
            snapshot,
            request,
            provenance,
            shelves: Shelves::default(),
            ancestries: HashMap::new(),
            attributes: HashMap::new(),
            worktree: None,
        }
    }

    /// Finds out what decides the bytes of an item.
    pub(super) fn wanted(&mut self, item: target::Item) -> Result<Wanted> {
        let spec = spec_of(self.project, &item);
        let steps = spec.map(|spec| self.project.manifest.pipeline_of(spec)).unwrap_or_default();
        let pipeline = if steps.is_empty() {
            None
        } else {
            let variables = variables(self.provenance, &item);
            let environment = &self.project.environment;
            let ingredients = transform::ingredients(&item.target, &steps, environment, &variables)?;
            let needs_checkout = transform::needs_checkout(&steps);
            let beside = if needs_checkout { self.checkout(&item.target)? } else { String::new() };
            Some(format!("{ingredients} {beside}"))
        };
        let (object, attributes, folder) = match &item.place {
            Place::Git(node) => (node.id, self.attributes_above(&item)?, None),
            Place::Disk { path, .. } => {
                let folder = self.list_folder(&item, path)?;
                let kind = self.hash_kind();
                (content_of(kind, &folder), Vec::new(), Some(folder))
            }
        };
        let ingredients = Ingredients {
            mode: item.place.mode().as_str(),
            object,
            attributes,
            ignore: item.settings.ignore.clone(),
            submodules: submodules(item.settings.submodules).1,
            all: self.request.all,
            writable: item.settings.link == manifest::Link::Copy,
            shared: item.shared.clone(),
            pipeline,
        };
        let is_uncommitted = folder.is_some();
        Ok(Wanted { item, ingredients, folder, bad: Vec::new(), is_uncommitted })
    }

    fn hash_kind(&self) -> HashKind {
        self.project.repository().map_or(HashKind::Sha1, Repository::hash_kind)
    }

    /// The id of what a command can read beside its input: the revision, or the working tree.
    fn checkout(&mut self, target: &str) -> Result<String> {
        if let (Some(snapshot), false) = (self.snapshot, self.project.from_worktree) {
            return Ok(snapshot.revision().tree.to_string());
        }
        if let (None, Some(top)) = (&self.worktree, self.project.worktree()) {
            let kind = self.hash_kind();
            let folder = Folder::list(top, kind, &[".git".to_owned()])
                .map_err(|source| RolloutError::Source { target: target.to_owned(), source })?;
            self.worktree = Some(content_of(kind, &folder).to_string());
        }
        Ok(self.worktree.clone().unwrap_or_default())
    }

    fn attributes_above(&mut self, item: &target::Item) -> Result<Vec<(BString, ObjectId)>> {
        let Some(snapshot) = self.snapshot else { return Ok(Vec::new()) };
        let end = item.source.rfind_byte(b'/').unwrap_or(0);
        let folder = item.source[..end].as_bstr().to_owned();
        if let Some(known) = self.attributes.get(&folder).filter(|_| !item.source.is_empty()) {
            return Ok(known.clone());
        }
        let found = snapshot.attribute_files_above(item.source.as_bstr())?;
        if !item.source.is_empty() {
            self.attributes.insert(folder, found.clone());
        }
        Ok(found)
    }

    fn list_folder(&self, item: &target::Item, path: &std::path::Path) -> Result<Folder> {
        let kind = self.hash_kind();
        let junk = if self.request.all { &[][..] } else { &JUNK[..] };
        let own = [".git".to_owned()];
        let ignore: Vec<String> = own
            .into_iter()
            .chain(junk.iter().map(|pattern| (*pattern).to_owned()))
            .chain(item.settings.ignore.iter().cloned())
            .collect();
        Folder::list(path, kind, &ignore)
            .map_err(|source| RolloutError::Source { target: item.target.clone(), source })
    }

    /// Decides what happens to the destination of `wanted`, and notes which versions behind it are bad.
    pub(super) fn decide(&mut self, wanted: &mut Wanted) -> Result<Item> {
        let destination = &wanted.item.destination;
        let link = self.shelves.link(destination)?;
        let from = link.version().cloned();
        let active = match &from {
            Some(from) => {
                self.shelves.stored(destination, from)?.map(|stored| self.candidate(wanted, stored))
            }
            None => None,
        };
        let is_settled = active.as_ref().is_some_and(|active| active.matches);
        let mut others = Vec::new();
        let mut ancestry = Ancestry::Older;
        let mut newest = 0;
        if !is_settled {
            for stored in self.shelves.versions(destination)? {
                newest = newest.max(stored.name.count());
                if stored.is_bad() {
                    wanted.bad.push(stored.clone());
                }
                if Some(&stored.name) != from.as_ref() {
                    others.push(self.candidate(wanted, stored));
                }
            }
            if let Some(from) = &from {
                ancestry = self.ancestry_of(active.as_ref(), from)?;
            }
        }
        let name = match &self.provenance.numbered {
            Some((count, short)) => VersionName::new(destination.base(), *count, short),
            // Outside git versions are counted as they come.
            None => {
                let content = wanted.ingredients.object.to_string();
                VersionName::new(destination.base(), newest + 1, content.get(..7).unwrap_or_default())
            }
        };
        let situation = Situation { name, link, active, others, ancestry };
        let (action, mut warnings) = plan::deploy(&situation, self.request.consent);
        if let Some(folder) = &wanted.folder {
            let special =
                folder.special.iter().map(|path| format!("leaves out `{}`", crate::disk::Shown(path)));
            warnings.extend(special);
        }
        Ok(Item {
            target: wanted.item.target.clone(),
            source: wanted.item.source.to_string(),
            destination: destination.clone(),
            from,
            action,
            warnings,
        })
    }

    /// How the commit of what is active stands to the revision. Outside git there is no history to look at: what
    /// was deployed outside git too is simply older.
    fn ancestry_of(&mut self, active: Option<&Candidate>, from: &VersionName) -> Result<Ancestry> {
        let record = active.and_then(|active| active.stored.record.as_ref());
        let is_outside_git = record.is_some_and(|record| record.commit.is_empty());
        let (Some(repository), Some(snapshot)) = (self.project.repository(), self.snapshot) else {
            return Ok(if is_outside_git { Ancestry::Older } else { Ancestry::Unknown });
        };
        if is_outside_git {
            return Ok(Ancestry::Unknown);
        }
        let short = Some(from.short()).filter(|short| !short.is_empty());
        let commit = record.map(|record| record.commit.clone());
        let Some(commit) = commit.or_else(|| short.and_then(|short| repository.complete_id(short))) else {
            return Ok(Ancestry::Unknown);
        };
        if let Some(known) = self.ancestries.get(&commit) {
            return Ok(*known);
        }
        let found = repository.ancestry(&commit, snapshot.revision())?;
        self.ancestries.insert(commit, found);
        Ok(found)
    }

    fn candidate(&self, wanted: &Wanted, stored: Stored) -> Candidate {
        let matches = stored.record.as_ref().is_some_and(|record| {
            let by_content =
                wanted.item.settings.matching == manifest::Match::Content || wanted.is_uncommitted;
            (by_content || record.commit == self.provenance.commit)
                && record.fingerprint == fingerprint(self.snapshot, wanted, &record.uses)
        });
        Candidate { stored, matches }
    }
}

/// The digest of everything that decides the bytes.
pub(super) fn fingerprint(
    snapshot: Option<&Snapshot<'_>>,
    wanted: &Wanted,
    uses: &BTreeSet<String>,
) -> String {
    let commit = snapshot.map(|snapshot| snapshot.revision().commit.to_string()).unwrap_or_default();
    let filter = |name: &str| snapshot.map(|snapshot| snapshot.filter_identity(name)).unwrap_or_default();
    wanted.ingredients.fingerprint(uses, &commit, filter).as_str().to_owned()
}

/// The id git would give to what a folder holds.
fn content_of(kind: HashKind, folder: &Folder) -> ObjectId {
    if folder.mode == Mode::Directory {
        return tree_id(kind, &folder.listing.tree_entries());
    }
    folder.listing.entries.first().map_or_else(|| ObjectId::null(kind), |entry| entry.id)
}

pub(super) fn submodules(option: manifest::Submodules) -> (Submodules, &'static str) {
    match option {
        manifest::Submodules::Error => (Submodules::Error, "error"),
        manifest::Submodules::Skip => (Submodules::Skip, "skip"),
        manifest::Submodules::Recurse => (Submodules::Recurse, "recurse"),
    }
}
