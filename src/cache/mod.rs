//! Mirrors: the active versions of a slow shared root, copied to a local one.
//!
//! A mirror is a deployment root whose content comes from another root. What is active there is copied into staging
//! folders, with every byte hashed on its way, and goes the one road from there: durable, visible, links swapped under the
//! journal, history. The stamp of the source is written last, so that no copy that was killed counts as fresh; and it is
//! looked at again before the links are swapped, so that what they lead to is one state of the source.

mod copy;
mod decide;
mod error;
mod remove;
mod source;
mod stamp;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::CacheError;
use error::Failure;
pub use remove::Deleted;
use source::{Source, State};
pub use stamp::{CACHE, Stamp};

use crate::causes::chain;
use crate::disk::{Dir, DiskError};
use crate::history::{HISTORY, History};
use crate::plan::{Action, Item, Kind, Plan};
use crate::rollout::{Events, FileChange, Report, RolloutError, Session, version_changes};
use crate::root::{Root, resolved};
use crate::stage::Copied;
use crate::version::Shelves;

/// What is asked of a mirror.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The root that is mirrored.
    pub source: Root,
    /// The mirror, a root of its own.
    pub root: Root,
    /// For how long the source is not looked at again.
    pub ttl: Duration,
    /// The source is looked at whatever its stamp says, and what the mirror has is read and compared.
    pub force: bool,
    /// How many files are copied at a time.
    pub workers: usize,
    /// Destinations outside of the source are told.
    pub tells_outside: bool,
}

/// What a run came to.
#[derive(Debug)]
pub enum Refreshed {
    /// The source was looked at so long ago, and is not looked at yet.
    NotYet(Duration),
    /// The source is as it was copied.
    Fresh,
    /// It was copied.
    Done(Box<Done>),
}

/// What was copied.
#[derive(Debug)]
pub struct Done {
    /// What changed in the mirror.
    pub report: Report,
    /// What crossed from the source.
    pub copied: Copied,
    /// Items that stay as they are, because they were rolled back in the mirror.
    pub left: Vec<Item>,
    /// What was not mirrored, in words.
    pub passed_over: Vec<String>,
}

/// What a run would do.
#[derive(Debug)]
pub struct Survey {
    /// One entry per destination.
    pub items: Vec<Item>,
    /// The files that differ, for each item.
    pub files: Vec<Vec<FileChange>>,
    /// What is not mirrored, in words.
    pub passed_over: Vec<String>,
}

impl Survey {
    /// True if a run would change something.
    pub fn is_stale(&self) -> bool {
        self.items.iter().any(|item| item.action.is_change())
    }
}

/// How often a source is looked at that changes meanwhile, and how long one waits before the second time; then twice as
/// long each time.
const TRIES: u32 = 7;
const PAUSE: Duration = Duration::from_millis(50);

impl Mirror {
    /// Brings the mirror up to date.
    ///
    /// # Errors
    /// When the source is away, damaged or never at rest, or the mirror cannot be written: it then is as it was.
    pub fn refresh(&self, events: &dyn Events) -> Result<Refreshed, CacheError> {
        let before = match self.open_mirror()? {
            Some(meta) => Stamp::read(&meta)?,
            None => None,
        };
        if !self.force
            && let Some(stamp) = before.as_ref().filter(|stamp| stamp.is_of(self.source.path()))
            && let Some(age) = stamp.age().filter(|age| *age < self.ttl)
        {
            return Ok(Refreshed::NotYet(age));
        }
        let source = self.open_source()?;
        self.check_mirror(before.as_ref())?;
        let mut session = Session::begin(&self.root, Kind::Cache, events)?;
        // Another run may have been faster.
        let stamp = Stamp::read(&session.meta)?;
        let state = source.state()?;
        if let Some(mut stamp) = stamp.filter(|stamp| !self.force && stamp.is_of(self.source.path()))
            && stamp.epoch.is_some()
            && stamp.epoch == state.epoch
        {
            stamp.check(&session.meta)?;
            return Ok(Refreshed::Fresh);
        }
        // What is told of the mirror must not be older than what is done to it.
        Stamp::begun(self.source.path()).write(&session.meta)?;
        let done = self.try_often(&source, &mut session, events)?;
        Ok(Refreshed::Done(Box::new(done)))
    }

    fn try_often(
        &self,
        source: &Source,
        session: &mut Session,
        events: &dyn Events,
    ) -> Result<Done, CacheError> {
        let mut copied = Copied::default();
        let mut pause = PAUSE;
        let mut last = None;
        for number in 0..TRIES {
            if number > 0 {
                std::thread::sleep(pause);
                pause *= 2;
            }
            if events.is_interrupted() {
                return Err(RolloutError::interrupted().into());
            }
            let state = source.state()?;
            if state.is_pending {
                last = Some(CacheError::Busy(self.source.path().to_owned()));
                continue;
            }
            match self.attempt((source, state), session, &mut copied, events) {
                Ok(Some(done)) => return Ok(done),
                Ok(None) => last = None,
                // What is missing or half there may be so because the source changed.
                Err(Failure::Source(_)) if source.state()? != state => last = None,
                Err(failure) => return Err(failure.into_error()),
            }
        }
        Err(last.unwrap_or_else(|| CacheError::Restless(self.source.path().to_owned())))
    }

