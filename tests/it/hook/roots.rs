//! Where hooks may write: who can push must not thereby write anywhere.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::tree;

use super::clones::{BINARY, Clones};

/// A manifest with the target `site` and another one that goes to `destination`.
fn two(destination: &str) -> String {
    format!(
        r#"{{ "targets": {{ "site": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/site" }},
            "evil": {{ "source": "tool", "destination": "{destination}" }} }} }}"#
    )
}

fn roots(clones: &Clones) -> Vec<String> {
    let roots = clones.try_git("clone", &["config", "--local", "--get-all", "dist.root"]);
    roots.stdout().lines().map(ToOwned::to_owned).collect()
}

#[test]
fn an_installation_allows_what_is_deployed_to_now() {
    let clones = Clones::new();
    let www = clones.at("www").display().to_string();
    clones.manifest(&two(&format!("{www}/deep/site")));
    clones.pull("tool", "2");
    let installed = clones.dist("clone", &["hook", "install"]).success();
    installed.says("hooks may write to `[SANDBOX]/root`, `[SANDBOX]/www/deep`, and nowhere else");
    assert_eq!(roots(&clones), ["[SANDBOX]/root", "[SANDBOX]/www/deep"]);
    let status = clones.dist("clone", &["hook", "status"]).success();
    status.prints("roots         [SANDBOX]/root, [SANDBOX]/www/deep\n");
    clones.pull("tool", "3");
    assert_eq!(fs::read_to_string(clones.at("www/deep/site")).unwrap(), "3");

    // Installing again is no word of a person on what dist.json says by now.
    clones.manifest(&two(&format!("{www}/other/site")));
    let said = clones.pull("tool", "4");
    assert!(said.contains("outside of every `dist.root`"), "{said}");
    let again = clones.dist("clone", &["hook", "install"]).success();
    again.says("hooks may not write to `[SANDBOX]/www/other`");
    assert_eq!(roots(&clones), ["[SANDBOX]/root", "[SANDBOX]/www/deep"]);
    clones.dist("clone", &["hook", "install", "--root", "../www", "--root", "../www"]).success();
    assert_eq!(roots(&clones), ["[SANDBOX]/root", "[SANDBOX]/www/deep", "[SANDBOX]/www"]);
    clones.pull("tool", "5");
    assert_eq!(fs::read_to_string(clones.at("www/other/site")).unwrap(), "5");

    clones.uninstall();
    assert_eq!(roots(&clones), [""; 0], "the permission goes with the hooks");
}

#[test]
fn a_destination_elsewhere_holds_back_everything() {
    let clones = Clones::installed(&[]);
    let (home, root) = (clones.sandbox.home(), clones.sandbox.root().to_owned());
    fs::create_dir_all(&root).unwrap();
    symlink(&home, root.join("link")).unwrap();
    symlink("nowhere", root.join("gone")).unwrap();
    let home = home.display();
    for destination in [
        format!("{home}/.bashrc"),
        format!("{home}/new/deep/file"),
        clones.at("upstream.git/hooks/pre-receive").display().to_string(),
        "{DEPLOY_ROOT}/link/x".to_owned(),
        "{DEPLOY_ROOT}/link/new/x".to_owned(),
        "{DEPLOY_ROOT}-not/x".to_owned(),
        "{HOME}/x".to_owned(),
    ] {
        clones.manifest(&two(&destination));
        let before = tree(clones.sandbox.home());
        let said = clones.pull("tool", &destination);
        assert!(said.contains("NOT DEPLOYED"), "{destination}: {said}");
        assert!(said.contains("of target `evil` is in `[SANDBOX]/"), "{destination}: {said}");
        assert!(said.contains("hint: if that is meant: `git config --add dist.root [SANDBOX]/"), "{said}");
        assert_eq!(tree(clones.sandbox.home()), before, "{destination}");
        assert!(clones.deployed().is_empty() && !root.join("site").exists(), "{destination}");
    }
    clones.manifest(&two("{DEPLOY_ROOT}/gone/x"));
    assert!(clones.pull("tool", "gone").contains("cannot tell where `[SANDBOX]/root/gone`"));

    // What the hint says is all it takes.
    clones.manifest(&two("{DEPLOY_ROOT}/link/new/x"));
    let said = clones.pull("tool", "allowed");
    let command = said.split("`git config ").nth(1).unwrap().split('`').next().unwrap().to_owned();
    let command = command.replace("[SANDBOX]", clones.sandbox.path().to_str().unwrap());
    let words: Vec<&str> = ["config"].into_iter().chain(command.split(' ')).collect();
    clones.git("clone", &words);
    clones.pull("tool", "yes");
    assert_eq!(fs::read_to_string(clones.sandbox.home().join("new/x")).unwrap(), "yes");
    let status = clones.status("clone", "post-merge");
    assert_eq!(status["last"]["result"], "deployed");
}

