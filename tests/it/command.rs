//! Commands against real shells and processes.

#![allow(clippy::unwrap_used, reason = "the fixture's own failures")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use git_dist::command::{Background, Command, CommandError, Output, Program, TimeLimit, fill, run};
use tempfile::TempDir;

fn never() -> bool {
    false
}

fn shell_with(
    line: &str,
    limit: Option<Duration>,
    background: Background,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Result<Output, CommandError> {
    let filled = fill(line, &|_| None).unwrap();
    let folder = TempDir::new().unwrap();
    let command = Command {
        program: Program::Shell(&filled),
        directory: folder.path(),
        environment: &BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
        without: &[],
        input: None,
        time_limit: limit.map(TimeLimit::start),
        background,
    };
    run(&command, interrupted)
}

fn shell(line: &str) -> Result<Output, CommandError> {
    shell_with(line, None, Background::Stop, &never)
}

fn is_running(marker: &str) -> bool {
    let processes = std::fs::read_dir("/proc").unwrap();
    processes.flatten().any(|process| {
        let command = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|argument| argument == marker.as_bytes())
    })
}

/// Waits, for a while, until no process has the argument `marker`.
fn is_gone(marker: &str) -> bool {
    (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        !is_running(marker)
    })
}

/// Waits, for a while, until a process has the argument `marker`: one that a shell has just started in the
/// background is still the shell.
fn is_there(marker: &str) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        is_running(marker)
    })
}

#[test]
fn output_is_captured_in_order() {
    let output = shell("echo one; echo two >&2; echo $GREETING; cat").unwrap();
    assert_eq!(output.bytes(), b"one\ntwo\nhello\n");
}

#[test]
fn a_failure_shows_command_status_and_output() {
    let error = shell("printf 'bad \\033[31mnews\\n' >&2; exit 3").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`printf 'bad \\033[31mnews\\n' >&2; exit 3` failed with exit status 3; it printed:\n    bad \\u{1b}[31mnews"
    );
    let error = shell("kill -SEGV $$").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`kill -SEGV $$` was killed by signal 11 (segmentation fault); it printed nothing"
    );
    let error = shell("no-such-program").unwrap_err();
    assert!(error.to_string().contains("failed with exit status 127"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_missing_program_is_told_from_a_missing_folder() {
    let run_in = |directory: &Path, program| {
        let command = Command {
            program: Program::Path(program, &[]),
            directory,
            environment: &BTreeMap::new(),
            without: &[],
            input: None,
            time_limit: None,
            background: Background::Stop,
        };
        run(&command, &never).unwrap_err()
    };
    let error = run_in(Path::new("/"), "no-such-program");
    assert!(error.is_not_found());
    assert_eq!(error.to_string(), "cannot start `no-such-program`");
    let error = run_in(Path::new("/no/such/folder"), "true");
    assert!(!error.is_not_found());
    assert_eq!(error.to_string(), "cannot run `true` in `/no/such/folder`");
}

#[test]
fn a_command_out_of_time_is_stopped_with_its_children() {
    let line = "trap 'echo asked; exit' TERM; echo started; sleep 61.25 & wait";
    let error = shell_with(line, Some(Duration::from_millis(300)), Background::Keep, &never).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("`{line}` did not end within 300ms; it printed:\n    started\n    asked")
    );
    assert!(is_gone("61.25"));
}

#[test]
fn a_command_that_ignores_the_signal_is_killed() {
    let started = Instant::now();
    let line = "trap '' TERM; while :; do sleep 61.5; done";
    let error = shell_with(line, Some(Duration::from_millis(100)), Background::Stop, &never).unwrap_err();
    assert!(matches!(error, CommandError::TimedOut { .. }));
    assert!((2..20).contains(&started.elapsed().as_secs()));
    assert!(is_gone("61.5"));
}

#[test]
fn an_interruption_stops_the_whole_group() {
    let asked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            asked.store(true, Ordering::Relaxed);
        });
        let interrupted = || asked.load(Ordering::Relaxed);
        let error = shell_with("(sleep 61.75)", None, Background::Stop, &interrupted).unwrap_err();
        assert!(error.is_interrupted());
        assert_eq!(error.to_string(), "interrupted while `(sleep 61.75)` ran");
    });
    assert!(is_gone("61.75"));
}

#[test]
fn what_a_command_leaves_running_holds_nothing_up() {
    let started = Instant::now();
    let output = shell("sleep 62.25 & echo done").unwrap();
    assert_eq!(output.bytes(), b"done\n");
    assert!(is_gone("62.25"), "a step leaves nothing behind");

    shell_with("sleep 7.75 & echo done", None, Background::Keep, &never).unwrap();
    assert!(is_there("7.75"), "a service lives on");
    assert!(started.elapsed() < Duration::from_secs(7));
}

