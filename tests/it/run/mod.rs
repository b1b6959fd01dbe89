//! `git dist run`: the program of a target, started from anywhere, as if it had been started itself.

mod chosen;
mod lease;
mod process;
mod update;
mod variables;

use std::ffi::OsStr;
use std::process::Command;

use crate::support::{Repo, Run, Sandbox};

/// A target that deploys one file.
const TOOL: &str = r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#;

/// A repository that deployed the program `tool` with this text.
fn project<'s>(sandbox: &'s Sandbox, text: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.manifest(TOOL);
    next(&repo, text);
    repo
}

/// Commits and deploys another `tool`.
fn next(repo: &Repo<'_>, text: &str) {
    repo.executable("tool", text);
    repo.commit("next");
    repo.dist([]).success();
}

/// `git dist run` with these arguments, in a folder without any repository.
fn command(sandbox: &Sandbox, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = sandbox.dist_command(&sandbox.home());
    command.arg("run").args(arguments);
    command
}

/// Runs that to its end.
fn run<const N: usize>(sandbox: &Sandbox, arguments: [&str; N]) -> Run {
    sandbox.run(&mut command(sandbox, arguments))
}
