//! The runs in which the power is cut.

use super::check::{Scenario, WATCHED};
use crate::support::{Repo, Sandbox};

const DESTINATIONS: &[&str] = &["root/tool", "root/lib/pack", "root/bin/one", "root/bin/two"];

/// What is run next where a run counts, and the same again would do more: something that changes nothing.
const NOTHING: &[&str] = &["prune", "--keep", "0"];

/// Targets for a file, a folder and a wildcard. `more` goes to each of them.
fn targets(more: &str) -> String {
    format!(
        r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/tool"{more} }},
           "pack": {{ "source": "pack", "destination": "{{DEPLOY_ROOT}}/lib/pack"{more} }},
           "bin": {{ "source": "bin/*", "destination": "{{DEPLOY_ROOT}}/bin/%1"{more} }}"#
    )
}

/// A project whose files hold `text`, committed.
fn project<'s>(sandbox: &'s Sandbox, more: &str, text: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.manifest(&targets(more));
    write(&repo, text);
    repo
}

fn write(repo: &Repo<'_>, text: &str) {
    for path in ["tool", "pack/a", "pack/below/b", "bin/one", "bin/two"] {
        repo.write(path, format!("{path}: {text}\n"));
    }
    repo.write("pack/same", "the same\n");
    repo.commit(text);
}

/// A project of which the texts are deployed, one after the other.
fn deployed<'s>(sandbox: &'s Sandbox, more: &str, texts: &[&str]) -> Repo<'s> {
    let repo = project(sandbox, more, texts[0]);
    repo.dist([]).success();
    for text in &texts[1..] {
        write(&repo, text);
        repo.dist([]).success();
    }
    repo
}

#[test]
fn the_first_deploy() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "", "one");
    Scenario::new(&sandbox, &repo, &[], DESTINATIONS).check();
}

/// And these tests would tell if it did so elsewhere.
#[test]
fn no_sync_waits_for_no_disk() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "", "one");
    let Some(cuts) = Scenario::new(&sandbox, &repo, &["--no-sync"], DESTINATIONS).cut() else { return };
    assert_eq!(cuts.syncs, 0);
    assert!(!cuts.failures.is_empty());
    repo.dist(["verify"]).success();
}

#[test]
fn a_deploy_that_creates_relinks_and_leaves_unchanged() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two"]);
    repo.write("tool", "tool: one\n");
    repo.write("pack/a", "pack/a: three\n");
    repo.write("pack/new", "new\n");
    repo.commit("three");
    Scenario::new(&sandbox, &repo, &[], DESTINATIONS).check();
}

#[test]
fn an_adoption() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "", "one");
    std::fs::create_dir_all(sandbox.root().join("lib/pack")).unwrap();
    std::fs::write(sandbox.root().join("lib/pack/own"), "my own words\n").unwrap();
    std::fs::write(sandbox.root().join("tool"), "my own tool\n").unwrap();
    let precious = &["my own words", "my own tool"];
    Scenario { precious, ..Scenario::new(&sandbox, &repo, &["--adopt"], DESTINATIONS) }.check();
}

#[test]
fn a_deploy_with_shared_paths() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(
        r#""pack": { "source": "pack", "destination": "{DEPLOY_ROOT}/pack", "shared": ["uploads", "etc/conf"] }"#,
    );
    repo.write("pack/page", "page\n");
    repo.write("pack/uploads/first", "first\n");
    repo.commit("one");
    let destinations = &["root/pack", "root/pack/uploads", "root/pack/etc/conf"];
    Scenario::new(&sandbox, &repo, &[], destinations).check();
}

