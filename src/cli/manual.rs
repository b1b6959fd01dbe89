//! `git dist schema`, `completions` and `man`: what is made from the types and arguments themselves.

use std::path::{Path, PathBuf};

use super::args::{Completions, Man, command};
use super::context::Context;
use super::error::{CliError, DONE, FAILED};
use crate::disk::{Dir, Shown};

pub(super) fn schema(context: &Context<'_>) -> Result<u8, CliError> {
    context.printer.json(&crate::manifest::schema())?;
    Ok(DONE)
}

pub(super) fn completions(context: &Context<'_>, arguments: &Completions) -> Result<u8, CliError> {
    let generated = |name: &str| {
        let mut script = Vec::new();
        clap_complete::generate(arguments.shell, &mut command().bin_name(name), name, &mut script);
        String::from_utf8_lossy(&script).into_owned()
    };
    let script = match arguments.shell {
        // The generator mixes up the names of its functions where the program's name has a hyphen.
        clap_complete::Shell::Bash => {
            let script = generated("gitdist");
            let body = script.split_once("\nif [[").map_or(script.as_str(), |(body, _)| body);
            format!("{body}\n{BASH}")
        }
        clap_complete::Shell::Fish => generated("git-dist") + FISH,
        _ => generated("git-dist"),
    };
    context.printer.raw(script.as_bytes())?;
    Ok(DONE)
}

/// git's own completion calls `_git_dist` for `git dist`, with the words of the whole line.
const BASH: &str = r#"
complete -o bashdefault -o default -F _gitdist git-dist

_git_dist() {
    local start=1
    while [[ $start -lt $COMP_CWORD && ${COMP_WORDS[start]} != dist ]]; do ((start++)); done
    COMP_WORDS=(git-dist "${COMP_WORDS[@]:start+1}")
    COMP_CWORD=$((COMP_CWORD - start))
    _gitdist git-dist "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
}
"#;

const FISH: &str = r"
complete -c git -n '__fish_seen_subcommand_from dist' -w git-dist
";

pub(super) fn man(context: &Context<'_>, arguments: &Man) -> Result<u8, CliError> {
    let pages = pages()?;
    if !arguments.install {
        let (_, page) = pages.into_iter().next().unwrap_or_default();
        context.printer.raw(&page)?;
        return Ok(DONE);
    }
    let (dir, is_found) = match beside_program().map(|folder| Dir::create_all(&folder)) {
        Some(Ok(dir)) => (dir, true),
        _ => (Dir::create_all(&users_folder()?)?, false),
    };
    for (name, page) in pages {
        dir.replace_file(format!("{name}.1"), &page)?;
    }
    let folder = Shown(dir.path()).to_string();
    let command = match folder.strip_suffix("/man1") {
        Some(pages) if !is_found => format!("MANPATH={pages}: git help dist"),
        _ => "git help dist".to_owned(),
    };
    context.printer.talk(format!("installed the manual in {folder}; `{command}` shows it"));
    Ok(DONE)
}

/// Where `man` looks for the manual of a program by itself: in `share/man` beside the `bin` folder that is on the
/// `PATH` (manpath(1)). The folders of the system are left to its packages.
fn beside_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let is_ours = |bin: &PathBuf| bin.ends_with("bin") && bin.join("git-dist").is_file();
    let bin = std::env::split_paths(&path).find(is_ours)?;
    let prefix = bin.parent().filter(|prefix| ![Path::new("/"), Path::new("/usr")].contains(prefix))?;
    Some(prefix.join("share/man/man1"))
}

/// Where the user's own data is.
fn users_folder() -> Result<PathBuf, CliError> {
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || std::env::home_dir().map(|home| home.join(".local/share"));
    let folder = data.or_else(home).ok_or_else(|| CliError::Told {
        message: "there is no home directory to install the manual in".to_owned(),
        hint: Some("`git dist man > git-dist.1` writes the page here".to_owned()),
        code: FAILED,
    })?;
    Ok(folder.join("man/man1"))
}

/// The manual: one page for the command, one for each subcommand.
fn pages() -> Result<Vec<(String, Vec<u8>)>, CliError> {
    let mut main = command().name("git-dist").bin_name("git dist");
    main.build();
    let mut pages = vec![page("git-dist".to_owned(), main.clone())?];
    for subcommand in main.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        let name = format!("git-dist-{}", subcommand.get_name());
        pages.push(page(name.clone(), subcommand.clone().name(name))?);
    }
    Ok(pages)
}

fn page(name: String, command: clap::Command) -> Result<(String, Vec<u8>), CliError> {
    let mut text = Vec::new();
    let manual = clap_mangen::Man::new(command).title(name.to_uppercase()).manual("git dist manual");
    manual.render(&mut text).map_err(CliError::Output)?;
    Ok((name, text))
}
