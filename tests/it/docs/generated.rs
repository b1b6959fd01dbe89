//! Pages that are made from the program: the commands, and the JSON Schema.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, Command};

use super::assert_generated;

#[test]
fn the_schema_is_the_one_that_the_program_prints() {
    let schema = serde_json::to_string_pretty(&git_dist::manifest::schema()).unwrap();
    assert_generated("docs/dist.schema.json", &format!("{schema}\n"));
}

/// The heading of options that every command takes.
const COMMON: &str = "Common options";

const INTRODUCTION: &str = "\
# Commands

<!-- Made from the program by `UPDATE_DOCS=1 cargo test docs`. Do not edit. -->

`git dist` without a command deploys. `-h` after a command shows what this page says, `git help dist` shows the manual
once `git dist man --install` has installed it.

Results are printed to standard output, everything else to standard error. The exit code is

| code | meaning |
|---|---|
| 0 | done, or nothing to do |
| 1 | refused or failed; nothing was changed |
| 2 | the command line makes no sense |
| 3 | failed, and everything was undone |
| 4 | `verify` or `diff --exit-code` found differences |
| 10 | `cache --diff` or `cache -d` found that the mirror is stale |
| 129, 130, 143 | stopped by SIGHUP, SIGINT (Ctrl-C) or SIGTERM; nothing was changed, or all was undone |

";

#[test]
fn the_commands_are_those_of_the_program() {
    let mut root = git_dist::cli::command();
    root.build();
    let mut page = INTRODUCTION.to_owned();
    section(&mut page, &root, 2);
    let common: Vec<&Arg> = arguments(&root).filter(|argument| is_common(argument)).collect();
    let _ = write!(page, "## {COMMON}\n\nEvery command takes these.\n\n");
    list(&mut page, &common);
    for command in subcommands(&root) {
        section(&mut page, command, 2);
        for command in subcommands(command) {
            section(&mut page, command, 3);
        }
    }
    assert_generated("docs/cli.md", &format!("{}\n", page.trim_end()));
}

fn subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_shown = |argument: &&Arg| {
        use ArgAction::{Help, HelpLong, HelpShort, Version};
        !argument.is_hide_set() && !matches!(argument.get_action(), Help | HelpLong | HelpShort | Version)
    };
    command.get_arguments().filter(is_shown)
}

fn is_common(argument: &Arg) -> bool {
    argument.get_help_heading() == Some(COMMON)
}

/// One command: what it does, how it is called, its arguments, and what else its help says.
fn section(page: &mut String, command: &Command, level: usize) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let _ = write!(page, "{} {name}\n\n", "#".repeat(level));
    let _ = write!(page, "{}.\n\n", command.get_about().map(ToString::to_string).unwrap_or_default());
    let usage = command.clone().render_usage().to_string();
    let _ = write!(page, "```text\n{}\n```\n\n", usage.trim_start_matches("Usage:").trim());
    let own: Vec<&Arg> = arguments(command).filter(|argument| !is_common(argument)).collect();
    let mut headings: Vec<Option<&str>> = own.iter().map(|argument| argument.get_help_heading()).collect();
    headings.dedup();
    for heading in headings {
        if let Some(heading) = heading.filter(|heading| *heading != "Deploy options") {
            let _ = write!(page, "{heading}:\n\n");
        }
        let group: Vec<&Arg> =
            own.iter().copied().filter(|argument| argument.get_help_heading() == heading).collect();
        list(page, &group);
    }
    let more = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (prose, examples) = more.split_once("Examples:\n").unwrap_or((&more, ""));
    let (examples, rest) = examples.split_once("\n\n").unwrap_or((examples, ""));
    paragraph(page, prose);
    if !examples.is_empty() {
        let lines: Vec<&str> = examples.lines().map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
        let _ = write!(page, "```text\n{}\n```\n\n", lines.join("\n"));
    }
    paragraph(page, rest);
}

fn paragraph(page: &mut String, text: &str) {
    if !text.trim().is_empty() {
        let _ = write!(page, "{}\n\n", text.trim());
    }
}

/// Arguments with their help, one item each.
fn list(page: &mut String, arguments: &[&Arg]) {
    for argument in arguments {
        let _ = write!(page, "- {}: {}", spelling(argument), argument.get_help().unwrap_or_default());
        let values = argument.get_possible_values();
        let names: Vec<String> = values
            .iter()
            .filter(|value| !value.is_hide_set())
            .map(|value| format!("`{}`", value.get_name()))
            .collect();
        let takes_value = argument.get_action().takes_values();
        if takes_value && !names.is_empty() {
            let _ = write!(page, ": {}", names.join(", "));
        }
        let defaults: Vec<String> =
            argument.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
        if takes_value && !defaults.is_empty() {
            let _ = write!(page, " (default: {})", defaults.join(", "));
        }
        page.push('\n');
    }
    if !arguments.is_empty() {
        page.push('\n');
    }
}

/// The ways to write an argument: `-t`, `--target <TARGET>`.
fn spelling(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let value = values.first().map(ToString::to_string).unwrap_or_default();
    if argument.is_positional() {
        return format!("`{value}`");
    }
    let takes_value = argument.get_action().takes_values();
    let long = |name: &str| if takes_value { format!("`--{name} <{value}>`") } else { format!("`--{name}`") };
    let short = |letter: char| match (argument.get_long(), takes_value) {
        (None, true) => format!("`-{letter} <{value}>`"),
        _ => format!("`-{letter}`"),
    };
    let aliases = argument.get_visible_aliases().unwrap_or_default();
    let spellings: Vec<String> = argument
        .get_short()
        .map(short)
        .into_iter()
        .chain(argument.get_long().map(long))
        .chain(aliases.into_iter().map(|alias| format!("`--{alias}`")))
        .collect();
    spellings.join(", ")
}
