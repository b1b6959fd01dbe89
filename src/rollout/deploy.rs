//! A deploy: what a revision wants, against what is on disk, made into versions.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use bstr::ByteSlice as _;
use chrono::{DateTime, SecondsFormat, Utc};

use super::{Events, Report, Result, RolloutError, Session, Switch};
use crate::lock::Holder;
use crate::manifest::{self, TargetSpec};
use crate::plan::{self, Action, Candidate, Consent, Item, Kind, Plan, Refusal, Situation};
use crate::project::Project;
use crate::source::Listing;
use crate::source::git::{Ancestry, ListOptions, Mode, Snapshot, Submodules};
use crate::stage::{self, Content, Export, Previous, Sharing, Staged, StagingFolder};
use crate::target;
use crate::version::{
    FileListing, Fingerprint, Ingredients, Link, Recipe, Record, Shelves, State, Stored, VersionName,
};

/// What is asked of a deploy, apart from project and revision.
#[derive(Clone, Debug, Default)]
pub struct DeployRequest {
    /// Patterns of target names; none means all.
    pub targets: Vec<String>,
    /// What the user allowed.
    pub consent: Consent,
    /// `--all`: deploy git's own files too.
    pub all: bool,
    /// `--ignore-missing`.
    pub ignore_missing: bool,
    /// A hook or an update: an item that is refused for being rolled back does not hold back the others.
    pub unattended: bool,
    /// What started it, if it was no person.
    pub trigger: Option<String>,
    /// Why, in the words of `-m`.
    pub why: Option<String>,
}

/// A plan with what is needed to carry it out.
pub struct Prepared {
    /// The plan: what everybody may read.
    pub plan: Plan,
    /// Targets without a source at the revision.
    pub missing: Vec<target::Missing>,
    work: Vec<Wanted>,
}

/// What one destination wants at the revision.
struct Wanted {
    item: target::Item,
    ingredients: Ingredients,
    shared: Vec<String>,
}

/// Plans a deploy of `project`: reads what is on disk, writes nothing, needs no lock.
///
/// # Errors
/// When targets cannot be resolved, or folders, records or the repository cannot be read.
pub fn plan_deploy(project: &Project, snapshot: &Snapshot<'_>, request: &DeployRequest) -> Result<Prepared> {
    let names = target::select(&project.manifest, &request.targets)?;
    for name in &names {
        check_supported(project, name)?;
    }
    let resolved = target::resolve(
        target::Request {
            manifest: &project.manifest,
            environment: &project.environment,
            folder: project.folder.as_bstr(),
            ignore_missing: request.ignore_missing,
        },
        snapshot,
        &names,
    )?;
    let mut planner = Planner {
        project,
        snapshot,
        request,
        shelves: Shelves::default(),
        ancestries: HashMap::new(),
        attributes: HashMap::new(),
    };
    let mut plan = Plan { kind: Kind::Deploy, items: Vec::new() };
    let mut work = Vec::new();
    for item in resolved.items {
        let wanted = planner.wanted(item)?;
        plan.items.push(planner.decide(&wanted)?);
        work.push(wanted);
    }
    Ok(Prepared { plan, missing: resolved.missing, work })
}

/// Refuses what dist.json may ask for but this release cannot do, rather than leaving it out.
fn check_supported(project: &Project, name: &str) -> Result<()> {
    let Some(spec) = project.manifest.targets.get(name) else { return Ok(()) };
    let settings = project.manifest.settings_of(spec);
    let unsupported =
        |what: &str| Err(RolloutError::Unsupported { target: name.to_owned(), what: what.to_owned() });
    if !project.manifest.pipeline_of(spec).is_empty() {
        return unsupported("`pipeline`");
    }
    if !spec.verify.is_empty() || !spec.after.is_empty() {
        return unsupported("`verify` or `after`");
    }
    if settings.from != manifest::Source::Git {
        return unsupported("the option `from`");
    }
    if settings.require_signed {
        return unsupported("the option `require_signed`");
    }
    if settings.switch != manifest::Switch::Each {
        return unsupported("the option `switch`");
    }
    Ok(())
}

