//! Writing the content of many items at once, with one reader and one writer per core.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bstr::{BStr, BString, ByteSlice as _};

use super::share::{Refused, Sharing, permissions, share};
use super::{Content, Progress, StageError, Staged, StagingFolder, content_of};
use crate::disk::{Dir, on_disk};
use crate::source::git::blob_id;
use crate::source::{Contents, Entry, HashKind, Mode, ObjectId, Reader};
use crate::version::{Destination, FileListing, ListedFile, Record, VersionName};

/// One version to be staged.
#[derive(Debug)]
pub struct Export {
    /// The destination it is for.
    pub destination: Destination,
    /// The staging folder of this run beside it.
    pub folder: Arc<StagingFolder>,
    /// What it holds.
    pub content: Content,
    /// The record, complete but for what only staging finds out: content id, file count, bytes, times.
    pub record: Record,
    /// How unchanged files are shared.
    pub sharing: Sharing,
    /// The version to share with.
    pub previous: Option<Previous>,
    /// Paths inside the version that become links into the shared folder.
    pub shared: Vec<String>,
    /// Modification time of files that are written, in seconds since 1970.
    pub mtime: i64,
}

/// An earlier version of the same destination whose files may be shared.
#[derive(Debug)]
pub struct Previous {
    /// Its name.
    pub name: VersionName,
    /// Its record.
    pub record: Record,
    /// Its files.
    pub files: FileListing,
}

/// Files of one directory of one item, written by one thread.
struct Batch<'e> {
    item: usize,
    directory: &'e BStr,
    entries: &'e [Entry],
}

/// What was written for one entry.
struct Written {
    item: usize,
    file: ListedFile,
    size: u64,
    mtime: Option<i64>,
}

/// Files per batch: enough to pay for opening the directory, few enough to keep all cores busy to the end.
const BATCH: usize = 64;

/// Stages all of `exports`. On an error nothing of them is visible, and the staging folders go with the last
/// reference to them.
///
/// # Errors
/// When content cannot be read or written, or will not fit.
pub fn export(
    exports: Vec<Export>,
    contents: &[&dyn Contents],
    kind: HashKind,
    progress: &dyn Progress,
) -> Result<Vec<Staged>, StageError> {
    for export in &exports {
        if export.content.listing.entries.is_empty() && export.shared.is_empty() {
            return Err(StageError::Nothing { source_path: export.record.source.clone() });
        }
    }
    let names: Vec<String> = exports.iter().map(|export| export.folder.next_name()).collect();
    let kept: Vec<Vec<Entry>> = exports.iter().map(entries_to_write).collect();
    let roots = make_directories(&exports, &names, &kept)?;
    let batches = batches(&exports, &kept);
    let run = Run { exports: &exports, names: &names, roots: &roots, contents, progress };
    let files = kept.iter().map(|entries| entries.len() as u64).sum();
    run.check_space(&kept)?;
    progress.start(files);
    let written = run.write_all(&batches);
    progress.finish();
    drop(batches);
    let mut found: Vec<Vec<Written>> = exports.iter().map(|_| Vec::new()).collect();
    for file in written? {
        found[file.item].push(file);
    }
    let results = found.into_iter().zip(exports).zip(names).zip(roots);
    results.map(|(((written, export), name), root)| finish(export, name, root, written, kind)).collect()
}

/// The entries that are written: all but those that a shared path stands for.
fn entries_to_write(export: &Export) -> Vec<Entry> {
    let is_shared = |path: &BStr| {
        let below = |shared: &String| {
            path == shared.as_str()
                || path.strip_prefix(shared.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
        };
        export.shared.iter().any(below)
    };
    let entries = &export.content.listing.entries;
    entries.iter().filter(|entry| !is_shared(entry.path.as_bstr())).cloned().collect()
}

/// Makes the directories of every directory item, and returns an open handle for each.
fn make_directories(
    exports: &[Export],
    names: &[String],
    kept: &[Vec<Entry>],
) -> Result<Vec<Option<Dir>>, StageError> {
    let mut roots = Vec::new();
    for ((export, name), entries) in exports.iter().zip(names).zip(kept) {
        if export.content.mode != Mode::Directory {
            roots.push(None);
            continue;
        }
        export.folder.folder.make_dir(name)?;
        let root = export.folder.folder.descend(Path::new(name))?;
        let mut made: BTreeSet<&BStr> = BTreeSet::new();
        let shared = export.shared.iter().map(|path| BStr::new(path.as_bytes()));
        for path in entries.iter().map(|entry| entry.path.as_bstr()).chain(shared) {
            for end in path.find_iter("/") {
                let directory = path[..end].as_bstr();
                if made.insert(directory) {
                    make_dir(&root, directory)?;
                }
            }
        }
        roots.push(Some(root));
    }
    Ok(roots)
}

/// Makes the directory `path` below `root`, whose parent exists, without ever following a link.
fn make_dir(root: &Dir, path: &BStr) -> Result<(), StageError> {
    let (parent, name) = split(path);
    if parent.is_empty() {
        root.make_dir(on_disk(name))?;
    } else {
        root.descend(on_disk(parent))?.make_dir(on_disk(name))?;
    }
    Ok(())
}

fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
        None => (BStr::new(""), path),
    }
}

