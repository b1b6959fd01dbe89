//! From a repository to a machine: releases, one after the other, and back.

use std::collections::BTreeSet;
use std::fs;

use super::{Market, steady};
use crate::support::tree;

#[test]
fn what_is_published_is_installed_updated_and_rolled_back() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    insta::assert_snapshot!(steady(&market.publish(&repo, &[]).snapshot()), @r#"
    exit code: 0
    ----- stdout
    ----- stderr
    published project 1 (main) to channel `stable` of [SANDBOX]/place, [SIZE] written
    it counts until [TIME]
    "#);
    insta::assert_snapshot!(steady(&market.install(&[]).snapshot()), @r#"
    exit code: 0
    ----- stdout
    create  tool  [SANDBOX]/root/bin/tool  new -> 1.[ID]
    ----- stderr
    installed stable 1 (main) below [SANDBOX]/root, [SIZE] fetched
    `git dist update --print-unit systemd` (launchd, cron) keeps it up to date
    "#);
    insta::assert_snapshot!(steady(&tree(market.sandbox.root().join("bin")).to_string()), @r#"
    644 file .tool.dist
    link tool -> versions/tool.1.[ID]
    755 dir versions
    644 file versions/.tool.1.[ID].json
    555 file versions/tool.1.[ID] = "one\n"
    "#);
    assert_eq!(market.tool(), "one");
    market.release(&repo, "two");
    insta::assert_snapshot!(steady(&market.update().snapshot()), @r#"
    exit code: 0
    ----- stdout
    create  tool  [SANDBOX]/root/bin/tool  1.[ID] -> 2.[ID]
    ----- stderr
    r2: place is at stable 2 (main), [SIZE] fetched
    "#);
    assert_eq!(market.tool(), "two");
    market.machine(&["rollback"]).success();
    assert_eq!(market.tool(), "one");
    // Who went back does not get the same release again; the next one it gets.
    insta::assert_snapshot!(steady(&market.update().snapshot()), @r#"
    exit code: 0
    ----- stdout
    ----- stderr
    place: nothing newer than stable 2 (main)
    "#);
    assert_eq!(market.tool(), "one");
    market.release(&repo, "three");
    market.update().success();
    assert_eq!(market.tool(), "three");
    insta::assert_snapshot!(steady(&tree(market.sandbox.root().join("bin")).to_string()), @r#"
    644 file .tool.dist
    link tool -> versions/tool.3.[ID]
    755 dir versions
    644 file versions/.tool.1.[ID].json
    644 file versions/.tool.2.[ID].json
    644 file versions/.tool.3.[ID].json
    555 file versions/tool.1.[ID] = "one\n"
    555 file versions/tool.2.[ID] = "two\n"
    555 file versions/tool.3.[ID] = "three\n"
    "#);
}

#[test]
fn what_was_published_is_not_published_again() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let before = tree(market.at("place"));
    let again = market.publish(&repo, &["--json"]).success().json();
    assert_eq!((&again["new"], &again["bytes"]), (&false.into(), &0.into()));
    // A commit that changes no file of a target is none to consumers.
    repo.write("README", "unpublished\n");
    repo.commit("two");
    market.publish(&repo, &[]).success().says("nothing to publish");
    assert!(tree(market.at("place")) == before);
    let forced = market.publish(&repo, &["-f", "--json"]).success().json();
    assert_eq!((&forced["new"], &forced["channel"]["sequence"]), (&true.into(), &2.into()));
}

#[test]
fn a_dry_run_writes_nothing() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &["-d"]).success().says("would have published project 1");
    assert_eq!(format!("{}", tree(market.at("place"))), "");
}

#[test]
fn history_stays_at_home() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    repo.write("secret", "password\n");
    repo.write("tool", "tool with a password\n");
    repo.commit("oops");
    repo.remove("secret");
    for number in 1..=3 {
        repo.executable("tool", format!("{number}\n"));
        repo.commit("not this one");
        repo.executable("tool", format!("{number} and a half\n"));
        repo.commit(&format!("{number}"));
        market.publish(&repo, &[]).success();
    }
    let all = market.sandbox.repo_with("all", ["--bare"]);
    for bundle in market.manifest("stable")["bundles"].as_array().unwrap() {
        let path = market.text(&format!("place/bundles/{}.bundle", bundle["sha256"].as_str().unwrap()));
        all.git(["bundle", "unbundle", &path]);
        let tag = format!("stable/{}", bundle["sequence"]);
        all.git(["fetch", "-q", &path, &format!("+refs/tags/{tag}:refs/tags/{tag}")]);
    }
    let held = all.git(["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]);
    let released = all.git(["rev-list", "--objects", "--no-object-names", "--tags"]);
    let released: BTreeSet<&str> = released.lines().collect();
    let mut commits = 0;
    for (id, kind) in held.lines().map(|line| line.split_once(' ').unwrap()) {
        // Whatever is there is part of a release.
        assert!(kind == "tag" || released.contains(id), "{kind} {id}");
        commits += usize::from(kind == "commit");
    }
    assert_eq!(commits, 3);
    for hidden in ["HEAD~1:tool", "HEAD~6:secret", "HEAD~6:tool", "HEAD"] {
        let id = repo.id(hidden);
        assert!(!held.contains(&id), "{hidden}");
    }
    // The chain: each release stands on the one before, and says which it is.
    let log = all.git(["log", "--format=%s%n%(trailers:key=Sequence)", "stable/3"]);
    assert_eq!(log.lines().filter(|line| line.starts_with("project ")).count(), 3, "{log}");
    assert!(log.contains("Sequence: 2"), "{log}");
    // Tags are signed as git signs, by the publisher's key.
    assert!(all.git(["cat-file", "tag", "stable/3"]).contains("-----BEGIN SSH SIGNATURE-----"));
}

#[test]
fn a_change_of_one_file_costs_what_it_costs_git() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    // What is of no use to a compressor.
    let mut seed = 1_u64;
    for file in 0..200 {
        let mut noise = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33).to_le_bytes()[0]
        };
        let bytes: Vec<u8> = (0..10_000).map(|_| noise()).collect();
        repo.write(format!("lib/{}/{file}", file % 10), bytes);
    }
    repo.commit("one");
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    repo.write("lib/3/13", "changed\n");
    repo.commit("two");
    market.publish(&repo, &[]).success();
    let updated = market.machine(&["update", "--now", "--json"]).success().json();
    let fetched = updated["subscriptions"][0]["bytes"].as_u64().unwrap();
    let path = market.at("by-git");
    repo.git(["bundle", "create", "-q", path.to_str().unwrap(), "main", "^main~1"]);
    let by_git = fs::metadata(path).unwrap().len();
    // The tag, its signature and the trailers of the commit are the rest: it does not grow with the release.
    assert!(fetched <= by_git + 1500, "{fetched} bytes were fetched, git would take {by_git}");
    // A new machine takes the whole one and what follows, and no more.
    let fresh = market.at("fresh");
    let mut command = market.sandbox.dist_command(&market.at("machine"));
    command.env("DEPLOY_ROOT", &fresh).args(["install", &market.text("place"), "--json", "--key"]);
    let installed = market.sandbox.run(command.arg(market.public("publisher"))).success().json();
    let sizes: u64 = market.manifest("stable")["bundles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bundle| bundle["size"].as_u64().unwrap())
        .sum();
    assert_eq!(installed["bytes"].as_u64().unwrap(), sizes);
}

#[test]
fn whole_bundles_come_now_and_then_and_the_cheapest_way_is_taken() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &["--whole-after", "3"]).success();
    market.install(&[]).success();
    for number in 2..=8 {
        repo.executable("tool", format!("{number}\n"));
        repo.commit("next");
        market.publish(&repo, &["--whole-after", "3"]).success();
    }
    let manifest = market.manifest("stable");
    let bundles = manifest["bundles"].as_array().unwrap();
    let kinds: Vec<String> = bundles
        .iter()
        .map(|it| format!("{}{}", if it["from"].is_null() { "whole " } else { "" }, it["sequence"]))
        .collect();
    // Of whole ones the last is named; steps go back further, for machines that are behind.
    assert_eq!(kinds, ["2", "3", "4", "5", "6", "whole 7", "7", "8"]);
    // One that is far behind takes the whole one where the steps are more.
    let updated = market.machine(&["update", "--now", "--json"]).success().json();
    let fetched = updated["subscriptions"][0]["bytes"].as_u64().unwrap();
    let size = |word: &str| -> u64 {
        let at = kinds.iter().position(|kind| kind == word).unwrap();
        bundles[at]["size"].as_u64().unwrap()
    };
    assert_eq!(fetched, size("whole 7") + size("8"));
    assert_eq!(market.tool(), "8");
}

