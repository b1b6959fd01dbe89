//! Many runs and many readers at once.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, openat};

use super::{assert_tidy, commit, end, start, target};
use crate::support::{Repo, Sandbox};

/// Files of the folder that is read.
const FILES: usize = 12;

/// Runs `work` while four readers open what is deployed all the time; `check` reads once. Returns how often it did.
fn among_readers(check: impl Fn() + Sync, work: impl FnOnce()) -> usize {
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        check();
                        reads.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        // Also when it fails, so that the readers end.
        let worked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().expect("a reader saw what nobody may see");
        }
        worked.unwrap();
    });
    reads.into_inner()
}

/// Reads the folder `many` through one handle of the version: it is whole, and all its files have one stamp, which is
/// returned. `None` if the version was removed meanwhile, as old ones are.
fn stamp(root: &Path) -> Option<String> {
    let folder = fs::File::open(root.join("many")).expect("the destination leads somewhere");
    let mut stamps = BTreeSet::new();
    for number in 0..FILES {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut text = String::new();
        match openat(&folder, format!("0/{number:04}"), flags, Mode::empty()) {
            Ok(file) => fs::File::from(file).read_to_string(&mut text).unwrap(),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => panic!("{error}"),
        };
        let (stamp, own) = text.trim_end().rsplit_once(' ').unwrap();
        assert_eq!(own, number.to_string());
        stamps.insert(stamp.to_owned());
    }
    assert_eq!(stamps.len(), 1, "a mix: {stamps:?}");
    stamps.pop_first()
}

/// A version that was active at `open` is whole; only one that is pruned afterwards may be gone.
fn whole(root: &Path) {
    // Through the destination there is always something.
    let text = fs::read_to_string(root.join("many/0/0000")).expect("no moment without a version");
    assert!(text.ends_with(" 0\n"), "{text:?}");
    stamp(root).expect("a version that is kept");
}

fn numbers(sandbox: &Sandbox) -> Vec<u64> {
    sandbox.history().iter().map(|line| line["number"].as_u64().unwrap()).collect()
}

#[test]
fn eight_clones_deploy_into_one_root() {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    let repo = sandbox.repo("project");
    let commits: Vec<String> = (0..8)
        .map(|number| {
            commit(&repo, FILES, &format!("stamp {number}"), "");
            repo.id("HEAD")
        })
        .collect();
    let clones: Vec<Repo<'_>> = (0..8).map(|number| repo.clone_to(&format!("clone-{number}"), [])).collect();
    repo.dist(["--rev", &commits[0]]).success();
    let reads = among_readers(
        || whole(&root),
        || {
            for round in 0..2 {
                let running: Vec<_> = clones
                    .iter()
                    .enumerate()
                    .map(|(number, clone)| {
                        let mut command = sandbox.dist_command(clone.path());
                        start(command.args(["--rev", &commits[(number + round + 1) % 8]]))
                    })
                    .collect();
                for child in running {
                    let (code, said) = end(child);
                    assert_eq!(code, Some(0), "{said}");
                }
            }
        },
    );
    assert!(reads > 100, "{reads}");
    let numbers = numbers(&sandbox);
    // One that found that its commit was active already changed nothing.
    assert!((9..=17).contains(&numbers.len()), "{numbers:?}");
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let last = &sandbox.history()[numbers.len() - 1]["items"][0]["to"];
    assert_eq!(*last, sandbox.record("many")["version"]);
    assert_tidy(&sandbox);
    repo.dist(["verify", "--all"]).success();
}