fn batches<'e>(exports: &[Export], kept: &'e [Vec<Entry>]) -> Vec<Batch<'e>> {
    let mut batches = Vec::new();
    for (item, entries) in kept.iter().enumerate() {
        if exports[item].content.mode != Mode::Directory {
            batches.push(Batch { item, directory: BStr::new(""), entries });
            continue;
        }
        let same_directory = |a: &Entry, b: &Entry| split(a.path.as_bstr()).0 == split(b.path.as_bstr()).0;
        for group in entries.chunk_by(same_directory) {
            for chunk in group.chunks(BATCH) {
                batches.push(Batch { item, directory: split(chunk[0].path.as_bstr()).0, entries: chunk });
            }
        }
    }
    batches
}

struct Run<'r> {
    exports: &'r [Export],
    names: &'r [String],
    roots: &'r [Option<Dir>],
    contents: &'r [&'r dyn Contents],
    progress: &'r dyn Progress,
}

impl Run<'_> {
    /// Refuses before a byte is written where the content cannot fit. Converted files count as stored.
    fn check_space(&self, kept: &[Vec<Entry>]) -> Result<(), StageError> {
        let readers: Vec<_> = self.contents.iter().map(|contents| contents.reader()).collect();
        let mut needed: BTreeMap<u64, (u64, usize)> = BTreeMap::new();
        for (item, entries) in kept.iter().enumerate() {
            let export = &self.exports[item];
            let previous = Known::new(export);
            let device = export.folder.versions.device()?;
            let sum = &mut needed.entry(device).or_insert((0, item)).0;
            for entry in entries.iter().filter(|entry| previous.find(entry).is_none()) {
                *sum = sum.saturating_add(
                    readers[export.content.store].size(export.content.listing.root.as_bstr(), entry)?,
                );
            }
        }
        for (needed, item) in needed.into_values() {
            let versions = &self.exports[item].folder.versions;
            let free = versions.free_space()?;
            if needed > free {
                return Err(StageError::NoSpace { path: versions.path().to_owned(), needed, free });
            }
        }
        Ok(())
    }

    fn write_all(&self, batches: &[Batch<'_>]) -> Result<Vec<Written>, StageError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let outcome = Mutex::new(Ok(Vec::new()));
        let refused = Refused::default();
        let known: Vec<Known<'_>> = self.exports.iter().map(Known::new).collect();
        let work = || {
            let mut readers: Vec<_> = self.contents.iter().map(|contents| contents.reader()).collect();
            let mut mine = Vec::new();
            let result = loop {
                if failed.load(Ordering::Relaxed) {
                    break Ok(());
                }
                let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else { break Ok(()) };
                if self.progress.is_interrupted() {
                    break Err(StageError::Interrupted);
                }
                if let Err(error) = self.write(batch, &mut readers, &known[batch.item], &refused, &mut mine) {
                    break Err(error);
                }
            };
            let mut outcome = outcome.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match (result, &mut *outcome) {
                (Ok(()), Ok(all)) => all.extend(mine),
                (Err(error), Ok(_)) => {
                    failed.store(true, Ordering::Relaxed);
                    *outcome = Err(error);
                }
                // The first error is the one to tell.
                (_, Err(_)) => {}
            }
        };
        let threads =
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(batches.len());
        if threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn write(
        &self,
        batch: &Batch<'_>,
        readers: &mut [Box<dyn Reader + '_>],
        known: &Known<'_>,
        refused: &Refused,
        written: &mut Vec<Written>,
    ) -> Result<(), StageError> {
        let export = &self.exports[batch.item];
        let reader = &mut *readers[export.content.store];
        let opened;
        let to = match &self.roots[batch.item] {
            None => &export.folder.folder,
            Some(root) if batch.directory.is_empty() => root,
            Some(root) => {
                opened = root.descend(on_disk(batch.directory))?;
                &opened
            }
        };
        let from = known.directory(export, batch);
        let mut bytes_written = 0;
        for entry in batch.entries {
            let name = match &self.roots[batch.item] {
                None => PathBuf::from(&self.names[batch.item]),
                Some(_) => on_disk(split(entry.path.as_bstr()).1).to_owned(),
            };
            let shared = match (&from, known.find(entry)) {
                (Some(from), Some(_)) => {
                    let size = reader.size(export.content.listing.root.as_bstr(), entry)?;
                    let previous = export.previous.as_ref().map(|previous| &previous.record);
                    let record = previous.unwrap_or(&export.record);
                    share(export.sharing, refused, from, to, &name, (entry.mode, size), record)?
                        .map(|mtime| (entry.id, size, Some(mtime)))
                }
                _ => None,
            };
            let (id, size, mtime) = match shared {
                Some(shared) => shared,
                None => write_entry(export, reader, to, &name, entry)?,
            };
            bytes_written += size;
            written.push(Written {
                item: batch.item,
                file: ListedFile { mode: entry.mode, id, path: entry.path.clone() },
                size,
                mtime,
            });
        }
        self.progress.advance(batch.entries.len() as u64, bytes_written);
        Ok(())
    }
}

/// Writes one file or link; returns the id of what is on disk, its size, and the time it got.
fn write_entry(
    export: &Export,
    reader: &mut dyn Reader,
    to: &Dir,
    name: &Path,
    entry: &Entry,
) -> Result<(ObjectId, u64, Option<i64>), StageError> {
    let (bytes, id) = reader.read(export.content.listing.root.as_bstr(), entry)?;
    if entry.mode == Mode::Symlink && export.content.node.mode == Mode::Symlink {
        // The version stands one folder below its destination, from where users follow it.
        let text = if bytes.starts_with(b"/") { bytes.to_owned() } else { [b"../", bytes].concat() };
        to.symlink(on_disk(text.as_bstr()), name)?;
        return Ok((blob_id(entry.id.kind(), &text), text.len() as u64, None));
    }
    let id = id.unwrap_or_else(|| blob_id(entry.id.kind(), bytes));
    let size = bytes.len() as u64;
    if entry.mode == Mode::Symlink {
        to.symlink(on_disk(bytes), name)?;
        return Ok((id, size, None));
    }
    let mut file = to.create_file(name, permissions(entry.mode, export.sharing == Sharing::Copy))?;
    file.write(bytes)?;
    file.set_mtime(export.mtime)?;
    Ok((id, size, Some(export.mtime)))
}

/// The previous version's files, by path.
struct Known<'e> {
    files: HashMap<&'e BStr, &'e ListedFile>,
}

impl<'e> Known<'e> {
    fn new(export: &'e Export) -> Self {
        let files = match &export.previous {
            Some(previous) if export.sharing != Sharing::Copy && !previous.record.writable => {
                previous.files.files().iter().map(|file| (file.path.as_bstr(), file)).collect()
            }
            _ => HashMap::new(),
        };
        Self { files }
    }

    /// The previous version's file that has the same path and holds the same bytes.
    fn find(&self, entry: &Entry) -> Option<&'e ListedFile> {
        let known = self.files.get(entry.path.as_bstr()).copied()?;
        let is_same = known.id == entry.id && known.mode == entry.mode;
        (is_same && entry.is_stored_as_is() && entry.mode != Mode::Symlink).then_some(known)
    }

    /// The directory of the previous version that corresponds to the batch's, if there is one to share with.
    fn directory(&self, export: &Export, batch: &Batch<'_>) -> Option<Dir> {
        let previous = export.previous.as_ref().filter(|_| !self.files.is_empty())?;
        let root = export.folder.versions.descend(Path::new(&previous.name.to_string())).ok()?;
        // Whatever is in the way there, the file is exported afresh.
        root.descend(on_disk(batch.directory)).ok()
    }
}

