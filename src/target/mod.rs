//! Targets resolved: which source goes to which destination, at one revision.
//!
//! This is where dist.json, the environment and the tree meet. Everything that can be refused without looking
//! at the destinations is refused here, before anything is written.

mod tree;

use std::collections::HashMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use bstr::{BStr, BString, ByteSlice as _};

use crate::environment::{Environment, PlaceholderError};
use crate::manifest::{self, Manifest, Piece, Settings, TargetSpec, Template};
use crate::project::Project;
use crate::source::git::Snapshot;
use crate::source::{Mode, SourceError};
use crate::spelling::nearest;
use crate::version::{Destination, DestinationError};

pub use tree::Place;
use tree::Tree;

/// One source and its destination: a whole target, or one of the items of a wildcard target.
#[derive(Clone, Debug)]
pub struct Item {
    /// The target's name.
    pub target: String,
    /// Full path of the source in the repository.
    pub source: BString,
    /// Where it is, and what it is.
    pub place: Place,
    /// Where it goes.
    pub destination: Destination,
    /// The target's options with their defaults.
    pub settings: Settings,
}

/// A target and what it stands for at the revision.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The items, in the tree's order.
    pub items: Vec<Item>,
    /// Targets whose source is not in the revision, where that is accepted or a wildcard matched nothing.
    pub missing: Vec<Missing>,
}

/// A target without a source at the revision.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The target's name.
    pub target: String,
    /// Its source as dist.json writes it.
    pub source: String,
}

/// Why targets could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// `-t` or an argument names no target.
    #[error("no target matches `{pattern}`")]
    NoSuchTarget {
        /// What was asked for.
        pattern: String,
        /// The targets there are.
        known: Vec<String>,
    },
    /// `-t` is no valid pattern.
    #[error("`{pattern}` is not a valid pattern")]
    Pattern {
        /// What was asked for.
        pattern: String,
        /// What the reader of patterns said.
        #[source]
        source: globset::Error,
    },
    /// The source is not in the revision.
    #[error("target `{target}`: source `{source_path}` is not in {revision}")]
    NoSource {
        /// The target's name.
        target: String,
        /// The source as dist.json writes it.
        source_path: String,
        /// The revision as asked.
        revision: String,
    },
    /// The source is excluded from exports by its own repository.
    #[error("target `{target}`: source `{source_path}` is `export-ignore` in .gitattributes")]
    ExportIgnored {
        /// The target's name.
        target: String,
        /// The source's full path.
        source_path: BString,
    },
    /// The source's wildcards do not compile.
    #[error("target `{target}`: cannot match `{source_path}`")]
    Wildcard {
        /// The target's name.
        target: String,
        /// The source as dist.json writes it.
        source_path: String,
        /// What the regex engine said.
        #[source]
        source: regex::Error,
    },
    /// A `{VAR}` of the destination cannot be filled.
    #[error("target `{target}`: cannot expand the destination `{destination}`")]
    Placeholder {
        /// The target's name.
        target: String,
        /// The destination as dist.json writes it.
        destination: String,
        /// What is wrong with it.
        #[source]
        source: PlaceholderError,
    },
    /// The destination is no path that versions can live beside.
    #[error("target `{target}`: cannot deploy `{source_path}`")]
    Destination {
        /// The target's name.
        target: String,
        /// The source's full path.
        source_path: BString,
        /// What is wrong with it.
        #[source]
        source: DestinationError,
    },
    /// Two items have one destination.
    #[error("targets `{}` and `{}` have one destination, `{destination}`: `{}` and `{}`", .items[0].0, .items[1].0, .items[0].1, .items[1].1)]
    SameDestination {
        /// The destination.
        destination: String,
        /// Target and source of both.
        items: Box<[(String, BString); 2]>,
    },
    /// A destination lies inside what another one deploys.
    #[error(
        "the destination `{inner}` of target `{inner_target}` lies inside `{outer}`, which target `{outer_target}` deploys"
    )]
    Nested {
        /// The inner destination.
        inner: String,
        /// The inner one's target.
        inner_target: String,
        /// The outer path.
        outer: String,
        /// The outer one's target.
        outer_target: String,
    },
    /// The tree could not be read.
    #[error("target `{target}`")]
    Source {
        /// The target's name.
        target: String,
        /// What went wrong.
        #[source]
        source: SourceError,
    },
    /// There is no working tree that the target could come from.
    #[error("target `{target}` comes from the working tree, and a bare repository has none")]
    NoWorktree {
        /// The target's name.
        target: String,
    },
    /// `--source` matches no target, and `--dest` does not say where it goes.
    #[error("no target deploys `{source_path}`")]
    NoTargetFor {
        /// The source as asked.
        source_path: String,
    },
}

