//! Manifests and environment files that are rubbish, or that cost more than they weigh.

use std::fs;
use std::os::unix::fs::symlink;

use super::refused;
use crate::support::{Repo, Run, Sandbox};

/// A repository with the manifest `manifest` and the environment file `environment`, each as it is.
fn commit(repo: &Repo<'_>, manifest: &[u8], environment: Option<&[u8]>) {
    let tool = repo.object("blob", b"one\n");
    let manifest = repo.object("blob", manifest);
    let mut entries = vec![("100644", "dist.json", manifest.clone())];
    if let Some(environment) = environment {
        entries.push(("100644", "distman.env", repo.object("blob", environment)));
    }
    entries.push(("100644", "tool", tool));
    let entries: Vec<_> = entries.iter().map(|(mode, name, id)| (*mode, *name, id.as_str())).collect();
    repo.commit_tree(&repo.tree(&entries));
}

const TOOL: &[u8] =
    br#"{ "version": 1, "targets": { "tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" } } }"#;

/// One line for each number.
fn lines(numbers: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().concat()
}

/// Runs `git dist` with little memory.
fn limited(sandbox: &Sandbox, repo: &Repo<'_>, arguments: &str) -> Run {
    let script = format!("ulimit -v 3000000; exec git-dist {arguments}");
    sandbox.run(sandbox.command("sh", repo.path()).args(["-c", &script]))
}

