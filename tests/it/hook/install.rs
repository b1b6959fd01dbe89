//! Where hooks are installed, twice, and what they call.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::Run;

use super::clones::{BINARY, Clones, names, snapshot};

#[test]
fn install_and_uninstall_leave_no_trace() {
    let clones = Clones::new();
    let before = names(&clones.at("clone/.git/hooks"));
    clones.install(&[]);
    assert_eq!(names(&clones.at("clone/.git/hooks")), ["post-commit", "post-merge", "post-rewrite"]);
    assert_eq!(clones.ask("clone", &["config", "dist.branch"]), "main");
    clones.uninstall();
    assert_eq!(names(&clones.at("clone/.git/hooks")), before);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    clones.assert_nothing_deployed();
}

#[test]
fn installing_twice_changes_nothing() {
    let clones = Clones::new();
    clones.write_hook("clone/.git/hooks/post-merge", 0o755, b"#!/bin/sh\ntrue\n");
    clones.write_hook("clone/.git/hooks/post-commit", 0o755, b"#!/usr/bin/env perl\n1;\n");
    let options = ["-t", "site", "--on", "commit"];
    let state = || {
        let hooks = ["post-merge", "post-commit", "post-rewrite", "post-commit.before-git-dist"];
        let hooks = hooks.map(|hook| snapshot(&clones.at("clone/.git/hooks").join(hook)));
        (
            hooks,
            fs::read_to_string(clones.at("clone/.git/config")).unwrap(),
            names(&clones.at("clone/.git/hooks")),
        )
    };
    clones.install(&options);
    let first = state();
    let report = clones.install(&options);
    assert_eq!(state(), first);
    for change in report["changes"].as_array().unwrap() {
        assert_eq!(change["action"], "unchanged", "{report}");
    }
    clones.install(&[]);
    assert_eq!(state(), first, "settings that are not named stay");
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn values_that_look_like_options_are_values() {
    let clones = Clones::new();
    let target =
        |name: &str| format!(r#""{name}": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/{name}" }}"#);
    clones.manifest(&format!(r#"{{ "targets": {{ {}, {} }} }}"#, target("--global"), target("-x")));
    clones.pull("tool", "2");
    clones.install(&["-t=--global", "-t=-x"]);
    assert_eq!(clones.ask("clone", &["config", "--get-all", "dist.target"]), "--global\n-x");
}

#[test]
fn widening_is_added_later() {
    let clones = Clones::installed(&[]);
    assert_eq!(clones.status("clone", "post-checkout")["state"], "absent");
    clones.install(&["--on", "checkout"]);
    assert_eq!(clones.status("clone", "post-checkout")["state"], "installed");
}

#[test]
fn a_detached_head_needs_a_branch() {
    let clones = Clones::new();
    clones.git("clone", &["checkout", "-q", "--detach"]);
    let refused = clones.dist("clone", &["hook", "install"]).code(1);
    refused.says("hint: name one: `git dist hook install --branch BRANCH`");
    assert_eq!(names(&clones.at("clone/.git/hooks")), [""; 0]);
    for bad in ["a..b", "-x", "a b", ""] {
        clones.dist("clone", &["hook", "install", "--branch", bad]).code(1).says("is no branch name");
    }
    clones.install(&["--branch", "refs/heads/main"]);
    assert_eq!(clones.ask("clone", &["config", "dist.branch"]), "main");
}

#[test]
fn hooks_path_inside_the_repository() {
    let clones = Clones::new();
    clones.git("clone", &["config", "core.hooksPath", ".githooks/deep"]);
    clones.install(&[]);
    assert_eq!(names(&clones.at("clone/.githooks/deep")), ["post-commit", "post-merge", "post-rewrite"]);
    assert_eq!(names(&clones.at("clone/.git/hooks")), [""; 0]);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn hooks_path_that_came_after_the_installation() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["config", "core.hooksPath", ".husky"]);
    assert_eq!(clones.status("clone", "post-merge")["state"], "absent");
    clones.uninstall();
    assert_eq!(names(&clones.at("clone/.git/hooks")), [""; 0]);
}

#[test]
fn hooks_path_outside_of_the_repository() {
    for global in [false, true] {
        let clones = Clones::new();
        clones.write_hook("shared/post-merge", 0o755, b"#!/bin/sh\n");
        let shared = clones.at("shared").display().to_string();
        if global {
            clones.git("clone", &["config", "--global", "core.hooksPath", &shared]);
        } else {
            clones.git("clone", &["config", "core.hooksPath", "../shared"]);
        }
        let config = fs::read_to_string(clones.at("clone/.git/config")).unwrap();
        let refused = clones.dist("clone", &["hook", "install"]).code(1);
        let refused = refused.says("is outside of the repository and is not written");
        assert_eq!(fs::read(clones.at("shared/post-merge")).unwrap(), b"#!/bin/sh\n");
        assert_eq!(names(&clones.at("shared")), ["post-merge"]);
        assert_eq!(
            fs::read_to_string(clones.at("clone/.git/config")).unwrap(),
            config,
            "nothing was changed"
        );

        // What the hint says works, and serves no repository that is not set up.
        let said = refused.stderr();
        let settings = "`git config dist.branch main`, `git config --add dist.root [SANDBOX]/root`, then add";
        assert!(said.contains(settings), "{said}");
        let line = said.lines().find(|line| line.contains("hook run") && line.contains("post-merge"));
        let line = line.unwrap().trim().replace("[SANDBOX]", clones.sandbox.path().to_str().unwrap());
        clones.write_hook("shared/post-merge", 0o755, format!("#!/bin/sh\n{line}\n").as_bytes());
        clones.upstream_commit("tool", "2");
        clones.git("clone", &["pull", "-q"]);
        clones.assert_nothing_deployed();
        clones.git("clone", &["config", "dist.branch", "main"]);
        let root = clones.sandbox.root().display().to_string();
        clones.git("clone", &["config", "--add", "dist.root", &root]);
        clones.upstream_commit("tool", "3");
        clones.git("clone", &["pull", "-q"]);
        clones.assert_deployed("HEAD");
        assert_eq!(clones.status("clone", "post-merge")["state"], "installed");
    }
}

#[test]
fn a_hook_directory_that_is_a_link_out_of_the_repository() {
    let clones = Clones::new();
    fs::create_dir(clones.at("shared")).unwrap();
    fs::remove_dir_all(clones.at("clone/.git/hooks")).unwrap();
    std::os::unix::fs::symlink(clones.at("shared"), clones.at("clone/.git/hooks")).unwrap();
    assert_eq!(clones.dist("clone", &["hook", "install"]).code(1).stdout(), "");
    clones.git("clone", &["config", "core.hooksPath", "missing/../../shared"]);
    assert_eq!(clones.dist("clone", &["hook", "install"]).code(1).stdout(), "");
    assert_eq!(names(&clones.at("shared")), [""; 0]);
}

#[test]
fn path_without_the_binary() {
    let clones = Clones::installed(&[]);
    clones.upstream_commit("tool", "2");
    clones.run(clones.command("git", "clone", &["pull", "-q"]).env("PATH", "/usr/bin:/bin")).success();
    clones.assert_deployed("HEAD");
}

#[test]
fn binary_gone() {
    let clones = Clones::new();
    let binary = clones.binary_at("bin/it's $HOME");
    clones.run(&mut clones.command(&binary, "clone", &["hook", "install"])).success();
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");

    fs::remove_file(&binary).unwrap();
    clones.upstream_commit("tool", "3");
    let said = clones.git("clone", &["pull", "-q"]);
    assert_eq!(said.matches("git dist: NOT DEPLOYED: ").count(), 1, "{said}");
    assert!(said.contains("it's $HOME is gone"), "{said}");
    assert_eq!(clones.deployed().len(), 1);
    assert_eq!(clones.status("clone", "post-merge")["state"], "binary-missing");

    clones.install(&[]);
    assert_eq!(clones.status("clone", "post-merge")["state"], "installed");
    fs::set_permissions(clones.at("clone/.git/hooks/post-merge"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(clones.status("clone", "post-merge")["state"], "disabled");
}

#[test]
fn another_binary_is_outdated() {
    let clones = Clones::new();
    let binary = clones.binary_at("bin/other");
    clones.run(&mut clones.command(&binary, "clone", &["hook", "install"])).success();
    assert_eq!(clones.status("clone", "post-merge")["state"], "outdated");
    let report = clones.install(&[]);
    assert_eq!(report["changes"][0]["action"], "updated");
    assert_eq!(clones.status("clone", "post-merge")["state"], "installed");
}

#[test]
fn a_journal_that_cannot_be_written_does_not_stop_the_deployment() {
    let clones = Clones::installed(&[]);
    fs::write(clones.at("clone/.git/dist"), "in the way").unwrap();
    clones.upstream_commit("tool", "2");
    let said = clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");
    assert!(said.contains("warning: could not open"), "{said}");
}

/// A `git` that says it is 2.54 and otherwise is the one installed: it writes the configuration of git-hook(1), but
/// runs none of it, so the tests run the commands as git does.
fn git_2_54() -> Clones {
    let clones = Clones::new();
    let real = clones.run(&mut clones.command("sh", ".", &["-c", "command -v git"])).success();
    let wrapper = format!(
        "#!/bin/sh\n[ \"$*\" = version ] && exec echo git version 2.54.0\nexec {} \"$@\"\n",
        real.raw_stdout().trim()
    );
    clones.sandbox.script("git", &wrapper);
    clones
}

/// What git 2.54 runs for an event: the command in a shell, the arguments appended.
fn run_configured(clones: &Clones, hook: &str, args: &[&str]) -> Run {
    let name = format!("git-dist-{hook}");
    assert_eq!(clones.ask("clone", &["config", "--get-all", &format!("hook.{name}.event")]), hook);
    let command = clones.ask("clone", &["config", &format!("hook.{name}.command")]);
    let script = if args.is_empty() { command.clone() } else { format!("{command} \"$@\"") };
    let args = [&["-c", &script, &command], args].concat();
    clones.run(clones.command("sh", "clone", &args).env("GIT_DIR", ".git"))
}

#[test]
fn git_2_54_gets_its_hooks_in_the_configuration() {
    let clones = git_2_54();
    // Neither an existing hook nor a foreign directory matters there.
    clones.git("clone", &["config", "core.hooksPath", "../shared"]);
    let report = clones.install(&[]);
    assert_eq!(report["mechanism"], "config");
    assert!(!clones.at("shared").exists());
    assert_eq!(names(&clones.at("clone/.git/hooks")), [""; 0]);

    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    run_configured(&clones, "post-merge", &["0"]).success();
    clones.assert_deployed("HEAD");
    run_configured(&clones, "post-rewrite", &["amend"]).success();
    run_configured(&clones, "post-commit", &[]).success();
    assert_eq!(clones.deployed().len(), 1);
    assert_eq!(clones.status("clone", "post-merge")["state"], "installed");

    let config = fs::read_to_string(clones.at("clone/.git/config")).unwrap();
    assert_eq!(clones.install(&[])["changes"][0]["action"], "unchanged");
    assert_eq!(fs::read_to_string(clones.at("clone/.git/config")).unwrap(), config);

    clones.git("clone", &["config", "hook.git-dist-post-merge.enabled", "no"]);
    assert_eq!(clones.status("clone", "post-merge")["state"], "disabled");
    clones.uninstall();
    clones.try_git("clone", &["config", "--get-regexp", "^hook"]).code(1);
}

#[test]
fn git_2_54_with_the_binary_gone() {
    let clones = git_2_54();
    let binary = clones.binary_at("bin/it's");
    clones.run(&mut clones.command(&binary, "clone", &["hook", "install"])).success();
    fs::remove_file(&binary).unwrap();
    run_configured(&clones, "post-merge", &["0"]).success().says("NOT DEPLOYED");
    assert_eq!(clones.status("clone", "post-merge")["state"], "binary-missing");
}

#[test]
fn a_newer_git_moves_hooks_to_the_configuration_and_an_older_one_back() {
    let clones = git_2_54();
    let old = "/usr/bin:/bin:/usr/local/bin";
    let install_with_old_git = || {
        let mut install = clones.command(BINARY, "clone", &["hook", "install", "--json"]);
        clones.run(install.env("PATH", old)).success().json()
    };
    let perl = b"#!/usr/bin/env perl\n1;\n".as_slice();
    clones.write_hook("clone/.git/hooks/post-merge", 0o755, perl);
    assert_eq!(install_with_old_git()["mechanism"], "files");
    clones.install(&[]);
    assert_eq!(names(&clones.at("clone/.git/hooks")), ["post-merge"]);
    assert_eq!(fs::read(clones.at("clone/.git/hooks/post-merge")).unwrap(), perl);
    install_with_old_git();
    clones.try_git("clone", &["config", "--get-regexp", "^hook"]).code(1);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");
}

#[test]
fn a_bare_repository_of_git_2_54_reads_the_push() {
    let clones = git_2_54();
    clones.install_in("upstream.git", &[]);
    let old = clones.id("colleague", "main");
    clones.upstream_commit("tool", "2");
    let new = clones.id("colleague", "main");
    fs::write(clones.at("line"), format!("{old} {new} refs/heads/main\n")).unwrap();
    let command = clones.ask("upstream.git", &["config", "hook.git-dist-post-receive.command"]);
    let mut hook = clones.command("sh", "upstream.git", &["-c", &command, &command]);
    clones.run(hook.env("GIT_DIR", ".").stdin(fs::File::open(clones.at("line")).unwrap())).success();
    assert_eq!(clones.deployed(), [format!("{new} main")]);
}

#[test]
fn hooks_call_a_deployed_git_dist_by_its_destination() {
    let clones = Clones::new();
    fs::create_dir_all(clones.at("pkg/versions")).unwrap();
    let version = clones.binary_at("pkg/versions/git-dist.7.abcdef0");
    std::os::unix::fs::symlink("versions/git-dist.7.abcdef0", clones.at("pkg/git-dist")).unwrap();
    for started_as in [clones.at("pkg/git-dist"), version] {
        clones.run(&mut clones.command(started_as, "clone", &["hook", "install"])).success();
        let hook = fs::read_to_string(clones.at("clone/.git/hooks/post-merge")).unwrap();
        assert!(hook.contains(&format!("binary='{}'", clones.at("pkg/git-dist").display())), "{hook}");
    }
    // As git starts it, from elsewhere, by a path that is relative to where the shell is.
    let path = format!("pkg:{}", std::env::var("PATH").unwrap());
    let mut install = clones.command("git", ".", &["dist", "-C", "clone", "hook", "install"]);
    clones.run(install.env("PATH", path).env("PWD", clones.at("."))).success();
    let hook = fs::read_to_string(clones.at("clone/.git/hooks/post-merge")).unwrap();
    assert!(hook.contains(&format!("binary='{}'", clones.at("pkg/git-dist").display())), "{hook}");
}
