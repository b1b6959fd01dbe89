//! What is refused, before anything is written, and what helps.

use std::fs;
use std::os::unix::fs::symlink;

use super::{TOOL, next, project};
use crate::support::{Repo, Run, Sandbox, tree};

/// Runs `git dist`, which must fail with exit code 1 and change nothing at all.
fn refused<const N: usize>(sandbox: &Sandbox, repo: &Repo<'_>, arguments: [&str; N]) -> Run {
    let before = tree(sandbox.path());
    let run = repo.dist(arguments).code(1);
    assert_eq!(tree(sandbox.path()), before, "{}", run.snapshot());
    run
}

/// A repository whose dist.json has these targets, and a file `a` and `b`.
fn with_targets<'s>(sandbox: &'s Sandbox, targets: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    for name in ["a", "b", "d/one", "d/two"] {
        repo.write(name, name);
    }
    repo.manifest(targets);
    repo.commit("first");
    repo
}

#[test]
fn no_dist_json() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a/file", "file\n");
    repo.commit("first");
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: there is no `dist.json` in revision `HEAD`
    hint: `git dist init` writes one
    ");
    insta::assert_snapshot!(refused(&sandbox, &repo.inside("a"), []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: there is no `dist.json` in revision `HEAD` at or above `a`
    hint: `git dist init` writes one
    ");
    repo.manifest(TOOL);
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: there is no `dist.json` in revision `HEAD`
    hint: it is in the working tree only: `git add dist.json`, then `git commit`
    ");
}

#[test]
fn a_source_that_is_not_in_the_revision() {
    let sandbox = Sandbox::new();
    let repo = with_targets(
        &sandbox,
        r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/a" },
           "c": { "source": "c", "destination": "{DEPLOY_ROOT}/c" }"#,
    );
    repo.write("c", "uncommitted\n");
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: target `c`: source `c` is not in revision `HEAD`
    hint: commit it, or accept that with `--ignore-missing` or the option `ignore_missing`
    ");
    insta::assert_snapshot!(repo.dist(["--ignore-missing"]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    create  a  [SANDBOX]/root/a  new -> 1.e333d50
    ----- stderr
    warning: target `c`: nothing matches `c`
    r1: deployed main 1.e333d50 "first" -> [SANDBOX]/root
    "#);
}

#[test]
fn a_wildcard_that_matches_nothing_is_told() {
    let sandbox = Sandbox::new();
    let repo = with_targets(&sandbox, r#""x": { "source": "x/*", "destination": "{DEPLOY_ROOT}/%1" }"#);
    insta::assert_snapshot!(repo.dist([]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    ----- stderr
    warning: target `x`: nothing matches `x/*`
    nothing to do: 0 destinations are at main 1.6fed9d0 "first" -> [SANDBOX]/root
    "#);
}

#[test]
fn a_variable_that_nobody_sets() {
    let sandbox = Sandbox::new();
    let repo = with_targets(&sandbox, r#""a": { "source": "a", "destination": "{DEPLOY_ROT}/a" }"#);
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: target `a`: cannot expand the destination `{DEPLOY_ROT}/a`
      caused by: `{DEPLOY_ROT}/a`: unknown variable `DEPLOY_ROT`
    hint: did you mean `{DEPLOY_ROOT}`?
    ");
    repo.manifest(r#""a": { "source": "a", "destination": "relative/a" }"#);
    repo.commit("relative");
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: target `a`: cannot deploy `a`
      caused by: the destination `relative/a` is not an absolute path with a name
    ");
}

#[test]
fn a_broken_manifest_or_environment() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.write("dist.json", "{ \"version\": 1,\n  \"targets\": { \"a\": { \"source\": 1 } } }\n");
    repo.commit("broken");
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @r#"
    exit code: 1
    ----- stdout
    ----- stderr
    error: the manifest of revision `HEAD` cannot be used
      caused by: dist.json:2:33: `source` of target `a` must be a string, found `1`
      2 |   "targets": { "a": { "source": 1 } } }
        |                                 ^
    "#);
    repo.manifest(TOOL);
    repo.write("distman.env", "all:\n  A: [1, 2]\n");
    repo.commit("broken environment");
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: the environment of revision `HEAD` cannot be used
      caused by: distman.env:2:6: `A` is a list; a value is text
    hint: put the list in quotes if `A` is meant to be this text
    ");
}

#[test]
fn two_items_with_one_destination() {
    let sandbox = Sandbox::new();
    let repo = with_targets(
        &sandbox,
        r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/same" },
           "b": { "source": "b", "destination": "{DEPLOY_ROOT}/same" }"#,
    );
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @r#"
    exit code: 1
    ----- stdout
    ----- stderr
    error: the manifest of revision `HEAD` cannot be used
      caused by: dist.json:2:49: targets `a` and `b` have the same destination
      2 |            "b": { "source": "b", "destination": "{DEPLOY_ROOT}/same" } } }
        |                                                 ^^^^^^^^^^^^^^^^^^^^
    hint: the first one is on line 1
    "#);
    // Known only once variables are filled and wildcards matched.
    repo.write("a", "changed\n");
    repo.manifest(
        r#""b": { "source": "b", "destination": "{DEPLOY_ROOT}/one" },
           "d": { "source": "d/*", "destination": "{DEPLOY_ROOT}/%1" }"#,
    );
    repo.commit("wildcard");
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: targets `b` and `d` have one destination, `[SANDBOX]/root/one`: `b` and `d/one`
    ");
    // Also when one of the two waits for its turn.
    refused(&sandbox, &repo, ["-t", "b"]).says("targets `b` and `d` have one destination");
    refused(&sandbox, &repo, ["-t", "d"]).says("targets `d` and `b` have one destination");
}

#[test]
fn a_destination_inside_another_one() {
    let sandbox = Sandbox::new();
    let repo = with_targets(
        &sandbox,
        r#""d": { "source": "d", "destination": "{DEPLOY_ROOT}/d" },
           "a": { "source": "a", "destination": "{DEPLOY_ROOT}/d/a" }"#,
    );
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: the destination `[SANDBOX]/root/d/a` of target `a` lies inside `[SANDBOX]/root/d`, which target `d` deploys
    ");
    repo.manifest(
        r#""d": { "source": "d", "destination": "{DEPLOY_ROOT}/d" },
           "a": { "source": "a", "destination": "{DEPLOY_ROOT}/versions/a" }"#,
    );
    repo.commit("inside versions");
    refused(&sandbox, &repo, []).says("target `a`");
}

#[test]
fn what_no_deployment_made_is_refused_and_adopt_keeps_it() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let destination = sandbox.root().join("bin/tool");
    fs::create_dir_all(destination.parent().unwrap()).unwrap();
    fs::write(&destination, "precious\n").unwrap();
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    [SANDBOX]/root/bin/tool: a file stands there that no deployment made
    error: refused: `[SANDBOX]/root/bin/tool` (target `tool`): a file stands there that no deployment made
    hint: `--adopt` moves it aside and deploys
    ");
    refused(&sandbox, &repo, ["-d"]);
    refused(&sandbox, &repo, ["-f"]).says("`--adopt`");
    repo.dist(["--adopt"]).success();
    assert_eq!(sandbox.active("bin/tool"), format!("versions/{}", repo.version("tool", "HEAD")));
    let kept: Vec<_> = fs::read_dir(sandbox.root().join("bin"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && fs::read_to_string(path).is_ok_and(|text| text == "precious\n"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}\n{}", tree(sandbox.root()));
}

#[test]
fn directories_and_foreign_links_are_refused_and_kept_too() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    let destination = sandbox.root().join("bin/tool");
    fs::create_dir_all(&destination).unwrap();
    fs::write(destination.join("inside"), "precious\n").unwrap();
    refused(&sandbox, &repo, []).says("a directory stands there");
    repo.dist(["-y"]).success();
    assert!(tree(sandbox.root()).to_string().contains("inside = \"precious\\n\""));
    next(&repo, "two\n");
    fs::remove_file(&destination).unwrap();
    symlink("/usr/bin/tool", &destination).unwrap();
    refused(&sandbox, &repo, []).says("a link to `/usr/bin/tool` stands there");
    repo.dist(["--adopt"]).success();
    assert!(tree(sandbox.root()).to_string().contains("-> /usr/bin/tool"));
}

#[test]
fn one_refused_destination_holds_back_all() {
    let sandbox = Sandbox::new();
    let repo = with_targets(
        &sandbox,
        r#""a": { "source": "a", "destination": "{DEPLOY_ROOT}/a" },
           "b": { "source": "b", "destination": "{DEPLOY_ROOT}/b" },
           "d": { "source": "d", "destination": "{DEPLOY_ROOT}/d" }"#,
    );
    fs::create_dir_all(sandbox.root()).unwrap();
    fs::write(sandbox.root().join("b"), "precious\n").unwrap();
    fs::write(sandbox.root().join("d"), "precious\n").unwrap();
    insta::assert_snapshot!(refused(&sandbox, &repo, []).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    [SANDBOX]/root/b: a file stands there that no deployment made
    [SANDBOX]/root/d: a file stands there that no deployment made
    error: refused: 2 destinations need a decision
      `[SANDBOX]/root/b` (target `b`): a file stands there that no deployment made
      `[SANDBOX]/root/d` (target `d`): a file stands there that no deployment made
    hint: `--adopt` moves it aside and deploys
    ");
    repo.dist(["-t", "a"]).success();
}

#[test]
fn sources_outside_the_repository() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "project");
    repo.symlink("outward", "/etc");
    for source in ["../other", "/etc/hostname", "a/../../b", "outward/hostname", ".git/config"] {
        repo.manifest(&format!(r#""x": {{ "source": "{source}", "destination": "{{DEPLOY_ROOT}}/x" }}"#));
        repo.commit(source);
        refused(&sandbox, &repo, []).says("x").says("error: ");
    }
}

#[test]
fn destinations_that_are_one_through_a_linked_folder_are_one() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a", "a\n");
    repo.manifest(
        r#""one": { "source": "a", "destination": "{DEPLOY_ROOT}/bin/t" },
           "two": { "source": "a", "destination": "{DEPLOY_ROOT}/sbin/t" }"#,
    );
    repo.commit("first");
    std::fs::create_dir_all(sandbox.root().join("bin")).unwrap();
    std::os::unix::fs::symlink("bin", sandbox.root().join("sbin")).unwrap();
    repo.dist([]).code(1).says("targets `one` and `two` have one destination");
}

#[test]
fn names_that_git_dist_uses_are_no_destinations() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a", "a\n");
    for taken in [".t.dist", ".t.next", ".distman/x", "versions", ".staging-x"] {
        repo.manifest(&format!(
            r#""one": {{ "source": "a", "destination": "{{DEPLOY_ROOT}}/t" }},
               "two": {{ "source": "a", "destination": "{{DEPLOY_ROOT}}/{taken}" }}"#
        ));
        repo.commit(taken);
        repo.dist([]).code(1).says("two");
        assert!(!sandbox.root().exists(), "{taken}");
    }
}
