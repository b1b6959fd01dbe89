//! Updates: what a root follows is asked for something new, which is fetched, checked, deployed on the ordinary road, and
//! taken back if it fails.
//!
//! Whatever arrives becomes a commit in a bare store of the subscription and is deployed from there, as everything else
//! is. Nothing that arrives is believed before it is checked: a channel by its signature, its sequence and its expiry, a
//! bundle by its digest, a remote by what git and the option `require_signed` ask for, packages by the digests of their lock. An upstream that cannot be reached
//! makes the next one be tried; one that says no, or sends something else than it should, does not.

mod arrival;
mod channel;
mod deploy;
mod error;
mod followed;
mod python;
mod remote_git;
mod state;
mod subscription;
mod upstream;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use crate::command::TimeLimit;
use crate::credentials::without_credentials;
use crate::disk::{Dir, LogFile};
use crate::events::{self, Event, EventKind};
use crate::project::Project;
use crate::remote::Limits;
use crate::rollout::{Events, Report};
use crate::root::Root;
use crate::signature::Signers;

pub use arrival::Arrival;
use arrival::Asked;
pub use deploy::Environment;
pub use error::UpdateError;
pub use followed::{followed, select};
pub use state::State;
pub use subscription::{Follows, SHORTEST_TTL, Subscription, TTL};
pub use upstream::Upstream;

/// The result of an update.
pub type Result<T, E = UpdateError> = std::result::Result<T, E>;

/// Name of the file that is locked while a subscription is updated.
const LOCK: &str = "lock";
/// Name of the store in a subscription's folder.
const STORE: &str = "store.git";
/// Packs of a store that are made one.
const MOST_PACKS: usize = 50;

/// What is asked of [`update`].
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The time has not come, but do it all the same.
    pub now: bool,
    /// No network is used: what was fetched before and not deployed is.
    pub offline: bool,
    /// Only look: fetch no release, deploy nothing.
    pub check: bool,
    /// How long an upstream may take to answer.
    pub probe: Duration,
    /// How long all of it may take; `None` = as long as bytes come.
    pub total: Option<Duration>,
    /// A release that failed is tried again.
    pub force: bool,
}

/// What came of an update.
#[derive(Debug)]
pub enum Outcome {
    /// The time has not come.
    NotDue {
        /// When it comes.
        next: DateTime<Utc>,
    },
    /// Another process is at it.
    Busy,
    /// No network is to be used, and nothing that was fetched is left to do.
    Offline,
    /// There is nothing new.
    Current {
        /// What is deployed.
        release: String,
    },
    /// There is something new, which was not fetched.
    Available {
        /// What it is.
        release: String,
    },
    /// What is new failed before, and is not tried again.
    KnownBad {
        /// What it is.
        release: String,
        /// Why it failed.
        why: String,
    },
    /// What is new was deployed.
    Updated {
        /// What it is.
        release: String,
        /// Bytes that were fetched.
        bytes: u64,
        /// What the rollout did.
        report: Box<Report>,
    },
}

/// How long no byte may come.
const STALL: Duration = Duration::from_secs(30);

