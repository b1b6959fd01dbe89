//! What is refused, and leaves the mirror as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{at_mirror, cache, deployed, next, project};
use crate::support::{Sandbox, tree};

#[test]
fn a_mirror_and_its_source_are_two_places() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    let root = sandbox.root().display().to_string();
    std::os::unix::fs::symlink(sandbox.root(), sandbox.path().join("alias")).unwrap();
    let alias = sandbox.path().join("alias/below").display().to_string();
    let above = sandbox.path().display().to_string();
    let before = tree(sandbox.root());
    for mirror in [root.clone(), format!("{root}/mirror"), alias, above] {
        cache(&sandbox, ["--dst", &mirror]).code(1).says("overlap");
        cache(&sandbox, ["-f", "-d", "--dst", &mirror]).code(1).says("overlap");
    }
    assert_eq!(tree(sandbox.root()), before);
}

#[test]
fn nothing_but_a_mirror_becomes_one() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let mirror = at_mirror(&sandbox);
    fs::create_dir(&mirror).unwrap();
    fs::write(mirror.join("mine"), "mine").unwrap();
    cache(&sandbox, []).code(1).says("it holds other files");
    assert_eq!(tree(&mirror).to_string(), "644 file mine = \"mine\"\n");
    fs::remove_file(mirror.join("mine")).unwrap();
    // Another deployment root would lose what the source does not have.
    repo.dist_with([("DEPLOY_ROOT", mirror.to_str().unwrap())], []).success();
    let before = tree(&mirror);
    cache(&sandbox, []).code(1).says("a deployment root");
    cache(&sandbox, ["-f"]).code(1).says("`CACHE_ROOT` names another place");
    assert_eq!(tree(&mirror), before);
    // An empty folder is as good as none.
    fs::remove_dir_all(&mirror).unwrap();
    fs::create_dir(&mirror).unwrap();
    cache(&sandbox, []).success();
}

#[test]
fn a_mirror_has_one_source() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    let other = sandbox.path().join("other");
    next(&repo, "two\n");
    repo.dist_with([("DEPLOY_ROOT", other.to_str().unwrap())], ["-t", "bin"]).success();
    let before = deployed(&at_mirror(&sandbox));
    let other_text = other.to_str().unwrap();
    cache(&sandbox, ["--src", other_text]).code(1).says("is the mirror of `[SANDBOX]/root`");
    assert_eq!(deployed(&at_mirror(&sandbox)), before);
    cache(&sandbox, ["--src", other_text, "-f"]).success();
    let bin =
        |root: &std::path::Path| deployed(&root.join("bin")).without(|path| path.starts_with(b"versions"));
    assert_eq!(bin(&at_mirror(&sandbox)), bin(&other));
    assert!(!at_mirror(&sandbox).join("lib/python/lib").exists());
}

/// A mount point without its disk is an empty folder.
#[test]
fn a_source_that_is_away_costs_nothing() {
    let sandbox = Sandbox::new();
    project(&sandbox);
    cache(&sandbox, []).success();
    let before = deployed(&at_mirror(&sandbox));
    let away = sandbox.path().join("away");
    fs::rename(sandbox.root(), &away).unwrap();
    let run = cache(&sandbox, ["--ttl", "0"]).code(1);
    insta::assert_snapshot!(run.snapshot(), @r"
    exit code: 1
    ----- stdout
    ----- stderr
    error: the source `[SANDBOX]/root` cannot be read; the mirror stays as it is
      caused by: cannot open `[SANDBOX]/root`
      caused by: No such file or directory (os error 2)
    hint: is it mounted? `--src DIR` or `DEPLOY_ROOT` names it
    ");
    fs::create_dir(sandbox.root()).unwrap();
    cache(&sandbox, ["--ttl", "0"]).code(1).says("nothing is deployed in the source").says("is it mounted?");
    cache(&sandbox, ["-f"]).code(1);
    fs::remove_dir(sandbox.root()).unwrap();
    fs::write(sandbox.root(), "a file").unwrap();
    cache(&sandbox, ["--ttl", "0"]).code(1).says("cannot be read");
    assert_eq!(deployed(&at_mirror(&sandbox)), before);
}

#[test]
fn a_damaged_version_in_the_source_is_named_and_nothing_is_switched() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    let before = deployed(&at_mirror(&sandbox));
    next(&repo, "two\n");
    let version = sandbox.root().join("lib/python").join(sandbox.active("lib/python/lib"));
    let beside = |end: &str| {
        let name = version.file_name().unwrap().to_str().unwrap();
        version.with_file_name(format!(".{name}.{end}"))
    };
    let (file, listing, record) = (version.join("a"), beside("files"), beside("json"));
    let refused = |what: &str| {
        cache(&sandbox, ["--ttl", "0"]).code(1).says("lib.2.").says(what).says("verify --repair");
        cache(&sandbox, ["-f"]).code(1).says(what);
        assert_eq!(deployed(&at_mirror(&sandbox)), before, "{what}");
    };
    let with = |path: &std::path::Path, text: &[u8], what: &str| {
        let whole = fs::read(path).unwrap();
        let mode = fs::metadata(path).unwrap().permissions();
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(path, text).unwrap();
        refused(what);
        fs::write(path, whole).unwrap();
        fs::set_permissions(path, mode).unwrap();
    };
    with(&file, b"other", "`a`: content");
    // One that grew is not read to its end.
    with(&file, &vec![b'x'; 1 << 20], "`a`: content");
    with(&listing, b"", "its listing was changed");
    with(&listing, b"nonsense\n", "its listing is damaged");
    with(&record, b"{", "its record is damaged");
    for path in [&file, &version] {
        let aside = sandbox.path().join("aside");
        fs::rename(path, &aside).unwrap();
        refused("missing");
        fs::rename(&aside, path).unwrap();
    }
    cache(&sandbox, ["--ttl", "0"]).success();
    assert_eq!(fs::read_to_string(at_mirror(&sandbox).join("lib/python/lib/a")).unwrap(), "two\n");
}

#[test]
fn what_stands_in_the_way_in_the_mirror_is_told() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    let tool = at_mirror(&sandbox).join("bin/tool");
    fs::remove_file(&tool).unwrap();
    fs::write(&tool, "mine").unwrap();
    cache(&sandbox, ["--ttl", "0"]).code(1).says("a file stands there").says("move it away");
    assert_eq!(fs::read_to_string(&tool).unwrap(), "mine");
    assert_eq!(fs::read_to_string(at_mirror(&sandbox).join("lib/python/lib/a")).unwrap(), "one\n");
    fs::remove_file(&tool).unwrap();
    cache(&sandbox, []).success();
    assert_eq!(fs::read_to_string(&tool).unwrap(), "two\n");
}

/// A rollout that was killed between two links shows a mix.
#[test]
fn half_a_rollout_is_not_mirrored() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    let before = deployed(&at_mirror(&sandbox));
    next(&repo, "two\n");
    fs::write(sandbox.root().join(".distman/pending.json"), "{}").unwrap();
    cache(&sandbox, ["--ttl", "0"]).code(1).says("a rollout is under way in the source");
    assert_eq!(deployed(&at_mirror(&sandbox)), before);
    fs::remove_file(sandbox.root().join(".distman/pending.json")).unwrap();
    cache(&sandbox, []).success();
    assert_ne!(deployed(&at_mirror(&sandbox)), before);
}
