//! `git dist cache`: a mirror is what its source is, or stays what it was.

mod distman;
mod fresh;
mod hostile;
mod mirror;
mod refusals;
mod removal;
mod together;

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Repo, Run, Sandbox, Tree, tree};

/// A repository that deploys a folder, two files and a link.
fn project(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.write("lib/a", "one\n");
    repo.write("lib/deep/b", "same\n");
    repo.executable("lib/run", "#!/bin/sh\n");
    repo.symlink("lib/link", "a");
    repo.write("bin/tool", "one\n");
    repo.write("bin/other", "same\n");
    repo.symlink("leads", "bin/tool");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib/python/lib" },
           "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" },
           "leads": { "source": "leads", "destination": "{DEPLOY_ROOT}/leads" }"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    repo
}

/// Commits another text of `lib/a` and of the tool, and deploys them.
fn next(repo: &Repo<'_>, text: &str) {
    repo.write("lib/a", text);
    repo.write("bin/tool", text);
    repo.commit(text.trim_end());
    repo.dist([]).success();
}

/// Where the mirror is.
fn at_mirror(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("mirror")
}

/// Runs `git dist cache` far from any repository, from the sandbox's root to its mirror.
fn cache<const N: usize>(sandbox: &Sandbox, arguments: [&str; N]) -> Run {
    let mut command = sandbox.dist_command(&sandbox.home());
    command.env("CACHE_ROOT", at_mirror(sandbox)).arg("cache").args(arguments);
    sandbox.run(&mut command)
}

/// Runs `git dist` on the mirror, far from any repository.
fn on_mirror<const N: usize>(sandbox: &Sandbox, arguments: [&str; N]) -> Run {
    let mut command = sandbox.dist_command(&sandbox.home());
    sandbox.run(command.env("DEPLOY_ROOT", at_mirror(sandbox)).args(arguments))
}

/// What is deployed in a root, without its own folder.
fn deployed(root: &Path) -> Tree {
    tree(root).without(|path| path.starts_with(b".distman"))
}

/// What the mirror's destination leads to.
fn active(sandbox: &Sandbox, destination: &str) -> String {
    let text = fs::read_link(at_mirror(sandbox).join(destination)).unwrap();
    text.file_name().unwrap().to_str().unwrap().to_owned()
}
