//! Seeing what is deployed, and going back: `show`, `diff`, `log`, `rollback`, `use`, `reset`, `delete`, `prune`,
//! `verify`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::support::{Repo, Sandbox, tree};

const TARGETS: &str = r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" },
    "bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#;

/// A repository with a folder and two files, deployed `rounds` times with new content each.
fn deployed(sandbox: &Sandbox, rounds: usize) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.manifest(TARGETS);
    for round in 1..=rounds {
        change(&repo, round);
        repo.dist([]).success();
    }
    repo
}

fn change(repo: &Repo<'_>, round: usize) {
    repo.write("lib/a.txt", format!("{round}\n"));
    repo.write("lib/same.txt", "same\n");
    repo.executable("bin/one", format!("one {round}\n"));
    repo.executable("bin/two", format!("two {round}\n"));
    repo.commit(&format!("round {round}"));
}

fn read(sandbox: &Sandbox, path: &str) -> String {
    fs::read_to_string(sandbox.root().join(path)).unwrap().trim_end().to_owned()
}

/// A file of the version that is active at `lib`, made writable.
fn writable(sandbox: &Sandbox, path: &str) -> PathBuf {
    let path = sandbox.root().join("lib").join(path);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    path
}

#[test]
fn a_rollback_without_a_target_takes_the_last_rollout_back() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    repo.write("lib/a.txt", "only lib\n");
    repo.commit("only lib");
    repo.dist([]).success();
    repo.dist(["rollback"]).success();
    assert_eq!((read(&sandbox, "lib/a.txt"), read(&sandbox, "bin/one")), ("2".into(), "one 2".into()));
    repo.dist(["rollback"]).success();
    assert_eq!((read(&sandbox, "lib/a.txt"), read(&sandbox, "bin/one")), ("1".into(), "one 1".into()));
    insta::assert_snapshot!(repo.dist(["rollback"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: refused: 3 destinations need a decision
      `[SANDBOX]/root/lib` (target `lib`): there is no earlier version to go back to
      `[SANDBOX]/root/bin/one` (target `bin`): there is no earlier version to go back to
      `[SANDBOX]/root/bin/two` (target `bin`): there is no earlier version to go back to
    hint: `git dist show -v lib` lists the versions
    ");
}

#[test]
fn twice_is_two_steps_and_so_is_minus_two() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 4);
    repo.dist(["rollback", "lib"]).success();
    repo.dist(["rollback", "lib"]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "2");
    repo.dist(["rollback", "bin", "-2"]).success();
    assert_eq!((read(&sandbox, "bin/one"), read(&sandbox, "bin/two")), ("one 2".into(), "two 2".into()));
    assert_eq!(read(&sandbox, "lib/a.txt"), "2", "other targets are left alone");
}

#[test]
fn a_rollback_goes_to_a_count_a_hash_or_a_rollout() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 4);
    repo.dist(["rollback", "lib", "--to", "2"]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "2");
    let short = repo.id("HEAD~3")[..7].to_owned();
    repo.dist(["rollback", "lib", "--to", &short]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "1");
    repo.dist(["rollback", "--to", "r3"]).success();
    assert_eq!((read(&sandbox, "lib/a.txt"), read(&sandbox, "bin/two")), ("3".into(), "two 3".into()));
    repo.dist(["use", "lib", "4"]).success();
    repo.dist(["use", "bin", "4"]).success();
    repo.dist(["rollback", "--rollout", "r4"]).success();
    assert_eq!((read(&sandbox, "lib/a.txt"), read(&sandbox, "bin/two")), ("3".into(), "two 3".into()));
    repo.dist(["rollback", "--to", "r99"]).code(1).says("there is no rollout r99");
    repo.dist(["rollback", "lib", "--to", "99"]).code(1).says("it has no version `99`");
}

