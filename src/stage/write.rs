//! Writing listed content into folders: many items at once, with one reader and one writer per core.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bstr::{BStr, ByteSlice as _};

use super::batches::{Batch, batches, tasks};
use super::share::{Clones, Shareable, Sharing, permissions, share};
use super::{Previous, Progress, StageError};
use crate::command::with_stoppable_programs;
use crate::disk::{Dir, on_disk};
use crate::parallel::on_every_core;
use crate::source::git::blob_id;
use crate::source::{Contents, Entry, Kin, Mode, ObjectId, Reader};

/// One file, link or directory to be written as `name` in `dir`.
pub(super) struct Output<'o> {
    /// Where it goes. Nothing of that name may be there.
    pub(super) dir: &'o Dir,
    /// Its name there.
    pub(super) name: &'o str,
    /// What it is itself.
    pub(super) mode: Mode,
    /// Full path of its source, for messages.
    pub(super) root: &'o BStr,
    /// What it holds, sorted by path.
    pub(super) entries: &'o [Entry],
    /// Which of the contents holds the bytes.
    pub(super) store: usize,
    /// Directories to make besides those of the entries.
    pub(super) directories: &'o [String],
    /// How unchanged files are shared.
    pub(super) sharing: Sharing,
    /// The versions to share with, each with the folder it is in: of two that hold the same file, the first counts.
    pub(super) previous: Vec<(&'o Previous, &'o Dir)>,
    /// What is put before the text of a link that is the output itself and not absolute.
    pub(super) link_prefix: &'o str,
    /// Modification time of files that are written, in seconds since 1970.
    pub(super) mtime: i64,
}

/// What was written for one entry.
pub(super) struct Written {
    /// Id of the bytes on disk.
    pub(super) id: ObjectId,
    /// Size in bytes.
    pub(super) size: u64,
    /// The time the file has; `None` for a link.
    pub(super) mtime: Option<i64>,
}

/// What one thread reads with: for each of the contents, a reader.
type Readers<'r> = Vec<Box<dyn Reader + 'r>>;

/// Writes all of `outputs`; returns what was written for each.
///
/// # Errors
/// When content cannot be read or written, or will not fit.
pub(super) fn write(
    outputs: &[Output<'_>],
    contents: &[&dyn Contents],
    progress: &dyn Progress,
) -> Result<Vec<Vec<Written>>, StageError> {
    let known: Vec<Known> = outputs.iter().map(Known::new).collect();
    let devices: Vec<u64> = outputs.iter().map(|output| output.dir.device()).collect::<Result<_, _>>()?;
    let clones = devices.iter().map(|device| (*device, Clones::default())).collect();
    let mut run = Run { outputs, roots: Vec::new(), known, devices, clones, contents, progress };
    let batches = batches(outputs);
    let kin = run.prepare(&batches)?;
    let tasks = tasks(&batches, kin);
    progress.start(outputs.iter().map(|output| output.entries.len() as u64).sum());
    let written = run.for_each(&tasks, |task, readers| {
        let mut done = Vec::with_capacity(task.len());
        for batch in task {
            let reader = &mut *readers[outputs[batch.output].store];
            done.push((batch.output, batch.first, run.write_batch(batch, reader)?));
        }
        Ok(done)
    });
    progress.finish();
    let mut written: Vec<_> = written?.into_iter().flatten().collect();
    written.sort_unstable_by_key(|(output, first, _)| (*output, *first));
    let mut by_output: Vec<Vec<Written>> =
        outputs.iter().map(|output| Vec::with_capacity(output.entries.len())).collect();
    for (output, _, files) in written {
        by_output[output].extend(files);
    }
    Ok(by_output)
}

/// Directories that are held open on the way down to the one that is made.
const HELD: usize = 16;

/// Makes the directories of a directory output, and returns an open handle of it.
fn make_directories(output: &Output<'_>) -> Result<Option<Dir>, StageError> {
    if output.mode != Mode::Directory {
        return Ok(None);
    }
    output.dir.make_dir(output.name)?;
    let root = output.dir.descend(Path::new(output.name))?;
    let mut made: BTreeSet<&BStr> = BTreeSet::new();
    // The way down to the last one: its neighbours are made from there.
    let mut way: Vec<(&BStr, Dir)> = Vec::new();
    let more = output.directories.iter().map(|path| BStr::new(path.as_bytes()));
    for path in output.entries.iter().map(|entry| entry.path.as_bstr()).chain(more) {
        let (directory, _) = split(path);
        if way.last().is_some_and(|(last, _)| *last == directory) {
            continue;
        }
        while way.last().is_some_and(|(above, _)| !is_below(directory, above)) {
            way.pop();
        }
        let done = way.last().map_or(0, |(above, _)| above.len() + 1);
        let ends = path.find_iter("/").filter(|end| *end >= done);
        for directory in ends.map(|end| path[..end].as_bstr()) {
            let (parent, name) = split(directory);
            let opened;
            let above = match way.last() {
                Some((_, dir)) => dir,
                None => {
                    opened = root.descend(on_disk(parent))?;
                    &opened
                }
            };
            if made.insert(directory) {
                above.make_dir(on_disk(name))?;
            }
            let dir = above.descend(on_disk(name))?;
            if way.len() == HELD {
                way.remove(0);
            }
            way.push((directory, dir));
        }
    }
    Ok(Some(root))
}

/// True if `path` is `above` or lies below it.
fn is_below(path: &BStr, above: &BStr) -> bool {
    path.strip_prefix(above.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// A path's directory and name.
pub(super) fn split(path: &BStr) -> (&BStr, &BStr) {
    match path.rfind_byte(b'/') {
        Some(end) => (path[..end].as_bstr(), path[end + 1..].as_bstr()),
        None => (BStr::new(""), path),
    }
}

/// What is done before anything is written.
enum Preparation<'p, 'o> {
    /// The directories of an output are made.
    Directories(&'p Output<'o>),
    /// What a batch needs is found out.
    Look(&'p Batch<'o>),
}

/// What comes of it.
enum Prepared {
    /// The output's handle. That there is no room for what comes into it is worth more to know than why there is none.
    Directories(Result<Option<Dir>, StageError>),
    /// Bytes of a batch of this output that will be written, and who in it has kin, by index.
    Look { output: usize, size: u64, kin: Vec<(usize, Kin)> },
}

struct Run<'r> {
    outputs: &'r [Output<'r>],
    /// For each output that is a directory, its handle.
    roots: Vec<Option<Dir>>,
    known: Vec<Known>,
    /// For each output, the filesystem it is on.
    devices: Vec<u64>,
    /// What is known of each filesystem.
    clones: BTreeMap<u64, Clones>,
    contents: &'r [&'r dyn Contents],
    progress: &'r dyn Progress,
}

