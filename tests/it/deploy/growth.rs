//! What a command looks at does not grow with what it is not about.

use std::fs;

use crate::support::{Repo, Sandbox, skipped};

/// The system calls of `git dist rollback` that name something in `versions/`; `None` where they cannot be told.
fn calls_of_a_rollback(sandbox: &Sandbox, repo: &Repo<'_>) -> Option<Vec<String>> {
    let trace = sandbox.path().join("tmp/trace");
    let mut command = sandbox.command("strace", repo.path());
    command.args(["-f", "-qq", "-y", "-o"]).arg(&trace).arg(env!("CARGO_BIN_EXE_git-dist")).arg("rollback");
    match command.output() {
        Ok(output) if output.status.success() => {
            let text = fs::read_to_string(&trace).unwrap();
            Some(text.lines().filter(|line| line.contains("/versions")).map(str::to_owned).collect())
        }
        result => {
            skipped(&format!("strace does not work here: {result:?}"));
            None
        }
    }
}

#[test]
fn a_rollback_looks_at_no_more_where_more_versions_are_stored() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#);
    let deploy = |numbers: std::ops::Range<usize>| {
        for number in numbers {
            repo.write("bin/a", format!("a {number}"));
            repo.write("bin/b", format!("b {number}"));
            repo.commit("more");
            repo.dist([]).success();
        }
    };
    deploy(0..3);
    let Some(few) = calls_of_a_rollback(&sandbox, &repo) else { return };
    deploy(3..20);
    let many = calls_of_a_rollback(&sandbox, &repo).unwrap();
    assert!(!few.is_empty());
    assert_eq!(few.len(), many.len(), "{}\n\n{}", few.join("\n"), many.join("\n"));
}