#[test]
fn a_command_that_closes_its_output_is_waited_for() {
    let started = Instant::now();
    shell("exec >&- 2>&-; sleep 0.3").unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[test]
fn endless_output_does_not_stop_the_clock_or_fill_the_memory() {
    let error = shell_with("yes", Some(Duration::from_millis(300)), Background::Stop, &never).unwrap_err();
    let CommandError::TimedOut { output, .. } = error else { panic!("{error}") };
    assert!(output.is_cut());
    assert_eq!(output.bytes().len(), git_dist::command::MAX_OUTPUT);
}

/// Values that a shell would act on, wherever they were put as text.
const HOSTILE: [&str; 18] = [
    "",
    "plain",
    "two  words",
    " edges ",
    "it's",
    "\"",
    "'\"'\"'",
    "$HOME",
    "${HOME}",
    "$(touch PWNED)",
    "`touch PWNED`",
    "; touch PWNED; #",
    "' ; touch PWNED ; '",
    "\" ; touch PWNED ; \"",
    "a\\",
    "* ? [a-z] ~ !! -n",
    "line\nbreak\nEOF\ntouch PWNED",
    "{input} {{x}} %s \\n \u{1}é",
];

/// Commands that print the value between brackets, in every context in which a placeholder can stand.
const CONTEXTS: [&str; 12] = [
    "printf '[%s]' {input}",
    "printf '[%s]' \"{input}\"",
    "printf '[%s]' '{input}'",
    "printf %s [{input}]",
    "printf %s \"[\"{input}']'",
    "printf '[%s]' \"$(printf %s {input}; echo x)\" | sed 's/x]$/]/'",
    "printf '[%s]' \"$(printf %s \"{input}\"; echo x)\" | sed 's/x]$/]/'",
    "printf '[%s]' \"`printf %s {input}; echo x`\" | sed 's/x]$/]/'",
    "x={input}; printf '[%s]' \"$x\"",
    "# it's \"a comment {input}\nprintf '[%s]' {input}",
    "case {input} in *) printf '[%s]' {input};; esac",
    "f() { printf '[%s]' \"$1\"; }; f {input}",
];

#[test]
fn hostile_values_are_text_in_every_context_of_every_shell() {
    for shell in ["dash", "bash"] {
        let folder = TempDir::new().unwrap();
        for value in HOSTILE.map(OsStr::new).into_iter().chain([OsStr::from_bytes(b"\xff\xfe")]) {
            for context in CONTEXTS {
                let printed = print_with(shell, context, value, folder.path());
                let mut expected = b"[".to_vec();
                expected.extend_from_slice(value.as_bytes());
                expected.push(b']');
                assert_eq!(
                    printed.escape_ascii().to_string(),
                    expected.escape_ascii().to_string(),
                    "{shell}: {context} with {value:?}"
                );
            }
            let here = print_with(shell, "cat <<EOF\n[{input}]\nEOF\nprintf x", value, folder.path());
            let expected = [b"[", value.as_bytes(), b"]\nx"].concat();
            assert_eq!(
                here.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{shell}: {value:?}"
            );
        }
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "{shell}: a value was run");
    }
}

/// What `shell` prints for a command line. The library runs `/bin/sh`, whichever that is.
fn print_with(shell: &str, template: &str, value: &OsStr, folder: &Path) -> Vec<u8> {
    let filled = fill(template, &|name| (name == "input").then(|| value.to_owned())).unwrap();
    let arguments: [OsString; 2] = ["-c".into(), filled.line().into()];
    // As the library would, with the values in the environment.
    let mut process = std::process::Command::new(shell);
    let output = process.args(arguments).envs(filled.environment()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{shell}: {template}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn it_does_not_get_what_it_is_not_to_get() {
    // Whatever this process has: `PATH` is always there.
    let run_without = |without: &[std::ffi::OsString]| {
        run(
            &Command {
                program: Program::Path("/usr/bin/env", &[]),
                directory: "/".as_ref(),
                environment: &BTreeMap::from([("GREETING".to_owned(), "hello".to_owned())]),
                without,
                input: None,
                time_limit: None,
                background: Background::Stop,
            },
            &never,
        )
    };
    let has = |without: &[std::ffi::OsString], name: &str| {
        let printed = run_without(without).unwrap();
        String::from_utf8_lossy(printed.bytes()).lines().any(|line| line.starts_with(&format!("{name}=")))
    };
    assert!(has(&[], "PATH"));
    let without = ["PATH".into(), "GREETING".into()];
    assert!(!has(&without, "PATH"));
    // What is given counts.
    assert!(has(&without, "GREETING"));
}
