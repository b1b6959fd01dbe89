//! Pages written by hand leave nothing out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use git_dist::manifest::Manifest;
use regex::Regex;
use serde_json::Value;

use super::{path, read};

/// Asserts that `page` mentions each of `names` in backticks.
#[track_caller]
fn assert_mentions(page: &str, names: impl IntoIterator<Item = impl AsRef<str>>) {
    let text = read(page);
    let missing: BTreeSet<String> = names
        .into_iter()
        .map(|name| name.as_ref().to_owned())
        .filter(|name| !text.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "{page} does not mention {missing:?}");
}

/// Every file of the program, as one text, without what only debug builds do.
static PROGRAM: LazyLock<String> = LazyLock::new(|| text_below(&path("src")).replace(&room("door"), ""));

/// The text of a file, or of every file below a folder.
fn text_below(path: &Path) -> String {
    if path.is_file() {
        return fs::read_to_string(path).unwrap();
    }
    fs::read_dir(path).unwrap().map(|entry| text_below(&entry.unwrap().path())).collect()
}

/// The text of a room, whether it is a file or a folder.
fn room(name: &str) -> String {
    let file = path(&format!("src/{name}.rs"));
    if file.exists() { text_below(&file) } else { text_below(&path(&format!("src/{name}"))) }
}

/// What the first group of `pattern` matches in the program.
fn in_program(pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(&PROGRAM).map(|captures| captures[1].to_owned()).collect()
}

/// The names of all properties in a schema.
fn properties(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties") {
                found.extend(properties.keys().cloned());
            }
            found.extend(object.values().flat_map(properties));
        }
        Value::Array(list) => found.extend(list.iter().flat_map(properties)),
        _ => {}
    }
    found
}

#[test]
fn every_key_of_the_manifest_is_described() {
    assert_mentions("docs/dist-json.md", properties(&git_dist::manifest::schema()));
}

#[test]
fn the_manifests_of_the_documentation_are_manifests() {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)```json\n(.*?)```").unwrap());
    let text = read("docs/dist-json.md");
    let blocks: Vec<&str> = BLOCK.captures_iter(&text).map(|block| block.get(1).unwrap().as_str()).collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let parsed = Manifest::parse("dist.json", block.as_bytes());
        let parsed = parsed.unwrap_or_else(|error| panic!("{error}\n{block}"));
        assert!(parsed.warnings.is_empty(), "{:?}\n{block}", parsed.warnings);
    }
}

