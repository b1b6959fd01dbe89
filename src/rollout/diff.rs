//! What a deploy would change, file by file.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice as _};

use super::Prepared;
use super::{Result, RolloutError};
use crate::plan::{Action, Item};
use crate::source::Contents as _;
use crate::source::git::{Mode, ObjectId, Snapshot};
use crate::version::{Destination, FileListing, Record, Shelves, VersionName};

/// One file that a deploy would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileChange {
    /// Path below the destination; empty for the destination itself.
    pub path: BString,
    /// What would happen to it.
    pub change: Change,
}

/// What happens to a file, with the letter that `git diff --name-status` uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added,
    /// It goes.
    Deleted,
    /// Its content changes.
    Modified,
    /// Its kind or executable bit changes.
    Mode,
}

impl Change {
    /// The letter that git uses.
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Deleted => 'D',
            Self::Modified => 'M',
            Self::Mode => 'T',
        }
    }
}

/// The files behind a destination, by path: mode and id of what is on disk.
type Files = BTreeMap<BString, (Mode, ObjectId)>;

impl Prepared {
    /// For each item of the plan, the files that would change against what is active.
    ///
    /// # Errors
    /// When a tree, blob, record or listing cannot be read.
    pub fn file_changes(&self, snapshot: Option<&Snapshot<'_>>) -> Result<Vec<(&Item, Vec<FileChange>)>> {
        let mut shelves = Shelves::default();
        let mut all = Vec::new();
        for (index, item) in self.plan.items.iter().enumerate() {
            let new = match &item.action {
                Action::Create { .. } => self.exported(index, snapshot)?,
                Action::Relink { to, .. } => Some(on_disk(&mut shelves, &item.destination, to)?),
                _ => None,
            };
            let Some(new) = new else {
                all.push((item, Vec::new()));
                continue;
            };
            let old = match &item.from {
                Some(from) => on_disk(&mut shelves, &item.destination, from)?,
                None => Files::new(),
            };
            all.push((item, compare(&old, &new)));
        }
        Ok(all)
    }

    /// What would be exported for the item `index`; `None` where a pipeline decides that.
    fn exported(&self, index: usize, snapshot: Option<&Snapshot<'_>>) -> Result<Option<Files>> {
        if self.has_pipeline(index) {
            return Ok(None);
        }
        let target = &self.plan.items[index].target;
        let listing = self.listing(index, snapshot)?;
        let contents = snapshot.map(Snapshot::contents);
        let mut reader = contents.as_ref().map(|contents| contents.reader());
        let mut files = Files::new();
        for entry in &listing.entries {
            let id = match &mut reader {
                Some(reader) if !entry.is_stored_as_is() => {
                    let (_, id) = reader
                        .read(listing.root.as_bstr(), entry, &mut |_| Ok(()))
                        .map_err(|source| RolloutError::Source { target: target.clone(), source })?;
                    id
                }
                _ => entry.id,
            };
            files.insert(entry.path.clone(), (entry.mode, id));
        }
        Ok(Some(files))
    }
}

/// The files that differ between two versions of two destinations; `None` holds nothing.
///
/// # Errors
/// When a record or listing cannot be read.
pub fn version_changes(
    shelves: &mut Shelves,
    old: Option<(&Destination, &VersionName)>,
    new: Option<(&Destination, &VersionName)>,
) -> Result<Vec<FileChange>> {
    let mut files = |version: Option<(&Destination, &VersionName)>| match version {
        Some((destination, name)) => on_disk(shelves, destination, name),
        None => Ok(Files::new()),
    };
    Ok(compare(&files(old)?, &files(new)?))
}

/// What a version holds. One without a record (distman's) counts as empty: nothing is known of it.
fn on_disk(shelves: &mut Shelves, destination: &Destination, name: &VersionName) -> Result<Files> {
    let Some(versions) = shelves.dir(destination)? else { return Ok(Files::new()) };
    let text = name.to_string();
    let Some(record) = Record::read(&versions, &text)? else { return Ok(Files::new()) };
    if let Some(listing) = FileListing::read(&versions, &text)? {
        let files = listing.files().iter().map(|file| (file.path.clone(), (file.mode, file.id)));
        return Ok(files.collect());
    }
    let single = Mode::parse(&record.mode).zip(ObjectId::from_hex(record.content.as_bytes()).ok());
    Ok(single.map(|file| (BString::default(), file)).into_iter().collect())
}

fn compare(old: &Files, new: &Files) -> Vec<FileChange> {
    let mut changes = Vec::new();
    for (path, (mode, id)) in new {
        let change = match old.get(path) {
            None => Change::Added,
            Some((_, before)) if before != id => Change::Modified,
            Some((before, _)) if before != mode => Change::Mode,
            Some(_) => continue,
        };
        changes.push(FileChange { path: path.clone(), change });
    }
    let gone = old.keys().filter(|path| !new.contains_key(*path));
    changes.extend(gone.map(|path| FileChange { path: path.clone(), change: Change::Deleted }));
    changes.sort_by(|a, b| a.path.cmp(&b.path));
    changes
}
