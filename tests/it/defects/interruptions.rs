//! Rows 1 to 6: kills, full disks, missing permissions, runs and readers at the same time, failures half-way.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{deployed, target, target_with, tool};
use crate::support::{Repo, Run, Sandbox, skipped, tree};

/// How many files the folder of these tests has.
const FILES: usize = 300;

/// Writes and commits a folder of files that all hold `text`, deployed with `verify` and `after` commands that
/// [`killer`] makes deadly, and a filter that is.
fn folder<'s>(sandbox: &'s Sandbox, repo: &Repo<'s>, text: &str) {
    for number in 0..FILES {
        repo.write(format!("many/{number:03}"), text);
    }
    let commands = r#", "verify": ["deadly verify"], "after": ["deadly after"]"#;
    repo.manifest(&[target_with("many", commands), target("tool")].join(", "));
    repo.write("tool", text);
    repo.write(".gitattributes", "many/150 filter=deadly\n");
    repo.git(["config", "filter.deadly.clean", "cat"]);
    repo.git(["config", "filter.deadly.smudge", "deadly filter && cat"]);
    repo.git(["config", "filter.deadly.required", "true"]);
    repo.commit(text.trim_end());
    assert!(sandbox.path().join("bin/deadly").exists());
}

/// Installs the command `deadly MOMENT`: it kills the `git dist` that holds the lock, once, at the moment that
/// `deadly-at` in the sandbox names.
fn killer(sandbox: &Sandbox) {
    let path = sandbox.path().display();
    let script = format!(
        "#!/bin/sh\n\
         [ \"$(cat '{path}/deadly-at' 2>&1)\" = \"$1\" ] || exit 0\n\
         rm '{path}/deadly-at'\n\
         kill -9 \"$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' '{path}/root/.distman/lock')\"\n\
         sleep 5\n"
    );
    sandbox.script("deadly", &script);
}

/// Asserts that both destinations hold `text` everywhere.
#[track_caller]
fn assert_complete(sandbox: &Sandbox, text: &str) {
    for number in 0..FILES {
        assert_eq!(deployed(sandbox, format!("many/{number:03}")), text, "file {number}");
    }
    assert_eq!(deployed(sandbox, "tool"), text);
}

/// Row 1.
#[test]
fn a_killed_run_leaves_the_old_version_and_the_rerun_repairs() {
    for moment in ["filter", "verify", "after"] {
        let sandbox = Sandbox::new();
        killer(&sandbox);
        let repo = sandbox.repo("project");
        folder(&sandbox, &repo, "old\n");
        repo.dist([]).success();
        folder(&sandbox, &repo, "new\n");
        fs::write(sandbox.path().join("deadly-at"), moment).unwrap();
        let run = repo.dist([]);
        assert!(run.snapshot().starts_with("exit code: killed"), "{moment}: {}", run.snapshot());
        // While links are swapped a destination may be ahead of another one, but each is complete.
        let many = deployed(&sandbox, "many/000");
        assert!(many == "old\n" || (many == "new\n" && moment == "after"), "{moment}: {many:?}");
        for number in 0..FILES {
            assert_eq!(deployed(&sandbox, format!("many/{number:03}")), many, "{moment}");
        }
        repo.dist(["show", "-v"]).success();
        repo.dist([]).success();
        assert_complete(&sandbox, "new\n");
        repo.dist(["verify", "--all"]).success();
        let before = tree(sandbox.root());
        assert!(!before.to_string().contains(".staging-"), "{moment}: {before}");
        assert!(!sandbox.root().join(".distman/pending.json").exists(), "{moment}");
        repo.dist([]).success().says("nothing to do");
        assert_eq!(tree(sandbox.root()), before, "{moment}");
    }
}

/// Row 1.
#[test]
fn an_interrupted_run_says_so_and_leaves_nothing_behind() {
    let sandbox = Sandbox::new();
    let started = sandbox.path().join("started");
    // It ends by itself too, in case nobody ends it.
    sandbox.script("sleepy", &format!("#!/bin/sh\ntouch '{}'\nexec sleep 20\n", started.display()));
    let repo = tool(&sandbox);
    repo.dist([]).success();
    repo.write("tool", "two\n");
    repo.manifest(&target_with("tool", r#", "pipeline": { "nap": { "script": "sleepy" } }"#));
    repo.commit("two");
    let before = tree(sandbox.root());
    let mut command = sandbox.dist_command(repo.path());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let since = Instant::now();
    while !started.exists() {
        assert!(since.elapsed() < Duration::from_secs(20), "nothing began to sleep");
        std::thread::sleep(Duration::from_millis(10));
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let since = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(since.elapsed() < Duration::from_secs(15), "it waited");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("error: ") && said.contains("interrupted"), "{said}");
    // The lock's file names its last holder.
    let is_lock = |path: &[u8]| path == b".distman/lock";
    let after = tree(sandbox.root());
    assert!(!after.to_string().contains(".staging-"), "{after}");
    assert_eq!(after.without(is_lock).differences(&before.without(is_lock)), "");
    assert_eq!(fs::read_dir(sandbox.path().join("tmp")).unwrap().count(), 0);
    // Nor is anything of it in the way.
    repo.manifest(&target("tool"));
    repo.commit("awake");
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, "tool"), "two\n");
}

