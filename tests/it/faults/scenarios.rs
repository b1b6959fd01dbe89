//! What is made to fail.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::bench::Bench;
use super::{Scenario, assert_survives};
use crate::support::{Repo, Sandbox};

/// A repository with the revisions `v1` to `v4` of a folder, two items of a wildcard, and a page that a pipeline makes.
fn project(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.manifest(
        r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib/tool", "options": { "keep": 1 },
                    "shared": ["data"], "verify": ["test -f {staged}/changing"], "after": ["true"] },
           "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" },
           "page": { "source": "page", "destination": "{DEPLOY_ROOT}/page",
                     "pipeline": { "stamp": { "script": "cat {input} {input} > {output}" } } }"#,
    );
    for (version, a) in [("v1", "one"), ("v2", "other"), ("v3", "third"), ("v4", "one")] {
        repo.write("lib/same", "same\n");
        repo.write("lib/below/changing", version);
        repo.write("lib/changing", version);
        repo.write("lib/data/begin", "begin\n");
        repo.write("bin/a", a);
        repo.executable("bin/b", version);
        repo.write("page", version);
        repo.commit(version);
        repo.git(["tag", version]);
    }
    repo
}

const DESTINATIONS: &[&str] = &["lib/tool", "bin/a", "bin/b", "page"];

/// Deploys `v1` to `v3`.
fn deploy_three(bench: &Bench<'_>) {
    for version in ["v1", "v2", "v3"] {
        bench.run(&["--rev", version], None).assert_code(0);
    }
}

fn deploy_all(bench: &Bench<'_>) {
    deploy_three(bench);
    bench.run(&[], None).assert_code(0);
}

#[test]
fn the_first_deploy() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "first deploy",
        repo: project(&sandbox),
        before: |_| (),
        command: &[],
        settle: None,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

/// Creates, relinks, links shared paths, checks, runs commands, prunes.
pub(crate) fn deploy(sandbox: &Sandbox, place: Option<PathBuf>) -> Scenario<'_> {
    Scenario {
        name: "deploy",
        repo: project(sandbox),
        before: deploy_three,
        command: &[],
        settle: None,
        place,
        destinations: DESTINATIONS,
    }
}

#[test]
fn a_deploy_over_others() {
    let sandbox = Sandbox::new();
    assert_survives(&sandbox, &deploy(&sandbox, None));
}

#[test]
fn a_deploy_over_files_of_others() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "adopt",
        repo: together(&sandbox),
        before: |bench| {
            for folder in ["bin", "page"] {
                fs::create_dir_all(bench.root().join(folder)).unwrap();
            }
            fs::write(bench.root().join("bin/0"), "somebody's").unwrap();
            fs::write(bench.root().join("page/theirs"), "somebody's").unwrap();
        },
        command: &["--rev", "v1", "-y"],
        settle: None,
        place: None,
        destinations: TOGETHER,
    };
    assert_survives(&sandbox, &scenario);
}

/// A repository with the revisions `v1` to `v3`, of which the last two switch together, the last with one more.
fn together(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    for (version, options, bins) in
        [("v1", "", 1), ("v2", r#""switch": "together""#, 1), ("v3", r#""switch": "together""#, 2)]
    {
        repo.write(
            "dist.json",
            format!(
                r#"{{ "version": 1, "options": {{ {options} }},
                    "targets": {{ "bin": {{ "source": "bin/*", "destination": "{{DEPLOY_ROOT}}/bin/%1" }},
                                  "page": {{ "source": "page", "destination": "{{DEPLOY_ROOT}}/page" }} }} }}"#
            ),
        );
        for bin in 0..bins {
            repo.write(format!("bin/{bin}"), format!("{version} {bin}"));
        }
        repo.write("page", version);
        repo.commit(version);
        repo.git(["tag", version]);
    }
    repo
}

const TOGETHER: &[&str] = &["bin/0", "bin/1", "page"];

#[test]
fn a_deploy_that_begins_to_switch_together() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "begin together",
        repo: together(&sandbox),
        before: |bench| bench.run(&["--rev", "v1"], None).assert_code(0),
        command: &["--rev", "v2"],
        settle: None,
        place: None,
        destinations: TOGETHER,
    };
    assert_survives(&sandbox, &scenario);
}

#[test]
fn a_deploy_that_switches_together() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "together",
        repo: together(&sandbox),
        before: |bench| {
            bench.run(&["--rev", "v2"], None).assert_code(0);
            fs::write(bench.root().join("bin/1"), "somebody's").unwrap();
        },
        command: &["--adopt"],
        settle: None,
        place: None,
        destinations: TOGETHER,
    };
    assert_survives(&sandbox, &scenario);
}

/// Finishes or undoes what was killed, and changes nothing else.
const SETTLE: Option<&[&str]> = Some(&["prune", "--keep", "0"]);

pub(crate) fn rollback_together(sandbox: &Sandbox, place: Option<PathBuf>) -> Scenario<'_> {
    Scenario {
        name: "rollback together",
        repo: together(sandbox),
        before: |bench| {
            bench.run(&["--rev", "v2"], None).assert_code(0);
            bench.run(&[], None).assert_code(0);
        },
        command: &["rollback", "bin", "page"],
        settle: SETTLE,
        place,
        destinations: TOGETHER,
    }
}

#[test]
fn a_rollback_of_what_switches_together() {
    let sandbox = Sandbox::new();
    assert_survives(&sandbox, &rollback_together(&sandbox, None));
}

