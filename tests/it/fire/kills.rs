//! Kills that nothing can catch, at every kind of step and at any moment.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{assert_tidy, commit, names, send, start, target};
use crate::support::Sandbox;

/// The stamps of all files of the folder `many`, which has so many.
fn stamps(sandbox: &Sandbox, files: usize) -> BTreeSet<String> {
    let read = |number: usize| {
        let path = sandbox.root().join(format!("many/{}/{number:04}", number / 100));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim_end().strip_suffix(&format!(" {number}")).unwrap().to_owned()
    };
    (0..files).map(read).collect()
}

#[test]
fn a_kill_at_any_moment_leaves_a_whole_version_and_the_next_run_repairs() {
    const FILES: usize = 1000;
    const ROUNDS: u32 = 3;
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    commit(&repo, FILES, "0", "");
    let began = Instant::now();
    repo.dist([]).success();
    let whole_run = began.elapsed();
    for round in 1..=ROUNDS {
        let new = round.to_string();
        commit(&repo, FILES, &new, "");
        for (arguments, share) in [(&[][..], 8), (&["rollback"], 40), (&["prune", "--keep", "1"], 40)] {
            // Later every time, from right at the beginning to beyond the end of a run.
            let delay = whole_run * round * 10 / (share * ROUNDS);
            let mut child = start(sandbox.dist_command(repo.path()).args(arguments));
            std::thread::sleep(delay.min(Duration::from_secs(5)));
            send(&child, Signal::KILL);
            child.wait().unwrap();
            let stamps = stamps(&sandbox, FILES);
            assert!(stamps.len() == 1, "{arguments:?} after {delay:?}: {stamps:?}");
            repo.dist(["show"]).success();
        }
        repo.dist(["-f"]).success();
        assert_eq!(stamps(&sandbox, FILES), BTreeSet::from([new]));
        assert_tidy(&sandbox);
        repo.dist(["verify", "--all"]).success();
    }
    let history: Vec<u64> = sandbox.history().iter().map(|line| line["number"].as_u64().unwrap()).collect();
    assert_eq!(history, (1..=history.len() as u64).collect::<Vec<_>>());
}

/// The commands that a manifest names run at known moments: one that kills the run hits every kind of step.
#[test]
fn a_kill_at_every_kind_of_step_is_repaired() {
    let sandbox = Sandbox::new();
    let path = sandbox.path().display();
    // The process that holds the lock is the run.
    let deadly = format!(
        "#!/bin/sh\n\
         [ \"$(cat '{path}/deadly-at')\" = \"$1\" ] || exit 0\n\
         kill -9 \"$(sed 's/.*\"pid\":\\([0-9]*\\).*/\\1/' '{path}/root/.distman/lock')\"\n"
    );
    sandbox.script("deadly", &deadly);
    fs::write(sandbox.path().join("deadly-at"), "").unwrap();
    let repo = sandbox.repo("project");
    repo.write(".gitattributes", "many/0/0001 filter=deadly\n");
    repo.git(["config", "filter.deadly.clean", "cat"]);
    repo.git(["config", "filter.deadly.smudge", "deadly filter && cat"]);
    let more = r#", "options": { "switch": "SWITCH" },
        "pipeline": { "step": { "script": ["deadly pipeline", "test -e {output}"] } },
        "verify": ["deadly verify"], "after": ["deadly after"]"#;
    for switch in ["each", "together"] {
        let more = more.replace("SWITCH", switch);
        for moment in ["filter", "pipeline", "verify", "after"] {
            let (old, new) = (format!("{switch} {moment} old"), format!("{switch} {moment} new"));
            commit(&repo, 3, &old, &more);
            repo.dist([]).success();
            commit(&repo, 3, &new, &more);
            // Something new, something that leaves.
            repo.write(format!("extra-{moment}"), "extra");
            let targets = [target("many", &more), target(&format!("extra-{moment}"), "")].join(", ");
            repo.manifest(&targets);
            repo.commit(&new);
            fs::write(sandbox.path().join("deadly-at"), moment).unwrap();
            let killed = repo.dist([]);
            assert!(killed.snapshot().starts_with("exit code: killed"), "{moment}: {}", killed.snapshot());
            let stamps = stamps(&sandbox, 3);
            let is_new = stamps == BTreeSet::from([new.clone()]);
            assert!(is_new && moment == "after" || stamps == BTreeSet::from([old]), "{moment}: {stamps:?}");
            fs::write(sandbox.path().join("deadly-at"), "").unwrap();
            repo.dist([]).success();
            assert_eq!(self::stamps(&sandbox, 3), BTreeSet::from([new]));
            assert_tidy(&sandbox);
            assert_eq!(fs::read_to_string(sandbox.root().join(format!("extra-{moment}"))).unwrap(), "extra");
            repo.dist(["verify", "--all"]).success();
            assert!(names(&sandbox.root().join(".distman")).iter().all(|name| !name.starts_with("pending")));
        }
    }
}
