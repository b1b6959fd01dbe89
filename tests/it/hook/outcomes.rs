//! How deployments from a hook end, and that git never fails because of them.

use std::fs;

use super::clones::Clones;
use crate::support::skipped;

#[test]
fn a_rolled_back_version_stays_rolled_back_until_newer_content_comes() {
    let clones = Clones::installed(&[]);
    clones.dist("clone", &[]).success();
    clones.pull("tool", "2");
    let before = clones.id("clone", "HEAD~1");
    clones.dist("clone", &["rollback", "-m", "2 is slow"]).success();
    clones.assert_active("clone", &before);

    clones.git("colleague", &["commit", "-q", "--allow-empty", "-m", "same content"]);
    clones.git("colleague", &["push", "-q"]);
    let said = clones.git("clone", &["pull", "-q"]);
    clones.assert_active("clone", &before);
    assert!(said.contains("NOT DEPLOYED"), "{said}");
    assert!(said.contains("2 is slow"), "{said}");
    assert_eq!(clones.status("clone", "post-merge")["last"]["result"], "refused");

    clones.pull("tool", "3");
    clones.assert_active("clone", "HEAD");
}

#[test]
fn a_rolled_back_target_does_not_hold_back_the_others() {
    let clones = Clones::new();
    clones.manifest(
        r#"{ "targets": {
            "one": { "source": "one", "destination": "{DEPLOY_ROOT}/one" },
            "two": { "source": "two", "destination": "{DEPLOY_ROOT}/two" } } }"#,
    );
    clones.commit("colleague", "one", "1");
    clones.upstream_commit("two", "1");
    clones.git("clone", &["pull", "-q"]);
    clones.install(&[]);
    clones.dist("clone", &[]).success();
    clones.pull("one", "2");
    clones.dist("clone", &["rollback", "one"]).success();
    let said = clones.pull("two", "2");
    let read = |name: &str| fs::read_to_string(clones.sandbox.root().join(name)).unwrap();
    assert_eq!((read("one"), read("two")), ("1".to_owned(), "2".to_owned()), "{said}");
    assert!(said.contains("deployed") && said.contains("left alone"), "{said}");
}

#[test]
fn a_failing_deployment_does_not_fail_git() {
    let clones = Clones::installed(&[]);
    fs::create_dir(clones.sandbox.root()).unwrap();
    fs::write(clones.sandbox.root().join("versions"), "in the way").unwrap();
    let said = clones.pull("tool", "2");
    assert!(said.contains("DEPLOY FAILED"), "{said}");
    let last = &clones.status("clone", "post-merge")["last"];
    assert_eq!(last["result"], "failed");
    assert!(last["message"].as_str().unwrap().contains("versions"), "{last}");
    assert_eq!(last["commit"], clones.id("clone", "HEAD"));
    assert!(clones.log().contains("post-merge failed"), "{}", clones.log());

    fs::remove_file(clones.sandbox.root().join("versions")).unwrap();
    clones.pull("tool", "3");
    clones.assert_active("clone", "HEAD");
}

#[test]
fn what_stands_at_a_destination_is_never_moved_aside() {
    let clones = Clones::installed(&[]);
    fs::create_dir(clones.sandbox.root()).unwrap();
    fs::write(clones.sandbox.root().join("site"), "precious").unwrap();
    let said = clones.pull("tool", "2");
    assert!(said.contains("NOT DEPLOYED") && said.contains("hint: `git dist --adopt`"), "{said}");
    assert_eq!(fs::read_to_string(clones.sandbox.root().join("site")).unwrap(), "precious");
    assert_eq!(clones.status("clone", "post-merge")["last"]["result"], "refused");
}

