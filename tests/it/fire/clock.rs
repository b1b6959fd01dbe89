//! Clocks that are wrong, or were set back.

use std::fs;

use super::{assert_tidy, commit};
use crate::support::{Sandbox, skipped};

fn epoch(sandbox: &Sandbox) -> i64 {
    fs::read_to_string(sandbox.root().join(".distman/epoch")).unwrap().trim().parse().unwrap()
}

/// Every change makes the stamp grow, rollouts are in the order in which they happened, and `rollback` goes by that.
#[test]
fn time_may_stand_anywhere_and_go_back() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let mut last = 0;
    for (number, date) in
        ["2026-01-01", "2100-06-01", "1970-01-02", "2037-12-31", "1999-01-01"].iter().enumerate()
    {
        commit(&repo, 2, &format!("{number}"), "");
        let mut command = sandbox.command("faketime", repo.path());
        command.args([&format!("{date} 12:00:00"), env!("CARGO_BIN_EXE_git-dist")]);
        if command.output().is_err() {
            return skipped("there is no faketime; `apt-get install faketime` lets this test run");
        }
        let line = &sandbox.history()[number];
        assert_eq!(line["number"], number + 1);
        assert!(line["time"].as_str().unwrap().starts_with(date), "{line}");
        assert!(epoch(&sandbox) > last, "{date}");
        last = epoch(&sandbox);
        assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), number.to_string());
    }
    repo.dist(["verify", "--all"]).success();
    repo.dist(["log"]).success();
    for expected in ["3", "2", "1"] {
        repo.dist(["rollback", "tool"]).success();
        assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), expected);
        assert!(epoch(&sandbox) > last);
        last = epoch(&sandbox);
    }
    repo.dist(["reset", "tool"]).success();
    assert_tidy(&sandbox);
}

/// The same without a program that sets clocks: what is on disk is from the future.
#[test]
fn what_is_from_the_future_is_before_what_comes_now() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for number in 0..3 {
        commit(&repo, 2, &format!("{number}"), "");
        repo.dist([]).success();
        let meta = sandbox.root().join(".distman");
        let future = 4_000_000_000_000_000_000_i64 + number;
        fs::write(meta.join("epoch"), format!("{future}\n")).unwrap();
        let history = fs::read_to_string(meta.join("history.jsonl")).unwrap();
        let (first, rest) = history.split_once(r#""time":"2"#).unwrap();
        fs::write(meta.join("history.jsonl"), format!(r#"{first}"time":"3{rest}"#)).unwrap();
    }
    let before = epoch(&sandbox);
    repo.dist(["rollback"]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "1");
    assert_eq!(epoch(&sandbox), before + 1);
    repo.dist(["rollback"]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "0");
    assert_eq!(epoch(&sandbox), before + 2);
}
