//! Every act on the outside fails once, in every way, and the process is killed before each: whatever happens, every
//! destination is complete, the exit code tells the truth, and the next run ends as if nothing had happened.
//!
//! `GIT_DIST_TEST_FAULTS=all` tries every error at every act; otherwise each act gets one
//! of them, and what comes on top of that, as a next run that is killed too, goes around.

mod bench;
mod scenarios;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bench::{Act, Bench, Seen};
pub(crate) use scenarios::{deploy, rollback_together};

use crate::support::{Repo, Sandbox};

/// A command, and the root it is run on.
pub(crate) struct Scenario<'s> {
    name: &'static str,
    repo: Repo<'s>,
    /// Makes the root.
    before: fn(&Bench<'_>),
    /// What is made to fail.
    command: &'static [&'static str],
    /// A next run that finishes or undoes what was killed and does nothing else. Without it, and where it undid, the
    /// command is run again.
    settle: Option<&'static [&'static str]>,
    /// The folder that the root is made in, if not in memory.
    place: Option<PathBuf>,
    /// Relative to the root.
    destinations: &'static [&'static str],
}

/// What one worker knows of a scenario: the root before and after it, where nothing fails.
struct Known {
    acts: Vec<Act>,
    old: Vec<Seen>,
    new: Vec<Seen>,
    wanted: String,
}

/// Errors that a disk may give.
const ERRORS: [(&str, &str); 3] =
    [("EIO", "Input/output error"), ("ENOSPC", "No space left on device"), ("EACCES", "Permission denied")];

/// What is tried at one act.
#[derive(Clone, Copy)]
struct Trial {
    /// Number of the act.
    number: usize,
    /// As in `GIT_DIST_FAULT`, without the number.
    what: &'static str,
    /// All acts from there on fail.
    lasting: bool,
    half: bool,
    /// The next run is killed too, before this act.
    again_at: Option<usize>,
}

impl Trial {
    fn fault(&self) -> String {
        let Self { number, what, .. } = self;
        let lasting = if self.lasting { "+" } else { "" };
        let half = if self.half { ":half" } else { "" };
        format!("{number}{lasting}:{what}{half}")
    }

    fn kills(&self) -> bool {
        self.what == "KILL"
    }
}

/// The trials of a scenario with these acts. Where the root is not in memory, which takes longer, only some are done
/// of those that are done there, and more if all are asked for.
fn trials(acts: &[Act], scenario: &Scenario<'_>) -> Vec<Trial> {
    let is_all = std::env::var_os("GIT_DIST_TEST_FAULTS").is_some();
    match (&scenario.place, is_all) {
        (None, _) => all_trials(acts, is_all),
        (Some(_), _) => all_trials(acts, false).into_iter().step_by(if is_all { 2 } else { 7 }).collect(),
    }
}

fn all_trials(acts: &[Act], is_all: bool) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (index, act) in acts.iter().enumerate() {
        let number = index + 1;
        let plain = Trial { number, what: "KILL", lasting: false, half: false, again_at: None };
        trials.push(plain);
        if is_all || number % 3 == 0 {
            trials.push(Trial { again_at: Some(number * 5 % acts.len() + 1), ..plain });
        }
        for (kind, (what, _)) in ERRORS.into_iter().enumerate() {
            let error = Trial { what, ..plain };
            if is_all || kind == number % ERRORS.len() {
                trials.push(error);
                if act.is_write() {
                    trials.push(Trial { half: true, ..error });
                }
            }
            if is_all || number % 2 == 0 && kind == number / 2 % ERRORS.len() {
                trials.push(Trial { lasting: true, ..error });
            }
        }
        if act.is_write() {
            trials.push(Trial { half: true, ..plain });
        }
    }
    trials
}

/// Tries every trial of `scenario`, and asserts that nothing went wrong.
pub(crate) fn assert_survives(sandbox: &Sandbox, scenario: &Scenario<'_>) {
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    let tried = AtomicUsize::new(0);
    let acts = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (next, wrong, tried, acts) = (&next, &wrong, &tried, &acts);
            scope.spawn(move || {
                let bench = Bench::new(sandbox, scenario, worker);
                let known = learn(&bench, scenario);
                acts.store(known.acts.len(), Ordering::Relaxed);
                let trials = trials(&known.acts, scenario);
                if next.fetch_add(1, Ordering::Relaxed) == 0 {
                    wrong.lock().unwrap().extend(interrupted(&bench, scenario, &known));
                }
                while let Some(trial) = trials.get(tried.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(what) = attempt(&bench, scenario, &known, trial) {
                        wrong.lock().unwrap().push(format!("{} {}: {what}", scenario.name, trial.fault()));
                    }
                }
                tried.fetch_min(trials.len(), Ordering::Relaxed);
            });
        }
    });
    eprintln!("{}: {} acts, {} trials", scenario.name, acts.into_inner(), tried.into_inner() + 1);
    let wrong = wrong.into_inner().unwrap();
    assert!(
        wrong.is_empty(),
        "{} of the trials went wrong:\n\n{}",
        wrong.len(),
        wrong[..wrong.len().min(25)].join("\n\n")
    );
}

