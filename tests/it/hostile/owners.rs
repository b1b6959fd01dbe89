//! Repositories of somebody else, and an environment that means to mislead.

use std::fs;
use std::os::unix::fs::{chown, lchown};
use std::path::Path;

use super::refused;
use crate::support::{Repo, Sandbox, skipped, tree};

fn project(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.write(".gitattributes", "*.txt text eol=crlf\nsubst export-subst\nid ident\n");
    for text in ["one\n", "two\n"] {
        repo.write("lib/a.txt", text);
        repo.write("lib/subst", "$Format:%H %P %an %d$\n");
        repo.write("lib/id", "$Id$\n");
        repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
        repo.commit(text.trim_end());
    }
    repo
}

fn give_away(path: &Path, owner: u32) {
    lchown(path, Some(owner), Some(owner)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path(), owner);
        }
    }
}

/// What git itself says: its rule is ours.
#[test]
fn a_repository_of_somebody_else_is_refused_as_git_refuses_it() {
    if !rustix::process::geteuid().is_root() {
        skipped("only root can give files away");
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    let top = repo.path().to_owned();
    let config = sandbox.home().join(".gitconfig");
    let plain = fs::read_to_string(&config).unwrap();
    let path = top.display().to_string();
    let parent = sandbox.path().display().to_string();
    let safe = |directory: &str| format!("{plain}[safe]\n\tdirectory = {directory}\n");
    let owners: [(&str, &[(&str, u32)]); 4] = [
        ("nobody else", &[("", 0)]),
        ("all of it", &[("", 12_345)]),
        ("the working tree alone", &[("", 12_345), (".git", 0)]),
        ("the git directory alone", &[("", 0), (".git", 12_345)]),
    ];
    let mut seen = [0, 0];
    for (whose, owners) in owners {
        for (below, owner) in owners {
            let place = top.join(below);
            if place == top {
                chown(&place, Some(*owner), None).unwrap();
            } else {
                give_away(&place, *owner);
            }
            if below.is_empty() && owners.len() == 1 {
                give_away(&place, *owner);
            }
        }
        for (how, global, environment) in [
            ("nothing", plain.clone(), vec![]),
            ("its path", safe(&path), vec![]),
            ("its path with a slash", safe(&format!("{path}/")), vec![]),
            ("everything", safe("*"), vec![]),
            ("everything below", safe(&format!("{parent}/*")), vec![]),
            ("another path", safe("/nowhere"), vec![]),
            ("its path, taken back", safe(&format!("{path}\n\tdirectory =")), vec![]),
            (
                "the environment",
                plain.clone(),
                vec![
                    ("GIT_CONFIG_COUNT", "1"),
                    ("GIT_CONFIG_KEY_0", "safe.directory"),
                    ("GIT_CONFIG_VALUE_0", "*"),
                ],
            ),
            ("parameters", plain.clone(), vec![("GIT_CONFIG_PARAMETERS", "'safe.directory=*'")]),
            ("sudo", plain.clone(), vec![("SUDO_UID", "12345")]),
            ("another sudo", plain.clone(), vec![("SUDO_UID", "54321")]),
        ] {
            fs::write(&config, &global).unwrap();
            let _ = fs::remove_dir_all(sandbox.root());
            let git = sandbox
                .command("git", &top)
                .args(["rev-parse", "HEAD"])
                .envs(environment.clone())
                .output()
                .unwrap();
            let run = sandbox.run(sandbox.dist_command(&top).envs(environment));
            let allows = run.snapshot().starts_with("exit code: 0");
            assert_eq!(allows, git.status.success(), "{whose}, {how}: {}", run.snapshot());
            seen[usize::from(allows)] += 1;
            if !allows {
                refused(&sandbox, run)
                    .says("is owned by somebody else")
                    .says("hint: `git config --global --add safe.directory");
            }
        }
        // A repository does not declare itself safe.
        fs::write(&config, &plain).unwrap();
        let own = top.join(".git/config");
        let before = fs::read_to_string(&own).unwrap();
        fs::write(&own, format!("{before}[safe]\n\tdirectory = *\n")).unwrap();
        let git = sandbox.command("git", &top).args(["rev-parse", "HEAD"]).output().unwrap();
        let run = repo.dist([]);
        assert_eq!(
            run.snapshot().starts_with("exit code: 0"),
            git.status.success(),
            "{whose}: {}",
            run.snapshot()
        );
        fs::write(&own, before).unwrap();
    }
    assert!(seen.iter().all(|count| *count > 8), "{seen:?}");
}

#[test]
fn a_name_that_speaks_of_safety_is_no_owner() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("unsafe-untrusted-safe.directory");
    repo.write("tool", "one\n");
    repo.commit("one");
    fs::write(repo.path().join(".git/config"), "[core\n").unwrap();
    let run = repo.dist([]).code(1);
    assert!(!run.stderr().contains("somebody else"), "{}", run.snapshot());
}

