//! Deep trees, damaged files beside versions, repositories that cannot be read: none of them stops what has nothing
//! to do with it.

use std::fs;

use super::{next, project};
use crate::support::Sandbox;

#[test]
fn versions_deeper_than_a_process_may_open_files_are_checked_and_removed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let path = format!("{}f", "top/".repeat(200));
    let manifest = br#"{ "version": 1, "targets": {
        "top": { "source": "top", "destination": "{DEPLOY_ROOT}/top" },
        "file": { "source": "dist.json", "destination": "{DEPLOY_ROOT}/file" } } }"#;
    repo.import("deep", &[("100644", path.as_bytes(), b"deep\n"), ("100644", b"dist.json", manifest)]);
    let dist = |arguments: &str| {
        let script = format!("ulimit -n 128; exec git-dist {arguments}");
        sandbox.run(sandbox.command("sh", repo.path()).args(["-c", &script]))
    };
    dist("").success();
    dist("verify").success();
    let run = dist("delete top -y").success();
    assert!(!run.stderr().contains("warning"), "{}", run.snapshot());
    let left = fs::read_dir(sandbox.root().join("versions")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("top")), "{left:?}");
}

#[test]
fn a_damaged_listing_is_a_difference_that_a_repair_takes_away() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("lib/a", "one\n");
    repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    repo.commit("first");
    repo.dist([]).success();
    let listing = sandbox.root().join(format!("versions/.{}.files", repo.version("lib", "HEAD")));
    fs::write(&listing, "nonsense\n").unwrap();
    repo.dist(["verify"]).code(4).prints("its listing is damaged");
    let json = repo.dist(["verify", "--repair", "--json"]).success().json();
    assert_eq!(json["items"][0]["differences"][0]["what"], "its listing is damaged", "{json:#}");
    repo.dist(["verify"]).success();
    fs::write(&listing, "nonsense\n").unwrap();
    repo.write("lib/a", "two\n");
    repo.commit("second");
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("lib/a")).unwrap(), "two\n");
}

#[test]
fn a_repository_that_cannot_be_read_is_no_plain_folder() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    repo.write("tool", "not committed\n");
    let config = repo.path().join(".git/config");
    let before = fs::read_to_string(&config).unwrap();
    fs::write(&config, "[core\n").unwrap();
    repo.dist([]).code(1).says("configuration");
    repo.dist(["show"]).code(1);
    fs::write(&config, before).unwrap();
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), "one\n");
    next(&repo, "two\n");
    repo.dist([]).success();
}

#[test]
fn a_folder_that_became_a_file_hides_nothing_else() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/old/tool" }"#);
    repo.commit("first");
    repo.dist([]).success();
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/new/tool" }"#);
    repo.commit("second");
    fs::remove_dir_all(sandbox.root().join("old")).unwrap();
    fs::write(sandbox.root().join("old"), "a file\n").unwrap();
    repo.dist([]).success();
    repo.dist(["show"]).success().prints("/new/tool");
    repo.dist(["log"]).success();
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/old/tool" }"#);
    repo.commit("third");
    repo.dist([]).code(1).says("Not a directory");
}

#[test]
fn a_killed_process_of_the_same_number_is_no_obstacle() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    fs::create_dir_all(sandbox.root().join(".distman")).unwrap();
    // What a process with the number of the next one, as in a container, left when it was killed.
    let meta = sandbox.root().join(".distman");
    let script = format!(
        "for n in 0 1 2 3; do for f in pending.json epoch; do : > {}/.$f.$$-$n.tmp; done; done; exec git-dist",
        meta.display()
    );
    sandbox.run(sandbox.command("sh", repo.path()).args(["-c", &script])).success();
    let left = fs::read_dir(&meta).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().ends_with(".tmp")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn two_folders_that_are_one_by_a_link_take_part_in_one_rollout() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a", "a\n");
    repo.write("b", "b\n");
    for place in [sandbox.root().to_owned(), sandbox.path().join("elsewhere")] {
        fs::create_dir_all(place.join("bin")).unwrap();
        std::os::unix::fs::symlink("bin", place.join("sbin")).unwrap();
        let place = place.display();
        repo.manifest(&format!(
            r#""a": {{ "source": "a", "destination": "{place}/bin/a" }},
               "b": {{ "source": "b", "destination": "{place}/sbin/b" }}"#
        ));
        repo.commit("next");
        repo.dist([]).success();
        assert_eq!(fs::read_to_string(format!("{place}/bin/b")).unwrap(), "b\n");
    }
}

#[test]
fn a_lost_history_takes_no_generation_away_that_is_current() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    repo.write(
        "dist.json",
        r#"{ "version": 1, "options": { "switch": "together" },
             "targets": { "tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" } } }"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    let group =
        fs::read_dir(sandbox.root().join(".distman/together")).unwrap().next().unwrap().unwrap().path();
    let current = fs::read_link(group.join("current")).unwrap();
    fs::remove_file(sandbox.root().join(".distman/history.jsonl")).unwrap();
    repo.write("tool", "two\n");
    repo.commit("second");
    repo.dist([]).success();
    assert_ne!(fs::read_link(group.join("current")).unwrap(), current);
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "two\n");
}

#[test]
fn what_a_killed_run_left_among_the_versions_is_gone_after_the_next_deploy() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.dist([]).success();
    let versions = sandbox.root().join("bin/versions");
    let names = || -> Vec<String> {
        let names = fs::read_dir(&versions).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        names
    };
    // A record and a listing whose version never became visible, and a version that was half written.
    fs::write(versions.join(".tool.9.abcdef0.json"), "{}\n").unwrap();
    fs::write(versions.join(".tool.9.abcdef0.files"), "").unwrap();
    fs::create_dir_all(versions.join(".staging-x/0/deep")).unwrap();
    fs::write(versions.join(".staging-x/0/deep/file"), "half\n").unwrap();
    // What is not git dist's own stays.
    fs::write(versions.join(".notes.json"), "mine\n").unwrap();
    let first = repo.version("tool", "HEAD");
    next(&repo, "two\n");
    repo.dist([]).success();
    let second = repo.version("tool", "HEAD");
    let left = [".notes.json".into(), format!(".{first}.json"), format!(".{second}.json"), first, second];
    assert_eq!(names(), left);
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), "two\n");
}