#[test]
fn what_was_rolled_back_stays_so_until_somebody_insists() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    repo.dist(["rollback", "-m", "crashes at night"]).success();
    insta::assert_snapshot!(repo.dist(["-t", "lib"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    error: refused: `[SANDBOX]/root/lib` (target `lib`): this content is version 2.48e5695, which is marked bad: rolled back: crashes at night
    hint: `-f` deploys it all the same, `git dist use lib 2.48e5695` too
    ");
    repo.dist(["show", "-v", "lib"]).success().prints("bad: rolled back: crashes at night");
    repo.dist(["-t", "lib", "-f"]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "2");
    repo.dist(["use", "bin", "2"]).success();
    repo.dist([]).success().says("nothing to do");
    // Newer content comes without being asked for twice.
    repo.dist(["rollback", "lib"]).success();
    change(&repo, 3);
    repo.dist([]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "3");
}

#[test]
fn use_and_reset_choose_a_version() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 3);
    insta::assert_snapshot!(repo.dist(["use", "lib", "1"]).snapshot(), @"
    exit code: 0
    ----- stdout
    relink  lib  [SANDBOX]/root/lib  3.57a40a8 -> 1.68454d5
    ----- stderr
    r4: use done
    ");
    insta::assert_snapshot!(repo.dist(["show", "-v", "lib"]).snapshot(), @"
    exit code: 0
    ----- stdout
    lib  [SANDBOX]/root/lib  1.68454d5  (2 newer on disk)
         3.57a40a8  [TIME]
         2.48e5695  [TIME]
      *  1.68454d5  [TIME]
    ----- stderr
    ");
    repo.dist(["use", "lib", "1"]).success().says("nothing to do");
    repo.dist(["reset", "lib"]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "3");
    repo.dist(["rollback", "lib"]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "1", "`use` was a step too");
    repo.dist(["use", "nope", "1"]).code(1).says("no target and no destination is called `nope`");
    repo.dist(["use", "lib"]).code(2);
}

#[test]
fn one_item_of_a_wildcard_target_has_a_name_too() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    repo.dist(["rollback", "two"]).success();
    let path = sandbox.root().join("bin/one");
    assert_eq!((read(&sandbox, "bin/one"), read(&sandbox, "bin/two")), ("one 2".into(), "two 1".into()));
    repo.dist(["rollback", path.to_str().unwrap()]).success();
    assert_eq!(read(&sandbox, "bin/one"), "one 1");
}

#[test]
fn the_history_tells_who_what_and_why() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    repo.dist(["rollback", "lib", "-m", "slow"]).success();
    insta::assert_snapshot!(repo.dist(["log"]).snapshot(), @r#"
    exit code: 0
    ----- stdout
    r3 [TIME] rollback by tester@[HOST]  "slow"
        lib  [SANDBOX]/root/lib  2.48e5695 -> 1.68454d5
    r2 [TIME] deploy by tester@[HOST]  HEAD (48e5695)
        lib  [SANDBOX]/root/lib  1.68454d5 -> 2.48e5695
        bin  [SANDBOX]/root/bin/one  1.68454d5 -> 2.48e5695
        bin  [SANDBOX]/root/bin/two  1.68454d5 -> 2.48e5695
    r1 [TIME] deploy by tester@[HOST]  HEAD (68454d5)
        lib  [SANDBOX]/root/lib  nothing -> 1.68454d5
        bin  [SANDBOX]/root/bin/one  nothing -> 1.68454d5
        bin  [SANDBOX]/root/bin/two  nothing -> 1.68454d5
    ----- stderr
    "#);
    let log = repo.dist(["log", "--json", "lib", "-n", "1"]).success().json();
    assert_eq!(log["format"], "git-dist/log");
    assert_eq!(log["rollouts"][0]["kind"], "rollback");
    assert_eq!(log["rollouts"][0]["why"], "slow");
    assert_eq!(log["rollouts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_diff_names_every_file_that_a_deploy_would_change() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 1);
    repo.dist(["diff", "--exit-code"]).success().says("a deploy would change nothing");
    repo.write("lib/new.txt", "new\n");
    repo.write("lib/a.txt", "changed\n");
    repo.remove("lib/same.txt");
    repo.executable("bin/three", "three\n");
    repo.commit("change");
    insta::assert_snapshot!(repo.dist(["diff", "--exit-code"]).snapshot(), @"
    exit code: 4
    ----- stdout
    create  lib  [SANDBOX]/root/lib  1.68454d5 -> 2.b10c33f
      M lib/a.txt
      A lib/new.txt
      D lib/same.txt
    create  bin  [SANDBOX]/root/bin/three  new -> 2.b10c33f
      A three
    ----- stderr
    ");
    let diff = repo.dist(["diff", "--json", "lib"]).success().json();
    assert_eq!(diff["items"][0]["files"].as_array().unwrap().len(), 3);
    assert_eq!(read(&sandbox, "lib/a.txt"), "1", "nothing was deployed");
}

#[test]
fn everything_but_a_deploy_works_without_the_clone() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 3);
    let elsewhere = sandbox.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::remove_dir_all(repo.path()).unwrap();
    let here = sandbox.open(&elsewhere);
    here.dist(["show"]).success().prints("lib");
    here.dist(["rollback", "lib"]).success();
    here.dist(["use", "one", "1"]).success();
    here.dist(["verify"]).success();
    here.dist(["log"]).success().prints("r5");
    here.dist(["prune", "--keep", "1"]).success();
    here.dist(["reset", "two"]).success();
    assert_eq!((read(&sandbox, "lib/a.txt"), read(&sandbox, "bin/one")), ("2".into(), "one 1".into()));
    here.dist([]).code(1).says("not in a git repository");
}

#[test]
fn deleting_asks_and_no_is_no() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 3);
    let before = tree(sandbox.root());
    insta::assert_snapshot!(repo.dist(["delete", "bin"]).snapshot(), @"
    exit code: 1
    ----- stdout
    ----- stderr
    remove  bin  [SANDBOX]/root/bin/one  the destination and 1.68454d5, 2.48e5695, 3.57a40a8
    remove  bin  [SANDBOX]/root/bin/two  the destination and 1.68454d5, 2.48e5695, 3.57a40a8
    error: not removed: these destinations would go with all versions
    hint: `-y` says yes
    ");
    repo.dist(["delete", "lib", "3"]).code(1).says("version 3.").says("is active");
    assert_eq!(tree(sandbox.root()), before);
    repo.dist(["delete", "lib", "1"]).success();
    repo.dist(["delete", "-y", "bin"]).success();
    insta::assert_snapshot!(repo.dist(["show", "-v"]).snapshot(), @"
    exit code: 0
    ----- stdout
    lib  [SANDBOX]/root/lib  3.57a40a8
      *  3.57a40a8  [TIME]
         2.48e5695  [TIME]
    bin  [SANDBOX]/root/bin/one  -  (not deployed)
    bin  [SANDBOX]/root/bin/two  -  (not deployed)
    ----- stderr
    ");
    // A neighbour in the same folder keeps its versions.
    repo.dist([]).success();
    assert_eq!(read(&sandbox, "bin/one"), "one 3");
}

#[test]
fn old_versions_go_and_the_previous_one_stays() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write(
        "dist.json",
        r#"{ "version": 1, "options": { "keep": 1 },
             "targets": { "lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" } } }"#,
    );
    for round in 1..=5 {
        repo.write("lib/a.txt", format!("{round}\n"));
        repo.commit(&format!("round {round}"));
        repo.dist([]).success();
    }
    let shown = repo.dist(["show", "--json", "lib"]).success().json();
    let counts: Vec<u64> = shown["items"][0]["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v["count"].as_u64().unwrap())
        .collect();
    assert_eq!(counts, [3, 4, 5], "active, previous, and one more");
    let left = fs::read_dir(sandbox.root().join("versions")).unwrap().count();
    assert_eq!(left, 9, "version, record and listing of each, and nothing else");
}

