//! A version that is in use stays.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{command, next, project};
use crate::support::{Repo, Sandbox};

/// A program that says on every line that it reads what version it is, and ends with its input.
fn talking(text: &str) -> String {
    format!("#!/bin/sh\necho ready\nwhile read line; do echo {text}; done\n")
}

/// A program that runs.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(sandbox: &Sandbox) -> Self {
        Self::of(&mut command(sandbox, ["tool"]))
    }

    fn of(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut running = Self { child, out };
        assert_eq!(running.line(), "ready");
        running
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// A project of which five versions were deployed, with the first one running, and the path of that.
fn with_one_running(sandbox: &Sandbox) -> (Repo<'_>, Running, PathBuf) {
    let repo = project(sandbox, &talking("1"));
    let version = sandbox.root().join("bin").join(sandbox.active("bin/tool"));
    let running = Running::start(sandbox);
    for number in 2..=5 {
        next(&repo, &talking(&number.to_string()));
    }
    (repo, running, version)
}

#[test]
fn a_program_keeps_its_version_while_the_link_is_switched() {
    use std::io::Write as _;
    let sandbox = Sandbox::new();
    let (_, mut running, _) = with_one_running(&sandbox);
    running.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_eq!(running.line(), "1");
    running.end();
}

#[test]
fn a_prune_leaves_what_runs_and_takes_it_when_it_ended() {
    let sandbox = Sandbox::new();
    let (repo, running, version) = with_one_running(&sandbox);
    let pruned = repo.dist(["prune", "--keep", "1", "-v"]).success();
    pruned.says("kept 1.").says("of [SANDBOX]/root/bin/tool: it is in use");
    assert!(version.exists());
    repo.dist(["show", "-v", "tool"]).success().prints("in use");
    assert_eq!(
        repo.dist(["show", "--json", "tool"]).success().json()["items"][0]["versions"][0]["in_use"],
        true
    );
    running.end();
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(!version.exists());
    assert!(!repo.dist(["show", "-v", "tool"]).success().stdout().contains("in use"));
}

#[test]
fn a_program_that_was_killed_holds_nothing() {
    let sandbox = Sandbox::new();
    let (repo, mut running, version) = with_one_running(&sandbox);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(!version.exists());
}

#[test]
fn what_the_program_started_holds_its_version_too() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "#!/bin/sh\nexec 3<&0\n(echo ready; read line <&3) &\n");
    let version = sandbox.root().join("bin").join(sandbox.active("bin/tool"));
    let mut running = Running::start(&sandbox);
    // Who waits closes it.
    let input = running.child.stdin.take();
    assert!(running.child.wait().unwrap().success());
    for number in 2..=5 {
        next(&repo, &talking(&number.to_string()));
    }
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(version.exists());
    drop(input);
    // Its end is that of what it prints to.
    assert_eq!(running.line(), "");
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(!version.exists());
}

#[test]
fn a_deploy_prunes_nothing_that_runs_and_a_mark_does_not_let_go_of_it() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(
        r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool", "options": { "keep": 1 } }"#,
    );
    next(&repo, &talking("0"));
    next(&repo, &talking("1"));
    let version = sandbox.root().join("bin").join(sandbox.active("bin/tool"));
    let running = Running::start(&sandbox);
    // Its record is replaced by one with a mark.
    repo.dist(["rollback", "tool"]).success();
    for number in 2..=6 {
        next(&repo, &talking(&number.to_string()));
    }
    assert!(version.exists());
    running.end();
    next(&repo, &talking("7"));
    assert!(!version.exists());
}

#[test]
fn who_deletes_what_runs_must_insist() {
    let sandbox = Sandbox::new();
    let (repo, running, version) = with_one_running(&sandbox);
    let refused = repo.dist(["delete", "tool", "1"]).code(1).says("is in use");
    refused.says("`-f` deletes it all the same");
    repo.dist(["delete", "-y", "tool"]).code(1).says("is in use");
    assert!(version.exists());
    repo.dist(["delete", "-f", "tool", "1"]).success();
    assert!(!version.exists());
    running.end();
}

#[test]
fn a_folder_is_held_as_a_file_is() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" }"#);
    let next = |text: &str| {
        repo.executable("tool/bin/tool", talking(text));
        repo.commit(text);
        repo.dist([]).success();
    };
    next("1");
    let version = sandbox.root().join(sandbox.active("tool"));
    let running = Running::start(&sandbox);
    ["2", "3", "4", "5"].into_iter().for_each(next);
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(version.join("bin/tool").exists());
    running.end();
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(!version.exists());
}

/// `git dist run tool` as somebody who may only read the root.
fn as_reader(sandbox: &Sandbox) -> Command {
    if !rustix::process::getuid().is_root() {
        for folder in ["", "bin", "bin/versions", ".distman"] {
            let path = sandbox.root().join(folder);
            fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
        }
        return command(sandbox, ["tool"]);
    }
    fs::set_permissions(sandbox.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Where that is built nobody else may be allowed to look.
    let program = sandbox.path().join("bin/git-dist");
    let built = env!("CARGO_BIN_EXE_git-dist");
    fs::hard_link(built, &program).or_else(|_| fs::copy(built, &program).map(drop)).unwrap();
    let mut command = sandbox.command("setpriv", Path::new("/"));
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program).args(["run", "tool"]);
    command
}

#[test]
fn who_may_only_read_a_root_runs_from_it_and_holds_what_runs() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, &talking("1"));
    let version = sandbox.root().join("bin").join(sandbox.active("bin/tool"));
    let running = Running::of(&mut as_reader(&sandbox));
    for folder in ["", "bin", "bin/versions", ".distman"] {
        let path = sandbox.root().join(folder);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for number in 2..=5 {
        next(&repo, &talking(&number.to_string()));
    }
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(version.exists());
    running.end();
    repo.dist(["prune", "--keep", "1"]).success();
    assert!(!version.exists());
}
