//! Rolling back, what must not come back afterwards, and whose destinations a command is about.

use std::fs;

use super::{next, project};
use crate::support::Sandbox;

/// A target for each of `names` with a source of that name.
fn targets(names: &[&str]) -> String {
    let target = |name: &&str| {
        format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}" }}"#)
    };
    names.iter().map(target).collect::<Vec<_>>().join(", ")
}

#[test]
fn an_option_of_a_deploy_before_another_command_is_an_error() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(&targets(&["a", "b"]));
    for text in ["one", "two"] {
        repo.write("a", text);
        repo.write("b", text);
        repo.commit(text);
        repo.dist([]).success();
    }
    repo.dist(["--target=a", "rollback"]).code(2).says("`--target` belongs to a deploy");
    repo.dist(["-m", "why", "rollback", "a"]).code(2).says("`--message`");
    repo.dist([".", "show"]).code(2);
    assert_eq!(sandbox.history().len(), 2);
    repo.dist(["-q", "--color=never", "-C", ".", "rollback", "a"]).success();
    assert_eq!(sandbox.active("b"), format!("versions/{}", repo.version("b", "HEAD")));
}

#[test]
fn content_that_was_rolled_back_does_not_return_because_attributes_changed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(&targets(&["a"]));
    for text in ["one", "two"] {
        repo.write("a", text);
        repo.commit(text);
        repo.dist([]).success();
    }
    let bad = sandbox.active("a");
    repo.dist(["rollback"]).success();
    let good = sandbox.active("a");
    repo.write(".gitattributes", "*.png binary\n");
    repo.commit("attributes of something else");
    repo.dist([]).code(1).says("marked bad");
    assert_eq!(sandbox.active("a"), good);
    repo.dist(["-f"]).success();
    assert_eq!(sandbox.active("a"), bad);
    assert_eq!(sandbox.record("a")["state"], "good");
}

#[test]
fn other_tokens_that_make_the_same_content_change_nothing() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a", "no token\n");
    repo.manifest(
        r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/a", "pipeline": {
             "stamp": { "func": "replace_tokens", "options": { "tokens": { "__X__": "{X}" } } } } }"#,
    );
    repo.commit("first");
    for value in ["1", "2", "1"] {
        repo.dist_with([("X", value)], []).success();
    }
    assert_eq!(sandbox.history().len(), 1);
}

#[test]
fn a_command_in_one_folder_leaves_the_targets_of_another_manifest_alone() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for name in ["a", "b"] {
        repo.write(format!("{name}/{name}"), name);
        repo.write(
            format!("{name}/dist.json"),
            format!(r#"{{ "version": 1, "targets": {{ {} }} }}"#, targets(&[name])),
        );
    }
    repo.commit("first");
    let (a, b) = (repo.inside("a"), repo.inside("b"));
    a.dist([]).success();
    b.dist([]).success();
    assert!(!a.dist(["show"]).success().stdout().contains("/root/b"));
    a.dist(["prune", "-y"]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("b")).unwrap(), "b");
    // What left the manifest goes.
    repo.write("b/c", "c");
    repo.write("b/dist.json", format!(r#"{{ "version": 1, "targets": {{ {} }} }}"#, targets(&["c"])));
    repo.commit("another target");
    b.dist(["prune", "-y"]).success();
    assert!(!sandbox.root().join("b").exists());
    assert!(sandbox.root().join("a").exists());
}

#[test]
fn a_dry_run_of_what_is_refused_fails_too() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    repo.dist(["use", "tool", "999", "-d"]).code(1).says("it has no version `999`");
}

#[test]
fn what_a_killed_run_left_is_undone_before_anything_is_decided() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    let first = sandbox.active("bin/tool");
    next(&repo, "two\n");
    repo.dist(["--version-only"]).success();
    let second = repo.version("tool", "HEAD");
    // As if the run died after the link was swapped and before the rollout counted.
    let link = sandbox.root().join("bin/tool");
    let pending = serde_json::json!({
        "format": 1, "author": null, "marks": [],
        "rollout": { "format": 1, "number": 3, "time": "", "by": "", "kind": "deploy", "items": [] },
        "swaps": [{
            "destination": link, "from": first, "to": format!("versions/{second}"),
            "version": second, "aside": null,
        }],
    });
    fs::write(sandbox.root().join(".distman/pending.json"), pending.to_string()).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(format!("versions/{second}"), &link).unwrap();
    repo.dist(["use", "tool", "2"]).success().says("undid rollout r3").prints("relink");
    repo.dist([]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{second}"));
}

#[test]
fn a_rollout_that_switched_nothing_has_nothing_to_take_back() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    for text in ["two\n", "three\n", "four\n"] {
        next(&repo, text);
        repo.dist([]).success();
    }
    repo.dist(["prune", "--keep", "1"]).success();
    assert_eq!(sandbox.history().len(), 5);
    next(&repo, "five\n");
    repo.dist([]).success();
    let active = sandbox.active("bin/tool");
    repo.dist(["rollback", "--rollout", "r5"]).code(1).says("nothing to go back from");
    assert_eq!(sandbox.active("bin/tool"), active);
}
