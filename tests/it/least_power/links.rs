//! Links on the way to what is written.

use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{ADA, MALLORY, can_be_others, give, project};
use crate::support::{Sandbox, tree};

fn link_of(user: u32, to: &Path, at: &Path) {
    symlink(to, at).unwrap();
    lchown(at, Some(user), Some(user)).unwrap();
}

#[test]
fn a_link_of_somebody_else_is_not_followed() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let outside = sandbox.path().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(sandbox.root()).unwrap();
    let bin = sandbox.root().join("bin");
    link_of(MALLORY, &outside, &bin);
    let told = format!("a link of uid {MALLORY} leads there");
    repo.dist([]).code(1).says("bin`").says(&told);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // Root's own is as good as a folder.
    lchown(&bin, Some(0), Some(0)).unwrap();
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(outside.join("tool")).unwrap(), "one\n");
    let before = tree(&outside);
    // Nor does a link that came later lead anything there: to look, to change, to remove.
    lchown(&bin, Some(MALLORY), Some(MALLORY)).unwrap();
    for arguments in [&["verify"][..], &["rollback"], &["delete", "tool", "-y"], &["prune", "--keep", "1"]] {
        sandbox.run(sandbox.dist_command(repo.path()).args(arguments)).code(1).says(&told);
    }
    assert_eq!(tree(&outside), before);
}

#[test]
fn the_owner_of_a_folder_leads_only_to_what_is_his() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let outside = sandbox.path().join("outside");
    fs::create_dir_all(outside.join("his")).unwrap();
    fs::create_dir_all(sandbox.root()).unwrap();
    give(&outside.join("his"), ADA, ADA);
    give(sandbox.root(), ADA, ADA);
    let bin = sandbox.root().join("bin");
    link_of(ADA, &outside, &bin);
    repo.dist([]).code(1).says(&format!("a link of uid {ADA} leads there"));
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    fs::remove_file(&bin).unwrap();
    link_of(ADA, &outside.join("his"), &bin);
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(outside.join("his/tool")).unwrap(), "one\n");
}

#[test]
fn ones_own_links_are_followed_and_lead_to_what_is_there() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let outside = sandbox.path().join("outside");
    fs::create_dir_all(sandbox.root()).unwrap();
    symlink("../link", sandbox.root().join("bin")).unwrap();
    symlink("outside/./../outside", sandbox.path().join("link")).unwrap();
    // A disk that is not mounted is not made.
    repo.dist([]).code(1).says("cannot open `[SANDBOX]/outside`");
    assert!(!outside.exists());
    fs::create_dir(&outside).unwrap();
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(outside.join("tool")).unwrap(), "one\n");
    // A circle ends.
    fs::remove_file(sandbox.path().join("link")).unwrap();
    symlink("root/bin", sandbox.path().join("link")).unwrap();
    repo.dist(["rollback"]).code(1).says("Too many levels of symbolic links");
}

#[test]
fn the_roots_own_folder_is_no_link() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    let elsewhere = sandbox.path().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::create_dir_all(sandbox.root()).unwrap();
    symlink(&elsewhere, sandbox.root().join(".distman")).unwrap();
    repo.dist([]).code(1).says(".distman`").says("it is a link, and must be a folder");
    repo.dist(["show"]).code(1).says(".distman`");
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// A group's link into its generations could lead a reader astray, but never counts for more than it is.
#[test]
fn a_generation_elsewhere_is_not_read() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""options": { "switch": "together" },"#);
    repo.dist([]).success();
    let together = sandbox.root().join(".distman/together");
    let group = fs::read_dir(&together).unwrap().next().unwrap().unwrap().path();
    let slots = fs::read_link(group.join("current")).unwrap();
    fs::rename(group.join(&slots), sandbox.path().join("slots")).unwrap();
    for text in ["../../../../slots", sandbox.path().join("slots").to_str().unwrap()] {
        fs::remove_file(group.join("current")).unwrap();
        symlink(text, group.join("current")).unwrap();
        let json = repo.dist(["show", "--json"]).json();
        assert_eq!(json["items"][0]["active"], serde_json::Value::Null, "{json:#}");
    }
}

/// Somebody who can rename a folder on the way puts a link in its place and takes it away again, all the time.
#[test]
fn a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere() {
    if !can_be_others() {
        return;
    }
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let outside = sandbox.path().join("outside");
    // What is outside looks just like what is inside, so that nothing stops a run that got there.
    let mut copy = std::process::Command::new("cp");
    assert!(copy.arg("-a").arg(sandbox.root().join("bin")).arg(&outside).status().unwrap().success());
    let before = tree(&outside);
    let (bin, link) = (sandbox.root().join("bin"), sandbox.root().join("link"));
    link_of(MALLORY, &outside, &link);
    let trade = |one: &Path, other: &Path| {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).is_ok()
    };
    let (stop, trades) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // In one step each way: a folder that is missing would be made.
                // A system may refuse it while the folder is in use; what was traded goes back in any case.
                if trade(&bin, &link) {
                    std::thread::yield_now();
                    while !trade(&bin, &link) {}
                    trades.fetch_add(1, Ordering::Relaxed);
                }
                std::thread::sleep(std::time::Duration::from_micros(300));
            }
        });
        for round in 0..12 {
            repo.write("tool", format!("{round}\n"));
            repo.write("lib/deep/a", format!("{round}\n"));
            repo.commit("next");
            // Whatever becomes of it.
            drop(repo.dist([]));
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(trades.into_inner() > 0, "nothing was traded");
    assert_eq!(tree(&outside), before, "{}", before.differences(&tree(&outside)));
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(bin.join("tool")).unwrap(), "11\n");
}
