//! A run under the lock, and the part of the road that every rollout takes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::after::{After, Failure};
use super::work::{Work, groups};
use super::{Events, Report, Result, RolloutError};
use crate::activate::{ActivateError, Activated, Activation, Recovered, activate, is_pending, recover};
use crate::causes::chain;
use crate::disk::{Dir, Replacements, user_name};
use crate::history::{self, Change, History, Rollout};
use crate::lock::{Holder, Lock, LockError, Patience};
use crate::plan::{Item, Kind};
use crate::project::Project;
use crate::root::{Deployed, Root, bump_epoch};
use crate::signature::Signature;
use crate::stage::{self, CompleteVersion};
use crate::version::{Destination, DistInfo, Record};

/// Number of a folder and of the filesystem it is on.
pub type FolderId = (u64, u64);

/// The deployment root, locked, with whatever a killed run left cleared away.
pub struct Session {
    /// The root.
    pub root: Root,
    /// Its own folder.
    pub meta: Dir,
    /// Its history.
    pub history: History,
    /// What was found of a killed run.
    pub recovered: Recovered,
    lock: Lock,
    /// The `versions/` folders that were claimed, and what they are by whatever path.
    claimed: HashMap<PathBuf, FolderId>,
    swept: HashSet<FolderId>,
    /// What tells the staging folders of this run from those of others.
    pub staging: String,
}

/// What is said in the history of a rollout, apart from what it changes.
#[derive(Clone, Debug, Default)]
pub struct Switch {
    /// What started it, if it was no person.
    pub trigger: Option<String>,
    /// Why, in the words of `-m`.
    pub why: Option<String>,
    /// Where the content came from.
    pub origin: Option<String>,
    /// The revision as asked.
    pub revision: Option<String>,
    /// The full commit id.
    pub commit: Option<String>,
    /// Path of the manifest in the repository, if it is that which asks for these destinations.
    pub manifest: Option<String>,
    /// Who signed what is deployed, if that was asked for.
    pub signature: Option<Signature>,
    /// Who answers for the deployment, for dist info.
    pub author: Option<String>,
    /// What is said of destinations, where that is known otherwise than from records.
    pub infos: BTreeMap<Destination, DistInfo>,
    /// For each target whose destinations are pruned afterwards: how many good versions are kept besides the
    /// active and the previous one; 0 keeps all.
    pub keep: HashMap<String, usize>,
    /// Versions are made and not activated.
    pub version_only: bool,
    /// For each destination that a deploy knows: the group it flips with, or none. Others stay as they are.
    pub groups: HashMap<Destination, Option<String>>,
    /// What `after` commands see besides distman.env; empty if nothing new is deployed.
    pub variables: BTreeMap<String, String>,
    /// What the launch record says of what is deployed.
    pub launch: Option<Deployed>,
    /// Versions are removed though somebody uses them.
    pub insists: bool,
}

