//! SSH signatures: who is in the file of allowed signers, for what, and until when.

use std::fs;

use super::{Desk, head, make_head, with_header};

#[test]
fn only_what_an_allowed_signer_signed_is_deployed() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    let refused = repo.dist([]).code(1);
    let short = &repo.id("HEAD")[..7];
    assert_eq!(
        refused.stderr(),
        format!(
            "error: refused: the option `require_signed` of dist.json asks for a good signature\n  \
             caused by: commit {short} is not signed\n\
             hint: `git commit --amend --no-edit -S` signs the last commit, `git tag -s NAME` a revision\n"
        )
    );
    repo.dist(["--dry-run"]).code(1).says("is not signed");
    repo.dist(["-f", "-y"]).code(1).says("is not signed");
    desk.commit_signed(&repo, "eve", "2\n");
    repo.dist([])
        .code(1)
        .says("is signed with the key SHA256:")
        .says("which `[SANDBOX]/signers` does not list");
    desk.assert_nothing_deployed();
    desk.commit_signed(&repo, "tess", "3\n");
    repo.dist([]).success();
    let signature = &desk.sandbox.record("tool")["signature"];
    assert_eq!(signature["on"], "commit");
    assert_eq!(signature["format"], "ssh");
    assert_eq!(signature["signer"], "tess@example.org");
    let key = signature["key"].as_str().unwrap();
    assert!(key.starts_with("SHA256:"), "{key}");
    assert_eq!(desk.sandbox.history()[0]["signature"], *signature);
    let told = format!("signed by tess@example.org ({key})");
    repo.dist(["show", "-vv"]).success().prints(&told);
    repo.dist(["log"]).success().prints(&told);
}

#[test]
fn keys_count_as_of_today_whatever_date_a_commit_has() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    let key = format!("user.signingKey={}", desk.key("tess").display());
    let sign = ["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "--amend", "--no-edit", "-S"];
    let mut git = desk.sandbox.command("git", repo.path());
    let date = "2019-06-01T12:00:00Z";
    desk.sandbox.run(git.env("GIT_COMMITTER_DATE", date).args(sign).args(["--date", date])).success();
    let line = |options: &str| format!("tess@example.org {options} {}\n", desk.public("tess"));
    desk.allow(&line(r#"valid-before="20200101Z""#));
    repo.dist([]).code(1).says("which expired on 2020-01-01T00:00:00 (`[SANDBOX]/signers`)");
    desk.allow(&line(r#"valid-after="20990101Z""#));
    repo.dist([]).code(1).says("which is not valid before 2099-01-01T00:00:00");
    desk.assert_nothing_deployed();
    desk.allow(&line(r#"valid-after="20200101Z",valid-before="20990101Z",namespaces="git""#));
    repo.dist([]).success();
}

#[test]
fn a_revoked_key_signs_nothing() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    let list = desk.at("revoked");
    desk.allow(&format!(
        "tess@example.org {}\nbob@example.org {}\n",
        desk.public("tess"),
        desk.public("bob")
    ));
    desk.global("gpg.ssh.revocationFile", list.to_str().unwrap());
    desk.commit_signed(&repo, "tess", "2\n");
    repo.dist([]).code(1).says("`[SANDBOX]/revoked`, which `gpg.ssh.revocationFile` names, cannot be read");
    fs::write(&list, desk.public("tess")).unwrap();
    repo.dist([]).code(1).says("which `[SANDBOX]/revoked` revokes");
    desk.assert_nothing_deployed();
    desk.commit_signed(&repo, "bob", "2\n");
    repo.dist([]).success();
}

#[test]
fn a_signature_is_for_git_and_nothing_else() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    let line = |options: &str| format!("tess@example.org {options} {}\n", desk.public("tess"));
    desk.allow(&line(r#"namespaces="file""#));
    desk.commit_signed(&repo, "tess", "2\n");
    repo.dist([]).code(1).says("which `[SANDBOX]/signers` lists, but not for git");
    repo.commit("three");
    let commit = head(&repo);
    let signature = desk.signature(&desk.key("tess"), "file", commit.as_bytes());
    make_head(&desk, &repo, with_header(&commit, "gpgsig", &signature).as_bytes());
    for options in ["", r#"namespaces="file""#] {
        desk.allow(&line(options));
        repo.dist([]).code(1).says("is not one of git, but for another use");
    }
    desk.assert_nothing_deployed();
}

#[test]
fn an_authority_vouches_for_its_certificates() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("*@example.org cert-authority {}\n", desk.public("authority")));
    let commit = head(&repo);
    let authority = desk.key("authority");
    for (authority, principal, validity, said) in [
        (&authority, "tess@example.org", "-1d:+1d", None),
        (&authority, "tess@example.net", "-1d:+1d", Some("does not list")),
        (&authority, "tess@example.org", "-2d:-1d", Some("signers`")),
        (&desk.key("eve"), "tess@example.org", "-1d:+1d", Some("does not list")),
    ] {
        let mut keygen = desk.sandbox.command("ssh-keygen", &desk.at("keys"));
        keygen.args(["-q", "-I", "id", "-n", principal, "-V", validity, "-s", authority.to_str().unwrap()]);
        desk.key("tess");
        desk.sandbox.run(keygen.arg("tess.pub")).success();
        let signature = desk.signature(&desk.at("keys/tess-cert.pub"), "git", commit.as_bytes());
        make_head(&desk, &repo, with_header(&commit, "gpgsig", &signature).as_bytes());
        match said {
            Some(said) => drop(repo.dist(["--dry-run"]).code(1).says(said)),
            None => drop(repo.dist(["--dry-run"]).success()),
        }
    }
}

#[test]
fn repositories_of_sha256_keep_the_signature_in_another_header() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.sandbox.repo_with("project", ["--object-format=sha256"]);
    repo.manifest(super::SIGNED_ONLY);
    repo.write("tool", "1\n");
    repo.commit("one");
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    let commit = head(&repo);
    let signature = desk.signature(&desk.key("tess"), "git", commit.as_bytes());
    make_head(&desk, &repo, with_header(&commit, "gpgsig", &signature).as_bytes());
    repo.dist([]).code(1).says("is not signed");
    desk.sign_head(&repo, "tess");
    assert!(head(&repo).contains("\ngpgsig-sha256 "), "{}", head(&repo));
    repo.dist([]).success();
    // Both at once: each is about the commit without either.
    repo.commit("two");
    let commit = head(&repo);
    let (good, bad) = (desk.signature(&desk.key("tess"), "git", commit.as_bytes()), signature);
    let both = with_header(&with_header(&commit, "gpgsig", &bad), "gpgsig-sha256", &good);
    make_head(&desk, &repo, both.as_bytes());
    repo.dist([]).success();
    let both = with_header(&with_header(&commit, "gpgsig", &good), "gpgsig-sha256", &bad);
    make_head(&desk, &repo, both.as_bytes());
    repo.dist([]).code(1).says("does not fit its content");
}

#[test]
fn names_of_signers_never_drive_a_terminal() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("\"te\x1b[31mss@example.org\" {}\n", desk.public("tess")));
    desk.commit_signed(&repo, "tess", "2\n");
    repo.dist([]).success();
    let shown = repo.dist(["show", "-vv"]).success().prints("te\\u{1b}[31mss@example.org");
    assert!(!shown.stdout().contains('\x1b'), "{:?}", shown.stdout());
    let log = repo.dist(["log"]).success();
    assert!(!log.stdout().contains('\x1b'), "{:?}", log.stdout());
}