#[test]
fn a_rollback() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "rollback",
        repo: project(&sandbox),
        before: deploy_all,
        command: &["rollback", "-m", "it smells"],
        settle: SETTLE,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

#[test]
fn a_use() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "use",
        repo: project(&sandbox),
        before: deploy_three,
        command: &["use", "lib", "1"],
        settle: SETTLE,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

#[test]
fn a_reset() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "reset",
        repo: project(&sandbox),
        before: |bench| {
            deploy_three(bench);
            bench.run(&["use", "lib", "1"], None).assert_code(0);
        },
        command: &["reset"],
        settle: SETTLE,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

#[test]
fn a_deletion_of_a_destination() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "delete",
        repo: project(&sandbox),
        before: deploy_three,
        command: &["delete", "lib", "-y"],
        settle: SETTLE,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

#[test]
fn a_deletion_of_a_version() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "delete version",
        repo: project(&sandbox),
        before: deploy_three,
        command: &["delete", "lib", "2"],
        settle: SETTLE,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

/// Of versions, and of an item that left the repository.
#[test]
fn a_prune() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.remove("bin/b");
    repo.commit("v5");
    let scenario = Scenario {
        name: "prune",
        repo,
        before: deploy_all,
        command: &["prune", "--keep", "1", "-y"],
        settle: None,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

/// A repair that is cut off is begun again; that it was begun may be missing in the history.
#[test]
fn a_repair() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "repair",
        repo: project(&sandbox),
        before: deploy_three,
        command: &["verify", "--repair"],
        settle: None,
        place: None,
        destinations: DESTINATIONS,
    };
    let bench = Bench::new(&sandbox, &scenario, 0);
    deploy_three(&bench);
    let whole = bench.seen(DESTINATIONS);
    let file = fs::canonicalize(bench.root().join("lib/tool/changing")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "damaged").unwrap();
    bench.keep();
    let damaged = bench.seen(DESTINATIONS);
    assert_ne!(whole, damaged);
    bench.run(scenario.command, None).assert_code(0);
    let acts = bench.acts();
    let mut trials = 0;
    for number in 1..=acts.len() {
        for what in ["EIO", "ENOSPC", "EACCES", "KILL", "EIO:half", "KILL:half"] {
            if what.ends_with("half") && !acts[number - 1].is_write() {
                continue;
            }
            trials += 1;
            bench.reset();
            let run = bench.run(scenario.command, Some(&format!("{number}:{what}")));
            let said = format!("{number}:{what}: {}\n{run}", acts[number - 1]);
            let seen = bench.seen(DESTINATIONS);
            assert!(seen == whole || seen == damaged, "{said}");
            match run.code {
                None if what.starts_with("KILL") => {}
                Some(0) => assert_eq!(seen, whole, "{said}"),
                Some(1 | 3 | 4) => {}
                _ => panic!("{said}"),
            }
            bench.run(scenario.command, None).assert_code(0);
            assert_eq!(bench.seen(DESTINATIONS), whole, "{said}");
            bench.run(&["verify", "--all"], None).assert_code(0);
            assert!(!bench.has_leftovers(), "{said}");
        }
    }
    eprintln!("repair: {} acts, {trials} trials", acts.len());
}

/// Deploys `versions` to the source of a mirror.
fn deploy_to_source(bench: &Bench<'_>, versions: &[&str]) {
    let (source, root, aside) = (bench.source(), bench.root(), bench.source().with_extension("mirror"));
    let is_mirrored = root.exists();
    if is_mirrored {
        fs::rename(&root, &aside).unwrap();
    }
    if source.exists() {
        fs::rename(&source, &root).unwrap();
    }
    for version in versions {
        bench.run(&["--rev", version], None).assert_code(0);
    }
    fs::rename(&root, &source).unwrap();
    if is_mirrored {
        fs::rename(&aside, &root).unwrap();
    }
}

/// One thread, so that the acts come in the same order.
const CACHE: &[&str] = &["cache", "--ttl", "0", "--workers", "1"];

#[test]
fn the_first_copy_of_a_mirror() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "first cache",
        repo: project(&sandbox),
        before: |bench| {
            if !bench.source().exists() {
                deploy_to_source(bench, &["v1", "v2"]);
            }
        },
        command: CACHE,
        settle: None,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

/// Copies, shares, replaces what is damaged, relinks, removes.
#[test]
fn a_later_copy_of_a_mirror() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "cache",
        repo: project(&sandbox),
        before: |bench| {
            deploy_to_source(bench, &["v1", "v2"]);
            bench.run(CACHE, None).assert_code(0);
            deploy_to_source(bench, &["v3"]);
        },
        command: CACHE,
        settle: None,
        place: None,
        destinations: DESTINATIONS,
    };
    assert_survives(&sandbox, &scenario);
}

#[test]
fn a_copy_that_switches_together() {
    let sandbox = Sandbox::new();
    let scenario = Scenario {
        name: "cache together",
        repo: together(&sandbox),
        before: |bench| {
            deploy_to_source(bench, &["v1", "v2"]);
            bench.run(CACHE, None).assert_code(0);
            deploy_to_source(bench, &["v3"]);
        },
        command: CACHE,
        settle: None,
        place: None,
        destinations: TOGETHER,
    };
    assert_survives(&sandbox, &scenario);
}