/// The limits and the wish to stop of one update.
#[derive(Clone, Copy)]
struct Pace<'a> {
    probe: Duration,
    deadline: Option<Instant>,
    total: Option<Duration>,
    interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Pace<'_> {
    fn limits(&self) -> Limits {
        Limits { probe: self.probe, total: self.deadline, stall: STALL }
    }

    /// What is left of the time, for a program; at most `most`.
    fn left(&self, most: Option<Duration>) -> Option<TimeLimit> {
        let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        left.into_iter().chain(most).min().map(TimeLimit::start)
    }

    fn is_over(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// Brings `root` up to what `subscription` follows.
///
/// # Errors
/// [`UpdateError`]; what was active stays active, or is again.
pub fn update(
    root: &Root,
    subscription: &Subscription,
    request: Request,
    environment: &Environment,
    events: &dyn Events,
) -> Result<Outcome> {
    let meta = root.create()?;
    let folder = subscription.folder(&meta)?;
    let lock = LogFile::open(&folder, LOCK)?;
    if !lock.try_lock()? {
        return Ok(Outcome::Busy);
    }
    subscription.write(&folder)?;
    let mut state = State::read(&folder)?;
    let now = Utc::now();
    let is_due = request.now || request.check || state.is_due(now, subscription.ttl());
    if let (false, Some(next)) = (is_due, state.next) {
        return Ok(Outcome::NotDue { next });
    }
    let interrupted = || events.is_interrupted();
    let pace = Pace {
        probe: request.probe,
        deadline: request.total.map(|total| Instant::now() + total),
        total: request.total,
        interrupted: &interrupted,
    };
    let run = Run { root, meta: &meta, folder: &folder, subscription, request, environment, events, pace };
    let outcome = run.go(&mut state);
    run.note(&mut state, &outcome)?;
    outcome
}

/// Forgets what was seen of what is followed in `folder`: it is followed anew.
///
/// # Errors
/// When the folder cannot be read.
pub fn forget(folder: &Dir) -> Result<()> {
    // First what says that something is followed: whoever is killed after that leaves nothing that looks whole.
    folder.discard(subscription::FILE);
    let keep = |name: &std::path::Path| name == std::path::Path::new(LOCK);
    for name in folder.names()?.iter().filter(|name| !keep(name)) {
        if let Some(name) = name.to_str() {
            folder.discard(name);
        }
    }
    Ok(())
}

/// Removes the folder of the subscription `name`, which never came to be, as far as that can be done.
pub fn abandon(meta: &Dir, folder: &Dir, name: &str) {
    if forget(folder).is_ok()
        && let Ok(all) = meta.descend(std::path::Path::new(subscription::UPDATES))
    {
        all.discard(name);
    }
}

/// What arrived, its commit, and the bytes that were fetched; or what came of the update without it.
type Obtained = ControlFlow<Outcome, (Arrival, String, u64)>;

struct Run<'r> {
    root: &'r Root,
    meta: &'r Dir,
    folder: &'r Dir,
    subscription: &'r Subscription,
    request: Request,
    environment: &'r Environment,
    events: &'r dyn Events,
    pace: Pace<'r>,
}

