//! The program takes the place of git dist: arguments, exit code, signals, files.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{command, project, run};
use crate::support::{Run, Sandbox};

/// Starts what waits after it said that it is there.
fn started(sandbox: &Sandbox) -> Child {
    let mut child = command(sandbox, ["tool"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    child
}

#[test]
fn the_exit_code_is_that_of_the_program() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\nexit \"$1\"\n");
    for code in [0, 1, 2, 3, 77, 125, 255] {
        run(&sandbox, ["tool", "--", &code.to_string()]).code(code);
    }
}

#[test]
fn arguments_arrive_as_they_are() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\nprintf '%s\\0' \"$@\"\n");
    let given: [&[u8]; 11] =
        [b"a b", b"", b"'", b"\"", b"line\nbreak", b"\xff\xfe", b"--json", b"-2", b"rollback", b"-2", b"--"];
    let words = [OsStr::new("tool"), OsStr::new("--")].into_iter().chain(given.map(OsStr::from_bytes));
    let output = command(&sandbox, words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let arrived: Vec<&[u8]> = output.stdout.split(|byte| *byte == 0).collect();
    assert_eq!(arrived[..given.len()], given);
}

#[test]
fn signals_reach_the_program_and_nobody_stands_in_between() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\ntrap 'exit 40' TERM\ntrap 'exit 41' INT\necho ready\nread line\n");
    for (signal, code) in [(Signal::TERM, 40), (Signal::INT, 41)] {
        let mut child = started(&sandbox);
        kill_process(Pid::from_child(&child), signal).unwrap();
        // A shell that reads may look at it only when there is a line, or be gone by then.
        let _ = child.stdin.take().unwrap().write_all(b"\n");
        assert_eq!(child.wait().unwrap().code(), Some(code));
    }
    let mut child = started(&sandbox);
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[cfg(target_os = "linux")]
#[test]
fn of_open_files_only_the_lease_is_passed_on() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\nreadlink /proc/$$/fd/* 2>/dev/null\nexit 0\n");
    let lines = |run: Run| run.success().stdout().lines().map(str::to_owned).collect::<Vec<_>>();
    let mut passed_on = lines(run(&sandbox, ["tool"]));
    // What the shell itself has, and this test was started with.
    for line in lines(sandbox.run(&mut sandbox.command(sandbox.root().join("bin/tool"), sandbox.path()))) {
        let is_it =
            |other: &String| *other == line || line.starts_with("pipe:") && other.starts_with("pipe:");
        passed_on.remove(passed_on.iter().position(is_it).unwrap());
    }
    assert_eq!(passed_on, [format!("[SANDBOX]/root/bin/{}", sandbox.active("bin/tool"))]);
}