struct Planner<'a> {
    project: &'a Project,
    snapshot: &'a Snapshot<'a>,
    request: &'a DeployRequest,
    shelves: Shelves,
    ancestries: HashMap<String, Ancestry>,
    /// Attribute files above a folder of the repository, which thousands of items may share.
    attributes: HashMap<bstr::BString, Vec<(bstr::BString, crate::source::git::ObjectId)>>,
}

impl Planner<'_> {
    fn wanted(&mut self, item: target::Item) -> Result<Wanted> {
        let folder =
            item.source.rfind_byte(b'/').map_or(b"".as_bstr(), |end| item.source[..end].as_bstr()).to_owned();
        let attributes = match self.attributes.get(&folder) {
            Some(known) => known.clone(),
            None => {
                let found = self.snapshot.attribute_files_above(item.source.as_bstr())?;
                self.attributes.insert(folder, found.clone());
                found
            }
        };
        let shared = self.spec(&item).map(|spec| spec.shared.clone()).unwrap_or_default();
        let ingredients = Ingredients {
            mode: item.node.mode.as_str(),
            object: item.node.id,
            attributes,
            ignore: item.settings.ignore.clone(),
            submodules: submodules(item.settings.submodules).1,
            all: self.request.all,
            writable: item.settings.link == manifest::Link::Copy,
            shared: shared.clone(),
        };
        Ok(Wanted { item, ingredients, shared })
    }

    fn spec(&self, item: &target::Item) -> Option<&TargetSpec> {
        self.project.manifest.targets.get(&item.target)
    }

    fn decide(&mut self, wanted: &Wanted) -> Result<Item> {
        let destination = &wanted.item.destination;
        let revision = self.snapshot.revision();
        let name = VersionName::new(destination.base(), revision.count, &revision.short());
        let link = destination.link()?;
        let active = match &link {
            Link::Version(active) => {
                self.shelves.stored(destination, active)?.map(|stored| self.candidate(wanted, stored))
            }
            _ => None,
        };
        let from = match &link {
            Link::Version(active) => Some(active.clone()),
            _ => None,
        };
        let is_settled = active.as_ref().is_some_and(|active| active.matches);
        let mut others = Vec::new();
        let mut ancestry = Ancestry::Older;
        if !is_settled {
            for stored in self.shelves.versions(destination)? {
                if Some(&stored.name) != from.as_ref() {
                    others.push(self.candidate(wanted, stored));
                }
            }
            if let Some(from) = &from {
                let commit = active.as_ref().and_then(|active| active.stored.record.as_ref());
                let commit = commit.map(|record| record.commit.clone());
                ancestry = self.ancestry(commit.or_else(|| self.complete(from)))?;
            }
        }
        let situation = Situation { name, link, active, others, ancestry };
        let (action, warnings) = plan::deploy(&situation, self.request.consent);
        Ok(Item {
            target: wanted.item.target.clone(),
            source: wanted.item.source.to_string(),
            destination: destination.clone(),
            from,
            action,
            warnings,
        })
    }

    /// The full id of the commit that the name of a version without a record gives in short.
    fn complete(&self, name: &VersionName) -> Option<String> {
        Some(name.short())
            .filter(|short| !short.is_empty())
            .and_then(|short| self.project.repository.complete_id(short))
    }

    fn ancestry(&mut self, commit: Option<String>) -> Result<Ancestry> {
        let Some(commit) = commit else { return Ok(Ancestry::Unknown) };
        if let Some(known) = self.ancestries.get(&commit) {
            return Ok(*known);
        }
        let found = self.project.repository.ancestry(&commit, self.snapshot.revision())?;
        self.ancestries.insert(commit, found);
        Ok(found)
    }

    fn candidate(&self, wanted: &Wanted, stored: Stored) -> Candidate {
        let matches = stored.record.as_ref().is_some_and(|record| {
            let is_commit = record.commit == self.snapshot.revision().commit.to_string();
            (wanted.item.settings.matching == manifest::Match::Content || is_commit)
                && record.fingerprint == self.fingerprint(wanted, &record.uses).as_str()
        });
        Candidate { stored, matches }
    }

    fn fingerprint(&self, wanted: &Wanted, uses: &BTreeSet<String>) -> Fingerprint {
        fingerprint(self.snapshot, wanted, uses)
    }
}

