//! What somebody who may write to the deployment root can leave there for the next one to find.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Repo, Run, Sandbox, tree};

/// A sandbox with two versions deployed, and things outside of the root that must stay as they are.
struct Scene {
    sandbox: Sandbox,
}

impl Scene {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let outside = sandbox.path().join("outside");
        fs::create_dir_all(outside.join("versions")).unwrap();
        for name in
            ["2019", "2020", "2021", "2022", "2023", "versions/tool.1.aaaaaaa", "versions/tool.2.bbbbbbb"]
        {
            fs::create_dir_all(outside.join(name)).unwrap();
            fs::write(outside.join(name).join("kept"), "kept\n").unwrap();
        }
        symlink("2023", outside.join("current")).unwrap();
        symlink("versions/tool.2.bbbbbbb", outside.join("tool")).unwrap();
        let scene = Self { sandbox };
        let repo = scene.sandbox.repo("project");
        for text in ["one\n", "two\n"] {
            repo.write("tool", text);
            repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
            repo.commit(text.trim_end());
            repo.dist([]).success();
        }
        scene
    }

    fn repo(&self) -> Repo<'_> {
        self.sandbox.open(self.sandbox.path().join("project"))
    }

    fn meta(&self, name: &str) -> PathBuf {
        self.sandbox.root().join(".distman").join(name)
    }

    fn outside(&self) -> PathBuf {
        self.sandbox.path().join("outside")
    }

    /// Runs what changes nothing but what was left, and asserts that nothing outside of the root changed.
    #[track_caller]
    fn recovers(&self) -> Run {
        let before = tree(self.outside());
        let run = self.repo().dist(["-f"]);
        let text = run.snapshot();
        assert!(!text.contains("panicked"), "{text}");
        assert_eq!(tree(self.outside()), before, "{text}");
        assert!(!self.sandbox.path().join("escaped").exists(), "{text}");
        run
    }
}

/// A journal that undoes `swaps` and `flips` when it is found.
fn journal(
    swaps: impl Into<Value>,
    flips: impl Into<Value>,
    marks: impl Into<Value>,
    removals: impl Into<Value>,
    number: u64,
) -> String {
    let (swaps, flips, marks, removals) = (swaps.into(), flips.into(), marks.into(), removals.into());
    json!({ "format": 1, "author": null, "marks": marks, "removals": removals, "swaps": swaps, "flips": flips,
            "rollout": { "format": 1, "number": number, "time": "", "by": "", "kind": "deploy", "items": [] } })
    .to_string()
}

fn swap(destination: &Path, from: Option<&str>, to: Option<&str>, aside: Option<&str>) -> Value {
    json!([{ "destination": destination, "from": from, "to": to, "version": null, "aside": aside }])
}

#[test]
fn a_planted_journal_leads_nowhere() {
    let scene = Scene::new();
    let outside = scene.outside();
    let up = scene.sandbox.root().join("bin/../../outside/tool");
    let mine = scene.sandbox.root().join("bin/tool");
    let flip = |group: &Path, from: &str, to: &str| json!([{ "group": group, "from": from, "to": to }]);
    let group = scene.meta("together/group");
    let deep = format!("/{}", "d/".repeat(100_000));
    let none = || json!([]);
    let mark = json!([{ "destination": mine, "version": "/../../../escaped", "bad": "x" }]);
    let removal = json!([{ "destination": up, "versions": ["tool.1.aaaaaaa"] }]);
    for text in [
        journal(
            swap(&up, Some("/etc/passwd"), Some("versions/tool.2.bbbbbbb"), None),
            none(),
            none(),
            none(),
            99,
        ),
        journal(swap(Path::new("outside/tool"), None, None, None), none(), none(), none(), 99),
        journal(swap(Path::new("/"), None, None, None), none(), none(), none(), 99),
        journal(swap(Path::new(&deep), None, None, None), none(), none(), none(), 99),
        journal(swap(&mine, None, Some("x"), Some("../../outside/kept")), none(), none(), none(), 99),
        journal(
            swap(&mine, None, Some("x"), Some("tool.before-r1/../../../outside/tool")),
            none(),
            none(),
            none(),
            99,
        ),
        journal(none(), flip(&outside, "2019", "2020"), none(), none(), 99),
        journal(none(), flip(&outside, "2019", "2020"), none(), none(), 1),
        journal(none(), flip(&group.join("../../../../outside"), "1", "2"), none(), none(), 99),
        journal(none(), flip(&group, "../../../../outside", "2"), none(), none(), 99),
        journal(none(), none(), mark, none(), 1),
        journal(none(), none(), none(), removal, 1),
    ] {
        fs::create_dir_all(&group).unwrap();
        fs::write(scene.meta("pending.json"), &text).unwrap();
        let active = scene.sandbox.active("bin/tool");
        scene.recovers().code(1).says("pending.json` leads out of the root").says("hint: see who wrote it");
        assert_eq!(scene.sandbox.active("bin/tool"), active);
        assert_eq!(fs::read_to_string(scene.meta("pending.json")).unwrap(), text);
        scene.repo().dist(["show"]).success();
    }
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{\"format\":1}",
        &"[".repeat(1_000_000),
        &format!("\"{}", "\\ud800".repeat(10)),
    ] {
        fs::write(scene.meta("pending.json"), text).unwrap();
        scene.recovers().code(1).says("pending.json` is damaged");
    }
    fs::remove_file(scene.meta("pending.json")).unwrap();
    scene.recovers().success();
}

