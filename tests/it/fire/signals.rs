//! SIGINT, SIGTERM and SIGHUP: a run stops in good order, or is over already.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, test_kill_process_group};

use super::{assert_tidy, commit, end, root, send, start, wait_until};
use crate::support::{Sandbox, skipped};

const SIGNALS: [(Signal, i32); 3] = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)];

/// Installs the command `nap PLACE`: where the file `naps` names the place, it writes its process id to `asleep` and
/// sleeps, with a child that does too.
fn nap(sandbox: &Sandbox) {
    let path = sandbox.path().display();
    let script = format!(
        "#!/bin/sh\n\
         grep -qx \"$1\" '{path}/naps' || exit 0\n\
         echo $$ >'{path}/asleep.new'; mv '{path}/asleep.new' '{path}/asleep'\n\
         sleep 30; sleep 30\n"
    );
    fs::write(sandbox.path().join("naps"), "").unwrap();
    sandbox.script("nap", &script);
}

/// Every command of the manifest, each of which may nap.
const COMMANDS: &str = r#",
    "pipeline": { "step": { "script": "nap pipeline" } }, "verify": ["nap verify"], "after": ["nap after"]"#;

#[test]
fn a_signal_stops_the_run_and_what_it_started_and_all_is_as_before() {
    let sandbox = Sandbox::new();
    nap(&sandbox);
    let repo = sandbox.repo("project");
    repo.write(".gitattributes", "many/0/0001 filter=nap\n");
    repo.git(["config", "filter.nap.clean", "cat"]);
    repo.git(["config", "filter.nap.smudge", "nap filter && cat"]);
    commit(&repo, 3, "old", COMMANDS);
    repo.dist([]).success();
    commit(&repo, 3, "new", COMMANDS);
    let before = root(&sandbox);
    let (naps, asleep) = (sandbox.path().join("naps"), sandbox.path().join("asleep"));
    for (place, outcome) in [
        ("filter", "nothing was changed"),
        ("pipeline", "nothing was changed"),
        ("verify", "nothing was changed"),
        ("after", "the rollout was undone"),
    ] {
        for (signal, code) in SIGNALS {
            fs::write(&naps, place).unwrap();
            let child = start(&mut sandbox.dist_command(repo.path()));
            wait_until("nobody sleeps", || asleep.exists());
            let group: i32 = fs::read_to_string(&asleep).unwrap().trim().parse().unwrap();
            // The commands that follow the undoing do not sleep again.
            fs::remove_file(&naps).unwrap();
            fs::write(&naps, "").unwrap();
            fs::remove_file(&asleep).unwrap();
            send(&child, signal);
            assert_eq!(end(child), (Some(code), format!("error: interrupted: {outcome}\n")), "{place}");
            assert!(test_kill_process_group(Pid::from_raw(group).unwrap()).is_err(), "{place}: still asleep");
            // One that ended and that nobody has asked about yet has no command line.
            let line = fs::read(format!("/proc/{group}/cmdline")).unwrap_or_default();
            assert!(line.is_empty(), "{place}: still asleep");
            assert_tidy(&sandbox);
            assert_eq!(root(&sandbox).differences(&before), "", "{place}");
        }
    }
    // Nothing was said about the versions, so that they are deployed without more ado.
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("tool")).unwrap(), "new");
    assert_eq!(sandbox.history().len(), 2);
}

#[test]
fn a_second_signal_stops_the_commands_that_follow_the_undoing() {
    let sandbox = Sandbox::new();
    nap(&sandbox);
    let repo = sandbox.repo("project");
    commit(&repo, 3, "old", COMMANDS);
    repo.dist([]).success();
    commit(&repo, 3, "new", COMMANDS);
    let before = root(&sandbox);
    let asleep = sandbox.path().join("asleep");
    fs::write(sandbox.path().join("naps"), "after").unwrap();
    let child = start(&mut sandbox.dist_command(repo.path()));
    for _ in 0..2 {
        wait_until("nobody sleeps", || asleep.exists());
        fs::remove_file(&asleep).unwrap();
        send(&child, Signal::INT);
    }
    let (code, said) = end(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.starts_with("error: interrupted: the rollout was undone\n"), "{said}");
    assert_tidy(&sandbox);
    assert_eq!(root(&sandbox).differences(&before), "");
}

