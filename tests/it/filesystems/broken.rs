//! A filesystem that stops in the middle of a run.

use std::fs;

use super::disk::{Kind, tool};
use super::{Lab, assert_tidy, on};
use crate::support::Repo;

/// A folder and a tool that are deployed once, and a second commit whose run starts `stop`, where `key` says: while it
/// is checked, or after the links were swapped.
fn project<'l>(lab: &'l Lab, key: &str) -> Repo<'l> {
    let repo = lab.sandbox.repo("project");
    for (text, command) in [("one", "true"), ("two", "stop")] {
        repo.write("lib/file", text);
        repo.write("tool", text);
        repo.manifest(&format!(
            r#""lib": {{ "source": "lib", "destination": "{{DEPLOY_ROOT}}/lib", "{key}": ["{command}"] }},
               "tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/tool" }}"#
        ));
        repo.commit(text);
        if command == "true" {
            repo.dist([]).success();
        }
    }
    repo
}

fn seen(lab: &Lab) -> [String; 2] {
    ["lib/file", "tool"].map(|path| fs::read_to_string(lab.at(path)).unwrap())
}

/// The run fails and says why, what is active can be read, and when the filesystem works again, all goes on.
fn stops(lab: &Lab, key: &str, script: &str, message: &str) {
    let repo = project(lab, key);
    lab.sandbox.script("stop", script);
    let run = lab.sandbox.run(&mut lab.sandbox.dist_command(repo.path()));
    assert!(
        ["exit code: 1\n", "exit code: 3\n"].iter().any(|code| run.snapshot().starts_with(code)),
        "{}",
        run.snapshot()
    );
    let run = run.says(message);
    assert!(run.stderr().contains("/root"), "{}", run.snapshot());
    lab.root.unmount();
    lab.root.mount().unwrap();
    // Links that could not be put back are put back by the next run.
    let after = seen(lab);
    assert!(after.iter().all(|text| text == "one" || text == "two"), "{after:?}");
    if key == "verify" {
        assert_eq!(after, ["one", "one"]);
    }
    repo.dist(["prune", "--keep", "0"]).success();
    assert_eq!(seen(lab), ["one", "one"]);
    lab.sandbox.script("stop", "#!/bin/sh\n");
    repo.dist(["-f"]).success();
    assert_eq!(seen(lab), ["two", "two"]);
    repo.dist(["verify", "--all"]).success();
    assert_tidy(lab);
}

/// As after an error of the disk: ext4 lets nobody write any more.
fn read_only(lab: &Lab, key: &str) {
    let script = format!("#!/bin/sh\necho 1 >/sys/fs/ext4/{}/trigger_fs_error\n", lab.root.device());
    stops(lab, key, &script, "Read-only file system");
}

#[test]
fn a_disk_that_becomes_read_only_while_a_version_is_checked() {
    let test = concat!(module_path!(), "::a_disk_that_becomes_read_only_while_a_version_is_checked");
    on(Kind::Ext4, test, |lab| read_only(lab, "verify"));
}

#[test]
fn a_disk_that_becomes_read_only_when_links_are_swapped() {
    let test = concat!(module_path!(), "::a_disk_that_becomes_read_only_when_links_are_swapped");
    on(Kind::Ext4, test, |lab| read_only(lab, "after"));
}

/// xfs stops, and writes nothing of what is in memory.
fn shut_down(lab: &Lab, key: &str) {
    let io =
        String::from_utf8(tool("sh").args(["-c", "command -v xfs_io"]).output().unwrap().stdout).unwrap();
    let script = format!("#!/bin/sh\n{} -x -c shutdown {}\n", io.trim(), lab.sandbox.root().display());
    stops(lab, key, &script, "Input/output error");
}

#[test]
fn a_disk_that_is_gone_while_a_version_is_checked() {
    let test = concat!(module_path!(), "::a_disk_that_is_gone_while_a_version_is_checked");
    on(Kind::Xfs, test, |lab| shut_down(lab, "verify"));
}

#[test]
fn a_disk_that_is_gone_when_links_are_swapped() {
    let test = concat!(module_path!(), "::a_disk_that_is_gone_when_links_are_swapped");
    on(Kind::Xfs, test, |lab| shut_down(lab, "after"));
}
