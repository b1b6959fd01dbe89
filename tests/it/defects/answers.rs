//! Of row 20 what people say and hear: numbers, hashes, answers, targets that left, and mistakes in dist.json.

use std::fs;

use super::{deployed, target, tool};
use crate::support::{Repo, Sandbox, tree};

/// Deploys `tool` in the versions 1 to `count`.
fn versions(sandbox: &Sandbox, count: usize) -> Repo<'_> {
    let repo = tool(sandbox);
    repo.dist([]).success();
    for number in 2..=count {
        repo.write("tool", format!("{number}\n"));
        repo.commit("next");
        repo.dist([]).success();
    }
    repo
}

/// Row 20.
#[test]
fn n_minus_1_twice_goes_two_back() {
    let sandbox = Sandbox::new();
    let repo = versions(&sandbox, 4);
    repo.dist(["-n", "-1"]).success();
    assert_eq!(deployed(&sandbox, "tool"), "3\n");
    repo.dist(["-n", "-1"]).success();
    assert_eq!(deployed(&sandbox, "tool"), "2\n");
    repo.dist(["-n", "4"]).success();
    repo.dist(["-n", "-3", "-t", "tool"]).success();
    assert_eq!(deployed(&sandbox, "tool"), "one\n");
    let before = tree(sandbox.root());
    repo.dist(["-n", "-1"]).code(1).says("no earlier version");
    assert_eq!(tree(sandbox.root()), before);
}

/// Row 20.
#[test]
fn c_matches_a_commit_and_nothing_else() {
    let sandbox = Sandbox::new();
    let repo = versions(&sandbox, 3);
    let (first, second) = (repo.id("main~2"), repo.id("main~1"));
    for hash in [&first[..4], &first[..7], &first, &first.to_uppercase()[..9]] {
        repo.dist(["-n", "3"]).success();
        repo.dist(["-t", "tool", "-c", hash]).success();
        assert_eq!(sandbox.record("tool")["commit"], first.as_str());
    }
    let before = tree(sandbox.root());
    // The name in the folder has seven digits; the record knows them all.
    let another = format!("{}{}", &second[..7], &first[7..]);
    for wrong in ["beef", &another] {
        repo.dist(["-c", wrong]).code(1).says(&format!("no version `{wrong}`"));
    }
    assert_eq!(tree(sandbox.root()), before);
}

/// Row 20: outside git every hash was the right one.
#[test]
fn c_matches_nothing_outside_git() {
    let sandbox = Sandbox::new();
    let folder = sandbox.open(sandbox.path().join("folder"));
    for text in ["one\n", "two\n"] {
        folder.write("tool", text);
        folder.manifest(&target("tool"));
        folder.dist([]).success();
    }
    let before = tree(sandbox.root());
    folder.dist(["-c", "abcd"]).code(1).says("no version `abcd`");
    assert_eq!(tree(sandbox.root()), before);
    folder.dist(["-n", "1"]).success();
    assert_eq!(deployed(&sandbox, "tool"), "one\n");
}

/// Row 20, and the line on `--delete` without a target.
#[test]
fn no_means_no() {
    let sandbox = Sandbox::new();
    let repo = versions(&sandbox, 2);
    let before = tree(sandbox.root());
    for arguments in [&["--delete"][..], &["--delete", "-t", "tool"], &["delete", "tool"]] {
        for answer in ["n\n", "no\n", "\n", "nope\n", "\u{4}"] {
            let run = sandbox.dist_at_terminal(repo.path(), arguments, answer).code(1);
            assert!(
                run.stdout().contains("remove this destination with all versions?"),
                "{}",
                run.snapshot()
            );
            assert_eq!(tree(sandbox.root()), before, "{answer:?}");
        }
        // Without a terminal nobody is asked, and nothing waits.
        let mut command = sandbox.dist_command(repo.path());
        sandbox.run(command.args(arguments)).code(1).says("`-y` says yes");
        assert_eq!(tree(sandbox.root()), before);
    }
    sandbox.dist_at_terminal(repo.path(), &["--delete"], "y\n").success();
    assert!(!sandbox.root().join("tool").exists());
    assert!(!sandbox.root().join(".tool.dist").exists());
    assert_eq!(fs::read_dir(sandbox.root().join("versions")).unwrap().count(), 0);
}

/// Row 20: "will be deleted, continue?" deleted after a no.
#[test]
fn what_stands_at_a_destination_stays_after_a_no() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    fs::create_dir(sandbox.root()).unwrap();
    fs::write(sandbox.root().join("tool"), "precious\n").unwrap();
    let before = tree(sandbox.root());
    let run = sandbox.dist_at_terminal(repo.path(), &[], "n\n").code(1);
    assert!(run.stdout().contains("move aside and deploy?"), "{}", run.snapshot());
    assert_eq!(tree(sandbox.root()), before);
    sandbox.dist_at_terminal(repo.path(), &[], "y\n").success();
    assert_eq!(deployed(&sandbox, "tool"), "one\n");
    assert_eq!(deployed(&sandbox, "tool.before-r1"), "precious\n");
}

/// Row 20.
#[test]
fn an_item_that_left_the_repository_is_listed_and_pruned() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("bin/one", "one\n");
    repo.write("bin/two", "two\n");
    repo.manifest(r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/%1" }"#);
    repo.commit("one");
    repo.dist([]).success();
    repo.remove("bin/two");
    repo.commit("two");
    repo.dist([]).success();
    repo.dist(["show"]).success().prints("not in dist.json any more");
    repo.dist(["prune"]).code(1).says("`-y` says yes");
    repo.dist(["prune", "-y"]).success();
    assert!(!sandbox.root().join("two").exists());
    assert_eq!(deployed(&sandbox, "one"), "one\n");
    assert!(!repo.dist(["show"]).success().stdout().contains("/two"));
}

/// The line below the rows: keys.
#[test]
fn misspelt_keys_are_told_and_known_ones_accepted() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    let step = r#""a": { "order": 2, "func": "chmod", "options": { "mode": "755" } }"#;
    repo.manifest(&format!(
        r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/tool", "pipline": {{}}, "pipeline": {{ {step} }} }}"#
    ));
    repo.commit("one");
    let run = repo.dist([]).success().says("`pipline`").says("did you mean `pipeline`");
    assert!(!run.stderr().contains("order"), "{}", run.snapshot());
}

/// The line below the rows: what Windows editors put first.
#[test]
fn a_byte_order_mark_in_dist_json_is_accepted() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    let text = fs::read(repo.path().join("dist.json")).unwrap();
    repo.write("dist.json", [b"\xef\xbb\xbf", text.as_slice()].concat());
    repo.commit("mark");
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, "tool"), "one\n");
}
