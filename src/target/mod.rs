//! Targets resolved: which source goes to which destination, at one revision.
//!
//! This is where dist.json, the environment and the tree meet. Everything that can be refused without looking
//! at the destinations is refused here, before anything is written.

mod collide;
mod error;
mod search;
mod tree;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};

use crate::disk::on_disk;
use crate::environment::Environment;
use crate::manifest::{self, Manifest, Piece, Settings, TargetSpec, Template};
use crate::project::Project;
use crate::source::git::Snapshot;
use crate::version::Destination;

use collide::{check_collisions, check_shared_folders};
pub use error::TargetError;
use search::{Found, search};
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
    /// Paths inside a version that are links to data which outlives versions.
    pub shared: Vec<String>,
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
    /// `--source`: only the item of this source, a tidy path from dist.json's folder ([`source_path`]).
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
            // What is wrong with it is told when it is its turn. `--source` and `--dest` are not about it.
            let request = Request { source: None, destination: None, ..request };
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
                    source_path: search::literal(&spec.source),
                    revision: request.project.base.to_string(),
                });
            }
            resolved.missing.push(Missing { target: name.clone(), source: spec.source.clone() });
        }
        resolved.items.extend(found);
    }
    check_collisions(&resolved.items, &others)?;
    check_shared_folders(&resolved.items, &others)?;
    Ok(resolved)
}

fn one(request: Request<'_>, name: &str, spec: &TargetSpec) -> Result<Vec<Item>, TargetError> {
    let settings = request.manifest.settings_of(spec);
    let tree = request.tree(name, &settings)?;
    let failed = |source| TargetError::Source { target: name.to_owned(), source };
    let only = request.source.map(|source| below(request.project.folder.as_bstr(), source));
    let text = request.destination.unwrap_or(&spec.destination);
    // The same for all items, and of no account where there is none.
    let mut expanded = None;
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
        let expanded = match &mut expanded {
            Some(expanded) => expanded,
            none => none.insert(expand(&request.project.environment, name, text)?),
        };
        let destination = destination(name, expanded, &found)?;
        items.push(Item {
            target: name.to_owned(),
            source: found.path,
            place: found.place,
            destination,
            settings: settings.clone(),
            shared: spec.shared_paths(),
        });
    }
    Ok(items)
}

/// A source as a person types it, as a path from dist.json's folder: without `./`, `..` and double or trailing
/// slashes, and without what is above that folder if it is absolute.
///
/// # Errors
/// When it is not in that folder.
pub fn source_path(project: &Project, source: &str) -> Result<String, TargetError> {
    let folder = project.worktree().map(|top| top.join(on_disk(&project.folder))).unwrap_or_default();
    let outside = || TargetError::Outside { source_path: source.to_owned(), folder: folder.clone() };
    let typed = Path::new(source);
    let inside = if typed.is_absolute() {
        // Links above the source are followed, since a repository has many spellings; the source may be one itself.
        let real = || Some(typed.parent()?.canonicalize().ok()?.join(typed.file_name()?));
        let top = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let below = |path: &Path, folder: &Path| path.strip_prefix(folder).map(Path::to_owned).ok();
        below(typed, &folder).or_else(|| below(&real()?, &top)).ok_or_else(outside)?
    } else {
        typed.to_owned()
    };
    let mut names = Vec::new();
    for part in inside.components() {
        match part {
            Component::Normal(name) => names.push(name.to_str().ok_or_else(outside)?),
            Component::ParentDir => _ = names.pop().ok_or_else(outside)?,
            _ => {}
        }
    }
    Ok(names.join("/"))
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

/// Fills `{VAR}` in the text of a destination as written. `\0N\0` stands for what the wildcard N matches: a path holds
/// no NUL.
fn expand(environment: &Environment, name: &str, template: &str) -> Result<String, TargetError> {
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
    environment.expand(&text).map_err(|source| TargetError::Placeholder {
        target: name.to_owned(),
        destination: template.to_owned(),
        source,
    })
}

/// Fills in what the wildcards matched, in which nothing is expanded any more.
fn destination(name: &str, expanded: &str, found: &Found) -> Result<Destination, TargetError> {
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
