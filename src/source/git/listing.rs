//! What of a source is exported: one walk over its trees, with the attributes of the commit.

use std::collections::HashMap;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use gix::ObjectId;

use super::ahead::Ahead;
pub use super::attributes::Conversion;
use super::attributes::{AttributeStack, Attributes};
use super::content::{GitContents, Store};
use super::snapshot::{Mode, Node, Snapshot, join, read_checked, read_tree};
use super::subst::Subst;
use super::{GitError, Repository, Result, is_too_deep, submodule};
use crate::source::{Entry, Handle, Listing};

/// What to do with a submodule inside a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Submodules {
    /// Stop and say so.
    #[default]
    Error,
    /// Leave it out.
    Skip,
    /// Export its content at the commit that the superproject names.
    Recurse,
}

/// What belongs to an export and what does not.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Patterns, in the syntax of `.gitignore`, relative to the source; what matches is left out.
    pub ignore: Vec<String>,
    /// What to do with submodules.
    pub submodules: Submodules,
    /// Export `.gitattributes`, `.gitignore` and `.gitmodules` too.
    pub all: bool,
}

/// What the listings of one snapshot share: object stores, conversions and the attribute stack.
pub(super) struct Tables {
    stores: Vec<Store>,
    opened: HashMap<BString, (u16, ObjectId)>,
    conversions: Vec<Conversion>,
    by_conversion: HashMap<Conversion, usize>,
    attributes: AttributeStack,
    drivers: Vec<gix::filter::plumbing::Driver>,
    /// What was listed so far, whatever became of it: entries, and bytes of their paths.
    listed: (usize, usize),
    /// Why the configuration of filters cannot be read, if it cannot; told when a filter is needed.
    unreadable: Option<gix::Error>,
}

