//! What git's configuration says counts at once, though it is not asked again while nothing changed.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{Repo, Sandbox};

const TOOL: &str = r#"{ "version": 1, "targets": {
    "tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" } } }"#;
const REQUIRED: &str = "[dist]\n\trequireSigned = true\n";

/// A repository whose tool is deployed.
fn deployed(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("repo");
    repo.write("dist.json", TOOL);
    repo.write("tool", "one\n");
    repo.commit("first");
    repo.dist([]).success();
    repo
}

/// Files that were changed this moment are asked for again.
fn settle() {
    std::thread::sleep(Duration::from_secs(3));
}

/// Runs a deploy that has nothing to do, and tells whether it asked git; `None` if it was refused for want of a signature.
fn asks(sandbox: &Sandbox, repo: &Repo<'_>, prepare: impl FnOnce(&mut Command)) -> Option<bool> {
    let acts = sandbox.path().join("acts");
    let _ = fs::remove_file(&acts);
    let mut command = sandbox.dist_command(repo.path());
    command.env("GIT_DIST_ACTS", &acts);
    prepare(&mut command);
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("asks for a good signature") {
        return None;
    }
    assert!(told.contains("nothing to do"), "{told}");
    Some(fs::read_to_string(&acts).unwrap_or_default().contains("\trun\tgit\n"))
}

#[test]
fn git_is_not_asked_again_while_nothing_changed() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    let plain = |_: &mut Command| ();
    settle();
    assert_eq!(asks(&sandbox, &repo, plain), Some(true));
    assert_eq!(asks(&sandbox, &repo, plain), Some(false));
    repo.git(["config", "user.name", "Somebody Else"]);
    assert_eq!(asks(&sandbox, &repo, plain), Some(true));
    // The time of the change is this moment's, so another change could hide behind it.
    assert_eq!(asks(&sandbox, &repo, plain), Some(true));
    settle();
    assert_eq!(asks(&sandbox, &repo, plain), Some(true));
    assert_eq!(asks(&sandbox, &repo, plain), Some(false));
    // What is written there by others, or is damaged, is not believed.
    let note = repo.path().join(".git/dist/silent-settings");
    let text = fs::read_to_string(&note).unwrap();
    fs::write(&note, text.replace("silent ", "silent  ")).unwrap();
    assert_eq!(asks(&sandbox, &repo, plain), Some(true));
    assert_eq!(asks(&sandbox, &repo, plain), Some(false));
    fs::write(repo.path().join(".git/config"), "[core\n").unwrap();
    repo.dist([]).code(1);
}

#[test]
fn a_demand_for_signatures_counts_at_once_wherever_it_is_made() {
    type Act = fn(&Sandbox, &Path, &mut Command);
    let places: &[(&str, Act)] = &[
        ("the repository", |_, git_dir, _| append(&git_dir.join("config"), REQUIRED)),
        ("the user", |sandbox, _, _| append(&sandbox.home().join(".gitconfig"), REQUIRED)),
        ("a working tree", |_, git_dir, _| {
            append(&git_dir.join("config"), "[extensions]\n\tworktreeConfig = true\n");
            append(&git_dir.join("config.worktree"), REQUIRED);
        }),
        ("an included file", |_, git_dir, _| {
            append(&git_dir.join("more"), REQUIRED);
            append(&git_dir.join("config"), "[include]\n\tpath = more\n");
        }),
        ("a file of the system", |sandbox, _, command| {
            append(&sandbox.path().join("system"), REQUIRED);
            command.env_remove("GIT_CONFIG_NOSYSTEM").env("GIT_CONFIG_SYSTEM", sandbox.path().join("system"));
        }),
        ("another file of the user", |sandbox, _, command| {
            append(&sandbox.path().join("other"), REQUIRED);
            command.env("GIT_CONFIG_GLOBAL", sandbox.path().join("other"));
        }),
        ("the user's folder for configuration", |sandbox, _, command| {
            fs::create_dir_all(sandbox.path().join("xdg/git")).unwrap();
            append(&sandbox.path().join("xdg/git/config"), REQUIRED);
            command.env_remove("GIT_CONFIG_GLOBAL").env("XDG_CONFIG_HOME", sandbox.path().join("xdg"));
        }),
        ("variables", |_, _, command| {
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "dist.requireSigned");
            command.env("GIT_CONFIG_VALUE_0", "true");
        }),
        ("the command line", |_, _, command| {
            command.env("GIT_CONFIG_PARAMETERS", "'dist.requiresigned'='true'");
        }),
    ];
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    let git_dir = repo.path().join(".git");
    let kept = [git_dir.join("config"), sandbox.home().join(".gitconfig")];
    let texts = kept.each_ref().map(|path| fs::read(path).unwrap_or_default());
    settle();
    for (place, demand) in places {
        assert!(asks(&sandbox, &repo, |_| ()).is_some(), "{place}");
        assert_eq!(asks(&sandbox, &repo, |_| ()), Some(false), "{place}");
        assert_eq!(asks(&sandbox, &repo, |command| demand(&sandbox, &git_dir, command)), None, "{place}");
        for (path, text) in kept.iter().zip(&texts) {
            if fs::read(path).unwrap_or_default() != *text {
                fs::write(path, text).unwrap();
                settle();
            }
        }
        let _ = fs::remove_file(git_dir.join("config.worktree"));
    }
}

/// What a file includes on conditions is for git to find out, every time.
#[test]
fn where_files_are_included_git_is_asked_every_time() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox);
    let git_dir = repo.path().join(".git");
    append(&git_dir.join("config"), "[includeIf \"onbranch:other\"]\n\tpath = more\n");
    append(&git_dir.join("more"), REQUIRED);
    settle();
    for _ in 0..3 {
        assert_eq!(asks(&sandbox, &repo, |_| ()), Some(true));
    }
    repo.git(["checkout", "-q", "-b", "other"]);
    assert_eq!(asks(&sandbox, &repo, |_| ()), None);
}

fn append(path: &Path, text: &str) {
    let before = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, before + text).unwrap();
}
