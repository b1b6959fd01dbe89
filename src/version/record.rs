//! The record beside a version: what it is, where it came from and what proves its content.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, Kind, Replacements, Stat};
use crate::signature::Signature;

/// The record of one version, kept as `.<version>.json` beside it.
///
/// A version without a record was not made by git dist. Fields that a newer release adds are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Format of this file; 1.
    pub format: u32,
    /// Name of the version it belongs to.
    pub version: String,
    /// Name of the target in dist.json.
    pub target: String,
    /// Path of the source in the repository.
    pub source: String,
    /// URL of the remote without credentials, or the repository's path.
    pub origin: String,
    /// The revision as it was asked for.
    pub revision: String,
    /// The branch it was deployed from, if one was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Full id of the commit.
    pub commit: String,
    /// The commit's date, RFC 3339 in UTC.
    pub date: String,
    /// The commit's author: `Name <mail>`.
    pub author: String,
    /// First line of the commit message.
    pub subject: String,
    /// Who signed the commit, or the tag it was deployed as, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Mode of the version itself as git writes it: `040000` for a directory.
    pub mode: String,
    /// Id of the source in the repository, before any conversion.
    pub object: String,
    /// Id that git would give to what is on disk.
    pub content: String,
    /// Digest of everything that decided the bytes.
    pub fingerprint: String,
    /// What beyond the source decided the bytes: `commit`, `filter.<name>`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub uses: BTreeSet<String>,
    /// Number of files and links.
    pub files: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Every modification time that a file of this version may have, in seconds since 1970: files that are
    /// shared with older versions keep theirs.
    pub mtimes: BTreeSet<i64>,
    /// True if files can be written to, because the target's option `link` is `copy`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub writable: bool,
    /// How it was made from its source: what a repair needs.
    #[serde(default)]
    pub recipe: Recipe,
    /// How it is started, where that does not go without saying.
    #[serde(default, skip_serializing_if = "Launch::is_plain")]
    pub launch: Launch,
    /// When the version was made, RFC 3339 in UTC.
    pub created_at: String,
    /// Who made it: `user@host`.
    pub created_by: String,
    /// The program that made it: `git-dist 0.1.0`.
    pub tool: String,
    /// Whether it may be activated without being asked for.
    pub state: State,
    /// Why it is bad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The options that a version was exported with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// Patterns of what was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// The option `submodules`: `error`, `skip` or `recurse`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub submodules: String,
    /// The flag `--all`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Paths that are links into the shared folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared: Vec<String>,
    /// The target's pipeline made it; what that was stands in dist.json of the commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pipeline: bool,
    /// It came from a working tree: git does not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncommitted: bool,
}

/// How `git dist run` starts a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program inside the version and its first arguments, as dist.json says; empty if it does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Name of the environment that was deployed with it: the id that git would give to the file that holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
}

impl Launch {
    fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a version may be activated without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It may.
    Good,
    /// It was left by a rollback or failed its checks.
    Bad,
}

/// Largest record that is read, in bytes.
const LIMIT: u64 = 4 << 20;

impl Record {
    /// Name of the record of the version `version`.
    pub fn file_name(version: &str) -> String {
        format!(".{version}.json")
    }

    /// Reads the record of `version` in the `versions/` folder `dir`; `None` where there is none, or one that
    /// cannot be understood or is about something else: nothing is known of such a version, as of those that distman
    /// made.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(dir: &Dir, version: &str) -> disk::Result<Option<Self>> {
        match dir.read_file(Self::file_name(version), LIMIT) {
            Ok(bytes) => {
                let record: Option<Self> = serde_json::from_slice(&bytes).ok();
                Ok(record.filter(|record| record.is_about(version)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            // A pipe, a folder or a link in its place is as good as a damaged one.
            Err(_) if !matches!(dir.stat(Self::file_name(version))?, Some(stat) if stat.kind == Kind::File) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// True if it belongs to `version` and leads nowhere out of it: its name becomes the name of a file, and its shared
    /// paths become links.
    fn is_about(&self, version: &str) -> bool {
        let is_inside = |path: &String| {
            path.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'))
        };
        self.version == version && self.recipe.shared.iter().all(is_inside)
    }

    /// True if `version` has a record that cannot be understood.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn is_damaged(dir: &Dir, version: &str) -> disk::Result<bool> {
        Ok(Self::read(dir, version)?.is_none() && dir.stat(Self::file_name(version))?.is_some())
    }

    /// The record as it is written.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        bytes.push(b'\n');
        bytes
    }

    /// Replaces the record in `dir` with others, for marking and clearing.
    ///
    /// # Errors
    /// When the folder may not be written.
    pub fn replace(&self, dir: &Dir, files: &mut Replacements) -> disk::Result<()> {
        files.add(dir, Self::file_name(&self.version), &self.to_bytes())
    }

    /// True if an untouched file of the version may have this modification time. Commit times have no fraction of a
    /// second.
    pub fn may_have_time(&self, stat: &Stat) -> bool {
        stat.mtime_nanos == 0 && self.mtimes.contains(&stat.mtime)
    }

    /// True if the version was marked bad.
    pub fn is_bad(&self) -> bool {
        self.state == State::Bad
    }

    /// The same record, marked bad for `reason`.
    #[must_use]
    pub fn marked_bad(&self, reason: &str) -> Self {
        Self { state: State::Bad, reason: Some(reason.to_owned()), ..self.clone() }
    }

    /// The same record without a mark.
    #[must_use]
    pub fn marked_good(&self) -> Self {
        Self { state: State::Good, reason: None, ..self.clone() }
    }
}
