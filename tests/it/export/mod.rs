//! What is deployed is what `git archive` gives for the commit: git itself is the judge. Where git dist differs on
//! purpose (DESIGN section 6: git's own files, the host's configuration, failing filters), the test says so.

mod attributes;
mod conversions;
mod filters;
mod names;
mod stored;
mod submodules;
mod substitution;

use std::path::PathBuf;

use crate::support::{Repo, Sandbox, Tree, tree};

/// A file of a fixture.
const FILE: &str = "100644";
/// An executable file of a fixture.
const EXECUTABLE: &str = "100755";
/// A symbolic link of a fixture.
const LINK: &str = "120000";

/// Deploys the folder `dir` of the repository.
const DIR: &str =
    r#"{ "version": 1, "targets": { "dir": { "source": "dir", "destination": "{DEPLOY_ROOT}/dir" } } }"#;

/// A bare repository with one commit of these files and `dist.json`.
fn repository<'s>(sandbox: &'s Sandbox, manifest: &str, entries: &[(&str, &[u8], &[u8])]) -> Repo<'s> {
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    commit(&repo, manifest, entries);
    repo
}

/// A commit of these files and `dist.json`.
fn commit(repo: &Repo<'_>, manifest: &str, entries: &[(&str, &[u8], &[u8])]) -> String {
    let mut all = vec![(FILE, &b"dist.json"[..], manifest.as_bytes())];
    all.extend_from_slice(entries);
    repo.import("Subject of the commit\n\nBody.\n", &all)
}

/// What `git archive` of `main` gives for the folder `path`, in the sandbox's environment and with these settings.
fn archived(sandbox: &Sandbox, repo: &Repo<'_>, path: &str) -> Tree {
    let to = tempfile::Builder::new().prefix("archive-").tempdir_in(sandbox.path()).unwrap();
    let tar = to.path().join("tar");
    // The folder is given as a path: attributes of a tree (`main:dir`) would be looked up from `dir` on.
    repo.git(["-c", "tar.umask=0022", "archive", "--format=tar", "-o", tar.to_str().unwrap(), "main", path]);
    let content = to.path().join("content");
    std::fs::create_dir(&content).unwrap();
    let mut extract = sandbox.command("tar", &content);
    sandbox.run(extract.args(["--no-same-owner", "-x", "-p", "-f"]).arg(&tar)).success();
    tree(content.join(path))
}

/// What is deployed at `destination`, with write bits as `git archive` leaves them.
fn deployed(sandbox: &Sandbox, destination: &str) -> Tree {
    tree(sandbox.root().join(destination)).writable()
}

/// True for git's own files, which are not deployed.
fn is_gits_own(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap();
    matches!(name, b".gitattributes" | b".gitignore" | b".gitmodules")
}

/// Asserts that the folder `dir` was deployed as `git archive` gives it but for git's own files and the empty folders
/// that it leaves where all files are ignored (a tree of git has none), and that record and
/// listing say what git finds in the deployed files.
#[track_caller]
fn assert_like_archive(sandbox: &Sandbox, repo: &Repo<'_>) {
    let archived = archived(sandbox, repo, "dir").without(is_gits_own).without_empty_folders();
    let deployed = deployed(sandbox, "dir");
    assert!(deployed == archived, "deployed <, archived >:\n{}", deployed.differences(&archived));
    assert_recorded(sandbox, repo, "dir");
}

/// Asserts that git, reading the files deployed at `destination`, finds the tree of the record and the lines of the
/// listing.
#[track_caller]
fn assert_recorded(sandbox: &Sandbox, repo: &Repo<'_>, destination: &str) {
    let version = sandbox.active(destination);
    let (folder, name) = version.split_once('/').unwrap();
    let format = repo.git(["rev-parse", "--show-object-format"]);
    let scratch = tempfile::Builder::new().prefix("scratch-").tempdir_in(sandbox.path()).unwrap();
    let scratch = sandbox.open(scratch.path());
    scratch.git(["init", "--quiet", "--bare", &format!("--object-format={format}")]);
    let files: PathBuf = sandbox.root().join(destination).canonicalize().unwrap();
    scratch.git([
        "--work-tree".as_ref(),
        files.as_os_str(),
        "add".as_ref(),
        "--all".as_ref(),
        "--force".as_ref(),
    ]);
    let found = scratch.git(["write-tree"]);
    assert_eq!(sandbox.record(destination)["content"], found.as_str(), "content id");
    let listing = sandbox.root().join(destination).with_file_name(folder).join(format!(".{name}.files"));
    let lines = scratch.git(["ls-tree", "-r", &found]).replace(" blob ", " ");
    assert_eq!(std::fs::read_to_string(listing).unwrap().trim_end(), lines, "listing");
    let count = lines.lines().count();
    assert_eq!(sandbox.record(destination)["files"], count, "number of files");
}
