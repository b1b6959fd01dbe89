//! A folder for one work, and commands in it that see nothing of the host's settings.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The program that is measured.
pub(crate) const GIT_DIST: &str = env!("CARGO_BIN_EXE_git-dist");

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

    /// A folder for the other tools.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.path().join("scratch")
    }

    /// The repository, which is bare.
    pub(crate) fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Removes everything that was deployed.
    pub(crate) fn clear(&self) {
        remove(&self.root());
    }

    /// An empty folder in the folder for the other tools.
    pub(crate) fn empty(&self, name: &str) -> PathBuf {
        let folder = self.scratch().join(name);
        remove(&folder);
        fs::create_dir(&folder).expect("the folder can be made");
        folder
    }

    /// A command in the repository.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.repository()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path().join("home")).env("USER", "bench").env("LC_ALL", "C");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("DEPLOY_ROOT", self.root());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// How long `git dist` with `arguments` takes. It must succeed.
    pub(crate) fn dist(&self, arguments: &[&str]) -> Duration {
        time(self.command(GIT_DIST).arg("--quiet").args(arguments))
    }

    /// How long a line for the shell takes. It must succeed.
    pub(crate) fn shell(&self, line: &str) -> Duration {
        time(self.command("sh").arg("-c").arg(line))
    }

    /// The most memory that `git dist` with `arguments` had, in bytes; `None` where no `time` tells.
    pub(crate) fn peak(&self, arguments: &[&str]) -> Option<u64> {
        let flag = if cfg!(target_os = "macos") { "-l" } else { "-v" };
        let output = self.command("/usr/bin/time").arg(flag).arg(GIT_DIST).args(arguments).output().ok()?;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git dist {arguments:?} failed:\n{told}");
        let line = told.lines().find(|line| line.to_lowercase().contains("maximum resident set size"))?;
        let number = line.split_whitespace().find_map(|word| word.parse::<u64>().ok())?;
        // Kilobytes with GNU, bytes with BSD.
        Some(if cfg!(target_os = "macos") { number } else { number * 1024 })
    }
}

/// How long a command takes. It must succeed.
pub(crate) fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    let output = command.output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let time = start.elapsed();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{told}");
    time
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) {
    if let Err(error) = fs::remove_dir_all(folder) {
        assert!(error.kind() == std::io::ErrorKind::NotFound, "cannot remove {}: {error}", folder.display());
    }
}

/// The program `name` on the `PATH`, or in the folder that the variable for tests names.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let own = std::env::var_os("GIT_DIST_TEST_DISTMAN").map(PathBuf::from);
    own.into_iter().chain(std::env::split_paths(&path)).map(|dir| dir.join(name)).find(|file| file.is_file())
}