impl TargetError {
    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchTarget { pattern, known } => {
                Some(match nearest(pattern, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the targets are {}", list(known)),
                })
            }
            Self::NoSource { .. } => Some(
                "commit it, or accept that with `--ignore-missing` or the option `ignore_missing`".to_owned(),
            ),
            Self::Placeholder { source, .. } => source.hint(),
            Self::Source { source, .. } => source.hint(),
            Self::NoTargetFor { .. } => Some("`--dest PATH` says where it goes".to_owned()),
            _ => None,
        }
    }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 20 { ", ..." } else { "" };
    format!("{}{more}", quoted.join(", "))
}

/// The names of the targets that `patterns` select, in the order of dist.json; all of them when there is no
/// pattern. `*`, `?` and `[..]` match as in file names; a plain name must exist.
///
/// # Errors
/// When a pattern is not valid or selects nothing.
pub fn select<'m>(manifest: &'m Manifest, patterns: &[String]) -> Result<Vec<&'m str>, TargetError> {
    let names: Vec<&str> = manifest.targets.keys().map(String::as_str).collect();
    if patterns.is_empty() {
        return Ok(names);
    }
    let mut selected = vec![false; names.len()];
    for pattern in patterns {
        let glob = globset::Glob::new(pattern)
            .map_err(|source| TargetError::Pattern { pattern: pattern.clone(), source })?
            .compile_matcher();
        let mut found = false;
        for (name, selected) in names.iter().zip(&mut selected) {
            if *name == pattern || glob.is_match(name) {
                *selected = true;
                found = true;
            }
        }
        if !found {
            let known = names.iter().map(|name| (*name).to_owned()).collect();
            return Err(TargetError::NoSuchTarget { pattern: pattern.clone(), known });
        }
    }
    Ok(names.into_iter().zip(selected).filter_map(|(name, selected)| selected.then_some(name)).collect())
}

/// What is asked of [`resolve`].
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The project whose targets these are.
    pub project: &'a Project,
    /// Its manifest, or one for this run only.
    pub manifest: &'a Manifest,
    /// The tree of its revision, if it is in a repository.
    pub snapshot: Option<&'a Snapshot<'a>>,
    /// `--ignore-missing`.
    pub ignore_missing: bool,
    /// `--source`: only the item of this source, as dist.json would write it.
    pub source: Option<&'a str>,
    /// `--dest`: the destination instead of that in dist.json.
    pub destination: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// All targets of `project`, as dist.json says.
    pub fn new(project: &'a Project, snapshot: Option<&'a Snapshot<'a>>) -> Self {
        let manifest = &project.manifest;
        Self { project, manifest, snapshot, ignore_missing: false, source: None, destination: None }
    }

    /// The tree that a target with these settings comes from.
    fn tree(&self, target: &str, settings: &Settings) -> Result<Tree<'a, 'a>, TargetError> {
        let from_disk = self.project.from_worktree || settings.from == manifest::Source::Worktree;
        match self.snapshot {
            Some(snapshot) if !from_disk => Ok(Tree::Git(snapshot)),
            _ => match self.project.worktree() {
                Some(top) => Ok(Tree::Disk(top)),
                None => Err(TargetError::NoWorktree { target: target.to_owned() }),
            },
        }
    }
}

/// Resolves the targets `names`.
///
/// # Errors
/// When a source is missing, a destination cannot be filled or is no destination, or two items collide. Targets
/// that were not selected take part in the search for collisions as far as their sources exist.
pub fn resolve(request: Request<'_>, names: &[&str]) -> Result<Resolved, TargetError> {
    let mut resolved = Resolved { items: Vec::new(), missing: Vec::new() };
    let mut others = Vec::new();
    for (name, spec) in &request.manifest.targets {
        if !names.contains(&name.as_str()) {
            // What is wrong with it is told when it is its turn.
            others.extend(one(request, name, spec).unwrap_or_default());
            continue;
        }
        let found = one(request, name, spec)?;
        if found.is_empty() {
            let is_literal = spec.pattern().is_literal();
            let settings = request.manifest.settings_of(spec);
            if is_literal && !request.ignore_missing && !settings.ignore_missing {
                return Err(TargetError::NoSource {
                    target: name.clone(),
                    source_path: spec.source.clone(),
                    revision: request.project.base.to_string(),
                });
            }
            resolved.missing.push(Missing { target: name.clone(), source: spec.source.clone() });
        }
        resolved.items.extend(found);
    }
    check_collisions(&resolved.items, &others)?;
    Ok(resolved)
}