#[test]
fn what_another_user_left_reaches_no_further_than_the_root_and_that_users_folders() {
    let scene = Scene::new();
    if !rustix::process::geteuid().is_root() {
        // Only root can make files that are somebody else's.
        return;
    }
    let plant = |name: &str, text: &str| {
        fs::write(scene.meta(name), text).unwrap();
        std::os::unix::fs::chown(scene.meta(name), Some(12_345), None).unwrap();
    };
    let (active, earlier) = (scene.sandbox.active("bin/tool"), scene.repo().version("tool", "HEAD^"));
    let none = || json!([]);
    // By its own path, and by a link in the root.
    symlink(scene.outside(), scene.sandbox.root().join("link")).unwrap();
    for place in [scene.outside(), scene.sandbox.root().join("link")] {
        let swaps =
            swap(&place.join("tool"), Some("versions/tool.1.aaaaaaa"), Some("versions/tool.2.bbbbbbb"), None);
        plant("pending.json", &journal(swaps, none(), none(), none(), 99));
        scene.recovers().code(1).says("leads out of the root");
        fs::remove_file(scene.meta("pending.json")).unwrap();
        let work = json!({ "removals": [{ "destination": place.join("tool"), "versions": ["tool.1.aaaaaaa"] }],
                           "infos": [{ "destination": place.join("tool"), "version": null, "author": null }] });
        plant("unfinished.json", &work.to_string());
        scene.recovers().success();
        assert!(!scene.meta("unfinished.json").exists());
    }
    // What it may name, the next run undoes: the link that a killed run had swapped.
    let mine = scene.sandbox.root().join("bin/tool");
    let swaps = swap(&mine, Some(&format!("versions/{earlier}")), Some(&active), None);
    plant("pending.json", &journal(swaps, none(), none(), none(), 99));
    let run = scene.repo().dist(["show"]).success();
    assert!(run.stdout().contains("tool"), "{}", run.snapshot());
    scene.repo().dist(["prune", "--keep", "9"]).success();
    assert_eq!(scene.sandbox.active("bin/tool"), format!("versions/{earlier}"));
}

#[test]
fn planted_leftovers_are_forgotten() {
    let scene = Scene::new();
    let mine = scene.sandbox.root().join("bin/tool");
    let up = scene.sandbox.root().join("bin/../../outside/tool");
    for work in [
        json!({ "groups": [scene.outside()] }),
        json!({ "groups": [scene.meta("together/../../../outside")] }),
        json!({ "groups": ["/", "", ".", "outside"] }),
        json!({ "removals": [{ "destination": up, "versions": ["tool.1.aaaaaaa"] }] }),
        json!({ "removals": [{ "destination": mine, "versions": ["../../outside", "tool.1.aaaaaaa/../../.."] }] }),
        json!({ "marks": [{ "destination": mine, "version": "../../escaped", "bad": "x" }] }),
        json!({ "infos": [{ "destination": up, "version": null, "author": null }] }),
        json!({ "infos": [{ "destination": mine, "version": "../../../escaped", "author": null }] }),
    ] {
        fs::write(scene.meta("unfinished.json"), work.to_string()).unwrap();
        scene.recovers().success();
        assert!(!scene.meta("unfinished.json").exists(), "{work}");
        scene.recovers().success();
    }
}

#[test]
fn a_planted_record_is_none() {
    let scene = Scene::new();
    let repo = scene.repo();
    let path = scene.sandbox.root().join(format!("bin/versions/.{}.json", repo.version("tool", "HEAD")));
    let honest = fs::read_to_string(&path).unwrap();
    let edit = |field: &str, value: Value| {
        let mut record: Value = serde_json::from_str(&honest).unwrap();
        record[field] = value;
        fs::remove_file(&path).unwrap();
        fs::write(&path, record.to_string()).unwrap();
    };
    for (field, value) in [
        ("version", json!("/../../../../escaped")),
        ("version", json!("tool.1.aaaaaaa")),
        ("recipe", json!({ "shared": ["../../../escaped"] })),
        ("recipe", json!({ "shared": ["/etc"] })),
        ("recipe", json!({ "shared": ["a\u{0}b"] })),
        ("mtimes", json!([i64::MAX, i64::MIN])),
        ("files", json!(u64::MAX)),
        ("commit", json!("\u{1b}[31m")),
        ("content", json!("\u{1b}[31m")),
        ("subject", json!("\u{1b}]0;title\u{7}\nerror: forged")),
        ("fingerprint", json!("ä".repeat(100_000))),
    ] {
        edit(field, value.clone());
        for arguments in
            [&["show", "-vv"][..], &["verify"], &["verify", "--repair"], &["diff"], &["log"], &["doctor"]]
        {
            let run = scene.sandbox.run(scene.sandbox.dist_command(repo.path()).args(arguments));
            let text = run.snapshot();
            assert!(
                !text.contains("panicked") && !text.contains('\u{1b}'),
                "{field} {value}: {arguments:?} {text}"
            );
        }
        repo.dist(["rollback", "-m", "x"]);
        repo.dist(["use", "tool", &repo.version("tool", "HEAD")]);
        scene.recovers();
        assert!(!tree(scene.sandbox.path()).to_string().contains("escaped"), "{field} {value}");
    }
}

