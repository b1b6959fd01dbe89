//! Trees that are read before a walk comes to them, on every core.
//!
//! One after the other, the trees of a large source take as long as many of its files, and the other cores have nothing to
//! do meanwhile. What cannot be read here is left to the walk, which knows the path and says what is wrong.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::{BStr, BString};
use gix::ObjectId;
use gix::objs::Kind;

use super::Result;
use super::content::Store;
use super::listing::{MAX_ENTRIES, MAX_PATH_BYTES};
use super::object::matches_id;
use super::pack::{Found, PackReader};
use super::snapshot::{Mode, Node, check_paths, read_tree, tree_entries};

/// As many trees as another thread is worth starting for.
const ENOUGH: usize = 32;

/// The entries of a tree.
type Entries = Vec<(BString, Node)>;

/// Trees that were read and not asked for yet.
#[derive(Default)]
pub(super) struct Ahead {
    trees: HashMap<ObjectId, Entries>,
    /// Entries of all trees that were ever here, and bytes of their names.
    entries: usize,
    names: usize,
}

impl Ahead {
    /// Reads the tree `root` and all trees below it, one level after the other, but no more than may be listed.
    pub(super) fn read(&mut self, repo: &gix::Repository, store: &Store, root: ObjectId) {
        let mut level = vec![root];
        let mut met = HashSet::from([root]);
        while !level.is_empty() {
            let room = (MAX_ENTRIES.saturating_sub(self.entries), MAX_PATH_BYTES.saturating_sub(self.names));
            let trees = if level.len() < ENOUGH {
                let read = |id: &ObjectId| Some((*id, read_tree(repo, *id, BStr::new("")).ok()?));
                level.iter().filter_map(read).collect()
            } else {
                read_level(store, &level, room)
            };
            level.clear();
            for (id, entries) in trees {
                self.entries += entries.len();
                self.names += entries.iter().map(|(name, _)| name.len()).sum::<usize>();
                let folders = entries.iter().filter(|(_, node)| node.mode == Mode::Directory);
                level.extend(folders.map(|(_, node)| node.id).filter(|id| met.insert(*id)));
                self.trees.insert(id, entries);
            }
            if self.entries > MAX_ENTRIES || self.names > MAX_PATH_BYTES {
                return;
            }
        }
    }

    /// The entries of the tree `id` at `path`, checked as hostile input. One that stands at several places is read again for
    /// each after the first.
    ///
    /// # Errors
    /// When the tree is missing, broken or hostile.
    pub(super) fn take(&mut self, repo: &gix::Repository, id: ObjectId, path: &BStr) -> Result<Entries> {
        let Some(entries) = self.trees.remove(&id) else { return read_tree(repo, id, path) };
        check_paths(&entries, path)?;
        Ok(entries)
    }
}

/// The trees of `level` that can be read, on every core, until they have more entries or longer names than there is `room`
/// for.
fn read_level(store: &Store, level: &[ObjectId], room: (usize, usize)) -> Vec<(ObjectId, Entries)> {
    let (next, entries, names) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let trees = Mutex::new(Vec::with_capacity(level.len()));
    crate::parallel::on_every_core(level.len() / ENOUGH, || {
        let mut reader = store.trees();
        let mut mine = Vec::new();
        while let Some(id) = level.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(tree) = read(&mut reader, *id) else { continue };
            let length = tree.iter().map(|(name, _)| name.len()).sum();
            let entries = entries.fetch_add(tree.len(), Ordering::Relaxed);
            let names = names.fetch_add(length, Ordering::Relaxed);
            mine.push((*id, tree));
            if entries > room.0 || names > room.1 {
                break;
            }
        }
        trees.lock().unwrap_or_else(std::sync::PoisonError::into_inner).append(&mut mine);
    });
    trees.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn read(reader: &mut PackReader<'_>, id: ObjectId) -> Option<Entries> {
    match reader.find(id) {
        Some(Found::Whole(bytes)) if matches_id(id, Kind::Tree, bytes) => {
            tree_entries(bytes, id, BStr::new("")).ok()
        }
        _ => None,
    }
}
