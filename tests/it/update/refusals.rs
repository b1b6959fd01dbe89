//! What is not believed: it is said and logged why, and what was active stays active.

use std::fs;

use sha2::Digest as _;

use super::{forge, last_bundle};
use crate::publish::Market;
use crate::support::{Repo, tree};

/// A machine that has release 1, while release 2 is published.
fn begin(market: &Market) -> Repo<'_> {
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    market.release(&repo, "two");
    repo
}

/// An update fails, says `why` and logs it; nothing of what is deployed changes, and what is put right is taken.
#[track_caller]
fn assert_refused(market: &Market, why: &str, kind: &str) {
    let deployed = || tree(market.sandbox.root()).without(|path| path.starts_with(b".distman"));
    let before = deployed();
    market.update().code(1).says(why);
    let events = market.events();
    let (found, detail) = events.last().unwrap();
    assert_eq!(found, kind, "{detail}");
    assert!(detail.contains(why), "{detail}");
    assert!(deployed() == before, "{}", before.differences(&deployed()));
    assert!(market.state("place")["failure"].as_str().unwrap().contains(why));
}

/// Changes the manifest of release 2 and signs it again.
fn change(market: &Market, change: impl FnOnce(&mut serde_json::Value)) {
    let mut manifest = market.manifest("stable");
    change(&mut manifest);
    forge(market, &manifest, &market.text("keys/publisher"), "git-dist");
}

#[test]
fn manifests_that_are_not_signed_as_they_should_be() {
    let Some(market) = Market::new() else { return };
    begin(&market);
    let path = market.at("place/channels/stable");
    let good = fs::read(&path).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let end = text.find("-----BEGIN").unwrap();
    fs::write(&path, &text[..end]).unwrap();
    assert_refused(&market, "is not signed", "refused");
    fs::write(&path, text.replace("\"sequence\": 2", "\"sequence\": 3")).unwrap();
    assert_refused(&market, "signature", "refused");
    let other = market.new_key("other");
    let manifest = market.manifest("stable");
    forge(&market, &manifest, &other, "git-dist");
    assert_refused(&market, "does not list", "refused");
    // What somebody got the publisher to sign as something else.
    forge(&market, &manifest, &market.text("keys/publisher"), "git");
    assert_refused(&market, "signature", "refused");
    fs::write(&path, [&good[..], b"{}\n"].concat()).unwrap();
    assert_refused(&market, "something else stands behind", "refused");
    fs::write(&path, b"\0\xff garbage\n").unwrap();
    assert_refused(&market, "is not signed", "refused");
    fs::write(&path, "x".repeat(2 << 20)).unwrap();
    assert_refused(&market, "larger than", "refused");
    fs::write(&path, good).unwrap();
    market.update().success();
    assert_eq!(market.tool(), "two");
}

#[test]
fn manifests_that_lead_back_or_elsewhere() {
    let Some(market) = Market::new() else { return };
    let repo = begin(&market);
    let path = market.at("place/channels/stable");
    let good = fs::read(&path).unwrap();
    change(&market, |it| {
        it["published"] = "2020-01-01T00:00:00Z".into();
        it["expires"] = "2020-02-01T00:00:00Z".into();
    });
    assert_refused(&market, "` expired on ", "refused");
    fs::write(&path, &good).unwrap();
    change(&market, |it| it["format"] = 2.into());
    assert_refused(&market, "format 2", "refused");
    fs::write(&path, &good).unwrap();
    change(&market, |it| it["chain"] = "1".repeat(40).into());
    assert_refused(&market, "another chain of releases", "refused");
    // That of another channel, as it was signed.
    market.publish(&repo, &["--channel", "beta"]).success();
    fs::copy(market.at("place/channels/beta"), &path).unwrap();
    assert_refused(&market, "is that of channel `beta`", "refused");
    fs::write(&path, &good).unwrap();
    market.update().success();
    market.release(&repo, "three");
    market.update().success();
    // An old one, as it was signed.
    let newest = fs::read(&path).unwrap();
    fs::write(&path, &good).unwrap();
    assert_refused(&market, "older than release 3", "refused");
    fs::write(&path, newest).unwrap();
    change(&market, |it| {
        let before = it["bundles"].as_array().unwrap().last().unwrap()["from"].clone();
        it["release"]["commit"] = before.clone();
        it["bundles"].as_array_mut().unwrap().pop();
    });
    assert_refused(&market, "two releases with the number 3", "refused");
    assert_eq!(market.tool(), "three");
}

