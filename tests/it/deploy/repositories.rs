//! Every shape a repository can have, and every way to point at it.

use std::fs;

use super::{TOOL, next, project};
use crate::support::{Repo, Sandbox, tree};

/// Deploys `repo` and asserts that its HEAD is active.
fn deploys(sandbox: &Sandbox, repo: &Repo<'_>) {
    repo.dist([]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", repo.version("tool", "HEAD")));
    assert_eq!(
        fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(),
        repo.git(["show", "HEAD:tool"]) + "\n"
    );
}

#[test]
fn a_location_or_c_points_at_the_repository() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let elsewhere = sandbox.open(sandbox.home());
    let path = repo.path().to_str().unwrap();
    for arguments in [["-C", path].as_slice(), &[path], &["-C", "..", "project"], &["../project"]] {
        let json = sandbox
            .run(sandbox.dist_command(elsewhere.path()).args(["-d", "--json"]).args(arguments))
            .success()
            .json();
        assert_eq!(json["commit"], repo.id("HEAD").as_str(), "{arguments:?}");
    }
    elsewhere.dist([path]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", repo.version("tool", "HEAD")));
    insta::assert_snapshot!(elsewhere.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: `[SANDBOX]/home` is not in a git repository
    hint: run it in a clone, or name one: `git dist -C DIR`
    ");
    insta::assert_snapshot!(elsewhere.dist(["nowhere"]).snapshot(), @"
    exit code: 2
    ----- stdout
    ----- stderr
    error: there is no command and no folder `nowhere`
    hint: `git dist -h` lists the commands
    ");
    insta::assert_snapshot!(elsewhere.dist(["-C", "nowhere"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: cannot enter `nowhere`
      caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn a_manifest_in_a_folder_is_found_from_below_and_names_paths_beside_it() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let inner = repo.inside("services/api");
    inner.write("tool", "inner\n");
    inner.write("distman.env", "all:\n  PLACE: inner\n");
    inner.manifest(&TOOL.replace("bin", "{PLACE}"));
    repo.write("tool", "outer\n");
    repo.manifest(&TOOL.replace("bin", "outer"));
    repo.commit("first");
    repo.inside("services/api/src/deep").dist([]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("inner/tool")).unwrap(), "inner\n");
    assert!(!sandbox.root().join("outer").exists());
    repo.inside("services").dist([]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("outer/tool")).unwrap(), "outer\n");
    repo.dist(["--manifest", "services/api/dist.json", "-d"]).success().prints("inner/tool");
    assert_eq!(sandbox.record("inner/tool")["source"], "services/api/tool");
}

#[test]
fn a_bare_repository() {
    let sandbox = Sandbox::new();
    let bare = project(&sandbox, "project").clone_to("bare.git", ["--bare"]);
    deploys(&sandbox, &bare);
}

#[test]
fn a_linked_working_tree_has_a_head_of_its_own() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.git(["worktree", "add", "--quiet", "-b", "side", "../side"]);
    let side = sandbox.open(sandbox.path().join("side"));
    next(&side, "of the side\n");
    deploys(&sandbox, &side);
    assert_eq!(sandbox.record("bin/tool")["branch"], "side");
}

#[test]
fn git_dir_wins_over_the_folder() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let other = project(&sandbox, "other");
    next(&other, "of the other\n");
    let git_dir = other.path().join(".git");
    let json = repo.dist_with([("GIT_DIR", git_dir.to_str().unwrap())], ["-d", "--json"]).success().json();
    assert_eq!(json["commit"], other.id("HEAD").as_str());
}

#[test]
fn packed_objects_and_references() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    next(&repo, "two\n");
    repo.git(["gc", "--quiet", "--aggressive"]);
    repo.git(["pack-refs", "--all"]);
    repo.git(["commit-graph", "write"]);
    deploys(&sandbox, &repo);
    next(&repo, "loose beside the pack\n");
    deploys(&sandbox, &repo);
}

#[test]
fn objects_of_an_alternate() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let path = repo.path().to_str().unwrap();
    repo.git(["clone", "--quiet", "--shared", path, "../borrower"]);
    let borrower = sandbox.open(sandbox.path().join("borrower"));
    next(&borrower, "two\n");
    deploys(&sandbox, &borrower);
}

