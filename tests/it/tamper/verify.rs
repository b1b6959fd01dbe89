//! What `verify` finds, and that a repair takes all of it away.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::{beside, chmod, forge, next, pipe, project, version};
use crate::support::{Sandbox, tree};

type Act = fn(&Path);

fn replace(path: &Path, make: impl Fn(&Path)) {
    if path.is_dir() && !path.is_symlink() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
    make(path);
}

fn text(path: &Path) {
    fs::write(path, "one\n").unwrap();
}

#[test]
fn every_change_is_found_and_repaired() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let whole = tree(sandbox.root().join("bin"));
    let lib: &[(&str, Act)] = &[
        ("a  content", |lib| forge(&lib.join("a"), "two\n")),
        ("a  content", |lib| forge(&lib.join("a"), "longer than before\n")),
        ("a  content", |lib| forge(&lib.join("a"), "")),
        ("a  mode\n", |lib| chmod(&lib.join("a"), 0o544)),
        ("a  mode\n", |lib| chmod(&lib.join("a"), 0o455)),
        ("a  mode: writable\n", |lib| chmod(&lib.join("a"), 0o464)),
        ("run  mode\n", |lib| chmod(&lib.join("run"), 0o444)),
        ("run  mode: setuid, setgid or sticky", |lib| chmod(&lib.join("run"), 0o4555)),
        ("run  mode: setuid, setgid or sticky", |lib| chmod(&lib.join("run"), 0o2555)),
        ("deep  mode: writable for everybody", |lib| chmod(&lib.join("deep"), 0o777)),
        (".  mode: writable for everybody", |lib| chmod(lib, 0o777)),
        ("a  missing", |lib| fs::remove_file(lib.join("a")).unwrap()),
        ("deep/b  missing", |lib| fs::remove_dir_all(lib.join("deep")).unwrap()),
        ("extra  is not in git", |lib| text(&lib.join("extra"))),
        ("deep/.hidden  is not in git", |lib| text(&lib.join("deep/.hidden"))),
        ("empty  is not in git", |lib| fs::create_dir(lib.join("empty")).unwrap()),
        ("pipe  is not in git", |lib| pipe(&lib.join("pipe"))),
        ("loop  is not in git", |lib| symlink("..", lib.join("loop")).unwrap()),
        ("link  leads elsewhere", |lib| replace(&lib.join("link"), |it| symlink("run", it).unwrap())),
        ("link  leads elsewhere", |lib| replace(&lib.join("link"), |it| symlink("link", it).unwrap())),
        ("link  is of another kind", |lib| replace(&lib.join("link"), text)),
        ("a  is of another kind", |lib| replace(&lib.join("a"), |it| symlink("/dev/zero", it).unwrap())),
        ("a  is of another kind", |lib| replace(&lib.join("a"), |it| fs::create_dir(it).unwrap())),
        ("a  is of another kind", |lib| replace(&lib.join("a"), pipe)),
        ("deep  is of another kind", |lib| replace(&lib.join("deep"), text)),
        ("deep/b  missing", |lib| replace(&lib.join("deep"), |it| symlink("/", it).unwrap())),
        ("deep  is of another kind", |lib| replace(&lib.join("deep"), pipe)),
        (".  is of another kind", |lib| replace(lib, text)),
        (".  is of another kind", |lib| replace(lib, |it| symlink("/", it).unwrap())),
        (".  its listing is missing", |lib| fs::remove_file(beside(lib, "files")).unwrap()),
        (".  its listing is damaged", |lib| text(&beside(lib, "files"))),
        (".  its listing cannot be read", |lib| replace(&beside(lib, "files"), pipe)),
        (".  its listing is damaged", |lib| {
            let lines = fs::read_to_string(beside(lib, "files")).unwrap();
            let mut lines: Vec<_> = lines.lines().collect();
            lines.reverse();
            fs::write(beside(lib, "files"), lines.join("\n") + "\n").unwrap();
        }),
        (".  its listing was changed", |lib| {
            // The file and what is listed of it, together.
            forge(&lib.join("a"), "two\n");
            let one = "5626abf0f72e58d7a153368ba57db4c673c0e171";
            let two = "f719efd430d52bcfc8566a43b2eb655688d38871";
            let listed = fs::read_to_string(beside(lib, "files")).unwrap();
            assert!(listed.contains(one), "{listed}");
            fs::write(beside(lib, "files"), listed.replace(one, two)).unwrap();
        }),
    ];
    let tool: &[(&str, Act)] = &[
        (".  content", |tool| forge(tool, "two\n")),
        (".  mode\n", |tool| chmod(tool, 0o555)),
        (".  mode: writable\n", |tool| chmod(tool, 0o644)),
        (".  is of another kind", |tool| replace(tool, |it| symlink("/etc/passwd", it).unwrap())),
        (".  is of another kind", |tool| replace(tool, |it| fs::create_dir(it).unwrap())),
    ];
    let leads: &[(&str, Act)] = &[
        (".  leads elsewhere", |leads| replace(leads, |it| symlink("../lib", it).unwrap())),
        (".  is of another kind", |leads| replace(leads, text)),
    ];
    for (destination, acts) in [("lib", lib), ("tool", tool), ("leads", leads)] {
        for (number, (told, act)) in acts.iter().enumerate() {
            act(&version(&sandbox, destination));
            let case = format!("{destination} {number}: {told}");
            let run = repo.dist(["verify", "--repair", "-q"]);
            let is_right = run.snapshot().starts_with("exit code: 0") && run.stdout().contains(told);
            assert!(is_right, "{case}\n{}", run.snapshot());
            let now = tree(sandbox.root().join("bin"));
            assert_eq!(now, whole, "{case}\n{}", whole.differences(&now));
        }
    }
    repo.dist(["verify", "--all"]).success();
}