#[test]
fn only_the_repositorys_own_file_allows_folders() {
    let clones = Clones::installed(&[]);
    clones.manifest(&two("{HOME}/x"));
    let home = clones.sandbox.home().display().to_string();
    fs::write(clones.at("clone/tracked.conf"), format!("[dist]\n\troot = {home}\n")).unwrap();
    clones.git("clone", &["config", "--global", "dist.root", &home]);
    clones.git("clone", &["config", "include.path", "../tracked.conf"]);
    assert!(clones.pull("tool", "2").contains("outside of every `dist.root`"));
    clones.git("clone", &["config", "--add", "dist.root", "~/"]);
    assert!(clones.pull("tool", "3").contains("deployed"));
}

#[test]
fn hooks_of_an_earlier_installation_ask_for_another_one() {
    let clones = Clones::installed(&[]);
    clones.git("clone", &["config", "--unset-all", "dist.root"]);
    let said = clones.pull("tool", "2");
    assert!(said.contains("NOT DEPLOYED") && said.contains("nobody has said yet where"), "{said}");
    assert!(said.contains("hint: `git dist hook install`, once more"), "{said}");
    clones.assert_nothing_deployed();
    clones.dist("clone", &["hook", "status"]).success().prints("roots         none\n").says("warning");
    clones.install(&[]);
    clones.pull("tool", "3");
    clones.assert_deployed("HEAD");
    clones.git("clone", &["config", "dist.root", "live"]);
    assert!(clones.pull("tool", "4").contains("expected an absolute path"));
}

/// Pushes what git runs the hook for, with the root that distman.env names and no other.
fn pull_without_root(clones: &Clones, text: &str) -> String {
    clones.upstream_commit("tool", text);
    let mut pull = clones.command("git", "clone", &["pull", "-q"]);
    clones.run(pull.env_remove("DEPLOY_ROOT")).success().stderr().to_owned()
}

#[test]
fn the_environment_file_moves_nothing_out() {
    let clones = Clones::installed(&[]);
    let colleague = clones.repo("colleague");
    let root = clones.sandbox.root().display().to_string();
    let home = clones.sandbox.home();
    let before = tree(&home);
    for (environment, message) in [
        (format!("DEPLOY_ROOT: {}", home.display()), "the deployment root `[SANDBOX]/home` lies outside"),
        (format!("DEPLOY_ROOT: {root}/../home"), "cannot tell where `[SANDBOX]/root/../home` leads"),
        ("ENV: x".to_owned(), "the deployment root `[SANDBOX]/home/.local/pipe/x` lies outside"),
        (
            format!("DEPLOY_ROOT: {root}\n  BUILD_DIR: {}/tmp", home.display()),
            "`BUILD_DIR` is `[SANDBOX]/home/tmp`, outside",
        ),
        (
            format!("DEPLOY_ROOT: {root}\n  LOG_DIR: {}/logs", home.display()),
            "`LOG_DIR` is `[SANDBOX]/home/logs`, outside",
        ),
        (format!("DEPLOY_ROOT: {root}\n  LOG_DIR: ~/logs"), "`LOG_DIR` is `[SANDBOX]/home/logs`, outside"),
        (format!("DEPLOY_ROOT: {root}\n  LOG_DIR: {root}/versions/x"), "in what was deployed"),
    ] {
        colleague.write("distman.env", format!("all:\n  {environment}\n"));
        let said = pull_without_root(&clones, &environment);
        assert!(said.contains(message), "{environment}: {said}");
        assert_eq!(tree(&home), before, "{environment}");
    }
    clones.assert_nothing_deployed();
    // `..` is no name of a folder in the root.
    colleague.write("distman.env", format!("all:\n  DEPLOY_ROOT: {root}\n  DISTMAN_META_DIR: ..\n"));
    pull_without_root(&clones, "meta");
    clones.assert_nothing_deployed();
    assert!(!clones.at("lock").exists());
}

