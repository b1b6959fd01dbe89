//! The option `switch` = `together`: all destinations of one dist.json flip in one rename.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::{Repo, Sandbox};

/// Items of the wildcard target: enough that swapping them one by one takes a while.
const ITEMS: usize = 60;

/// A repository whose items all hold `text`, deployed together.
fn project<'s>(sandbox: &'s Sandbox, text: &str) -> Repo<'s> {
    let repo = sandbox.repo("project");
    manifest(&repo, "together");
    write(&repo, text);
    repo.commit(text);
    repo
}

fn manifest(repo: &Repo<'_>, switch: &str) {
    repo.write(
        "dist.json",
        format!(
            r#"{{ "version": 1, "options": {{ "switch": "{switch}" }},
                "targets": {{ "bin": {{ "source": "bin/*", "destination": "{{DEPLOY_ROOT}}/bin/%1" }} }} }}"#
        ),
    );
}

fn write(repo: &Repo<'_>, text: &str) {
    for item in 0..ITEMS {
        repo.write(format!("bin/i{item:02}"), text);
    }
}

/// What all items hold, each text once.
fn contents(sandbox: &Sandbox) -> Vec<String> {
    let mut texts: Vec<String> =
        (0..ITEMS).map(|item| fs::read_to_string(path(sandbox, item)).unwrap()).collect();
    texts.sort();
    texts.dedup();
    texts
}

fn path(sandbox: &Sandbox, item: usize) -> PathBuf {
    sandbox.root().join(format!("bin/i{item:02}"))
}

#[test]
fn a_reader_never_sees_old_beside_new() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "00");
    repo.dist([]).success();
    let stop = AtomicBool::new(false);
    let rounds = AtomicUsize::new(0);
    let (one, other) = (path(&sandbox, 0), path(&sandbox, ITEMS - 1));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // Contents only grow: within one pass a later read may be newer, but never older. The first and the
                // last item are read back to back, so that a swap item by item would show.
                let first = fs::read_to_string(&one).unwrap();
                let last = fs::read_to_string(&other).unwrap();
                let again = fs::read_to_string(&one).unwrap();
                assert!(first <= last && last <= again, "a mix of {first}, {last} and {again}");
                rounds.fetch_add(1, Ordering::Relaxed);
            }
        });
        for round in 1..12 {
            write(&repo, &format!("{round:02}"));
            repo.commit("next");
            repo.dist([]).success();
            assert_eq!(contents(&sandbox), [format!("{round:02}")]);
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(rounds.load(Ordering::Relaxed) > 0, "the reader never got to read");
}

#[test]
fn all_destinations_flip_by_one_link() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "one");
    repo.dist([]).success();
    let links = |sandbox: &Sandbox| -> Vec<PathBuf> {
        (0..ITEMS).map(|item| fs::read_link(path(sandbox, item)).unwrap()).collect()
    };
    let before = links(&sandbox);
    write(&repo, "two");
    repo.commit("two");
    repo.dist([]).success();
    assert_eq!(contents(&sandbox), ["two"]);
    assert_eq!(links(&sandbox), before, "the destinations' own links are left alone");
    repo.dist(["rollback"]).success();
    assert_eq!(contents(&sandbox), ["one"]);
    assert_eq!(links(&sandbox), before);
}

#[test]
fn one_item_of_a_group_goes_back_alone() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "one");
    repo.dist([]).success();
    write(&repo, "two");
    repo.commit("two");
    repo.dist([]).success();
    repo.dist(["rollback", "i07", "-m", "odd"]).success();
    assert_eq!(fs::read_to_string(path(&sandbox, 7)).unwrap(), "one");
    assert_eq!(fs::read_to_string(path(&sandbox, 8)).unwrap(), "two");
    repo.dist(["show", "i07"]).success().prints("i07  1.");
    repo.dist(["verify"]).success();
    repo.dist(["prune", "--keep", "1"]).success();
    assert_eq!(contents(&sandbox), ["one", "two"]);
}

#[test]
fn the_option_can_change_on_a_live_root() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "one");
    repo.dist([]).success();
    for (round, switch) in ["each", "together", "each", "together"].into_iter().enumerate() {
        manifest(&repo, switch);
        let text = format!("{switch} {round}");
        write(&repo, &text);
        repo.commit(&text);
        repo.dist([]).success();
        assert_eq!(contents(&sandbox), [text]);
        let is_direct = fs::read_link(path(&sandbox, 0)).unwrap().starts_with("versions");
        assert_eq!(is_direct, switch == "each");
        repo.dist(["verify"]).success();
    }
    for _ in 0..4 {
        repo.dist(["rollback"]).success();
    }
    assert_eq!(contents(&sandbox), ["one"], "every step back was kept, however it was switched");
}

#[test]
fn a_failing_command_afterwards_flips_everything_back() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "one");
    repo.dist([]).success();
    repo.write(
        "dist.json",
        r#"{ "version": 1, "options": { "switch": "together" },
             "targets": { "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1", "after": ["false"] },
                          "new": { "source": "bin/i00", "destination": "{DEPLOY_ROOT}/new" } } }"#,
    );
    write(&repo, "two");
    repo.commit("two");
    repo.dist([]).code(3).says("undone");
    assert_eq!(contents(&sandbox), ["one"]);
    assert!(fs::symlink_metadata(sandbox.root().join("new")).is_err(), "what was new is gone again");
}

#[test]
fn a_moved_root_keeps_working() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "one");
    repo.dist([]).success();
    let moved = sandbox.path().join("moved");
    fs::rename(sandbox.root(), &moved).unwrap();
    assert_eq!(fs::read_to_string(moved.join("bin/i00")).unwrap(), "one");
}