    /// Copies what is active now. `None` if the source changed meanwhile: what was copied is there, and nothing leads to
    /// it.
    fn attempt(
        &self,
        (source, state): (&Source, State),
        session: &mut Session,
        copied: &mut Copied,
        events: &dyn Events,
    ) -> Result<Option<Done>, Failure> {
        let look = source.look(self.workers).map_err(Failure::Source)?;
        let decided = decide::plan((source, &look), &self.root, &session.history, self.force)?;
        let (occupied, _) = refused(&decided.items);
        if !occupied.is_empty() {
            return Err(Failure::Final(CacheError::Occupied(occupied)));
        }
        let fresh = copy::copy((source, &look), &decided, session, self.workers, copied, events)?;
        let is_same = |again: &source::Walk| again.is_same(&look.walk);
        if source.state().map_err(Failure::Source)? != state
            || !source.walk().as_ref().map_err(|_| ()).is_ok_and(is_same)
        {
            return Ok(None);
        }
        let (_, left) = refused(&decided.items);
        let about = copy::about(self.source.path(), &look.walk, &decided.items, decided.groups);
        let passed_over = self.passed_over(source, look.walk.passed_over).map_err(Failure::Source)?;
        let items: Vec<Item> = decided.items.into_iter().filter(|item| !item.action.is_refusal()).collect();
        let mut report = session.switch_and_stay(None, Kind::Cache, items, &fresh, &about, events)?;
        // What was switched counts. Without the stamp it is only looked at again.
        let stamped = Stamp::complete(self.source.path(), state.epoch).write(&session.meta);
        report.warnings.extend(stamped.err().map(|error| chain(&error)));
        Ok(Some(Done { report, copied: *copied, left, passed_over }))
    }

    /// Finds out what [`Mirror::refresh`] would do, whatever the stamp says; with `with_files`, also which files differ.
    ///
    /// # Errors
    /// When the source is away or damaged, or the mirror cannot be read.
    pub fn survey(&self, with_files: bool) -> Result<Survey, CacheError> {
        let meta = self.open_mirror()?;
        let source = self.open_source()?;
        let before = meta.as_ref().map(Stamp::read).transpose()?.flatten();
        self.check_mirror(before.as_ref())?;
        let look = source.look(self.workers)?;
        let history = meta.as_ref().map(History::read).transpose()?.unwrap_or_default();
        let decided = decide::plan((&source, &look), &self.root, &history, self.force);
        let decided = decided.map_err(Failure::into_error)?;
        let mut files = Vec::new();
        if with_files {
            let mut shelves = Shelves::default();
            let there =
                look.walk.deployed.iter().map(|deployed| Some((&deployed.destination, &deployed.version)));
            let there = there.chain(std::iter::repeat(None));
            for (item, new) in decided.items.iter().zip(there) {
                let old = item.from.as_ref().map(|from| (&item.destination, from));
                let is_change = item.action.is_change();
                files.push(if is_change { version_changes(&mut shelves, old, new)? } else { Vec::new() });
            }
        }
        let passed_over = self.passed_over(&source, look.walk.passed_over)?;
        Ok(Survey { items: decided.items, files, passed_over })
    }

    fn passed_over(&self, source: &Source, mut passed_over: Vec<String>) -> Result<Vec<String>, CacheError> {
        if self.tells_outside {
            let told = |path: String| format!("`{path}` is outside of the source");
            passed_over.extend(source.outside()?.into_iter().map(told));
        }
        Ok(passed_over)
    }

    fn open_mirror(&self) -> Result<Option<Dir>, CacheError> {
        Ok(self.root.open()?)
    }

    /// Opens the source, if it is not the mirror, nor one of them in the other.
    fn open_source(&self) -> Result<Source, CacheError> {
        let source = Source::open(&self.source)?;
        let real = |path: &Path| {
            let failed = |source| DiskError { act: "follow", path: path.to_owned(), source };
            resolved(path).map_err(failed)
        };
        let there = real(self.source.path()).map_err(|error| source.away(error))?;
        let here = real(self.root.path())?;
        if there.starts_with(&here) || here.starts_with(&there) {
            return Err(CacheError::Overlap {
                source_path: self.source.path().to_owned(),
                mirror: self.root.path().to_owned(),
            });
        }
        Ok(source)
    }

    /// Refuses to make a mirror of what is something else, or of another source than the one it has.
    fn check_mirror(&self, stamp: Option<&Stamp>) -> Result<(), CacheError> {
        if let Some(stamp) = stamp {
            let is_other = !stamp.source.is_empty() && Path::new(&stamp.source) != self.source.path();
            if is_other && !self.force {
                let (mirror, other) = (self.root.path().to_owned(), PathBuf::from(&stamp.source));
                return Err(CacheError::OtherSource { mirror, other });
            }
            return Ok(());
        }
        let dir = match Dir::open(self.root.path()) {
            Ok(dir) => dir,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let not = |what| Err(CacheError::NotAMirror { path: self.root.path().to_owned(), what });
        let meta = self.open_mirror()?;
        let has =
            |name: &str| meta.as_ref().map_or(Ok(None), |meta| meta.stat(name)).map(|stat| stat.is_some());
        if has(HISTORY)? {
            return not("a deployment root");
        }
        let own = self.root.meta_path();
        let is_other = |name: &PathBuf| own.file_name() != Some(name.as_os_str());
        if !has(LAST_CHECK)? && dir.names()?.iter().any(is_other) {
            return not("it holds other files");
        }
        Ok(())
    }
}

/// What distman's `cache` leaves in the own folder of a mirror that it makes.
const LAST_CHECK: &str = "last_check";

/// The items that something stands in the way of, and those that were rolled back in the mirror.
fn refused(items: &[Item]) -> (Vec<Item>, Vec<Item>) {
    let is_left =
        |item: &Item| matches!(&item.action, Action::Refuse(refusal) if refusal.is_only_rolled_back());
    let refused = Plan { kind: Kind::Cache, items: items.to_vec() }.refused();
    let (left, occupied) = refused.into_iter().partition(is_left);
    (occupied, left)
}
