//! Recording a run, and checking every disk that a power cut in it may leave.

use std::collections::HashSet;
use std::fs;
use std::sync::LazyLock;

use regex::Regex;

use super::disk::Disk;
use super::record::{Recording, record};
use super::states::State;
use super::strace::{calls, traced};
use crate::support::{Repo, Run, Sandbox, Tree, skipped, tree};

/// What of the sandbox is on the disk: the deployment root, and a folder beside it.
pub(super) const WATCHED: &[&str] = &["root", "elsewhere"];

/// A run, and what is known of it.
pub(super) struct Scenario<'s> {
    pub(super) sandbox: &'s Sandbox,
    pub(super) repo: &'s Repo<'s>,
    pub(super) run: &'s [&'s str],
    /// Its exit code.
    pub(super) code: i32,
    /// Every destination, relative to the sandbox.
    pub(super) destinations: &'s [&'s str],
    /// What is run next where the run counts already, if the same again would do more.
    pub(super) then: Option<&'s [&'s str]>,
    /// It changes something that the history tells.
    pub(super) is_logged: bool,
    /// The destinations change together.
    pub(super) is_together: bool,
    /// It does some of its work version by version, without a journal: what is done of that is not done again, and a
    /// next run that finds nothing to do sweeps nothing.
    pub(super) is_piecemeal: bool,
    /// What destinations may lead to besides what they did before and do after.
    pub(super) meanwhile: Option<Contents>,
    /// What a person wrote and must be found whatever happens.
    pub(super) precious: &'s [&'s str],
}

/// What each destination leads to.
pub(super) type Contents = Vec<Content>;

/// What a destination leads to.
#[derive(Clone, PartialEq)]
pub(super) enum Content {
    Nothing,
    Dangling,
    File(Vec<u8>),
    Folder(Tree),
}