#[test]
fn a_planted_history_is_read_or_passed_over() {
    let scene = Scene::new();
    let repo = scene.repo();
    let path = scene.meta("history.jsonl");
    let honest = fs::read_to_string(&path).unwrap();
    let line = |number: u64, destination: &str, back: u64| {
        json!({ "format": 1, "number": number, "time": "\u{1b}[2J", "by": "a\u{7}\nb", "kind": "deploy",
                "why": "\u{202e}x", "commit": "é", "revision": "\u{9b}31m",
                "items": [{ "target": "t\u{1b}[31m\nr9 forged", "destination": destination, "from": "tool.1.aaaaaaa",
                            "to": "tool.2.bbbbbbb", "back": back }] })
        .to_string()
    };
    let deep = format!("/{}", "d/".repeat(50_000));
    for planted in [
        line(u64::MAX, "/nowhere/tool", 0),
        line(3, "/nowhere/tool", u64::MAX),
        line(3, "../../escaped", 1),
        line(3, "relative", 1),
        line(3, &deep, 0),
        line(0, "/", 0),
        "[".repeat(1_000_000),
        "{\"number\":1e999}".to_owned(),
        "\u{0}".repeat(1_000),
    ] {
        fs::write(&path, format!("{honest}{planted}\n")).unwrap();
        for arguments in [
            &["log"][..],
            &["show", "-v"],
            &["doctor"],
            &["log", "--json"],
            &["rollback", "-d"],
            &["prune", "-d"],
        ] {
            let run = scene.sandbox.run(scene.sandbox.dist_command(repo.path()).args(arguments));
            let text = run.snapshot();
            assert!(
                !text.contains("panicked") && !text.contains(['\u{1b}', '\u{9b}', '\u{7}', '\u{202e}']),
                "{text}"
            );
            assert!(!text.lines().any(|line| line.starts_with("r9 ")), "{text}");
        }
        repo.dist(["rollback", "tool"]);
        scene.recovers();
        fs::write(&path, &honest).unwrap();
        scene.recovers();
    }
}

#[test]
fn what_is_no_file_is_neither_waited_for_nor_written_to() {
    let scene = Scene::new();
    let repo = scene.repo();
    let names = ["pending.json", "unfinished.json", "history.jsonl", "epoch", "lock"];
    let make = |kind: &str, path: &Path| match kind {
        "fifo" => {
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
        }
        "folder" => fs::create_dir(path).unwrap(),
        "link" => symlink("/dev/zero", path).unwrap(),
        _ => fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
    };
    for (serial, name) in names.into_iter().enumerate() {
        let path = scene.meta(name);
        let honest = fs::read(&path).ok();
        for kind in ["fifo", "folder", "link", "huge"] {
            // Each kind of thing for one file at least.
            if !matches!((serial, kind), (_, "fifo") | (0, _) | (1, "folder") | (2, "huge" | "link")) {
                continue;
            }
            let _ = fs::remove_file(&path);
            make(kind, &path);
            let commands: [&[&str]; 4] = [&["use", "tool", "1"], &["show"], &["log"], &["doctor"]];
            for arguments in commands {
                let script = "ulimit -v 4000000; exec git-dist \"$@\"";
                let mut command = scene.sandbox.command("sh", repo.path());
                let run = scene.sandbox.run(command.args(["-c", script, "sh"]).args(arguments));
                let text = run.snapshot();
                let is_over = !text.contains("panicked") && !text.contains("exit code: killed");
                assert!(is_over, "{name} {kind} {arguments:?}: {text}");
                if arguments[0] != "use" {
                    continue;
                }
                // It is told, or it was replaced by what it should be.
                let is_whole = |meta: fs::Metadata| meta.is_file() && meta.len() < 1 << 30;
                let is_replaced = fs::symlink_metadata(&path).map_or(true, is_whole);
                // Tidying up holds nobody up; `doctor` tells of it.
                let is_tidying =
                    name == "unfinished.json" && repo.dist(["doctor"]).stdout().contains("could not do all");
                assert!(text.contains(name) || is_replaced || is_tidying, "{name} {kind}: {text}");
            }
            if fs::remove_file(&path).is_err() {
                let _ = fs::remove_dir(&path);
            }
            if let Some(honest) = &honest {
                fs::write(&path, honest).unwrap();
            }
            repo.dist(["use", "tool", "2"]).success();
        }
    }
    repo.dist(["-f"]).success();
}
