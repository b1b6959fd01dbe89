//! Ids of what is on disk: the same ids that git would give to the same bytes.

use bstr::{BStr, ByteSlice as _};
use gix::ObjectId;
use gix::hash::Kind;

use super::snapshot::Mode;

/// The id git gives to a blob of these bytes.
pub fn blob_id(kind: Kind, bytes: &[u8]) -> ObjectId {
    let mut hasher = BlobHasher::new(kind, bytes.len() as u64);
    hasher.update(bytes);
    hasher.finish()
}

/// True if `bytes` are those of the object `id` of `kind`. Bytes that were built to make SHA-1 collide are nobody's.
pub(super) fn matches_id(id: ObjectId, kind: gix::objs::Kind, bytes: &[u8]) -> bool {
    gix::objs::compute_hash(id.kind(), kind, bytes).is_ok_and(|actual| actual == id)
}

/// Computes a blob's id piece by piece, for files that are larger than one wants in memory.
pub struct BlobHasher {
    hasher: gix::hash::Hasher,
    kind: Kind,
}

impl BlobHasher {
    /// Starts the id of a blob of `size` bytes.
    pub fn new(kind: Kind, size: u64) -> Self {
        let mut hasher = gix::hash::hasher(kind);
        hasher.update(&gix::objs::encode::loose_header(gix::objs::Kind::Blob, size));
        Self { hasher, kind }
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The id of all bytes given. Input that was built to make SHA-1 collide gets the null id, which
    /// matches nothing.
    pub fn finish(self) -> ObjectId {
        self.hasher.try_finalize().unwrap_or_else(|_collision| ObjectId::null(self.kind))
    }
}

/// Folders below each other that are followed: some that nobody needs, and few enough for a call stack. git has no limit.
const MAX_DEPTH: usize = 1_000;

/// True if `path` leads through more folders than can be followed.
pub fn is_too_deep(path: &BStr) -> bool {
    path.find_iter("/").nth(MAX_DEPTH - 1).is_some()
}

/// A file or link with its path below the root whose tree id is asked.
#[derive(Clone, Copy, Debug)]
pub struct TreeEntry<'a> {
    /// Path below the root, with `/` between components.
    pub path: &'a BStr,
    /// What it is.
    pub mode: Mode,
    /// Id of its content.
    pub id: ObjectId,
}

/// The id git gives to the tree that holds exactly `entries`, which are sorted by path as
/// `git ls-tree -r` sorts them. None of them [`is_too_deep`].
pub fn tree_id(kind: Kind, entries: &[TreeEntry<'_>]) -> ObjectId {
    subtree(kind, entries, 0)
}

fn subtree(kind: Kind, entries: &[TreeEntry<'_>], prefix: usize) -> ObjectId {
    let mut tree = Vec::new();
    let mut rest = entries;
    // In this order, the paths below a directory stand where git wants its name: as if that ended in a slash.
    while let Some(first) = rest.first() {
        let name_and_below = &first.path[prefix..];
        let (name, mode, id, taken) = match name_and_below.find_byte(b'/') {
            None => (name_and_below.as_bstr(), first.mode.as_tree_mode(), first.id, 1),
            Some(end) => {
                let dir = &first.path[..=prefix + end];
                let taken = rest.partition_point(|entry| entry.path.starts_with(dir));
                let id = subtree(kind, &rest[..taken], prefix + end + 1);
                (name_and_below[..end].as_bstr(), gix::objs::tree::EntryKind::Tree, id, taken)
            }
        };
        let mode = gix::objs::tree::EntryMode::from(mode);
        tree.extend_from_slice(mode.as_bytes(&mut [0; 6]));
        tree.push(b' ');
        // Names were checked to hold no NUL.
        tree.extend_from_slice(name);
        tree.push(0);
        tree.extend_from_slice(id.as_slice());
        rest = &rest[taken..];
    }
    gix::objs::compute_hash(kind, gix::objs::Kind::Tree, &tree)
        .unwrap_or_else(|_collision| ObjectId::null(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        // `printf hello | git hash-object --stdin`
        assert_eq!(blob_id(Kind::Sha1, b"hello").to_string(), "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
        // `git hash-object -t tree /dev/null`
        assert_eq!(tree_id(Kind::Sha1, &[]).to_string(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
    }

    #[test]
    fn a_directory_sorts_as_if_its_name_ended_in_a_slash() {
        // `a.b` sorts before `a/x` (0x2e < 0x2f), `a0` after it; made with
        // `git update-index --index-info` and `git write-tree`.
        let id = blob_id(Kind::Sha1, b"");
        let entry = |path: &'static str| TreeEntry { path: path.into(), mode: Mode::File, id };
        let tree = tree_id(Kind::Sha1, &[entry("a.b"), entry("a/x"), entry("a0")]);
        assert_eq!(tree.to_string(), "cc6b940246a412b229914418bd12af5e1601ec85");
    }
}