impl Session {
    /// Takes the lock of `root` and clears away what a killed run left.
    ///
    /// # Errors
    /// When the lock is held for too long, or the traces cannot be cleared.
    pub fn begin(root: &Root, kind: Kind, events: &dyn Events) -> Result<Self> {
        let holder = Holder::me(kind.word());
        let me = rustix::process::geteuid();
        let owner = root.owner()?;
        if me.is_root() && owner != 0 {
            events.acting_for(root, &user_name(owner));
        }
        let entered = || -> Result<_> {
            let meta = root.create()?;
            let waiting = &mut |holder: &Holder| events.waiting(holder);
            let lock = Lock::acquire(&meta, &holder, &patience(events), waiting)?;
            Ok((meta, lock))
        };
        let (meta, lock) = entered().map_err(|error| match error {
            RolloutError::Disk(source) | RolloutError::Lock(LockError::Disk(source))
                if source.is_denied() && owner != me.as_raw() =>
            {
                RolloutError::NotYours { path: root.path().to_owned(), owner: user_name(owner), source }
            }
            other => other,
        })?;
        meta.sweep_temporary()?;
        let history = History::read(&meta)?;
        let recovered = recover(&meta, &history)?;
        if recovered != Recovered::Nothing {
            events.recovered(&recovered);
        }
        let staging = format!("r{}-{}", history.next_number(), std::process::id());
        let (root, claimed, swept) = (root.clone(), HashMap::new(), HashSet::new());
        let mut session = Self { root, meta, history, recovered, lock, claimed, swept, staging };
        if session.lock.is_unsigned() {
            for path in session.lock.abandoned(session.root.path()) {
                match Dir::open(&path) {
                    Ok(versions) => {
                        let id = session.claim_folder(path, &versions, events)?;
                        stage::sweep(&versions)?;
                        session.swept.insert(id);
                    }
                    Err(error) if error.is_not_found() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            session.lock.sign(&holder);
            session.claimed.keys().for_each(|path| session.lock.note(path));
        }
        Ok(session)
    }

    /// Clears away what a killed run left of `root`, if it left anything: a plan that is made of half-swapped links
    /// would be wrong.
    ///
    /// # Errors
    /// As [`Session::begin`].
    pub fn settle(root: &Root, kind: Kind, events: &dyn Events) -> Result<()> {
        let Some(meta) = root.open()? else { return Ok(()) };
        if is_pending(&meta)? {
            Self::begin(root, kind, events)?;
        } else if Lock::is_abandoned(&meta) {
            // Unfinished work is in nobody's way; who may not remove it may still look.
            let _ = Self::begin(root, kind, events);
        }
        Ok(())
    }

    /// Locks the `versions/` folder of a destination outside the root, which another root might use too. Returns what
    /// tells the folder from others, by whatever path it was reached.
    fn claim(&mut self, destination: &Destination, events: &dyn Events) -> Result<FolderId> {
        let path = destination.versions_folder();
        if let Some(known) = self.claimed.get(&path) {
            return Ok(*known);
        }
        let versions = Dir::create_all(&path)?;
        self.claim_folder(path, &versions, events)
    }

    fn claim_folder(&mut self, path: PathBuf, versions: &Dir, events: &dyn Events) -> Result<FolderId> {
        let id = versions.inode()?;
        if self.claimed.values().all(|known| *known != id) {
            if !path.starts_with(self.root.path()) {
                self.lock.extend(versions.descend(Path::new(""))?, &patience(events))?;
            }
            self.lock.note(&path);
        }
        self.claimed.insert(path, id);
        Ok(id)
    }

    /// As `claim`, for a run that makes versions: what killed ones left there is swept first. To find it
    /// takes a look at every name in the folder, which other rollouts need not wait for.
    ///
    /// # Errors
    /// When the folder cannot be made, or its lock is held for too long.
    pub fn claim_for_versions(&mut self, destination: &Destination, events: &dyn Events) -> Result<FolderId> {
        let id = self.claim(destination, events)?;
        if self.swept.insert(id) {
            stage::sweep(&Dir::open(&destination.versions_folder())?)?;
        }
        Ok(id)
    }

    /// Does what `items` say, from "activate" on, with the `after` commands of `project`. Versions that `items`
    /// want to create must be among `fresh`.
    ///
    /// # Errors
    /// When an item is refused, the disk says no, an `after` command fails or the run is asked to stop: nothing is
    /// changed then. Fresh versions are gone, or marked bad if it was a command that failed.
    pub fn switch(
        mut self,
        project: Option<&Project>,
        kind: Kind,
        items: Vec<Item>,
        fresh: &[CompleteVersion],
        about: &Switch,
        events: &dyn Events,
    ) -> Result<Report> {
        self.switch_and_stay(project, kind, items, fresh, about, events)
    }

    /// As [`Session::switch`], for who has more to do under the lock.
    ///
    /// # Errors
    /// As [`Session::switch`].
    pub fn switch_and_stay(
        &mut self,
        project: Option<&Project>,
        kind: Kind,
        items: Vec<Item>,
        fresh: &[CompleteVersion],
        about: &Switch,
        events: &dyn Events,
    ) -> Result<Report> {
        self.try_switch(project, kind, items, fresh, about, events).inspect_err(|error| {
            // Links may still lead to them, or a mark on them says what failed.
            let is_used = match error {
                RolloutError::Activate(error) => matches!(error, ActivateError::Stuck(_)),
                RolloutError::After { source, .. } => source.is_verdict(),
                _ => false,
            };
            if !is_used {
                stage::withdraw(fresh);
            }
        })
    }

    fn try_switch(
        &mut self,
        project: Option<&Project>,
        kind: Kind,
        items: Vec<Item>,
        fresh: &[CompleteVersion],
        about: &Switch,
        events: &dyn Events,
    ) -> Result<Report> {
        for item in &items {
            match kind {
                Kind::Deploy => self.claim_for_versions(&item.destination, events)?,
                _ => self.claim(&item.destination, events)?,
            };
        }
        let mut work = Work::of(&items, fresh, about.version_only)?;
        work.removals.iter_mut().for_each(|removal| removal.insists = about.insists);
        let mut report = Report {
            kind,
            number: None,
            items,
            pruned: Vec::new(),
            in_use: Vec::new(),
            recovered: self.recovered.clone(),
            warnings: Vec::new(),
            left_out: None,
        };
        if work.changes.is_empty() {
            return Ok(report);
        }
        let rollout = self.rollout(kind, about, work.changes);
        report.number = Some(rollout.number);
        if !about.keep.is_empty() {
            work.removals.extend(self.outlived(&rollout, about, &mut report));
        }
        let groups = groups(&work.swaps, &report.items, about)?;
        if events.is_interrupted() {
            return Err(RolloutError::interrupted());
        }
        let activated = activate(
            &self.meta,
            Activation {
                root: &self.root,
                rollout,
                author: about.author.clone(),
                swaps: &work.swaps,
                marks: work.marks,
                removals: work.removals,
                adopt: &work.adopted,
                infos: &about.infos,
                groups: &groups,
                launch: about.launch.clone(),
            },
        )?;
        let items = if about.version_only { &[][..] } else { &report.items[..] };
        let after = project.map(|project| {
            let (root, variables) = (self.root.path(), &about.variables);
            After { project, root, items, variables }
        });
        let failure = after.as_ref().and_then(|after| after.run(events).err());
        if failure.is_some() || events.is_interrupted() {
            return Err(self.undo(&activated, after.as_ref(), failure, fresh, events));
        }
        report.warnings.extend(activated.commit()?.iter().map(|error| chain(error)));
        Ok(report)
    }

    /// Undoes a rollout that an `after` command refused or that was asked to stop, and says how that went.
    fn undo(
        &self,
        activated: &Activated<'_>,
        after: Option<&After<'_>>,
        failure: Option<Failure>,
        fresh: &[CompleteVersion],
        events: &dyn Events,
    ) -> RolloutError {
        if let Err(stuck) = activated.undo() {
            return ActivateError::Stuck(Box::new(stuck)).into();
        }
        let run_again = |last: Option<&str>| {
            let failure = after?.run_again(last, events).err()?;
            Some(failure.source.in_short())
        };
        match failure {
            // Whatever a command says while the run is asked to stop, it may say because it was asked too.
            Some(Failure { target, source }) if !events.is_interrupted() => {
                // What failed is the command; without its marks the versions are only tried again.
                let reason = format!("`after` of target `{target}`: {}", source.in_short());
                let blamed = if source.is_verdict() { fresh } else { &[] };
                let _ = self.give_up(activated.rollout(), blamed, &reason);
                RolloutError::After { again: run_again(Some(&target)), target, source }
            }
            failure => {
                let outcome = "the rollout was undone".to_owned();
                let again = run_again(failure.as_ref().map(|failure| &*failure.target));
                RolloutError::Interrupted { outcome, again }
            }
        }
    }

    fn rollout(&self, kind: Kind, about: &Switch, items: Vec<Change>) -> Rollout {
        let me = Holder::me(kind.word());
        Rollout {
            format: 1,
            number: self.history.next_number(),
            time: me.since,
            by: format!("{}@{}", me.user, me.host),
            kind,
            root: history::place(&self.meta),
            trigger: about.trigger.clone(),
            why: about.why.clone(),
            origin: about.origin.clone(),
            revision: about.revision.clone(),
            commit: about.commit.clone(),
            manifest: about.manifest.clone(),
            signature: about.signature.clone(),
            undone: None,
            items,
        }
    }

    /// Marks the versions of an undone rollout bad, and logs why it was undone.
    fn give_up(&self, rollout: &Rollout, fresh: &[CompleteVersion], reason: &str) -> Result<()> {
        let mut files = Replacements::default();
        for version in fresh {
            let versions = Dir::open(&version.destination().versions_folder())?;
            if let Some(record) = Record::read(&versions, &version.name().to_string())? {
                record.marked_bad(reason).replace(&versions, &mut files)?;
            }
        }
        files.finish(|| Ok(()))?;
        history::append(&self.meta, &Rollout { undone: Some(reason.to_owned()), ..rollout.clone() })?;
        bump_epoch(&self.meta)?;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let name = format!("{}{}", stage::STAGING, self.staging);
        if self.claimed.keys().any(|versions| versions.join(&name).symlink_metadata().is_ok()) {
            self.lock.abandon();
        }
    }
}

/// How long a run waits for the lock of another one, and what ends that.
fn patience(events: &dyn Events) -> Patience<'_> {
    Patience { limit: events.lock_wait(), is_over: Box::new(|| events.is_interrupted()) }
}
