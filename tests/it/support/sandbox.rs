//! The sandbox: folders, environment, commands.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Repo, Run};

/// A folder of its own with everything that a test touches: `home`, `bin` (on the `PATH`), `root` (the deployment
/// root), and repositories. It goes when it is dropped; `GIT_DIST_TEST_KEEP=1` keeps it and prints where it is.
pub(crate) struct Sandbox {
    path: PathBuf,
    root: PathBuf,
    folder: Option<tempfile::TempDir>,
    /// Minutes since the first commit.
    clock: AtomicU64,
}

/// When the first commit of every sandbox is made: 2026-01-01T12:00:00Z.
const START: u64 = 1_767_268_800;

/// The user's git configuration: what tests need, and nothing of the host's.
const GITCONFIG: &str = "\
[init]
\tdefaultBranch = main
[gc]
\tauto = 0
[maintenance]
\tauto = false
[advice]
\tdetachedHead = false
[protocol \"file\"]
\tallow = always
";

impl Sandbox {
    /// An empty sandbox below `TMPDIR`.
    pub(crate) fn new() -> Self {
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let folder = tempfile::Builder::new().prefix("git-dist-").tempdir().unwrap();
        // One spelling of every path: `/tmp` is a link on some systems.
        let path = folder.path().canonicalize().unwrap();
        for name in ["home", "bin", "tmp"] {
            fs::create_dir(path.join(name)).unwrap();
        }
        fs::write(path.join("home/.gitconfig"), GITCONFIG).unwrap();
        let root = path.join("root");
        Self { path, root, folder: Some(folder), clock: AtomicU64::new(0) }
    }

    /// The sandbox's own folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The deployment root that `DEPLOY_ROOT` names; it does not exist before something is deployed.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.path.join("home")
    }

    /// A new, empty repository.
    pub(crate) fn repo(&self, name: &str) -> Repo<'_> {
        self.repo_with(name, [])
    }

    /// A new repository made with these options of `git init`: `--bare`, `--object-format=sha256`.
    pub(crate) fn repo_with<const N: usize>(&self, name: &str, options: [&str; N]) -> Repo<'_> {
        let path = self.path.join(name);
        fs::create_dir_all(&path).unwrap();
        let repo = self.open(path);
        repo.git(["init", "--quiet"].into_iter().chain(options));
        repo
    }

    /// The repository that is at `path` already: a clone, a linked working tree.
    pub(crate) fn open(&self, path: impl Into<PathBuf>) -> Repo<'_> {
        Repo::new(self, path.into())
    }

    /// A program on the `PATH`.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A command in the folder `within`, with the sandbox's environment and no terminal.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, within: &Path) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_git-dist")).parent().unwrap();
        let host = std::env::var_os("PATH").unwrap_or_default();
        let search =
            [binary.to_owned(), self.path.join("bin")].into_iter().chain(std::env::split_paths(&host));
        let date = format!("@{} +0000", START + 60 * self.clock.load(Ordering::Relaxed));
        let mut command = Command::new(program);
        command.current_dir(within).stdin(Stdio::null()).env_clear();
        command.env("PATH", std::env::join_paths(search).unwrap());
        command.env("HOME", self.home()).env("TMPDIR", self.path.join("tmp"));
        command.env("USER", "tester").env("TERM", "dumb").env("TZ", "UTC");
        command.env("DEPLOY_ROOT", &self.root);
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", self.home().join(".gitconfig"));
        command.env("GIT_CEILING_DIRECTORIES", &self.path);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Tess Tester");
            command.env(format!("GIT_{who}_EMAIL"), "tess@example.org");
            command.env(format!("GIT_{who}_DATE"), &date);
        }
        command
    }

    /// `git-dist` in the folder `within`.
    pub(crate) fn dist_command(&self, within: &Path) -> Command {
        self.command(env!("CARGO_BIN_EXE_git-dist"), within)
    }

    /// Runs a command made by [`Sandbox::command`] or [`Sandbox::dist_command`] to its end.
    pub(crate) fn run(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Run::new(&self.path, format!("{command:?}"), &output)
    }

    /// Runs `git dist` with these arguments at a terminal of its own, where a person types `answer`. What it prints
    /// to either stream is standard output.
    pub(crate) fn dist_at_terminal(&self, within: &Path, arguments: &[&str], answer: &str) -> Run {
        let line: Vec<String> =
            arguments.iter().map(|argument| format!("'{}'", argument.replace('\'', "'\\''"))).collect();
        let line = format!("'{}' {}", env!("CARGO_BIN_EXE_git-dist"), line.join(" "));
        let mut command = self.command("script", within);
        command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The pipe stays open: its end would be the end of the terminal.
        let mut person = child.stdin.take().unwrap();
        person.write_all(answer.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        drop(person);
        Run::new(&self.path, line, &output)
    }

    /// The next commit is a minute later.
    pub(crate) fn tick(&self) {
        self.clock.fetch_add(1, Ordering::Relaxed);
    }

    /// What the destination (relative to the root) points to: `versions/tool.1.0123456`.
    pub(crate) fn active(&self, destination: &str) -> String {
        let path = self.root.join(destination);
        let target = fs::read_link(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        target.to_str().unwrap().to_owned()
    }

    /// The record of the version that the destination (relative to the root) points to.
    pub(crate) fn record(&self, destination: &str) -> serde_json::Value {
        let version = self.active(destination);
        let (folder, name) = version.split_once('/').unwrap();
        let path = self.root.join(destination).with_file_name(folder).join(format!(".{name}.json"));
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// The lines of the history; none before the first rollout.
    pub(crate) fn history(&self) -> Vec<serde_json::Value> {
        let text = fs::read_to_string(self.root.join(".distman/history.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::env::var_os("GIT_DIST_TEST_KEEP").is_some() {
            eprintln!("kept {}", self.path.display());
            self.folder.take().map(tempfile::TempDir::keep);
        }
    }
}