#[test]
fn bundles_that_are_not_what_was_announced() {
    let Some(market) = Market::new() else { return };
    begin(&market);
    let bundle = last_bundle(&market);
    let good = fs::read(&bundle).unwrap();
    let replace = |bytes: &[u8]| {
        fs::remove_file(&bundle).unwrap();
        fs::write(&bundle, bytes).unwrap();
    };
    replace(&[&good[..], b"more"].concat());
    assert_refused(&market, "larger than", "refused");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    replace(&flipped);
    assert_refused(&market, "SHA-256", "refused");
    replace(&good[..good.len() - 1]);
    market.update().code(1);
    assert_eq!(market.tool(), "one");
    fs::remove_file(&bundle).unwrap();
    market.update().code(1);
    assert_eq!(market.tool(), "one");
    fs::write(&bundle, &good).unwrap();
    market.update().success();
    assert_eq!(market.tool(), "two");
}

#[test]
fn bundles_with_something_else_in_them() {
    let Some(market) = Market::new() else { return };
    let repo = begin(&market);
    let good = fs::read(market.at("place/channels/stable")).unwrap();
    // Signed, announced and complete, but with a branch more.
    let with_branch = market.at("bundle");
    repo.git(["bundle", "create", "-q", with_branch.to_str().unwrap(), "main"]);
    announce(&market, &fs::read(&with_branch).unwrap());
    assert_refused(&market, "other references than the release", "refused");
    fs::write(market.at("place/channels/stable"), &good).unwrap();
    announce(&market, b"no bundle at all\n");
    assert_refused(&market, "is none", "refused");
    fs::write(market.at("place/channels/stable"), &good).unwrap();
    change(&market, |it| it["release"]["tree"] = "1".repeat(40).into());
    assert_refused(&market, "another tree", "refused");
    fs::write(market.at("place/channels/stable"), &good).unwrap();
    market.update().success();
    assert_eq!(market.tool(), "two");
}

/// Puts these bytes at the place and announces them as the last bundle.
fn announce(market: &Market, bytes: &[u8]) {
    let digest = sha2::Sha256::digest(bytes);
    let sha256 = digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    fs::write(market.at(&format!("place/bundles/{sha256}.bundle")), bytes).unwrap();
    change(market, |it| {
        let last = it["bundles"].as_array_mut().unwrap().last_mut().unwrap();
        last["sha256"] = sha256.into();
        last["size"] = bytes.len().into();
    });
}

#[test]
fn a_key_is_replaced_by_signing_with_both_for_a_while() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    let (old, new) = (market.text("keys/publisher"), market.new_key("new"));
    repo.executable("tool", "two\n");
    repo.commit("two");
    let place = market.text("place");
    repo.dist(["publish", &place, "--sign-with", &new, "--sign-with", &old]).success();
    // Who trusts either follows.
    market.update().success();
    assert_eq!(market.tool(), "two");
    let public = market.public("new");
    market.machine(&["install", &place, "--name", "anew", "--key", &public]).success();
    repo.executable("tool", "three\n");
    repo.commit("three");
    repo.dist(["publish", &place, "--sign-with", &new]).success();
    market.machine(&["update", "--now", "place"]).code(1).says("does not list");
    market.machine(&["update", "--now", "anew"]).success();
    assert_eq!(market.tool(), "three");
}

#[test]
fn minisign_needs_no_program_on_machines() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    let (secret, public) = (market.text("keys/mini"), market.text("keys/mini.pub"));
    let mut command = market.sandbox.command("minisign", market.sandbox.path());
    command.args(["-G", "-W", "-q", "-s", &secret, "-p", &public]);
    if command.output().is_err() {
        crate::support::skipped("there is no minisign; `apt-get install minisign` lets this test run");
        return;
    }
    market.sandbox.run(command.arg("-f")).success();
    let place = market.text("place");
    let publish = || repo.dist(["publish", &place, "--sign-with", &secret]);
    publish().success();
    // All that is left of the PATH is git.
    let bin = market.at("only-git");
    fs::create_dir(&bin).unwrap();
    let git = std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|folder| folder.join("git"))
        .find(|path| path.exists())
        .unwrap();
    std::os::unix::fs::symlink(git, bin.join("git")).unwrap();
    let machine = |arguments: &[&str]| {
        let mut command = market.sandbox.dist_command(&market.at("machine"));
        market.sandbox.run(command.env("PATH", &bin).args(arguments))
    };
    machine(&["install", &place, "--key", &public]).success();
    repo.executable("tool", "two\n");
    repo.commit("two");
    publish().success();
    machine(&["update", "--now"]).success();
    assert_eq!(market.tool(), "two");
    let path = market.at("place/channels/stable");
    let text = fs::read_to_string(&path).unwrap().replace("\"sequence\": 2", "\"sequence\": 3");
    fs::write(&path, text).unwrap();
    machine(&["update", "--now"]).code(1).says("may not sign");
}
