//! The option `submodules`.

use super::{archived, assert_recorded, deployed};
use crate::support::{Repo, Sandbox, Tree, tree};

/// A clone of a project with a submodule at `dir/sub`, itself with one at `inner`.
fn project<'s>(sandbox: &'s Sandbox, submodules: &str) -> Repo<'s> {
    let innermost = sandbox.repo("innermost");
    innermost.write("deep.txt", "deep\n");
    innermost.commit("innermost");
    let library = sandbox.repo("library");
    library.write("lib.txt", "lib\n");
    library.write("id", "$Id$\n");
    library.write("hidden", "hidden\n");
    library.write(".gitattributes", "id ident\nhidden export-ignore\n");
    library.git(["submodule", "--quiet", "add", "../innermost", "inner"]);
    library.commit("library");
    let repo = sandbox.repo("project");
    repo.write("dir/own.txt", "own\n");
    // The superproject's attributes end where the submodule begins.
    repo.write(".gitattributes", "*.txt text eol=crlf\n");
    repo.write(
        "dist.json",
        format!(
            r#"{{ "version": 1, "options": {{ "submodules": "{submodules}" }}, "targets": {{
                "dir": {{ "source": "dir", "destination": "{{DEPLOY_ROOT}}/dir" }} }} }}"#
        ),
    );
    repo.git(["submodule", "--quiet", "add", "../library", "dir/sub"]);
    repo.git(["submodule", "--quiet", "update", "--init", "--recursive"]);
    repo.commit("project");
    repo
}

fn without_submodule(tree: Tree) -> Tree {
    tree.without(|path| path.starts_with(b"sub"))
}

#[test]
fn error_is_the_default_and_names_the_option() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "error");
    insta::assert_snapshot!(repo.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: target `dir`
      caused by: `dir/sub` is a submodule
    hint: set the option `submodules` to `recurse` or `skip` in dist.json, globally or for the target
    ");
    assert!(!sandbox.root().join("dir").exists());
}

#[test]
fn skip_leaves_it_out() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "skip");
    repo.dist([]).success();
    // git archive leaves an empty folder.
    assert_eq!(deployed(&sandbox, "dir"), without_submodule(archived(&sandbox, &repo, "dir")));
    assert_recorded(&sandbox, &repo, "dir");
}

#[test]
fn recurse_is_an_archive_of_archives() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "recurse");
    let library = sandbox.open(sandbox.path().join("library"));
    // Neither what is checked out in the submodule nor its branch counts, only the commit that is recorded.
    repo.write("dir/sub/lib.txt", "changed\n");
    library.write("lib.txt", "newer\n");
    repo.dist([]).success();
    assert_eq!(
        without_submodule(deployed(&sandbox, "dir")),
        without_submodule(archived(&sandbox, &repo, "dir"))
    );
    insta::assert_snapshot!(tree(sandbox.root().join("dir")), @r#"
    444 file own.txt = "own\r\n"
    755 dir sub
    444 file sub/id = "$Id: 055c8729cdcc372500a08db659c045e16c4409fb $\n"
    755 dir sub/inner
    444 file sub/inner/deep.txt = "deep\n"
    444 file sub/lib.txt = "lib\n"
    "#);
    assert_recorded(&sandbox, &repo, "dir");
    let before = tree(sandbox.root());
    repo.dist([]).success();
    assert_eq!(tree(sandbox.root()), before);
}

#[test]
fn a_submodule_as_the_source_itself() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "recurse");
    let manifest = r#""sub": { "source": "dir/sub", "destination": "{DEPLOY_ROOT}/sub" },
        "file": { "source": "dir/sub/lib.txt", "destination": "{DEPLOY_ROOT}/lib.txt" }"#;
    repo.write(
        "dist.json",
        format!(
            r#"{{ "version": 1, "options": {{ "submodules": "recurse", "ignore_missing": true }}, "targets": {{ {manifest} }} }}"#
        ),
    );
    repo.commit("the submodule is a target");
    insta::assert_snapshot!(repo.dist([]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    create  sub  [SANDBOX]/root/sub  new -> 2.222f7f3
    ----- stderr
    warning: target `file`: nothing matches `dir/sub/lib.txt`
    r1: deployed main 2.222f7f3 "the submodule is a target" -> [SANDBOX]/root
    "#);
    insta::assert_snapshot!(tree(sandbox.root().join("sub")), @r#"
    444 file id = "$Id: 055c8729cdcc372500a08db659c045e16c4409fb $\n"
    755 dir inner
    444 file inner/deep.txt = "deep\n"
    444 file lib.txt = "lib\n"
    "#);
}

#[test]
fn a_submodule_that_is_not_here_says_what_gets_it() {
    let sandbox = Sandbox::new();
    let clone = project(&sandbox, "recurse").clone_to("clone", []);
    insta::assert_snapshot!(clone.dist([]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: target `dir`
      caused by: the repository of the submodule `dir/sub` is not here
      caused by: `[SANDBOX]/clone/.git/modules/dir/sub` is not in a git repository
    hint: `git submodule update --init dir/sub`
    ");
    clone.git(["submodule", "--quiet", "update", "--init", "--recursive"]);
    clone.dist([]).success();
    // A clone keeps submodules below `.git/modules`; the working tree is not needed.
    let before = sandbox.active("dir");
    clone.remove("dir");
    clone.dist(["--all"]).success();
    assert_ne!(sandbox.active("dir"), before);
}
