//! An update that is due is started beside the program, and does not hold it up.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{command, project};
use crate::support::Sandbox;

/// A sandbox whose `tool` prints the names of its children, and a program in the place of git dist that notes what it is
/// started with and waits for `go`.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\necho started\nps -o stat= --ppid $$ | grep Z\nexit 0\n");
    let record = sandbox.root().join(".distman/launch.json");
    let text = fs::read_to_string(&record).unwrap();
    fs::write(&record, text.replace(r#""manifest":"#, r#""subscription":"tools","manifest":"#)).unwrap();
    let notes = sandbox.path().join("notes");
    let text = format!(
        "#!/bin/sh\necho \"$@ $DEPLOY_ROOT $(readlink /proc/$$/fd/0) $(ps -o pgid= $$) $PPID\" >'{notes}.new'\n\
         while test ! -e '{go}'; do sleep 0.02; done\nmv '{notes}.new' '{notes}'\n",
        notes = notes.display(),
        go = sandbox.path().join("go").display(),
    );
    sandbox.script("updater", &text);
    sandbox
}

fn start(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = command(sandbox, ["tool"].iter().chain(arguments));
    command.env("GIT_DIST_PROGRAM", sandbox.path().join("bin/updater"));
    command
}

fn notes(sandbox: &Sandbox) -> PathBuf {
    sandbox.path().join("notes")
}

/// Lets the updater end, and returns what it noted.
fn noted(sandbox: &Sandbox) -> String {
    fs::write(sandbox.path().join("go"), "").unwrap();
    while !notes(sandbox).exists() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fs::read_to_string(notes(sandbox)).unwrap()
}

fn set_due(sandbox: &Sandbox, text: &str) {
    let folder = sandbox.root().join(".distman/updates/tools");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("due"), text).unwrap();
}

fn is_started(sandbox: &Sandbox, arguments: &[&str]) -> bool {
    fs::write(sandbox.path().join("go"), "").unwrap();
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--wait", "60s"]).collect();
    sandbox.run(&mut start(sandbox, &arguments)).success().prints("started\n");
    fs::remove_file(notes(sandbox)).is_ok()
}

#[test]
fn it_runs_in_the_background_and_is_nobodys_child() {
    let sandbox = sandbox();
    // The program is done before the updater may be.
    let run = sandbox.run(&mut start(&sandbox, &[])).success();
    assert_eq!(run.stdout(), "started\n");
    assert!(!notes(&sandbox).exists());
    let noted = noted(&sandbox);
    let expected = format!("update --detached tools {} /dev/null ", sandbox.root().display());
    assert!(noted.starts_with(&expected), "{noted}");
}

#[test]
fn it_is_waited_for_no_longer_than_that() {
    let sandbox = sandbox();
    sandbox.run(&mut start(&sandbox, &["--wait", "1ms"])).success().prints("started\n");
    assert!(!notes(&sandbox).exists());
    noted(&sandbox);
    fs::remove_file(notes(&sandbox)).unwrap();
    // What may end does before the program starts.
    sandbox.run(&mut start(&sandbox, &["--update", "wait"])).success();
    assert!(notes(&sandbox).exists());
}

#[test]
fn it_is_made_when_it_is_due() {
    let sandbox = sandbox();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let day = 24 * 60 * 60;
    for (text, expected) in [
        ((now - 1).to_string(), true),
        (format!("{}\n", now + day), false),
        ((now + 40 * day).to_string(), true),
        ("soon".to_owned(), true),
        (String::new(), true),
        ("-1".to_owned(), true),
    ] {
        set_due(&sandbox, &text);
        assert_eq!(is_started(&sandbox, &[]), expected, "{text}");
    }
}

#[test]
fn it_is_not_made_where_nobody_wants_it() {
    let sandbox = sandbox();
    fs::write(sandbox.path().join("go"), "").unwrap();
    sandbox.run(&mut start(&sandbox, &["--update=never"])).success();
    sandbox.run(start(&sandbox, &["--wait", "60s"]).env("GIT_DIST_OFFLINE", "1")).success();
    assert!(!notes(&sandbox).exists());
    let mut gone = start(&sandbox, &[]);
    gone.env("GIT_DIST_PROGRAM", "/no/such/program");
    sandbox.run(&mut gone).success().prints("started\n");
}
