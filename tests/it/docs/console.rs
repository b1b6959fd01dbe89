//! The `console` blocks of the documentation are sessions that were recorded: each file is one session, whose
//! commands are run again here, and whose output must come again.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::sync::LazyLock;

use super::session::{Session, is_same};
use super::{is_update, path, read};

/// Pages of `docs` with sessions in them.
const PAGES: [&str; 10] = [
    "cache",
    "environment",
    "json",
    "migration",
    "on-disk",
    "recovery",
    "run",
    "self-update",
    "transmute",
    "updates",
];

#[test]
fn the_readme_shows_what_happens() {
    check("README.md");
}

#[test]
fn the_pages_show_what_happens() {
    for page in PAGES {
        check(&format!("docs/{page}.md"));
    }
}

/// Runs the commands of the file `name` and compares, or writes, what they print.
fn check(name: &str) {
    let text = read(name);
    let mut session = Session::new();
    let mut now = String::new();
    let mut different = String::new();
    for part in parts(&text) {
        let (command, shown) = match part {
            Part::Text(text) => {
                now.push_str(text);
                continue;
            }
            Part::Exchange { command, output } => (command, output),
        };
        let printed = session.run(&script(command));
        now.push_str(command);
        if is_left_to_git(command) || is_same(shown, &printed) {
            now.push_str(shown);
        } else {
            now.push_str(&printed);
            let _ = writeln!(different, "{command}--- shown\n{shown}--- printed\n{printed}");
        }
    }
    if is_update() {
        fs::write(path(name), now).unwrap();
        return;
    }
    assert!(different.is_empty(), "{name}: `UPDATE_DOCS=1 cargo test docs` writes it\n{different}");
}

/// Hooks are installed differently, and shown so, where git keeps them in its configuration (2.54 and newer).
fn is_left_to_git(command: &str) -> bool {
    static HAS_CONFIG_HOOKS: LazyLock<bool> = LazyLock::new(|| {
        let version = Command::new("git").arg("version").output().unwrap();
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok());
        numbers.next().zip(numbers.next()) >= Some((2, 54))
    });
    command.contains("git dist hook") && *HAS_CONFIG_HOOKS
}

/// A part of a file; all of them in a row are the file.
enum Part<'t> {
    /// Anything but a command and what it prints.
    Text(&'t str),
    /// The lines of a command, `$ ` before the first and `> ` before the others, and those that it prints.
    Exchange { command: &'t str, output: &'t str },
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("```console\n").map(|start| start + "```console\n".len()) {
        let (before, block) = rest.split_at(start);
        parts.push(Part::Text(before));
        let (mut block, after) = block.split_at(block.find("```\n").expect("the block ends"));
        while !block.is_empty() {
            assert!(block.starts_with("$ "), "not a command: {block}");
            let output = lines_while(block, |line, number| number == 0 || line.starts_with("> "));
            let next = output + lines_while(&block[output..], |line, _| !line.starts_with("$ "));
            parts.push(Part::Exchange { command: &block[..output], output: &block[output..next] });
            block = &block[next..];
        }
        rest = after;
    }
    parts.push(Part::Text(rest));
    parts
}

/// The length in bytes of the first lines of `text` that `is_one` takes, given each line and its number.
fn lines_while(text: &str, is_one: impl Fn(&str, usize) -> bool) -> usize {
    let lines = text.split_inclusive('\n').enumerate();
    lines.take_while(|(number, line)| is_one(line, *number)).map(|(_, line)| line.len()).sum()
}

/// What the shell is given for a command as it is shown: a line `@FILE@` stands for what that file of the repository says.
fn script(command: &str) -> String {
    let line = |line: &str| match line.strip_prefix('@').and_then(|line| line.strip_suffix('@')) {
        Some(name) => read(name),
        None => line.to_owned() + "\n",
    };
    command.lines().map(|shown| line(&shown[2..])).collect()
}
