//! A folder for one run of the benchmarks, and commands in it that see nothing of the host's settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The folder. It goes when it is dropped.
pub(crate) struct Sandbox {
    folder: TempDir,
}

impl Sandbox {
    /// An empty sandbox below `dir`.
    pub(crate) fn new(dir: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("git-dist-bench-").tempdir_in(dir);
        let folder = folder.unwrap_or_else(|error| panic!("cannot use {}: {error}", dir.display()));
        for name in ["home", "repository", "scratch"] {
            fs::create_dir(folder.path().join(name)).expect("the folder is new and empty");
        }
        Self { folder }
    }

    /// The deployment root.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// A folder for the plain tools.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// The repository.
    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Removes everything that was deployed.
    pub(crate) fn clear(&self) {
        self.shell(&format!("rm -rf '{}'", self.root().display()));
    }

    /// A command in the repository.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.repository()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path().join("home")).env("USER", "bench");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("DEPLOY_ROOT", self.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How long `git dist` with `arguments` takes. It must succeed.
    pub(crate) fn dist(&self, arguments: &[&str]) -> Duration {
        time(self.command(env!("CARGO_BIN_EXE_git-dist")).args(arguments))
    }

    /// How long a line for the shell takes. It must succeed.
    pub(crate) fn shell(&self, line: &str) -> Duration {
        time(self.command("sh").arg("-c").arg(line))
    }
}

fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let time = start.elapsed();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{told}");
    time
}
