//! Permissions of what is written, under any umask.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{ADA, GROUP, MALLORY, can_be_others, dist_as, dist_under, modes, project};
use crate::support::Sandbox;

const CHECKED: &str = r#"{ "version": 1, "targets": { "lib": { "source": "lib",
    "destination": "{DEPLOY_ROOT}/bin/lib",
    "pipeline": { "look": { "script": "cp -R {input} {output}; ls -ld {input}/.. {input}/../.. {output}/.." } },
    "verify": ["ls -ld {staged}/.. >&2; false"] } } }"#;

#[test]
fn unfinished_work_is_private_from_beginning_to_end() {
    for umask in ["000", "022", "077"] {
        let sandbox = Sandbox::new();
        let repo = project(&sandbox, "");
        let versions = sandbox.root().join("bin/versions");
        let (stop, seen) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    for entry in fs::read_dir(&versions).into_iter().flatten().flatten() {
                        if entry.file_name().to_string_lossy().starts_with(".staging-")
                            && let Ok(meta) = entry.metadata()
                        {
                            seen.store(true, Ordering::Relaxed);
                            assert_eq!(meta.mode() & 0o777, 0o700, "umask {umask}");
                        }
                    }
                }
            });
            sandbox.run(&mut dist_under(&sandbox, &repo, umask, "")).success();
            // A command that looks at where it is, and keeps the folder there for the watcher.
            repo.write("dist.json", CHECKED.replace("false", "sleep 0.1; false"));
            repo.commit("second");
            let run = sandbox.run(&mut dist_under(&sandbox, &repo, umask, "-y")).code(1);
            assert!(run.stderr().contains("drwx------"), "{}", run.snapshot());
            stop.store(true, Ordering::Relaxed);
        });
        assert!(seen.load(Ordering::Relaxed));
    }
}

#[test]
fn folders_of_pipelines_are_private() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let script = "cp -R {input} {output}; ls -ld {input}/.. {input}/../.. {output}/.. > {output}/seen";
    repo.write(
        "dist.json",
        CHECKED.replace(r#""verify": ["ls -ld {staged}/.. >&2; false"]"#, r#""verify": []"#),
    );
    let text = fs::read_to_string(repo.path().join("dist.json")).unwrap();
    let before = "cp -R {input} {output}; ls -ld {input}/.. {input}/../.. {output}/..";
    repo.write("dist.json", text.replace(before, script));
    repo.commit("second");
    sandbox.run(&mut dist_under(&sandbox, &repo, "000", "")).success();
    let seen = fs::read_to_string(sandbox.root().join("bin/lib/seen")).unwrap();
    assert_eq!(seen.lines().count(), 3, "{seen}");
    assert!(seen.lines().all(|line| line.starts_with("drwx------")), "{seen}");
}

#[test]
fn nothing_is_ever_writable_for_everybody() {
    for link in ["auto", "copy"] {
        let sandbox = Sandbox::new();
        let repo = project(&sandbox, &format!(r#""options": {{ "link": "{link}", "switch": "together" }},"#));
        sandbox.run(&mut dist_under(&sandbox, &repo, "000", "")).success();
        repo.write("tool", "two\n");
        repo.commit("second");
        sandbox.run(&mut dist_under(&sandbox, &repo, "000", "")).success();
        sandbox.run(&mut dist_under(&sandbox, &repo, "000", "rollback")).success();
        let wrong: Vec<_> = modes(sandbox.root()).into_iter().filter(|(_, mode)| mode & 0o002 != 0).collect();
        assert!(wrong.is_empty(), "{link}: {wrong:?}");
    }
}

/// A folder that is its group's, as `git init --shared=group` makes them, stays the group's.
#[test]
fn a_groups_root_is_usable_by_the_group_whatever_the_umask_is() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    fs::create_dir(sandbox.root()).unwrap();
    fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o2770)).unwrap();
    sandbox.run(&mut dist_under(&sandbox, &repo, "077", "")).success();
    for (path, mode) in modes(sandbox.root()) {
        let meta = fs::metadata(sandbox.root().join(&path)).unwrap();
        let is_version = path.starts_with("bin/versions/") && !path.starts_with("bin/versions/.");
        let expected = match path.as_str() {
            _ if meta.is_dir() => 0o2770,
            ".distman/epoch" => 0o644,
            _ if is_version && path.ends_with("run") => 0o550,
            _ if is_version => 0o440,
            _ => 0o660,
        };
        assert_eq!(mode, expected, "{path}: {mode:o}");
    }
    // Elsewhere the umask decides, as for every program.
    let other = sandbox.path().join("other");
    let mut command = dist_under(&sandbox, &repo, "027", "");
    sandbox.run(command.env("DEPLOY_ROOT", &other)).success();
    let wrong: Vec<_> = modes(&other).into_iter().filter(|(_, mode)| mode & 0o022 != 0).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn members_of_a_group_take_turns() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""options": { "keep": 1 },"#);
    repo.git(["config", "--global", "safe.directory", "*"]);
    fs::create_dir(sandbox.root()).unwrap();
    chown(sandbox.root(), Some(ADA), Some(GROUP)).unwrap();
    fs::set_permissions(sandbox.root(), fs::Permissions::from_mode(0o2775)).unwrap();
    // A strict umask of the parent is the child's.
    for round in 0..6 {
        repo.write("tool", format!("{round}\n"));
        repo.write("lib/deep/a", format!("{round}\n"));
        repo.commit("next");
        let user = if round % 2 == 0 { ADA } else { MALLORY };
        let mut command = dist_as(&sandbox, &repo, user, GROUP);
        let run = sandbox.run(&mut command).success();
        assert!(!run.stderr().contains("warning"), "{}", run.snapshot());
        assert_eq!(fs::read_to_string(sandbox.root().join("bin/tool")).unwrap(), format!("{round}\n"));
    }
    let mut command = dist_as(&sandbox, &repo, ADA, GROUP);
    sandbox.run(command.args(["rollback"])).success();
    let mut command = dist_as(&sandbox, &repo, MALLORY, GROUP);
    sandbox.run(command.args(["delete", "lib", "-y"])).success();
    let left = fs::read_dir(sandbox.root().join("bin/versions")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("lib")), "{left:?}");
}
