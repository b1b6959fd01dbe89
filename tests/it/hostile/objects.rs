//! Objects and packs that are damaged, missing, or not what they say, and repositories that lead astray.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use super::{commit_dir, refused};
use crate::support::{Repo, Run, Sandbox};

/// Two commits of a file and a folder.
fn project(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    for text in ["one\n", "two\n"] {
        repo.write("tool", text);
        repo.write("lib/a", format!("a {text}"));
        repo.write("lib/b", "b\n".repeat(500));
        repo.manifest(
            r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/tool" },
               "lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#,
        );
        repo.commit(text.trim_end());
    }
    repo
}

/// What is deployed, by what destinations lead to.
fn deployed(sandbox: &Sandbox) -> String {
    let read = |path: &str| fs::read_to_string(sandbox.root().join(path)).unwrap_or_default();
    format!("{}{}{}{}", sandbox.active("tool"), read("tool"), read("lib/a"), read("lib/b"))
}

/// Deploys into an empty root: either what `expected` says, or nothing and an error that `names` something.
#[track_caller]
fn right_or_refused(sandbox: &Sandbox, repo: &Repo<'_>, expected: &str, names: &[&str]) -> bool {
    let _ = fs::remove_dir_all(sandbox.root());
    let run = limited(sandbox, repo);
    if run.snapshot().starts_with("exit code: 0") {
        assert_eq!(deployed(sandbox), expected, "{}", run.snapshot());
        return true;
    }
    let run = refused(sandbox, run);
    assert!(names.iter().any(|name| run.stderr().contains(name)), "{}", run.snapshot());
    false
}

/// Deploys with little memory.
fn limited(sandbox: &Sandbox, repo: &Repo<'_>) -> Run {
    let script = "ulimit -v 4000000; exec git-dist";
    sandbox.run(sandbox.command("sh", repo.path()).args(["-c", script]))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
    found.sort();
}

/// Replaces a file that is read-only.
fn overwrite(path: &Path, bytes: &[u8]) {
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o644));
    fs::write(path, bytes).unwrap();
}

#[test]
fn loose_objects_that_are_damaged_or_gone() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.dist([]).success();
    let expected = deployed(&sandbox);
    let mut objects = Vec::new();
    files(&repo.path().join(".git/objects"), &mut objects);
    let mut refusals = 0;
    for (serial, path) in objects.iter().enumerate() {
        let id = format!(
            "{}{}",
            path.parent().unwrap().file_name().unwrap().display(),
            path.file_name().unwrap().display()
        );
        let honest = fs::read(path).unwrap();
        let flipped = |at: usize| {
            let mut bytes = honest.clone();
            bytes[at] ^= 0x10;
            bytes
        };
        let other = fs::read(objects.iter().find(|other| *other != path).unwrap()).unwrap();
        let cut = honest[..honest.len() / 2].to_vec();
        let damages = [flipped(0), flipped(honest.len() / 2), other, cut, Vec::new()];
        for bytes in [&damages[serial % 5], &damages[(serial + 2) % 5]] {
            overwrite(path, bytes);
            refusals += usize::from(!right_or_refused(&sandbox, &repo, &expected, &[&id, "HEAD"]));
        }
        fs::remove_file(path).unwrap();
        refusals += usize::from(!right_or_refused(&sandbox, &repo, &expected, &[&id, "HEAD"]));
        fs::write(path, &honest).unwrap();
    }
    // All but the blobs and trees that only the first commit has.
    assert!(refusals >= 6 * 3, "{refusals}");
    assert!(right_or_refused(&sandbox, &repo, &expected, &[]));
}

#[test]
fn packs_that_are_damaged_or_cut_off() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.dist([]).success();
    let expected = deployed(&sandbox);
    repo.git(["gc", "--quiet"]);
    let mut paths = Vec::new();
    files(&repo.path().join(".git/objects/pack"), &mut paths);
    let named = &["corrupt", "missing", "cannot", "not found", "no commit yet"];
    let mut refusals = 0;
    for path in paths.iter().filter(|path| path.extension().is_some_and(|it| it == "pack" || it == "idx")) {
        let honest = fs::read(path).unwrap();
        for at in (0..honest.len()).step_by(honest.len() / 7) {
            let mut bytes = honest.clone();
            bytes[at] ^= 0xff;
            overwrite(path, &bytes);
            refusals += usize::from(!right_or_refused(&sandbox, &repo, &expected, named));
        }
        for length in [0, honest.len() / 2, honest.len() - 1] {
            overwrite(path, &honest[..length]);
            refusals += usize::from(!right_or_refused(&sandbox, &repo, &expected, named));
        }
        overwrite(path, &honest);
    }
    assert!(refusals > 10, "{refusals}");
    assert!(right_or_refused(&sandbox, &repo, &expected, &[]));
}

