//! Rows 7 to 14 and 17: what is deployed is what the commit holds, all of it and nothing else.

use std::fs;

use super::{deployed, target, target_with, tool};
use crate::support::{Sandbox, tree};

/// Row 7: `proj.git` and `venvs` look like what distman leaves out, and so does every path below them.
#[test]
fn where_the_checkout_lies_leaves_nothing_out() {
    let sandbox = Sandbox::new();
    for folder in ["proj.git", "venvs/build.tmp", "x.orig/.git-work"] {
        let repo = sandbox.repo(folder);
        repo.write("dir/file", "text\n");
        repo.write("dir/deep/file", "text\n");
        repo.manifest(&target("dir"));
        repo.commit("one");
        for arguments in [["--force", "--json"], ["--force", "--worktree"]] {
            repo.dist(arguments).success();
            assert_eq!(deployed(&sandbox, "dir/file"), "text\n", "{folder}");
            assert_eq!(deployed(&sandbox, "dir/deep/file"), "text\n", "{folder}");
        }
    }
}

/// Row 8.
#[test]
fn links_to_directories_beside_hidden_directories_are_all_deployed() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("dir/real/file", "text\n");
    for number in 0..120 {
        repo.write(format!("dir/.hidden-{number}/file"), "hidden\n");
        repo.write(format!("dir/venv-{number}/file"), "an environment\n");
        repo.symlink(format!("dir/link-{number:03}"), "real");
    }
    repo.manifest(&target("dir"));
    repo.commit("one");
    for arguments in [["--json"], ["--worktree"]] {
        repo.dist(arguments).success();
        for number in 0..120 {
            assert_eq!(deployed(&sandbox, format!("dir/link-{number:03}/file")), "text\n");
            assert_eq!(deployed(&sandbox, format!("dir/.hidden-{number}/file")), "hidden\n");
        }
    }
}

/// Row 9.
#[test]
fn deleting_a_target_leaves_its_neighbours_versions() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let names = ["tool", "tool.1", "tool.1.2", "tool.1.abcdef0"];
    for round in ["one\n", "two\n"] {
        for name in names {
            repo.write(name, round);
        }
        repo.manifest(&names.map(target).join(", "));
        repo.commit(round.trim_end());
        repo.dist([]).success();
    }
    let of =
        |name: &str| repo.dist(["show", "--json", name]).success().json()["items"][0]["versions"].clone();
    let neighbours = ["tool", "tool.1.2", "tool.1.abcdef0"];
    let before = neighbours.map(of);
    repo.dist(["--delete", "-t", "tool.1", "-n", "1"]).success();
    assert_eq!(of("tool.1").as_array().unwrap().len(), 1);
    repo.dist(["--delete", "-y", "-t", "tool.1"]).success();
    assert!(!sandbox.root().join("tool.1").exists());
    assert_eq!(neighbours.map(of), before);
    repo.dist(["verify", "--all", "tool", "tool.1.2", "tool.1.abcdef0"]).success();
    repo.dist(["delete", "-y", "tool"]).success();
    assert_eq!(of("tool.1.2"), before[1]);
    assert_eq!(deployed(&sandbox, "tool.1.2"), "two\n");
}

/// Row 11.
#[test]
fn a_dirty_deploy_is_replaced_by_the_clean_one() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    repo.dist([]).success();
    let clean = sandbox.active("tool");
    repo.write("tool", "dirty\n");
    // distman's way to deploy it; here the flag has another meaning.
    repo.dist(["--force"]).success();
    assert_eq!(deployed(&sandbox, "tool"), "one\n");
    repo.dist(["--worktree"]).success();
    assert_eq!(deployed(&sandbox, "tool"), "dirty\n");
    let dirty = sandbox.active("tool");
    assert!(dirty.starts_with(&format!("{clean}-")), "{dirty}");
    repo.write("tool", "one\n");
    repo.dist([]).success();
    assert_eq!(sandbox.active("tool"), clean);
    assert_eq!(deployed(&sandbox, "tool"), "one\n");
}

