//! Sources that somebody else writes to: nothing leads a read or a write out of the two roots.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{at_mirror, cache, deployed, on_mirror, project};
use crate::support::{Sandbox, tree};

fn pipe(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
}

/// A version as distman makes them, and the link that makes it active.
fn plant(sandbox: &Sandbox, base: &str) -> std::path::PathBuf {
    let folder = sandbox.root().join("plant");
    let version = folder.join(format!("versions/{base}.1"));
    fs::create_dir_all(&version).unwrap();
    fs::write(version.join("file"), "file\n").unwrap();
    symlink(format!("versions/{base}.1"), folder.join(base)).unwrap();
    version
}

#[test]
fn links_that_lead_out_are_not_followed() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    let outside = sandbox.path().join("outside");
    fs::create_dir_all(outside.join("versions/out.1")).unwrap();
    fs::write(outside.join("secret"), "secret\n").unwrap();
    let root = sandbox.root();
    // Destinations that lead elsewhere, a folder and a `versions/` of somebody else, an entry that is a link up.
    fs::create_dir_all(root.join("evil/versions")).unwrap();
    symlink(&outside, root.join("evil/absolute")).unwrap();
    symlink("../../outside/secret", root.join("evil/up")).unwrap();
    symlink("versions/../../../outside/secret", root.join("evil/sly")).unwrap();
    symlink(&outside, root.join("linked")).unwrap();
    fs::create_dir(root.join("borrowed")).unwrap();
    symlink(outside.join("versions"), root.join("borrowed/versions")).unwrap();
    symlink("versions/out.1", root.join("borrowed/out")).unwrap();
    let run = cache(&sandbox, ["-v"]).success();
    for name in ["absolute", "up", "sly"] {
        assert!(run.stderr().contains(&format!("evil/{name}` is a link to")), "{}", run.snapshot());
    }
    let mirror = deployed(&at_mirror(&sandbox)).to_string();
    for name in ["evil", "linked", "borrowed", "secret"] {
        assert!(!mirror.contains(name), "{mirror}");
    }
    assert_eq!(
        tree(&outside).to_string(),
        "644 file secret = \"secret\\n\"\n755 dir versions\n755 dir versions/out.1\n"
    );
}

/// Links inside a version are content: copied as they are, and not followed.
#[test]
fn links_in_versions_are_copied_as_they_are() {
    let sandbox = Sandbox::new();
    let version = plant(&sandbox, "tool");
    symlink("/etc/passwd", version.join("absolute")).unwrap();
    symlink("../../../..", version.join("up")).unwrap();
    symlink("nowhere", version.join("dangling")).unwrap();
    cache(&sandbox, []).success();
    assert_eq!(tree(at_mirror(&sandbox).join("plant/tool")), tree(&version));
}

#[test]
fn what_is_no_file_is_refused() {
    let sandbox = Sandbox::new();
    let version = plant(&sandbox, "tool");
    pipe(&version.join("pipe"));
    cache(&sandbox, []).code(1).says("`pipe`: is no file, folder or link").says("plant/versions/tool.1");
    assert!(!at_mirror(&sandbox).join("plant/tool").exists());
    fs::remove_dir_all(&version).unwrap();
    pipe(&version);
    cache(&sandbox, []).code(1).says("is no file, folder or link");
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_not_waited_for() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    let lib = sandbox.root().join("lib/python").join(sandbox.active("lib/python/lib"));
    fs::remove_file(lib.join("a")).unwrap();
    pipe(&lib.join("a"));
    cache(&sandbox, []).code(1).says("`a`: is of another kind");
    fs::remove_dir_all(lib.join("deep")).unwrap();
    symlink(sandbox.path(), lib.join("deep")).unwrap();
    cache(&sandbox, []).code(1);
    assert!(!at_mirror(&sandbox).join("lib/python/lib").exists());
}

#[test]
fn any_name_is_copied() {
    let sandbox = Sandbox::new();
    let version = plant(&sandbox, "new\nline");
    for name in ["line\nbreak", "\u{1b}[31mred", "ä", " ", "-f", "versions", ".staging-x"] {
        fs::write(version.join(name), name).unwrap();
    }
    fs::create_dir(version.join("empty")).unwrap();
    let bytes = std::os::unix::ffi::OsStrExt::from_bytes(b"\xff\xfe");
    fs::write(version.join(<&std::ffi::OsStr>::clone(&bytes)), "bytes").unwrap();
    let run = cache(&sandbox, ["-v"]).success();
    assert!(run.stdout().contains("new\\nline"), "{}", run.snapshot());
    assert_eq!(tree(at_mirror(&sandbox).join("plant/new\nline")), tree(&version));
    on_mirror(&sandbox, ["show"]).success();
    cache(&sandbox, ["-f"]).success().says("nothing to do");
}

/// Old states of everything, as filesystems show them, are no destinations.
#[test]
fn snapshots_of_a_filesystem_are_passed_over() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    let mut copy = sandbox.command("cp", sandbox.path());
    let snapshot = sandbox.path().join("hourly.0");
    sandbox.run(copy.arg("-a").arg(sandbox.root()).arg(&snapshot)).success();
    fs::create_dir(sandbox.root().join(".snapshot")).unwrap();
    fs::rename(&snapshot, sandbox.root().join(".snapshot/hourly.0")).unwrap();
    cache(&sandbox, []).success();
    assert!(!at_mirror(&sandbox).join(".snapshot").exists());
}

/// A listing is as little to be trusted as anything else there.
#[test]
fn a_listing_leads_no_write_elsewhere() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    let lib = sandbox.root().join("lib/python").join(sandbox.active("lib/python/lib"));
    let listing = lib.with_file_name(format!(".{}.files", lib.file_name().unwrap().to_str().unwrap()));
    let text = fs::read_to_string(&listing).unwrap();
    for path in ["../../../escaped", "/escaped", "a/../../escaped"] {
        let line = text.lines().next().unwrap().split_once('\t').unwrap().0;
        fs::write(&listing, format!("{line}\t{path}\n")).unwrap();
        cache(&sandbox, []).code(1).says("its listing is damaged");
    }
    assert!(!sandbox.path().join("escaped").exists());
}
