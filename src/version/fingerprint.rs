//! Fingerprints: one digest of everything that decides the bytes of a version, so that "unchanged" is decided
//! without opening a deployed file.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bstr::BString;

use crate::source::git::{HashKind, ObjectId, blob_id};

/// The digest that a record carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The digest in hex.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What decides the bytes of a version, apart from what only the walk over its files finds out
/// ([`Ingredients::fingerprint`] takes that as `uses`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingredients {
    /// Mode of the source as git writes it.
    pub mode: &'static str,
    /// Blob or tree id of the source.
    pub object: ObjectId,
    /// Attribute files above the source with their ids.
    pub attributes: Vec<(BString, ObjectId)>,
    /// The option `ignore`.
    pub ignore: Vec<String>,
    /// The option `submodules`, as written in dist.json.
    pub submodules: &'static str,
    /// The flag `--all`.
    pub all: bool,
    /// True if files stay writable.
    pub writable: bool,
    /// Paths that are links into the shared folder.
    pub shared: Vec<String>,
    /// Everything that decides what the pipeline makes of the source; `None` without a pipeline.
    pub pipeline: Option<String>,
}

impl Ingredients {
    /// The fingerprint, given what the bytes depend on beyond the source: `commit` (the full id is then an
    /// ingredient) and `filter.<name>` (`filter` tells its commands).
    pub fn fingerprint(
        &self,
        uses: &BTreeSet<String>,
        commit: &str,
        filter: impl Fn(&str) -> String,
    ) -> Fingerprint {
        // Debug formatting quotes, so that no value can pass for another line.
        let mut text = format!("git-dist fingerprint 1\nsource {} {}\n", self.mode, self.object);
        for (directory, id) in &self.attributes {
            let _ = writeln!(text, "attributes {directory:?} {id}");
        }
        for pattern in &self.ignore {
            let _ = writeln!(text, "ignore {pattern:?}");
        }
        for path in &self.shared {
            let _ = writeln!(text, "shared {path:?}");
        }
        let _ =
            writeln!(text, "submodules {}\nall {}\nwritable {}", self.submodules, self.all, self.writable);
        if let Some(pipeline) = &self.pipeline {
            let _ = writeln!(text, "pipeline {pipeline:?}");
        }
        for used in uses {
            match used.strip_prefix("filter.") {
                Some(name) => {
                    let _ = writeln!(text, "filter {name:?} {:?}", filter(name));
                }
                None => {
                    let _ = writeln!(text, "{used} {commit}");
                }
            }
        }
        Fingerprint(blob_id(HashKind::Sha256, text.as_bytes()).to_string())
    }
}
