//! When upstreams are asked, and who says so.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::publish::Market;
use crate::support::{Run, skipped, tree};

/// A machine with release 1, while release 2 is published.
fn begin() -> Option<Market> {
    let market = Market::new()?;
    let repo = market.project();
    market.publish(&repo, &[]).success();
    market.install(&[]).success();
    market.release(&repo, "two");
    Some(market)
}

#[test]
fn nobody_is_asked_before_the_time_has_come() {
    let Some(market) = begin() else { return };
    // Whoever asked would find nobody there.
    fs::rename(market.at("place"), market.at("away")).unwrap();
    market.machine(&["update"]).success().says("the next check is due in");
    market.machine(&["update", "--offline"]).success();
    market.update().code(1).says("there is no such directory");
    assert_eq!(market.state("place")["failures"], 1);
    // After a failure it is not asked again at once either.
    market.machine(&["update"]).success().says("the next check is due in");
    assert_eq!(market.state("place")["failures"], 1);
    fs::rename(market.at("away"), market.at("place")).unwrap();
    assert_eq!(market.tool(), "one");
    let json = market.machine(&["update", "--now", "--json"]).success().json();
    assert_eq!(json["subscriptions"][0]["outcome"], "updated");
    assert_eq!(market.state("place")["failures"], 0);
    assert_eq!(market.tool(), "two");
}

#[test]
fn looking_changes_nothing() {
    let Some(market) = begin() else { return };
    let look = || tree(market.sandbox.root()).without(|path| path.starts_with(b".distman/events"));
    let before = look();
    market.machine(&["update", "--check"]).code(10).prints("stable 2 (main)");
    market.machine(&["update", "-d"]).code(10);
    let json = market.machine(&["update", "--check", "--json"]).code(10).json();
    assert_eq!(json["subscriptions"][0]["outcome"], "available");
    assert!(look() == before, "{}", before.differences(&look()));
    market.update().success();
    market.machine(&["update", "--check"]).success();
}

#[test]
fn without_a_network_nobody_is_asked() {
    let Some(market) = begin() else { return };
    fs::rename(market.at("place"), market.at("away")).unwrap();
    let run = |value: &str, more: &[&str]| -> Run {
        let mut command = market.sandbox.dist_command(&market.at("machine"));
        market.sandbox.run(command.env("GIT_DIST_OFFLINE", value).arg("update").args(more))
    };
    run("1", &["--now"]).success().says("no network is to be used");
    run("1", &["--check"]).success().says("no network is to be used");
    run("0", &["--now"]).code(1);
    run("", &["--now"]).code(1);
}

#[test]
fn what_no_upstream_answered_for_too_long_is_told() {
    let Some(market) = begin() else { return };
    market.machine(&["update", "--max-stale", "1h"]).success();
    let state = market.sandbox.root().join(".distman/updates/place/state.json");
    let mut json: serde_json::Value = serde_json::from_slice(&fs::read(&state).unwrap()).unwrap();
    json["succeeded"] = "2026-01-01T00:00:00Z".into();
    fs::write(&state, json.to_string()).unwrap();
    market.machine(&["update"]).success().says("no upstream answered for");
    market.machine(&["update", "--fail-when-stale"]).code(1).says("no upstream answered for");
    market.machine(&["update", "--now", "--fail-when-stale"]).success();
}

#[test]
fn a_time_between_checks_is_remembered() {
    let Some(market) = begin() else { return };
    market.machine(&["update", "--now", "--ttl", "2h"]).success();
    let state = market.state("place");
    let time = |key: &str| state[key].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let wait = (time("next") - time("checked")).num_minutes();
    assert!((107..=133).contains(&wait), "{wait}");
    market.update().success();
    let saved = market.sandbox.root().join(".distman/updates/place/subscription.json");
    assert!(fs::read_to_string(saved).unwrap().contains("7200"));
}

