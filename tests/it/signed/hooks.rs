//! Hooks deploy only what passes, and never fail git.

use std::fs;

use super::{ANY, Desk, SIGNED_ONLY, is_there};
use crate::support::{Repo, Run};

/// `project`, and `clone` with hooks.
fn cloned(desk: &Desk) -> (Repo<'_>, Repo<'_>) {
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    let clone = repo.clone_to("clone", []);
    (repo, clone)
}

/// `git pull`, which a hook never makes fail.
#[track_caller]
fn pull(desk: &Desk, clone: &Repo<'_>) -> Run {
    let mut git = desk.sandbox.command("git", clone.path());
    desk.sandbox.run(git.args(["pull", "--quiet"])).success()
}

fn log(clone: &Repo<'_>) -> String {
    fs::read_to_string(clone.path().join(".git/dist/hook.log")).unwrap_or_default()
}

#[test]
fn a_refused_commit_is_logged_with_the_reason() {
    let Some(desk) = Desk::new() else { return };
    let (repo, clone) = cloned(&desk);
    clone.dist(["hook", "install"]).success().says("hooks deploy only what is signed (`dist.requireSigned`)");
    assert_eq!(clone.git(["config", "--local", "dist.requireSigned"]), "true");
    clone.dist(["hook", "status"]).success().prints("signatures    required");
    repo.write("tool", "2\n");
    repo.commit("unsigned");
    let short = &repo.id("HEAD")[..7];
    let said = format!("commit {short} is not signed");
    pull(&desk, &clone).says("NOT DEPLOYED").says(&said);
    assert!(log(&clone).contains("refused") && log(&clone).contains(&said), "{}", log(&clone));
    desk.commit_signed(&repo, "eve", "3\n");
    pull(&desk, &clone).says("NOT DEPLOYED").says("does not list");
    // A manifest that does not ask any more is no way round, in a fresh root neither.
    repo.manifest(ANY);
    repo.write("distman.env", "all:\n  DEPLOY_ROOT: ${DEPLOY_ROOT}/new\n");
    repo.write("tool", "4\n");
    repo.commit("dropped");
    pull(&desk, &clone).says("NOT DEPLOYED").says("`dist.requireSigned` of the git configuration");
    desk.assert_nothing_deployed();
    repo.remove("distman.env");
    repo.manifest(SIGNED_ONLY);
    desk.commit_signed(&repo, "tess", "5\n");
    pull(&desk, &clone).says("deployed");
    assert_eq!(fs::read_to_string(desk.at("root/tool")).unwrap(), "5\n");
    assert_eq!(desk.sandbox.history()[0]["signature"]["signer"], "tess@example.org");
}

#[test]
fn a_push_to_a_bare_repository_is_held_to_it_too() {
    let Some(desk) = Desk::new() else { return };
    let (repo, _) = cloned(&desk);
    let bare = desk.sandbox.repo_with("bare.git", ["--bare"]);
    bare.dist(["hook", "install"]).success();
    repo.git(["remote", "add", "bare", bare.path().to_str().unwrap()]);
    let push = || {
        let mut git = desk.sandbox.command("git", repo.path());
        desk.sandbox.run(git.args(["push", "--quiet", "--force", "bare", "main"])).success()
    };
    push().says("NOT DEPLOYED").says("is not signed");
    desk.assert_nothing_deployed();
    desk.sign_head(&repo, "tess");
    push().says("deployed");
    // What was deployed last asked for it.
    repo.manifest(ANY);
    repo.write("tool", "2\n");
    repo.commit("dropped");
    push().says("NOT DEPLOYED").says("as it was deployed last");
    assert_eq!(fs::read_to_string(desk.at("root/tool")).unwrap(), "1\n");
}

#[test]
fn what_is_pushed_starts_no_program() {
    let Some(desk) = Desk::new() else { return };
    if !is_there("gpg") {
        crate::support::skipped("there is no gpg; `apt-get install gnupg` lets this test run");
        return;
    }
    let repo = desk.sandbox.repo("project");
    repo.manifest(ANY);
    repo.write("tool", "1\n");
    repo.commit("one");
    let clone = repo.clone_to("clone", []);
    clone.dist(["hook", "install"]).success();
    let ran = desk.at("ran");
    let spy = desk.sandbox.script("spy", &format!("#!/bin/sh\necho \"$0 $*\" >>{}\nexit 1\n", ran.display()));
    for program in ["gpg", "ssh-keygen"] {
        fs::copy(&spy, desk.at("bin").join(program)).unwrap();
    }
    // Nothing of this is the pusher's; what chooses among it is.
    for (key, value) in
        [("diff.run.textconv", "spy"), ("diff.run.command", "spy"), ("merge.run.driver", "spy")]
    {
        clone.git(["config", key, value]);
    }
    clone.git(["config", "filter.named.smudge", "cat; : %f"]);
    repo.write(".gitattributes", "* diff=run merge=run\ntool export-subst\n*named filter=named\n");
    repo.write("tool", "$Format:%G? %GS %GK %GF$\n");
    repo.manifest(&ANY.replace("\"source\": \"tool\"", "\"source\": \".\""));
    repo.write("; touch ran; $(touch ran) `touch ran` named", "x\n");
    repo.write(".gitconfig", "[dist]\n\tallowCommands = true\n");
    repo.commit("two");
    let commit = super::head(&repo);
    let signature = "-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n";
    super::make_head(&desk, &repo, super::with_header(&commit, "gpgsig", signature).as_bytes());
    pull(&desk, &clone).says("deployed");
    assert!(desk.at("root/tool").is_dir());
    assert!(!ran.exists(), "{}", fs::read_to_string(&ran).unwrap());
    for folder in [clone.path(), &desk.at("root/tool"), &desk.at("root")] {
        assert!(!folder.join("ran").exists(), "{}", folder.display());
    }
}
