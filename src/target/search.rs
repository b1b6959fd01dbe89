//! Finding the sources of a target: one path, or what its wildcards match.

use bstr::{BStr, BString, ByteSlice as _};

use super::tree::{Place, Tree};
use super::{Request, TargetError, below};
use crate::manifest::TargetSpec;
use crate::source::git::{MAX_ENTRIES, is_too_deep};
use crate::source::{GitError, Mode, SourceError};

/// A source found in the tree, with what its wildcards matched.
pub(super) struct Found {
    pub(super) path: BString,
    pub(super) place: Place,
    pub(super) captures: Vec<BString>,
}

/// Finds the sources of the target `name` in `tree`.
pub(super) fn search(
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
        looked_at: 0,
        found: Vec::new(),
    };
    search.directory(start.as_bstr(), &place).map_err(failed)?;
    Ok(search.found)
}

/// A literal source as the tree spells it: `[*]` is how dist.json writes a star that is no wildcard.
pub(super) fn literal(source: &str) -> String {
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
    looked_at: usize,
    found: Vec<Found>,
}

impl Search<'_> {
    fn directory(&mut self, path: &BStr, place: &Place) -> Result<(), SourceError> {
        if is_too_deep(path) {
            let reason = "too many folders below each other";
            return Err(GitError::HostileEntry { path: path.to_owned(), reason }.into());
        }
        let children = self.tree.children(path, place)?;
        self.looked_at += children.len();
        if self.looked_at > MAX_ENTRIES {
            return Err(GitError::TooLarge { path: path.to_owned() }.into());
        }
        for (name, place) in children {
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