/// Row 12.
#[test]
fn a_deleted_file_is_a_change() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("dir/kept", "text\n");
    repo.write("dir/deleted", "text\n");
    repo.manifest(&target_with("dir", r#", "options": { "match": "content" }"#));
    repo.commit("one");
    repo.dist([]).success();
    repo.remove("dir/deleted");
    repo.commit("two");
    repo.dist([]).success();
    assert!(sandbox.root().join("dir/kept").exists());
    assert!(!sandbox.root().join("dir/deleted").exists());
}

/// Row 13.
#[test]
fn pipelines_start_from_nothing_every_time() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("bin/one/own", "one\n");
    repo.write("bin/one/gone", "one\n");
    repo.write("bin/two/own", "two\n");
    repo.write(
        "dist.json",
        r#"{ "version": 1,
            "pipeline": { "copy": { "script": "cp -R {input}/. {output}/" },
                          "again": { "script": "ls {input} > {output}/listing" } },
            "targets": { "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/%1", "pipeline": {} } } }"#,
    );
    repo.commit("one");
    repo.dist([]).success();
    repo.remove("bin/one/gone");
    repo.commit("two");
    for _ in 0..2 {
        repo.dist([]).success();
        assert_eq!(deployed(&sandbox, "one/listing"), "own\n");
        assert_eq!(deployed(&sandbox, "two/listing"), "own\n");
        assert!(!sandbox.root().join("one/gone").exists());
    }
    assert!(!tree(repo.path()).to_string().contains("listing"), "the working tree is left alone");
}

/// Row 14.
#[test]
fn another_token_or_pipeline_is_another_version() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "@STAGE@ @COLOUR@\n");
    let step = |token: &str, value: &str| {
        let tokens = format!(r#"{{ "{token}": "{value}" }}"#);
        let step = format!(r#"{{ "func": "replace_tokens", "options": {{ "tokens": {tokens} }} }}"#);
        repo.manifest(&target_with("tool", &format!(r#", "pipeline": {{ "stamp": {step} }}"#)));
    };
    step("@STAGE@", "{STAGE}");
    repo.commit("one");
    for stage in ["dev", "prod", "dev"] {
        repo.dist_with([("STAGE", stage)], []).success();
        assert_eq!(deployed(&sandbox, "tool"), format!("{stage} @COLOUR@\n"));
    }
    assert_eq!(
        fs::read_dir(sandbox.root().join("versions")).unwrap().count(),
        4,
        "two versions, two records"
    );
    step("@COLOUR@", "blue");
    repo.commit("two");
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, "tool"), "@STAGE@ blue\n");
}

/// Row 17.
#[test]
fn what_git_cannot_read_is_not_deployed() {
    let sandbox = Sandbox::new();
    let repo = tool(&sandbox);
    repo.dist([]).success();
    repo.write("tool", "two\n");
    repo.commit("two");
    let before = tree(sandbox.root());
    let git = repo.path().join(".git");
    let head = fs::read(git.join("HEAD")).unwrap();
    for broken in ["", "rubbish\n", "ref: refs/heads/nowhere\n", "0123456789012345678901234567890123456789\n"]
    {
        fs::write(git.join("HEAD"), broken).unwrap();
        repo.dist([]).code(1).says("error: ");
        assert_eq!(tree(sandbox.root()), before, "{broken:?}");
    }
    fs::write(git.join("HEAD"), head).unwrap();
    for object in ["HEAD", "HEAD^{tree}", "HEAD:tool", "HEAD:dist.json"] {
        let id = repo.git(["rev-parse", object]);
        let path = git.join("objects").join(&id[..2]).join(&id[2..]);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        repo.dist([]).code(1).says("error: ");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        repo.dist([]).code(1).says("error: ");
        fs::write(&path, b"rubbish").unwrap();
        repo.dist([]).code(1).says("error: ");
        fs::write(&path, bytes).unwrap();
        assert_eq!(tree(sandbox.root()), before, "{object}");
    }
    repo.dist([]).success();
    assert_eq!(deployed(&sandbox, "tool"), "two\n");
}