#[test]
fn every_json_document_is_described() {
    let formats = in_program(r#""git-dist/([a-z-]+)""#);
    assert!(formats.contains("plan"), "{formats:?}");
    let text = read("docs/json.md");
    for format in formats {
        assert!(
            text.contains(&format!("git-dist/{format}")),
            "docs/json.md does not show `git-dist/{format}`"
        );
    }
}

#[test]
fn every_variable_that_is_read_is_described() {
    let mut names = in_program(r#"env::var(?:_os)?\("([A-Z_]+)"\)"#);
    names.extend(in_program(r#"\b(?:get|name|value)\("([A-Z_]+)"\)"#));
    assert!(names.contains("NO_COLOR"), "{names:?}");
    assert!(names.contains("DEPLOY_ROOT"), "{names:?}");
    assert_mentions("docs/environment.md", names.iter().filter(|name| name.len() > 1));
    let named = in_program(r#""(GIT_DIST_[A-Z]+)""#);
    assert_mentions("docs/dist-json.md", named.difference(&names));
}

#[test]
fn every_command_of_the_migration_page_is_one() {
    static COMMAND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`git dist([^`]*)`").unwrap());
    let text = read("docs/migration.md");
    let mut count = 0;
    for command in COMMAND.captures_iter(&text) {
        let words = command[1].replace("LOCATION", ".").replace('\'', "");
        let words = ["git-dist"].into_iter().chain(words.split_whitespace());
        let parsed = git_dist::cli::command().try_get_matches_from(words);
        assert!(parsed.is_ok(), "{}: {}", &command[0], parsed.unwrap_err());
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_field_on_disk_is_described() {
    let field = Regex::new(r"(?m)^    pub (\w+): ").unwrap();
    for (place, name) in [
        ("version", "Record"),
        ("version", "Recipe"),
        ("history", "Rollout"),
        ("history", "Change"),
        ("lock", "Holder"),
        ("cache", "Stamp"),
    ] {
        let text = room(place);
        let body =
            text.split_once(&format!("pub struct {name} {{")).unwrap().1.split_once("\n}\n").unwrap().0;
        assert_mentions("docs/on-disk.md", field.captures_iter(body).map(|field| field[1].to_owned()));
    }
}

#[test]
fn every_file_on_disk_is_described() {
    let name = Regex::new(r#"(?m)^(?:pub )?const [A-Z]+: &str = "([a-z.-]+)";"#).unwrap();
    let page = read("docs/on-disk.md");
    for place in ["lock", "history", "root", "activate", "stage", "cache"] {
        let text = room(place);
        let names: Vec<&str> = name.captures_iter(&text).map(|name| name.get(1).unwrap().as_str()).collect();
        assert!(!names.is_empty(), "the room `{place}` names no file");
        for name in names {
            assert!(page.contains(name), "docs/on-disk.md does not mention `{name}`");
        }
    }
}

#[test]
fn every_room_is_described() {
    let rooms = Regex::new(r"(?m)^pub mod (\w+);").unwrap();
    let library = read("src/lib.rs");
    assert_mentions("docs/architecture.md", rooms.captures_iter(&library).map(|room| room[1].to_owned()));
}

#[test]
fn every_dependency_is_described_with_its_licence() {
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // Of this system alone: the packages of others were never downloaded.
    command.args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host]);
    let output = command.current_dir(path(".")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = |name: &Value| packages.iter().find(|package| package["name"] == *name).unwrap();
    let page = read("docs/dependencies.md");
    let own = package(&Value::from("git-dist"))["dependencies"].as_array().unwrap();
    let mut rows = BTreeSet::new();
    for dependency in own {
        let licence = package(&dependency["name"])["license"].as_str().unwrap();
        let row = format!("| `{}` | {licence} |", dependency["name"].as_str().unwrap());
        assert!(page.contains(&row), "docs/dependencies.md has no row {row}");
        rows.insert(row);
    }
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        assert!(
            rows.iter().any(|row| line.starts_with(row)),
            "docs/dependencies.md has a row too many: {line}"
        );
    }
}

/// The pages of promises and threats name tests: modules below `tests/it`, and functions in them.
#[test]
fn tests_that_show_what_is_promised_are_there() {
    let name = Regex::new(r"`([a-z_]+(?:::[a-z_0-9]+)+)`|`([a-z]+)`").unwrap();
    let shown_by = Regex::new(r"(?s)- Shown by: (.*?)\n(?:- |\n)").unwrap();
    for (page, begins) in
        [("docs/promises.md", "\n- Rests on:"), ("docs/security.md", "\n- Stands against it:")]
    {
        let text = read(page);
        let mut missing = Vec::new();
        let mut found = 0;
        for shown in shown_by.captures_iter(&text) {
            for captures in name.captures_iter(&shown[1]) {
                let name = captures.get(1).or(captures.get(2)).unwrap().as_str();
                found += 1;
                if !is_test(name) {
                    missing.push(name.to_owned());
                }
            }
        }
        assert!(missing.is_empty(), "{page} names tests that are not there: {missing:?}");
        let promises = text.matches(begins).count();
        assert!(
            0 < promises && promises <= text.matches("\n- Shown by:").count() && promises < found,
            "{page}: promises without tests"
        );
    }
}

/// True if `name` is a module of the integration tests, or a test in one.
fn is_test(name: &str) -> bool {
    let file = |name: &str| {
        let path = path("tests/it").join(name.replace("::", "/"));
        [path.with_extension("rs"), path.join("mod.rs")].into_iter().find(|path| path.is_file())
    };
    let Some((module, test)) = name.rsplit_once("::") else { return file(name).is_some() };
    let is_in = |path: PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        text.contains(&format!("#[test]\nfn {test}()"))
    };
    file(name).is_some() || file(module).is_some_and(is_in)
}

#[test]
fn the_commands_that_set_up_are_those_that_are_tested() {
    let readme = read("README.md");
    let block = readme.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    let commands: Vec<&str> = block.lines().map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands, ["./setup", "cargo test"]);
    let lines = read(".ci/run");
    for command in commands {
        assert!(lines.lines().any(|line| line.contains(command)), ".ci/run does not run `{command}`");
    }
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let heading = Regex::new(r"(?m)^#+ (.+)$").unwrap();
    let pages = fs::read_dir(path("docs")).unwrap().map(|entry| entry.unwrap().path());
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    let pages = pages.filter(is_page).map(|path| format!("docs/{}", path.file_name().unwrap().display()));
    let mut broken = Vec::new();
    for page in pages.chain(["README.md".to_owned(), "CHANGELOG.md".to_owned()]) {
        let text = read(&page);
        for target in link.captures_iter(&text).map(|captures| captures[1].to_owned()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = if file.is_empty() { path(&page) } else { path(&page).parent().unwrap().join(file) };
            let is_anchor = |title: &str| {
                let plain = title.to_lowercase().replace(' ', "-");
                plain.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).eq(anchor.chars())
            };
            let leads = file.exists()
                && (anchor.is_empty()
                    || heading
                        .captures_iter(&fs::read_to_string(&file).unwrap())
                        .any(|title| is_anchor(&title[1])));
            if !leads {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}