/// The report is written to a pipe that nobody reads, when the rollout counts already.
#[test]
fn a_signal_after_the_rollout_counts_changes_nothing() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    commit(&repo, 3, "one", "");
    for (signal, _) in SIGNALS {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        while writer.write(&[b'x'; 512]).is_ok() {}
        rustix::io::ioctl_fionbio(&writer, false).unwrap();
        commit(&repo, 3, &format!("next {signal:?}"), "");
        let lines = sandbox.history().len();
        let child = sandbox.dist_command(repo.path()).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
        let is_done =
            || sandbox.history().len() > lines && !sandbox.root().join(".distman/pending.json").exists();
        wait_until("no history", is_done);
        send(&child, signal);
        let drain = std::thread::spawn(move || reader.read_to_end(&mut Vec::new()));
        let (code, said) = end(child);
        assert_eq!(code, Some(0), "{said}");
        drain.join().unwrap().unwrap();
        assert_tidy(&sandbox);
        repo.dist(["verify"]).success();
    }
}

#[test]
fn a_signal_ends_the_wait_for_the_lock() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    commit(&repo, 1, "old", "");
    repo.dist([]).success();
    commit(&repo, 1, "new", "");
    let before = root(&sandbox);
    let lock = fs::File::open(sandbox.root().join(".distman/lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    for (signal, code) in SIGNALS {
        let mut child = start(&mut sandbox.dist_command(repo.path()));
        let mut said = String::new();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        talk.read_line(&mut said).unwrap();
        send(&child, signal);
        talk.read_to_string(&mut said).unwrap();
        let waited =
            "waiting for somebody\nerror: interrupted while waiting for somebody: nothing was changed\n";
        assert_eq!((end(child).0, said.as_str()), (Some(code), waited));
    }
    assert_eq!(root(&sandbox), before);
}

#[test]
fn a_question_is_no_obstacle_to_a_signal() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    commit(&repo, 1, "old", "");
    fs::create_dir(sandbox.root()).unwrap();
    fs::write(sandbox.root().join("tool"), "mine").unwrap();
    let before = root(&sandbox);
    let mut command = sandbox.command("script", repo.path());
    command.args(["--quiet", "--return", "--command", env!("CARGO_BIN_EXE_git-dist"), "/dev/null"]);
    let mut child = match command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => return skipped(&format!("there is no terminal: {error}")),
    };
    let mut screen = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("[y/N]") {
        let mut chunk = [0; 512];
        let count = screen.read(&mut chunk).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend(&chunk[..count]);
    }
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(keyboard);
    assert_eq!(root(&sandbox), before);
}

/// As `nohup git dist` and `git dist &` of a script ask for.
#[test]
fn signals_that_are_to_be_ignored_are() {
    let sandbox = Sandbox::new();
    nap(&sandbox);
    let path = sandbox.path().display();
    let wait = format!("#!/bin/sh\ntouch '{path}/asleep'\nwhile [ ! -e '{path}/go' ]; do sleep 0.02; done\n");
    sandbox.script("wait-for-it", &wait);
    let repo = sandbox.repo("project");
    commit(&repo, 1, "one", r#", "verify": ["wait-for-it"]"#);
    let mut command = sandbox.command("sh", repo.path());
    let child = start(command.args(["-c", "trap '' HUP INT; exec git-dist"]));
    wait_until("nobody waits", || sandbox.path().join("asleep").exists());
    send(&child, Signal::HUP);
    send(&child, Signal::INT);
    fs::write(sandbox.path().join("go"), "").unwrap();
    let (code, said) = end(child);
    assert_eq!(code, Some(0), "{said}");
}
