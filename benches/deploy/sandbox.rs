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

    /// The most memory that `git dist` with `arguments` had, in bytes; `None` where that cannot be told. On Linux it is
    /// what the program allocated: a pack that is read is mapped, and its pages are the system's to take back.
    pub(crate) fn peak(&self, arguments: &[&str]) -> Option<u64> {
        if Path::new("/proc/self/status").exists() {
            return self.allocated(arguments);
        }
        let output = self.command("/usr/bin/time").arg("-l").arg(GIT_DIST).args(arguments).output().ok()?;
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git dist {arguments:?} failed:\n{told}");
        let line = told.lines().find(|line| line.contains("maximum resident set size"))?;
        line.split_whitespace().find_map(|word| word.parse().ok())
    }

    /// The most that was seen of a running `git dist`, looked at every millisecond (proc(5), resident set size of anonymous memory).
    fn allocated(&self, arguments: &[&str]) -> Option<u64> {
        let mut child = self.command(GIT_DIST).args(arguments).stderr(Stdio::null()).spawn().ok()?;
        let status = PathBuf::from(format!("/proc/{}/status", child.id()));
        let mut most = None;
        loop {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
            let kilobytes: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            most = most.max(kilobytes.map(|kilobytes| kilobytes * 1024));
            if let Some(ended) = child.try_wait().ok()? {
                assert!(ended.success(), "git dist {arguments:?} failed");
                return most;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
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