#[test]
fn a_source_that_is_gone_or_a_broken_manifest_is_told() {
    let clones = Clones::installed(&[]);
    clones
        .manifest(r#"{ "targets": { "gone": { "source": "gone", "destination": "{DEPLOY_ROOT}/gone" } } }"#);
    let said = clones.pull("tool", "2");
    assert!(said.contains("target `gone`: source `gone` is not in revision `main`"), "{said}");
    clones.manifest("{");
    let said = clones.pull("tool", "3");
    assert!(said.contains("the manifest of revision `main` cannot be used"), "{said}");
    assert_eq!(clones.deployed(), [""; 0]);
}

#[test]
fn a_commit_without_a_manifest_is_passed_over_quietly() {
    let clones = Clones::installed(&[]);
    clones.repo("colleague").remove("dist.json");
    let said = clones.pull("tool", "2");
    assert_eq!(said, "");
    clones.assert_nothing_deployed();
    let status = clones.status("clone", "post-merge");
    assert_eq!(status["last"]["result"], "skipped");
    assert!(status["last"]["message"].as_str().unwrap().contains("there is no `dist.json`"), "{status}");
    assert_eq!(status["last_deployment"], status["last"], "not for ever `started`");
}

#[test]
fn content_that_is_active_already_is_left_as_it_is() {
    let clones = Clones::installed(&[]);
    clones.pull("tool", "2");
    let stamp = || fs::read(clones.sandbox.root().join(".distman/epoch")).unwrap();
    let before = stamp();
    clones.git("colleague", &["commit", "-q", "--allow-empty", "-m", "same content"]);
    clones.git("colleague", &["push", "-q"]);
    let said = clones.git("clone", &["pull", "-q"]);
    assert!(said.contains("git dist: post-merge: unchanged "), "{said}");
    assert_eq!(stamp(), before);
    clones.assert_active("clone", "HEAD~1");
}

#[test]
fn only_the_configured_targets_are_deployed() {
    let clones = Clones::new();
    clones.manifest(
        r#"{ "targets": {
            "one": { "source": "one", "destination": "{DEPLOY_ROOT}/one" },
            "two": { "source": "two", "destination": "{DEPLOY_ROOT}/two" } } }"#,
    );
    clones.commit("colleague", "one", "1");
    clones.upstream_commit("two", "1");
    clones.git("clone", &["pull", "-q"]);
    clones.dist("clone", &["hook", "install", "-t", "tow"]).code(1).says("no target matches `tow`");
    clones.install(&["-t", "two"]);
    clones.pull("more", "1");
    assert!(clones.sandbox.root().join("two").exists());
    assert!(!clones.sandbox.root().join("one").exists());
}

#[test]
fn a_manifest_in_a_folder_is_the_one_of_the_installation() {
    let clones = Clones::new();
    let manifest = r#"{ "targets": { "in": { "source": "file", "destination": "{DEPLOY_ROOT}/in" } } }"#;
    clones.repo("colleague").write("deep/dist.json", manifest);
    clones.upstream_commit("deep/file", "1");
    clones.git("clone", &["pull", "-q"]);
    clones.install_in("clone/deep", &[]);
    clones.pull("deep/file", "2");
    assert_eq!(fs::read_to_string(clones.sandbox.root().join("in")).unwrap(), "2");
    assert!(!clones.sandbox.root().join("site").exists());

    clones.install(&[]);
    clones.pull("deep/file", "3");
    assert_eq!(fs::read_to_string(clones.sandbox.root().join("in")).unwrap(), "2");
    clones.assert_active("clone", "HEAD");
}

#[test]
fn a_broken_setting_deploys_nothing_and_is_told() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["config", "dist.requireSigned", "maybe"]);
    let said = clones.pull("tool", "2");
    clones.assert_nothing_deployed();
    assert!(said.contains("`dist.requireSigned` is `maybe`"), "{said}");
    assert!(clones.log().contains("`dist.requireSigned` is `maybe`"), "{}", clones.log());
}

#[test]
fn auto_false_turns_hooks_off() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["config", "dist.auto", "false"]);
    let said = clones.pull("tool", "2");
    clones.assert_nothing_deployed();
    assert!(said.contains("`dist.auto` is false"), "{said}");
}

#[test]
fn the_deployment_sees_none_of_gits_local_variables() {
    let clones = Clones::installed(&[]);
    let hook = clones.at("clone/.git/hooks/post-merge");
    let spy = clones.sandbox.script("spy", "#!/bin/sh\nenv >\"$OUT/environment\"\nexec git-dist \"$@\"\n");
    let text = fs::read_to_string(&hook).unwrap();
    fs::write(&hook, text.replace(super::clones::BINARY, spy.to_str().unwrap())).unwrap();
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["-c", "dist.target=none", "pull", "-q"]);
    clones.assert_deployed("HEAD");
    let environment = clones.heard("environment");
    for name in clones.ask("clone", &["rev-parse", "--local-env-vars"]).lines() {
        assert!(!environment.lines().any(|line| line.starts_with(&format!("{name}="))), "{name}");
    }
}

