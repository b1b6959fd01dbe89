//! Publishing and following what is published: releases, what is in them, and what of them arrives.

mod contents;
mod place;
mod releases;
mod s3;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::support::{Repo, Run, Sandbox, skipped};

/// A sandbox with keys, a published place `place`, and a machine that follows it: the sandbox's root.
pub(crate) struct Market {
    pub(crate) sandbox: Sandbox,
}

impl Market {
    /// None, and the test counts as skipped, where there is no `ssh-keygen`.
    pub(crate) fn new() -> Option<Self> {
        let mut command = Command::new("ssh-keygen");
        command.arg("-?").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if command.status().is_err() {
            skipped("there is no ssh-keygen; `apt-get install openssh-client` lets this test run");
            return None;
        }
        let market = Self { sandbox: Sandbox::new() };
        for folder in ["keys", "place", "machine"] {
            fs::create_dir(market.at(folder)).unwrap();
        }
        market.new_key("publisher");
        Some(market)
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.sandbox.path().join(path)
    }

    pub(crate) fn text(&self, path: &str) -> String {
        self.at(path).to_str().unwrap().to_owned()
    }

    /// Makes the SSH key `name`; returns the path of the secret half.
    pub(crate) fn new_key(&self, name: &str) -> String {
        let path = self.text(&format!("keys/{name}"));
        let mut command = self.sandbox.command("ssh-keygen", self.sandbox.path());
        self.sandbox.run(command.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path])).success();
        path
    }

    /// The public key `name`, as it is printed.
    pub(crate) fn public(&self, name: &str) -> String {
        fs::read_to_string(self.at(&format!("keys/{name}.pub"))).unwrap().trim().to_owned()
    }

    /// Writes a file of the user's home folder; returns its path.
    pub(crate) fn home_file(&self, name: &str, text: &str) -> String {
        fs::write(self.sandbox.home().join(name), text).unwrap();
        self.text(&format!("home/{name}"))
    }

    /// A repository with one target, `tool`, that is one file.
    pub(crate) fn project(&self) -> Repo<'_> {
        let repo = self.sandbox.repo("project");
        repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
        repo.executable("tool", "one\n");
        repo.commit("one");
        repo
    }

    /// Publishes `repo` to `place`, signed by `publisher`.
    pub(crate) fn publish(&self, repo: &Repo<'_>, more: &[&str]) -> Run {
        let (place, key) = (self.text("place"), self.text("keys/publisher"));
        let mut command = self.sandbox.dist_command(repo.path());
        self.sandbox.run(command.args(["publish", &place, "--sign-with", &key]).args(more))
    }

    /// Writes the next version of `tool`, commits and publishes it.
    pub(crate) fn release(&self, repo: &Repo<'_>, text: &str) {
        repo.executable("tool", format!("{text}\n"));
        repo.commit(text);
        self.publish(repo, &[]).success();
    }

    /// `git dist` on the machine, outside of any repository.
    pub(crate) fn machine(&self, arguments: &[&str]) -> Run {
        self.sandbox.run(self.sandbox.dist_command(&self.at("machine")).args(arguments))
    }

    /// Installs what is at `address`, trusting `publisher`.
    pub(crate) fn install_from(&self, address: &str, more: &[&str]) -> Run {
        let key = self.text("keys/publisher.pub");
        let arguments: Vec<&str> =
            ["install", address, "--key", &key].into_iter().chain(more.iter().copied()).collect();
        self.machine(&arguments)
    }

    pub(crate) fn install(&self, more: &[&str]) -> Run {
        self.install_from(&self.text("place"), more)
    }

    /// `git dist update --now`
    pub(crate) fn update(&self) -> Run {
        self.machine(&["update", "--now"])
    }

    /// What the file `bin/tool` of the machine says.
    pub(crate) fn tool(&self) -> String {
        fs::read_to_string(self.sandbox.root().join("bin/tool")).unwrap_or_default().trim().to_owned()
    }

    /// The manifest of a channel, without its signatures.
    pub(crate) fn manifest(&self, channel: &str) -> Value {
        let text = fs::read_to_string(self.at(&format!("place/channels/{channel}"))).unwrap();
        let end = text.find("\n-----BEGIN").or_else(|| text.find("\nuntrusted")).unwrap();
        serde_json::from_str(&text[..end]).unwrap()
    }

    /// Names of the bundles at the place.
    pub(crate) fn bundles(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.at("place/bundles"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The log of events of the machine: kind and detail.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.sandbox.root().join(".distman/events.jsonl")).unwrap_or_default();
        let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .map(|event: Value| (word(&event, "kind"), word(&event, "detail")))
            .collect()
    }

    /// What is known of a subscription.
    pub(crate) fn state(&self, name: &str) -> Value {
        let path = self.sandbox.root().join(".distman/updates").join(name).join("state.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

/// `text` without what keys and the time of day decide: ids of releases, and sizes.
pub(crate) fn steady(text: &str) -> String {
    static ID: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\btool\.\d+\.)[0-9a-f]{7}\b").unwrap());
    static SHORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"-> (\d+\.)[0-9a-f]{7}\b").unwrap());
    static OLD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(  \d+\.)[0-9a-f]{7}\b").unwrap());
    static SIZE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[\d.]+ (B|KiB)( |\b)").unwrap());
    let text = text.to_owned();
    let pairs = [(&*ID, "${1}[ID]"), (&*SHORT, "-> ${1}[ID]"), (&*OLD, "${1}[ID]"), (&*SIZE, "[SIZE]$2")];
    pairs.iter().fold(text, |text, (pattern, with)| pattern.replace_all(&text, *with).into_owned())
}
