//! Nobody reads what a run prints, or it cannot be written: the rollout is whole all the same.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;

use super::{assert_tidy, commit, end};
use crate::support::{Sandbox, skipped};

#[test]
fn a_reader_that_goes_away_does_not_stop_a_rollout() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for (number, arguments) in [&["-v"][..], &["--json"]].into_iter().enumerate() {
        commit(&repo, 3, &format!("{number}"), "");
        let (out, err) = (std::io::pipe().unwrap(), std::io::pipe().unwrap());
        drop((out.0, err.0));
        let mut command = sandbox.dist_command(repo.path());
        let child = command.args(arguments).stdout(out.1).stderr(err.1).spawn().unwrap();
        assert_eq!(end(child).0, Some(0));
        assert_eq!(sandbox.history().len(), number + 1);
        assert_tidy(&sandbox);
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let show = sandbox.dist_command(repo.path()).arg("show").stdout(writer).stderr(Stdio::piped()).spawn();
    assert_eq!(end(show.unwrap()), (Some(0), String::new()));
}

#[test]
fn closed_outputs_do_not_stop_a_rollout() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for (number, line) in ["git-dist >&-", "git-dist 2>&-", "git-dist <&- >&- 2>&-"].into_iter().enumerate() {
        commit(&repo, 3, &format!("{number}"), "");
        sandbox.run(sandbox.command("sh", repo.path()).args(["-c", line])).success();
        assert_eq!(sandbox.history().len(), number + 1);
        assert_tidy(&sandbox);
    }
    repo.dist(["verify", "--all"]).success();
}

/// What was done is done, which its exit code says; a program that wanted to read about it learns why it cannot.
#[test]
fn a_report_that_cannot_be_written_is_told_and_the_rollout_counts() {
    if !Path::new("/dev/full").exists() {
        return skipped("this system has no `/dev/full`");
    }
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let to_nowhere = |arguments: &[&str]| {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = sandbox.dist_command(repo.path());
        end(command.args(arguments).stdout(full).stderr(Stdio::piped()).spawn().unwrap())
    };
    let told = "the report cannot be written: No space left on device";
    commit(&repo, 3, "one", "");
    let (code, said) = to_nowhere(&["--json"]);
    assert!(code == Some(0) && said.contains(told), "{code:?}: {said}");
    commit(&repo, 3, "two", "");
    let (code, said) = to_nowhere(&[]);
    assert!(code == Some(0) && said.contains(told), "{code:?}: {said}");
    let (code, said) = to_nowhere(&["rollback", "--json"]);
    assert!(code == Some(0) && said.contains(told), "{code:?}: {said}");
    assert_eq!(sandbox.history().len(), 3);
    // Where the output is all that was asked for, it is a failure.
    for arguments in [&["show"][..], &["show", "--json"], &["log"], &["-d"]] {
        let (code, said) = to_nowhere(arguments);
        assert!(
            code == Some(1) && said.contains("cannot write the output"),
            "{arguments:?}: {code:?}: {said}"
        );
    }
}