#[test]
fn replace_refs_and_grafts_change_neither_name_nor_content() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    next(&repo, "two\n");
    let (name, blob) = (repo.version("tool", "HEAD"), repo.id("HEAD:tool"));
    repo.write("other", "replaced\n");
    let replacement = repo.git(["hash-object", "-w", "other"]);
    repo.git(["replace", &blob, &replacement]);
    // A commit without its parent: the count would be one.
    repo.git(["replace", "--graft", "HEAD"]);
    assert_eq!(repo.git(["rev-list", "--count", "HEAD"]), "1");
    repo.write(".git/info/grafts", format!("{}\n", repo.id("HEAD")));
    repo.dist([]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{name}"));
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), "two\n");
}

#[test]
fn a_shallow_clone_cannot_count_and_says_what_helps() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    next(&repo, "two\n");
    next(&repo, "three\n");
    let shallow = repo.clone_to("shallow", ["--depth=2"]);
    let before = tree(sandbox.path());
    insta::assert_snapshot!(shallow.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: the history of `HEAD` is cut off in this shallow clone, so its commits cannot be counted
    hint: `git fetch --unshallow`
    ");
    assert_eq!(tree(sandbox.path()), before);
    // What is deployed can be looked at and gone back from all the same.
    shallow.dist(["show"]).success();
    shallow.git(["fetch", "--quiet", "--unshallow"]);
    deploys(&sandbox, &shallow);
}

#[test]
fn a_sha256_repository() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project", ["--object-format=sha256"]);
    repo.write("tool", "one\n");
    repo.write("lib/file", "file\n");
    repo.manifest(&format!(r#"{TOOL}, "lib": {{ "source": "lib", "destination": "{{DEPLOY_ROOT}}/lib" }}"#));
    repo.commit("first");
    deploys(&sandbox, &repo);
    assert_eq!(sandbox.record("lib")["content"], repo.id("HEAD:lib").as_str());
}

#[test]
fn references_in_a_reftable() {
    let sandbox = Sandbox::new();
    let mut init = sandbox.command("git", sandbox.path());
    let can = init.args(["init", "--quiet", "--ref-format=reftable", "project"]).status().unwrap();
    if !can.success() {
        eprintln!("skipped: this git knows no reftable");
        return;
    }
    let repo = sandbox.open(sandbox.path().join("project"));
    repo.write("tool", "one\n");
    repo.manifest(TOOL);
    let first = repo.commit("first");
    repo.git(["tag", "--annotate", "--message", "one", "v1"]);
    next(&repo, "two\n");
    deploys(&sandbox, &repo);
    assert_eq!(sandbox.record("bin/tool")["branch"], "main");
    let json = repo.dist(["-d", "--json", "--rev", "v1"]).success().json();
    assert_eq!(json["commit"], first.as_str());
    repo.dist(["-d", "--rev", "v9"]).code(1).says("revision `v9` not found");
}

#[test]
fn the_same_commit_has_the_same_names_everywhere() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    next(&repo, "two\n");
    let clone = repo.clone_to("clone", []);
    repo.dist([]).success();
    let root = sandbox.path().join("other-root");
    clone.dist_with([("DEPLOY_ROOT", root.to_str().unwrap())], []).success();
    let names = |tree: crate::support::Tree| tree.without(|path| path.starts_with(b".distman")).to_string();
    assert_eq!(names(tree(sandbox.root())), names(tree(&root)));
    // Into one root: what one clone deployed, the other finds done.
    let before = tree(sandbox.root());
    clone.dist([]).success();
    assert_eq!(tree(sandbox.root()), before);
}

#[test]
fn passwords_in_a_remote_never_reach_the_root() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.git(["remote", "add", "origin", "https://user:s3cr3t@example.org/project.git"]);
    repo.dist([]).success();
    assert_eq!(sandbox.record("bin/tool")["origin"], "https://example.org/project.git");
    for path in [".distman/history.jsonl", "bin/.tool.dist"] {
        let text = fs::read_to_string(sandbox.root().join(path)).unwrap();
        assert!(text.contains("example.org") && !text.contains("s3cr3t"), "{path}: {text}");
    }
}
