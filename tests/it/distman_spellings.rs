//! distman's command line and settings, each with the meaning that it has there.

use std::fs;

use crate::support::{Repo, Sandbox, tree};

/// A repository with a plain target and one with wildcards, deployed in two versions each.
fn project(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.manifest(
        r#""lib": { "source": "lib/tool", "destination": "{DEPLOY_ROOT}/lib/tool" },
           "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#,
    );
    for text in ["one\n", "two\n"] {
        for path in ["lib/tool/file", "bin/a", "bin/b"] {
            repo.write(path, text);
        }
        repo.commit(text.trim_end());
        repo.dist([]).success();
    }
    repo
}

fn read(sandbox: &Sandbox, path: &str) -> String {
    let path = sandbox.root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Destinations of a dry run with these arguments, relative to the root or the sandbox.
fn planned(sandbox: &Sandbox, repo: &Repo<'_>, arguments: &[&str]) -> Vec<String> {
    let mut command = sandbox.dist_command(repo.path());
    let json = sandbox.run(command.args(["-d", "--json"]).args(arguments)).success().json();
    let path = |item: &serde_json::Value| {
        let path = item["destination"].as_str().unwrap();
        let short = path.strip_prefix(sandbox.root().to_str().unwrap()).map(|path| format!("ROOT{path}"));
        short.unwrap_or_else(|| path.replace(sandbox.path().to_str().unwrap(), "SANDBOX"))
    };
    json["items"].as_array().unwrap().iter().map(path).collect()
}

#[test]
fn source_and_dest_override_dist_json() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let out = sandbox.path().join("out");
    let out = out.to_str().unwrap();
    let absolute = repo.path().join("bin/a");
    let plan = |arguments: &[&str]| planned(&sandbox, &repo, arguments);
    // A source stands for the item that a target makes of it.
    for source in ["bin/a", "./bin/a", "bin//a/", "lib/../bin/a", absolute.to_str().unwrap()] {
        assert_eq!(plan(&["--source", source]), ["ROOT/bin/a"], "{source}");
        assert_eq!(plan(&["--source", source, "--dest", &format!("{out}/x")]), ["SANDBOX/out/x"], "{source}");
    }
    assert_eq!(plan(&["--source", "bin/a", "--dest", &format!("{out}/%1")]), ["SANDBOX/out/a"]);
    assert_eq!(plan(&["-t", "lib", "--dest", "{DEPLOY_ROOT}/other/lib"]), ["ROOT/other/lib"]);
    assert_eq!(plan(&["-t", "bin", "--dest", &format!("{out}/%1")]), ["SANDBOX/out/a", "SANDBOX/out/b"]);
    // A source that no target deploys needs a destination.
    assert_eq!(plan(&["--source", "lib", "--dest", &format!("{out}/lib")]), ["SANDBOX/out/lib"]);
    assert_eq!(plan(&["--source", "dist.json", "--dest", "out/here"]), ["SANDBOX/project/out/here"]);
    let before = tree(sandbox.path());
    repo.dist(["--source", "lib"]).code(1).says("no target deploys `lib`").says("`--dest PATH`");
    repo.dist(["--source", "nope", "--dest", "/x"]).code(1).says("`nope` is not in revision `HEAD`");
    repo.dist(["--dest", "/x"]).code(2).says("`--dest` needs `--source` or `--target`");
    repo.dist(["-t", "bin", "--dest", "/x"]).code(1).says("have one destination, `/x`");
    for outside in ["/etc/hostname", "../home", "bin/../../home"] {
        repo.dist(["--source", outside, "--dest", "/x"]).code(1).says(&format!("`{outside}` is outside of"));
    }
    assert_eq!(tree(sandbox.path()), before);
}

#[test]
fn source_and_dest_need_no_dist_json() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("bare-bones");
    repo.write("dir/file", "text\n");
    repo.write("*", "star\n");
    repo.commit("one");
    repo.dist(["--source", "dir", "--dest", "{DEPLOY_ROOT}/dir"]).success();
    assert_eq!(read(&sandbox, "dir/file"), "text\n");
    repo.dist(["--source", "*", "--dest", "{DEPLOY_ROOT}/star"]).success();
    assert_eq!(read(&sandbox, "star"), "star\n");
    repo.dist(["--source", "nope", "--dest", "/x"]).code(1).says("`nope` is not in");
    // Nor a repository.
    let folder = sandbox.open(sandbox.path().join("folder"));
    folder.write("dir/file", "plain\n");
    folder.dist(["--source", "dir", "--dest", "{DEPLOY_ROOT}/plain"]).success();
    assert_eq!(read(&sandbox, "plain/file"), "plain\n");
}

#[test]
fn location_is_for_every_spelling() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let home = sandbox.open(sandbox.home());
    let location = repo.path().to_str().unwrap();
    home.dist([location, "-s"]).success().prints("2.");
    home.dist([location, "-t", "lib", "-n", "1"]).success();
    assert_eq!(read(&sandbox, "lib/tool/file"), "one\n");
    home.dist([location, "--reset"]).success();
    assert_eq!(read(&sandbox, "lib/tool/file"), "two\n");
    home.dist(["--delete", "-y", "-t", "lib", "--", location]).success();
    assert!(!sandbox.root().join("lib/tool").exists());
    home.dist(["nowhere", "-s"]).code(1);
}

