//! Hooks that were there before: kept, run with the same arguments, input and exit code, and restored.

use std::fs;
use std::os::unix::fs::symlink;

use super::clones::{Clones, names, snapshot};

const HOOKS: &str = "clone/.git/hooks";

/// Existing hooks in every shape that people have: name, mode, text, and whether git runs it at all. Each one appends
/// its own name and its arguments to a file and exits 5.
fn existing() -> Vec<(&'static str, u32, String, bool)> {
    let sh = "echo \"${0##*/} $*\" >>\"$OUT/heard\"\nexit 5\n";
    let perl = "use File::Basename;\nopen O, '>>', \"$ENV{OUT}/heard\";\nprint O basename($0), \" @ARGV\\n\";\nexit 5";
    vec![
        ("sh", 0o755, format!("#!/bin/sh\n{sh}"), true),
        ("strict sh", 0o700, format!("#!/bin/sh -eu\n{sh}"), true),
        ("bash that execs", 0o755, "#!/usr/bin/env bash\nset -euo pipefail\nexec sh -c 'echo \"${0##*/} $*\" >>\"$OUT/heard\"; exit 5' \"$0\" \"$@\"\n".to_owned(), true),
        ("sh with a trap", 0o755, format!("#!/bin/sh\ntrap 'exit 5' EXIT\n{sh}false"), true),
        ("no end of line", 0o755, format!("#!/bin/sh\n{}", sh.trim_end()), true),
        ("a comment beyond ASCII", 0o755, format!("#!/bin/sh\n# caf\u{e9}\n{sh}"), true),
        ("no shebang", 0o755, sh.to_owned(), true),
        ("perl", 0o711, format!("#!/usr/bin/env perl\n{perl}"), true),
        ("switched off", 0o644, format!("#!/bin/sh\n{sh}"), false),
    ]
}

#[test]
fn every_kind_of_hook_goes_on_and_comes_back() {
    for (name, mode, text, runs) in existing() {
        let clones = Clones::new();
        let path = format!("{HOOKS}/post-checkout");
        clones.write_hook(&path, mode, text.as_bytes());
        let (names_before, before) = (names(&clones.at(HOOKS)), snapshot(&clones.at(&path)));
        clones.install(&["--on", "checkout"]);

        // The exit code of post-checkout becomes that of git checkout.
        let output = clones.try_git("clone", &["checkout", "-q", "--", "tool"]);
        let heard = clones.heard("heard");
        let id = clones.id("clone", "HEAD");
        if runs {
            output.code(5);
            assert_eq!(heard, format!("post-checkout {id} {id} 0\n"), "{name}");
        } else {
            output.success();
            assert_eq!(heard, "", "{name}");
        }
        clones.try_git("clone", &["checkout", "-q", "-B", "main"]);
        clones.assert_deployed("HEAD");

        clones.uninstall();
        assert_eq!(snapshot(&clones.at(&path)), before, "{name}");
        assert_eq!(names(&clones.at(HOOKS)), names_before, "{name}");
    }
}

#[test]
fn a_symlink_stays_one_and_its_target_is_not_touched() {
    let clones = Clones::new();
    let dispatcher = b"#!/bin/sh\necho \"${0##*/}\" >>\"$OUT/heard\"\n";
    clones.write_hook("clone/scripts/dispatch", 0o755, dispatcher);
    let path = clones.at("clone/.git/hooks/post-merge");
    symlink("../../scripts/dispatch", &path).unwrap();
    let before = snapshot(&path);
    clones.install(&[]);
    clones.upstream_commit("tool", "2");
    clones.git("clone", &["pull", "-q"]);
    clones.assert_deployed("HEAD");
    assert_eq!(clones.heard("heard"), "post-merge\n", "the name it dispatches on");
    assert_eq!(fs::read(clones.at("clone/scripts/dispatch")).unwrap(), dispatcher);
    clones.uninstall();
    assert_eq!(snapshot(&path), before);
}