#[test]
fn every_key_with_every_wrong_type_is_an_error_with_its_place() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let values = [
        "1",
        "-1",
        "1.5",
        "1e400",
        "true",
        r#""text""#,
        "[]",
        "[[]]",
        "[1]",
        "{}",
        r#"{"a":1}"#,
        r#"{"a":{}}"#,
    ];
    let option = |key: &str| format!(r#""options": {{ "{key}": VALUE }}, "#);
    let in_target = |key: &str| {
        format!(
            r#""targets": {{ "tool": {{ "source": "tool", "destination": "/nowhere/tool", "{key}": VALUE }} }}"#
        )
    };
    let in_step = |key: &str| {
        let (action, step) = if key == "script" { ("", "") } else { (r#""script": "true", "#, "") };
        format!(r#""pipeline": {{ "step": {{ {action}"{key}": VALUE{step} }} }}, "#)
    };
    // What each key takes, so that the others are wrong.
    let text = &[r#""text""#][..];
    let texts = &[r#""text""#, "[]"];
    let cases: Vec<(String, &[&str])> = vec![
        (r#""$schema": VALUE, "#.into(), text),
        (r#""version": VALUE, "#.into(), &["1"]),
        (r#""author": VALUE, "#.into(), text),
        (r#""options": VALUE, "#.into(), &["{}", r#"{"a":1}"#, r#"{"a":{}}"#]),
        (option("match"), &[]),
        (option("keep"), &["1"]),
        (option("link"), &[]),
        (option("submodules"), &[]),
        (option("switch"), &[]),
        (option("ignore"), texts),
        (option("ignore_missing"), &["true"]),
        (option("require_signed"), &["true"]),
        (r#""pipeline": VALUE, "#.into(), &["{}"]),
        (in_step("script"), texts),
        (in_step("order"), &["1", "-1", "1.5"]),
        (in_step("env"), &["{}"]),
        (r#""targets": VALUE, "#.into(), &[]),
        (in_target("source"), &[]),
        (in_target("shared"), texts),
        (in_target("verify"), texts),
        (in_target("after"), texts),
        (in_target("pipeline"), &["{}"]),
        (in_target("options"), &["{}", r#"{"a":1}"#, r#"{"a":{}}"#]),
    ];
    for (case, right) in cases {
        for value in values.iter().filter(|value| !right.contains(value)) {
            let targets = r#""targets": { "tool": { "source": "nowhere", "destination": "/nowhere/tool" } }"#;
            let first = case.replace("VALUE", value);
            let rest = if case.contains(r#""targets""#) { "" } else { targets };
            let manifest = format!(
                "{{\n{}\n{rest} }}",
                if rest.is_empty() { first.trim_end_matches(", ") } else { &first }
            );
            let error =
                git_dist::manifest::Manifest::parse("dist.json", manifest.as_bytes()).expect_err(&manifest);
            let told = error.to_string();
            let place = told.strip_prefix("dist.json:").unwrap_or_else(|| panic!("{manifest}\n{told}"));
            let mut numbers = place.split(':').map(str::parse::<usize>);
            assert_eq!(numbers.next().unwrap(), Ok(2), "{manifest}\n{told}");
            assert!(numbers.next().unwrap().is_ok_and(|column| column > 0), "{manifest}\n{told}");
        }
    }
    // And through the door.
    commit(&repo, br#"{ "targets": { "tool": [] } }"#, None);
    refused(&sandbox, repo.dist([]))
        .says("dist.json:1:")
        .says("target `tool` must be an object, found a list");
}

#[test]
fn manifests_that_are_rubbish_are_told_as_that() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let target = |target: &str| format!(r#"{{ "version": 1, "targets": {{ {target} }} }}"#).into_bytes();
    let destination =
        |place: &str| target(&format!(r#""tool": {{ "source": "tool", "destination": "{place}" }}"#));
    let source =
        |path: &str| target(&format!(r#""tool": {{ "source": "{path}", "destination": "/nowhere/%1" }}"#));
    for (manifest, says) in [
        (b"[".repeat(100_000), "dist.json:1:"),
        (b"{\"a\":".repeat(100_000), "dist.json:1:"),
        (vec![b' '; 17 << 20], "more than the"),
        (format!("[{}1]", "1,".repeat(3_000_000)).into_bytes(), "more than 1000000 values"),
        (b"\xff\xfe{\0}\0".to_vec(), "not UTF-8"),
        (b"{\0}".to_vec(), "dist.json:1:2"),
        (br#"{ "version": 1, "targets": { "\ud800": {} } }"#.to_vec(), "dist.json:1:"),
        (br#"{ "version": 1e999, "targets": {} }"#.to_vec(), "dist.json:1:"),
        (br#"{ "version": 1, "version": 1, "targets": {} }"#.to_vec(), "dist.json:1:"),
        (destination("/nowhere/\\u0000tool"), "tool"),
        (destination("/nowhere/%99999999999"), "%99999999999"),
        (destination("/nowhere/%1"), "%1"),
        (destination("/nowhere/{DEPLOY_ROOT"), "destination"),
        (destination(&format!("/{}", "d".repeat(100_000))), "tool"),
        (destination(&"/d".repeat(100_000)), "tool"),
        (source("../*"), "source"),
        (source("/etc/*"), "source"),
        (source("a/../../*"), "source"),
        (source("*\\u0000"), "source"),
    ] {
        commit(&repo, &manifest, None);
        let run = refused(&sandbox, limited(&sandbox, &repo, "")).says(says);
        // Not with all of what is wrong.
        assert!(run.stderr().len() < 500_000, "{} bytes", run.stderr().len());
    }
}

#[test]
fn patterns_cost_no_more_than_what_they_look_at() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let blob = repo.object("blob", b"one\n");
    let name = "a".repeat(200);
    let inner = repo.tree(&[("100644", name.as_str(), blob.as_str())]);
    for pattern in [
        "**/**/**/**/**/**/*a*b*c*",
        "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "**/*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
        "[a-z][a-z][!a]*",
        "[",
        "[]",
        "[z-a]",
        "(a+)+$",
        "\\\\*",
        &"?".repeat(5_000),
        &"*".repeat(5_000),
        &"**/".repeat(5_000),
        &"[a]".repeat(20_000),
    ] {
        let places = lines(1..31, |n| format!("%{n}"));
        for destination in ["/nowhere/tool", "/nowhere/%1", &format!("/nowhere/{places}")] {
            let text = format!(
                r#"{{ "version": 1, "targets": {{ "tool": {{ "source": "{pattern}", "destination": "{destination}" }} }} }}"#
            );
            let manifest = repo.object("blob", text.as_bytes());
            let root = repo.tree(&[("40000", "dir", inner.as_str()), ("100644", "dist.json", &manifest)]);
            repo.commit_tree(&root);
            let run = limited(&sandbox, &repo, "");
            if run.snapshot().starts_with("exit code: 0") {
                run.says("nothing matches `");
            } else {
                refused(&sandbox, run);
            }
        }
    }
}

#[test]
fn ten_thousand_targets_are_many_and_no_trouble() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let targets: Vec<String> = (0..10_000)
        .map(|n| {
            format!(r#""t{n}": {{ "source": "tool", "destination": "{{DEPLOY_ROOT}}/{}/t{n}" }}"#, n % 10)
        })
        .collect();
    let manifest = format!(r#"{{ "version": 1, "targets": {{ {} }} }}"#, targets.join(", "));
    commit(&repo, manifest.as_bytes(), None);
    repo.dist(["-d", "-q"]).success();
    // Two of them to one place.
    let manifest = manifest.replace("/9/t9999\"", "/8/t9998\"");
    commit(&repo, manifest.as_bytes(), None);
    refused(&sandbox, repo.dist(["-q"])).says("t9998").says("t9999");
}

#[test]
fn environment_files_that_explode_are_told_with_their_name() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let anchors = lines(1..40, |n| format!("a{n}: &a{n}\n  <<: [*a{}, *a{}]\n  K{n}: v\n", n - 1, n - 1));
    let lists = lines(1..40, |n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")));
    let mut passed = 0;
    let doubled = lines(1..60, |n| format!("  A{n}: ${{A{}}}${{A{}}}\n", n - 1, n - 1));
    let chain = lines(1..5_000, |n| format!("  A{n}: ${{A{}}}\n", n + 1));
    let merged = lines(0..500, |n| format!("a{n}: &a{n}\n  <<: *base\n"));
    let many = lines(0..1_000, |n| format!("  K{n}: v\n"));
    for text in [
        format!("all:\n  A0: {}\n{doubled}", "x".repeat(1_000)),
        format!("all:\n  A0: x\n{chain}"),
        format!("a0: &a0\n  K: v\nbase: &base\n{many}{merged}{anchors}all: *a39\n"),
        format!("a0: &a0 [x]\n{lists}all:\n  X: *a39\n"),
        format!("all:\n  X: {}\n", "[".repeat(100_000)),
        format!("{}\n", "- ".repeat(100_000)),
        format!("{}\n", "a: {".repeat(100_000)),
        format!("all:\n  X: \"{}\"\n", "${A:-".repeat(50_000) + &"}".repeat(50_000)),
        format!("all:\n  X: {}\n", "y".repeat(10 << 20)),
        "all: &a\n  X: *a\n".to_owned(),
        "all:\n  A: ${B}\n  B: ${A}\n".to_owned(),
        "all:\n  A: !!python/object/apply:os.system [\"touch escaped\"]\n".to_owned(),
        "all:\n  A: \"\\0\"\n".to_owned(),
        "%YAML 9.9\n---\nall: {}\n".to_owned(),
        "all:\n\tA: b\n".to_owned(),
        "\u{feff}\u{feff}: [".to_owned(),
        "? [a]\n: b\n".to_owned(),
    ] {
        commit(&repo, TOOL, Some(text.as_bytes()));
        let run = limited(&sandbox, &repo, "");
        // YAML lets some of it pass.
        if run.snapshot().starts_with("exit code: 0") {
            let _ = fs::remove_dir_all(sandbox.root());
            passed += 1;
        } else {
            refused(&sandbox, run).says("distman.env");
        }
    }
    assert!(passed <= 3, "{passed}");
    commit(&repo, TOOL, Some(b"all:\n  A: \xff\xfe\n"));
    refused(&sandbox, repo.dist([])).says("distman.env:2:6");
    assert!(!repo.path().join("escaped").exists());
}

#[test]
fn includes_are_neither_waited_for_nor_read_without_end() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let along = sandbox.path().join("along");
    fs::create_dir(&along).unwrap();
    let along_text = along.display().to_string();
    commit(&repo, TOOL, Some(b"include: [more]\nall:\n  A: b\n"));
    let run = || {
        let script = "ulimit -v 3000000; exec git-dist";
        let mut command = sandbox.command("sh", repo.path());
        sandbox.run(command.args(["-c", script]).env("ENVPATH", &along_text))
    };
    let more = along.join("more.env");
    rustix::fs::mknodat(rustix::fs::CWD, &more, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    refused(&sandbox, run()).says("along/more.env").says("not a regular file");
    fs::remove_file(&more).unwrap();
    for target in ["/dev/zero", "/dev/tty", ".."] {
        symlink(target, &more).unwrap();
        refused(&sandbox, run()).says("along/more.env");
        fs::remove_file(&more).unwrap();
    }
    fs::create_dir(&more).unwrap();
    refused(&sandbox, run()).says("along/more.env").says("not a regular file");
    fs::remove_dir(&more).unwrap();
    fs::File::create(&more).unwrap().set_len(1 << 40).unwrap();
    refused(&sandbox, run()).says("along/more.env").says("too large");
    // A file that includes itself is read once, and one by another name is too.
    fs::write(&more, "include: [more, distman, other]\nall:\n  A: c\n").unwrap();
    symlink("more.env", along.join("other.env")).unwrap();
    run().success();
}

/// git has a link there; what it leads to is not what was committed.
#[test]
fn links_where_files_are_read_are_told() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let link = repo.object("blob", b"/etc/hostname");
    let (manifest, tool) = (repo.object("blob", TOOL), repo.object("blob", b"one\n"));
    let attributes = repo.object("blob", b"elsewhere");
    repo.commit_tree(&repo.tree(&[("120000", "dist.json", &*link), ("100644", "tool", &tool)]));
    refused(&sandbox, repo.dist([]))
        .says("`dist.json` is no file but a symlink")
        .says("hint: links are not followed");
    let dir = repo.tree(&[("100644", "file", &*tool)]);
    for (mode, id, word) in [("120000", &link, "symlink"), ("40000", &dir, "directory")] {
        let entries =
            [("100644", "dist.json", &*manifest), (mode, "distman.env", id), ("100644", "tool", &tool)];
        repo.commit_tree(&repo.tree(&entries));
        refused(&sandbox, repo.dist([])).says(&format!("`distman.env` is no file but a {word}"));
    }
    // git itself passes over a link called .gitattributes; a link is no folder on the way to a source.
    let entries = [
        ("120000", ".gitattributes", &*attributes),
        ("100644", "dist.json", &manifest),
        ("100644", "tool", &tool),
    ];
    repo.commit_tree(&repo.tree(&entries));
    repo.dist([]).success();
    fs::remove_dir_all(sandbox.root()).unwrap();
    let through = String::from_utf8_lossy(TOOL).replace(r#""source": "tool""#, r#""source": "way/tool""#);
    let (through, way) = (repo.object("blob", through.as_bytes()), repo.object("blob", b"."));
    let entries = [("100644", "dist.json", &*through), ("100644", "tool", &tool), ("120000", "way", &way)];
    repo.commit_tree(&repo.tree(&entries));
    refused(&sandbox, repo.dist([])).says("source `way/tool` is not in revision `HEAD`");
}
