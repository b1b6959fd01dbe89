//! Who may deploy: signatures of commits and tags, made by real `ssh-keygen` and `gpg`, in every way that should not
//! count. Keys are made at run time.

mod configuration;
mod demands;
mod hooks;
mod hostile;
mod openpgp;
mod ssh;
mod tags;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Repo, Sandbox, skipped};

/// A target that asks for signatures.
const SIGNED_ONLY: &str = r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool", "options": { "require_signed": true } }"#;
/// The same without.
const ANY: &str = r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" }"#;

/// A sandbox with SSH keys in `keys`.
struct Desk {
    sandbox: Sandbox,
}

impl Desk {
    /// None, and the test counts as skipped, where there is no `ssh-keygen`.
    fn new() -> Option<Self> {
        if !is_there("ssh-keygen") {
            skipped("there is no ssh-keygen; `apt-get install openssh-client` lets this test run");
            return None;
        }
        let desk = Self { sandbox: Sandbox::new() };
        fs::create_dir(desk.at("keys")).unwrap();
        Some(desk)
    }

    fn at(&self, path: &str) -> PathBuf {
        self.sandbox.path().join(path)
    }

    /// A repository whose `tool` is deployed only if it is signed, with one commit that is not.
    fn repo(&self) -> Repo<'_> {
        let repo = self.sandbox.repo("project");
        repo.manifest(SIGNED_ONLY);
        repo.write("tool", "1\n");
        repo.commit("one");
        repo
    }

    /// The path of the private key `name`, made when it is first asked for.
    fn key(&self, name: &str) -> PathBuf {
        let key = self.at("keys").join(name);
        if !key.exists() {
            let mut keygen = self.sandbox.command("ssh-keygen", &self.at("keys"));
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", name]);
            self.sandbox.run(&mut keygen).success();
        }
        key
    }

    /// `ssh-ed25519 AAAA...` of a key.
    fn public(&self, name: &str) -> String {
        let text = fs::read_to_string(self.key(name).with_extension("pub")).unwrap();
        text.rsplit_once(' ').unwrap().0.to_owned()
    }

    /// Writes the file `signers`; the user's configuration names it as the one with allowed signers.
    fn allow(&self, lines: &str) -> PathBuf {
        let file = self.at("signers");
        fs::write(&file, lines).unwrap();
        self.global("gpg.ssh.allowedSignersFile", file.to_str().unwrap());
        file
    }

    /// A setting of the user's configuration.
    fn global(&self, key: &str, value: &str) {
        let mut git = self.sandbox.command("git", self.sandbox.path());
        self.sandbox.run(git.args(["config", "--global", key, value])).success();
    }

    /// Commits `tool` with this content, signed by git with the key.
    fn commit_signed(&self, repo: &Repo<'_>, key: &str, text: &str) -> String {
        repo.write("tool", text);
        repo.commit("signed");
        self.sign_head(repo, key);
        repo.id("HEAD")
    }

    fn sign_head(&self, repo: &Repo<'_>, key: &str) {
        let key = format!("user.signingKey={}", self.key(key).display());
        let settings = ["-c", "gpg.format=ssh", "-c", "gpg.ssh.program=ssh-keygen", "-c", &key];
        let commit = ["commit", "--quiet", "--amend", "--allow-empty", "--no-edit", "-S"];
        repo.git(settings.iter().chain(&commit));
    }

    /// The SSH signature of these bytes.
    fn signature(&self, key: &Path, namespace: &str, bytes: &[u8]) -> String {
        let mut keygen = self.sandbox.command("ssh-keygen", self.sandbox.path());
        let key = key.to_str().unwrap();
        piped(keygen.args(["-q", "-Y", "sign", "-n", namespace, "-f", key]), bytes)
    }

    /// Nothing is deployed.
    #[track_caller]
    fn assert_nothing_deployed(&self) {
        assert!(!self.at("root/tool").exists(), "{:?}", self.sandbox.history());
    }
}

/// The bytes of HEAD's commit.
fn head(repo: &Repo<'_>) -> String {
    repo.git(["cat-file", "commit", "HEAD"]) + "\n"
}

/// A commit with a signature in its header.
fn with_header(commit: &str, header: &str, signature: &str) -> String {
    let (headers, message) = commit.split_once("\n\n").unwrap();
    format!("{headers}\n{header} {}\n\n{message}", signature.trim_end().replace('\n', "\n "))
}

/// Stores an object and makes it what `main` leads to.
fn make_head(desk: &Desk, repo: &Repo<'_>, commit: &[u8]) -> String {
    let mut git = desk.sandbox.command("git", repo.path());
    let id = piped(git.args(["hash-object", "-t", "commit", "-w", "--stdin", "--literally"]), commit);
    repo.git(["update-ref", "refs/heads/main", id.trim()]);
    id.trim().to_owned()
}

/// What a command prints that reads `input`.
fn piped(command: &mut Command, input: &[u8]) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .arg("-?")
        .status()
        .is_ok()
}