#[test]
fn releases_of_a_repository_with_long_ids_are_followed() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo_with("project", ["--object-format=sha256"]);
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
    repo.executable("tool", "one\n");
    repo.commit("one");
    market.publish(&repo, &[]).success();
    assert_eq!(market.manifest("stable")["hash"], "sha256");
    market.install(&[]).success();
    market.release(&repo, "two");
    market.update().success();
    assert_eq!(market.tool(), "two");
    market.machine(&["verify"]).success();
}

#[test]
fn who_knows_a_chain_begins_no_other_one_by_accident() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    fs::remove_dir_all(market.at("place/channels")).unwrap();
    repo.executable("tool", "two\n");
    repo.commit("two");
    market.publish(&repo, &[]).code(1).says("--new-chain");
    assert!(!market.at("place/channels/stable").exists());
    market.publish(&repo, &["--new-chain"]).success();
    // Machines that know the old one are not fooled; whoever installs anew says so.
    market.update().code(1);
    assert_eq!(market.tool(), "one");
    market.install(&["--replace"]).success();
    assert_eq!(market.tool(), "two");
    market.release(&repo, "three");
}

/// What of a large release changed is what travels.
#[test]
fn an_update_is_as_large_as_what_changed() {
    let Some(market) = Market::new() else { return };
    let repo = market.sandbox.repo("project");
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
    let mut seed = 7_u64;
    let mut noise = |bytes: usize| -> Vec<u8> {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.to_be_bytes()
        };
        std::iter::repeat_with(&mut next)
            .take(bytes / 8)
            .flat_map(|eight| [eight[0], eight[1], eight[2], eight[3]])
            .collect()
    };
    // 40 MB that no compression makes smaller.
    for number in 0..40 {
        repo.write(format!("tool/{number}"), noise(2 << 20));
    }
    repo.commit("large");
    let old = repo.id("HEAD");
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    repo.write("tool/7", noise(256 << 10));
    repo.commit("one file");
    market.publish(&repo, &[]).success();
    let json = market.machine(&["update", "--now", "--json"]).success().json();
    let fetched = json["subscriptions"][0]["bytes"].as_u64().unwrap();
    repo.git(["bundle", "create", "--quiet", &market.text("bundle"), &format!("{old}..main")]);
    let bundle = fs::metadata(market.at("bundle")).unwrap().len();
    println!("{fetched} bytes were fetched, `git bundle create` makes {bundle}");
    assert!(fetched * 10 <= bundle * 12, "{fetched} {bundle}");
}