#[test]
fn a_wrong_clock_puts_nothing_off_and_lets_nothing_old_in() {
    let Some(market) = begin() else { return };
    let at = |date: &str, arguments: &[&str]| {
        let mut command = market.sandbox.command("faketime", &market.at("machine"));
        command.args([date, env!("CARGO_BIN_EXE_git-dist")]).args(arguments);
        market.sandbox.run(&mut command)
    };
    if market.sandbox.command("faketime", market.sandbox.path()).arg("--version").output().is_err() {
        skipped("there is no faketime; `apt-get install faketime` lets this test run");
        return;
    }
    // A year ahead, the release has expired; the check that is due in the future is not waited for.
    at("+400 days", &["update", "--now"]).code(1).says("expired");
    market.machine(&["update"]).success();
    assert_eq!(market.tool(), "two");
    // A clock that stands in the past does not make what is published look as if it came from the future.
    at("2001-01-01 00:00:00", &["update", "--now"]).success().says("nothing new");
}

#[test]
fn two_at_once_do_not_get_in_each_others_way() {
    let Some(market) = begin() else { return };
    // The lock as another process holds it: a child that this test started and that ends with it.
    let lock = market.sandbox.root().join(".distman/updates/place/lock");
    let mut command = market.sandbox.command("flock", market.sandbox.path());
    command.arg("--exclusive").arg(&lock).args(["sh", "-c", "echo held; read end"]);
    let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "held\n");
    market.update().success().says("another process is at it");
    assert_eq!(market.tool(), "one");
    drop(holder.stdin.take());
    holder.wait().unwrap();
    market.update().success();
    assert_eq!(market.tool(), "two");
}

#[test]
fn figures_are_written_for_the_node_exporter() {
    let Some(market) = begin() else { return };
    let path = market.text("figures.prom");
    market.machine(&["update", "--now", "--metrics", &path]).success();
    let text = fs::read_to_string(&path).unwrap();
    let root = market.sandbox.root().to_str().unwrap().to_owned();
    for (name, value) in [("failures", "0"), ("bad_releases", "0"), ("active_sequence", "2")] {
        let line = format!("git_dist_update_{name}{{root=\"{root}\",target=\"place\"}} {value}\n");
        assert!(text.contains(&line), "{line}\n{text}");
    }
    fs::rename(market.at("place"), market.at("away")).unwrap();
    market.machine(&["update", "--now", "--metrics", &path]).code(1);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("target=\"place\"} 1\n"), "{text}");
}

#[test]
fn units_say_what_their_readers_understand() {
    let Some(market) = begin() else { return };
    let print = |kind: &str| {
        let run = market.machine(&["update", "--print-unit", kind]).success();
        run.raw_stdout().to_owned()
    };
    let systemd = print("systemd");
    let (service, timer) = systemd.split_once("\n\n# ~/.config/systemd/user/git-dist-update.timer").unwrap();
    for (name, text) in [("service", service), ("timer", timer)] {
        fs::write(market.at(&format!("git-dist-update.{name}")), format!("{text}\n")).unwrap();
    }
    let mut verify = market.sandbox.command("systemd-analyze", market.sandbox.path());
    verify.args(["verify", "--user", "--man=no", "./git-dist-update.service", "./git-dist-update.timer"]);
    if let Ok(output) = verify.output() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!said.contains("git-dist-update"), "{said}");
    }
    let plist = market.text("unit.plist");
    fs::write(&plist, print("launchd")).unwrap();
    let mut read = market.sandbox.command("python3", market.sandbox.path());
    let code = "import plistlib, sys; print(plistlib.load(open(sys.argv[1], 'rb'))['ProgramArguments'][1])";
    let said = market.sandbox.run(read.args(["-c", code, &plist])).success();
    assert_eq!(said.raw_stdout(), "update\n");
    // The line of a crontab: five fields of time, and what a shell runs.
    let cron = print("cron");
    let line = cron.trim().splitn(6, ' ').nth(5).unwrap().replace("\\%", "%");
    let mut shell = market.sandbox.command("sh", market.sandbox.path());
    market.sandbox.run(shell.env_remove("DEPLOY_ROOT").args(["-c", &format!("{line} --now")])).success();
    assert_eq!(market.tool(), "two");
}