impl<'r> Run<'r> {
    /// Makes the directories of all outputs, and refuses before a byte is written where the content cannot fit. Converted
    /// files count as stored. Returns for each batch who in it has kin, by index.
    fn prepare(&mut self, batches: &[Batch<'r>]) -> Result<Vec<Vec<(usize, Kin)>>, StageError> {
        let outputs = self.outputs.iter().map(Preparation::Directories);
        let preparations: Vec<_> = outputs.chain(batches.iter().map(Preparation::Look)).collect();
        let prepared = self.for_each(&preparations, |preparation, readers| match preparation {
            Preparation::Directories(output) => Ok(Prepared::Directories(make_directories(output))),
            Preparation::Look(batch) => self.look_at(batch, readers),
        })?;
        let (mut roots, mut all_kin) =
            (Vec::with_capacity(self.outputs.len()), Vec::with_capacity(batches.len()));
        let mut needed: BTreeMap<u64, (u64, &Dir)> = BTreeMap::new();
        for prepared in prepared {
            match prepared {
                Prepared::Directories(root) => roots.push(root),
                Prepared::Look { output, size, kin } => {
                    let dir = self.outputs[output].dir;
                    let sum = &mut needed.entry(self.devices[output]).or_insert((0, dir)).0;
                    *sum = sum.saturating_add(size);
                    all_kin.push(kin);
                }
            }
        }
        for (needed, dir) in needed.into_values() {
            let free = dir.free_space()?;
            if needed > free {
                return Err(StageError::NoSpace { path: dir.path().to_owned(), needed, free });
            }
        }
        self.roots = roots.into_iter().collect::<Result<_, _>>()?;
        Ok(all_kin)
    }

    /// The size of what is to be written of `batch`, and who in it has kin.
    fn look_at(&self, batch: &Batch<'r>, readers: &mut Readers<'r>) -> Result<Prepared, StageError> {
        let Output { root, store, .. } = self.outputs[batch.output];
        let known = &self.known[batch.output];
        let (mut size, mut kin) = (0_u64, Vec::new());
        let entries = (batch.first..).zip(batch.entries);
        for (index, entry) in entries.filter(|(index, _)| known.holder(*index).is_none()) {
            let reader = &mut *readers[store];
            size = size.saturating_add(reader.size(root, entry)?);
            kin.extend(reader.kin(entry).map(|kin| (index, kin)));
        }
        Ok(Prepared::Look { output: batch.output, size, kin })
    }

    /// Does `act` for every task, on every core, and returns what it returns for each, in their order.
    fn for_each<I: Sync, T: Send>(
        &self,
        tasks: &[I],
        act: impl Fn(&I, &mut Readers<'r>) -> Result<T, StageError> + Sync,
    ) -> Result<Vec<T>, StageError> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let outcome = Mutex::new(Ok(Vec::with_capacity(tasks.len())));
        let work = || {
            let mut readers: Readers<'r> = self.contents.iter().map(|contents| contents.reader()).collect();
            let mut mine = Vec::new();
            let result = loop {
                if failed.load(Ordering::Relaxed) {
                    break Ok(());
                }
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(task) = tasks.get(index) else { break Ok(()) };
                if self.progress.is_interrupted() {
                    break Err(StageError::Interrupted);
                }
                match act(task, &mut readers) {
                    Ok(done) => mine.push((index, done)),
                    Err(error) => break Err(error),
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
        // Those that wait for a filter of git learn nothing of an interruption.
        let is_interrupted = || self.progress.is_interrupted();
        with_stoppable_programs(&is_interrupted, || on_every_core(tasks.len(), work));
        let mut all = outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)?;
        all.sort_unstable_by_key(|(index, _)| *index);
        Ok(all.into_iter().map(|(_, done)| done).collect())
    }

    fn write_batch(&self, batch: &Batch<'r>, reader: &mut dyn Reader) -> Result<Vec<Written>, StageError> {
        let output = &self.outputs[batch.output];
        let known = &self.known[batch.output];
        let opened;
        let to = match &self.roots[batch.output] {
            None => output.dir,
            Some(root) if batch.directory.is_empty() => root,
            Some(root) => {
                opened = root.descend(on_disk(batch.directory))?;
                &opened
            }
        };
        let from = known.directories(output, batch);
        let mut bytes = 0;
        let mut written = Vec::with_capacity(batch.entries.len());
        for (index, entry) in (batch.first..).zip(batch.entries) {
            let name = match &self.roots[batch.output] {
                None => Path::new(output.name),
                Some(_) => on_disk(split(entry.path.as_bstr()).1),
            };
            let holder = known.holder(index);
            let from = holder.and_then(|holder| Some((output.previous[holder].0, from[holder].as_ref()?)));
            let file = self.write_one(batch.output, reader, (from, to), name, entry)?;
            bytes += file.size;
            written.push(file);
        }
        self.progress.advance(batch.entries.len() as u64, bytes);
        Ok(written)
    }

    /// Writes one file or link, or shares it with that of an earlier version in `from`.
    fn write_one(
        &self,
        index: usize,
        reader: &mut dyn Reader,
        (from, to): (Option<(&Previous, &Dir)>, &Dir),
        name: &Path,
        entry: &Entry,
    ) -> Result<Written, StageError> {
        let output = &self.outputs[index];
        if let Some((previous, from)) = from {
            let size = reader.size(output.root, entry)?;
            let wanted = Shareable { mode: entry.mode, id: entry.id, size, previous };
            let clones = &self.clones[&self.devices[index]];
            if let Some(mtime) = share(output.sharing, clones, from, to, name, &wanted)? {
                return Ok(Written { id: entry.id, size, mtime: Some(mtime) });
            }
        }
        if entry.mode == Mode::Symlink {
            let mut text = Vec::new();
            reader.read(output.root, entry, &mut |bytes| {
                text.extend_from_slice(bytes);
                Ok(())
            })?;
            if output.mode == Mode::Symlink && !text.starts_with(b"/") {
                text.splice(..0, output.link_prefix.bytes());
            }
            to.symlink(on_disk(&text), name)?;
            let id = blob_id(entry.id.kind(), &text);
            return Ok(Written { id, size: text.len() as u64, mtime: None });
        }
        let mut file = to.create_file(name, permissions(entry.mode, output.sharing == Sharing::Copy))?;
        let (size, id) = reader.read(output.root, entry, &mut |bytes| file.write(bytes))?;
        file.set_mtime(output.mtime)?;
        Ok(Written { id, size, mtime: Some(output.mtime) })
    }
}

/// Which entries of an output earlier versions hold too, under the same path and with the same bytes.
struct Known {
    /// By the entry's index, the number of the version that holds it; empty where nothing is shared.
    holders: Vec<Option<u8>>,
}

impl Known {
    fn new(output: &Output<'_>) -> Self {
        let mut holders = Vec::new();
        if output.sharing == Sharing::Copy {
            return Self { holders };
        }
        for (number, (previous, _)) in (0_u8..).zip(&output.previous) {
            if previous.record.writable {
                continue;
            }
            holders.resize(output.entries.len(), None);
            // Both are sorted by path.
            let mut files = previous.files.files().iter().peekable();
            for (entry, holder) in output.entries.iter().zip(&mut holders) {
                while files.next_if(|file| file.path < entry.path).is_some() {}
                let file = files.next_if(|file| file.path == entry.path);
                let is_same = file.is_some_and(|file| file.id == entry.id && file.mode == entry.mode);
                if is_same && entry.is_stored_as_is() && entry.mode != Mode::Symlink {
                    holder.get_or_insert(number);
                }
            }
        }
        Self { holders }
    }

    /// The number of the version that holds the entry of this index.
    fn holder(&self, index: usize) -> Option<usize> {
        self.holders.get(index).copied().flatten().map(usize::from)
    }

    /// By the versions' numbers, the directories that correspond to the batch's, as far as there is something in them to
    /// share.
    fn directories(&self, output: &Output<'_>, batch: &Batch<'_>) -> Vec<Option<Dir>> {
        let open = |number: usize| {
            let (previous, versions) = output.previous[number];
            let mut indices = batch.first..batch.first + batch.entries.len();
            if !indices.any(|index| self.holder(index) == Some(number)) {
                return None;
            }
            let root = versions.descend(Path::new(&previous.name.to_string())).ok()?;
            // Whatever is in the way there, the file is written afresh.
            root.descend(on_disk(batch.directory)).ok()
        };
        (0..output.previous.len()).map(open).collect()
    }
}