impl Tables {
    pub(super) fn new(repository: &Repository) -> Self {
        let options = gix::filter::Pipeline::options(&repository.local);
        let (drivers, unreadable) = match options {
            Ok(options) => (options.drivers, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Self {
            stores: vec![Store::new(repository)],
            opened: HashMap::new(),
            conversions: Vec::new(),
            by_conversion: HashMap::new(),
            attributes: AttributeStack::new(),
            drivers,
            listed: (0, 0),
            unreadable,
        }
    }

    fn conversion(&mut self, conversion: Conversion) -> Option<usize> {
        if conversion == Conversion::default() {
            return None;
        }
        if let Some(known) = self.by_conversion.get(&conversion) {
            return Some(*known);
        }
        let index = self.conversions.len();
        self.conversions.push(conversion.clone());
        self.by_conversion.insert(conversion, index);
        Some(index)
    }
}

/// Most files and folders that one revision may stand for, those included that are left out in the end: a tree of ten
/// trees of ten trees takes a hundred bytes for each level, and ten times the memory.
pub const MAX_ENTRIES: usize = 2_500_000;

/// Most bytes of all their paths: quoted, four times as long, they still fit into a listing that can be read again.
pub(super) const MAX_PATH_BYTES: usize = 200 << 20;

impl Snapshot<'_> {
    /// Lists what is exported from the source `node` at `path`.
    ///
    /// # Errors
    /// When a tree is missing, broken or hostile, or when a submodule is in the way.
    pub fn list(&self, path: &BStr, node: Node, options: &ListOptions) -> Result<Listing> {
        let tables = &mut *self.tables.borrow_mut();
        let repo = &self.repository.local;
        let ignore =
            gix::ignore::Search::from_overrides(&options.ignore, gix::ignore::search::Ignore::default());
        enter_above(repo, self.revision.tree, path, &mut tables.attributes)?;
        let mut walk = Walk {
            tables,
            options,
            ignore: (!options.ignore.is_empty()).then_some(ignore),
            ahead: Ahead::default(),
            listing: Listing { root: path.to_owned(), ..Listing::default() },
        };
        let place = Place { repo, store: 0, root: self.revision.tree, prefix: BStr::new("") };
        if node.mode == Mode::Directory {
            walk.ahead.read(repo, &walk.tables.stores[0], node.id);
            walk.directory(place, path, BStr::new(""), node.id)?;
        } else {
            walk.leaf(place, path, BStr::new(""), node, None)?;
        }
        // `git ls-tree -r` sorts by full path: a directory `a` comes after `a.b`, as its entries begin with `a/`.
        walk.listing.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(walk.listing)
    }

    /// True if `path` itself carries `export-ignore`.
    ///
    /// # Errors
    /// When a tree or attribute file on the way is missing or broken.
    pub fn is_export_ignored(&self, path: &BStr, node: Node) -> Result<bool> {
        let tables = &mut *self.tables.borrow_mut();
        enter_above(&self.repository.local, self.revision.tree, path, &mut tables.attributes)?;
        Ok(tables.attributes.query(path, node.mode == Mode::Directory, |_| false).export_ignore)
    }

    /// Paths and ids of the attribute files above `path`: they decide bytes below it, though they are no part
    /// of its content.
    ///
    /// # Errors
    /// When a tree on the way is missing or broken.
    pub fn attribute_files_above(&self, path: &BStr) -> Result<Vec<(BString, ObjectId)>> {
        let mut files = Vec::new();
        for directory in ancestors(path) {
            if let Some(node) = self.node(directory)?.filter(|node| node.mode == Mode::Directory) {
                let entries = read_tree(&self.repository.local, node.id, directory)?;
                if let Some(id) = attribute_file(&entries) {
                    files.push((directory.to_owned(), id));
                }
            }
        }
        Ok(files)
    }

    /// What decides the bytes that the filter `name` writes: its configured commands.
    pub fn filter_identity(&self, name: &str) -> String {
        let tables = self.tables.borrow();
        let driver = tables.drivers.iter().find(|driver| driver.name == name);
        let command = driver.and_then(|driver| driver.process.clone().or_else(|| driver.smudge.clone()));
        command.map(|command| command.to_string()).unwrap_or_default()
    }

    /// The contents of everything that was listed so far, readable from many threads.
    pub fn contents(&self) -> GitContents {
        let tables = self.tables.borrow();
        let git_dir = self.repository.git_dir();
        GitContents {
            stores: tables.stores.clone(),
            conversions: tables.conversions.clone(),
            drivers: tables.drivers.clone(),
            subst: Arc::new(Subst::new(
                git_dir.canonicalize().unwrap_or_else(|_| git_dir.to_owned()),
                &self.revision,
            )),
        }
    }
}

/// The directories above `path`, from the root (an empty path) down: for `a/b/c` also `a` and `a/b`.
fn ancestors(path: &BStr) -> impl Iterator<Item = &BStr> {
    let root = (!path.is_empty()).then_some(BStr::new(""));
    root.into_iter().chain(path.find_iter("/").map(move |end| path[..end].as_bstr()))
}

/// Brings the attribute stack to the directory that holds `path`.
fn enter_above(
    repo: &gix::Repository,
    root: ObjectId,
    path: &BStr,
    stack: &mut AttributeStack,
) -> Result<()> {
    let parent = path.rfind_byte(b'/').map_or(BStr::new(""), |end| path[..end].as_bstr());
    if path.is_empty() {
        while stack.leave_to_ancestor_of(path).is_some() {
            stack.leave();
        }
        return Ok(());
    }
    if stack.leave_to_ancestor_of(parent).is_some_and(|last| last == parent) {
        return Ok(());
    }
    while stack.leave_to_ancestor_of(BStr::new("")).is_some() {
        stack.leave();
    }
    let mut id = root;
    for directory in ancestors(path) {
        let entries = read_tree(repo, id, directory)?;
        enter(repo, directory, &entries, stack)?;
        // The next one on the way, or the source itself.
        let rest = &path[if directory.is_empty() { 0 } else { directory.len() + 1 }..];
        let name = rest.split_str("/").next().unwrap_or_default();
        match entries.into_iter().find(|(entry, node)| entry == name && node.mode == Mode::Directory) {
            Some((_, node)) => id = node.id,
            None => return Ok(()),
        }
    }
    Ok(())
}

fn enter(
    repo: &gix::Repository,
    directory: &BStr,
    entries: &[(BString, Node)],
    stack: &mut AttributeStack,
) -> Result<()> {
    let bytes = match attribute_file(entries) {
        Some(id) => {
            let mut bytes = Vec::new();
            let what = format!("`{}`", join(directory, ".gitattributes".into()));
            read_checked(repo, id, gix::objs::Kind::Blob, &what, &mut bytes)?;
            Some(bytes)
        }
        None => None,
    };
    stack.enter(directory, bytes.as_deref());
    Ok(())
}

/// The attribute file among a directory's entries. git ignores one that is a symlink.
fn attribute_file(entries: &[(BString, Node)]) -> Option<ObjectId> {
    entries
        .iter()
        .find(|(name, node)| name == ".gitattributes" && matches!(node.mode, Mode::File | Mode::Executable))
        .map(|(_, node)| node.id)
}

/// The repository that is being walked: the main one or a submodule.
#[derive(Clone, Copy)]
struct Place<'a> {
    repo: &'a gix::Repository,
    store: u16,
    /// The root tree of the commit in this repository.
    root: ObjectId,
    /// Where this repository lies in the main one, empty for the main one itself.
    prefix: &'a BStr,
}

struct Walk<'a> {
    tables: &'a mut Tables,
    options: &'a ListOptions,
    ignore: Option<gix::ignore::Search>,
    ahead: Ahead,
    listing: Listing,
}