impl Run<'_> {
    fn go(&self, state: &mut State) -> Result<Outcome> {
        let project = deploy::project_of(self.subscription, self.environment)?;
        let signers = match &project {
            Some(project) => deploy::signers_of(project)?,
            None => Subscription::signers(self.folder)?,
        };
        if self.request.offline {
            return Ok(Outcome::Offline);
        }
        let (arrival, commit, bytes) = match self.obtain(state, &signers, project.as_ref())? {
            ControlFlow::Continue(obtained) => obtained,
            ControlFlow::Break(outcome) => return Ok(outcome),
        };
        let release = arrival.release.clone();
        match deploy::deploy(self, project, &arrival, &commit) {
            Ok(report) => {
                if let Some(why) = deploy::held_back(&report) {
                    state.note_bad(&commit, why.clone());
                    return Ok(Outcome::KnownBad { release, why });
                }
                state.bad.remove(&commit);
                state.deployed = Some(commit);
                state.release = Some(release.clone());
                Ok(Outcome::Updated { release, bytes, report: Box::new(report) })
            }
            Err(error) if error.is_release_bad() => {
                let why = crate::causes::chain(&error);
                state.note_bad(&commit, why);
                Err(UpdateError::Bad { release, source: Box::new(error) })
            }
            Err(error) => Err(error),
        }
    }

    /// Asks one upstream after the other what there is, and fetches it: those that answer may be away when it comes to
    /// that. Breaks off where there is nothing to deploy.
    fn obtain(&self, state: &mut State, signers: &Signers, project: Option<&Project>) -> Result<Obtained> {
        let mut away = Vec::new();
        for address in &self.subscription.from {
            let shown = without_credentials(address).into_owned();
            match self.obtain_from(&Upstream::parse(address)?, state, signers, project) {
                Err(error) if error.is_unreachable() => {
                    let why = crate::causes::chain(&error);
                    self.tell(EventKind::Unreachable, |event| {
                        event.upstream = Some(shown.clone());
                        event.detail = Some(why.clone());
                    });
                    away.push((shown, error));
                }
                done => return done,
            }
        }
        Err(UpdateError::Unreachable { away })
    }

    fn obtain_from(
        &self,
        upstream: &Upstream,
        state: &mut State,
        signers: &Signers,
        project: Option<&Project>,
    ) -> Result<Obtained> {
        let asked = Asked {
            subscription: self.subscription,
            folder: self.folder,
            signers,
            project,
            check: self.request.check,
            pace: self.pace,
        };
        let arrival = upstream.ask(asked, state)?;
        let release = arrival.release.clone();
        let known = arrival.commit.as_ref();
        if known.is_some_and(|commit| state.deployed.as_ref() == Some(commit)) && !self.request.force {
            state.release = Some(release.clone());
            return Ok(ControlFlow::Break(Outcome::Current { release }));
        }
        let bad = |commit: &String| state.bad.get(commit).filter(|_| !self.request.force).cloned();
        if let Some(why) = known.and_then(bad) {
            return Ok(ControlFlow::Break(Outcome::KnownBad { release, why }));
        }
        if self.request.check {
            return Ok(ControlFlow::Break(Outcome::Available { release }));
        }
        let (commit, bytes) = arrival.fetch(self.folder, self.pace)?;
        if bytes > 0 {
            self.tell(EventKind::Fetch, |event| {
                event.upstream = Some(arrival.upstream.clone());
                event.release = Some(release);
                event.bytes = bytes;
            });
        }
        Ok(ControlFlow::Continue((arrival, commit, bytes)))
    }

    /// Writes down what came of it.
    fn note(&self, state: &mut State, outcome: &Result<Outcome>) -> Result<()> {
        let now = Utc::now();
        let ttl = self.subscription.ttl();
        match outcome {
            Ok(Outcome::Offline | Outcome::NotDue { .. } | Outcome::Busy) => return Ok(()),
            // A look changes no plan.
            Ok(Outcome::Available { .. }) => {}
            Ok(done) => {
                state.note_success(now, ttl, spread(&self.subscription.name));
                let (kind, release) = match done {
                    Outcome::Updated { release, .. } => (EventKind::Activated, release),
                    Outcome::KnownBad { release, .. } | Outcome::Current { release } => {
                        (EventKind::Probe, release)
                    }
                    _ => return Ok(()),
                };
                self.tell(kind, |event| {
                    event.release = Some(release.clone());
                    if let Outcome::Updated { report, .. } = done {
                        event.rollout = report.number;
                    }
                });
            }
            Err(_) if self.events.is_interrupted() => {}
            Err(error) => {
                let why = crate::causes::chain(error);
                // What is bad stays so: it was had, and the next one is asked for in its time.
                if matches!(error, UpdateError::Bad { .. }) {
                    state.note_success(now, ttl, spread(&self.subscription.name));
                } else {
                    state.note_failure(now, ttl, why.clone());
                }
                let kind = match error {
                    UpdateError::Bad { .. } => EventKind::Bad,
                    error if error.is_unreachable() => EventKind::Unreachable,
                    error if error.is_refusal() => EventKind::Refused,
                    _ => EventKind::Failed,
                };
                self.tell(kind, |event| event.detail = Some(why));
            }
        }
        state.write(self.folder)?;
        Ok(())
    }

    /// Writes an event to the log. Where it has no room, the update goes on.
    fn tell(&self, kind: EventKind, fill: impl FnOnce(&mut Event)) {
        let mut event = Event::now(kind, &self.subscription.name);
        fill(&mut event);
        let _ = events::add(self.meta, &event);
    }
}

/// A number of this machine's own for a subscription.
fn spread(name: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    rustix::system::uname().nodename().to_bytes().hash(&mut hasher);
    (name, std::process::id(), Utc::now().timestamp()).hash(&mut hasher);
    hasher.finish()
}
