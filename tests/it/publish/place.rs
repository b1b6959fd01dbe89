//! What is at a place: listed, signed again, tidied up.

use std::fs;

use super::Market;
use crate::support::tree;

#[test]
fn channels_are_listed_with_who_signed_them() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &["--list"]).success().says("nothing is published there");
    market.publish(&repo, &[]).success();
    market.publish(&repo, &["--channel", "beta"]).success();
    let key = market.text("keys/publisher.pub");
    let text = market.publish(&repo, &["--list", "--key", &key]).success().stdout().to_owned();
    assert!(text.lines().count() == 2 && text.contains("beta") && text.contains("project 1"), "{text}");
    let json = market.publish(&repo, &["--list", "--key", &key, "--json"]).success().json();
    assert_eq!(json["channels"][1]["channel"]["channel"], "stable");
    assert_eq!(json["channels"][1]["signature"]["format"], "ssh");
    market.new_key("other");
    let other = market.text("keys/other.pub");
    let json = market.publish(&repo, &["--list", "--key", &other, "--json"]).success().json();
    let error = json["channels"][0]["error"].as_str().unwrap();
    assert!(error.contains("does not list"), "{error}");
}

#[test]
fn a_release_is_signed_again_and_stays_what_it_is() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &["--refresh"]).code(1).says("there is no channel `stable`");
    market.publish(&repo, &["--expires", "1day"]).success();
    market.install(&[]).success();
    let (before, bundles) = (market.manifest("stable"), tree(market.at("place/bundles")));
    let json = market.publish(&repo, &["--refresh", "--expires", "30days", "--json"]).success().json();
    assert_eq!(json["new"], false);
    let after = market.manifest("stable");
    assert!(before["expires"].as_str() < after["expires"].as_str());
    for same in ["sequence", "chain", "release", "bundles"] {
        assert_eq!(before[same], after[same]);
    }
    assert!(tree(market.at("place/bundles")) == bundles);
    market.update().success().says("nothing new");
}

#[test]
fn only_old_bundles_that_nobody_names_are_removed() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.publish(&repo, &["--channel", "beta"]).success();
    // What somebody who publishes right now has written, and what somebody who was killed left.
    let [young, old] = ["1", "2"].map(|digit| format!("{}.bundle", digit.repeat(64)));
    for name in [&young, &old] {
        fs::write(market.at(&format!("place/bundles/{name}")), "bundle").unwrap();
    }
    let named: Vec<String> = market.bundles().into_iter().filter(|it| *it != young && *it != old).collect();
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_hours(48);
    for name in named.iter().chain([&old]) {
        let file = fs::File::open(market.at(&format!("place/bundles/{name}"))).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    market.publish(&repo, &["--prune", "-d"]).success().says("would remove 1 bundle");
    assert!(market.bundles().contains(&old));
    let json = market.publish(&repo, &["--prune", "--json"]).success().json();
    assert_eq!((&json["bundles"], &json["bytes"]), (&1.into(), &6.into()));
    let left = market.bundles();
    assert!(left.contains(&young) && !left.contains(&old), "{left:?}");
    assert!(named.iter().all(|name| left.contains(name)), "{left:?}");
}

#[test]
fn where_a_manifest_does_not_count_nothing_is_removed() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    fs::write(market.at("place/channels/beta"), "{}\n").unwrap();
    let before = tree(market.at("place"));
    market.publish(&repo, &["--prune"]).code(1);
    assert!(tree(market.at("place")) == before);
}

#[test]
fn what_is_there_must_be_signed_by_who_publishes() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let before = tree(market.at("place"));
    let other = market.new_key("other");
    let place = market.text("place");
    repo.executable("tool", "two\n");
    repo.commit("two");
    repo.dist(["publish", &place, "--sign-with", &other]).code(1).says("does not list");
    repo.dist(["publish", &place]).code(2).says("nothing says with which key");
    repo.dist(["publish", &place, "--sign-with", &other, "--channel", "../x"]).code(2);
    assert!(tree(market.at("place")) == before);
}

#[test]
fn of_those_who_publish_at_once_nobody_is_lost() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let clones: Vec<_> = (0..4).map(|number| repo.clone_to(&format!("clone-{number}"), [])).collect();
    let place = market.text("place");
    let key = market.text("keys/publisher");
    let mut published = std::collections::BTreeSet::new();
    for round in 0..3 {
        let mut running = Vec::new();
        for (number, clone) in clones.iter().enumerate() {
            clone.write("tool", format!("{number} {round}\n"));
            clone.commit("next");
            let mut command = market.sandbox.dist_command(clone.path());
            command.args(["publish", &place, "--sign-with", &key, "--json", "--worktree"]);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
            running.push(command.spawn().unwrap());
        }
        for child in running {
            let output = child.wait_with_output().unwrap();
            if output.status.success() {
                let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
                assert_eq!(json["new"], true);
                let release = &json["channel"]["release"]["commit"];
                assert!(published.insert(release.as_str().unwrap().to_owned()));
            } else {
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(said.contains("somebody else published to channel `stable` meanwhile"), "{said}");
            }
        }
    }
    // Whoever was told that it went well stands in the chain, and nobody else does.
    let manifest = market.manifest("stable");
    assert!(published.len() >= 3);
    assert_eq!(manifest["sequence"], published.len() + 1);
    let steps = manifest["bundles"].as_array().unwrap().iter();
    let steps: std::collections::BTreeSet<String> =
        steps.filter(|it| !it["from"].is_null()).map(|it| it["to"].as_str().unwrap().to_owned()).collect();
    assert_eq!(steps, published);
    market.install(&[]).success();
}