/// Each takes the lock in its turn; what one of them cannot do any more it refuses.
#[test]
fn rollbacks_deploys_and_prunes_race() {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    let repo = sandbox.repo("project");
    for number in 0..3 {
        commit(&repo, FILES, &format!("stamp {number}"), "");
        repo.dist([]).success();
    }
    commit(&repo, FILES, "stamp 3", "");
    let reads = among_readers(
        || {
            let text = fs::read_to_string(root.join("many/0/0000")).expect("always a version");
            assert!(text.ends_with(" 0\n"), "{text:?}");
            stamp(&root);
        },
        || {
            for round in 0..4 {
                let commands: [&[&str]; 4] =
                    [&["rollback", "-m", "race"], &["-f"], &["prune", "--keep", "1"], &["reset"]];
                let running = commands.map(|arguments| {
                    start(sandbox.dist_command(repo.path()).args(arguments).stdin(Stdio::null()))
                });
                for (child, arguments) in running.into_iter().zip(commands) {
                    let (code, said) = end(child);
                    assert!(code == Some(0) || said.contains("refused"), "{round}: {arguments:?}: {said}");
                }
            }
        },
    );
    assert!(reads > 100, "{reads}");
    let numbers = numbers(&sandbox);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_tidy(&sandbox);
    repo.dist(["verify", "--all"]).success();
    repo.dist(["-f"]).success();
    assert_eq!(stamp(sandbox.root()).unwrap(), "stamp 3");
}

#[test]
fn hooks_run_in_parallel() {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    let repo = sandbox.repo("project");
    commit(&repo, FILES, "stamp 0", "");
    let clones: Vec<Repo<'_>> = (0..4).map(|number| repo.clone_to(&format!("clone-{number}"), [])).collect();
    for clone in &clones {
        clone.dist(["hook", "install"]).success();
    }
    repo.dist([]).success();
    commit(&repo, FILES, "stamp 1", "");
    among_readers(
        || whole(&root),
        || {
            let pull =
                |clone: &Repo<'_>| start(sandbox.command("git", clone.path()).args(["pull", "--quiet"]));
            for child in clones.iter().map(pull).collect::<Vec<_>>() {
                let (code, said) = end(child);
                assert_eq!(code, Some(0), "{said}");
            }
        },
    );
    assert_eq!(stamp(sandbox.root()).unwrap(), "stamp 1");
    // One of them deployed, and the others found that done.
    assert_eq!(numbers(&sandbox), [1, 2]);
    assert_tidy(&sandbox);
}

/// A reader that goes through the common link sees all destinations of one rollout.
#[test]
fn what_switches_together_is_never_mixed_in_a_crowd() {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    let repo = sandbox.repo("project");
    let names = ["one", "two", "three"];
    let targets = names.map(|name| target(name, r#", "switch": "together""#)).join(", ");
    let together = targets.replace(r#", "switch": "together""#, r#", "options": { "switch": "together" }"#);
    let commits: Vec<String> = (0..4)
        .map(|number| {
            for name in names {
                repo.write(name, format!("{number}"));
            }
            repo.manifest(&together);
            repo.commit("next")
        })
        .collect();
    repo.dist(["--rev", &commits[0]]).success();
    let group =
        fs::read_dir(sandbox.root().join(".distman/together")).unwrap().next().unwrap().unwrap().path();
    let check = || {
        for name in names {
            fs::read_to_string(root.join(name)).expect("always a version");
        }
        // Who opens the generation once reads one rollout, or finds it removed after three more.
        let generation = fs::File::open(group.join("current")).expect("always a generation");
        let mut texts = BTreeSet::new();
        for entry in rustix::fs::Dir::read_from(&generation).unwrap() {
            let name = entry.unwrap().file_name().to_owned();
            if name.to_bytes().starts_with(b".") {
                continue;
            }
            match openat(&generation, name, OFlags::RDONLY, Mode::empty()) {
                Ok(file) => texts.insert(std::io::read_to_string(fs::File::from(file)).unwrap()),
                Err(error) if error.kind() == ErrorKind::NotFound => return,
                Err(error) => panic!("{error}"),
            };
        }
        assert!(texts.len() <= 1, "{texts:?}");
    };
    among_readers(check, || {
        let deploy = |commit: &String| start(sandbox.dist_command(repo.path()).args(["--rev", commit]));
        for child in commits.iter().rev().map(deploy).collect::<Vec<_>>() {
            let (code, said) = end(child);
            assert_eq!(code, Some(0), "{said}");
        }
    });
    let numbers = numbers(&sandbox);
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_tidy(&sandbox);
}
