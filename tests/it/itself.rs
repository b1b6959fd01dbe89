//! This repository deploys itself, with the dist.json at its top.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Repo, Sandbox, tree};

/// Copies `path` of this repository into `repo`.
fn copy(repo: &Repo<'_>, path: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if from.is_dir() {
        for entry in fs::read_dir(&from).unwrap() {
            copy(repo, &path.join(entry.unwrap().file_name()));
        }
    } else if fs::metadata(&from).unwrap().permissions().mode() & 0o100 != 0 {
        repo.executable(path, fs::read(from).unwrap());
    } else {
        repo.write(path, fs::read(from).unwrap());
    }
}

#[test]
fn this_repository_deploys_itself() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("git-dist");
    for path in ["LICENSE-APACHE", "LICENSE-MIT", "dist.json", "distman.env", "docs", "hooks"] {
        copy(&repo, path.as_ref());
    }
    repo.commit("first");
    let run = repo.dist([]).success();
    assert!(!run.stderr().contains("warning"), "{}", run.snapshot());
    for (destination, source) in [
        ("share/doc/git-dist", "docs"),
        ("share/licenses/git-dist/LICENSE-MIT", "LICENSE-MIT"),
        ("share/licenses/git-dist/LICENSE-APACHE", "LICENSE-APACHE"),
        ("share/git-dist/dist.schema.json", "docs/dist.schema.json"),
        ("share/git-dist/hooks", "hooks"),
    ] {
        let (deployed, source) = (sandbox.root().join(destination), repo.path().join(source));
        if source.is_dir() {
            assert_eq!(tree(deployed).writable(), tree(source), "{destination}");
        } else {
            assert_eq!(fs::read(deployed).unwrap(), fs::read(source).unwrap(), "{destination}");
        }
    }
    repo.dist(["verify"]).success().says("5 versions, all as deployed");
    repo.dist([]).success().says("nothing to do: 5 destinations");
}