fn fingerprint(snapshot: &Snapshot<'_>, wanted: &Wanted, uses: &BTreeSet<String>) -> Fingerprint {
    wanted.ingredients.fingerprint(uses, snapshot.revision().commit, |name| snapshot.filter_identity(name))
}

fn submodules(option: manifest::Submodules) -> (Submodules, &'static str) {
    match option {
        manifest::Submodules::Error => (Submodules::Error, "error"),
        manifest::Submodules::Skip => (Submodules::Skip, "skip"),
        manifest::Submodules::Recurse => (Submodules::Recurse, "recurse"),
    }
}

fn sharing(link: manifest::Link) -> Sharing {
    match link {
        manifest::Link::Auto => Sharing::Auto,
        manifest::Link::Reflink => Sharing::Reflink,
        manifest::Link::Hardlink => Sharing::Hardlink,
        manifest::Link::Copy => Sharing::Copy,
    }
}

impl Prepared {
    /// The items that are refused and hold back the whole rollout.
    pub fn refused(&self, request: &DeployRequest) -> Vec<Item> {
        let holds_back = |item: &&Item| match &item.action {
            Action::Refuse(refusal) => !(request.unattended && refusal.is_only_rolled_back()),
            _ => false,
        };
        self.plan.items.iter().filter(holds_back).cloned().collect()
    }

    /// True if something on disk would change.
    pub fn is_change(&self) -> bool {
        self.plan.items.iter().any(|item| item.action.is_change())
    }

    /// What would have to be allowed with `--adopt`.
    pub fn occupied(&self) -> impl Iterator<Item = &Item> {
        let is_occupied = |item: &&Item| matches!(&item.action, Action::Refuse(Refusal::Occupied { .. }));
        self.plan.items.iter().filter(is_occupied)
    }

    /// Carries the plan out.
    ///
    /// # Errors
    /// When an item is refused, or content cannot be read, written or activated. Nothing is changed then.
    pub fn execute(
        mut self,
        mut session: Session,
        project: &Project,
        snapshot: &Snapshot<'_>,
        request: &DeployRequest,
        events: &dyn Events,
    ) -> Result<Report> {
        let refused = self.refused(request);
        if !refused.is_empty() {
            return Err(RolloutError::Refused(refused));
        }
        let set_aside: Vec<Item> =
            self.plan.items.iter().filter(|item| matches!(item.action, Action::Refuse(_))).cloned().collect();
        let staged = self.stage(&mut session, project, snapshot, events)?;
        let mut sealed = Vec::new();
        for (index, staged) in staged {
            if let Some(version) = self.place(index, staged)? {
                sealed.push(version);
            }
        }
        stage::make_durable(&sealed)?;
        let complete = sealed.into_iter().map(stage::Sealed::complete).collect::<Result<Vec<_>, _>>()?;
        let mut folders: Vec<PathBuf> = complete.iter().map(|v| v.destination().versions_folder()).collect();
        folders.sort();
        folders.dedup();
        for folder in folders {
            crate::disk::Dir::open(&folder)?.sync()?;
        }
        let revision = snapshot.revision();
        let about = Switch {
            trigger: request.trigger.clone(),
            why: request.why.clone(),
            origin: Some(project.repository.origin()),
            revision: Some(revision.asked.clone()),
            commit: Some(revision.commit.to_string()),
            author: project.manifest.author.clone(),
            keep: self.keep(),
        };
        let mut items = self.plan.items;
        items.retain(|item| !matches!(item.action, Action::Refuse(_)));
        let mut report = session.switch(Kind::Deploy, items, &complete, about)?;
        report.items.extend(set_aside);
        Ok(report)
    }

