//! The bytes of exported files: decoded, checked against their id, and converted as the attributes say.

use std::io::Read as _;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};
use gix::ObjectId;
use gix::attrs::search::MetadataCollection;
use gix::filter::plumbing;

use super::listing::Conversion;
use super::object::blob_id;
use super::pack::{Found, Large, PackReader, Packs};
use super::snapshot::{Mode, join, read_checked};
use super::subst::Subst;
use super::{BlobHasher, GitError, Repository, Result, encoding, ident};
use crate::source::{Contents, Entry, Kin, Piece, Reader, SourceError};

/// The contents of a snapshot's listings.
pub struct GitContents {
    pub(super) stores: Vec<Store>,
    pub(super) conversions: Vec<Conversion>,
    pub(super) drivers: Vec<plumbing::Driver>,
    pub(super) subst: Arc<Subst>,
}

/// A repository whose objects are read: the one that is deployed, or a submodule.
#[derive(Clone)]
pub(super) struct Store {
    repository: gix::ThreadSafeRepository,
    packs: Arc<Packs>,
}

impl Store {
    pub(super) fn new(repository: &Repository) -> Self {
        Self { repository: repository.shared.clone(), packs: Arc::new(Packs::new(&repository.local)) }
    }

    fn blobs(&self) -> PackReader<'_> {
        self.packs.reader(gix::objs::Kind::Blob)
    }

    /// A reader of trees for one thread.
    pub(super) fn trees(&self) -> PackReader<'_> {
        self.packs.reader(gix::objs::Kind::Tree)
    }
}

struct GitReader<'c> {
    contents: &'c GitContents,
    stores: Vec<(gix::Repository, PackReader<'c>)>,
    raw: Vec<u8>,
    converted: Vec<u8>,
    converter: Option<Converter>,
}

impl Contents for GitContents {
    fn reader(&self) -> Box<dyn Reader + '_> {
        let stores = self.stores.iter();
        let stores = stores.map(|store| (store.repository.to_thread_local(), store.blobs())).collect();
        Box::new(GitReader {
            contents: self,
            stores,
            raw: Vec::new(),
            converted: Vec::new(),
            converter: None,
        })
    }
}

impl Reader for GitReader<'_> {
    fn read(
        &mut self,
        root: &BStr,
        entry: &Entry,
        write: &mut Piece<'_>,
    ) -> Result<(u64, ObjectId), SourceError> {
        let path = full_path(root, entry.path.as_bstr());
        let Self { contents, stores, raw, converted, converter } = self;
        let (store, packs) = &mut stores[usize::from(entry.handle.store)];
        let conversion = entry.handle.conversion;
        let raw = match packs.find(entry.id) {
            Some(Found::Whole(bytes)) if blob_id(entry.id.kind(), bytes) == entry.id => bytes,
            Some(Found::Large(large)) if conversion.is_none() && entry.mode != Mode::Symlink => {
                return read_large(*large, path.as_bstr(), entry.id, write);
            }
            _ => {
                read_checked(store, entry.id, gix::objs::Kind::Blob, &format!("`{path}`"), raw)?;
                raw
            }
        };
        let Some(index) = conversion else {
            write(raw)?;
            return Ok((raw.len() as u64, entry.id));
        };
        let converter = match converter {
            Some(converter) => converter,
            none => none.insert(Converter::new(store, contents)?),
        };
        converter.convert(contents, index, (path.as_bstr(), entry.id), raw, converted)?;
        write(converted)?;
        Ok((converted.len() as u64, blob_id(entry.id.kind(), converted)))
    }

    fn size(&mut self, root: &BStr, entry: &Entry) -> Result<u64, SourceError> {
        let (store, packs) = &mut self.stores[usize::from(entry.handle.store)];
        let what = || format!("`{}`", full_path(root, entry.path.as_bstr()));
        let corrupt = |source| GitError::CorruptObject { what: what(), id: entry.id, source: Some(source) };
        let size = match packs.size(entry.id) {
            Some(size) => size,
            None => store.find_header(entry.id).map_err(corrupt)?.size(),
        };
        // No file is that large.
        if i64::try_from(size).is_err() {
            return Err(GitError::TooBig { what: what(), id: entry.id, source: None }.into());
        }
        Ok(size)
    }

    fn kin(&mut self, entry: &Entry) -> Option<Kin> {
        let store = entry.handle.store;
        let (pack, root, place) = self.stores[usize::from(store)].1.root(entry.id)?;
        Some(Kin { family: (store, pack, root), place })
    }
}

/// Hands the blob `id`, which is at `path`, to `write` as it is inflated.
fn read_large(
    large: Large,
    path: &BStr,
    id: ObjectId,
    write: &mut Piece<'_>,
) -> Result<(u64, ObjectId), SourceError> {
    let size = large.size;
    let mut hasher = BlobHasher::new(id.kind(), size);
    let is_whole = large.read(|piece| {
        hasher.update(piece);
        write(piece)
    })?;
    if is_whole && hasher.finish() == id {
        return Ok((size, id));
    }
    Err(GitError::CorruptObject { what: format!("`{path}`"), id, source: None }.into())
}

fn full_path(root: &BStr, below: &BStr) -> BString {
    if below.is_empty() { root.to_owned() } else { join(root, below) }
}

