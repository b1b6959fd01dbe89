//! What others do to deployed files is found, repaired, never shared and never activated unseen.

mod activation;
mod repair;
mod sharing;
mod verify;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use crate::support::{Repo, Sandbox};

/// A repository with a folder, a file and a link, each deployed to `bin`.
fn project<'s>(sandbox: &'s Sandbox, options: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.write("lib/a", "one\n");
    repo.write("lib/deep/b", "same\n");
    repo.executable("lib/run", "#!/bin/sh\n");
    repo.symlink("lib/link", "a");
    repo.write("tool", "one\n");
    repo.symlink("leads", "tool");
    let target = |name: &str| {
        format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/bin/{name}" }}"#)
    };
    let targets = ["lib", "tool", "leads"].map(target).join(", ");
    repo.write("dist.json", format!(r#"{{ "version": 1, {options} "targets": {{ {targets} }} }}"#));
    repo.commit("first");
    repo
}

/// Commits another text of `lib/a` and of the tool, and deploys them.
fn next(repo: &Repo<'_>, text: &str) {
    repo.write("lib/a", text);
    repo.write("tool", text);
    repo.commit(text.trim_end());
    repo.dist([]).success();
}

/// The path of what `destination` leads to.
fn version(sandbox: &Sandbox, destination: &str) -> PathBuf {
    sandbox.root().join("bin").join(sandbox.active(&format!("bin/{destination}")))
}

/// The file that git dist keeps beside a version.
fn beside(version: &Path, end: &str) -> PathBuf {
    version.with_file_name(format!(".{}.{end}", version.file_name().unwrap().to_str().unwrap()))
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Writes `text` into the file in place, with permissions and time set back.
pub(crate) fn forge(path: &Path, text: &str) {
    let before = fs::metadata(path).unwrap();
    chmod(path, 0o644);
    fs::write(path, text).unwrap();
    chmod(path, before.mode() & 0o7777);
    set_time(path, before.mtime());
}

fn set_time(path: &Path, seconds: i64) {
    let time = Timespec { tv_sec: seconds, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

fn pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
}
