//! What a mirror has.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::{active, at_mirror, cache, deployed, next, on_mirror, project};
use crate::support::{Sandbox, tree};

#[test]
fn a_mirror_is_what_its_source_is() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let run = cache(&sandbox, []).success();
    insta::assert_snapshot!(run.snapshot(), @r"
    exit code: 0
    ----- stdout
    create  bin    [SANDBOX]/mirror/bin/other       new -> 1.382080a
    create  bin    [SANDBOX]/mirror/bin/tool        new -> 1.382080a
    create  leads  [SANDBOX]/mirror/leads           new -> 1.382080a
    create  lib    [SANDBOX]/mirror/lib/python/lib  new -> 1.382080a
    ----- stderr
    r1: mirrored [SANDBOX]/root -> [SANDBOX]/mirror: 7 files copied (40 B), 0 shared
    ");
    let mirror = at_mirror(&sandbox);
    assert_eq!(deployed(&mirror), deployed(sandbox.root()));
    // It is a root like any other.
    on_mirror(&sandbox, ["verify"]).success().says("4 versions, all as deployed");
    let shown = on_mirror(&sandbox, ["show"]).success();
    assert!(shown.stdout().contains(&repo.version("lib", "HEAD")[4..]), "{}", shown.snapshot());
    on_mirror(&sandbox, ["rollback"]).code(1).says("there is no earlier version to go back to");
    assert_eq!(deployed(&mirror), deployed(sandbox.root()));
}

#[test]
fn only_what_changed_crosses() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    let run = cache(&sandbox, ["--ttl", "0", "--json"]).success();
    // `a`, the link and the tool; links are nothing to share.
    assert_eq!(run.json()["copied"], serde_json::json!({ "files": 3, "bytes": 9, "shared": 2 }));
    let lib = at_mirror(&sandbox).join("lib/python/versions");
    let inode = |version: &str, file: &str| {
        fs::metadata(lib.join(repo.version("lib", version)).join(file)).unwrap().ino()
    };
    assert_ne!(inode("HEAD", "a"), inode("HEAD~1", "a"));
    let reflinks = inode("HEAD", "run") != inode("HEAD~1", "run");
    assert!(reflinks || inode("HEAD", "deep/b") == inode("HEAD~1", "deep/b"));
    assert_eq!(fs::read_to_string(at_mirror(&sandbox).join("lib/python/lib/a")).unwrap(), "two\n");
    on_mirror(&sandbox, ["verify", "--all"]).success();
    // What was mirrored before can be gone back to.
    on_mirror(&sandbox, ["rollback", "lib"]).success();
    assert_eq!(active(&sandbox, "lib/python/lib"), repo.version("lib", "HEAD~1"));
}

#[test]
fn a_rollback_in_the_source_is_one_in_the_mirror() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    repo.dist(["rollback", "-m", "it crashes"]).success();
    cache(&sandbox, ["--ttl", "0"]).success().says("0 files copied");
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD~1"));
    let shown = on_mirror(&sandbox, ["show", "-v", "tool"]).success();
    assert!(shown.stdout().contains("bad: rolled back: it crashes"), "{}", shown.snapshot());
    // So that nobody goes back to it by accident.
    on_mirror(&sandbox, ["rollback", "tool"]).code(1).says("no earlier version");
    on_mirror(&sandbox, ["reset"]).success();
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD~1"));
}

#[test]
fn what_was_rolled_back_in_the_mirror_stays_so_until_something_newer_comes() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    on_mirror(&sandbox, ["rollback", "tool", "-m", "not on this machine"]).success();
    let (old, new) = (repo.version("tool", "HEAD~1"), repo.version("tool", "HEAD"));
    // The source changes elsewhere.
    repo.write("lib/a", "three\n");
    repo.commit("three");
    repo.dist([]).success();
    cache(&sandbox, ["--ttl", "0"]).success().says("left as it is").says("not on this machine");
    assert_eq!(active(&sandbox, "bin/tool"), old);
    assert_eq!(active(&sandbox, "lib/python/lib"), repo.version("lib", "HEAD"));
    cache(&sandbox, ["-f"]).success();
    assert_eq!(active(&sandbox, "bin/tool"), new);
    on_mirror(&sandbox, ["rollback", "tool"]).success();
    next(&repo, "four\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD"));
}