/// Row 2: no file may grow beyond a size, which is how a full disk looks to one write.
#[test]
fn a_full_disk_changes_nothing_and_is_no_success() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("many/small", "old\n");
    repo.manifest(&target("many"));
    repo.commit("old");
    repo.dist([]).success();
    repo.write("many/small", "new\n");
    repo.write("many/large", vec![b'x'; 600 << 10]);
    repo.commit("new");
    let before = tree(sandbox.root());
    let mut command = sandbox.command("sh", repo.path());
    // Blocks of 512 bytes. The signal would end the process; ignored, writes fail.
    let run = sandbox.run(command.args(["-c", "trap '' XFSZ; ulimit -f 600; exec git-dist"]));
    run.code(1).says("large");
    assert_eq!(tree(sandbox.root()), before);
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, "many/small"), "new\n");
}

/// Row 2: a disk that is too small is told before anything is written.
#[test]
fn a_disk_that_is_too_small_is_told_before() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("old", "old\n");
    repo.manifest(&target("old"));
    repo.commit("old");
    repo.write("many/small", "new\n");
    repo.write("many/large", vec![b'x'; 3 << 20]);
    repo.manifest(&[target("old"), target("many")].join(", "));
    repo.write("old", "new\n");
    repo.commit("new");
    fs::create_dir(sandbox.root()).unwrap();
    let mut command = sandbox.command("unshare", repo.path());
    let script = "mount -t tmpfs -o size=2m none \"$DEPLOY_ROOT\" || exit 99
                  git-dist --rev HEAD~1 || exit 98
                  git-dist; code=$?
                  cat \"$DEPLOY_ROOT/old\"; ls \"$DEPLOY_ROOT\" \"$DEPLOY_ROOT/versions\"; exit $code";
    let run = sandbox.run(command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]));
    if run.snapshot().starts_with("exit code: 99") || run.stderr().contains("unshare") {
        skipped(&format!("no filesystem can be mounted here: {}", run.stderr()));
        return;
    }
    run.code(1).says("error: not enough space at").prints("\nold\n[SANDBOX]/root:\nold\nversions\n");
}

/// Row 3.
#[test]
fn an_unwritable_versions_folder_changes_nothing() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    repo.dist([]).success();
    repo.write("tool", "two\n");
    repo.commit("two");
    let versions = sandbox.root().join("versions");
    fs::set_permissions(&versions, fs::Permissions::from_mode(0o555)).unwrap();
    let before = tree(sandbox.root());
    let is_root = rustix::process::getuid().is_root();
    // Permissions do not count for root; without its capabilities they do.
    let mut command = if is_root {
        let mut command = sandbox.command("setpriv", repo.path());
        command.args(["--inh-caps=-all", "--bounding-set=-all", "git-dist"]);
        command
    } else {
        sandbox.dist_command(repo.path())
    };
    sandbox.run(&mut command).code(1).says("versions");
    assert_eq!(tree(sandbox.root()), before);
    fs::set_permissions(&versions, fs::Permissions::from_mode(0o755)).unwrap();
    // Nor where it is no folder at all.
    fs::rename(&versions, sandbox.root().join("moved")).unwrap();
    fs::write(&versions, "a file\n").unwrap();
    let before = tree(sandbox.root());
    repo.dist([]).code(1).says("versions");
    assert_eq!(tree(sandbox.root()), before);
}