#[test]
fn pushed_bytes_never_pass_for_what_git_dist_wrote_down() {
    let clones = Clones::installed(&[]);
    let colleague = clones.repo("colleague");
    let root = clones.sandbox.root().display().to_string();
    // A journal that a run would finish or undo: it names a link to be put into the home folder.
    let journal = "{}";
    for path in ["data/.distman/pending.json", "data/meta/pending.json"] {
        colleague.write(path, journal);
    }
    clones.manifest(
        r#"{ "targets": { "data": { "source": "data", "destination": "{DEPLOY_ROOT}/data", "shared": ["meta"] } } }"#,
    );
    assert!(clones.pull("tool", "2").contains("deployed"), "{}", clones.log());
    let pushed = clones.sandbox.root().join("shared/data/meta/pending.json");
    assert_eq!(fs::read_to_string(pushed).unwrap(), journal);
    for environment in [
        format!("DEPLOY_ROOT: {root}/data"),
        format!("DEPLOY_ROOT: {root}/shared/data\n  DISTMAN_META_DIR: meta"),
        format!("DEPLOY_ROOT: {root}\n  DISTMAN_META_DIR: data"),
    ] {
        colleague.write("distman.env", format!("all:\n  {environment}\n"));
        let said = pull_without_root(&clones, &environment);
        assert!(said.contains("lies in what was deployed"), "{environment}: {said}");
    }
    colleague.remove("distman.env");
    for destination in ["{DEPLOY_ROOT}/.distman/pending.json", "{DEPLOY_ROOT}/.distman/together/x/y"] {
        clones.manifest(&two(destination));
        let said = clones.pull("tool", destination);
        assert!(said.contains("that git dist keeps for itself"), "{said}");
    }
    assert_eq!(clones.deployed().len(), 1);
}

#[test]
fn a_bare_repository_without_a_commit_allows_the_root_of_whoever_installs() {
    let clones = Clones::new();
    clones.sandbox.repo_with("empty.git", ["--bare"]);
    clones.install_in("empty.git", &["--branch", "main"]);
    let mut push = clones.command("git", "colleague", &["push", "-q", "../empty.git", "main"]);
    assert!(clones.run(&mut push).success().stderr().contains("deployed "));
    clones.assert_active("colleague", "main");
    // By hand everything is as it was: a person names the destination.
    clones.manifest(&two("{HOME}/x"));
    clones.commit("colleague", "tool", "2");
    clones.run(&mut clones.command(BINARY, "colleague", &["-f"])).success();
    assert!(clones.sandbox.home().join("x").exists());
}

#[test]
fn a_log_is_checked_where_it_is_written() {
    let clones = Clones::installed(&[]);
    let (root, elsewhere) = (clones.sandbox.root().display().to_string(), clones.at("elsewhere"));
    // What is in the home folder is allowed; behind `~/`, a path from the top leads there too.
    clones.git("clone", &["config", "--add", "dist.root", "~/"]);
    let environment = format!("all:\n  DEPLOY_ROOT: {root}\n  LOG_DIR: ~/{}\n", elsewhere.display());
    clones.repo("colleague").write("distman.env", environment);
    assert!(clones.pull("tool", "2").contains("deployed"), "{}", clones.log());
    assert!(!elsewhere.exists());
    assert!(clones.sandbox.home().join(elsewhere.strip_prefix("/").unwrap()).join("distman.log").is_file());
}
