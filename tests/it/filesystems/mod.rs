//! The filesystems that deployments live on, as they are: each is made in an image of its own and mounted, and what is
//! promised is tried there. xfs and btrfs can clone files, ext4 and tmpfs cannot.
//!
//! Mounts are made in a namespace that one test has for itself: the test starts this binary again within it, and does its
//! work there. Whatever ends that process, the mounts, the images (which are in a tmpfs of the same namespace) and the
//! loop devices go with it.
#![cfg(target_os = "linux")]

mod across;
mod broken;
mod cuts;
mod disk;
mod faults;
mod full;
mod sharing;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use disk::{Disk, Kind, tool};

use crate::support::{Repo, Sandbox, passed_over, skipped};

/// Says to the process in the namespace that it is there.
const WITHIN: &str = "GIT_DIST_TEST_MOUNTS";

/// Does `work` in a sandbox whose root is a filesystem of this kind. `test` is the full path of the test that calls.
fn on(kind: Kind, test: &str, work: impl FnOnce(&Lab)) {
    on_more(&[kind], test, work);
}

/// As [`on`]; filesystems of all of `kinds` can be made.
fn on_more(kinds: &[Kind], test: &str, work: impl FnOnce(&Lab)) {
    if std::env::var_os(WITHIN).is_none() {
        return in_namespace(kinds, test);
    }
    let lab = Lab::new(kinds[0]).and_then(|lab| {
        let at = lab.sandbox.path().join("tried");
        kinds[1..].iter().try_for_each(|kind| lab.try_disk(*kind, &at).map(drop))?;
        Ok(lab)
    });
    match lab {
        Ok(lab) => work(&lab),
        Err(why) => passed_over(&why),
    }
}

fn in_namespace(kinds: &[Kind], test: &str) {
    for program in kinds.iter().flat_map(|kind| kind.tools()) {
        let mut command = tool(program);
        let status = command.arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        // That is what env(1) says.
        if status.code() == Some(127) {
            return skipped(&format!("there is no {program}"));
        }
    }
    let within = || {
        let mut command = tool("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--fork", "--kill-child"]);
        command
    };
    if !within().arg("true").output().unwrap().status.success() {
        return passed_over("nothing can be mounted here");
    }
    let (_, test) = test.split_once("::").unwrap();
    let mut command = within();
    command.arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]).env(WITHIN, "1");
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "{test}: {said}");
    for line in said.lines().filter_map(|line| line.strip_prefix("SKIPPED: ")) {
        passed_over(line);
    }
    eprintln!("{said}");
}

/// A sandbox, a folder in memory for the images, and the filesystem that is mounted on the sandbox's root.
struct Lab {
    /// Unmounted first.
    root: Disk,
    _images: Disk,
    sandbox: Sandbox,
}

impl Lab {
    fn new(kind: Kind) -> Result<Self, String> {
        let sandbox = Sandbox::new();
        let images = Disk::new(Kind::Tmpfs, Path::new(""), &sandbox.path().join("images"), &[])?;
        let root = Disk::new(kind, &sandbox.path().join("images/root"), sandbox.root(), &[])?;
        Ok(Self { root, _images: images, sandbox })
    }

    /// The same with other options for the program that makes the filesystem on the root.
    fn format(&self, options: &[&str]) {
        self.root.unmount();
        self.root.make(options).unwrap();
        self.root.mount().unwrap();
    }

    /// One more filesystem.
    fn disk(&self, kind: Kind, at: &Path) -> Disk {
        self.try_disk(kind, at).unwrap()
    }

    fn try_disk(&self, kind: Kind, at: &Path) -> Result<Disk, String> {
        let images = self.sandbox.path().join("images");
        let number = std::fs::read_dir(&images).unwrap().count();
        Disk::new(kind, &images.join(number.to_string()), at, &[])
    }

    /// A path below the root.
    fn at(&self, path: &str) -> PathBuf {
        self.sandbox.root().join(path)
    }

    /// The path of what the destination leads to.
    fn version(&self, destination: &str) -> PathBuf {
        self.at(destination).with_file_name(self.sandbox.active(destination))
    }
}

/// Asserts that nothing unfinished is anywhere.
#[track_caller]
fn assert_tidy(lab: &Lab) {
    let all = crate::support::tree(lab.sandbox.root()).to_string();
    for trace in [".staging-", ".tmp", ".next", "pending.json", "unfinished.json"] {
        assert!(!all.contains(trace), "{trace}: {all}");
    }
}

/// Runs `git dist` in `repo` with these variables, without a look at how it ends; its exit code, if it was not killed.
fn code(
    lab: &Lab,
    repo: &Repo<'_>,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> (Option<i32>, String) {
    let mut command: Command = lab.sandbox.dist_command(repo.path());
    let output = command.envs(environment.iter().copied()).args(arguments).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}
