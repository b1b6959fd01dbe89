//! What asks for signatures, what cannot switch that off, and what is allowed all the same.

use std::fs;

use super::{ANY, Desk, SIGNED_ONLY};
use crate::support::tree;

#[test]
fn the_strictest_setting_wins() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    repo.manifest(ANY);
    repo.commit("anybody");
    desk.global("dist.requireSigned", "true");
    repo.git(["config", "dist.requireSigned", "false"]);
    repo.dist([])
        .code(1)
        .says("refused: `dist.requireSigned` of the git configuration asks for a good signature");
    // Also from a file that is included, which may make it stricter.
    desk.global("dist.requireSigned", "false");
    fs::write(desk.at("included"), "[dist]\n\trequireSigned\n").unwrap();
    repo.git(["config", "include.path", desk.at("included").to_str().unwrap()]);
    repo.dist([]).code(1).says("is not signed");
    desk.assert_nothing_deployed();
    repo.git(["config", "--unset", "include.path"]);
    repo.dist([]).success();
    assert!(desk.sandbox.record("tool").get("signature").is_none());
}

#[test]
fn one_target_that_asks_is_enough_for_all() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    repo.manifest(&format!("{SIGNED_ONLY}, {}", ANY.replace("tool", "other")));
    repo.write("other", "1\n");
    repo.commit("two targets");
    repo.dist(["-t", "other"]).code(1).says("is not signed");
    assert!(!desk.at("root/other").exists());
}

#[test]
fn a_push_cannot_switch_it_off() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    repo.manifest(ANY);
    repo.commit("anybody");
    repo.dist([]).success();
    // From now on; nothing that is deployed changes.
    repo.manifest(SIGNED_ONLY);
    desk.commit_signed(&repo, "tess", "1\n");
    repo.dist([]).success().says("nothing to do");
    // Neither by dropping the option, nor with another target, nor from another place in the repository.
    repo.manifest(&ANY.replace("{DEPLOY_ROOT}/tool", "{DEPLOY_ROOT}/other"));
    repo.commit("dropped");
    let before = tree(desk.sandbox.root());
    let said =
        "refused: the option `require_signed` of `dist.json`, as it was deployed last, asks for a good";
    repo.dist([]).code(1).says(said);
    repo.inside("sub").manifest(ANY);
    repo.write("sub/tool", "other\n");
    repo.commit("elsewhere");
    repo.inside("sub").dist([]).code(1).says(said);
    repo.dist(["--source", "tool", "--dest", "{DEPLOY_ROOT}/x"]).code(1).says(said);
    // Nor with another root, or another folder for what git dist keeps there.
    for variable in ["DEPLOY_ROOT: ${DEPLOY_ROOT}/fresh", "DISTMAN_META_DIR: .fresh"] {
        repo.write("distman.env", format!("all:\n  {variable}\n"));
        repo.commit("fresh");
        repo.dist([]).code(1).says(said);
    }
    repo.remove("distman.env");
    repo.commit("not fresh");
    // Two places know it: the root, for other clones, and the clone, for other roots.
    let notes =
        ["project/.git/dist/signed-only.json", "root/.distman/signed-only.json"].map(|path| desk.at(path));
    for (gone, kept) in [(&notes[0], &notes[1]), (&notes[1], &notes[0])] {
        fs::remove_file(gone).unwrap();
        repo.dist([]).code(1).says(said);
        fs::copy(kept, gone).unwrap();
    }
    assert_eq!(tree(desk.sandbox.root()), before);
    // Who may sign may drop it.
    repo.remove("sub");
    repo.manifest(ANY);
    desk.commit_signed(&repo, "tess", "1\n");
    repo.dist([]).success().says("nothing to do");
    repo.write("tool", "2\n");
    repo.commit("anybody again");
    repo.dist([]).success();
    // A note that cannot be read says nothing good.
    fs::write(desk.at("root/.distman/signed-only.json"), "{").unwrap();
    repo.dist([])
        .code(1)
        .says("`[SANDBOX]/root/.distman/signed-only.json` does not say what asks for signatures");
}