#[test]
fn a_tree_that_is_damaged_or_gone_among_many_is_named_by_its_path() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo("project");
    // So many that they are read on all cores before the walk comes to them.
    for folder in 0..100 {
        repo.write(format!("lib/{folder}/below/file"), format!("{folder}\n"));
    }
    repo.manifest(r#""lib": { "source": "lib", "destination": "{DEPLOY_ROOT}/lib" }"#);
    repo.commit("many");
    let paths = ["lib/7", "lib/42/below"];
    for path in paths {
        let id = repo.id(&format!("HEAD:{path}"));
        let object = repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
        let honest = fs::read(&object).unwrap();
        fs::remove_file(&object).unwrap();
        refused(&sandbox, repo.dist([])).says(&format!("the tree `{path}`")).says(&id);
        fs::write(&object, &honest).unwrap();
    }
    repo.git(["gc", "--quiet"]);
    let mut packed = Vec::new();
    files(&repo.path().join(".git/objects/pack"), &mut packed);
    let pack = packed.iter().find(|path| path.extension().is_some_and(|it| it == "pack")).unwrap();
    let honest = fs::read(pack).unwrap();
    let listed = repo.git(["verify-pack", "-v", &pack.to_string_lossy()]);
    for path in paths {
        let id = repo.id(&format!("HEAD:{path}"));
        // id, kind, size, size in the pack, offset
        let line = listed.lines().find(|line| line.starts_with(&id)).unwrap();
        let numbers: Vec<usize> = line.split_whitespace().skip(2).map_while(|it| it.parse().ok()).collect();
        let mut bytes = honest.clone();
        bytes[numbers[2] + numbers[1] / 2] ^= 0x20;
        overwrite(pack, &bytes);
        refused(&sandbox, repo.dist([])).says(&format!("the tree `{path}`")).says(&id);
    }
    overwrite(pack, &honest);
    repo.dist([]).success();
    assert_eq!(fs::read_to_string(sandbox.root().join("lib/99/below/file")).unwrap(), "99\n");
}

/// A zlib stream that holds `bytes` as they are (RFC 1950, RFC 1951 section 3.2.4).
fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let mut stream = vec![0x78, 0x01, 0x01];
    stream.extend(length.to_le_bytes());
    stream.extend((!length).to_le_bytes());
    stream.extend(bytes);
    stream.extend((b << 16 | a).to_be_bytes());
    stream
}

#[test]
fn an_object_that_announces_any_size_costs_nothing() {
    let sandbox = Sandbox::new();
    let repo = sandbox.repo_with("project.git", ["--bare"]);
    let id = "0123456789012345678901234567890123456789";
    let objects = repo.path().join("objects");
    fs::create_dir_all(objects.join("01")).unwrap();
    let loose = objects.join("01").join(&id[2..]);
    for (mode, kind) in [("100644", "blob"), ("40000", "tree")] {
        let dir = if kind == "tree" { id.to_owned() } else { repo.tree(&[(mode, "file", id)]) };
        commit_dir(&repo, &dir);
        for size in ["5000000000", "18446744073709551615", "99999999999999999999999999", "-1", "1e9", ""] {
            overwrite(&loose, &stored(format!("{kind} {size}\0text\n").as_bytes()));
            refused(&sandbox, limited(&sandbox, &repo)).says(id).says("`dir");
        }
        fs::remove_file(&loose).unwrap();
    }
    // The same in a pack: an entry of type blob whose size takes as many bits as it wants (gitformat-pack(5)).
    let pack = objects.join("pack/pack-0123456789012345678901234567890123456789");
    for size in [5_000_000_000_u64, 1 << 50, u64::MAX >> 4] {
        let mut entry = vec![0x80 | 3 << 4 | (size & 0xf) as u8];
        let mut rest = size >> 4;
        while rest > 0 {
            entry.push((rest & 0x7f) as u8 | if rest > 0x7f { 0x80 } else { 0 });
            rest >>= 7;
        }
        entry.extend(stored(b"text\n"));
        let data = [b"PACK\0\0\0\x02\0\0\0\x01".as_slice(), &entry, &[0x11; 20]].concat();
        let mut index = b"\xfftOc\0\0\0\x02".to_vec();
        index.extend((0..256_u32).flat_map(|first| u32::from(first >= 1).to_be_bytes()));
        index.extend((0..20).map(|at| u8::from_str_radix(&id[2 * at..2 * at + 2], 16).unwrap()));
        index.extend([0; 4]);
        index.extend(12_u32.to_be_bytes());
        index.extend([[0x11; 20], [0x22; 20]].concat());
        overwrite(&pack.with_extension("pack"), &data);
        overwrite(&pack.with_extension("idx"), &index);
        commit_dir(&repo, &repo.tree(&[("100644", "file", id)]));
        let run = refused(&sandbox, limited(&sandbox, &repo));
        let is_named = run.stderr().contains(id) && run.stderr().contains("`dir/file` is");
        // What a disk could hold and this one does not is told as that, before the object is looked into.
        assert!(is_named || run.stderr().contains("not enough space at"), "{}", run.snapshot());
    }
}

