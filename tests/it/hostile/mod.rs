//! Hostile input is ordinary input: a clear error that names the place, nothing deployed, no panic, no hang, no memory
//! without bound.

mod files;
mod objects;
mod owners;
mod planted;
mod terminal;
mod trees;

use crate::support::{Repo, Run, Sandbox};

/// Commits a tree that holds dist.json with the target `dir` and a folder `dir` which is the tree `dir`.
pub(crate) fn commit_dir(repo: &Repo<'_>, dir: &str) -> String {
    let manifest = repo.object(
        "blob",
        br#"{ "version": 1, "targets": { "dir": { "source": "dir", "destination": "{DEPLOY_ROOT}/dir" } } }"#,
    );
    let root = repo.tree(&[("40000", "dir", dir), ("100644", "dist.json", &manifest)]);
    repo.commit_tree(&root)
}

/// Asserts that nothing is there at the deployment root, and that the run ended in an error and not in a panic.
#[track_caller]
pub(crate) fn refused(sandbox: &Sandbox, run: Run) -> Run {
    let run = run.code(1);
    let text = run.snapshot();
    assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
    assert!(!text.contains('\x1b'), "{text}");
    let left = crate::support::tree(sandbox.root())
        .without(|path| path.starts_with(b".distman"))
        .without_empty_folders();
    assert!(left.to_string().is_empty(), "{left}\n{text}");
    run
}