impl Walk<'_> {
    /// Walks the directory at `path` (in its own repository) that lies at `below` under the source.
    fn directory(&mut self, place: Place<'_>, path: &BStr, below: &BStr, id: ObjectId) -> Result<()> {
        if is_too_deep(below) {
            let path = join(place.prefix, path);
            return Err(GitError::HostileEntry { path, reason: "too many folders below each other" });
        }
        let entries = self.ahead.take(place.repo, id, path)?;
        self.charge(&entries, below).map_err(|()| GitError::TooLarge { path: join(place.prefix, path) })?;
        enter(place.repo, path, &entries, &mut self.tables.attributes)?;
        for (name, node) in &entries {
            let entry_path = join(path, name.as_bstr());
            let entry_below = join(below, name.as_bstr());
            if self.is_left_out(name.as_bstr(), entry_below.as_bstr(), *node) {
                continue;
            }
            let is_dir = matches!(node.mode, Mode::Directory | Mode::Submodule);
            let drivers = &self.tables.drivers;
            let has_driver = |name: &str| drivers.iter().any(|driver| driver.name == name);
            let attributes = self.tables.attributes.query(entry_path.as_bstr(), is_dir, has_driver);
            if attributes.export_ignore {
                continue;
            }
            match node.mode {
                Mode::Directory => {
                    self.directory(place, entry_path.as_bstr(), entry_below.as_bstr(), node.id)?;
                }
                Mode::Submodule => {
                    self.submodule(place, entry_path.as_bstr(), entry_below.as_bstr(), node.id)?;
                }
                _ => {
                    let attributes = Some(attributes);
                    self.leaf(place, entry_path.as_bstr(), entry_below.as_bstr(), *node, attributes)?;
                }
            }
        }
        self.tables.attributes.leave();
        Ok(())
    }

    /// Counts what lies in the folder at `below`; an error once it is too much.
    fn charge(&mut self, entries: &[(BString, Node)], below: &BStr) -> std::result::Result<(), ()> {
        let (count, bytes) = &mut self.tables.listed;
        *count += entries.len();
        *bytes += entries.iter().map(|(name, _)| below.len() + 1 + name.len()).sum::<usize>();
        if *count > MAX_ENTRIES || *bytes > MAX_PATH_BYTES { Err(()) } else { Ok(()) }
    }

    fn is_left_out(&self, name: &BStr, below: &BStr, node: Node) -> bool {
        let own = matches!(name.as_bytes(), b".gitattributes" | b".gitignore" | b".gitmodules");
        if own && node.mode != Mode::Directory && !self.options.all {
            return true;
        }
        let Some(ignore) = &self.ignore else { return false };
        let is_dir = matches!(node.mode, Mode::Directory | Mode::Submodule);
        ignore
            .pattern_matching_relative_path(below, Some(is_dir), gix::glob::pattern::Case::Sensitive)
            .is_some_and(|matched| !matched.pattern.is_negative())
    }

    fn leaf(
        &mut self,
        place: Place<'_>,
        path: &BStr,
        below: &BStr,
        node: Node,
        attributes: Option<Attributes>,
    ) -> Result<()> {
        let (mode, id) = (node.mode, node.id);
        if mode == Mode::Submodule {
            return self.submodule(place, path, below, id);
        }
        let attributes = match attributes {
            _ if mode == Mode::Symlink => Attributes::default(),
            Some(attributes) => attributes,
            None => {
                let drivers = &self.tables.drivers;
                let has_driver = |name: &str| drivers.iter().any(|driver| driver.name == name);
                self.tables.attributes.query(path, false, has_driver)
            }
        };
        if attributes.idle_filter.is_some()
            && let Some(source) = self.tables.unreadable.take()
        {
            return Err(GitError::Other { act: "read the configuration of filters".to_owned(), source });
        }
        let conversion = self.tables.conversion(attributes.conversion);
        // Once it is configured, it decides the bytes.
        self.listing.uses.extend(attributes.idle_filter.map(|filter| format!("filter.{filter}")));
        if let Some(index) = conversion {
            let conversion = &self.tables.conversions[index];
            if conversion.subst {
                self.listing.uses.insert("commit".to_owned());
            }
            if let Some(filter) = &conversion.filter {
                self.listing.uses.insert(format!("filter.{filter}"));
            }
        }
        self.listing.entries.push(Entry {
            path: below.to_owned(),
            mode,
            id,
            handle: Handle { conversion, store: place.store },
        });
        Ok(())
    }

    fn submodule(&mut self, place: Place<'_>, path: &BStr, below: &BStr, commit: ObjectId) -> Result<()> {
        let full = join(place.prefix, path);
        match self.options.submodules {
            Submodules::Error => return Err(GitError::Submodule { path: full }),
            Submodules::Skip => return Ok(()),
            Submodules::Recurse => {}
        }
        let (repository, root) = submodule::open(place.repo, place.root, path, commit)?;
        let store = if let Some((store, _)) = self.tables.opened.get(&full) {
            *store
        } else {
            let too_many = || GitError::HostileEntry { path: full.clone(), reason: "too many submodules" };
            let store = u16::try_from(self.tables.stores.len()).map_err(|_overflow| too_many())?;
            self.tables.stores.push(Store::new(&repository));
            self.tables.opened.insert(full.clone(), (store, root));
            store
        };
        // The submodule's attributes are its own; those of the superproject do not reach into it.
        let outer = std::mem::replace(&mut self.tables.attributes, AttributeStack::new());
        let inner = Place { repo: &repository.local, store, root, prefix: full.as_bstr() };
        self.ahead.read(inner.repo, &self.tables.stores[usize::from(store)], root);
        let walked = self.directory(inner, BStr::new(""), below, root);
        self.tables.attributes = outer;
        walked
    }
}
