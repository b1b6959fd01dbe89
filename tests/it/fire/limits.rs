//! What the system allows a process: sizes of files, open files, threads, stack.

use super::{assert_tidy, commit, root};
use crate::support::{Run, Sandbox};

/// Deploys over what is deployed after each of `limits`, commands of the shell, until it succeeds. Returns the runs
/// that did not, which changed nothing.
fn refused_under(limits: &[String]) -> Vec<Run> {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let more = r#", "pipeline": { "step": { "script": "true" } }, "verify": ["true"], "after": ["true"]"#;
    for (text, byte) in [("old", b'x'), ("new", b'y')] {
        repo.write("many/large", vec![byte; 600 << 10]);
        commit(&repo, 250, text, more);
        if text == "old" {
            repo.dist([]).success();
        }
    }
    let before = root(&sandbox);
    let mut refused = Vec::new();
    for limit in limits {
        let line = format!("{limit} && exec git-dist");
        let run = sandbox.run(sandbox.command("bash", repo.path()).args(["-c", &line]));
        if run.snapshot().starts_with("exit code: 0") {
            // What could not be opened to be removed is swept by now.
            assert_tidy(&sandbox);
            repo.dist(["verify"]).success();
            assert_eq!(sandbox.history().len(), 2);
            return refused;
        }
        assert_eq!(root(&sandbox).differences(&before), "", "{limit}: {}", run.snapshot());
        refused.push(run.says("error: "));
    }
    refused
}

/// The signal that comes with it would end the process.
#[test]
fn a_file_that_may_not_grow_is_an_error_and_not_the_end() {
    let limits = [0, 1, 200].map(|blocks| format!("ulimit -f {blocks}"));
    let refused = refused_under(&limits);
    assert_eq!(refused.len(), limits.len());
    for run in refused {
        run.code(1).says("File too large").says("hint: `ulimit -f`");
    }
}

#[test]
fn few_open_files_are_enough_or_told() {
    let limits = [8, 12, 16, 20, 24, 28, 32, 48, 64].map(|files| format!("ulimit -n {files}"));
    let refused = refused_under(&limits);
    assert!(refused.len() < limits.len(), "64 open files are not enough");
    for run in refused {
        run.code(1).says("Too many open files");
    }
}

#[test]
fn one_thread_is_enough() {
    // No address space holds such a stack.
    let refused = refused_under(&["export RUST_MIN_STACK=70368744177664".to_owned()]);
    assert!(refused.is_empty(), "{}", refused[0].snapshot());
}

#[test]
fn a_small_stack_is_enough() {
    let refused = refused_under(&["ulimit -s 256".to_owned()]);
    assert!(refused.is_empty(), "{}", refused[0].snapshot());
}

#[test]
fn destinations_in_many_folders_need_no_more_open_files() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(r#""conf": { "source": "conf/*/file", "destination": "{DEPLOY_ROOT}/%1/file" }"#);
    for text in ["one", "two"] {
        for number in 0..100 {
            repo.write(format!("conf/{number}/file"), format!("{text} {number}"));
        }
        repo.commit(text);
        repo.dist([]).success();
    }
    for line in ["show -v", "-d", "rollback", "use conf 2", "verify", "prune --keep 1", ""] {
        let line = format!("ulimit -n 40 && exec git-dist {line}");
        sandbox.run(sandbox.command("bash", repo.path()).args(["-c", &line])).success();
    }
}
