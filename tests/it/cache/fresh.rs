//! When a source is looked at, and how closely.

use std::fs;

use super::{active, at_mirror, cache, deployed, next, on_mirror, project};
use crate::support::Sandbox;

#[test]
fn a_source_is_left_alone_for_a_while() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    // Whatever is done with the source would fail.
    let away = sandbox.path().join("away");
    fs::rename(sandbox.root(), &away).unwrap();
    cache(&sandbox, []).success().says("looked at less than 10m ago");
    cache(&sandbox, ["--ttl", "1h"]).success();
    cache(&sandbox, ["-t", "3600"]).success();
    let from_environment = |ttl: &str| {
        let mut command = sandbox.dist_command(&sandbox.home());
        command.env("CACHE_ROOT", at_mirror(&sandbox)).env("CACHE_TTL", ttl).arg("cache");
        sandbox.run(&mut command)
    };
    from_environment("60").success();
    from_environment("0").code(1).says("cannot be read");
    from_environment("soon").code(2).says("`CACHE_TTL` is `soon`");
    cache(&sandbox, ["--ttl", "0"]).code(1).says("is it mounted?");
    cache(&sandbox, ["-f"]).code(1);
    on_mirror(&sandbox, ["verify"]).success();
    fs::rename(&away, sandbox.root()).unwrap();
    cache(&sandbox, ["--ttl", "0"]).success();
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD"));
}

/// Not even its folders are read.
#[test]
fn the_stamp_tells_that_nothing_changed() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    let before = deployed(&at_mirror(&sandbox));
    fs::rename(sandbox.root().join("bin"), sandbox.path().join("bin-away")).unwrap();
    cache(&sandbox, ["--ttl", "0"]).success().says("the source is as it was copied");
    assert_eq!(deployed(&at_mirror(&sandbox)), before);
    // Having looked is noted.
    fs::rename(sandbox.root(), sandbox.path().join("away")).unwrap();
    cache(&sandbox, []).success().says("looked at less than 10m ago");
    fs::rename(sandbox.path().join("away"), sandbox.root()).unwrap();
    fs::rename(sandbox.path().join("bin-away"), sandbox.root().join("bin")).unwrap();
    next(&repo, "two\n");
    cache(&sandbox, ["--ttl", "0"]).success();
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD"));
}

#[test]
fn a_stale_mirror_is_told_by_the_exit_code() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let run = cache(&sandbox, ["-d"]).code(10);
    assert!(run.stdout().contains("create"), "{}", run.snapshot());
    assert!(!at_mirror(&sandbox).exists());
    cache(&sandbox, ["--diff"]).code(10);
    cache(&sandbox, []).success();
    cache(&sandbox, ["-d"]).success().says("the mirror is fresh");
    cache(&sandbox, ["--diff"]).success().says("the mirror is fresh");
    next(&repo, "two\n");
    repo.dist(["delete", "-y", "other"]).success();
    let before = deployed(&at_mirror(&sandbox));
    let run = cache(&sandbox, ["--diff"]).code(10);
    insta::assert_snapshot!(run.snapshot(), @r"
    exit code: 10
    ----- stdout
    create  bin  [SANDBOX]/mirror/bin/tool  1.382080a -> 2.6af5836
      M tool
    create  lib  [SANDBOX]/mirror/lib/python/lib  1.382080a -> 2.6af5836
      M lib/a
    remove  bin  [SANDBOX]/mirror/bin/other  the destination and 1.382080a
      D other
    ----- stderr
    the mirror is stale: [SANDBOX]/root -> [SANDBOX]/mirror
    ");
    let json = cache(&sandbox, ["--diff", "--json"]).code(10).json();
    assert_eq!((&json["format"], &json["fresh"]), (&"git-dist/cache".into(), &false.into()));
    let lib = json["items"].as_array().unwrap().iter().find(|item| item["target"] == "lib").unwrap();
    assert_eq!(lib["files"], serde_json::json!([{ "path": "a", "change": "M" }]));
    cache(&sandbox, ["-d"]).code(10);
    assert_eq!(deployed(&at_mirror(&sandbox)), before);
}

#[test]
fn a_copy_that_was_killed_is_not_fresh() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    cache(&sandbox, []).success();
    next(&repo, "two\n");
    // Right before the stamp is written, which is the last act but for the sync of its name and the lock.
    let acts = sandbox.path().join("acts");
    let run = |variable: (&str, &str)| {
        let mut command = sandbox.dist_command(&sandbox.home());
        command.env("CACHE_ROOT", at_mirror(&sandbox)).env(variable.0, variable.1);
        sandbox.run(command.args(["cache", "--ttl", "0"]))
    };
    let kept = sandbox.path().join("kept");
    let mut copy = sandbox.command("cp", sandbox.path());
    sandbox.run(copy.arg("-a").arg(at_mirror(&sandbox)).arg(&kept)).success();
    run(("GIT_DIST_ACTS", acts.to_str().unwrap())).success();
    let text = fs::read_to_string(&acts).unwrap();
    let is_stamp = |line: &&str| line.contains("\trename\t") && line.contains("cache.json");
    let stamp = text.lines().rfind(is_stamp).unwrap().split('\t').next().unwrap().to_owned();
    fs::remove_dir_all(at_mirror(&sandbox)).unwrap();
    fs::rename(&kept, at_mirror(&sandbox)).unwrap();
    let killed = run(("GIT_DIST_FAULT", &format!("{stamp}:KILL")));
    assert!(killed.snapshot().starts_with("exit code: killed"), "{}", killed.snapshot());
    // All is there already, and nobody knows.
    cache(&sandbox, []).success().says("the mirror has all of");
    cache(&sandbox, []).success().says("looked at less than");
    assert_eq!(active(&sandbox, "bin/tool"), repo.version("tool", "HEAD"));
}
