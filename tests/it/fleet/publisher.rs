//! Whoever publishes: releases that hold one label in every file, so that a mix of two is seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Repo, Run, Sandbox, skipped};

/// A sandbox with keys.
pub(super) struct Desk {
    pub(super) sandbox: Sandbox,
}

/// The files of a version, by path.
pub(super) type Files = BTreeMap<String, String>;

const MANIFEST: &str = r#"{ "version": 1, "options": { "keep": 2 }, "targets": { "app": {
    "source": "app", "destination": "{DEPLOY_ROOT}/app", "verify": ["grep -q good verdict"] } } }
"#;

impl Desk {
    /// None, and the test counts as skipped, where there is no `ssh-keygen`.
    pub(super) fn new() -> Option<Self> {
        if Command::new("ssh-keygen").arg("-?").output().is_err() {
            skipped("there is no ssh-keygen; `apt-get install openssh-client` lets this test run");
            return None;
        }
        let desk = Self { sandbox: Sandbox::new() };
        for name in ["publisher", "successor", "attacker"] {
            let mut keygen = desk.sandbox.command("ssh-keygen", desk.sandbox.path());
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name]);
            desk.sandbox.run(&mut keygen).success();
        }
        Some(desk)
    }

    /// The private key `name`.
    pub(super) fn key(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    /// A file with the public key `name`.
    pub(super) fn public(&self, name: &str) -> PathBuf {
        self.key(name).with_extension("pub")
    }

    /// A repository whose target `app` can be published.
    pub(super) fn repo(&self, name: &str) -> Repo<'_> {
        let repo = self.sandbox.repo(name);
        repo.write("dist.json", MANIFEST);
        repo
    }
}

/// The files of the release `label`.
pub(super) fn files_of(label: &str, is_good: bool) -> Files {
    let verdict = if is_good { "good" } else { "bad" };
    let files = [
        ("label", label.to_owned()),
        ("same", "in every release\n".repeat(20)),
        ("lib/one", format!("{label} one\n")),
        ("lib/deep/two", format!("{label}\n").repeat(200)),
        // What some releases share, and others not.
        ("lib/half", format!("{}\n", label.len() + label.bytes().map(usize::from).sum::<usize>() % 2)),
        ("verdict", verdict.to_owned()),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect()
}

/// Commits the release `label`.
pub(super) fn commit(repo: &Repo<'_>, label: &str, is_good: bool) {
    for (path, text) in files_of(label, is_good) {
        repo.write(Path::new("app").join(path), text);
    }
    repo.commit(label);
}

/// `git dist publish`, ready to run.
pub(super) fn publishing(desk: &Desk, repo: &Repo<'_>, address: &str, key: &str, channel: &str) -> Command {
    let mut command = desk.sandbox.dist_command(repo.path());
    command.args(["publish", address, "--json", "--name", "app", "--channel", channel]);
    command.arg("--sign-with").arg(desk.key(key));
    command
}

/// Commits and publishes the release `label`.
pub(super) fn publish(
    desk: &Desk,
    repo: &Repo<'_>,
    address: &str,
    key: &str,
    channel: &str,
    label: &str,
    is_good: bool,
) -> Run {
    commit(repo, label, is_good);
    desk.sandbox.run(&mut publishing(desk, repo, address, key, channel)).success()
}

/// A manifest without its signatures, and these.
pub(super) fn taken_apart(signed: &[u8]) -> (String, String) {
    let text = String::from_utf8(signed.to_owned()).unwrap();
    let (json, signature) = text.split_at(text.find("-----BEGIN").unwrap());
    (json.to_owned(), signature.to_owned())
}

/// What a manifest says.
pub(super) fn said(signed: &[u8]) -> Value {
    serde_json::from_str(&taken_apart(signed).0).unwrap()
}
