//! Rows 18 and 19, and of row 20 what a machine brings: names, values and things that are not what they seem.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::{deployed, target, target_with, tool};
use crate::support::{Sandbox, tree};

/// Row 18.
#[test]
fn every_change_bumps_the_stamp_that_everybody_can_read() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    let epoch = sandbox.root().join(".distman/epoch");
    let stamp = || fs::read_to_string(&epoch).unwrap_or_default().trim().parse::<i64>().unwrap_or_default();
    let mut last = stamp();
    let mut run = |arguments: &[&str]| {
        let mut command = sandbox.command("sh", repo.path());
        command.args(["-c", "umask 077; exec git-dist \"$@\"", "sh"]).args(arguments);
        sandbox.run(&mut command).success();
        let now = stamp();
        assert!(now > last, "{arguments:?}");
        last = now;
        assert_eq!(fs::metadata(&epoch).unwrap().permissions().mode() & 0o777, 0o644, "{arguments:?}");
    };
    run(&[]);
    for text in ["two\n", "three\n", "four\n", "five\n", "six\n"] {
        repo.write("tool", text);
        repo.commit(text.trim_end());
        run(&[]);
    }
    run(&["rollback", "tool"]);
    run(&["use", "tool", "1"]);
    run(&["-t", "tool", "-n", "2"]);
    run(&["reset"]);
    run(&["--delete", "-t", "tool", "-n", "1"]);
    run(&["use", "tool", "6"]);
    run(&["prune", "--keep", "1"]);
    run(&["delete", "tool", "-y"]);
    assert!(!sandbox.root().join("tool").exists());
}

/// Row 19: `lstrip("./")` made `conf` of `.conf`.
#[test]
fn a_leading_dot_belongs_to_the_name() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write(".conf", "hidden\n");
    repo.write("conf", "plain\n");
    repo.manifest(r#""conf": { "source": "./.conf", "destination": "{DEPLOY_ROOT}/.conf" }"#);
    repo.commit("one");
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, ".conf"), "hidden\n");
    assert!(!sandbox.root().join("conf").exists());
}

/// Row 19.
#[test]
fn names_of_steps_lead_nowhere() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    for name in ["../../../escaped", "/tmp/escaped", "a/b", "..", ""] {
        let step = format!(r#", "pipeline": {{ "{name}": {{ "script": "echo made > {{output}}" }} }}"#);
        repo.manifest(&target_with("tool", &step));
        repo.commit("step");
        let run = repo.dist([]);
        assert!(!tree(sandbox.path()).to_string().contains("escaped\n"), "{}", run.snapshot());
        if sandbox.root().join("tool").exists() {
            assert_eq!(deployed(&sandbox, "tool"), "made\n");
        }
    }
}

/// Row 19: `x; touch PWNED` ran.
#[test]
fn values_in_commands_are_text() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let name = "a;touch PWNED;$(touch PWNED)`touch PWNED`'\" b";
    repo.write(format!("bin/{name}"), "text\n");
    repo.write("distman.env", "all:\n  EVIL: \"x; touch PWNED; $(touch PWNED)\"\n");
    let step = r#""print": { "script": "cat {input} > {output}; printf %s {EVIL} >> {output}" }"#;
    repo.manifest(&format!(
        r#""bin": {{ "source": "bin/*", "destination": "{{DEPLOY_ROOT}}/%1", "pipeline": {{ {step} }},
                    "verify": ["test -f {{staged}}; printf %s {{EVIL}}"],
                    "after": ["printf %s {{EVIL}} {{GIT_DIST_DESTINATION}}"] }}"#
    ));
    repo.commit("one");
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, name), "text\nx; touch PWNED; $(touch PWNED)");
    let pwned: Vec<String> = tree(sandbox.path())
        .to_string()
        .lines()
        .filter(|line| line.contains("/PWNED"))
        .map(Into::into)
        .collect();
    assert!(pwned.is_empty(), "{pwned:?}");
}

/// Row 20.
#[test]
fn bad_settings_are_told_in_a_sentence() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    // distman's own settings that are not needed any more are accepted, whatever they hold.
    for (name, value) in
        [("MAX_VERSIONS", "many"), ("CACHE_TTL", "soon"), ("LOG_LEVEL", "chatty"), ("IGNORE_MISSING", "?")]
    {
        repo.dist_with([(name, value)], []).success();
    }
    repo.dist_with([("DEPLOY_ROOT", "relative/root")], [])
        .code(1)
        .says("error: `DEPLOY_ROOT` is `relative/root`");
    for value in ["../elsewhere", ".."] {
        repo.dist_with([("DISTMAN_META_DIR", value)], [])
            .code(1)
            .says(&format!("error: `DISTMAN_META_DIR` is `{value}`"));
    }
    repo.dist(["-n", "seven"]).code(2).says("'seven'");
    repo.dist(["-c", "abc"]).code(2).says("4 or more");
    repo.dist(["-c", "wxyz"]).code(2).says("4 or more");
}

/// Row 20: names that are no text.
#[test]
fn names_that_are_not_utf8_are_deployed_or_told() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let manifest = format!(
        r#"{{ "version": 1, "targets": {{ {}, "bin": {{ "source": "bin/*", "destination": "{{DEPLOY_ROOT}}/%1" }} }} }}"#,
        target("dir")
    );
    let inside: &[(&str, &[u8], &[u8])] =
        &[("100644", b"dist.json", manifest.as_bytes()), ("100644", b"dir/caf\xe9", b"text\n")];
    repo.import("one", inside);
    repo.git(["reset", "--quiet", "--hard"]);
    repo.dist([]).success();
    assert!(tree(sandbox.root()).to_string().contains("/caf\\xE9 = \"text\\n\""), "{}", tree(sandbox.root()));
    repo.import("two", &[inside, &[("100644", b"bin/caf\xe9", b"text\n")]].concat());
    let before = tree(sandbox.root());
    repo.dist([]).code(1).says("not valid UTF-8");
    assert_eq!(tree(sandbox.root()), before);
}

/// Row 20.
#[test]
fn a_failing_step_is_told_with_its_name_and_output() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    let step = r#", "pipeline": { "compress": { "script": "echo the reason >&2; exit 3" } }"#;
    repo.manifest(&target_with("tool", step));
    repo.commit("step");
    let run = repo.dist([]).code(1).says("`tool`").says("`compress`").says("the reason");
    assert!(!run.snapshot().contains("panicked"), "{}", run.snapshot());
}

/// Row 20: distman waits for ever for somebody to write into it.
#[test]
fn a_fifo_is_left_out_with_a_warning() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("dir/file", "text\n");
    repo.manifest(&target("dir"));
    repo.commit("one");
    let fifo = repo.path().join("dir/fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    repo.dist([]).success();
    repo.dist(["--worktree", "-f"]).success();
    repo.write("dir/file", "changed\n");
    let run = repo.dist(["--worktree"]).success();
    assert!(run.snapshot().contains("leaves out `"), "{}", run.snapshot());
    assert_eq!(deployed(&sandbox, "dir/file"), "changed\n");
    assert!(!sandbox.root().join("dir/fifo").exists());
}