#[test]
fn a_deploy_outside_the_root() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let elsewhere = sandbox.path().join("elsewhere/deep/tool");
    repo.manifest(&format!(r#""tool": {{ "source": "tool", "destination": "{}" }}"#, elsewhere.display()));
    repo.write("tool", "tool\n");
    repo.commit("one");
    Scenario::new(&sandbox, &repo, &[], &["elsewhere/deep/tool"]).check();
}

#[test]
fn a_deploy_that_prunes() {
    let sandbox = Sandbox::new();
    let options = r#", "options": { "keep": 1 }"#;
    let repo = deployed(&sandbox, options, &["one", "two", "three"]);
    write(&repo, "four");
    Scenario::new(&sandbox, &repo, &[], DESTINATIONS).check();
}

#[test]
fn the_same_content_by_another_recipe() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one"]);
    repo.manifest(&targets(r#", "options": { "ignore": ["*.none"] }"#));
    repo.commit("two");
    Scenario { is_logged: false, ..Scenario::new(&sandbox, &repo, &[], DESTINATIONS) }.check();
}

#[test]
fn destinations_that_join_a_group() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one"]);
    repo.manifest(&targets(r#", "options": { "switch": "together" }"#));
    write(&repo, "two");
    Scenario { is_together: true, ..Scenario::new(&sandbox, &repo, &[], DESTINATIONS) }.check();
}

#[test]
fn destinations_that_switch_together() {
    let sandbox = Sandbox::new();
    let repo =
        deployed(&sandbox, r#", "options": { "switch": "together" }"#, &["one", "two", "three", "four"]);
    write(&repo, "five");
    Scenario { is_together: true, ..Scenario::new(&sandbox, &repo, &[], DESTINATIONS) }.check();
}

#[test]
fn a_rollback() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two"]);
    let run = &["rollback", "-m", "it crashed"];
    Scenario { then: Some(NOTHING), ..Scenario::new(&sandbox, &repo, run, DESTINATIONS) }.check();
}

#[test]
fn a_use_of_what_was_marked_bad() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two"]);
    repo.dist(["rollback"]).success();
    Scenario::new(&sandbox, &repo, &["use", "pack", "2"], DESTINATIONS).check();
}

#[test]
fn a_reset() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two"]);
    repo.dist(["use", "tool", "1"]).success();
    repo.dist(["use", "pack", "1"]).success();
    Scenario::new(&sandbox, &repo, &["reset"], DESTINATIONS).check();
}

#[test]
fn a_version_is_deleted() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two"]);
    let run = &["delete", "pack", "1"];
    let scenario = Scenario::new(&sandbox, &repo, run, DESTINATIONS);
    Scenario { then: Some(NOTHING), is_piecemeal: true, ..scenario }.check();
}

#[test]
fn a_destination_is_deleted() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two"]);
    let run = &["delete", "-y", "pack"];
    Scenario { then: Some(NOTHING), ..Scenario::new(&sandbox, &repo, run, DESTINATIONS) }.check();
}

#[test]
fn a_prune() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one", "two", "three", "four"]);
    let scenario = Scenario::new(&sandbox, &repo, &["prune", "--keep", "1"], DESTINATIONS);
    Scenario { is_piecemeal: true, ..scenario }.check();
}

#[test]
fn a_repair() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one"]);
    for path in ["tool", "lib/pack/a"] {
        let path = sandbox.root().join(path).canonicalize().unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "damaged\n").unwrap();
    }
    let scenario = Scenario::new(&sandbox, &repo, &["verify", "--repair"], DESTINATIONS);
    Scenario { is_piecemeal: true, ..scenario }.check();
}

#[test]
fn a_command_afterwards_that_fails() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, "", &["one"]);
    write(&repo, "two");
    repo.dist_with([("DEPLOY_ROOT", sandbox.path().join("aside").to_str().unwrap())], []).success();
    repo.manifest(&targets(r#", "after": ["false"]"#));
    repo.commit("and fail");
    let scenario = Scenario::new(&sandbox, &repo, &[], DESTINATIONS);
    let meanwhile = Some(scenario.contents_in("aside"));
    Scenario { code: 3, is_piecemeal: true, meanwhile, ..scenario }.check();
}

/// The run that recovers is cut off as well.
#[test]
fn a_recovery() {
    for after in [false, true] {
        let sandbox = Sandbox::new();
        let repo = deployed(&sandbox, "", &["one"]);
        let mut scenario = Scenario::new(&sandbox, &repo, &[], DESTINATIONS);
        scenario.meanwhile = Some(scenario.contents_in("root"));
        write(&repo, "two");
        let Some(recording) = scenario.record() else { return };
        recording.killed(b"history.jsonl", after).write(sandbox.path(), WATCHED);
        // What counts already is only completed.
        scenario.is_logged = !after;
        scenario.check();
    }
}
