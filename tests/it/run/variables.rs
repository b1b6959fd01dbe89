//! The variables that a program is started with.

use std::fs;

use super::{TOOL, command, next, project, run};
use crate::support::{Repo, Run, Sandbox};

/// A repository that deployed `tool`, which prints its environment, with this distman.env.
fn with_environment<'s>(sandbox: &'s Sandbox, text: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    repo.manifest(TOOL);
    repo.executable("tool", "#!/bin/sh\nenv\n");
    repo.write("distman.env", text);
    repo.commit("first");
    repo.dist([]).success();
    repo
}

/// True if the program printed this line.
fn has(run: &Run, line: &str) -> bool {
    run.stdout().lines().any(|other| other == line)
}

#[track_caller]
fn assert_has(run: &Run, lines: &[&str]) {
    for line in lines {
        assert!(has(run, line), "no {line}: {}", run.snapshot());
    }
}

#[test]
fn variables_of_distman_env_are_set_and_those_of_the_process_come_first() {
    let sandbox = Sandbox::new();
    let repo = with_environment(
        &sandbox,
        "include: [more]\nall:\n  SITE: north\n  PYTHONPATH: ${DEPLOY_ROOT}/lib:${PYTHONPATH}\n  FROM: ${SITE}-${MORE}\n",
    );
    repo.write("more.env", "all:\n  MORE: included\n");
    repo.commit("more");
    repo.dist([]).success();
    let plain = run(&sandbox, ["tool"]).success();
    assert_has(&plain, &["SITE=north", "PYTHONPATH=[SANDBOX]/root/lib:", "FROM=north-included", "ENV=prod"]);
    let mut set = command(&sandbox, ["tool"]);
    set.env("SITE", "south").env("PYTHONPATH", "/mine").env("OTHER", "kept");
    let set = sandbox.run(&mut set).success();
    assert_has(
        &set,
        &["SITE=south", "PYTHONPATH=[SANDBOX]/root/lib:/mine", "FROM=south-included", "OTHER=kept"],
    );
}

#[test]
fn includes_along_envpath_are_read_when_it_is_started() {
    let sandbox = Sandbox::new();
    with_environment(&sandbox, "include: [site]\nall:\n  A: ${B}\n");
    let folder = sandbox.path().join("site");
    fs::create_dir(&folder).unwrap();
    for value in ["one", "two"] {
        fs::write(folder.join("site.env"), format!("all:\n  B: {value}\n")).unwrap();
        let run = sandbox.run(command(&sandbox, ["tool"]).env("ENVPATH", &folder)).success();
        assert_has(&run, &[&format!("A={value}")]);
    }
}

#[test]
fn a_program_is_found_on_the_path_that_was_deployed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.executable("bin dir/helper", "#!/bin/sh\necho helped \"$@\"\n");
    repo.manifest(r#""bin": { "source": "bin dir", "destination": "{DEPLOY_ROOT}/bin dir" }"#);
    repo.write("distman.env", "all:\n  PATH: ${DEPLOY_ROOT}/bin dir:${PATH}\n");
    repo.commit("first");
    repo.dist([]).success();
    run(&sandbox, ["bin", "--command", "helper", "--", "a b"]).success().prints("helped a b\n");
}

#[test]
fn a_program_knows_what_it_is() {
    let sandbox = Sandbox::new();
    let repo = with_environment(&sandbox, "all: {}\n");
    let version = sandbox.active("bin/tool");
    let run =
        sandbox.run(command(&sandbox, ["tool"]).env("GIT_DIR", "/nowhere").env("GIT_PREFIX", "x/")).success();
    let (commit, id) = (repo.id("HEAD"), &repo.id("HEAD")[..7]);
    assert_has(
        &run,
        &[
            "GIT_DIST_TARGET=tool",
            "GIT_DIST_DESTINATION=[SANDBOX]/root/bin/tool",
            "GIT_DIST_REV=HEAD",
            &format!("GIT_DIST_COMMIT={commit}"),
            &format!("GIT_DIST_VERSION=1.{id}"),
            &format!("GIT_DIST_VERSION_PATH=[SANDBOX]/root/bin/{version}"),
        ],
    );
    assert!(
        !run.stdout().contains("GIT_DIR=") && !run.stdout().contains("GIT_PREFIX="),
        "{}",
        run.snapshot()
    );
}

#[test]
fn who_goes_back_goes_back_to_the_variables_too() {
    let sandbox = Sandbox::new();
    let repo = with_environment(&sandbox, "all:\n  LIBRARY: one\n");
    repo.write("distman.env", "all:\n  LIBRARY: two\n");
    next(&repo, "#!/bin/sh\nenv #\n");
    assert_has(&run(&sandbox, ["tool"]).success(), &["LIBRARY=two"]);
    repo.dist(["rollback", "tool"]).success();
    assert_has(&run(&sandbox, ["tool"]).success(), &["LIBRARY=one"]);
    repo.dist(["use", "tool", "2"]).success();
    assert_has(&run(&sandbox, ["tool"]).success(), &["LIBRARY=two"]);
    // The next deploy decides again.
    repo.dist(["rollback", "tool"]).success();
    repo.write("distman.env", "all:\n  LIBRARY: three\n");
    next(&repo, "#!/bin/sh\nenv ##\n");
    assert_has(&run(&sandbox, ["tool"]).success(), &["LIBRARY=three"]);
}

#[test]
fn variables_that_changed_alone_count_from_the_next_deploy_on() {
    let sandbox = Sandbox::new();
    let repo = with_environment(&sandbox, "all:\n  LIBRARY: one\n");
    repo.write("distman.env", "all:\n  LIBRARY: two\n");
    repo.commit("only the environment");
    assert_has(&run(&sandbox, ["tool"]).success(), &["LIBRARY=one"]);
    repo.dist([]).success().says("nothing to do");
    assert_has(&run(&sandbox, ["tool"]).success(), &["LIBRARY=two"]);
}

#[test]
fn an_environment_that_cannot_be_used_starts_nothing() {
    let sandbox = Sandbox::new();
    with_environment(&sandbox, "all:\n  NEEDED: ${LICENSE:-none}\n  STRICT: ${TOKEN:-x}\n");
    let environments = sandbox.root().join(".distman/environments");
    let name = fs::read_dir(&environments).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&name).unwrap().replace("${TOKEN:-x}", "${TOKEN:?ask for one}");
    fs::write(&name, text).unwrap();
    run(&sandbox, ["tool"]).code(125).says("ask for one");
    fs::remove_file(&name).unwrap();
    run(&sandbox, ["tool"])
        .success()
        .says("warning: the environment that this version was deployed with is not kept");
}

#[test]
fn a_project_without_distman_env_has_the_defaults() {
    let sandbox = Sandbox::new();
    project(&sandbox, "#!/bin/sh\nenv\n");
    assert_has(&run(&sandbox, ["tool"]).success(), &["DEPLOY_ROOT=[SANDBOX]/root", "ENV=prod"]);
    assert!(!sandbox.root().join(".distman/environments").exists());
}
