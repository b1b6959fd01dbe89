//! What a target may be made of, and where it goes.

use std::fs;

use super::TOOL;
use crate::support::{Repo, Sandbox, tree};

/// Commits `targets` and deploys them.
fn deploy(repo: &Repo<'_>, targets: &str) {
    repo.manifest(targets);
    repo.commit("deployed");
    repo.dist([]).success();
}

/// The root's destinations and versions, without bookkeeping.
fn deployed(sandbox: &Sandbox) -> String {
    let is_bookkeeping = |path: &[u8]| {
        path.starts_with(b".") || path.windows(2).any(|pair| pair == b"/.") || path == b"versions"
    };
    tree(sandbox.root()).without(is_bookkeeping).to_string()
}

#[test]
fn files_directories_and_symlinks() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("plain", "plain\n");
    repo.executable("run", "run\n");
    repo.write("dir/deep/file", "deep\n");
    repo.executable("dir/run", "run\n");
    repo.symlink("dir/to-file", "deep/file");
    repo.symlink("dir/to-dir", "deep");
    repo.symlink("dir/dangling", "/nowhere/at/all");
    repo.symlink("link", "plain");
    repo.symlink("outward", "../../elsewhere");
    let target =
        |name| format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}" }}"#);
    deploy(&repo, &["plain", "run", "dir", "link", "outward"].map(target).join(", "));
    insta::assert_snapshot!(deployed(&sandbox), @r#"
    link dir -> versions/dir.1.8952a4f
    link link -> versions/link.1.8952a4f
    link outward -> versions/outward.1.8952a4f
    link plain -> versions/plain.1.8952a4f
    link run -> versions/run.1.8952a4f
    755 dir versions/dir.1.8952a4f
    link versions/dir.1.8952a4f/dangling -> /nowhere/at/all
    755 dir versions/dir.1.8952a4f/deep
    444 file versions/dir.1.8952a4f/deep/file = "deep\n"
    555 file versions/dir.1.8952a4f/run = "run\n"
    link versions/dir.1.8952a4f/to-dir -> deep
    link versions/dir.1.8952a4f/to-file -> deep/file
    link versions/link.1.8952a4f -> ../plain
    link versions/outward.1.8952a4f -> ../../../elsewhere
    444 file versions/plain.1.8952a4f = "plain\n"
    555 file versions/run.1.8952a4f = "run\n"
    "#);
}

#[test]
fn a_deployed_link_leads_where_it_led_beside_its_neighbours() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("bin/python3", "three\n");
    repo.symlink("bin/python", "python3");
    repo.symlink("bin/absolute", sandbox.home());
    deploy(&repo, r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#);
    assert_eq!(fs::read_to_string(sandbox.root().join("bin/python")).unwrap(), "three\n");
    assert_eq!(sandbox.root().join("bin/absolute").canonicalize().unwrap(), sandbox.home());
    let version = sandbox.root().join("bin").join(sandbox.active("bin/python"));
    repo.symlink("as-deployed", fs::read_link(version).unwrap());
    repo.git(["add", "as-deployed"]);
    assert_eq!(sandbox.record("bin/python")["content"], repo.id(":as-deployed").as_str());
}

#[test]
fn the_whole_repository() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("a", "a\n");
    repo.write(".hidden/.dot", "dot\n");
    repo.write(".gitignore", "*.o\n");
    deploy(&repo, r#""all": { "source": ".", "destination": "{DEPLOY_ROOT}/all" }"#);
    let names: Vec<_> =
        fs::read_dir(sandbox.root().join("all")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.contains(&".hidden".into()) && names.contains(&"dist.json".into()), "{names:?}");
    assert!(!names.contains(&".gitignore".into()), "{names:?}");
    repo.dist(["--all"]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("all/.gitignore")).unwrap(), "*.o\n");
}