#[test]
fn the_environment_decides_neither_bytes_nor_names() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.dist([]).success();
    let stable =
        |path: &[u8]| path.starts_with(b".distman") || path.ends_with(b".json") || path.ends_with(b".dist");
    let expected = tree(sandbox.root()).without(stable);
    let first = repo.id("HEAD^");
    let path = |name: &str| sandbox.path().join(name).display().to_string();
    fs::create_dir(sandbox.path().join("empty")).unwrap();
    fs::write(path("grafts"), format!("{}\n", repo.id("HEAD"))).unwrap();
    fs::write(path("boundary"), format!("{}\n", repo.id("HEAD"))).unwrap();
    fs::write(
        path("config"),
        "[core]\n\tautocrlf = true\n\tattributesFile = /etc/passwd\n[user]\n\tname = Other\n",
    )
    .unwrap();
    fs::write(path("index"), "rubbish").unwrap();
    let other = sandbox.repo("other");
    other.write("lib/a.txt", "of the other\n");
    other.commit("other");
    repo.git(["update-ref", &format!("refs/replaced/{}", repo.id("HEAD")), &first]);
    let outside = path("other/.git/objects");
    let cases: Vec<Vec<(&str, String)>> = vec![
        vec![("GIT_WORK_TREE", path("empty"))],
        vec![("GIT_INDEX_FILE", path("index"))],
        vec![("GIT_OBJECT_DIRECTORY", path("empty"))],
        vec![("GIT_OBJECT_DIRECTORY", outside.clone())],
        vec![("GIT_ALTERNATE_OBJECT_DIRECTORIES", outside)],
        vec![("GIT_REPLACE_REF_BASE", "refs/replaced/".into())],
        vec![("GIT_REPLACE_REF_BASE", "refs/heads/".into())],
        vec![("GIT_GRAFT_FILE", path("grafts"))],
        vec![("GIT_SHALLOW_FILE", path("boundary"))],
        vec![("GIT_ATTR_SOURCE", first.clone())],
        vec![("GIT_ATTR_SOURCE", "nowhere".into())],
        vec![("GIT_NAMESPACE", "elsewhere".into())],
        vec![("GIT_CONFIG_SYSTEM", path("config"))],
        vec![("GIT_CONFIG_GLOBAL", path("config"))],
        vec![("GIT_CONFIG", path("config"))],
        vec![("GIT_CONFIG_PARAMETERS", "'core.autocrlf=true' 'log.date=raw' 'core.abbrev=40'".into())],
        vec![("GIT_CONFIG_PARAMETERS", "rubbish".into())],
        vec![("GIT_CONFIG_COUNT", "many".into())],
        vec![
            ("GIT_CONFIG_COUNT", "1".into()),
            ("GIT_CONFIG_KEY_0", "core.eol".into()),
            ("GIT_CONFIG_VALUE_0", "crlf".into()),
        ],
        vec![("GIT_TRACE", "1".into()), ("GIT_TRACE2", "1".into()), ("GIT_TRACE_SETUP", "1".into())],
        vec![("GIT_TRACE", path("trace"))],
        vec![("GIT_LITERAL_PATHSPECS", "1".into()), ("GIT_ICASE_PATHSPECS", "1".into())],
        vec![("GIT_DEFAULT_HASH", "sha256".into()), ("GIT_DEFAULT_REF_FORMAT", "reftable".into())],
        vec![("GIT_EXTERNAL_DIFF", "false".into()), ("GIT_PAGER", "false".into()), ("PAGER", "false".into())],
        vec![("GIT_PREFIX", "elsewhere/".into()), ("GIT_QUARANTINE_PATH", path("empty"))],
        vec![("GIT_COMMON_DIR", path("other/.git"))],
        vec![("GIT_NO_REPLACE_OBJECTS", "0".into()), ("GIT_OPTIONAL_LOCKS", "1".into())],
        vec![("GIT_CEILING_DIRECTORIES", path("project"))],
        vec![("LC_ALL", "tr_TR.UTF-8".into()), ("LANGUAGE", "tr".into()), ("TZ", "Asia/Kathmandu".into())],
    ];
    for case in cases {
        fs::rename(sandbox.root(), sandbox.path().join("before")).unwrap();
        let run = sandbox
            .run(sandbox.dist_command(repo.path()).envs(case.iter().map(|(name, value)| (*name, value))));
        if run.snapshot().starts_with("exit code: 0") {
            let found = tree(sandbox.root()).without(stable);
            assert_eq!(found, expected, "{case:?}: {}\n{}", found.differences(&expected), run.snapshot());
        } else {
            refused(&sandbox, run);
        }
        let _ = fs::remove_dir_all(sandbox.root());
        fs::rename(sandbox.path().join("before"), sandbox.root()).unwrap();
    }
}
