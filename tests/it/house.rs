//! The house tests itself: rooms import upwards only, each door is in one room, and files stay short.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

/// The rooms, in the order in which they may know each other: each one imports only those before it.
/// docs/architecture.md says what each of them is for.
const ROOMS: &[&str] = &[
    "spelling",
    "credentials",
    "causes",
    "parallel",
    "door",
    "disk",
    "remote",
    "command",
    "manifest",
    "environment",
    "source",
    "signature",
    "channel",
    "python",
    "log_file",
    "version",
    "root",
    "lock",
    "project",
    "target",
    "plan",
    "transform",
    "stage",
    "history",
    "events",
    "activate",
    "inventory",
    "rollout",
    "cache",
    "packages",
    "publish",
    "update",
    "launch",
    "hook",
    "doctor",
    "cli",
];

/// What only one place may use: a pattern for lines of code, and where such lines may stand.
const DOORS: &[(&str, &str)] = &[
    (r"\bgix::", "source/git/"),
    (r"\b(http|http_body|object_store|reqwest|rustls|tokio)::", "remote/network/"),
    (r"\bclap(_complete|_mangen)?::", "cli/"),
    (r"\be?print(ln)?!", "cli/printer.rs"),
    // What changes something outside of the process, so that tests can make it fail.
    (r"\b(OpenOptions|File::(create|options)|tempfile::)", "door.rs"),
    (r"\.(output|spawn|exec)\(\)|\bkill_process\b", "door.rs"),
    (r"\bfs::(copy|create_dir|hard_link|remove_|rename|set_permissions|soft_link|write)", "disk/"),
    (
        r"\bfs::(f?chmod|f(data)?sync|linkat|mkdir|mknod|openat?\(.*CREATE|sync|symlink(at)?\(|unlink|utimens)",
        "disk/",
    ),
];

/// Lines of a file of the program.
const LONGEST: usize = 450;

/// A file of the program.
struct Source {
    /// Its path below `src`.
    name: String,
    text: String,
}

impl Source {
    /// The room it belongs to.
    fn room(&self) -> &str {
        let first = self.name.split('/').next().unwrap();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Its lines with their numbers, without comments and tests.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.name.ends_with("tests.rs") || self.name.contains("/tests/");
        let code = self.text.split("\n#[cfg(test)]\nmod tests {").next().filter(|_| !is_test);
        let lines = code.unwrap_or_default().lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// Every file below `src`.
fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    files(&src)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            let name = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
            Source { name, text: fs::read_to_string(&path).unwrap() }
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn rooms_import_only_rooms_above_them() {
    static IMPORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::(\w+)").unwrap());
    let place = |room: &str| ROOMS.iter().position(|other| *other == room);
    let mut wrong = Vec::new();
    for source in sources() {
        let room = source.room();
        if matches!(room, "main" | "lib") {
            continue;
        }
        let Some(own) = place(room) else {
            wrong.push(format!("src/{}: the room `{room}` has no place in ROOMS", source.name));
            continue;
        };
        for (number, line) in source.code() {
            for import in IMPORT.captures_iter(line).map(|captures| captures.get(1).unwrap().as_str()) {
                if place(import).is_none_or(|other| other > own) {
                    wrong.push(format!("src/{}:{number}: `{room}` imports `{import}`", source.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_door_is_in_one_room() {
    let mut wrong = Vec::new();
    for (pattern, home) in DOORS {
        let pattern = Regex::new(pattern).unwrap();
        for source in sources().iter().filter(|source| !source.name.starts_with(home)) {
            let lines = source.code().filter(|(_, line)| pattern.is_match(line));
            wrong
                .extend(lines.map(|(number, line)| format!("src/{}:{number}: {}", source.name, line.trim())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_are_short() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if lines > LONGEST {
            wrong.push(format!("src/{} has {lines} lines, more than {LONGEST}", source.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut wrong = Vec::new();
    for path in files(&tests).iter().filter(|path| path.extension().is_some_and(|it| it == "rs")) {
        let (folder, name) = (path.parent().unwrap(), path.file_stem().unwrap().to_str().unwrap());
        let (folder, name) = match name {
            "main" => continue,
            "mod" => (folder.parent().unwrap(), folder.file_name().unwrap().to_str().unwrap()),
            _ => (folder, name),
        };
        let parents = [folder.join("mod.rs"), folder.join("main.rs"), folder.with_extension("rs")];
        let declared = Regex::new(&format!(r"(?m)^(pub(\(crate\))? )?mod {name};")).unwrap();
        let is_declared =
            |parent: &PathBuf| fs::read_to_string(parent).is_ok_and(|text| declared.is_match(&text));
        if !parents.iter().any(is_declared) {
            wrong.push(path.strip_prefix(&tests).unwrap().display().to_string());
        }
    }
    assert!(wrong.is_empty(), "no `mod` declares tests/it/{}", wrong.join(", tests/it/"));
}