#[test]
fn wildcards_fill_their_placeholders() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for path in ["bin/one", "bin/two", "bin/.hidden", "bin/sub/three", "apps/web/main.py", "apps/api/main.py"]
    {
        repo.write(path, path);
    }
    deploy(
        &repo,
        r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" },
           "apps": { "source": "apps/*/*.py", "destination": "{DEPLOY_ROOT}/%2/%1" }"#,
    );
    insta::assert_snapshot!(deployed(&sandbox), @r#"
    755 dir bin
    link bin/one -> versions/one.1.489febb
    link bin/sub -> versions/sub.1.489febb
    link bin/two -> versions/two.1.489febb
    755 dir bin/versions
    444 file bin/versions/one.1.489febb = "bin/one"
    755 dir bin/versions/sub.1.489febb
    444 file bin/versions/sub.1.489febb/three = "bin/sub/three"
    444 file bin/versions/two.1.489febb = "bin/two"
    755 dir main
    link main/api -> versions/api.1.489febb
    755 dir main/versions
    444 file main/versions/api.1.489febb = "apps/api/main.py"
    444 file main/versions/web.1.489febb = "apps/web/main.py"
    link main/web -> versions/web.1.489febb
    "#);
    repo.remove("bin/one");
    repo.write("bin/new", "new");
    repo.commit("others");
    insta::assert_snapshot!(repo.dist(["-t", "bin"]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    create     bin  [SANDBOX]/root/bin/new  new -> 2.1777440
    unchanged  bin  [SANDBOX]/root/bin/sub  1.489febb
    unchanged  bin  [SANDBOX]/root/bin/two  1.489febb
    ----- stderr
    r2: deployed main 2.1777440 "others" -> [SANDBOX]/root
    "#);
}

#[test]
fn the_eleventh_wildcard_is_not_the_first_and_a_one() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    repo.write(names.join("/"), "deep");
    let (stars, numbers) =
        (["*"; 11].join("/"), (1..=10).map(|n| format!("%{n}")).collect::<Vec<_>>().join("-"));
    deploy(
        &repo,
        &format!(r#""deep": {{ "source": "{stars}", "destination": "{{DEPLOY_ROOT}}/%11/{numbers}" }}"#),
    );
    assert!(sandbox.root().join("k/a-b-c-d-e-f-g-h-i-j").exists());
}

#[test]
fn two_stars_reach_across_folders() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for path in ["doc/a.md", "doc/x/b.md", "doc/x/y/c.md", "doc/x/d.txt"] {
        repo.write(path, path);
    }
    deploy(&repo, r#""doc": { "source": "doc/**/*.md", "destination": "{DEPLOY_ROOT}/doc/%1/%2" }"#);
    insta::assert_snapshot!(deployed(&sandbox), @r#"
    755 dir doc
    link doc/a -> versions/a.1.6d82511
    755 dir doc/versions
    444 file doc/versions/a.1.6d82511 = "doc/a.md"
    755 dir doc/x
    link doc/x/b -> versions/b.1.6d82511
    755 dir doc/x/versions
    444 file doc/x/versions/b.1.6d82511 = "doc/x/b.md"
    755 dir doc/x/y
    link doc/x/y/c -> versions/c.1.6d82511
    755 dir doc/x/y/versions
    444 file doc/x/y/versions/c.1.6d82511 = "doc/x/y/c.md"
    "#);
}

#[test]
fn braces_and_percent_signs_in_file_names_stay() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    for name in ["{HOME}", "%1", "$HOME", "${HOME}", "a b", "ä"] {
        repo.write(format!("bin/{name}"), name);
    }
    deploy(&repo, r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#);
    for name in ["{HOME}", "%1", "$HOME", "${HOME}", "a b", "ä"] {
        assert_eq!(fs::read_to_string(sandbox.root().join("bin").join(name)).unwrap(), name);
    }
}

#[test]
fn variables_come_from_the_process_then_the_file_then_the_defaults() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    repo.write("distman.env", "all:\n  PLACE: ${NAME:-filed}\n  DEPLOY_ROOT: ${HOME}/filed/${ENV}\n");
    repo.manifest(&TOOL.replace("bin", "{PLACE}"));
    repo.commit("first");
    let destination = |remove: &[&str], set: &[(&str, &str)]| {
        let mut command = sandbox.dist_command(repo.path());
        for name in remove {
            command.env_remove(name);
        }
        let run = sandbox.run(command.envs(set.iter().copied()).args(["-d", "--json"])).success();
        let path = run.json()["items"][0]["destination"].as_str().unwrap().to_owned();
        path.replace(sandbox.path().to_str().unwrap(), "[SANDBOX]")
    };
    assert_eq!(destination(&[], &[]), "[SANDBOX]/root/filed/tool");
    assert_eq!(destination(&[], &[("PLACE", "given")]), "[SANDBOX]/root/given/tool");
    assert_eq!(destination(&[], &[("NAME", "named")]), "[SANDBOX]/root/named/tool");
    assert_eq!(destination(&["DEPLOY_ROOT"], &[]), "[SANDBOX]/home/filed/prod/filed/tool");
    assert_eq!(destination(&["DEPLOY_ROOT"], &[("ENV", "dev")]), "[SANDBOX]/home/filed/dev/filed/tool");
    repo.remove("distman.env");
    repo.manifest(TOOL);
    repo.commit("defaults");
    assert_eq!(destination(&["DEPLOY_ROOT"], &[]), "[SANDBOX]/home/.local/pipe/prod/bin/tool");
    assert_eq!(destination(&["DEPLOY_ROOT"], &[("ROOT", "/srv")]), "/srv/prod/bin/tool");
}

#[test]
fn neighbours_whose_names_are_prefixes_keep_to_themselves() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    let names = ["tool", "tool.1.2", "tool.1.abcdef0"];
    let target =
        |name| format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}" }}"#);
    repo.manifest(&names.map(target).join(", "));
    for round in ["one", "two"] {
        for name in names {
            repo.write(name, format!("{round} {name}\n"));
        }
        repo.commit(round);
        repo.dist([]).success();
    }
    for name in names {
        let version = repo.version(name, "HEAD");
        assert_eq!(sandbox.active(name), format!("versions/{version}"));
        assert_eq!(fs::read_to_string(sandbox.root().join(name)).unwrap(), format!("two {name}\n"));
    }
    let before = tree(sandbox.root());
    repo.dist([]).success();
    assert_eq!(tree(sandbox.root()), before);
    let json = repo.dist(["show", "--json", "tool"]).success().json();
    let versions = json["items"][0]["versions"].as_array().unwrap();
    assert_eq!(versions.len(), 2, "{json:#}");
}

#[test]
fn a_source_outside_of_the_project_is_not_deployed() {
    let sandbox = Sandbox::new();
    let repo = super::project(&sandbox, "project");
    std::fs::write(sandbox.path().join("secret"), "secret\n").unwrap();
    for source in ["../secret", "..", "x/../../secret"] {
        let place = sandbox.root().join("leaked");
        repo.dist(["--worktree", "--source", source, "--dest", place.to_str().unwrap()]).code(1);
        assert!(!place.exists(), "{source}");
    }
}
