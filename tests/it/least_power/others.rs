//! Root in what belongs to others, and others in what belongs to root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::{ADA, can_be_others, dist_as, give, modes, project};
use crate::support::{Sandbox, tree};

#[test]
fn root_in_the_root_of_somebody_else_is_warned_and_leaves_it_usable() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.git(["config", "--global", "safe.directory", "*"]);
    fs::create_dir(sandbox.root()).unwrap();
    give(sandbox.root(), ADA, ADA);
    repo.dist([])
        .success()
        .says(&format!("you are root, and the deployment root `[SANDBOX]/root` belongs to uid {ADA}"))
        .says(&format!("`sudo -u '#{ADA}' git dist`"));
    for (path, _) in modes(sandbox.root()) {
        let meta = fs::symlink_metadata(sandbox.root().join(&path)).unwrap();
        assert_eq!((meta.uid(), meta.gid()), (ADA, ADA), "{path}");
    }
    // The owner goes on: deploys, goes back, removes.
    repo.write("tool", "two\n");
    repo.write("lib/deep/a", "two\n");
    repo.commit("second");
    let run = sandbox.run(&mut dist_as(&sandbox, &repo, ADA, ADA)).success();
    assert!(!run.stderr().contains("warning"), "{}", run.snapshot());
    for arguments in [&["rollback"][..], &["delete", "lib", "-y"]] {
        let run = sandbox.run(dist_as(&sandbox, &repo, ADA, ADA).args(arguments)).success();
        assert!(!run.stderr().contains("warning"), "{}", run.snapshot());
    }
}

#[test]
fn a_root_that_is_not_ones_own_is_refused_by_name() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.git(["config", "--global", "safe.directory", "*"]);
    let refused = |arguments: &[&str]| {
        let before = tree(sandbox.root());
        let run = sandbox.run(dist_as(&sandbox, &repo, ADA, ADA).args(arguments)).code(1);
        let run =
            run.says("the deployment root `[SANDBOX]/root` belongs to root, and you may not write to it");
        run.says("hint: `DEPLOY_ROOT=DIR git dist` deploys to another place");
        assert_eq!(tree(sandbox.root()), before);
    };
    fs::create_dir(sandbox.root()).unwrap();
    refused(&[]);
    repo.dist([]).success();
    repo.write("tool", "two\n");
    repo.commit("second");
    repo.dist([]).success();
    refused(&["rollback"]);
    repo.write("tool", "three\n");
    repo.commit("third");
    refused(&[]);
}

/// git lets root work in the repository of who called sudo.
#[test]
fn hooks_deploy_nothing_for_root_in_the_repository_of_somebody_else() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.git(["config", "--global", "safe.directory", "*"]);
    repo.dist(["hook", "install", "--branch", "main"]).success();
    give(repo.path(), ADA, ADA);
    // The journal would be written through it.
    let elsewhere = sandbox.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, repo.path().join(".git/dist")).unwrap();
    let run = repo.dist(["hook", "run", "post-merge", "0"]).code(1);
    let run =
        run.says(&format!("you are root, and the repository `[SANDBOX]/project/.git` belongs to uid {ADA}"));
    run.says("hint: run git as the repository's owner");
    assert!(!sandbox.root().exists());
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// A file of somebody else that was given a second name in the root is not written to.
#[test]
fn a_second_name_of_somebody_elses_file_is_left_alone() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let precious = sandbox.path().join("precious");
    fs::write(&precious, "root's own\n").unwrap();
    for name in ["history.jsonl", "lock"] {
        fs::create_dir_all(sandbox.root().join(".distman")).unwrap();
        give(sandbox.root(), ADA, ADA);
        fs::hard_link(&precious, sandbox.root().join(".distman").join(name)).unwrap();
        repo.dist([])
            .code(if name == "lock" { 1 } else { 3 })
            .says("it is a second name of somebody else's file");
        assert_eq!(fs::read_to_string(&precious).unwrap(), "root's own\n", "{name}");
        fs::remove_dir_all(sandbox.root()).unwrap();
    }
}
