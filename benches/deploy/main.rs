//! How long git dist takes and how much memory, beside tools that do the same or a part of it.
//!
//! ```text
//! cargo bench --bench deploy -- [WORK].. [--repository PATH] [--files N] [--items N] [--commits N] [--samples N]
//!                               [--peer-samples N] [--dir DIR] [--quick]
//! ```
//!
//! WORK is one or more of `tree`, `items`, `history`, `start`, `verify`, `memory`, `durability` (all of them where none
//! is named) and `growth`, or a part of it: `growth-files`, `growth-versions`, `growth-items`. `plot CSV FOLDER` draws
//! what these printed.
//!
//! Each work makes a repository below DIR (default: `/dev/shm` where there is one, so that no disk is measured), or
//! clones that at PATH. The two sides of a row take turns. Times are of whole processes: the medians of both sides, and
//! the median of the ratios of the rounds. `goal` is the ratio that this project wants to stay below. What is compared
//! with and not installed is skipped.

// Figures for people: rounded anyway.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod floor;
mod growth;
mod plot;
mod repository;
mod sandbox;
mod table;
mod works;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What the command line asks for.
pub(crate) struct Options {
    works: Vec<String>,
    repository: Option<PathBuf>,
    files: usize,
    items: usize,
    commits: usize,
    samples: usize,
    /// How often distman does what takes it minutes.
    peer_samples: usize,
    dir: PathBuf,
    is_quick: bool,
}

const WORKS: [&str; 7] = ["tree", "items", "history", "start", "verify", "memory", "durability"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    match words[..] {
        // What the harness starts itself, to measure it as a process.
        [floor::WORD, repository, revision, source, to] => floor::run(repository, revision, source, to),
        ["plot", csv, folder] => plot::draw(Path::new(csv), Path::new(folder)),
        _ => match options(&words) {
            Ok(options) => run(&options),
            Err(message) => {
                eprintln!("error: {message}");
                return ExitCode::from(2);
            }
        },
    }
    ExitCode::SUCCESS
}

fn run(options: &Options) {
    if options.works.iter().any(|work| walks(work).is_none()) {
        table::head(options);
    }
    for work in &options.works {
        match work.as_str() {
            "tree" => works::tree(options),
            "items" => works::items(options),
            "history" => works::history(options),
            "start" => works::start(options),
            "verify" => works::verify(options),
            "memory" => works::memory(options),
            "durability" => works::durability(options),
            work => walks(work).unwrap_or_default().iter().for_each(|walk| growth::run(options, walk)),
        }
    }
}

/// The walks of `growth` that a word asks for.
fn walks(word: &str) -> Option<&'static [&'static str]> {
    let walk = word.strip_prefix("growth")?;
    match walk.strip_prefix('-') {
        None => Some(&growth::WALKS[..]).filter(|_| walk.is_empty()),
        Some(walk) => growth::WALKS.iter().position(|it| *it == walk).map(|at| &growth::WALKS[at..=at]),
    }
}

fn options(words: &[&str]) -> Result<Options, String> {
    let is_quick = words.contains(&"--quick");
    let shm = PathBuf::from("/dev/shm");
    let mut options = Options {
        works: Vec::new(),
        repository: None,
        files: if is_quick { 1_000 } else { 20_000 },
        items: if is_quick { 60 } else { 10_000 },
        commits: if is_quick { 2_000 } else { 80_000 },
        samples: if is_quick { 3 } else { 7 },
        peer_samples: 1,
        dir: if shm.is_dir() { shm } else { std::env::temp_dir() },
        is_quick,
    };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: &&str| match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("`{text}` is no number above zero")),
        };
        match *word {
            "--quick" => {}
            "--repository" => options.repository = Some(value()?.into()),
            "--files" => options.files = number(value()?)?,
            "--items" => options.items = number(value()?)?,
            "--commits" => options.commits = number(value()?)?,
            "--samples" => options.samples = number(value()?)?,
            "--peer-samples" => options.peer_samples = number(value()?)?,
            "--dir" => options.dir = value()?.into(),
            work if WORKS.contains(&work) || walks(work).is_some() => options.works.push(work.to_owned()),
            _ => return Err(format!("there is no work and no option `{word}`")),
        }
    }
    if options.works.is_empty() {
        options.works = WORKS.map(str::to_owned).into();
        if is_quick {
            options.works.push("growth".to_owned());
        }
    }
    Ok(options)
}