#[test]
fn what_is_larger_than_all_that_was_deployed_is_not_read() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let file = version(&sandbox, "lib").join("a");
    chmod(&file, 0o644);
    // 8 EiB that take no room: reading them would take centuries.
    let huge = fs::File::options().write(true).open(&file).unwrap();
    let largest = [(1 << 63) - 4096, 1 << 43].into_iter().find(|size| huge.set_len(*size).is_ok());
    assert!(largest.is_some());
    chmod(&file, 0o444);
    repo.dist(["verify"]).code(4).prints("a  content");
    repo.dist(["verify", "--repair"]).success();
}

#[test]
fn what_programs_leave_behind_is_told_and_no_difference() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let lib = version(&sandbox, "lib");
    fs::create_dir(lib.join("__pycache__")).unwrap();
    fs::write(lib.join("__pycache__/a.cpython-312.pyc"), "").unwrap();
    fs::write(lib.join("deep/b.pyc"), "").unwrap();
    let run = repo.dist(["verify", "-v"]).success();
    let run = run.prints("__pycache__  left behind by a program");
    run.prints("deep/b.pyc  left behind by a program");
}

#[test]
fn a_record_is_held_against_git_and_against_its_version() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    next(&repo, "two\n");
    // The times of files that are not shared any more are others.
    let now = || tree(sandbox.root().join("bin")).without(|path| path.ends_with(b".json"));
    let whole = now();
    let lib = version(&sandbox, "lib");
    let record = beside(&lib, "json");
    let original = fs::read_to_string(&record).unwrap();
    let value = |key: &str| {
        let json: serde_json::Value = serde_json::from_str(&original).unwrap();
        json[key].as_str().unwrap().to_owned()
    };
    let (object, content, commit) = (value("object"), value("content"), value("commit"));
    let null = "0".repeat(40);
    let change = |from: &str, to: &str| fs::write(&record, original.replace(from, to)).unwrap();
    let found = |told: &str| repo.dist(["verify", "lib"]).code(4).prints(told);
    let repaired = || {
        repo.dist(["verify", "lib", "--repair", "-q"]).success();
        assert_eq!(now(), whole, "{}", whole.differences(&now()));
    };
    change(&format!(r#""object": "{object}""#), &format!(r#""object": "{null}""#));
    found(".  its record names another source than its commit");
    repaired();
    change(&format!(r#""content": "{content}""#), &format!(r#""content": "{null}""#));
    found(".  its listing was changed");
    repaired();
    // File, listing and record, all of them made to fit each other: only git knows better.
    let first = repo.id("HEAD~1:lib");
    forge(&lib.join("a"), "one\n");
    let listed = fs::read_to_string(beside(&lib, "files")).unwrap();
    let (two, one) = (repo.id("HEAD:lib/a"), repo.id("HEAD~1:lib/a"));
    fs::write(beside(&lib, "files"), listed.replace(&two, &one)).unwrap();
    change(&format!(r#""content": "{content}""#), &format!(r#""content": "{first}""#));
    found(".  its record promises other content than its commit has");
    repaired();
    // What cannot be told from what else it says.
    let not_repaired = || {
        let run = repo.dist(["verify", "lib", "--repair"]).code(4);
        run.says("cannot be repaired: its record does not say from what it was made");
        fs::write(&record, &original).unwrap();
        repo.dist(["verify", "lib"]).success();
    };
    change(&commit, &repo.id("HEAD~1"));
    found(".  its record names another commit");
    not_repaired();
    let older = sandbox.root().join(format!("bin/versions/.{}.json", repo.version("lib", "HEAD~1")));
    fs::copy(older, &record).unwrap();
    found(".  its record is damaged");
    not_repaired();
    change("040000", "160000");
    found(".  its record was changed");
    change("040000", "100644");
    found(".  is of another kind");
    repaired();
    for nonsense in ["", "{}", "[1]"] {
        fs::write(&record, nonsense).unwrap();
        found(".  its record is damaged");
        not_repaired();
    }
}

#[test]
fn a_destination_that_leads_elsewhere_is_told() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    next(&repo, "two\n");
    let link = sandbox.root().join("bin/tool");
    let right = fs::read_link(&link).unwrap();
    let other = sandbox.active("bin/lib");
    for text in ["/etc/passwd", "../../project/tool", other.as_str(), "versions/../versions/tool"] {
        replace(&link, |it| symlink(text, it).unwrap());
        let told = format!("`[SANDBOX]/root/bin/tool` is a link to `{text}`, where version ");
        repo.dist(["verify"]).code(4).says(&told);
        repo.dist(["verify", "--repair"]).code(4).says(&told).says("hint: `git dist reset`");
    }
    replace(&link, text);
    repo.dist(["verify"]).code(4).says("`[SANDBOX]/root/bin/tool` is a file, where version ");
    fs::remove_file(&link).unwrap();
    repo.dist(["verify"]).code(4).says("`[SANDBOX]/root/bin/tool` is gone, where version ");
    repo.dist([]).success();
    assert_eq!(fs::read_link(&link).unwrap(), right);
    repo.dist(["verify"]).success();
    // What was removed on purpose is not missed.
    repo.dist(["delete", "tool", "-y"]).success();
    repo.dist(["verify"]).success();
}

#[test]
fn dist_info_that_does_not_fit_is_written_anew() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, r#""author": "ops@example.org","#);
    repo.dist([]).success();
    let info = sandbox.root().join("bin/.tool.dist");
    let right = fs::read_to_string(&info).unwrap();
    let record = sandbox.record("bin/tool");
    for wrong in [right.replace("branch: main", "branch: other"), String::new()] {
        fs::write(&info, &wrong).unwrap();
        repo.dist(["verify"]).code(4).prints(".  its dist info is of something else");
        repo.dist(["verify", "--repair"]).success();
        let now = fs::read_to_string(&info).unwrap();
        assert_eq!(now.replace("Tess Tester <tess@example.org>", "ops@example.org"), right);
    }
    fs::remove_file(&info).unwrap();
    repo.dist(["verify"]).code(4).prints(".  its dist info is missing");
    repo.dist(["verify", "--repair"]).success();
    // Nothing was exported for that.
    assert_eq!(sandbox.record("bin/tool"), record);
}

#[test]
fn a_pipe_or_a_folder_in_the_place_of_a_record_stops_nothing() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox, "");
    repo.dist([]).success();
    let makes: [Act; 3] = [pipe, |it| fs::create_dir(it).unwrap(), |it| symlink("/dev/zero", it).unwrap()];
    for make in makes {
        let record = beside(&version(&sandbox, "tool"), "json");
        let kept = fs::read(&record).unwrap();
        replace(&record, make);
        repo.dist(["verify"]).code(4).prints(".  its record is damaged");
        repo.dist(["show"]).success();
        replace(&record, |it| fs::write(it, &kept).unwrap());
        repo.dist(["verify"]).success();
    }
    // Nor does what looks like a version and is none.
    pipe(&sandbox.root().join("bin/versions/tool.9.abcdef0"));
    pipe(&sandbox.root().join("bin/versions/.tool.9.abcdef0.json"));
    next(&repo, "two\n");
    repo.dist(["verify", "--all"]).code(4).prints("bin/tool  9.abcdef0  DAMAGED");
}
