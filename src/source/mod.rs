//! Where the content of a deployment comes from: a revision in git, or a folder on disk.
//!
//! Either way a source is listed first and read later, from many threads. What is staged, shared, hashed and
//! recorded does not depend on which of them it was.

pub mod folder;
pub mod git;

use std::collections::BTreeSet;

use bstr::{BStr, BString};

use crate::disk::DiskError;

pub use folder::FolderError;
pub use git::{GitError, HashKind, Mode, Node, ObjectId};

/// A file or link to export.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Path below the source, with `/` between components; empty when the source is a file or link itself.
    pub path: BString,
    /// File, executable or symlink.
    pub mode: Mode,
    /// Id of the content as the source has it.
    pub id: ObjectId,
    /// What the source needs to find and convert it.
    handle: Handle,
}

/// A source's own note on an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Handle {
    /// Index of the conversion that its bytes go through.
    conversion: Option<usize>,
    /// Index of the store it is in: 0 is the source itself, the others are submodules.
    store: u16,
}

impl Entry {
    /// True if its content is an object of the source's own repository, and none of a submodule's.
    pub fn is_in_repository(&self) -> bool {
        self.handle.store == 0
    }

    /// True if the bytes on disk are those of the source, so that the id on disk is [`Entry::id`].
    pub fn is_stored_as_is(&self) -> bool {
        self.handle.conversion.is_none()
    }
}

/// Everything below a source, in the order of `git ls-tree -r`.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Full path of the source, for messages.
    pub root: BString,
    /// The files and links.
    pub entries: Vec<Entry>,
    /// What beyond the source's own content decides the bytes: `commit` where `export-subst` is used,
    /// `filter.<name>` for each filter that runs.
    pub uses: BTreeSet<String>,
}

impl Listing {
    /// The entries as the tree id wants them; right only where nothing is converted.
    pub fn tree_entries(&self) -> Vec<git::TreeEntry<'_>> {
        use bstr::ByteSlice as _;
        let of = |entry| {
            let Entry { path, mode, id, .. }: &Entry = entry;
            git::TreeEntry { path: path.as_bstr(), mode: *mode, id: *id }
        };
        self.entries.iter().map(of).collect()
    }
}

/// The bytes of what was listed, readable from many threads.
pub trait Contents: Sync {
    /// A reader for the calling thread.
    fn reader(&self) -> Box<dyn Reader + '_>;
}

/// What takes the bytes of an entry, or a piece of them.
pub type Piece<'w> = dyn FnMut(&[u8]) -> Result<(), DiskError> + 'w;

/// Reads the bytes of entries. Its buffers live as long as the reader, so that a thread allocates for its
/// largest file only.
pub trait Reader {
    /// Hands the bytes of `entry` as they are written to `write`: at once, or piece by piece where they are many and
    /// no link's. Returns their number and the id that git would give to them. `root` is the listing's.
    ///
    /// # Errors
    /// When the content is missing or broken, or a conversion fails; some of it may have been handed over by then. Those
    /// of `write`.
    fn read(
        &mut self,
        root: &BStr,
        entry: &Entry,
        write: &mut Piece<'_>,
    ) -> Result<(u64, ObjectId), SourceError>;

    /// Size in bytes of an entry that is written as it is stored, without reading it.
    ///
    /// # Errors
    /// When the content is missing or broken.
    fn size(&mut self, root: &BStr, entry: &Entry) -> Result<u64, SourceError>;

    /// What else the content of an entry is made of, if that is more than itself. Entries that have it in common are read
    /// best one after the other.
    fn kin(&mut self, entry: &Entry) -> Option<Kin> {
        let _ = entry;
        None
    }
}

/// A family of entries, and the place of one among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kin {
    /// The same for all of the family: a store, a pack, an object.
    pub family: (u16, usize, u64),
    /// Those it is made of come before it.
    pub place: u64,
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A file changed while it was read.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// Its path, of what is on the way to a store the one that it would have had there.
        path: String,
    },
    /// The disk said no.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl SourceError {
    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Git(source) => source.hint(),
            Self::Disk(source) => source.hint().map(ToOwned::to_owned),
            Self::Changed { .. } => Some("try again when nobody writes to it".to_owned()),
            Self::Folder(_) => None,
        }
    }
}