#[test]
fn only_the_repositorys_own_file_allows_commands() {
    let clones = Clones::installed(&[]);
    clones.manifest(
        r#"{ "targets": { "site": { "source": ".", "destination": "{DEPLOY_ROOT}/site", "after": ["true"] } } }"#,
    );
    fs::write(clones.at("clone/tracked.conf"), "[dist]\n\tallowCommands = true\n").unwrap();
    clones.git("clone", &["config", "--global", "dist.allowCommands", "true"]);
    clones.git("clone", &["config", "include.path", "../tracked.conf"]);
    let is_allowed = |text: &str| !clones.pull("tool", text).contains("runs commands (`after`)");
    assert!(!is_allowed("2"));
    clones.assert_nothing_deployed();
    clones.dist("clone", &["hook", "install"]).success().says("as long as target `site` runs `after`");
    assert!(!is_allowed("3"), "nobody was asked");
    clones.install(&["--allow-commands"]);
    assert!(is_allowed("4"));
    clones.uninstall();
    clones.install(&[]);
    assert!(!is_allowed("5"), "the permission goes with the hooks");
}

#[test]
fn whoever_can_push_runs_no_program() {
    for (target, is_deployed) in [
        (r#""verify": ["touch $OUT/ran"]"#, false),
        (r#""after": ["touch $OUT/ran"]"#, false),
        (r#""pipeline": { "x": { "script": "touch $OUT/ran" } }"#, false),
        (r#""pipeline": { "x": { "func": "os.getpid" } }"#, false),
        (r#""pipeline": { "x": { "func": "byte_compile", "env": { "PATH": "." } } }"#, false),
        (r#""pipeline": { "x": { "func": "chmod", "options": { "mode": "755" } } }"#, true),
        (r#""pipeline": {}"#, true),
    ] {
        let clones = Clones::installed(&[]);
        clones.manifest(&format!(
            r#"{{ "targets": {{ "site": {{ "source": ".", "destination": "{{DEPLOY_ROOT}}/site", {target} }} }} }}"#
        ));
        let said = clones.pull("tool", "2");
        assert_eq!(said.contains("deployed"), is_deployed, "{target}: {said}");
        assert_eq!(said.contains("runs commands ("), !is_deployed, "{target}: {said}");
        assert!(!clones.at("out/ran").exists(), "{target}");
    }
}

#[test]
fn a_failing_after_undoes_the_deployment_and_is_told() {
    let clones = Clones::installed(&["--allow-commands"]);
    let manifest = |after: &str| {
        clones.manifest(&format!(
            r#"{{ "targets": {{ "site": {{ "source": ".", "destination": "{{DEPLOY_ROOT}}/site", "after": ["{after}"] }} }} }}"#
        ));
    };
    manifest("touch $OUT/ran");
    clones.pull("tool", "2");
    clones.assert_deployed("HEAD");
    assert!(clones.at("out/ran").exists());
    manifest("echo no database; exit 7");
    let said = clones.pull("tool", "3");
    assert!(said.contains("DEPLOY FAILED") && said.contains("    no database\n"), "{said}");
    clones.assert_active("clone", "HEAD~1");
    let last = &clones.status("clone", "post-merge")["last"];
    assert_eq!(last["result"], "failed");
    assert!(!last["message"].as_str().unwrap().contains('\n'), "one line: {last}");
    let log = clones.log();
    assert!(log.contains("    no database\n") && log.contains("ran again for what is active now"), "{log}");
}

#[test]
fn a_commit_without_a_good_signature_is_refused_where_one_is_required() {
    let clones = Clones::installed(&[]);
    let key = clones.at("key").display().to_string();
    let keygen = ["-q", "-t", "ed25519", "-N", "", "-f", &key];
    if clones.command("ssh-keygen", ".", &keygen).status().is_err() {
        skipped("there is no ssh-keygen; `apt-get install openssh-client` lets this test run");
        return;
    }
    let public = fs::read_to_string(clones.at("key.pub")).unwrap();
    fs::write(clones.at("signers"), format!("tess@example.org {public}")).unwrap();
    for (repository, setting, value) in [
        ("clone", "dist.allowedSigners", clones.at("signers").to_str().unwrap()),
        ("clone", "dist.requireSigned", "true"),
        ("colleague", "gpg.format", "ssh"),
        ("colleague", "user.signingKey", &key),
    ] {
        clones.git(repository, &["config", setting, value]);
    }
    let said = clones.pull("tool", "2");
    assert!(said.contains("NOT DEPLOYED") && said.contains("is not signed"), "{said}");
    clones.assert_nothing_deployed();
    clones.git("colleague", &["config", "commit.gpgSign", "true"]);
    clones.pull("tool", "3");
    clones.assert_deployed("HEAD");
}