    /// How many versions each target keeps.
    fn keep(&self) -> HashMap<String, usize> {
        let keep = |wanted: &Wanted| {
            (wanted.item.target.clone(), usize::try_from(wanted.item.settings.keep).unwrap_or(usize::MAX))
        };
        self.work.iter().map(keep).collect()
    }

    /// Stages what is to be created. Returns each staged version with the index of its item.
    fn stage(
        &self,
        session: &mut Session,
        project: &Project,
        snapshot: &Snapshot<'_>,
        events: &dyn Events,
    ) -> Result<Vec<(usize, Staged)>> {
        let rollout = format!("r{}-{}", session.history.next_number(), std::process::id());
        let mut folders: HashMap<PathBuf, Arc<StagingFolder>> = HashMap::new();
        let mut shelves = Shelves::default();
        let mut exports = Vec::new();
        let mut indices = Vec::new();
        for (index, (item, wanted)) in self.plan.items.iter().zip(&self.work).enumerate() {
            let Action::Create { name, .. } = &item.action else { continue };
            session.claim(&item.destination)?;
            let place = item.destination.versions_folder();
            let folder = match folders.get(&place) {
                Some(folder) => Arc::clone(folder),
                None => {
                    let folder = Arc::new(StagingFolder::create(&item.destination, &rollout)?);
                    folders.insert(place, Arc::clone(&folder));
                    folder
                }
            };
            let listing = self.listing(index, snapshot)?;
            let record = record(project, snapshot, wanted, name, &listing.uses);
            let previous = match wanted.item.node.mode {
                Mode::Directory => previous(&mut shelves, item)?,
                _ => None,
            };
            exports.push(Export {
                destination: item.destination.clone(),
                folder,
                content: Content { mode: wanted.item.node.mode, listing, store: 0 },
                record,
                sharing: sharing(wanted.item.settings.link),
                previous,
                shared: wanted.shared.clone(),
                mtime: snapshot.revision().time,
            });
            indices.push(index);
        }
        let contents = snapshot.contents();
        let staged = stage::export(exports, &[&contents], project.repository.hash_kind(), events)?;
        Ok(indices.into_iter().zip(staged).collect())
    }

    /// What is exported for the item `index`.
    pub(super) fn listing(&self, index: usize, snapshot: &Snapshot<'_>) -> Result<Listing> {
        let Wanted { item, ingredients, .. } = &self.work[index];
        let options = ListOptions {
            ignore: ingredients.ignore.clone(),
            submodules: submodules(item.settings.submodules).0,
            all: ingredients.all,
        };
        snapshot
            .list(item.source.as_bstr(), item.node, &options)
            .map_err(|source| RolloutError::Content { target: item.target.clone(), source })
    }

    /// Gives a staged version its final name, or finds that the disk holds it already: the item then relinks.
    fn place(&mut self, index: usize, staged: Staged) -> Result<Option<stage::Sealed>> {
        let item = &mut self.plan.items[index];
        let Action::Create { name, adopt } = &item.action else { return Ok(None) };
        let (adopt, plain) = (*adopt, name.clone());
        let suffixed = plain.with_content(&staged.record().content);
        for name in [plain, suffixed] {
            let text = name.to_string();
            if staged.versions().stat(&text)?.is_none() {
                item.action = Action::Create { name: name.clone(), adopt };
                return Ok(Some(staged.seal(name)?));
            }
            let Some(found) = Record::read(staged.versions(), &text)? else { continue };
            let is_same = found.content == staged.record().content && found.mode == staged.record().mode;
            if is_same && !found.is_bad() {
                // The same bytes under another fingerprint: remembered, so that the next run need not look.
                let fingerprint = staged.record().fingerprint.clone();
                let uses = staged.record().uses.clone();
                Record { fingerprint, uses, ..found }.write(staged.versions())?;
                item.action = Action::Relink { to: name, adopt, clear_mark: false, mark_bad: None, back: 0 };
                return Ok(None);
            }
        }
        Err(RolloutError::Refused(vec![Item {
            action: Action::Refuse(Refusal::Bad { version: item_name(item), reason: None }),
            ..item.clone()
        }]))
    }
}

