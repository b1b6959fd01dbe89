//! Where trials are run: a root that is put back as it was before each, and what is looked at.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::{Sandbox, Scenario};
use crate::support::tree;

/// An act on the outside: its name and path.
pub(super) struct Act {
    name: String,
    path: String,
}

impl Act {
    pub(super) fn is_write(&self) -> bool {
        self.name == "write"
    }

    /// What a message must name; of a command, that is how it is written, not what runs it.
    pub(super) fn place(&self) -> &str {
        if self.name == "run" { "" } else { &self.path }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.path)
    }
}

/// What somebody sees at a destination: the content, or nothing.
pub(super) type Seen = Option<String>;

/// How a run ended.
pub(super) struct Outcome {
    /// `None` if it was killed.
    pub(super) code: Option<i32>,
    text: String,
}

impl Outcome {
    pub(super) fn says(&self, text: &str) -> bool {
        self.text.contains(text)
    }

    #[track_caller]
    pub(super) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{self}");
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit code {:?}\n{}", self.code, self.text)
    }
}

/// One worker's folders.
pub(super) struct Bench<'s> {
    sandbox: &'s Sandbox,
    repo: PathBuf,
    folder: tempfile::TempDir,
}

impl<'s> Bench<'s> {
    pub(super) fn new(sandbox: &'s Sandbox, scenario: &Scenario<'_>, worker: usize) -> Self {
        stay_on_one_core(worker);
        // Where memory is a disk, syncing costs nothing.
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory } else { sandbox.path() };
        let place = scenario.place.as_deref().unwrap_or(place);
        let folder = tempfile::Builder::new().prefix("git-dist-").tempdir_in(place);
        let folder = folder.or_else(|_| tempfile::tempdir_in(sandbox.path())).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { sandbox, repo: scenario.repo.path().to_owned(), folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The deployment root.
    pub(super) fn root(&self) -> PathBuf {
        self.at("root")
    }

    /// The root that it mirrors, if it is a mirror.
    pub(super) fn source(&self) -> PathBuf {
        self.at("source")
    }

    /// Runs `git dist`, perhaps with faults; `cache` from the source to the root.
    pub(super) fn run(&self, arguments: &[&str], fault: Option<&str>) -> Outcome {
        let _ = fs::remove_file(self.at("acts"));
        let mut command = self.sandbox.dist_command(&self.repo);
        command.args(arguments).env("DEPLOY_ROOT", self.root()).env("TMPDIR", self.at("tmp"));
        command.env("GIT_DIST_ACTS", self.at("acts"));
        if arguments.first() == Some(&"cache") {
            command.env("DEPLOY_ROOT", self.source()).env("CACHE_ROOT", self.root());
        }
        if let Some(fault) = fault {
            command.env("GIT_DIST_FAULT", fault);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).replace(self.folder.path().to_str().unwrap(), "[BENCH]");
        Outcome { code: output.status.code(), text }
    }

    /// The acts of the latest run.
    pub(super) fn acts(&self) -> Vec<Act> {
        let text = fs::read_to_string(self.at("acts")).unwrap_or_default();
        let text = text.replace(self.folder.path().to_str().unwrap(), "[BENCH]");
        let act = |line: &str| {
            let mut parts = line.split('\t').skip(1).map(ToOwned::to_owned);
            Act { name: parts.next().unwrap(), path: parts.next().unwrap() }
        };
        text.lines().map(act).collect()
    }

    /// Keeps the root as it is now, for [`Bench::reset`].
    pub(super) fn keep(&self) {
        let _ = fs::remove_dir_all(self.at("kept"));
        copy(&self.root(), &self.at("kept"), &mut HashMap::new());
    }

    /// Makes the root what was kept.
    pub(super) fn reset(&self) {
        let _ = fs::remove_dir_all(self.root());
        self.clear_work();
        copy(&self.at("kept"), &self.root(), &mut HashMap::new());
    }

    /// Removes the folders of pipelines.
    pub(super) fn clear_work(&self) {
        let _ = fs::remove_dir_all(self.at("tmp"));
        fs::create_dir(self.at("tmp")).unwrap();
    }

    /// What somebody sees at the destinations.
    pub(super) fn seen(&self, destinations: &[&str]) -> Vec<Seen> {
        let look = |destination: &&str| {
            let path = self.root().join(destination);
            let meta = fs::metadata(&path).ok()?;
            Some(if meta.is_dir() { tree(&path).to_string() } else { fs::read_to_string(&path).unwrap() })
        };
        destinations.iter().map(look).collect()
    }

    /// True if something is left to do.
    pub(super) fn is_unfinished(&self) -> bool {
        self.at("root/.distman/unfinished.json").exists() || self.at("root/.distman/pending.json").exists()
    }

    /// True if there is work in progress where nobody works.
    pub(super) fn has_leftovers(&self) -> bool {
        let state = self.state();
        state.contains(".staging-")
            || state.contains(".tmp ")
            || state.contains(".next ")
            || self.is_unfinished()
    }

    /// All of the root and of what is beside it, without what differs from run to run.
    pub(super) fn state(&self) -> String {
        let mut found = BTreeMap::new();
        list(&self.root(), "", &mut found);
        list(&self.at("tmp"), "tmp/", &mut found);
        let lines = found.into_iter().map(|(path, what)| format!("{path} {what}\n"));
        lines.collect::<String>() + &history(&self.at("root/.distman/history.jsonl"))
    }

    /// How the root is not as `wanted`.
    pub(super) fn differences(&self, wanted: &str) -> String {
        let state = self.state();
        let missing = wanted.lines().filter(|line| state.lines().all(|other| other != *line));
        let more = state.lines().filter(|line| wanted.lines().all(|other| other != *line));
        missing.map(|line| format!("- {line}\n")).chain(more.map(|line| format!("+ {line}\n"))).collect()
    }
}

/// The same acts in the same order in every run: what this thread starts has one core, and so one thread for files.
fn stay_on_one_core(worker: usize) {
    #[cfg(target_os = "linux")]
    {
        let mut cores = rustix::thread::CpuSet::new();
        cores.set(worker);
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = worker;
}

/// Copies a folder with its links, hard ones included, times and modes.
fn copy(from: &Path, to: &Path, known: &mut HashMap<u64, PathBuf>) {
    if !from.exists() {
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (path, meta) = (entry.path(), entry.metadata().unwrap());
        let to = to.join(entry.file_name());
        if meta.is_dir() {
            copy(&path, &to, known);
        } else if meta.is_symlink() {
            symlink(fs::read_link(&path).unwrap(), &to).unwrap();
        } else if let Some(first) = known.get(&meta.ino()) {
            fs::hard_link(first, &to).unwrap();
        } else {
            fs::copy(&path, &to).unwrap();
            fs::File::open(&to).unwrap().set_modified(meta.modified().unwrap()).unwrap();
            known.insert(meta.ino(), to);
        }
    }
}

/// What is below `folder`, by path.
fn list(folder: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\.before-r\d+").unwrap());
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        let meta = entry.metadata().unwrap();
        let is_of_group =
            path.starts_with(".distman/together/") && !path.rsplit('/').next().unwrap().starts_with('.');
        if matches!(&*path, ".distman/lock" | ".distman/epoch" | ".distman/history.jsonl") {
            continue;
        }
        let mode = meta.permissions().mode() & 0o7777;
        let what = if meta.is_dir() {
            list(&entry.path(), &format!("{path}/"), found);
            format!("{mode:o} dir")
        } else if meta.is_symlink() {
            format!("-> {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            let text = fs::read_to_string(entry.path()).unwrap();
            let text = match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(mut record) if record.is_object() => {
                    // When it was made, and with which files of others it was shared.
                    let fields = record.as_object_mut().unwrap();
                    fields.remove("created_at");
                    fields.remove("mtimes");
                    fields.remove("checked");
                    fields.remove("epoch");
                    record.to_string()
                }
                _ => text,
            };
            format!("{mode:o} {text:?}")
        };
        // Generations are numbered as rollouts are, of which there may be more now.
        if !is_of_group {
            found.insert(NUMBER.replace(&path, ".before-r").into_owned(), what);
        }
    }
}

/// The rollouts that count, without number and time.
fn history(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut rollouts = String::new();
    for line in text.lines() {
        // What a write left that failed in the middle is no line.
        let Ok(mut rollout) = serde_json::from_str::<serde_json::Value>(line) else { continue };
        let fields = rollout.as_object_mut().unwrap();
        fields.remove("number");
        fields.remove("time");
        if !fields.contains_key("undone") {
            let _ = writeln!(rollouts, "{rollout}");
        }
    }
    rollouts
}