#[test]
fn destinations_that_switch_together_do_so_in_the_mirror() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("bin/a", "a");
    repo.write("page", "page");
    repo.write(
        "dist.json",
        r#"{ "version": 1, "options": { "switch": "together" },
             "targets": { "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" },
                          "page": { "source": "page", "destination": "{DEPLOY_ROOT}/page" } } }"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    cache(&sandbox, []).success();
    let mirror = at_mirror(&sandbox);
    for link in ["bin/a", "page"] {
        let text = fs::read_link(mirror.join(link)).unwrap();
        assert!(text.to_str().unwrap().contains("together"), "{text:?}");
    }
    assert_eq!(fs::read_to_string(mirror.join("page")).unwrap(), "page");
    on_mirror(&sandbox, ["verify"]).success();
}

#[test]
fn what_lies_outside_of_the_source_is_told_and_not_mirrored() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    let elsewhere = sandbox.path().join("elsewhere/tool");
    repo.manifest(&format!(
        r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/tool" }},
           "out": {{ "source": "tool", "destination": "{}" }}"#,
        elsewhere.display()
    ));
    repo.commit("first");
    repo.dist([]).success();
    let run = cache(&sandbox, ["-v"]).success();
    run.says("not mirrored: `[SANDBOX]/elsewhere/tool` is outside of the source");
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
}

/// What outlives versions is the machine's own.
#[test]
fn shared_data_is_not_mirrored() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("site/index.html", "hello\n");
    repo.manifest(
        r#""site": { "source": "site", "destination": "{DEPLOY_ROOT}/site", "shared": ["uploads"] }"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    fs::write(sandbox.root().join("site/uploads/mine"), "of the source\n").unwrap();
    cache(&sandbox, []).success();
    let uploads = at_mirror(&sandbox).join("site/uploads");
    assert_eq!(tree(&uploads).to_string(), "");
    fs::write(uploads.join("mine"), "of the mirror\n").unwrap();
    assert_eq!(fs::read(sandbox.root().join("site/uploads/mine")).unwrap(), b"of the source\n");
    on_mirror(&sandbox, ["verify"]).success();
}

#[test]
fn what_was_damaged_in_the_mirror_is_copied_again_on_demand() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    let file = at_mirror(&sandbox).join("lib/python/lib/deep/b");
    fs::remove_file(&file).unwrap();
    fs::write(&file, "mine\n").unwrap();
    let link = at_mirror(&sandbox).join("bin/other");
    fs::remove_file(&link).unwrap();
    cache(&sandbox, ["--ttl", "0"]).success().says("nothing to do");
    on_mirror(&sandbox, ["verify"]).code(4);
    let run = cache(&sandbox, ["-f"]).success();
    assert!(run.stdout().contains("repair"), "{}", run.snapshot());
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
    on_mirror(&sandbox, ["verify"]).success();
    assert_eq!(active(&sandbox, "lib/python/lib"), repo.version("lib", "HEAD"));
}

/// A version of the same name with other content: it was deleted, and deployed again with another value.
#[test]
fn other_content_of_the_same_name_is_noticed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("page", "hello\n");
    repo.manifest(
        r#""page": { "source": "page", "destination": "{DEPLOY_ROOT}/page",
                     "pipeline": { "word": { "script": "printenv WORD > {output}" } } }"#,
    );
    repo.commit("first");
    repo.dist_with([("WORD", "one")], []).success();
    cache(&sandbox, []).success();
    let version = sandbox.active("page");
    repo.dist(["delete", "-y", "page"]).success();
    repo.dist_with([("WORD", "other")], []).success();
    assert_eq!(sandbox.active("page"), version);
    let run = cache(&sandbox, ["--ttl", "0"]).success();
    assert!(run.stdout().contains("repair"), "{}", run.snapshot());
    assert_eq!(fs::read_to_string(at_mirror(&sandbox).join("page")).unwrap(), "other\n");
    assert_eq!(deployed(&at_mirror(&sandbox)), deployed(sandbox.root()));
}
