//! Which commit is deployed, and how it stands to what is active.

use super::{TOOL, next, project};
use crate::support::{Sandbox, tree};

#[test]
fn every_spelling_of_a_revision_names_its_commit() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let first = repo.id("HEAD");
    repo.git(["tag", "v1"]);
    repo.git(["tag", "--annotate", "--message", "one", "v1-annotated"]);
    repo.git(["branch", "old"]);
    for text in ["two\n", "three\n"] {
        next(&repo, text);
    }
    let spellings = ["v1", "v1-annotated", "v1-annotated^{}", "old", "refs/heads/old", "HEAD~2", "main^^"];
    for spelling in spellings.into_iter().chain([&first[..7], &first, ":/first"]) {
        let json = repo.dist(["-d", "--json", "--rev", spelling]).success().json();
        assert_eq!(json["commit"], first.as_str(), "{spelling}");
        assert_eq!(json["revision"], spelling);
    }
    repo.dist(["--rev", "v1-annotated"]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/tool.1.{}", &first[..7]));
    assert_eq!(sandbox.record("bin/tool")["commit"], first.as_str());
    assert_eq!(sandbox.record("bin/tool")["revision"], "v1-annotated");
}

#[test]
fn everything_is_read_at_the_revision() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.write("distman.env", "all:\n  PLACE: early\n");
    repo.manifest(&TOOL.replace("bin", "{PLACE}"));
    repo.commit("with an environment");
    repo.git(["tag", "v1"]);
    repo.remove("dist.json");
    repo.remove("distman.env");
    repo.remove("tool");
    repo.commit("all gone");
    repo.dist(["--rev", "v1"]).success();
    assert!(sandbox.root().join("early/tool").exists());
}

#[test]
fn a_revision_that_is_none_is_an_error() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let blob = repo.id("HEAD:tool");
    let before = tree(sandbox.path());
    insta::assert_snapshot!(repo.dist(["--rev", "v9"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: revision `v9` not found in `[SANDBOX]/project`
    hint: `git fetch --tags` if it was made elsewhere
    ");
    for odd in [
        "",
        "--all",
        "HEAD~5",
        "0123456789012345678901234567890123456789",
        &blob,
        "HEAD:tool",
        "a b",
        "main..main",
    ] {
        repo.dist([&*format!("--rev={odd}")]).code(1).says("error: ");
    }
    assert_eq!(tree(sandbox.path()), before);
}

#[test]
fn a_repository_without_commits_says_so() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    insta::assert_snapshot!(repo.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: `[SANDBOX]/project` has no commit yet
    hint: commit dist.json first
    ");
}

#[test]
fn an_older_head_is_refused_and_a_named_revision_is_not() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let first = repo.version("tool", "HEAD");
    next(&repo, "two\n");
    repo.dist([]).success();
    repo.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    let before = tree(sandbox.root());
    insta::assert_snapshot!(repo.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: refused: `[SANDBOX]/root/bin/tool` (target `tool`): the revision is older than what is active (2.8fb3ca2)
    hint: `--rev REV` says that an older revision is meant, `git pull` gets the newer
    ");
    assert_eq!(tree(sandbox.root()), before);
    repo.dist(["-d"]).code(1).prints("refuse");
    repo.dist(["--rev", "HEAD"]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{first}"));
    repo.dist([]).success();
}

#[test]
fn force_deploys_an_older_head() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    next(&repo, "two\n");
    repo.dist([]).success();
    repo.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    repo.dist(["-f"]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", repo.version("tool", "HEAD")));
}

#[test]
fn a_diverged_history_is_deployed_with_a_warning_that_counts() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    next(&repo, "two\n");
    next(&repo, "three\n");
    repo.dist([]).success();
    repo.git(["reset", "--quiet", "--hard", "HEAD~2"]);
    next(&repo, "another two\n");
    insta::assert_snapshot!(repo.dist([]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    create  tool  [SANDBOX]/root/bin/tool  3.c7a5276 -> 2.8d27620  (loses 2 commits of what is active (3.c7a5276))
    ----- stderr
    r2: deployed main 2.8d27620 "another two" -> [SANDBOX]/root
    "#);
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", repo.version("tool", "HEAD")));
}

#[test]
fn what_another_repository_deployed_is_not_replaced_unasked() {
    let sandbox = Sandbox::new();
    let one = project(&sandbox, "one");
    one.dist([]).success();
    let other = project(&sandbox, "other");
    next(&other, "of the other\n");
    let before = tree(sandbox.root());
    insta::assert_snapshot!(other.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: refused: `[SANDBOX]/root/bin/tool` (target `tool`): what is active (1.8519a51) was deployed from `[SANDBOX]/one`, from a commit that this repository does not have
    hint: `git fetch` may get the commit; `-f` deploys over it
    ");
    other.dist(["--rev", "HEAD"]).code(1);
    assert_eq!(tree(sandbox.root()), before);
    other.dist(["-f"]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", other.version("tool", "HEAD")));
}
