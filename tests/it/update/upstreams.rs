//! Targets that come from elsewhere: git repositories, and places that a dist.json of one's own names.

use std::fs;

use crate::publish::Market;
use crate::support::HttpServer;

#[test]
fn a_branch_a_pattern_and_a_requirement_are_followed() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    let url = format!("git+file://{}", repo.path().display());
    market.machine(&["install", &url, "--name", "branch"]).success();
    assert_eq!(market.tool(), "one");
    let tag = |text: &str, tag: &str| {
        repo.executable("tool", format!("{text}\n"));
        repo.commit(text);
        repo.git(["tag", tag]);
    };
    tag("1.9", "v1.9");
    tag("1.10", "v1.10");
    tag("2.0", "v2.0.0");
    tag("rc", "v3.0.0-rc1");
    market.update().success();
    assert_eq!(market.tool(), "rc");
    let install = |track: &str| {
        let mut command = market.sandbox.dist_command(&market.at("machine"));
        let root = market.at(&format!("root-{}", track.len()));
        command.env("DEPLOY_ROOT", &root).args(["install", &url, "--track", track, "--name", "x"]);
        market.sandbox.run(&mut command).success();
        fs::read_to_string(root.join("bin/tool")).unwrap()
    };
    assert_eq!(install("v*"), "2.0\n");
    assert_eq!(install("^1.2"), "1.10\n");
    market.machine(&["install", &url, "--track", "w*", "--name", "none"]).code(1).says("no branch, tag");
}

#[test]
fn history_that_was_rewritten_is_followed() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    let url = format!("git+file://{}", repo.path().display());
    market.machine(&["install", &url, "--name", "tool"]).success();
    repo.executable("tool", "other\n");
    repo.git(["commit", "-q", "-a", "--amend", "-m", "rewritten"]);
    market.update().success();
    assert_eq!(market.tool(), "other");
}

#[test]
fn a_target_of_an_own_manifest_takes_content_from_elsewhere() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let own = market.sandbox.repo("own");
    own.manifest(&format!(
        r#""mine": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/mine/tool",
            "options": {{ "from": "{}", "channel": "stable" }} }}"#,
        market.text("place")
    ));
    own.write("other", "other\n");
    own.commit("own");
    // Nobody said who may sign.
    own.dist(["update"]).code(1);
    assert!(!market.sandbox.root().join("mine").exists());
    let signers = market.home_file("signers", &format!("tess@example.org {}\n", market.public("publisher")));
    own.git(["config", "--global", "dist.allowedSigners", &signers]);
    own.dist(["update", "--now"]).success();
    let tool = market.sandbox.root().join("mine/tool");
    assert_eq!(fs::read_to_string(&tool).unwrap(), "one\n");
    market.release(&repo, "two");
    own.dist(["update", "--now", "mine"]).success();
    assert_eq!(fs::read_to_string(&tool).unwrap(), "two\n");
    own.dist(["rollback", "mine"]).success();
    assert_eq!(fs::read_to_string(&tool).unwrap(), "one\n");
    own.dist(["update", "other"]).code(2).says("does not come from elsewhere");
}

#[test]
fn nobody_is_ever_asked_for_a_password() {
    let Some(market) = Market::new() else { return };
    let server = HttpServer::start();
    server.demand("Basic nobody");
    // At a terminal, where git would ask.
    let url = format!("git+{}/x.git", server.url());
    let run = market.sandbox.dist_at_terminal(&market.at("machine"), &["install", &url, "--name", "x"], "");
    run.code(1).prints("error:");
}

#[test]
fn what_must_be_signed_is_not_taken_unsigned() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.manifest(
        r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool", "options": { "require_signed": true } }"#,
    );
    repo.executable("tool", "one\n");
    repo.commit("one");
    let signers = market.home_file("signers", &format!("tess@example.org {}\n", market.public("publisher")));
    repo.git(["config", "--global", "gpg.ssh.allowedSignersFile", &signers]);
    repo.git(["config", "gpg.format", "ssh"]);
    repo.git(["config", "user.signingKey", &market.text("keys/publisher.pub")]);
    let url = format!("git+file://{}", repo.path().display());
    market.machine(&["install", &url, "--name", "tool"]).code(1).says("not signed");
    repo.git(["commit", "-q", "--amend", "--no-edit", "-S"]);
    market.machine(&["install", &url, "--name", "tool"]).success();
    repo.executable("tool", "two\n");
    repo.commit("two");
    market.update().code(1).says("not signed");
    assert_eq!(market.events().last().unwrap().0, "refused");
    assert_eq!(market.tool(), "one");
}
