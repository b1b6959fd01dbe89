//! Names and texts that would drive a terminal, or pass for what git dist says.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Run, Sandbox};

/// What must not come out as it is: escape, bell, a C1 control, a mark that turns text around, a carriage return.
const RAW: [char; 5] = ['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\r'];

/// All of them in one text, with a line that tries to be one of ours.
const EVIL: &str = "x\u{1b}[31m\u{7}\u{9b}2J\u{202e}\rerror: forged";

#[track_caller]
fn is_clean(run: &Run) {
    let text = run.snapshot();
    assert!(!text.contains(RAW), "{text:?}");
    let forged = |line: &str| line.starts_with("error: forged") || line.starts_with("hint: forged");
    assert!(!text.lines().any(forged), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn no_command_writes_what_drives_a_terminal() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let evil = format!("{EVIL}\nerror: forged");
    let manifest = |source: &str, more: Value| {
        let options =
            json!({ "source": source, "destination": format!("{{DEPLOY_ROOT}}/{EVIL}/tool"), "typo": 1 });
        let mut targets = serde_json::Map::new();
        targets.insert(evil.clone(), options);
        json!({ "version": 1, "author": evil, "targets": targets, "more": more }).to_string()
    };
    let write = |manifest: &str, content: &[u8]| {
        let name = format!("dir/{EVIL}");
        let file = format!("dir/{evil}");
        repo.import(
            &evil,
            &[
                ("100644", b"dist.json", manifest.as_bytes()),
                (
                    "100644",
                    b"distman.env",
                    format!("all:\n  EVIL: {}\n\"{}\": {{}}\n", json!(evil), "x").as_bytes(),
                ),
                ("100644", name.as_bytes(), content),
                ("100644", file.as_bytes(), content),
                ("120000", b"dir/link", EVIL.as_bytes()),
            ],
        );
        repo.git(["symbolic-ref", "HEAD", "refs/heads/main"]);
    };
    repo.git(["remote", "add", "origin", &format!("https://example.org/{EVIL}")]);
    write(&manifest("dir", json!(null)), b"one\n");
    let commands: &[&[&str]] = &[
        &["-d"],
        &["-d", "--json"],
        &["-v"],
        &["show", "-vv"],
        &["show", "--json"],
        &["log"],
        &["log", "--json"],
        &["verify", "-v"],
        &["diff"],
        &["doctor"],
        &["doctor", "--json"],
        &["env"],
        &["hook", "status"],
        &["-t", EVIL],
        &["show", EVIL],
        &["--rev", EVIL],
        &["use", "-m", EVIL, "tool", EVIL],
        &[EVIL],
        &["prune", "-d"],
        &["delete", "-d"],
        &["--manifest", EVIL],
        &["-C", EVIL],
    ];
    let all = || {
        for arguments in commands {
            is_clean(&sandbox.run(sandbox.dist_command(repo.path()).args(*arguments)));
        }
    };
    all();
    write(&manifest("dir", json!(null)), b"two\n");
    let trigger = [("USER", EVIL), ("EVIL", EVIL)];
    is_clean(&repo.dist_with(trigger, ["-m", EVIL]).success());
    all();
    is_clean(&repo.dist(["rollback", "-m", EVIL]));
    is_clean(&repo.dist([]));
    // What is damaged is listed by its name.
    let version = sandbox.root().join(EVIL).join("versions");
    for entry in fs::read_dir(&version).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
            fs::remove_file(file.path()).unwrap();
        }
    }
    is_clean(&repo.dist(["verify"]).code(4));
    is_clean(&repo.dist(["verify", "--json"]).code(4));
    // Sources that are not there, are hostile, or are no JSON.
    for broken in
        [manifest(EVIL, json!(null)), manifest("../x", json!(evil)), format!("{{ \"{EVIL}\" }}"), EVIL.into()]
    {
        write(&broken, b"three\n");
        is_clean(&repo.dist([]));
        is_clean(&repo.dist(["doctor"]));
    }
    // The holder of a lock, as somebody else wrote it down.
    let lock = sandbox.root().join(".distman/lock");
    let file = fs::File::open(&lock).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let holder = json!({ "pid": 1, "user": EVIL, "host": EVIL, "command": evil, "since": EVIL });
    fs::write(&lock, holder.to_string()).unwrap();
    is_clean(&repo.dist(["doctor"]));
}

#[test]
fn a_persons_terminal_shows_values_cleaned_and_a_program_gets_them_as_they_are() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let run = repo.dist_with([("EVIL", EVIL)], ["env", "EVIL"]).success();
    assert_eq!(run.raw_stdout(), format!("{EVIL}\n"));
    let run = sandbox.dist_at_terminal(repo.path(), &["env", "DEPLOY_ROOT"], "");
    assert!(!run.raw_stdout().contains('\u{1b}'), "{:?}", run.raw_stdout());
}