/// Runs the scenario without any fault.
fn learn(bench: &Bench<'_>, scenario: &Scenario<'_>) -> Known {
    (scenario.before)(bench);
    bench.keep();
    let old = bench.seen(scenario.destinations);
    let run = bench.run(scenario.command, None);
    run.assert_code(0);
    let acts = bench.acts();
    let new = bench.seen(scenario.destinations);
    let wanted = bench.state();
    bench.run(&["verify", "--all"], None).assert_code(0);
    bench.run(scenario.settle.unwrap_or(scenario.command), None).assert_code(0);
    assert_eq!(bench.state(), wanted, "{}: the next run changes something", scenario.name);
    Known { acts, old, new, wanted }
}

/// Every act is interrupted once.
fn interrupted(bench: &Bench<'_>, scenario: &Scenario<'_>, known: &Known) -> Option<String> {
    bench.reset();
    // What is interrupted counts too.
    let faults: Vec<String> = (0..known.acts.len()).map(|act| format!("{}:EINTR", 2 * act + 1)).collect();
    let run = bench.run(scenario.command, Some(&faults.join(",")));
    let is_wanted = run.code == Some(0) && bench.state() == known.wanted;
    (!is_wanted).then(|| format!("{}: interruptions: {run}", scenario.name))
}

/// Tries one fault, and says what went wrong.
fn attempt(bench: &Bench<'_>, scenario: &Scenario<'_>, known: &Known, trial: &Trial) -> Result<(), String> {
    bench.reset();
    let run = bench.run(scenario.command, Some(&trial.fault()));
    if run.code == Some(0) {
        // What could not be removed of a pipeline's work goes with the next pipeline, which may not be the next run.
        bench.clear_work();
    }
    let seen = bench.seen(scenario.destinations);
    let acts = bench.acts();
    let act = acts.get(trial.number - 1).map(ToString::to_string).unwrap_or_default();
    let failed = |what: &str| Err(format!("{act}\n{what}\n{run}"));
    let state = |what: &str| failed(&format!("{what}\n{}", bench.differences(&known.wanted)));
    let is_complete = seen
        .iter()
        .zip(known.old.iter().zip(&known.new))
        .all(|(seen, (old, new))| seen == old || seen == new);
    if !is_complete {
        return failed(&format!("incomplete: {seen:#?}"));
    }
    let is_old = seen == known.old;
    match run.code {
        None if trial.kills() => {}
        Some(0) if seen != known.new => return failed("success, and not new everywhere"),
        Some(0) if !trial.lasting && bench.is_unfinished() && !run.says("warning") => {
            return failed("not all was done, and nothing was said");
        }
        Some(0) => {}
        Some(1 | 3) => {
            // An undoing that fails too is told.
            let is_told = trial.lasting && run.says("undoing it failed as well");
            if !is_old && !is_told {
                return failed("failure, and not old everywhere");
            }
            let (_, text) = ERRORS.into_iter().find(|(name, _)| *name == trial.what).unwrap_or_default();
            let place = acts.get(trial.number - 1).map(Act::place).unwrap_or_default();
            if !run.says(text) || !trial.lasting && !run.says(place) {
                return failed("the message does not say what failed");
            }
            if !trial.lasting && bench.has_leftovers() {
                return state("leftovers after a failure");
            }
        }
        _ => return failed("an exit code that does not exist"),
    }
    let next = scenario.settle.unwrap_or(scenario.command);
    if let Some(number) = trial.again_at {
        let again = bench.run(next, Some(&format!("{number}:KILL")));
        if !matches!(again.code, None | Some(0)) {
            return failed(&format!("the next run: {again}"));
        }
    }
    let mut again = bench.run(next, None);
    if again.code == Some(0) && scenario.settle.is_some() {
        // What was killed is undone or complete now, and nothing between.
        let settled = bench.seen(scenario.destinations);
        if settled != known.old && settled != known.new {
            return failed(&format!("neither undone nor complete: {again}"));
        }
        if bench.state() != known.wanted {
            again = bench.run(scenario.command, None);
        }
    }
    if again.code != Some(0) {
        return failed(&format!("the next run: {again}"));
    }
    if bench.seen(scenario.destinations) != known.new {
        return failed(&format!("the next run is not new everywhere: {again}"));
    }
    if bench.state() != known.wanted {
        return state(&format!("the next run ends otherwise: {again}"));
    }
    Ok(())
}