/// Row 4.
#[test]
fn a_second_run_waits_for_the_first_and_says_for_whom() {
    let sandbox = Sandbox::new();
    let path = sandbox.path().display();
    let wait = format!(
        "#!/bin/sh\ntouch '{path}/started'\n\
         for i in $(seq 400); do [ -e '{path}/go' ] && exit 0; sleep 0.05; done; exit 1\n"
    );
    sandbox.script("slow", &wait);
    let repo = sandbox.repo("project");
    for number in 0..FILES {
        repo.write(format!("many/{number:03}"), "one\n");
    }
    repo.manifest(&target_with("many", r#", "verify": ["slow"]"#));
    repo.commit("one");
    let other = repo.clone_to("other", []);
    let spawn = |repo: &Repo<'_>| {
        let mut command = sandbox.dist_command(repo.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let first = spawn(&repo);
    while !sandbox.path().join("started").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut second = spawn(&other);
    let mut told = String::new();
    let mut talk = BufReader::new(second.stderr.take().unwrap());
    talk.read_line(&mut told).unwrap();
    assert!(told.starts_with("waiting for `git dist deploy` of tester@"), "{told}");
    assert!(!sandbox.root().join("many").exists());
    fs::write(sandbox.path().join("go"), "").unwrap();
    assert!(first.wait_with_output().unwrap().status.success());
    assert!(second.wait_with_output().unwrap().status.success());
    for number in 0..FILES {
        assert_eq!(deployed(&sandbox, format!("many/{number:03}")), "one\n");
    }
    // The second found that all was done.
    assert_eq!(sandbox.history().len(), 1);
    assert_eq!(fs::read_dir(sandbox.root().join("versions")).unwrap().count(), 3);
}

/// Row 4: from the history's point of view one run comes after the other, whatever the moment.
#[test]
fn runs_at_the_same_time_do_not_get_into_each_others_way() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    repo.dist([]).success();
    let commits: Vec<String> = (0..4)
        .map(|number| {
            repo.write("tool", format!("{number}\n"));
            repo.commit("next")
        })
        .collect();
    let spawn = |commit: &String| {
        let mut command = sandbox.dist_command(repo.path());
        command.args(["--rev", commit]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = commits.iter().map(spawn).collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let numbers: Vec<u64> = sandbox.history().iter().map(|line| line["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    assert_eq!(sandbox.history()[4]["items"][0]["to"], sandbox.record("tool")["version"]);
    repo.dist(["verify", "--all"]).success();
}

/// Row 5.
#[test]
fn a_reader_never_finds_nothing() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(&target("many"));
    for text in ["one\n", "two\n"] {
        repo.write("many/file", text);
        repo.commit(text.trim_end());
        repo.dist([]).success();
    }
    let numbers = ["1", "2"];
    let (done, reads, missing) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let file = sandbox.root().join("many/file");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let read = fs::read_to_string(&file);
                if !read.is_ok_and(|text| text == "one\n" || text == "two\n") {
                    missing.fetch_add(1, Ordering::Relaxed);
                }
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 0..20 {
            repo.dist(["-t", "many", "-n", numbers[round % 2]]).success();
        }
        done.store(true, Ordering::Relaxed);
    });
    let (reads, missing) = (reads.into_inner(), missing.into_inner());
    assert!(reads > 1000, "{reads}");
    assert_eq!(missing, 0, "of {reads} reads");
}

/// Row 6.
#[test]
fn one_failing_target_holds_back_all() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let deploy = |text: &str, second: &str| -> Run {
        let targets = ["a", "b", "c"].map(|name| {
            repo.write(name, text);
            target_with(name, if name == "b" { second } else { "" })
        });
        repo.manifest(&targets.join(", "));
        repo.commit(text.trim_end());
        repo.dist([])
    };
    deploy("one\n", "").success();
    let before = tree(sandbox.root());
    let ways = [
        r#", "verify": ["exit 7"]"#,
        r#", "pipeline": { "break": { "script": "exit 7" } }"#,
        r#", "pipeline": { "break": { "func": "no_such_module.function" } }"#,
    ];
    for way in ways {
        deploy(&format!("two, {way}\n"), way).code(1).says("`b`");
        assert_eq!(tree(sandbox.root()), before, "{way}");
    }
    // What fails after the switch is undone; only the versions stay, marked bad.
    deploy("three\n", r#", "after": ["exit 7"]"#).code(3).says("`b`");
    for name in ["a", "b", "c"] {
        assert_eq!(deployed(&sandbox, name), "one\n");
        let info = deployed(&sandbox, format!(".{name}.dist"));
        assert!(info.contains(&format!("commit: {}\n", &repo.id("main~4")[..7])), "{info}");
    }
    deploy("four\n", "").success();
    for name in ["a", "b", "c"] {
        assert_eq!(deployed(&sandbox, name), "four\n");
    }
}
