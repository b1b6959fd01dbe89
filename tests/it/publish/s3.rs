//! Publishing to a bucket, and following what is published there, as people do: with programs and keys.

use std::collections::BTreeSet;
use std::sync::Barrier;

use super::Market;
use crate::remote::s3::Moto;
use crate::support::{HttpServer, Misbehaviour, Run};

const BUCKET: &str = "s3://bucket/releases";

/// `git dist` in `folder` with these variables.
fn dist(market: &Market, folder: &str, settings: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = market.sandbox.dist_command(&market.at(folder));
    market.sandbox.run(command.envs(settings.iter().copied()).args(arguments))
}

#[test]
fn a_bucket_is_published_to_and_followed_by_who_may_only_read() {
    let (Some(moto), Some(market)) = (Moto::start(), Market::new()) else { return };
    let repo = market.project();
    let (secret, public) = (market.text("keys/publisher"), market.text("keys/publisher.pub"));
    let publish = |more: &[&str]| {
        let arguments = [&["publish", BUCKET, "--sign-with", &secret][..], more].concat();
        dist(&market, "project", &moto.settings(), &arguments)
    };
    publish(&[]).success();
    // Machines may get objects and nothing else, so they list none.
    let machine = |arguments: &[&str]| dist(&market, "machine", &moto.reading(), arguments);
    machine(&["install", BUCKET, "--name", "tool", "--key", &public]).success();
    assert_eq!(market.tool(), "one");
    machine(&["update", "--now"]).success().says("nothing newer");
    for text in ["two", "three"] {
        repo.executable("tool", format!("{text}\n"));
        repo.commit(text);
        publish(&[]).success();
    }
    machine(&["update", "--check"]).code(10);
    machine(&["update", "--now"]).success();
    assert_eq!(market.tool(), "three");
    publish(&["--list"]).success().prints("project 3");
    publish(&["--prune"]).success();
    publish(&["--refresh"]).success();
    machine(&["update", "--now"]).success().says("nothing newer");
    // Whoever may only read cannot publish.
    repo.executable("tool", "four\n");
    repo.commit("four");
    let arguments = ["publish", BUCKET, "--sign-with", &secret];
    dist(&market, "project", &moto.reading(), &arguments).code(1);
    machine(&["update", "--now"]).success().says("nothing newer");
}

#[test]
fn wrong_keys_are_an_error_and_change_nothing() {
    let (Some(moto), Some(market)) = (Moto::start(), Market::new()) else { return };
    market.project();
    let secret = market.text("keys/publisher");
    let publish = ["publish", BUCKET, "--sign-with", &secret];
    let wrong = moto.settings_with("AKIAWRONG", "hunter2hunter2");
    let denied = dist(&market, "project", &wrong, &publish).code(1).says("AWS_ACCESS_KEY_ID");
    assert!(!denied.stderr().contains("hunter2"), "{}", denied.stderr());
    dist(&market, "project", &moto.settings(), &publish).success();
    let public = market.text("keys/publisher.pub");
    let install = ["install", BUCKET, "--name", "tool", "--key", &public];
    dist(&market, "machine", &wrong, &install).code(1).says("AWS_ACCESS_KEY_ID");
    assert!(!market.sandbox.root().join("bin").exists());
    dist(&market, "machine", &moto.reading(), &install).success();
    // No falling back to what is there: who is denied something learns of it.
    dist(&market, "machine", &wrong, &["update", "--now"]).code(1).says("AWS_ACCESS_KEY_ID");
    assert_eq!(market.events().last().unwrap().0, "refused");
    assert_eq!(market.tool(), "one");
}

#[test]
fn a_store_that_heeds_no_conditions_is_for_a_single_writer() {
    let Some(market) = Market::new() else { return };
    market.project();
    let server = HttpServer::start();
    server.misbehave("/", Misbehaviour::IgnoreConditions);
    let url = server.url();
    let settings = [
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let secret = market.text("keys/publisher");
    let publish = ["publish", BUCKET, "--sign-with", &secret];
    dist(&market, "project", &settings, &publish).code(1).says("--single-writer");
    assert!(server.object("/bucket/releases/channels/stable").is_none());
    let alone = [&publish[..], &["--single-writer"]].concat();
    dist(&market, "project", &settings, &alone).success();
    let install = ["install", BUCKET, "--name", "tool", "--key", &market.text("keys/publisher.pub")];
    dist(&market, "machine", &settings, &install).success();
    assert_eq!(market.tool(), "one");
}

/// Publishers, and rounds in which all of them publish at once. `GIT_DIST_TEST_FLEET=all` is what the largest houses do.
fn size() -> (usize, usize) {
    if std::env::var("GIT_DIST_TEST_FLEET").is_ok_and(|size| size == "all") { (16, 30) } else { (4, 3) }
}

#[test]
fn of_many_who_publish_at_once_none_is_lost() {
    let (Some(moto), Some(market)) = (Moto::start(), Market::new()) else { return };
    let (publishers, rounds) = size();
    let folders: Vec<String> = (0..publishers).map(|number| format!("clone-{number}")).collect();
    for folder in &folders {
        let repo = market.sandbox.repo(folder);
        repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
        repo.executable("tool", format!("{folder}\n"));
        repo.commit("first");
    }
    let secret = market.text("keys/publisher");
    let barrier = Barrier::new(publishers);
    let publish = |folder: &str| {
        let mut runs = Vec::new();
        for round in 0..rounds {
            std::fs::write(market.at(&format!("{folder}/tool")), format!("{folder} {round}\n")).unwrap();
            let commit = ["commit", "--quiet", "--all", "--message", "next"];
            let mut git = market.sandbox.command("git", &market.at(folder));
            market.sandbox.run(git.args(commit)).success();
            barrier.wait();
            let arguments = ["publish", BUCKET, "--json", "--name", "tool", "--sign-with", &secret];
            runs.push((format!("{folder} {round}"), dist(&market, folder, &moto.settings(), &arguments)));
        }
        runs
    };
    let runs: Vec<(String, Run)> = std::thread::scope(|scope| {
        let all: Vec<_> = folders.iter().map(|folder| scope.spawn(|| publish(folder))).collect();
        all.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
    });
    let (mut published, mut newest) = (Vec::new(), (0, String::new()));
    for (text, run) in runs {
        if run.code == Some(0) {
            let json = run.json();
            assert_eq!(json["new"], true, "{json}");
            let number = json["channel"]["sequence"].as_u64().unwrap();
            published.push(number);
            newest = newest.max((number, text));
        } else {
            run.code(1).says("somebody else published");
        }
    }
    // Somebody wins each round, and each that was told so has a number of its own: none took another's place.
    let numbers: BTreeSet<u64> = published.iter().copied().collect();
    assert!(published.len() >= rounds && numbers.len() == published.len(), "{published:?}");
    assert_eq!(numbers, (1..=published.len() as u64).collect());
    println!("{} of {} releases were published", published.len(), publishers * rounds);
    let install = ["install", BUCKET, "--name", "tool", "--key", &market.text("keys/publisher.pub")];
    let last = format!("stable {} ", published.len());
    dist(&market, "machine", &moto.reading(), &install).success().says(&last);
    assert_eq!(market.tool(), newest.1);
}