impl<'s> Scenario<'s> {
    /// The run `run` of `git dist` in `repo`, which succeeds.
    pub(super) fn new(
        sandbox: &'s Sandbox,
        repo: &'s Repo<'s>,
        run: &'s [&'s str],
        destinations: &'s [&'s str],
    ) -> Self {
        Self {
            sandbox,
            repo,
            run,
            code: 0,
            destinations,
            then: None,
            is_logged: true,
            is_together: false,
            is_piecemeal: false,
            meanwhile: None,
            precious: &[],
        }
    }

    fn disk(&self) -> Disk {
        Disk::read(self.sandbox.path(), WATCHED)
    }

    /// Runs it and tells what it did to the disk; `None` where that cannot be watched.
    pub(super) fn record(&self) -> Option<Recording> {
        let before = self.disk();
        let trace = self.sandbox.path().join("tmp/trace");
        let mut command = self.sandbox.command("strace", self.repo.path());
        traced(&mut command, &trace);
        command.arg(env!("CARGO_BIN_EXE_git-dist")).args(self.run);
        let output = match command.output() {
            Ok(output) => output,
            Err(error) => {
                skipped(&format!("strace cannot be started: {error}"));
                return None;
            }
        };
        let said = String::from_utf8_lossy(&output.stderr);
        if said.contains("ptrace") {
            skipped(&format!("strace may not trace here: {said}"));
            return None;
        }
        assert_eq!(output.status.code(), Some(self.code), "{said}");
        let calls = calls(&fs::read_to_string(&trace).unwrap());
        fs::remove_file(trace).unwrap();
        let top = self.sandbox.path().to_str().unwrap().as_bytes();
        let recording = record(before, top, WATCHED, &calls);
        assert_eq!(recording.end.lines(false), self.disk().lines(false), "a call has no right model");
        Some(recording)
    }

    /// Runs it, cuts the power wherever it may be cut, and checks what is left.
    #[track_caller]
    pub(super) fn check(&self) {
        let Some(cuts) = self.cut() else { return };
        assert!(cuts.failures.is_empty(), "{}", cuts.failures.join("\n\n"));
        assert!(cuts.distinct > 20, "{} states are too few to be all", cuts.distinct);
    }

    /// As [`Scenario::check`]; returns what was found.
    pub(super) fn cut(&self) -> Option<Cuts> {
        let lines = self.history();
        let (old, epoch) = (self.contents(), self.epoch());
        let recording = self.record()?;
        let goal = Goal { old, new: self.contents(), lines, epoch, after: self.normal() };
        let (mut built, mut seen, mut failures) = (0, HashSet::new(), Vec::new());
        for moment in recording.moments() {
            recording.states(moment, &mut |state| {
                built += 1;
                if failures.len() < 3
                    && seen.insert((state.disk.digest(), state.is_after))
                    && let Err(why) = self.check_one(&state, &goal)
                {
                    failures.push(format!("before step {moment}, of which{}\n{why}", state.lost));
                }
            });
        }
        let (syncs, steps, distinct) = (recording.moments().count() - 1, recording.steps.len(), seen.len());
        let run = self.run.join(" ");
        eprintln!(
            "power cut in `git dist {run}`: {steps} steps, {built} states, {distinct} of them distinct"
        );
        Some(Cuts { syncs, distinct, failures })
    }

    fn check_one(&self, state: &State, goal: &Goal) -> Result<(), String> {
        state.disk.write(self.sandbox.path(), WATCHED);
        let found = self.contents();
        let whole = [Some(&goal.old), Some(&goal.new), self.meanwhile.as_ref()];
        for (at, now) in found.iter().enumerate() {
            if !whole.iter().flatten().any(|contents| contents[at] == *now) {
                return Err(format!("`{}` is neither old nor new", self.destinations[at]));
            }
        }
        if self.is_together && found != goal.old && found != goal.new {
            return Err("some destinations are old, some are new".to_owned());
        }
        let on_disk = state.disk.lines(false);
        if let Some(words) =
            self.precious.iter().find(|words| !on_disk.iter().any(|line| line.contains(**words)))
        {
            return Err(format!("what a person wrote is lost: {words}"));
        }
        let lines = self.history();
        let is_counted = lines.len() > goal.lines.len();
        if !lines.starts_with(&goal.lines) {
            return Err("the history lost a line".to_owned());
        }
        if state.is_after && self.is_logged && !is_counted {
            return Err("the run had ended, and its line in the history is not there".to_owned());
        }
        if is_counted {
            if found != goal.new {
                return Err("the run counts, and not all destinations are new".to_owned());
            }
            check_named(lines.last().unwrap())?;
        }
        let next = self.then.filter(|_| is_counted).unwrap_or(self.run);
        let run = self.dist(next);
        let codes: &[i32] = if self.is_piecemeal { &[1, self.code] } else { &[self.code] };
        if !codes.iter().any(|code| run.snapshot().starts_with(&format!("exit code: {code}\n"))) {
            return Err(format!("the next run: {}", run.snapshot()));
        }
        if self.contents() != goal.new {
            return Err(format!("after the next run not all is new: {}", run.snapshot()));
        }
        if self.is_logged && !self.is_piecemeal && self.epoch() <= goal.epoch {
            return Err("after the next run the change stamp is no later than before".to_owned());
        }
        let differences = differences(&goal.after, &self.normal());
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!("after the next run:\n{differences}{}", run.snapshot()))
    }

    fn dist(&self, arguments: &[&str]) -> Run {
        self.sandbox.run(self.sandbox.dist_command(self.repo.path()).args(arguments).arg("--no-sync"))
    }

    /// The change stamp.
    fn epoch(&self) -> u64 {
        let text = fs::read_to_string(self.sandbox.root().join(".distman/epoch")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// The whole lines of the history that can be read.
    fn history(&self) -> Vec<String> {
        let text = fs::read(self.sandbox.root().join(".distman/history.jsonl")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        whole.filter(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()).map(Into::into).collect()
    }

    fn contents(&self) -> Contents {
        self.contents_in("root")
    }

    /// What the destinations lead to, with the folder `root` in the place of the root.
    pub(super) fn contents_in(&self, root: &str) -> Contents {
        let read = |destination: &&str| {
            let path = self.sandbox.path().join(destination.replacen("root", root, 1));
            match (path.symlink_metadata(), path.metadata()) {
                (Err(_), _) => Content::Nothing,
                (Ok(_), Err(_)) => Content::Dangling,
                (_, Ok(meta)) if meta.is_dir() => Content::Folder(tree(path)),
                _ => Content::File(fs::read(path).unwrap()),
            }
        };
        self.destinations.iter().map(read).collect()
    }

    /// Everything that must be the same, however a run came about.
    fn normal(&self) -> Vec<String> {
        static VARYING: LazyLock<Regex> = LazyLock::new(|| {
            let time = r#"\\"(time|created_at)\\": ?\\"[^"]*\\""#;
            // A line that was cut off counts as a number.
            let number = r#"\\"number\\":\d+|before-r\d+"#;
            Regex::new(&format!("{time}|{number}")).unwrap()
        });
        // Versions that a run was cut off from marking are not among those that the next one marks.
        static MARK: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"\\"state\\": \\"\w+\\"(,\\n  \\"reason\\": \\".*?\\")?"#).unwrap()
        });
        let disk = self.disk();
        // The history is what of it counts, and what was undone may be marked before it is logged.
        let is_free = |line: &String| {
            let names = ["lock ", "epoch ", "history.jsonl ", "together/"];
            let is_unfinished = line.contains("/versions/.staging-") || line.contains(".tmp ");
            let is_swept = is_unfinished || is_orphan(&disk, line).unwrap_or(false);
            names.iter().any(|name| line.contains(&format!("/.distman/{name}")))
                || (self.is_piecemeal && is_swept)
        };
        let history =
            self.history().into_iter().filter(|_| !self.is_piecemeal).map(|line| format!("{line:?}"));
        let lines = disk.lines(true).into_iter().filter(|line| !is_free(line)).chain(history);
        let plain = |line: String| VARYING.replace_all(&line, "").into_owned();
        let unmarked =
            |line: String| if self.is_piecemeal { MARK.replace(&line, "").into_owned() } else { line };
        lines.map(plain).map(unmarked).collect()
    }
}