#[test]
fn spellings_that_contradict_each_other_are_refused() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let before = tree(sandbox.path());
    for arguments in [
        &["-n", "1", "-c", "abcd"][..],
        &["-n", "1", "--reset"],
        &["-c", "abcd", "--reset"],
        &["-s", "-n", "1"],
        &["-s", "--delete"],
        &["--delete", "--reset"],
    ] {
        let mut command = sandbox.dist_command(repo.path());
        sandbox.run(command.args(arguments)).code(2).says("cannot be used with");
        assert_eq!(tree(sandbox.path()), before, "{arguments:?}");
    }
}

#[test]
fn a_target_that_lacks_the_version_does_not_hold_back_the_others() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.write("bin/new", "new\n");
    repo.commit("three");
    repo.dist([]).success();
    repo.dist(["-n", "-1"]).success().says("warning: left as it is: `[SANDBOX]/root/bin/new`");
    assert_eq!(read(&sandbox, "bin/a"), "one\n");
    assert_eq!(read(&sandbox, "bin/new"), "new\n");
    repo.dist(["-n", "2"]).success();
    assert_eq!(read(&sandbox, "lib/tool/file"), "two\n");
    repo.dist(["-t", "lib", "bin", "--delete", "-n", "1"]).success().says("left as it is");
    repo.dist(["-n", "1"]).code(1).says("no version `1`");
    repo.dist(["-t", "bin", "-n", "77"]).code(1);
}

#[test]
fn version_only_makes_a_version_and_switches_nothing() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.write("lib/tool/file", "three\n");
    repo.commit("three");
    repo.dist(["--version-only", "-t", "lib"]).success();
    assert_eq!(read(&sandbox, "lib/tool/file"), "two\n");
    repo.dist(["-t", "lib", "-n", "3"]).success();
    assert_eq!(read(&sandbox, "lib/tool/file"), "three\n");
}

#[test]
fn missing_sources_are_passed_over_where_it_is_said() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a", "a\n");
    let targets = r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/a" },
                     "gone": { "source": "gone", "destination": "{DEPLOY_ROOT}/gone" }"#;
    repo.manifest(targets);
    repo.commit("one");
    for value in ["", "0", "false", "no", "maybe"] {
        repo.dist_with([("IGNORE_MISSING", value)], ["-d"]).code(1).says("source `gone` is not in");
    }
    for value in ["1", "true", "TRUE", "Yes"] {
        repo.dist_with([("IGNORE_MISSING", value)], ["-d"]).success().says("nothing matches `gone`");
    }
    repo.dist(["-d", "--ignore-missing"]).success();
    repo.write("distman.env", "all:\n  IGNORE_MISSING: yes\n");
    repo.commit("environment");
    repo.dist([]).success().says("nothing matches `gone`");
    repo.dist_with([("IGNORE_MISSING", "no")], ["-d"]).code(1);
}

#[test]
fn settings_come_from_the_environment_and_from_distman_env() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let home = sandbox.home();
    repo.write(
        "distman.env",
        "all:\n  DISTMAN_META_DIR: .state\n  DEPLOY_ROOT: ${HOME}/${ENV}\n  MAX_VERSIONS: 5\n",
    );
    repo.commit("environment");
    let mut command = sandbox.dist_command(repo.path());
    sandbox.run(command.env_remove("DEPLOY_ROOT").env("ENV", "dev")).success();
    assert!(home.join("dev/.state/epoch").is_file());
    assert!(home.join("dev/bin/a").is_file());
    let other = sandbox.path().join("other");
    let root = ("DEPLOY_ROOT", other.to_str().unwrap());
    repo.dist_with([("DISTMAN_META_DIR", ".given"), root], []).success();
    assert!(other.join(".given/epoch").is_file());
    let build = sandbox.path().join("build");
    repo.manifest(
        r#""a": { "source": "bin/a", "destination": "{DEPLOY_ROOT}/where",
                  "pipeline": { "where": { "script": "pwd > {output}; echo {output} >> {output}" } } }"#,
    );
    repo.commit("pipeline");
    repo.dist_with([("BUILD_DIR", build.to_str().unwrap())], []).success();
    assert!(read(&sandbox, "where").contains(&*build.to_string_lossy()), "{}", read(&sandbox, "where"));
    assert_eq!(fs::read_dir(&build).unwrap().count(), 0, "it is tidied up");
}

#[test]
fn what_is_not_committed_is_told_when_there_is_nothing_to_do() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let note = |arguments: &[&str]| {
        let mut command = sandbox.dist_command(repo.path());
        let run = sandbox.run(command.args(arguments)).success().says("nothing to do");
        run.stderr().lines().find(|line| line.starts_with("note: ")).map(ToOwned::to_owned)
    };
    repo.write("elsewhere", "new\n");
    repo.git(["config", "core.autocrlf", "true"]);
    assert_eq!(note(&["-v"]), None, "what is not deployed does not count");
    repo.write("lib/tool/file", "edited\n");
    assert_eq!(note(&[]), None, "nobody is there to read it");
    let text =
        "note: `lib/tool/file` is changed and not committed; `git dist --worktree` deploys it as it is";
    assert_eq!(note(&["-v"]).as_deref(), Some(text));
    assert_eq!(note(&["-v", "-t", "bin"]), None);
    assert_eq!(note(&["-v", "--rev", "main"]), None, "who names a revision means it");
    repo.write("bin/.hidden", "not matched\n");
    repo.write("lib/tool/sub/new", "new\n");
    let text = "note: `lib/tool/file` and 1 more is changed and not committed";
    assert!(note(&["-v"]).unwrap().starts_with(text), "{:?}", note(&["-v"]));
    let run = sandbox.dist_at_terminal(repo.path(), &[], "").success();
    assert!(run.stdout().contains("note: `lib/tool/file`"), "{}", run.snapshot());
}
