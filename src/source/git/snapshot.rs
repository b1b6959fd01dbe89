//! The tree of one revision, as the rest of the program sees it.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use bstr::{BStr, BString, ByteSlice as _};
use gix::ObjectId;

use super::listing::Tables;
use super::object::matches_id;
use super::{GitError, Repository, Result, Revision};

/// What a tree entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// A regular file.
    File,
    /// A file with the executable bit.
    Executable,
    /// A symbolic link.
    Symlink,
    /// A directory.
    Directory,
    /// A submodule: the id is a commit of another repository.
    Submodule,
}

impl Mode {
    /// The mode as git prints it: `100644`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "100644",
            Self::Executable => "100755",
            Self::Symlink => "120000",
            Self::Directory => "040000",
            Self::Submodule => "160000",
        }
    }

    /// The reverse of [`Mode::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::File, Self::Executable, Self::Symlink, Self::Directory, Self::Submodule]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }

    /// A word for messages: `file`, `directory`, `symlink`.
    pub fn word(self) -> &'static str {
        match self {
            Self::File | Self::Executable => "file",
            Self::Symlink => "symlink",
            Self::Directory => "directory",
            Self::Submodule => "submodule",
        }
    }

    pub(super) fn as_tree_mode(self) -> gix::objs::tree::EntryKind {
        use gix::objs::tree::EntryKind;
        match self {
            Self::File => EntryKind::Blob,
            Self::Executable => EntryKind::BlobExecutable,
            Self::Symlink => EntryKind::Link,
            Self::Directory => EntryKind::Tree,
            Self::Submodule => EntryKind::Commit,
        }
    }

    fn from_tree_mode(mode: gix::objs::tree::EntryMode) -> Self {
        use gix::objs::tree::EntryKind;
        match mode.kind() {
            EntryKind::Blob => Self::File,
            EntryKind::BlobExecutable => Self::Executable,
            EntryKind::Link => Self::Symlink,
            EntryKind::Tree => Self::Directory,
            EntryKind::Commit => Self::Submodule,
        }
    }
}

/// A thing at a path: what it is and the id of its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is.
    pub mode: Mode,
    /// Blob, tree or (for a submodule) commit id.
    pub id: ObjectId,
}

/// One revision of one repository, opened for reading. Paths are full paths in the repository.
pub struct Snapshot<'r> {
    pub(super) repository: &'r Repository,
    pub(super) revision: Revision,
    pub(super) tables: RefCell<Tables>,
    /// The trees on the way to the path that was looked up last, from the root down: the next may lie beside it.
    way: RefCell<Vec<(ObjectId, HashMap<BString, Node>)>>,
}

impl<'r> Snapshot<'r> {
    /// Opens the tree of `revision`.
    pub fn new(repository: &'r Repository, revision: Revision) -> Self {
        let tables = RefCell::new(Tables::new(repository));
        Self { repository, revision, tables, way: RefCell::default() }
    }

