//! What is started: which destination is meant, and which program of its version.

use std::fs;

use super::{TOOL, command, next, project, run};
use crate::support::Sandbox;

#[test]
fn a_file_is_started_from_its_version_and_knows_its_name() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\necho \"$0\"\n");
    let version = sandbox.active("bin/tool");
    run(&sandbox, ["tool"]).success().prints(&format!("[SANDBOX]/root/bin/{version}\n"));
    let path = sandbox.root().join("bin/tool");
    run(&sandbox, [path.to_str().unwrap()]).success().prints(&version);
}

#[test]
fn a_folder_has_a_program_that_is_called_like_it_or_named_by_the_manifest() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.executable("one/bin/one", "#!/bin/sh\necho in bin\n");
    repo.executable("one/one", "#!/bin/sh\necho not this\n");
    repo.executable("two/two", "#!/bin/sh\necho beside\n");
    repo.write("three/__main__.py", "import sys; print('python', *sys.argv[1:])\n");
    repo.executable("four/tools/go", "#!/bin/sh\nprintf '<%s>' \"$@\"; echo\n");
    repo.write("five/readme", "nothing to start\n");
    repo.write("six/six", "not executable\n");
    let target = |name: &str, more: &str| {
        format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}"{more} }}"#)
    };
    let plain = ["one", "two", "three", "five", "six"].map(|name| target(name, ""));
    let four = target("four", r#", "run": ["tools/go", "a b", "$HOME"]"#);
    repo.manifest(&[&plain.join(", "), &*four].join(", "));
    repo.commit("first");
    repo.dist([]).success();
    run(&sandbox, ["one"]).success().prints("in bin\n");
    run(&sandbox, ["two"]).success().prints("beside\n");
    run(&sandbox, ["three", "--", "x"]).success().prints("python x\n");
    run(&sandbox, ["four", "--", "last"]).success().prints("<a b><$HOME><last>\n");
    let nothing =
        run(&sandbox, ["five"]).code(127).says("there is no `bin/five` and no `five` and no `__main__.py`");
    nothing.says("hint: `\"run\"` in dist.json names the program");
    run(&sandbox, ["six"]).code(126).says("/six` is not executable");
    run(&sandbox, ["five", "--command", "cat", "--", "/dev/null"]).success();
    run(&sandbox, ["five", "--command", "no-such-program"]).code(127).says("cannot start `no-such-program`");
}

#[test]
fn the_manifest_names_no_program_outside_of_the_version() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.executable("tool/go", "#!/bin/sh\n");
    for program in ["../go", "/bin/sh", "", "./"] {
        repo.manifest(&format!(
            r#""tool": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/tool", "run": ["{program}"] }}"#
        ));
        repo.commit("next");
        repo.dist([]).code(1).says("`run` of target `tool`");
    }
}

#[test]
fn an_item_of_a_wildcard_target_is_started_by_its_name_or_path() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.executable("bin/one", "#!/bin/sh\necho one\n");
    repo.executable("bin/two", "#!/bin/sh\necho two\n");
    repo.manifest(r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#);
    repo.commit("first");
    repo.dist([]).success();
    run(&sandbox, ["two"]).success().prints("two\n");
    run(&sandbox, [sandbox.root().join("bin/one").to_str().unwrap()]).success().prints("one\n");
    run(&sandbox, ["bin"]).code(125).says("`bin` may be `[SANDBOX]/root/bin/").says("hint: name one of them");
    // The items are not written down: another 10,000 of them would not change it.
    let record = fs::read_to_string(sandbox.root().join(".distman/launch.json")).unwrap();
    assert!(!record.contains("one") && !record.contains("two"), "{record}");
}

