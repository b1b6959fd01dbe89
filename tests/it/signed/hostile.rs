//! Signatures that are made to be misread.

use super::{Desk, head, make_head, with_header};

#[test]
fn what_only_looks_like_a_signature_is_none() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    let commit = head(&repo);
    let good = desk.signature(&desk.key("tess"), "git", commit.as_bytes());
    let signed = with_header(&commit, "gpgsig", &good);
    let huge = good.replacen('\n', &format!("\n{}\n", "A".repeat(100_000)), 1);
    let fits_not = "does not fit its content";
    let cannot = "cannot be right: ";
    for (what, text, said) in [
        ("other content", signed.replacen("one", "two", 1), fits_not),
        ("another author", signed.replacen("Tess", "Eve", 1), fits_not),
        ("a header more", signed.replacen("\nauthor", "\nencoding x\nauthor", 1), ""),
        ("a header behind", signed.replacen("\n\n", "\nx y\n\n", 1), fits_not),
        ("in the message", format!("{commit}\n{good}"), "is not signed"),
        (
            "as a header in the message",
            format!("{commit}gpgsig {}", good.replace('\n', "\n ")),
            "is not signed",
        ),
        ("for the other hash", with_header(&commit, "gpgsig-sha256", &good), "is not signed"),
        ("two headers", with_header(&signed, "gpgsig", &good), "it has two of them"),
        ("two blocks", with_header(&commit, "gpgsig", &format!("{good}{good}")), cannot),
        ("a header like it", with_header(&signed, "gpgsig-sha512", &good), cannot),
        ("line ends of Windows", with_header(&commit, "gpgsig", &good.replace('\n', "\r\n")), cannot),
        ("huge", with_header(&commit, "gpgsig", &huge), "larger than 64 KiB"),
        ("garbage", with_header(&commit, "gpgsig", &good.replace("U1NI", "!!!!")), fits_not),
        ("cut off", with_header(&commit, "gpgsig", &good[..good.len() / 2]), cannot),
        ("a signed message", with_header(&commit, "gpgsig", "-----BEGIN PGP MESSAGE-----"), cannot),
        ("X.509", with_header(&commit, "gpgsig", "-----BEGIN SIGNED MESSAGE-----"), "is of X.509"),
        ("escapes", with_header(&commit, "gpgsig", "\x1b[31m"), cannot),
    ] {
        make_head(&desk, &repo, text.as_bytes());
        let run = repo.dist([]).code(1);
        assert!(run.stderr().contains(said), "{what}: {}", run.stderr());
        assert!(!run.stderr().contains('\x1b'), "{what}: {}", run.stderr());
    }
    desk.assert_nothing_deployed();
    make_head(&desk, &repo, signed.as_bytes());
    repo.dist([]).success();
}

#[test]
fn an_object_that_was_tampered_with_is_noticed() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    // A good commit stands under the id of another one, as a broken or hostile store may have it.
    let evil = repo.id("HEAD");
    desk.commit_signed(&repo, "tess", "2\n");
    let good = repo.id("HEAD");
    let path = |id: &str| repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(path(&evil)).unwrap();
    std::fs::copy(path(&good), path(&evil)).unwrap();
    repo.write(".git/refs/heads/main", format!("{evil}\n"));
    repo.dist([]).code(1).says("is corrupt in the repository");
    desk.assert_nothing_deployed();
}

#[test]
fn replaced_commits_do_not_count() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    let evil = repo.id("HEAD");
    let good = desk.commit_signed(&repo, "tess", "2\n");
    repo.git(["replace", &evil, &good]);
    repo.git(["update-ref", "refs/heads/main", &evil]);
    repo.dist([]).code(1).says("is not signed");
    desk.assert_nothing_deployed();
}