fn item_name(item: &Item) -> VersionName {
    match &item.action {
        Action::Create { name, .. } => name.clone(),
        _ => VersionName::new(item.destination.base(), 0, ""),
    }
}

/// The version to share unchanged files with: what is active, or else the newest good one with a record.
fn previous(shelves: &mut Shelves, item: &Item) -> Result<Option<Previous>> {
    let is_usable = |stored: &Stored| {
        stored.record.as_ref().is_some_and(|record| record.mode == Mode::Directory.as_str())
    };
    let stored = shelves.versions(&item.destination)?;
    let active = stored.iter().find(|stored| Some(&stored.name) == item.from.as_ref() && is_usable(stored));
    let newest = || stored.iter().rev().find(|stored| is_usable(stored));
    let Some(stored) = active.or_else(newest) else { return Ok(None) };
    let Some(versions) = shelves_dir(shelves, item)? else { return Ok(None) };
    let files = FileListing::read(&versions, &stored.name.to_string())?;
    Ok(files.zip(stored.record.clone()).map(|(files, record)| Previous {
        name: stored.name.clone(),
        record,
        files,
    }))
}

fn shelves_dir(shelves: &mut Shelves, item: &Item) -> Result<Option<crate::disk::Dir>> {
    match shelves.dir(&item.destination)? {
        Some(dir) => Ok(Some(dir.descend(std::path::Path::new(""))?)),
        None => Ok(None),
    }
}

/// The record of a version that is about to be staged, but for what staging finds out.
fn record(
    project: &Project,
    snapshot: &Snapshot<'_>,
    wanted: &Wanted,
    name: &VersionName,
    uses: &BTreeSet<String>,
) -> Record {
    let revision = snapshot.revision();
    let me = Holder::me("deploy");
    let date = DateTime::<Utc>::from_timestamp(revision.time, 0).unwrap_or_default();
    Record {
        format: 1,
        version: name.to_string(),
        target: wanted.item.target.clone(),
        source: wanted.item.source.to_string(),
        origin: project.repository.origin(),
        revision: revision.asked.clone(),
        branch: revision.branch.clone(),
        commit: revision.commit.to_string(),
        date: date.to_rfc3339_opts(SecondsFormat::Secs, true),
        author: format!("{} <{}>", revision.author.name, revision.author.email),
        subject: revision.subject.clone(),
        mode: wanted.item.node.mode.as_str().to_owned(),
        object: wanted.item.node.id.to_string(),
        content: String::new(),
        fingerprint: fingerprint(snapshot, wanted, uses).as_str().to_owned(),
        uses: uses.clone(),
        files: 0,
        bytes: 0,
        mtimes: BTreeSet::new(),
        writable: wanted.ingredients.writable,
        recipe: Recipe {
            ignore: wanted.ingredients.ignore.clone(),
            submodules: wanted.ingredients.submodules.to_owned(),
            all: wanted.ingredients.all,
            shared: wanted.shared.clone(),
        },
        created_at: me.since,
        created_by: format!("{}@{}", me.user, me.host),
        tool: format!("git-dist {}", env!("CARGO_PKG_VERSION")),
        state: State::Good,
        reason: None,
    }
}