/// A source found in the tree, with what its wildcards matched.
struct Found {
    path: BString,
    place: Place,
    captures: Vec<BString>,
}

fn one(request: Request<'_>, name: &str, spec: &TargetSpec) -> Result<Vec<Item>, TargetError> {
    let settings = request.manifest.settings_of(spec);
    let tree = request.tree(name, &settings)?;
    let failed = |source| TargetError::Source { target: name.to_owned(), source };
    let only = request.source.map(|source| below(request.project.folder.as_bstr(), &tidy(source)));
    let mut items = Vec::new();
    for found in search(request, &tree, name, spec)? {
        if only.as_ref().is_some_and(|only| *only != found.path) {
            continue;
        }
        if tree.is_export_ignored(found.path.as_bstr(), &found.place).map_err(failed)? {
            if spec.pattern().is_literal() {
                return Err(TargetError::ExportIgnored { target: name.to_owned(), source_path: found.path });
            }
            continue;
        }
        let text = request.destination.unwrap_or(&spec.destination);
        let destination = destination(&request.project.environment, name, text, &found)?;
        items.push(Item {
            target: name.to_owned(),
            source: found.path,
            place: found.place,
            destination,
            settings: settings.clone(),
        });
    }
    Ok(items)
}

/// `path` as dist.json writes it, below its folder.
fn below(folder: &BStr, path: &str) -> BString {
    let mut full = folder.to_owned();
    if path != "." && !path.is_empty() {
        if !full.is_empty() {
            full.push(b'/');
        }
        full.extend_from_slice(path.as_bytes());
    }
    full
}

/// A path as a person types it, without `./` and double or trailing slashes.
fn tidy(path: &str) -> String {
    path.split('/').filter(|name| !matches!(*name, "" | ".")).collect::<Vec<_>>().join("/")
}

fn search(
    request: Request<'_>,
    tree: &Tree<'_, '_>,
    name: &str,
    spec: &TargetSpec,
) -> Result<Vec<Found>, TargetError> {
    let failed = |source| TargetError::Source { target: name.to_owned(), source };
    let pattern = spec.pattern();
    let folder = request.project.folder.as_bstr();
    if pattern.is_literal() {
        let path = below(folder, &literal(&spec.source));
        let place = tree.place(path.as_bstr()).map_err(failed)?;
        return Ok(place
            .into_iter()
            .map(|place| Found { path: path.clone(), place, captures: Vec::new() })
            .collect());
    }
    let regex = pattern.to_regex().map_err(|source| TargetError::Wildcard {
        target: name.to_owned(),
        source_path: spec.source.clone(),
        source,
    })?;
    let start = below(folder, pattern.literal_prefix());
    let place = tree.place(start.as_bstr()).map_err(failed)?;
    let Some(place) = place.filter(|place| place.mode() == Mode::Directory) else { return Ok(Vec::new()) };
    let mut search = Search {
        tree,
        regex: &regex,
        folder_len: if folder.is_empty() { 0 } else { folder.len() + 1 },
        // Components below which nothing can match; `**` reaches all.
        depth: if spec.source.contains("**") { usize::MAX } else { spec.source.split('/').count() },
        only_files: spec.source == "**" || spec.source.ends_with("/**"),
        found: Vec::new(),
    };
    search.directory(start.as_bstr(), &place).map_err(failed)?;
    Ok(search.found)
}

/// A literal source as the tree spells it: `[*]` is how dist.json writes a star that is no wildcard.
fn literal(source: &str) -> String {
    source.replace("[*]", "*").replace("[?]", "?").replace("[[]", "[")
}

struct Search<'s> {
    tree: &'s Tree<'s, 's>,
    regex: &'s regex::bytes::Regex,
    /// Length of dist.json's folder with its slash: what is before the path that the pattern sees.
    folder_len: usize,
    depth: usize,
    /// The pattern ends in `**`: files at any depth are meant, not the directories on the way.
    only_files: bool,
    found: Vec<Found>,
}