    /// The revision this is.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The repository it is in.
    pub fn repository(&self) -> &'r Repository {
        self.repository
    }

    /// What stands at `path`; the empty path is the root.
    ///
    /// # Errors
    /// When a tree on the way is missing or broken.
    pub fn node(&self, path: &BStr) -> Result<Option<Node>> {
        let mut node = Node { mode: Mode::Directory, id: self.revision.tree };
        let mut directory = BString::default();
        let mut way = self.way.borrow_mut();
        for (depth, component) in path.split_str("/").filter(|component| !component.is_empty()).enumerate() {
            if node.mode != Mode::Directory {
                return Ok(None);
            }
            if way.get(depth).is_none_or(|(id, _)| *id != node.id) {
                let tree = read_tree(&self.repository.local, node.id, directory.as_bstr())?;
                way.truncate(depth);
                way.push((node.id, tree.into_iter().collect()));
            }
            match way[depth].1.get(component.as_bstr()) {
                Some(found) => node = *found,
                None => return Ok(None),
            }
            directory = join(directory.as_bstr(), component.as_bstr());
        }
        Ok(Some(node))
    }

    /// The content of the file at `path`, as stored; `None` where nothing is.
    ///
    /// # Errors
    /// When something else is there, or the blob is missing, broken or larger than `limit` bytes.
    pub fn file(&self, path: &BStr, limit: u64) -> Result<Option<Vec<u8>>> {
        let Some(node) = self.node(path)? else { return Ok(None) };
        if !matches!(node.mode, Mode::File | Mode::Executable) {
            return Err(GitError::NotAFile { path: path.to_owned(), found: node.mode.word() });
        }
        let what = format!("`{path}`");
        let header = self.repository.local.find_header(node.id);
        let size = header
            .map_err(|source| GitError::CorruptObject {
                what: what.clone(),
                id: node.id,
                source: Some(source),
            })?
            .size();
        if size > limit {
            let source =
                gix::error::message!("{size} bytes, more than the {limit} that such a file may have");
            return Err(GitError::Other {
                act: format!("read {what}"),
                source: gix::Error::from_error(source),
            });
        }
        let mut bytes = Vec::new();
        read_checked(&self.repository.local, node.id, gix::objs::Kind::Blob, &what, &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The entries of the directory at `path`, checked, in the tree's order.
    ///
    /// # Errors
    /// When the tree is missing, broken or hostile.
    pub fn directory(&self, path: &BStr, id: ObjectId) -> Result<Vec<(BString, Node)>> {
        read_tree(&self.repository.local, id, path)
    }
}

/// Reads one tree and checks each name as hostile input; `path` is the tree's own path.
pub(super) fn read_tree(repo: &gix::Repository, id: ObjectId, path: &BStr) -> Result<Vec<(BString, Node)>> {
    let mut bytes = Vec::new();
    read_checked(repo, id, gix::objs::Kind::Tree, &tree_at(path), &mut bytes)?;
    let entries = tree_entries(&bytes, id, path)?;
    check_paths(&entries, path)?;
    Ok(entries)
}

fn tree_at(path: &BStr) -> String {
    if path.is_empty() { "the root tree".to_owned() } else { format!("the tree `{path}`") }
}

/// The entries of the tree `id`, whose bytes these are, with each name checked. `path` is for messages.
pub(super) fn tree_entries(bytes: &[u8], id: ObjectId, path: &BStr) -> Result<Vec<(BString, Node)>> {
    let mut entries = Vec::new();
    let mut names = HashSet::new();
    for entry in gix::objs::TreeRefIter::from_bytes(bytes, id.kind()) {
        let entry = entry.map_err(|source| GitError::CorruptObject {
            what: tree_at(path),
            id,
            source: Some(source),
        })?;
        let node = Node { mode: Mode::from_tree_mode(entry.mode), id: entry.oid.to_owned() };
        let hostile = |reason| GitError::HostileEntry { path: join(path, entry.filename), reason };
        check_name(entry.filename, node.mode).map_err(hostile)?;
        if !names.insert(entry.filename) {
            return Err(hostile("the name stands twice in its directory"));
        }
        entries.push((entry.filename.to_owned(), node));
    }
    Ok(entries)
}

/// Refuses entries that no filesystem can hold where the tree is at `path`.
pub(super) fn check_paths(entries: &[(BString, Node)], path: &BStr) -> Result<()> {
    match entries.iter().find(|(name, _)| path.len() + name.len() > 4_000) {
        Some((name, _)) => {
            let reason = "the path is longer than a filesystem can hold";
            Err(GitError::HostileEntry { path: join(path, name.as_bstr()), reason })
        }
        None => Ok(()),
    }
}

/// Refuses names that could leave the directory, reach git's own, or mean something else on another
/// filesystem (git's `verify_path`, with the HFS+ and NTFS spellings of `.git` on every system).
fn check_name(name: &BStr, mode: Mode) -> std::result::Result<(), &'static str> {
    use gix::validate::path::component;
    let as_link = (mode == Mode::Symlink).then_some(component::Mode::Symlink);
    let rules = component::Options { protect_windows: false, protect_hfs: true, protect_ntfs: true };
    match gix::validate::path::component(name, as_link, rules) {
        Ok(_) if name.len() > 255 => Err("the name is longer than 255 bytes"),
        Ok(_) => Ok(()),
        Err(component::Error::Empty) => Err("the name is empty"),
        Err(component::Error::Relative) => Err("the name is `.` or `..`"),
        Err(component::Error::PathSeparator) => Err("the name holds a path separator"),
        Err(component::Error::DotGitDir) => Err("the name is a spelling of `.git`"),
        Err(_) => Err("the name is not a valid path component"),
    }
}

/// Reads an object of the given kind and refuses it if its bytes do not match its id.
pub(super) fn read_checked(
    repo: &gix::Repository,
    id: ObjectId,
    kind: gix::objs::Kind,
    what: &str,
    bytes: &mut Vec<u8>,
) -> Result<()> {
    let what = || what.to_owned();
    let corrupt = |source| GitError::CorruptObject { what: what(), id, source };
    let empty = gix::objs::Kind::Tree == kind && id.is_empty_tree();
    if empty {
        bytes.clear();
        return Ok(());
    }
    match gix::prelude::Find::try_find(&repo.objects, &id, bytes) {
        Ok(Some(data)) if data.kind != kind => return Err(corrupt(None)),
        Ok(Some(_)) => {}
        Ok(None) => return Err(GitError::MissingObject { what: what(), id }),
        Err(source) if source.classify().is_resource_exhausted() => {
            return Err(GitError::TooBig { what: what(), id, source: Some(source) });
        }
        Err(source) => return Err(corrupt(Some(source))),
    }
    if matches_id(id, kind, bytes) { Ok(()) } else { Err(corrupt(None)) }
}

/// `name` below `directory`; an empty directory is the root.
pub fn join(directory: &BStr, name: &BStr) -> BString {
    let mut path = BString::new(Vec::with_capacity(directory.len() + 1 + name.len()));
    path.extend_from_slice(directory);
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
