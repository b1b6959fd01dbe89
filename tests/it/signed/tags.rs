//! Tags: the one that was asked for may be what is signed, under its own name.

use super::Desk;
use crate::support::Repo;

/// Makes the annotated tag `name` of `target`, signed with the key.
fn tag(desk: &Desk, repo: &Repo<'_>, key: &str, name: &str, target: &str) {
    let key = format!("user.signingKey={}", desk.key(key).display());
    repo.git(["-c", "gpg.format=ssh", "-c", &key, "tag", "-s", "-m", "release", name, target]);
}

#[test]
fn a_signed_tag_vouches_for_its_commit() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    tag(&desk, &repo, "tess", "v1.0", "HEAD");
    tag(&desk, &repo, "eve", "v1.1", "HEAD");
    repo.dist([]).code(1).says("is not signed");
    repo.dist(["--rev", "main"]).code(1).says("is not signed");
    repo.dist(["--rev", "v1.0~0"]).code(1).says("is not signed");
    repo.dist(["--rev", "v1.1"]).code(1).says("caused by: tag `v1.1` is signed with the key SHA256:");
    desk.assert_nothing_deployed();
    let id = repo.id("v1.0");
    for name in ["v1.0", "tags/v1.0", "refs/tags/v1.0", &id] {
        repo.dist(["--rev", name, "--dry-run"]).success();
    }
    repo.dist(["--rev", "v1.0"]).success();
    assert_eq!(desk.sandbox.record("tool")["signature"]["on"], "tag `v1.0`");
}

#[test]
fn a_tag_is_signed_under_its_own_name() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    // Whatever its commit is.
    desk.sign_head(&repo, "tess");
    tag(&desk, &repo, "tess", "v1.0", "HEAD");
    repo.git(["update-ref", "refs/tags/v2.0", "refs/tags/v1.0"]);
    repo.git(["update-ref", "refs/heads-of/v1.0", "refs/tags/v1.0"]);
    repo.dist(["--rev", "v2.0"])
        .code(1)
        .says("caused by: the tag that was asked for as `v2.0` was signed as `v1.0`")
        .says("hint: deploy it by the name it has: `--rev v1.0`");
    repo.dist(["--rev", "refs/heads-of/v1.0"]).code(1).says("was signed as `v1.0`");
    desk.assert_nothing_deployed();
    repo.dist(["--rev", "v1.0"]).success();
}

#[test]
fn a_tag_that_is_not_signed_counts_as_its_commit() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    for name in ["old", "old-annotated"] {
        let kind: &[&str] = if name == "old" { &["tag"] } else { &["tag", "-a", "-m", "x"] };
        repo.git(kind.iter().chain(&[name]));
        repo.dist(["--rev", name]).code(1).says("is not signed");
    }
    desk.sign_head(&repo, "tess");
    repo.git(["tag", "light"]);
    repo.git(["tag", "-a", "-m", "x", "annotated"]);
    repo.git(["update-ref", "refs/tags/renamed", "refs/tags/annotated"]);
    for name in ["light", "annotated", "renamed"] {
        repo.dist(["--rev", name, "--dry-run"]).success();
    }
    repo.dist(["--rev", "annotated"]).success();
    assert_eq!(desk.sandbox.record("tool")["signature"]["on"], "commit");
}

#[test]
fn of_nested_tags_the_outermost_counts() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    tag(&desk, &repo, "eve", "inner", "HEAD");
    tag(&desk, &repo, "tess", "outer", "inner");
    tag(&desk, &repo, "tess", "good", "HEAD");
    tag(&desk, &repo, "eve", "bad", "good");
    repo.git(["tag", "-a", "-m", "x", "plain", "good"]);
    for name in ["inner", "bad"] {
        repo.dist(["--rev", name]).code(1).says("does not list");
    }
    repo.dist(["--rev", "plain"]).code(1).says("is not signed");
    desk.assert_nothing_deployed();
    repo.dist(["--rev", "outer"]).success();
}

#[test]
fn a_tag_that_was_changed_is_refused() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    tag(&desk, &repo, "tess", "v1.0", "HEAD");
    let old = repo.id("HEAD");
    repo.write("tool", "evil\n");
    let new = repo.commit("evil");
    let text = repo.git(["cat-file", "tag", "v1.0"]) + "\n";
    for (from, to) in [(&*old, &*new), ("tag v1.0", "tag v2.0"), ("\n\nrelease", "\n\nfine")] {
        let mut git = desk.sandbox.command("git", repo.path());
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let id = super::piped(git.args(["hash-object", "-t", "tag", "-w", "--stdin"]), changed.as_bytes());
        let name = if to == "tag v2.0" { "v2.0" } else { "v1.0" };
        repo.git(["update-ref", &format!("refs/tags/{name}"), id.trim()]);
        repo.dist(["--rev", name])
            .code(1)
            .says(&format!("the signature of tag `{name}` does not fit its content"));
    }
    desk.assert_nothing_deployed();
}