/// What was found of a run that was cut off.
pub(super) struct Cuts {
    /// How often it waited for the disk.
    pub(super) syncs: usize,
    /// States that were checked.
    pub(super) distinct: usize,
    /// What is wrong with the first of them that something is wrong with.
    pub(super) failures: Vec<String>,
}

/// What a run that is cut off may leave, and what the next one must lead to.
struct Goal {
    old: Contents,
    new: Contents,
    /// The history and the change stamp before the run.
    lines: Vec<String>,
    epoch: u64,
    /// Everything after the run.
    after: Vec<String>,
}

/// Every version that the rollout `line` activated is there, with its record.
fn check_named(line: &str) -> Result<(), String> {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    for item in line["items"].as_array().unwrap() {
        let Some(version) = item["to"].as_str() else { continue };
        let destination = std::path::Path::new(item["destination"].as_str().unwrap());
        let versions = destination.with_file_name("versions");
        let record = fs::read(versions.join(format!(".{version}.json"))).unwrap_or_default();
        if serde_json::from_slice::<serde_json::Value>(&record).is_err() {
            return Err(format!("the history names {version}, which has no record"));
        }
    }
    Ok(())
}

/// True for a line about the record or listing of a version that is not there.
fn is_orphan(disk: &Disk, line: &str) -> Option<bool> {
    let (folder, name) = line.split(' ').nth(1)?.rsplit_once("/versions/.")?;
    let version = name.strip_suffix(".json").or_else(|| name.strip_suffix(".files"))?;
    Some(disk.find(format!("{folder}/versions/{version}").as_bytes()).is_none())
}

fn differences(expected: &[String], found: &[String]) -> String {
    let missing = expected.iter().filter(|line| !found.contains(line)).map(|line| format!("- {line:.400}\n"));
    let extra = found.iter().filter(|line| !expected.contains(line)).map(|line| format!("+ {line:.400}\n"));
    missing.chain(extra).collect()
}