/// True for the text that git-lfs stores in place of content (git-lfs docs/spec.md: pointers begin with the
/// version line and are smaller than 1024 bytes).
fn is_lfs_pointer(bytes: &[u8]) -> bool {
    bytes.len() < 1024 && bytes.starts_with(b"version https://git-lfs.github.com/spec/")
}

/// gix's filter pipeline, asked twice: for line ends before the encoding, for filters after it
/// (the order of git's `convert_to_working_tree`).
struct Converter {
    pipeline: plumbing::Pipeline,
    collection: MetadataCollection,
    /// For each conversion: attributes of the first pass, attributes of the filter pass.
    passes: Vec<[Option<gix::attrs::Search>; 2]>,
}

impl Converter {
    fn new(repo: &gix::Repository, contents: &GitContents) -> Result<Self> {
        let unreadable = |source| GitError::Other { act: "prepare the conversion of files".into(), source };
        let context = repo.command_context().map_err(unreadable)?;
        let mut drivers = contents.drivers.clone();
        for driver in &mut drivers {
            // git lets a filter fail unless it is `required`; a deployment with half its content is no deployment.
            driver.required = true;
        }
        let options = plumbing::pipeline::Options { drivers, ..Default::default() };
        let pipeline = plumbing::Pipeline::new(context, repo.object_hash(), options);
        let mut collection = MetadataCollection::default();
        let mut search = |line: String| {
            let mut search = gix::attrs::Search::default();
            search
                .add_patterns_buffer(format!("* {line}").as_bytes(), "".into(), None, &mut collection, false)
                .expect("no root is given, and nothing else fails");
            search
        };
        let mut passes = Vec::new();
        for conversion in &contents.conversions {
            let text = (!conversion.line.is_empty()).then(|| search(conversion.line.clone()));
            let filter = conversion.filter.as_ref().map(|name| search(format!("filter={name}")));
            passes.push([text, filter]);
        }
        Ok(Self { pipeline, collection, passes })
    }

    /// Converts the bytes `raw` of the blob `id`, which is at `path`, as its conversion `index` says.
    fn convert(
        &mut self,
        contents: &GitContents,
        index: usize,
        (path, id): (&BStr, ObjectId),
        raw: &[u8],
        converted: &mut Vec<u8>,
    ) -> Result<()> {
        let conversion = &contents.conversions[index];
        converted.clear();
        match conversion.ident.then(|| ident::expand(raw, id)).flatten() {
            Some(expanded) => *converted = expanded,
            None => converted.extend_from_slice(raw),
        }
        self.filter(contents, index, path, converted)?;
        if conversion.filter.as_deref() == Some("lfs") && is_lfs_pointer(converted) {
            return Err(GitError::LfsPointer { path: path.to_owned() });
        }
        if conversion.subst
            && let Some(expanded) = contents.subst.expand(converted)?
        {
            *converted = expanded;
        }
        Ok(())
    }

    /// Line ends, then the encoding, then the filter.
    fn filter(
        &mut self,
        contents: &GitContents,
        index: usize,
        path: &BStr,
        converted: &mut Vec<u8>,
    ) -> Result<()> {
        let conversion = &contents.conversions[index];
        let failed = |conversion: String, source: Box<dyn std::error::Error + Send + Sync>| {
            GitError::Conversion { path: path.to_owned(), conversion, source }
        };
        if self.passes[index][0].is_some() {
            self.pass(index, 0, path, converted)
                .map_err(|source| failed(format!("`{}`", conversion.line), source))?;
        }
        if let Some(name) = &conversion.encoding {
            *converted = encoding::encode(name, converted)
                .map_err(|source| failed(format!("`working-tree-encoding={name}`"), source.into()))?;
        }
        if let Some(name) = &conversion.filter {
            let driver = contents.drivers.iter().find(|driver| driver.name == name.as_str());
            if driver
                .is_some_and(|driver| driver.required && driver.smudge.is_none() && driver.process.is_none())
            {
                let nothing = "it is `required`, and neither `smudge` nor `process` is configured";
                return Err(failed(format!("`filter={name}`"), nothing.into()));
            }
            self.pass(index, 1, path, converted)
                .map_err(|source| failed(format!("`filter={name}`"), source))?;
        }
        Ok(())
    }

    fn pass(
        &mut self,
        index: usize,
        pass: usize,
        path: &BStr,
        bytes: &mut Vec<u8>,
    ) -> std::result::Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let Some(search) = &self.passes[index][pass] else { return Ok(()) };
        let collection = &self.collection;
        let mut attributes = |path: &BStr, outcome: &mut gix::attrs::search::Outcome| {
            outcome.initialize(collection);
            search.pattern_matching_relative_path(
                path,
                gix::glob::pattern::Case::Sensitive,
                Some(false),
                outcome,
            );
        };
        let options = plumbing::pipeline::convert::to_worktree::Options {
            can_delay: plumbing::driver::apply::Delay::Forbid,
            unknown_encoding: plumbing::pipeline::convert::to_worktree::UnknownEncoding::Fail,
        };
        let mut outcome = self.pipeline.convert_to_worktree(bytes, path, &mut attributes, options)?;
        if outcome.is_changed() {
            let mut changed = Vec::new();
            outcome.read_to_end(&mut changed)?;
            drop(outcome);
            *bytes = changed;
        }
        Ok(())
    }
}
