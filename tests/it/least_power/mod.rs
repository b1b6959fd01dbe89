//! No more power than needed: who may enter, read and write what is deployed, and what nobody can lead astray.

mod links;
mod others;
mod permissions;
mod secrets;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::{Repo, Sandbox, skipped};

/// Two users and a group that no system has.
pub(crate) const ADA: u32 = 61_001;
const MALLORY: u32 = 61_002;
const GROUP: u32 = 61_100;

/// True where this test can act as others; says so where it cannot.
pub(crate) fn can_be_others() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        skipped("only root can give files to others and run programs as them");
    }
    is_root
}

/// Gives `path` and all that is below it to a user.
pub(crate) fn give(path: &Path, user: u32, group: u32) {
    lchown(path, Some(user), Some(group)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), user, group);
        }
    }
}

/// `git dist` at `repo` as another user, who may enter the sandbox.
pub(crate) fn dist_as(sandbox: &Sandbox, repo: &Repo<'_>, user: u32, group: u32) -> Command {
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["home", "tmp"] {
        fs::set_permissions(sandbox.path().join(name), fs::Permissions::from_mode(0o1777)).unwrap();
    }
    // The one that is built may lie where others cannot go.
    let binary = sandbox.path().join("bin/git-dist");
    if !binary.exists() {
        // By a program of its own: what this one has open for writing is inherited by what other tests start, and a
        // program that somebody may write to is not run.
        sandbox
            .run(sandbox.command("cp", sandbox.path()).arg(env!("CARGO_BIN_EXE_git-dist")).arg(&binary))
            .success();
    }
    let mut command = sandbox.command(binary, repo.path());
    command.uid(user).gid(group).env("USER", format!("u{user}"));
    command
}

/// `git dist` at `repo` under this umask.
fn dist_under(sandbox: &Sandbox, repo: &Repo<'_>, umask: &str, arguments: &str) -> Command {
    let mut command = sandbox.command("sh", repo.path());
    command.args(["-c", &format!("umask {umask}; exec git-dist {arguments}")]);
    command
}

/// A repository with a folder `lib`, a tool with options `more`, and targets for both.
fn project<'s>(sandbox: &'s Sandbox, more: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.write("lib/deep/a", "one\n");
    repo.executable("lib/run", "#!/bin/sh\n");
    repo.write("tool", "one\n");
    repo.write(
        "dist.json",
        format!(
            r#"{{ "version": 1, {more} "targets": {{
                "lib": {{ "source": "lib", "destination": "{{DEPLOY_ROOT}}/bin/lib" }},
                "tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/bin/tool" }} }} }}"#
        ),
    );
    repo.commit("first");
    repo
}

/// The permissions of everything below `path`, links left out.
fn modes(path: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let meta = entry.metadata().unwrap();
            if meta.is_symlink() {
                continue;
            }
            if meta.is_dir() {
                folders.push(entry.path());
            }
            let below = entry.path().strip_prefix(path).unwrap().to_str().unwrap().to_owned();
            found.push((below, meta.mode() & 0o7777));
        }
    }
    found.sort();
    found
}