/// The counts of the versions that are left of fourteen, with these options in dist.json.
fn left_of_fourteen(options: &str) -> Vec<u64> {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write(
        "dist.json",
        format!(
            r#"{{ "version": 1, {options}
                 "targets": {{ "lib": {{ "source": "lib", "destination": "{{DEPLOY_ROOT}}/lib" }} }} }}"#
        ),
    );
    for round in 1..=14 {
        repo.write("lib/a.txt", format!("{round}\n"));
        repo.commit(&format!("round {round}"));
        repo.dist([]).success();
    }
    assert_eq!(read(&sandbox, "lib/a.txt"), "14");
    let names =
        fs::read_dir(sandbox.root().join("versions")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut counts: Vec<u64> = names
        .filter_map(|name| name.to_str()?.strip_prefix("lib.")?.split_once('.')?.0.parse().ok())
        .collect();
    counts.sort_unstable();
    counts
}

#[test]
fn ten_versions_stay_beside_the_active_and_the_previous_one_unless_all_shall() {
    let newest: Vec<u64> = (3..=14).collect();
    assert_eq!(left_of_fourteen(""), newest);
    let all: Vec<u64> = (1..=14).collect();
    assert_eq!(left_of_fourteen(r#""options": { "keep": 0 },"#), all);
}

#[test]
fn items_that_left_the_repository_are_told_and_pruned() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    repo.remove("bin/two");
    repo.commit("without two");
    repo.dist([]).success();
    repo.dist(["show"]).success().prints("not in dist.json any more");
    repo.dist(["prune"]).code(1).says("`-y`");
    assert_eq!(read(&sandbox, "bin/two"), "two 2");
    repo.dist(["prune", "-y"]).success();
    assert!(fs::symlink_metadata(sandbox.root().join("bin/two")).is_err());
    assert_eq!(read(&sandbox, "bin/one"), "one 2");
}

#[test]
fn verify_finds_every_kind_of_tampering_and_mends_it() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("lib/content", "content\n");
    repo.write("lib/mode", "mode\n");
    repo.write("lib/missing", "missing\n");
    repo.write("lib/deep/kind", "kind\n");
    repo.write("lib/good", "good\n");
    repo.symlink("lib/link", "good");
    repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    repo.commit("first");
    repo.dist([]).success();
    repo.dist(["verify"]).success();
    let before = tree(sandbox.root().join("versions"));
    let lib = sandbox.root().join("lib");
    let content = writable(&sandbox, "content");
    let times = fs::metadata(&content).unwrap();
    fs::write(&content, "CONTENT\n").unwrap();
    // Whoever tampers may put the time back.
    fs::File::options().write(true).open(&content).unwrap().set_modified(times.modified().unwrap()).unwrap();
    fs::set_permissions(&content, fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(lib.join("mode"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::remove_file(lib.join("missing")).unwrap();
    fs::remove_file(lib.join("deep/kind")).unwrap();
    fs::create_dir(lib.join("deep/kind")).unwrap();
    fs::remove_file(lib.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", lib.join("link")).unwrap();
    fs::write(lib.join("extra"), "extra\n").unwrap();
    fs::create_dir(lib.join("__pycache__")).unwrap();
    fs::write(lib.join("__pycache__/x.pyc"), "").unwrap();
    insta::assert_snapshot!(repo.dist(["verify", "-v"]).snapshot(), @"
    exit code: 4
    ----- stdout
    lib  [SANDBOX]/root/lib  1.269b5ac  DAMAGED
      content  content
      deep/kind  is of another kind
      extra  is not in git
      link  leads elsewhere
      missing  missing
      mode  mode
      __pycache__  left behind by a program
    ----- stderr
    1 of 1 version damaged
    ");
    repo.dist(["verify", "--repair"]).success();
    repo.dist(["verify"]).success();
    let is_history = |path: &[u8]| path.ends_with(b".json");
    assert_eq!(tree(sandbox.root().join("versions")).without(is_history), before.without(is_history));
}

#[test]
fn a_version_that_shares_files_with_a_damaged_one_is_damaged_too_and_both_are_mended() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    fs::write(writable(&sandbox, "same.txt"), "tampered\n").unwrap();
    let verified = repo.dist(["verify", "--all", "--json", "lib"]).code(4).json();
    let damaged = verified["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["differences"] != serde_json::json!([]));
    assert_eq!(damaged.count(), 2);
    repo.dist(["verify", "--all", "--repair", "lib"]).success();
    repo.dist(["verify", "--all"]).success();
    // A touched file is never shared into another version.
    fs::write(writable(&sandbox, "same.txt"), "tampered\n").unwrap();
    change(&repo, 3);
    repo.dist([]).success();
    assert_eq!(read(&sandbox, "lib/same.txt"), "same");
}

#[test]
fn a_damaged_record_holds_nobody_up() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 2);
    let version = sandbox.active("lib");
    let record = sandbox.root().join(version.replace("versions/", "versions/.") + ".json");
    fs::write(&record, "{ half a rec").unwrap();
    repo.dist(["show"]).success().prints("unverified");
    repo.dist(["verify", "lib"]).code(4).prints("its record is damaged");
    repo.dist(["verify", "--repair", "lib"]).code(4).says("`git dist` deploys a whole version beside it");
    repo.dist([]).success();
    repo.dist(["verify"]).success();
    assert_eq!(read(&sandbox, "lib/a.txt"), "2");
    repo.dist(["rollback", "lib", "--to", "1"]).success();
}

#[test]
fn what_cannot_be_removed_now_is_removed_later() {
    let sandbox = Sandbox::new();
    let repo = deployed(&sandbox, 3);
    // A folder where the version should be renamed to: the removal fails, whoever runs it.
    let versions = sandbox.root().join("versions");
    let hidden = sandbox.root().join("hidden");
    let mut names =
        fs::read_dir(&versions).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let old = names.find(|name| name.starts_with("lib.1.")).unwrap();
    let listing = versions.join(format!(".{old}.files"));
    fs::remove_file(&listing).unwrap();
    fs::create_dir(&listing).unwrap();
    fs::create_dir(&hidden).unwrap();
    repo.dist(["delete", "lib", "1"]).success().says("the next run tries again");
    assert!(sandbox.root().join(".distman/unfinished.json").exists());
    fs::remove_dir(&listing).unwrap();
    change(&repo, 4);
    repo.dist([]).success();
    assert!(!sandbox.root().join(".distman/unfinished.json").exists());
    let left =
        fs::read_dir(&versions).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("lib.1.")).count(), 0);
}

#[test]
fn a_version_that_git_never_had_is_made_again_as_the_manual_says() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    repo.write("tool", "1");
    repo.manifest(
        r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool", "options": { "from": "worktree" } }"#,
    );
    repo.commit("first");
    repo.dist([]).success();
    repo.write("tool", "2");
    repo.dist([]).success();
    let tool = sandbox.root().join("tool");
    let version = fs::read_link(&tool).unwrap();
    let file = sandbox.root().join(&version);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&file, "tampered").unwrap();
    repo.dist(["verify", "--repair"]).code(4).says("which git never had");
    repo.dist(["rollback", "tool"]).success();
    let tail = version.to_str().unwrap().trim_start_matches("versions/tool.").to_owned();
    repo.dist(["delete", "tool", &tail]).success();
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(&tool).unwrap(), "2");
    repo.dist(["verify"]).success();
}