impl Search<'_> {
    fn directory(&mut self, path: &BStr, place: &Place) -> Result<(), SourceError> {
        for (name, place) in self.tree.children(path, place)? {
            let mut full = path.to_owned();
            if !full.is_empty() {
                full.push(b'/');
            }
            full.extend_from_slice(&name);
            let seen = full[self.folder_len..].as_bstr();
            let is_directory = place.mode() == Mode::Directory;
            if let Some(captures) = self.regex.captures(seen).filter(|_| !(is_directory && self.only_files)) {
                let text = |group: Option<regex::bytes::Match<'_>>| {
                    group.map(|group| BString::from(group.as_bytes())).unwrap_or_default()
                };
                let captures = captures.iter().skip(1).map(text).collect();
                // What lies inside a directory that is an item belongs to that item.
                self.found.push(Found { path: full, place, captures });
            } else if is_directory && !name.starts_with(b".") && seen.split_str("/").count() < self.depth {
                self.directory(full.as_bstr(), &place)?;
            }
        }
        Ok(())
    }
}

/// Fills the destination: `{VAR}` in the text as written, `%N` with what the wildcards matched, in which
/// nothing is expanded any more.
fn destination(
    environment: &Environment,
    name: &str,
    template: &str,
    found: &Found,
) -> Result<Destination, TargetError> {
    // A path holds no NUL, so `\0N\0` can stand for a match while the variables are filled in.
    let mut text = String::new();
    for piece in Template::parse(template).pieces() {
        match piece {
            Piece::Text(piece) => text.push_str(piece),
            Piece::Match(number) => {
                text.push('\0');
                text.push_str(&number.to_string());
                text.push('\0');
            }
        }
    }
    let expanded = environment.expand(&text).map_err(|source| TargetError::Placeholder {
        target: name.to_owned(),
        destination: template.to_owned(),
        source,
    })?;
    let mut path = Vec::new();
    for (index, piece) in expanded.split('\0').enumerate() {
        if index % 2 == 0 {
            path.extend_from_slice(piece.as_bytes());
        } else {
            let capture =
                piece.parse::<usize>().ok().and_then(|number| found.captures.get(number.wrapping_sub(1)));
            path.extend_from_slice(capture.map_or(&b""[..], |capture| capture));
        }
    }
    Destination::new(PathBuf::from(OsString::from_vec(path))).map_err(|source| TargetError::Destination {
        target: name.to_owned(),
        source_path: found.path.clone(),
        source,
    })
}

/// Refuses destinations that `selected` items share with each other or with `others`, and those that lie inside
/// one another.
fn check_collisions(selected: &[Item], others: &[Item]) -> Result<(), TargetError> {
    let all = || selected.iter().map(|item| (item, true)).chain(others.iter().map(|item| (item, false)));
    let mut by_path: HashMap<&std::path::Path, (&Item, bool)> = HashMap::new();
    let mut shelves: HashMap<PathBuf, (&Item, bool)> = HashMap::new();
    for (item, is_selected) in all() {
        // Two that were not selected may wait for their turn.
        match by_path.insert(item.destination.path(), (item, is_selected)) {
            Some((first, first_is_selected)) if first_is_selected || is_selected => {
                let both = [first, item].map(|item| (item.target.clone(), item.source.clone()));
                return Err(TargetError::SameDestination {
                    destination: item.destination.as_str().to_owned(),
                    items: Box::new(both),
                });
            }
            _ => {}
        }
        let shelf = shelves.entry(item.destination.versions_folder()).or_insert((item, is_selected));
        if is_selected && !shelf.1 {
            *shelf = (item, is_selected);
        }
    }
    for (item, is_selected) in all() {
        for above in item.destination.path().ancestors().skip(1) {
            let outer = by_path.get(above).or_else(|| shelves.get(above));
            if let Some((outer, _)) = outer.filter(|(_, outer_is_selected)| *outer_is_selected || is_selected)
            {
                return Err(TargetError::Nested {
                    inner: item.destination.as_str().to_owned(),
                    inner_target: item.target.clone(),
                    outer: above.display().to_string(),
                    outer_target: outer.target.clone(),
                });
            }
        }
    }
    Ok(())
}
