//! `from: worktree` and `--worktree`: files that are not committed.

use crate::support::{Sandbox, tree};

#[test]
fn build_products_are_deployed_from_where_the_user_stands() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.manifest(
        r#""out": { "source": "build/out", "destination": "{DEPLOY_ROOT}/out", "options": { "from": "worktree" } }"#,
    );
    repo.write(".gitignore", "build\n");
    repo.commit("first");
    repo.write("build/out/deep/a.txt", "built\n");
    for start in ["", "build/out"] {
        let run = repo.inside(start).dist([]).success();
        assert!(!run.stderr().contains("panicked"), "{}", run.snapshot());
        assert_eq!(tree(sandbox.root().join("out")).writable(), tree(repo.path().join("build/out")));
    }
}
