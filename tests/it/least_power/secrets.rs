//! Credentials get into nothing that is written or said.

use std::fs;
use std::path::Path;

use super::project;
use crate::support::{Repo, Sandbox};

const SECRET: &str = "s3cr3t";

/// Fails if a file below `folder` holds the secret.
#[track_caller]
fn assert_not_written(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            assert_not_written(&path);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains(SECRET), "{}: {text}", path.display());
        }
    }
}

/// Runs `git dist`, which says nothing of the secret; returns the exit code and what it said.
#[track_caller]
fn silent(sandbox: &Sandbox, repo: &Repo<'_>, arguments: &str) -> String {
    let mut command = sandbox.dist_command(repo.path());
    command.env("LOG_DIR", sandbox.path().join("log"));
    let run = sandbox.run(command.args(arguments.split_whitespace())).snapshot();
    assert!(!run.contains(SECRET), "{arguments}: {run}");
    run
}

#[test]
fn credentials_of_a_remote_are_left_out() {
    for (url, shown) in [
        ("https://user:s3cr3t@example.org/group/tool.git", "https://example.org/group/tool.git"),
        ("https://s3cr3t@example.org/group/tool.git", "https://example.org/group/tool.git"),
        ("https://user%3As3cr3t@example.org/tool.git", "https://example.org/tool.git"),
        ("https://example.org/tool.git?private_token=s3cr3t", "https://example.org/tool.git"),
        ("ssh://git:s3cr3t@example.org/tool.git", "ssh://git@example.org/tool.git"),
        ("git:s3cr3t@example.org:tool.git", "git@example.org:tool.git"),
        ("work:tool.git", "work:tool.git"),
    ] {
        let sandbox = Sandbox::new();
        let repo = project(&sandbox, "");
        repo.git(["config", "url.https://user:s3cr3t@example.org/.insteadOf", "work:"]);
        repo.git(["remote", "add", "origin", url]);
        silent(&sandbox, &repo, "");
        assert_eq!(sandbox.record("bin/tool")["origin"], shown);
        for arguments in ["show -vv", "show --json -vv", "log --json", "doctor --json", "rollback", "diff"] {
            silent(&sandbox, &repo, arguments);
        }
        assert_not_written(sandbox.root());
        assert_not_written(&sandbox.path().join("log"));
    }
}

#[test]
fn what_commands_and_git_say_is_told_without_credentials() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    silent(&sandbox, &repo, "");
    let told = "cannot reach https://user:s3cr3t@example.org/x?token=s3cr3t";
    repo.write(
        "dist.json",
        format!(
            r#"{{ "version": 1, "targets": {{ "tool": {{ "source": "tool",
                "destination": "{{DEPLOY_ROOT}}/bin/tool", "after": ["echo '{told}' >&2; exit 1"] }} }} }}"#
        ),
    );
    repo.write("tool", "two\n");
    repo.commit("second");
    let run = silent(&sandbox, &repo, "");
    assert!(run.starts_with("exit code: 3") && run.contains("https://example.org/x?token=***"), "{run}");
    for arguments in ["log", "log --json", "show -vv", "show -vv --json", "doctor"] {
        silent(&sandbox, &repo, arguments);
    }
    repo.dist(["hook", "install", "--branch", "main", "--allow-commands"]).success();
    repo.write("tool", "three\n");
    repo.commit("third");
    let run = silent(&sandbox, &repo, "hook run post-merge 0");
    assert!(run.contains("DEPLOY FAILED"), "{run}");
    for arguments in ["hook status", "hook status --json", "doctor --json"] {
        silent(&sandbox, &repo, arguments);
    }
    assert_not_written(&repo.path().join(".git/dist"));
    // A configuration that cannot be read is quoted.
    let config = repo.path().join(".git/config");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}[remote \"origin\"]\n\turl = https://user:s3cr3t@example.org/x \"\n"))
        .unwrap();
    assert!(silent(&sandbox, &repo, "").starts_with("exit code: 1"));
    fs::write(&config, text).unwrap();
    assert_not_written(sandbox.root());
    assert_not_written(&sandbox.path().join("log"));
}

/// distman wrote the address as it was.
#[test]
fn what_distman_wrote_down_is_not_written_again() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let bin = sandbox.root().join("bin");
    fs::create_dir_all(bin.join("versions")).unwrap();
    for (name, text) in [("tool.0.1234567", "zero\n"), ("tool.1.89abcde", "one\n")] {
        fs::write(bin.join("versions").join(name), text).unwrap();
    }
    std::os::unix::fs::symlink("versions/tool.1.89abcde", bin.join("tool")).unwrap();
    let info =
        "name: tool\norigin: https://user:s3cr3t@example.org/tool.git\nbranch: main\ncommit: 89abcde\n";
    fs::write(bin.join(".tool.dist"), info).unwrap();
    silent(&sandbox, &repo, "show -vv --json");
    silent(&sandbox, &repo, "rollback tool");
    let info = fs::read_to_string(bin.join(".tool.dist")).unwrap();
    assert!(info.contains("origin: https://example.org/tool.git\n"), "{info}");
    assert_not_written(sandbox.root());
}
