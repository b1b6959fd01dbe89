//! A terminal session as the documentation shows it: Ada at her desk, with nothing of this machine in sight.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use regex::Regex;

use super::is_update;
use crate::support::Sandbox;

/// A shell in a sandbox. Each command starts in the folder where the one before it ended.
pub(super) struct Session {
    sandbox: Sandbox,
    folder: PathBuf,
}

impl Session {
    /// A session that starts in an empty home folder.
    pub(super) fn new() -> Self {
        let sandbox = Sandbox::new();
        let folder = sandbox.home();
        let mut session = Self { sandbox, folder };
        session.run("git config --global user.name 'Ada Example'");
        session.run("git config --global user.email ada@example.org");
        session
    }

    /// What `command`, a line for the shell, prints to both of its outputs.
    pub(super) fn run(&mut self, command: &str) -> String {
        self.sandbox.tick();
        let ended = self.sandbox.path().join("tmp/folder");
        let script = format!("{{ {command}\n}} 2>&1\ncode=$?\npwd >'{}'\nexit $code", ended.display());
        let mut shell = self.sandbox.command("sh", &self.folder);
        shell.arg("-c").arg(script).env("USER", "ada");
        shell.env_remove("DEPLOY_ROOT");
        for who in ["AUTHOR", "COMMITTER"] {
            shell.env(format!("GIT_{who}_NAME"), "Ada Example");
            shell.env(format!("GIT_{who}_EMAIL"), "ada@example.org");
        }
        let run = self.sandbox.run(&mut shell);
        self.folder = fs::read_to_string(ended).unwrap().trim_end().into();
        self.shown(run.raw_stdout())
    }

    /// `text` with the paths and names of the documentation.
    fn shown(&self, text: &str) -> String {
        let sandbox = self.sandbox.path().display().to_string();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        text.replace(&format!("{sandbox}/home"), "/home/ada").replace(&format!("ada@{host}"), "ada@desk")
    }
}

/// True if two texts are the same but for what differs from run to run: times, the width of columns, what this
/// machine has. Hashes may differ too, so that a git with other defaults says the same, but not where the
/// documentation is written again: one page then has one hash for one commit.
pub(super) fn is_same(shown: &str, printed: &str) -> bool {
    static VARYING: LazyLock<[Regex; 9]> = LazyLock::new(|| {
        [
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
            r"\.staging-r\d+-\d+",
            r"py3\.\d+",
            r"git version [0-9.]+",
            r"[0-9.]+ (B|KiB)\b",
            r"SHA256:[A-Za-z0-9+/]{43}",
            r"\d{4}-\d\d-\d\d( \d\d:\d\d)?",
            r"shared as (clones|hard links)",
            r"  +",
        ]
        .map(|pattern| Regex::new(pattern).unwrap())
    });
    static HASH: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"\b([0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{7})\b").unwrap());
    let patterns: Vec<&Regex> = VARYING.iter().chain((!is_update()).then_some(&*HASH)).collect();
    let same = |text: &str| {
        patterns.iter().fold(text.to_owned(), |text, pattern| pattern.replace_all(&text, "~").into_owned())
    };
    same(shown) == same(printed)
}
