//! Roots and mirrors that distman made.

use std::fs;
use std::path::Path;

use super::{active, at_mirror, cache, deployed, on_mirror};
use crate::support::{Sandbox, skipped};

/// Copies the recorded root of distman, with the modes that it had.
fn distman_root(sandbox: &Sandbox) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data/distman-root");
    sandbox.run(sandbox.command("cp", sandbox.path()).arg("-a").arg(data).arg(sandbox.root())).success();
    let mut chmod = sandbox.command("chmod", sandbox.path());
    sandbox.run(chmod.args(["-R", "u=rwX,go=rX"]).arg(sandbox.root())).success();
}

/// What distman would mirror: the links, what they lead to, and the dist info.
fn active_only(sandbox: &Sandbox) -> crate::support::Tree {
    let mut text = Vec::new();
    for destination in ["lib/python/tool", "bin/run", "bin/read.me"] {
        text.push(sandbox.active(destination).replace("versions/", ""));
    }
    deployed(sandbox.root()).without(|path| {
        let path = String::from_utf8_lossy(path).into_owned();
        let version = path.split("versions/").nth(1).map(|rest| rest.split('/').next().unwrap().to_owned());
        version.is_some_and(|version| !text.contains(&version))
    })
}

#[test]
fn a_root_of_distman_is_mirrored_as_it_is() {
    let sandbox = Sandbox::new();
    distman_root(&sandbox);
    let file = sandbox.root().join("lib/python/versions/tool.5.4875ed8/file");
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 123_456_789);
    fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    cache(&sandbox, []).success();
    let mirror = at_mirror(&sandbox);
    assert_eq!(deployed(&mirror).writable(), active_only(&sandbox).writable());
    let copied = mirror.join("lib/python/tool/file");
    assert_eq!(fs::metadata(copied).unwrap().modified().unwrap(), time);
    let shown = on_mirror(&sandbox, ["show"]).success();
    assert_eq!(shown.stdout().matches("(unverified)").count(), 3, "{}", shown.snapshot());
    cache(&sandbox, ["--ttl", "0"]).success().says("nothing to do");
    cache(&sandbox, ["-f"]).success().says("nothing to do");
}

#[test]
fn files_of_distman_that_did_not_change_are_not_read_again() {
    let sandbox = Sandbox::new();
    distman_root(&sandbox);
    cache(&sandbox, []).success();
    let versions = sandbox.root().join("lib/python/versions");
    let mut copy = sandbox.command("cp", sandbox.path());
    sandbox
        .run(copy.arg("-a").arg(versions.join("tool.5.4875ed8")).arg(versions.join("tool.6.abcdef0")))
        .success();
    fs::write(versions.join("tool.6.abcdef0/file"), "changed\n").unwrap();
    let link = sandbox.root().join("lib/python/tool");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("versions/tool.6.abcdef0", &link).unwrap();
    fs::write(sandbox.root().join(".distman/epoch"), "1999999999999999999\n").unwrap();
    let run = cache(&sandbox, ["--ttl", "0", "--json"]).success();
    assert_eq!(run.json()["copied"], serde_json::json!({ "files": 1, "bytes": 8, "shared": 1 }));
    assert_eq!(active(&sandbox, "lib/python/tool"), "tool.6.abcdef0");
    assert_eq!(fs::read_to_string(at_mirror(&sandbox).join("lib/python/tool/file")).unwrap(), "changed\n");
    assert_eq!(fs::read_to_string(at_mirror(&sandbox).join("lib/python/tool/sub/file")).unwrap(), "three\n");
    on_mirror(&sandbox, ["rollback", "tool"]).success();
    assert_eq!(active(&sandbox, "lib/python/tool"), "tool.5.4875ed8");
}

/// Size and time are all that is known.
#[test]
fn copies_of_what_distman_made_are_compared_on_demand() {
    let sandbox = Sandbox::new();
    distman_root(&sandbox);
    cache(&sandbox, []).success();
    let file = at_mirror(&sandbox).join("lib/python/tool/sub/file");
    fs::write(&file, "no\n").unwrap();
    cache(&sandbox, ["--ttl", "0"]).success().says("nothing to do");
    cache(&sandbox, ["-f"]).success();
    assert_eq!(fs::read_to_string(&file).unwrap(), "three\n");
    assert_eq!(deployed(&at_mirror(&sandbox)).writable(), active_only(&sandbox).writable());
}

#[test]
fn a_mirror_of_distman_is_taken_over() {
    let sandbox = Sandbox::new();
    distman_root(&sandbox);
    // As distman's `cache` leaves it: its own stamps, and nothing that is not active.
    let mirror = at_mirror(&sandbox);
    cache(&sandbox, []).success();
    fs::remove_dir_all(mirror.join(".distman")).unwrap();
    fs::create_dir(mirror.join(".distman")).unwrap();
    fs::write(mirror.join(".distman/last_check"), "1700000000\n").unwrap();
    fs::copy(sandbox.root().join(".distman/epoch"), mirror.join(".distman/epoch")).unwrap();
    let before = deployed(&mirror);
    cache(&sandbox, []).success().says("0 files copied");
    assert_eq!(deployed(&mirror), before);
    let shown = on_mirror(&sandbox, ["show"]).success();
    assert_eq!(shown.stdout().matches("(unverified)").count(), 3, "{}", shown.snapshot());
    cache(&sandbox, []).success().says("looked at less than");
}

/// distman itself, where it is installed.
#[test]
fn distman_understands_what_a_mirror_is() {
    let sandbox = Sandbox::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folder = std::env::var_os("GIT_DIST_TEST_DISTMAN").map(std::path::PathBuf::from);
    let folders = folder.into_iter().chain(std::env::split_paths(&path));
    let Some(program) = folders.map(|it| it.join("distcache")).find(|it| it.exists()) else {
        return skipped("distman is not installed; `pip install distman==0.8.4` lets this test run");
    };
    distman_root(&sandbox);
    let distcache = |arguments: &[&str]| {
        let mut command = sandbox.command(&program, &sandbox.home());
        command.env("CACHE_ROOT", at_mirror(&sandbox)).env("LOG_DIR", sandbox.path().join("log"));
        sandbox.run(command.args(arguments))
    };
    // Made by distman, taken over, and understood by distman again.
    distcache(&[]).success();
    cache(&sandbox, ["--ttl", "0"]).success().says("0 files copied");
    distcache(&["-t", "0"]).success();
    on_mirror(&sandbox, ["show"]).success();
    cache(&sandbox, ["--ttl", "0"]).success();
    assert_eq!(deployed(&at_mirror(&sandbox)).writable(), active_only(&sandbox).writable());
}
