//! What has a say in who may sign, and what has none.

use std::fs;

use super::{Desk, is_there};

#[test]
fn what_a_repository_says_of_signatures_does_not_count() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    repo.write("signers", format!("tess@example.org {}\n", desk.public("eve")));
    let ran = desk.at("ran");
    let yes = format!(
        "#!/bin/sh\ntouch {}\necho 'Good \"git\" signature for tess with ED25519 key SHA256:x'\n\
         echo '[GNUPG:] GOODSIG 1 tess'\n",
        ran.display()
    );
    repo.executable("yes", yes);
    let evil = repo.path().join("signers").display().to_string();
    let program = repo.path().join("yes").display().to_string();
    repo.write(
        "tracked.conf",
        format!("[dist]\n\tallowedSigners = {evil}\n[gpg \"ssh\"]\n\tallowedSignersFile = {evil}\n"),
    );
    desk.commit_signed(&repo, "eve", "2\n");
    repo.git(["config", "extensions.worktreeConfig", "true"]);
    for (scope, key, value) in [
        ("--local", "gpg.ssh.allowedSignersFile", &*evil),
        ("--local", "gpg.ssh.program", &program),
        ("--local", "gpg.program", &program),
        ("--local", "gpg.format", "openpgp"),
        ("--local", "gpg.minTrustLevel", "undefined"),
        ("--local", "core.fsmonitor", &program),
        ("--local", "include.path", "../tracked.conf"),
        ("--worktree", "gpg.ssh.allowedSignersFile", &evil),
        ("--worktree", "dist.allowedSigners", &evil),
    ] {
        repo.git(["config", scope, key, value]);
    }
    repo.git(["config", &format!("includeIf.gitdir:{}/.path", repo.path().display()), "../tracked.conf"]);
    repo.dist([]).code(1).says("which `[SANDBOX]/signers` does not list");
    desk.assert_nothing_deployed();
    assert!(!ran.exists());
    desk.commit_signed(&repo, "tess", "3\n");
    // git itself asks the file system monitor.
    let _ = fs::remove_file(&ran);
    repo.dist([]).success();
    assert!(!ran.exists());
}

#[test]
fn a_repository_may_have_signers_of_its_own_outside_of_what_is_pushed() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    let line = format!("tess@example.org {}\n", desk.public("tess"));
    desk.commit_signed(&repo, "tess", "2\n");
    repo.dist([]).code(1).says("nothing says who may sign with SSH").says("gpg.ssh.allowedSignersFile FILE");
    for (value, said) in [
        ("signers", "`signers`, which `dist.allowedSigners` names, is no absolute path"),
        ("/nowhere/signers", "`/nowhere/signers`, which `dist.allowedSigners` names, cannot be read"),
    ] {
        repo.git(["config", "dist.allowedSigners", value]);
        repo.dist([]).code(1).says(said);
    }
    // Tracked or not: a push can write there. A link from elsewhere does not make it better.
    repo.write("signers", &line);
    std::os::unix::fs::symlink(repo.path().join("signers"), desk.at("link")).unwrap();
    for place in [repo.path().join("signers"), desk.at("link")] {
        repo.git(["config", "dist.allowedSigners", place.to_str().unwrap()]);
        repo.dist([]).code(1).says("lies in the working tree, where a push can change it");
    }
    desk.assert_nothing_deployed();
    // The one of the repository goes before git's.
    desk.allow("");
    repo.write(".git/signers", &line);
    repo.git(["config", "dist.allowedSigners", repo.path().join(".git/signers").to_str().unwrap()]);
    repo.dist([]).success();
    // The home folder may be named as everywhere.
    fs::write(desk.sandbox.home().join("signers"), &line).unwrap();
    repo.git(["config", "dist.allowedSigners", "~/signers"]);
    desk.commit_signed(&repo, "tess", "3\n");
    repo.dist([]).success();
}

#[test]
fn settings_on_the_command_line_count() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    repo.manifest(super::ANY);
    repo.commit("anybody");
    let signers = desk.at("these");
    fs::write(&signers, format!("tess@example.org {}\n", desk.public("tess"))).unwrap();
    let file = format!("gpg.ssh.allowedSignersFile={}", signers.display());
    let dist = |arguments: &[&str]| {
        let mut git = desk.sandbox.command("git", repo.path());
        desk.sandbox.run(git.args(["-c", "dist.requireSigned", "-c", &file, "dist"]).args(arguments))
    };
    dist(&[]).code(1).says("`dist.requireSigned` of the git configuration asks for a good signature");
    desk.commit_signed(&repo, "tess", "2\n");
    dist(&[]).success();
}

#[test]
fn a_setting_that_is_no_boolean_stops_everything() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    repo.manifest(super::ANY);
    repo.commit("anybody");
    repo.git(["config", "dist.requireSigned", "tag"]);
    repo.dist([])
        .code(1)
        .says("`dist.requireSigned` is `tag` in the git configuration: expected a boolean")
        .says("hint: `git config --show-origin --get-all dist.requireSigned`");
    repo.git(["config", "dist.requireSigned", "false"]);
    repo.dist([]).success();
    repo.manifest(&super::SIGNED_ONLY.replace("true", "\"tag\""));
    repo.commit("no boolean");
    repo.dist([]).code(1).says("the manifest of revision `HEAD` cannot be used");
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    desk.commit_signed(&repo, "tess", "2\n");
    let folder = desk.at("few");
    fs::create_dir(&folder).unwrap();
    let host = std::env::var_os("PATH").unwrap();
    let git =
        std::env::split_paths(&host).map(|folder| folder.join("git")).find(|path| path.exists()).unwrap();
    std::os::unix::fs::symlink(git, folder.join("git")).unwrap();
    let path = [("PATH", folder.to_str().unwrap())];
    repo.dist_with(path, [])
        .code(1)
        .says("caused by: cannot run `ssh-keygen`, which checks signatures")
        .says("hint: install OpenSSH, or mend PATH");
    repo.dist_with(path, ["doctor"]).code(1).prints("bad  signatures: `ssh-keygen` cannot be started");
    desk.assert_nothing_deployed();
}

#[test]
fn doctor_looks_at_what_signatures_rest_on() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    let file = desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    repo.dist(["doctor"]).success().prints("warn signatures: revision `HEAD` is not deployed: refused: ");
    desk.commit_signed(&repo, "tess", "2\n");
    repo.dist(["doctor"])
        .success()
        .prints("ok   signatures: revision `HEAD` is signed by tess@example.org (SHA256:");
    let chmod = |mode: &str, path: &std::path::Path| {
        let mut chmod = desk.sandbox.command("chmod", desk.sandbox.path());
        desk.sandbox.run(chmod.arg(mode).arg(path)).success();
    };
    // Nobody else gets there, or all do.
    chmod("go+w", &file);
    chmod("700", desk.sandbox.path());
    repo.dist(["doctor"]).success();
    chmod("755", desk.sandbox.path());
    repo.dist(["doctor"])
        .code(1)
        .prints("bad  signatures: others may write to `[SANDBOX]/signers`, and so decide who signs");
    repo.manifest(super::ANY);
    repo.commit("anybody");
    let quiet = repo.dist(["doctor"]).success();
    assert!(!quiet.stdout().contains("signatures"), "{}", quiet.stdout());
    assert!(is_there("git"));
}