/// Links the shared paths in, and fills what the record could not know before.
fn finish(
    export: Export,
    inner: String,
    root: Option<Dir>,
    written: Vec<Written>,
    kind: HashKind,
) -> Result<Staged, StageError> {
    let Export { destination, folder, content, mut record, shared, .. } = export;
    let mut files = Vec::new();
    record.mtimes = written.iter().filter_map(|file| file.mtime).collect();
    record.bytes = written.iter().map(|file| file.size).sum();
    files.extend(written.into_iter().map(|file| file.file));
    if let Some(root) = root {
        for path in &shared {
            let depth = path.matches('/').count() + 2;
            let text = format!("{}shared/{}/{path}", "../".repeat(depth), destination.base());
            let (parent, name) = split(BStr::new(path.as_bytes()));
            root.descend(on_disk(parent))?.symlink(&text, on_disk(name))?;
            let id = blob_id(kind, text.as_bytes());
            files.push(ListedFile { mode: Mode::Symlink, id, path: BString::from(path.as_str()) });
            let place = destination.folder().join("shared").join(destination.base()).join(path);
            if !place.exists() {
                Dir::create_all(&place)?;
            }
        }
    }
    record.files = files.len() as u64;
    let listing = FileListing::new(files);
    let listing = match content.mode {
        Mode::Directory => {
            record.content = content_of(kind, &listing);
            Some(listing)
        }
        _ => {
            record.content = listing.files().first().map(|file| file.id.to_string()).unwrap_or_default();
            None
        }
    };
    Ok(Staged { folder, inner, destination, record, listing })
}