#[test]
fn a_file_that_is_larger_than_may_be_decoded_is_told_with_what_helps() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.write("lib/c", "c".repeat(100_000));
    repo.commit("large");
    let run = refused(&sandbox, repo.dist_with([("GIT_ALLOC_LIMIT", "50000")], []));
    run.says("`lib/c` is too large to be read").says("hint: `GIT_ALLOC_LIMIT=BYTES git dist`");
    repo.dist_with([("GIT_ALLOC_LIMIT", "100000")], []).success();
}

#[test]
fn what_is_no_file_of_a_repository_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    for name in ["HEAD", "config", "packed-refs"] {
        let path = repo.path().join(".git").join(name);
        let honest = fs::read(&path).ok();
        let makes: [fn(&Path); 3] = [
            |path| {
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o644.into(), 0)
                    .unwrap();
            },
            |path| symlink("/dev/zero", path).unwrap(),
            |path| fs::File::create(path).unwrap().set_len(1 << 40).unwrap(),
        ];
        for make in makes.iter().take(if name == "packed-refs" { 2 } else { 3 }) {
            let _ = fs::remove_file(&path);
            make(&path);
            let run = refused(&sandbox, limited(&sandbox, &repo))
                .says("is no file that a repository has")
                .says(name);
            assert!(run.stderr().contains("project/.git/"), "{}", run.snapshot());
        }
        fs::remove_file(&path).unwrap();
        if let Some(honest) = honest {
            fs::write(&path, honest).unwrap();
        }
    }
    // In a folder above, which may be anybody's.
    let head = sandbox.path().join("HEAD");
    rustix::fs::mknodat(rustix::fs::CWD, &head, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let elsewhere = sandbox.open(sandbox.home());
    elsewhere.dist([]).code(1).says("HEAD` is no file that a repository has");
    fs::remove_file(head).unwrap();
    repo.dist([]).success();
}

#[test]
fn alternates_that_lead_in_circles_and_indexes_that_are_rubbish() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.dist([]).success();
    let expected = deployed(&sandbox);
    let alternates = repo.path().join(".git/objects/info/alternates");
    let own = repo.path().join(".git/objects");
    let other = sandbox.repo_with("other.git", ["--bare"]);
    fs::write(other.path().join("objects/info/alternates"), format!("{}\n", own.display())).unwrap();
    for text in [
        format!("{}\n", own.display()),
        format!("{}/objects\n", other.path().display()),
        "../objects\n".to_owned(),
        "/nowhere/at/all\n".to_owned(),
        format!("\"{}\n", "\\x".repeat(1_000)),
        "\u{1b}[31m\n".to_owned(),
    ] {
        fs::write(&alternates, text).unwrap();
        right_or_refused(&sandbox, &repo, &expected, &["the git repository of", "cannot be read"]);
    }
    fs::remove_file(alternates).unwrap();
    let index = repo.path().join(".git/index");
    for bytes in [&b"rubbish"[..], b"DIRC\0\0\0\x02\xff\xff\xff\xff", b""] {
        fs::write(&index, bytes).unwrap();
        right_or_refused(&sandbox, &repo, &expected, &["index", "git status"]);
    }
}

#[test]
fn a_commit_graph_that_lies_changes_no_name() {
    let sandbox = Sandbox::new();
    let repo = project(&sandbox);
    repo.dist([]).success();
    let expected = deployed(&sandbox);
    repo.git(["commit-graph", "write", "--reachable"]);
    let path = repo.path().join(".git/objects/info/commit-graph");
    let honest = fs::read(&path).unwrap();
    for at in 0..honest.len() {
        // What stands before and behind the table of 256 numbers is what says something about commits.
        let is_table = at > 60 && at < honest.len() - 200;
        if at % if is_table { 256 } else { 12 } != 0 {
            continue;
        }
        let mut bytes = honest.clone();
        bytes[at] ^= 0x01;
        overwrite(&path, &bytes);
        right_or_refused(
            &sandbox,
            &repo,
            &expected,
            &["commit-graph", "count", "compare", "histor", "corrupt"],
        );
    }
}