#[test]
fn a_working_tree_is_never_signed() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    desk.commit_signed(&repo, "tess", "2\n");
    repo.dist(["--worktree"]).code(1).says("what lies in a working tree is not signed");
    // What the revision holds is signed with it, wherever a person wants it.
    repo.dist(["--source", "tool", "--dest", "{DEPLOY_ROOT}/copy"]).success();
    let built = r#""built": { "source": "tool", "destination": "{DEPLOY_ROOT}/built", "options": { "from": "worktree" } }"#;
    repo.manifest(&format!("{SIGNED_ONLY}, {built}"));
    desk.commit_signed(&repo, "tess", "3\n");
    for arguments in [&[][..], &["--dry-run"], &["-t", "built"]] {
        let mut dist = desk.sandbox.dist_command(repo.path());
        desk.sandbox.run(dist.args(arguments)).code(1).says("what lies in a working tree is not signed");
    }
    desk.assert_nothing_deployed();
    repo.dist(["-t", "tool"]).success();
    // A folder that is in no repository has only the user's configuration.
    let folder = desk.at("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("dist.json"), format!("{{ \"version\": 1, \"targets\": {{ {ANY} }} }}")).unwrap();
    fs::write(folder.join("tool"), "folder\n").unwrap();
    desk.global("dist.requireSigned", "true");
    desk.sandbox.run(&mut desk.sandbox.dist_command(&folder)).code(1).says("a working tree is not signed");
}

#[test]
fn going_back_to_what_was_accepted_needs_no_signature() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    for text in ["2\n", "3\n"] {
        desk.commit_signed(&repo, "tess", text);
        repo.dist([]).success();
    }
    // HEAD is not signed, and wants a program run.
    let after = r#""after": ["touch {DEPLOY_ROOT}/../ran"], "options""#;
    repo.manifest(&SIGNED_ONLY.replace("\"options\"", after));
    repo.commit("unsigned");
    repo.dist([]).code(1).says("is not signed");
    repo.dist(["diff"])
        .success()
        .says("warning: a deploy would be refused: refused: the option `require_signed` of dist.json asks");
    let back = repo.dist(["rollback"]).success();
    assert!(
        back.stderr().contains("warning: `after` commands of revision `HEAD` were left out: "),
        "{}",
        back.stderr()
    );
    assert!(!desk.at("ran").exists());
    assert_eq!(fs::read_to_string(desk.at("root/tool")).unwrap(), "2\n");
    repo.dist(["use", "tool", &repo.version("tool", "HEAD~1")["tool.".len()..]]).success();
    repo.dist(["reset"]).success();
    // A repair makes again what a record and its content id name.
    let active = desk.at("root").join(desk.sandbox.active("tool"));
    fs::remove_file(&active).unwrap();
    fs::write(&active, "damaged\n").unwrap();
    repo.dist(["verify", "--repair"]).code(0);
    assert_eq!(fs::read_to_string(desk.at("root/tool")).unwrap(), "3\n");
    // Signed, the command counts.
    desk.sign_head(&repo, "tess");
    repo.dist(["rollback"]).success();
    assert!(desk.at("ran").exists());
    // A prune goes by dist.json, for which somebody must vouch.
    repo.manifest(&SIGNED_ONLY.replace("tool\"", "other\""));
    repo.write("other", "1\n");
    repo.commit("unsigned");
    repo.dist(["prune", "-y"]).code(1).says("is not signed");
    assert!(desk.at("root/tool").exists());
    desk.sign_head(&repo, "tess");
    repo.dist(["prune", "-y"]).success();
    assert!(!desk.at("root/tool").exists());
}

#[test]
fn nothing_of_an_unsigned_revision_is_acted_upon() {
    let Some(desk) = Desk::new() else { return };
    let repo = desk.repo();
    let ran = desk.at("ran").display().to_string();
    let run = format!("touch {ran}");
    repo.manifest(&SIGNED_ONLY.replace(
        "\"options\"",
        &format!(r#""pipeline": {{ "x": {{ "script": "{run}" }} }}, "verify": ["{run}"], "after": ["{run}"], "options""#),
    ));
    repo.write("distman.env", "all:\n  LOG_DIR: ${DEPLOY_ROOT}/../log\n");
    repo.write(".gitattributes", "tool export-subst filter=run\n");
    repo.write("tool", "$Format:%G?$\n");
    repo.commit("unsigned");
    repo.git(["config", "filter.run.smudge", &run]);
    let before = tree(desk.sandbox.path());
    repo.dist([]).code(1).says("is not signed");
    let differences = before.differences(&tree(desk.sandbox.path()));
    assert_eq!(differences, "");
    desk.allow(&format!("tess@example.org {}\n", desk.public("tess")));
    desk.sign_head(&repo, "tess");
    repo.git(["config", "filter.run.smudge", "cat"]);
    repo.dist([]).success();
    assert!(desk.at("ran").exists() && desk.at("log").exists());
}
