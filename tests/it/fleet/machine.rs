//! One machine that follows the channel, in a folder of its own, over a network of its own.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use super::publisher::{Desk, Files};
use crate::support::{HttpServer, Run};

pub(super) struct Machine<'d> {
    desk: &'d Desk,
    pub(super) folder: PathBuf,
    /// What begins the paths of all that it asks the server for.
    pub(super) prefix: String,
    url: String,
    /// The number of the newest version that it ran while no rollout was under way; 0 before the first.
    settled: Mutex<usize>,
}

/// What a machine runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Running {
    /// The number of its version, which is that of the release.
    pub(super) number: usize,
    pub(super) files: Files,
}

impl Running {
    /// The release's label, as the file says that is for it.
    pub(super) fn label(&self) -> &str {
        &self.files["label"]
    }
}

impl<'d> Machine<'d> {
    pub(super) fn new(desk: &'d Desk, server: &HttpServer, name: &str) -> Self {
        let folder = desk.sandbox.path().join("machines").join(name);
        for below in ["tmp", "home"] {
            fs::create_dir_all(folder.join(below)).unwrap();
        }
        Self { desk, folder, prefix: format!("/~{name}/"), url: server.url(), settled: Mutex::default() }
    }

    /// `git dist` on this machine, as `before` starts it.
    pub(super) fn command(&self, before: &[&str], arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_git-dist");
        let words: Vec<&str> = before.iter().chain([&program]).chain(arguments).copied().collect();
        let mut command = self.desk.sandbox.command(words[0], &self.folder);
        command.args(&words[1..]).env("DEPLOY_ROOT", self.root());
        command.env("TMPDIR", self.folder.join("tmp")).env("HOME", self.folder.join("home"));
        // What is killed takes the programs that it started with it only where somebody sees to that.
        command.process_group(0);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        self.desk.sandbox.run(&mut self.command(&[], arguments))
    }

    /// The address of the place, as this machine is shown it.
    pub(super) fn address(&self) -> String {
        format!("{}{}place", self.url, self.prefix)
    }

    /// `git dist install` with the publisher's key.
    pub(super) fn installing(&self) -> Command {
        let key = self.desk.public("publisher");
        let (address, key) = (self.address(), key.to_str().unwrap().to_owned());
        self.command(&[], &["install", &address, "--key", &key, "--name", "app", "--allow-commands"])
    }

    pub(super) fn install(&self) -> Run {
        self.desk.sandbox.run(&mut self.installing())
    }

    /// Looks for something new at once.
    pub(super) fn update(&self) -> Run {
        self.run(&["update", "--now"])
    }

    pub(super) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// True once it follows the channel, whether it has something of it or not.
    pub(super) fn follows(&self) -> bool {
        self.root().join(".distman/updates/app/subscription.json").exists()
    }

    /// What is left of downloads and temporary files.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let names = |folder: &str| {
            let entries = fs::read_dir(self.folder.join(folder)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
        };
        let parts = names("root/.distman/updates/app").into_iter().filter(|name| name.contains(".bundle"));
        parts.chain(names("tmp")).collect()
    }

    /// What it runs now; `None` if nothing was ever activated.
    pub(super) fn running(&self) -> Option<Running> {
        let link = fs::read_link(self.root().join("app")).ok()?;
        let version = self.root().join(&link);
        let number = link.to_str().unwrap().split('.').nth(1).unwrap().parse().unwrap();
        let mut files = Files::new();
        read(&version, "", &mut files);
        Some(Running { number, files })
    }

    /// The number of the version behind which it must not fall back. A rollout that was killed may be undone, so that what
    /// was active meanwhile does not count.
    pub(super) fn settled(&self) -> usize {
        *self.settled.lock().unwrap()
    }

    /// Takes note of what it runs, which the next look must find, or something newer.
    pub(super) fn note(&self, running: &Running) {
        if !self.root().join(".distman/pending.json").exists() {
            *self.settled.lock().unwrap() = running.number;
        }
    }

    /// What its log says: kinds with details.
    pub(super) fn events(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.root().join(".distman/events.jsonl")).unwrap_or_default();
        let event = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            Some((text("kind"), text("detail")))
        };
        text.lines().filter_map(event).collect()
    }
}

fn read(folder: &Path, prefix: &str, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}/"), files);
        } else {
            files.insert(path, fs::read_to_string(entry.path()).unwrap());
        }
    }
}
