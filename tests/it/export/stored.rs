//! However git stores a blob, it is deployed: loose, whole in a pack, as a delta, borrowed from another repository,
//! small, and too large to be in memory.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::assert_like_archive;
use crate::support::{Repo, Sandbox};

/// More than is read at once, in bytes.
const LARGE: usize = (4 << 20) + (1 << 19);

/// Bytes that do not get smaller when they are packed, the same in every run.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(step).flatten().take(length).collect()
}

/// A clone with blobs of all sizes, of which nothing is packed.
fn repository(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.manifest(r#""dir": { "source": "dir", "destination": "{DEPLOY_ROOT}/dir" }"#);
    repo.write("dir/.gitattributes", "*.crlf text eol=crlf\n");
    repo.write("dir/empty", "");
    repo.write("dir/small", "small\n");
    repo.write("dir/large", noise(LARGE));
    repo.write("dir/zeros", vec![0; LARGE]);
    repo.write("dir/lines.crlf", "line\n".repeat(LARGE / 5));
    let other_noise: Vec<u8> = noise(200_000).into_iter().rev().collect();
    for number in 0..6 {
        let folder = format!("dir/part-{}", number % 3);
        let text = format!("{}{number}\n", "much the same\n".repeat(500));
        repo.write(format!("{folder}/alike-{number}"), text);
        repo.write(format!("{folder}/noise-{number}"), [&b"begin"[..number], &other_noise].concat());
    }
    repo.commit("blobs of all sizes");
    repo
}

/// The only file that git has of the object `id`.
fn loose(repo: &Repo<'_>, id: &str) -> PathBuf {
    repo.path().join(".git/objects").join(&id[..2]).join(&id[2..])
}

/// Changes a byte in the middle of `path`.
fn damage(path: &PathBuf) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn loose_blobs_are_deployed() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
}

#[test]
fn packed_blobs_are_deployed_whole_and_as_deltas() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    repo.git(["repack", "-adfq"]);
    assert!(repo.git(["count-objects", "-v"]).starts_with("count: 0\n"));
    repo.dist([]).success();
    assert_like_archive(&sandbox, &repo);
    repo.dist(["verify"]).success();
}

#[test]
fn blobs_of_another_repository_that_is_borrowed_from_are_deployed() {
    let sandbox = Sandbox::new();
    let original = repository(&sandbox);
    original.git(["repack", "-adfq"]);
    let borrowing = original.clone_to("borrowing", ["--shared"]);
    borrowing.dist([]).success();
    assert_like_archive(&sandbox, &borrowing);
}

#[test]
fn a_large_blob_that_is_damaged_is_named_and_nothing_is_deployed() {
    for file in ["large", "small"] {
        let sandbox = Sandbox::new();
        let repo = repository(&sandbox);
        let id = repo.git(["rev-parse", &format!("HEAD:dir/{file}")]);
        damage(&loose(&repo, &id));
        repo.dist([]).code(1).says(&format!("`dir/{file}` is corrupt")).says(&id);
        assert!(!sandbox.root().join("dir").exists());
    }
}

#[test]
fn a_large_blob_that_is_damaged_in_its_pack_is_named_and_nothing_is_deployed() {
    let sandbox = Sandbox::new();
    let repo = repository(&sandbox);
    repo.git(["repack", "-adfq"]);
    let packs = fs::read_dir(repo.path().join(".git/objects/pack")).unwrap();
    let mut paths = packs.map(|entry| entry.unwrap().path());
    // What does not get smaller fills most of it, its middle too.
    damage(&paths.find(|path| path.extension().is_some_and(|extension| extension == "pack")).unwrap());
    repo.dist([]).code(1).says("`dir/large` is corrupt");
    assert!(!sandbox.root().join("dir").exists());
}
