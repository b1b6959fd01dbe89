//! An upstream, a clone with hooks, and a colleague who pushes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Repo, Run, Sandbox};

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_git-dist");

/// Everything that is tracked goes to `site` in the deployment root.
const MANIFEST: &str = r#"{ "targets": { "site": { "source": ".", "destination": "{DEPLOY_ROOT}/site" } } }"#;

/// `upstream.git` (bare), `clone` (where hooks go) and `colleague` (who pushes to upstream).
pub(super) struct Clones {
    pub(super) sandbox: Sandbox,
}

impl Clones {
    /// With one commit everywhere, on `main`, and nothing deployed.
    pub(super) fn new() -> Self {
        let clones = Self { sandbox: Sandbox::new() };
        fs::create_dir(clones.at("out")).unwrap();
        clones.sandbox.repo_with("upstream.git", ["--bare"]);
        clones.git(".", &["clone", "-q", "upstream.git", "colleague"]);
        clones.manifest(MANIFEST);
        clones.upstream_commit("tool", "1");
        clones.git(".", &["clone", "-q", "upstream.git", "clone"]);
        clones
    }

    /// With hooks installed in `clone`.
    pub(super) fn installed(options: &[&str]) -> Self {
        let clones = Self::new();
        clones.install(options);
        clones
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.sandbox.path().join(path)
    }

    pub(super) fn repo(&self, name: &str) -> Repo<'_> {
        self.sandbox.open(self.at(name))
    }

    /// A command in a repository. Scripts find the folder for what they heard in `OUT`.
    pub(super) fn command(&self, program: impl AsRef<Path>, repository: &str, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(program.as_ref(), &self.at(repository));
        command.env("GIT_EDITOR", "true").env("LC_ALL", "C").env("OUT", self.at("out")).args(args);
        command
    }

    pub(super) fn run(&self, command: &mut Command) -> Run {
        self.sandbox.run(command)
    }

    /// git, which may fail.
    pub(super) fn try_git(&self, repository: &str, args: &[&str]) -> Run {
        self.run(&mut self.command("git", repository, args))
    }

    /// git, which must succeed; returns what it said on stderr.
    #[track_caller]
    pub(super) fn git(&self, repository: &str, args: &[&str]) -> String {
        self.try_git(repository, args).success().stderr().to_owned()
    }

    /// git, which must succeed; returns what it printed.
    #[track_caller]
    pub(super) fn ask(&self, repository: &str, args: &[&str]) -> String {
        self.try_git(repository, args).success().raw_stdout().trim_end().to_owned()
    }

    pub(super) fn id(&self, repository: &str, revision: &str) -> String {
        self.repo(repository).id(revision)
    }

    /// Writes `file` and commits it.
    pub(super) fn commit(&self, repository: &str, file: &str, text: &str) {
        let repo = self.repo(repository);
        repo.write(file, text);
        repo.commit(&format!("{file}: {text}"));
    }

    /// The colleague writes a manifest, to be pushed with the next commit.
    pub(super) fn manifest(&self, text: &str) {
        self.repo("colleague").write("dist.json", text);
    }

    /// The colleague pushes a commit.
    pub(super) fn upstream_commit(&self, file: &str, text: &str) {
        self.commit("colleague", file, text);
        self.git("colleague", &["push", "-q", "origin", "main"]);
    }

    /// The colleague pushes a commit, and the clone pulls it; returns what the pull said.
    #[track_caller]
    pub(super) fn pull(&self, file: &str, text: &str) -> String {
        self.upstream_commit(file, text);
        self.git("clone", &["pull", "-q"])
    }

    /// git dist, in a repository.
    pub(super) fn dist(&self, repository: &str, args: &[&str]) -> Run {
        self.run(&mut self.command(BINARY, repository, args))
    }

    /// git dist under another name and place.
    pub(super) fn binary_at(&self, path: &str) -> PathBuf {
        let to = self.at(path);
        fs::hard_link(BINARY, &to).or_else(|_| fs::copy(BINARY, &to).map(drop)).unwrap();
        to
    }

    #[track_caller]
    pub(super) fn install(&self, options: &[&str]) -> Value {
        self.install_in("clone", options)
    }

    #[track_caller]
    pub(super) fn install_in(&self, repository: &str, options: &[&str]) -> Value {
        self.dist(repository, &[&["hook", "install", "--json"], options].concat()).success().json()
    }

    #[track_caller]
    pub(super) fn uninstall(&self) -> Value {
        self.dist("clone", &["hook", "uninstall", "--json"]).success().json()
    }

    /// The status of one hook in `repository`.
    #[track_caller]
    pub(super) fn status(&self, repository: &str, hook: &str) -> Value {
        let status = self.dist(repository, &["hook", "status", "--json"]).success().json();
        let hooks = status["hooks"].as_array().unwrap().iter();
        hooks.into_iter().find(|status| status["hook"] == hook).unwrap().clone()
    }

    /// What was deployed so far, oldest first: `<commit> <branch>`.
    pub(super) fn deployed(&self) -> Vec<String> {
        let deploys = self.sandbox.history().into_iter().filter(|rollout| rollout["kind"] == "deploy");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        deploys
            .map(|rollout| format!("{} {}", text(&rollout["commit"]), text(&rollout["revision"])))
            .collect()
    }

    /// Exactly this revision of `clone` was deployed, once, and is what is active.
    #[track_caller]
    pub(super) fn assert_deployed(&self, revision: &str) {
        assert_eq!(self.deployed(), [format!("{} main", self.id("clone", revision))]);
        self.assert_active("clone", revision);
    }

    /// `site` leads to the version of this revision, which holds its files.
    #[track_caller]
    pub(super) fn assert_active(&self, repository: &str, revision: &str) {
        let repo = self.repo(repository);
        assert_eq!(self.sandbox.active("site"), format!("versions/{}", repo.version("site", revision)));
        for file in self.ask(repository, &["ls-tree", "-r", "--name-only", revision]).lines() {
            let there = fs::read_to_string(self.sandbox.root().join("site").join(file)).unwrap();
            assert_eq!(
                there.trim_end(),
                self.ask(repository, &["show", &format!("{revision}:{file}")]),
                "{file}"
            );
        }
    }

    #[track_caller]
    pub(super) fn assert_nothing_deployed(&self) {
        assert!(!self.sandbox.root().exists(), "{:?}", self.deployed());
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.at("clone/.git/dist/hook.log")).unwrap_or_default()
    }

    /// What a script wrote to `$OUT/<name>`.
    pub(super) fn heard(&self, name: &str) -> String {
        fs::read_to_string(self.at("out").join(name)).unwrap_or_default()
    }

    pub(super) fn write_hook(&self, path: &str, mode: u32, text: &[u8]) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Permission bits, and the bytes (or where a symlink leads).
pub(super) fn snapshot(path: &Path) -> (u32, Vec<u8>) {
    let meta = fs::symlink_metadata(path).unwrap();
    let bytes = if meta.is_symlink() {
        fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else {
        fs::read(path).unwrap()
    };
    (meta.permissions().mode(), bytes)
}

/// Every name in a folder, sorted, samples left out.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.filter(|name| !name.contains(".sample")).collect();
    names.sort();
    names
}
