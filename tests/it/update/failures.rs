//! Releases that fail here: what was active is active again, and the release is not tried twice.

use std::fs;

use crate::publish::Market;
use crate::support::Repo;

/// A project whose target checks its version by running it.
fn checked<'m>(market: &'m Market, step: &str) -> Repo<'m> {
    let repo = market.sandbox.repo("project");
    let command = match step {
        "verify" => "sh {staged}",
        _ => "sh {DEPLOY_ROOT}/bin/tool",
    };
    repo.manifest(&format!(
        r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/bin/tool", "{step}": "{command}" }}"#
    ));
    repo.executable("tool", "exit 0\n");
    repo.commit("good");
    repo
}

fn bad_release_goes_back(step: &str) {
    let Some(market) = Market::new() else { return };
    let repo = checked(&market, step);
    market.publish(&repo, &[]).success();
    // Whoever publishes runs no programs here unless somebody here says so.
    market.install(&[]).code(1).says("--allow-commands");
    assert!(!market.sandbox.root().join("bin/tool").exists());
    market.install(&["--allow-commands"]).success();
    market.release(&repo, "echo broken on purpose >&2; exit 3");
    market.update().code(1).says("is not tried again");
    assert_eq!(market.tool(), "exit 0");
    let (kind, why) = market.events().pop().unwrap();
    assert!(kind == "bad" && why.contains("exit"), "{kind}: {why}");
    let bad = market.state("place")["bad"].as_object().unwrap().clone();
    assert_eq!(bad.len(), 1);
    // It is remembered, whether it is asked for now or in a day.
    let rollouts = market.sandbox.history().len();
    market.update().success().says("failed before");
    assert_eq!((market.tool().as_str(), market.sandbox.history().len()), ("exit 0", rollouts));
    // Somebody insists.
    market.machine(&["update", "-f"]).code(1);
    assert_eq!(market.tool(), "exit 0");
    // The next release is tried like any other.
    market.release(&repo, "exit 0 # repaired");
    market.update().success();
    assert_eq!(market.tool(), "exit 0 # repaired");
}

#[test]
fn a_release_that_fails_its_verify_is_not_tried_again() {
    bad_release_goes_back("verify");
}

#[test]
fn a_release_that_fails_its_after_is_not_tried_again() {
    bad_release_goes_back("after");
}

#[test]
fn nothing_is_written_outside_of_the_root_unless_somebody_says_so() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    let outside = market.at("outside");
    repo.manifest(&format!(
        r#""tool": {{ "source": "tool", "destination": "{}/tool" }}"#,
        outside.to_str().unwrap()
    ));
    repo.write("tool", "one\n");
    repo.commit("one");
    market.publish(&repo, &[]).success();
    market.install(&[]).code(1).says("outside");
    assert!(!outside.exists());
    // What could not be installed is not followed.
    market.machine(&["update"]).code(2).says("nothing here comes from elsewhere");
    market.install(&["--root", outside.to_str().unwrap()]).success();
    assert_eq!(fs::read_to_string(outside.join("tool")).unwrap(), "one\n");
}

#[test]
fn whoever_is_killed_anywhere_goes_on_from_there() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    market.release(&repo, "two");
    let (start, acts) = (market.at("start"), market.at("acts"));
    let root = market.sandbox.root().to_owned();
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let _ = fs::remove_dir_all(to);
        let mut command = market.sandbox.command("cp", market.sandbox.path());
        market.sandbox.run(command.arg("-a").args([from, to])).success();
    };
    copy(&root, &start);
    let update = |fault: &str| {
        let mut command = market.sandbox.dist_command(&market.at("machine"));
        command.env("GIT_DIST_FAULT", fault).env("GIT_DIST_ACTS", &acts).args([
            "update",
            "--now",
            "--no-sync",
        ]);
        market.sandbox.run(&mut command)
    };
    update("").success();
    let count = fs::read_to_string(&acts).unwrap().lines().count();
    assert!(count > 20, "{count} acts");
    let all = std::env::var_os("GIT_DIST_TEST_FAULTS").is_some();
    for number in (1..=count).filter(|number| all || number % 4 == 1) {
        let faults = ["KILL", "ENOSPC", "EIO", "EACCES"];
        let some = if all { &faults[..] } else { &faults[number / 4 % 4..][..1] };
        for fault in some {
            copy(&start, &root);
            let run = update(&format!("{number}:{fault}"));
            // The old one or the new one, and no mixture of them.
            let seen = market.tool();
            assert!(seen == "one" || seen == "two", "{number}:{fault}: {seen:?}\n{}", run.snapshot());
            market.update().success();
            assert_eq!(market.tool(), "two", "{number}:{fault}");
            market.machine(&["verify"]).success();
        }
    }
}

#[test]
fn an_installation_that_is_killed_while_it_is_taken_back_leaves_nothing_that_looks_whole() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.new_key("other");
    let (acts, place, other) = (market.at("acts"), market.text("place"), market.text("keys/other.pub"));
    let install = |fault: &str| {
        let mut command = market.sandbox.dist_command(&market.at("machine"));
        command.env("GIT_DIST_FAULT", fault).env("GIT_DIST_ACTS", &acts);
        // Whose key it is not, so that it fails.
        market.sandbox.run(command.args(["install", &place, "--name", "tool", "--key", &other, "--no-sync"]))
    };
    install("").code(1);
    let count = fs::read_to_string(&acts).unwrap().lines().count();
    for number in 1..=count {
        let _ = fs::remove_dir_all(market.sandbox.root());
        install(&format!("{number}:KILL"));
        let update = market.update();
        let half = "nothing says who may sign";
        assert!(!update.stderr().contains(half), "{number}: {}", update.snapshot());
        // It is no obstacle to the right one.
        market.install(&["--name", "tool", "--replace"]).success();
        assert_eq!(market.tool(), "one");
    }
}