#[test]
fn the_input_of_post_rewrite_survives() {
    let clones = Clones::new();
    clones.write_hook("clone/.git/hooks/post-rewrite", 0o755, b"#!/bin/sh\ncat >\"$OUT/input\"\n");
    clones.install(&[]);
    clones.upstream_commit("theirs", "1");
    clones.commit("clone", "ours", "1");
    let old = clones.id("clone", "HEAD");
    clones.git("clone", &["pull", "-q", "--rebase"]);
    clones.assert_deployed("HEAD");
    let rewritten = format!("{old} {}\n", clones.id("clone", "HEAD"));
    assert_eq!(clones.heard("input"), rewritten);
}

#[test]
fn edits_made_after_the_installation_survive_its_end() {
    let clones = Clones::new();
    let path = clones.at("clone/.git/hooks/post-merge");
    clones.write_hook("clone/.git/hooks/post-merge", 0o755, b"#!/bin/sh\necho one\n");
    clones.install(&[]);
    let edited = fs::read_to_string(&path).unwrap().replace("echo one", "echo two") + "echo three\n";
    fs::write(&path, edited).unwrap();
    clones.install(&[]);
    clones.uninstall();
    assert_eq!(fs::read_to_string(&path).unwrap(), "#!/bin/sh\necho two\necho three\n");
}

#[test]
fn edits_of_a_hook_that_was_ours_become_the_hook() {
    let clones = Clones::installed(&[]);
    let path = clones.at("clone/.git/hooks/post-merge");
    let edited = fs::read_to_string(&path).unwrap() + "exit 3\n";
    fs::write(&path, edited).unwrap();
    clones.uninstall();
    assert_eq!(fs::read_to_string(&path).unwrap(), "#!/bin/sh\nexit 3\n");
}

#[test]
fn edits_around_a_kept_hook_are_saved_beside_it() {
    let clones = Clones::new();
    let path = clones.at("clone/.git/hooks/post-merge");
    let perl = "#!/usr/bin/env perl\nprint 1;\n";
    clones.write_hook("clone/.git/hooks/post-merge", 0o755, perl.as_bytes());
    clones.install(&[]);
    let edited = fs::read_to_string(&path).unwrap() + "echo more\n";
    fs::write(&path, edited).unwrap();
    let report = clones.uninstall();
    assert_eq!(fs::read_to_string(&path).unwrap(), perl);
    assert_eq!(fs::read_to_string(path.with_extension("edited")).unwrap(), "#!/bin/sh\necho more\n");
    assert!(report["notices"][0].as_str().unwrap().contains("post-merge.edited"), "{report}");
}

#[test]
fn a_hook_that_replaced_ours_is_foreign_and_never_lost() {
    let clones = Clones::new();
    let path = clones.at("clone/.git/hooks/post-merge");
    clones.write_hook("clone/.git/hooks/post-merge", 0o755, b"#!/usr/bin/env perl\n1;\n");
    clones.install(&[]);
    clones.write_hook("clone/.git/hooks/post-merge", 0o755, b"#!/usr/bin/env perl\n2;\n");
    assert_eq!(clones.status("clone", "post-merge")["state"], "foreign");
    clones.dist("clone", &["hook", "install"]).code(1).says("holds an earlier hook");
    clones.uninstall();
    assert_eq!(fs::read(&path).unwrap(), b"#!/usr/bin/env perl\n2;\n");
    assert_eq!(fs::read(path.with_extension("before-git-dist")).unwrap(), b"#!/usr/bin/env perl\n1;\n");
}

#[test]
fn a_damaged_block_is_told_and_left_alone() {
    let clones = Clones::installed(&[]);
    let path = clones.at("clone/.git/hooks/post-merge");
    let damaged = fs::read_to_string(&path).unwrap().replace("# <<< git dist <<<\n", "");
    fs::write(&path, &damaged).unwrap();
    assert_eq!(clones.status("clone", "post-merge")["state"], "damaged");
    for command in ["install", "uninstall"] {
        clones.dist("clone", &["hook", command]).code(1).says("its last line is missing");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
}
