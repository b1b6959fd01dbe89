//! The log file that `LOG_DIR` asks for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Repo, Sandbox, tree};

const TOOL: &str = r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" }"#;

fn project(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    repo.manifest(TOOL);
    repo.commit("one");
    repo
}

/// The log's lines, without their times.
fn lines(sandbox: &Sandbox, folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("distman.log")).unwrap();
    let time = regex::Regex::new(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - ").unwrap();
    let line = |line: &str| {
        assert!(time.is_match(line), "{line}");
        time.replace(line, "").replace(sandbox.path().to_str().unwrap(), "[SANDBOX]")
    };
    text.lines().map(line).collect()
}

#[test]
fn what_is_done_is_logged_with_user_and_level() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let folder = sandbox.path().join("log/dist");
    let log = ("LOG_DIR", folder.to_str().unwrap());
    repo.dist_with([log], []).success();
    repo.write("tool", "two\n");
    repo.commit("two");
    repo.dist_with([log], ["--json"]).success();
    repo.dist_with([log], ["-q", "-n", "-1"]).success();
    repo.dist_with([log], ["-n", "-1"]).code(1);
    repo.dist_with([log, ("LOG_LEVEL", "ERROR")], ["-n", "2"]).success();
    repo.dist_with([log, ("LOG_LEVEL", "40")], ["-t", "tol"]).code(1);
    repo.dist_with([log, ("LOG_LEVEL", "DEBUG")], ["-t", "tool"]).success();
    insta::assert_snapshot!(lines(&sandbox, &folder).join("\n"), @r#"
    tester - INFO - create  tool  [SANDBOX]/root/tool  new -> 1.987d68c
    tester - INFO - r1: deployed main 1.987d68c "one" -> [SANDBOX]/root
    tester - INFO - create  tool  [SANDBOX]/root/tool  1.987d68c -> 2.1254ca6
    tester - INFO - r2: deployed main 2.1254ca6 "two" -> [SANDBOX]/root
    tester - INFO - relink  tool  [SANDBOX]/root/tool  2.1254ca6 -> 1.987d68c
    tester - INFO - r3: use done
    tester - ERROR - refused: `[SANDBOX]/root/tool` (target `tool`): there is no earlier version to go back to
    tester - ERROR - no target matches `tol`
    tester - DEBUG - git dist -t tool
    tester - INFO - nothing to do: 1 destination is at main 2.1254ca6 "two" -> [SANDBOX]/root
    "#);
}

#[test]
fn nothing_is_logged_unasked_in_dry_runs_and_by_commands_that_only_look() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.dist([]).success();
    let before = tree(sandbox.path());
    let folder = sandbox.path().join("log");
    for arguments in
        [&["-d"][..], &["-d", "-n", "1"], &["--reset", "-d"], &["-s"], &["show"], &["diff"], &["log"]]
    {
        let mut command = sandbox.dist_command(repo.path());
        sandbox.run(command.env("LOG_DIR", &folder).args(arguments));
        assert_eq!(tree(sandbox.path()), before, "{arguments:?}");
    }
    repo.dist_with([("LOG_DIR", "")], []).success();
    assert!(!sandbox.home().join("log").exists());
}

#[test]
fn the_folder_may_be_set_in_distman_env() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.write("distman.env", "all:\n  LOG_DIR: ${HOME}/log\n  LOG_LEVEL: WARNING\n");
    repo.manifest(&TOOL.replace("\"source\"", "\"sorce\": \"\", \"source\""));
    repo.commit("environment");
    repo.dist([]).success();
    let lines = lines(&sandbox, &sandbox.home().join("log"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].starts_with("tester - WARNING - ") && lines[0].contains("`sorce`"), "{lines:?}");
}

#[test]
fn a_log_that_cannot_be_written_is_a_warning() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let file = sandbox.path().join("file");
    fs::write(&file, "").unwrap();
    let run = repo.dist_with([("LOG_DIR", file.to_str().unwrap())], []).success();
    assert_eq!(run.stderr().matches("warning: nothing is logged").count(), 1, "{}", run.snapshot());
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "one\n");
    // A link in its place is not followed.
    let folder = sandbox.path().join("log");
    fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(&file, folder.join("distman.log")).unwrap();
    repo.dist_with([("LOG_DIR", folder.to_str().unwrap())], []).success().says("warning: nothing is logged");
    assert_eq!(fs::metadata(&file).unwrap().len(), 0);
}

#[test]
fn what_a_hook_deploys_is_logged() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let clone = repo.clone_to("clone", []);
    clone.dist(["hook", "install"]).success();
    repo.write("tool", "two\n");
    repo.commit("two");
    let folder = sandbox.path().join("log");
    let mut pull = sandbox.command("git", clone.path());
    sandbox.run(pull.env("LOG_DIR", &folder).args(["pull", "--quiet"])).success();
    let lines = lines(&sandbox, &folder);
    assert!(
        lines[0].starts_with("tester - INFO - create  tool  [SANDBOX]/root/tool  new -> 2."),
        "{lines:?}"
    );
    // Hooks that have nothing to deploy say nothing.
    let mut commit = sandbox.command("git", clone.path());
    sandbox
        .run(commit.env("LOG_DIR", &folder).args(["commit", "--quiet", "--allow-empty", "-m", "x"]))
        .success();
    assert_eq!(self::lines(&sandbox, &folder), lines);
}

#[test]
fn passwords_are_not_logged() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.git(["remote", "add", "origin", "https://tess:s3cret@example.org/tool.git"]);
    let folder = sandbox.path().join("log");
    let environment = [("LOG_DIR", folder.to_str().unwrap()), ("LOG_LEVEL", "DEBUG")];
    repo.dist_with(environment, ["-m", "from https://tess:s3cret@example.org/"]).success();
    repo.dist_with(environment, ["-t", "ftp://tess:s3cret@example.org/"]).code(1);
    let text = fs::read_to_string(folder.join("distman.log")).unwrap();
    assert!(text.contains("example.org") && !text.contains("s3cret"), "{text}");
}

#[test]
fn two_runs_share_a_log_that_turns_over() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let folder = sandbox.path().join("log");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    fs::write(folder.join("distman.log"), "x".repeat(999_990) + "\n").unwrap();
    let spawn = || {
        sandbox.dist_command(repo.path()).env("LOG_DIR", &folder).stderr(std::process::Stdio::null()).spawn()
    };
    let runs: Vec<_> = (0..4).map(|_| spawn().unwrap()).collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
    assert_eq!(fs::metadata(folder.join("distman.log.1")).unwrap().len(), 999_991);
    // One deployed, and every one of them said something.
    let lines = lines(&sandbox, &folder);
    assert!(
        lines.len() >= 5 && lines.iter().any(|line| line.contains("INFO - r1: deployed main")),
        "{lines:?}"
    );
}