#[test]
fn what_is_not_there_is_told_with_an_exit_code_of_its_own() {
    let sandbox = Sandbox::new();
    run(&sandbox, ["tool"]).code(127).says("nothing called `tool` is deployed to `[SANDBOX]/root`");
    let repo = project(&sandbox, "#!/bin/sh\n");
    run(&sandbox, ["toll"]).code(127).says("hint: did you mean `tool`?");
    let version = sandbox.root().join("bin").join(sandbox.active("bin/tool"));
    fs::rename(&version, version.with_file_name("away")).unwrap();
    run(&sandbox, ["tool"]).code(127).says("is gone");
    fs::rename(version.with_file_name("away"), &version).unwrap();
    repo.dist(["delete", "-y", "tool"]).success();
    run(&sandbox, ["tool"]).code(127).says("nothing called `tool` is deployed");
    assert_eq!(
        fs::read_to_string(sandbox.root().join(".distman/launch.json")).unwrap().matches("tool").count(),
        0
    );
}

#[test]
fn in_a_project_its_own_root_is_looked_at_after_that_of_the_environment() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(TOOL);
    repo.write("distman.env", format!("all:\n  DEPLOY_ROOT: {}/other\n", sandbox.path().display()));
    repo.executable("tool", "#!/bin/sh\necho here\n");
    repo.commit("first");
    let here = |arguments: &[&str]| {
        sandbox.run(sandbox.dist_command(repo.path()).env_remove("DEPLOY_ROOT").args(arguments))
    };
    here(&[]).success();
    here(&["run", "tool"]).success().prints("here\n");
    let elsewhere = command(&sandbox, ["tool"]).env_remove("DEPLOY_ROOT").output().unwrap();
    assert_eq!(elsewhere.status.code(), Some(127));
    let both = here(&["run", "toll"]).code(127);
    both.says("is deployed to `[SANDBOX]/home/.local/pipe/prod` or `[SANDBOX]/other`");
}

#[test]
fn without_a_launch_record_the_history_knows_and_the_next_deploy_writes_one() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "#!/bin/sh\necho old\n");
    let record = sandbox.root().join(".distman/launch.json");
    fs::remove_file(&record).unwrap();
    run(&sandbox, ["tool"]).success().prints("old\n");
    for text in ["", "{", "[]", r#"{"manifests":[{"origin":3}]}"#, "\0\0"] {
        fs::write(&record, text).unwrap();
        run(&sandbox, ["tool"]).success().prints("old\n");
    }
    fs::remove_file(&record).unwrap();
    repo.dist([]).success().says("nothing to do");
    assert!(record.is_file());
    next(&repo, "#!/bin/sh\necho new\n");
    run(&sandbox, ["tool"]).success().prints("new\n");
}

#[test]
fn a_launch_record_leads_to_nothing_but_versions() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\necho mine\n");
    let elsewhere = sandbox.script("elsewhere", "#!/bin/sh\necho elsewhere\n");
    let record = sandbox.root().join(".distman/launch.json");
    for path in [
        elsewhere.to_str().unwrap(),
        "../bin/elsewhere",
        "",
        "/",
        ".distman/launch.json",
        "bin/versions/tool",
    ] {
        let text = format!(
            r#"{{"format":1,"manifests":[{{"origin":"o","manifest":"m","targets":{{"tool":{{"destination":"{path}"}}}}}}]}}"#
        );
        fs::write(&record, text).unwrap();
        let run = run(&sandbox, ["tool"]);
        assert!(!run.stdout().contains("elsewhere"), "{path}: {}", run.snapshot());
    }
}

#[test]
fn a_dry_run_shows_what_would_be_started() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\necho started\n");
    let shown = run(&sandbox, ["-d", "tool", "--", "a b"]).success();
    assert_eq!(shown.stdout(), format!("[SANDBOX]/root/bin/{} 'a b'\n", sandbox.active("bin/tool")));
    let json = run(&sandbox, ["-d", "--json", "tool", "--", "a b"]).success().json();
    assert_eq!(json["command"][1], "a b");
    assert_eq!(json["variables"]["GIT_DIST_TARGET"], "tool");
}
