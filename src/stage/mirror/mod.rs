//! Copies of versions of another root: staged file by file, with every byte hashed on its way.
//!
//! Reading there may be slow, so that there are as many threads as one asks for, and what an earlier copy holds is shared
//! with that. What is there is not trusted: a file that is not what its listing says ends the copy.

mod error;
mod found;
mod write;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bstr::{BStr, BString, ByteSlice as _};

use super::share::Clones;
use super::write::split;
use super::{Previous, Progress, Sealed, StageError, StagingFolder, shared};
use crate::disk::{Dir, Kind, on_disk};
use crate::parallel::on_threads;
use crate::source::Mode;
use crate::source::git::ObjectId;
use crate::version::{Destination, FileListing, ListedFile, Record, VersionName};

pub use error::{CopyError, Damage};
pub use found::{FoundFile, find_files, is_same};

/// A version of another root that is copied.
#[derive(Debug)]
pub struct Original<'s> {
    /// The `versions/` folder it is in.
    pub versions: &'s Dir,
    /// Its name, which the copy has too.
    pub name: VersionName,
    /// What it holds.
    pub holds: Holds,
    /// The destination that the copy is for.
    pub destination: Destination,
    /// The staging folder of this run beside it.
    pub folder: Arc<StagingFolder>,
}

/// What an original holds, and the earlier copy that files are shared with.
#[derive(Debug)]
pub enum Holds {
    /// What its record and listing say.
    Recorded {
        /// The record.
        record: Box<Record>,
        /// The files; one with an empty path where the version is no folder.
        files: FileListing,
        /// The earlier copy.
        previous: Option<Box<Previous>>,
    },
    /// What was found, because distman made it and nothing says more.
    Found {
        /// The files and folders; one with an empty path where the version is no folder.
        files: Vec<FoundFile>,
        /// The earlier copy, which nothing says more of either.
        previous: Option<VersionName>,
    },
}

/// What copying came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files and links that were read from the other root.
    pub files: u64,
    /// Bytes that were read from there.
    pub bytes: u64,
    /// Files that an earlier copy held.
    pub shared: u64,
}

/// One file or link of an original.
#[derive(Clone, Copy)]
enum File<'o> {
    Listed(&'o ListedFile, &'o Record),
    Found(&'o FoundFile),
}

impl File<'_> {
    fn path(&self) -> &BStr {
        match self {
            Self::Listed(file, _) => file.path.as_bstr(),
            Self::Found(file) => file.path.as_bstr(),
        }
    }
}

/// Files of one folder of one original, copied by one thread.
struct Batch<'o> {
    original: usize,
    directory: &'o BStr,
    files: Vec<File<'o>>,
}

/// Files per batch: few, since each may take long to come.
const BATCH: usize = 16;

/// What one thread copied.
#[derive(Default)]
struct Tally {
    copied: Copied,
    /// Times of files, with the index of their original.
    mtimes: BTreeSet<(usize, i64)>,
}

impl Original<'_> {
    /// True if it is a folder.
    fn is_folder(&self) -> bool {
        match &self.holds {
            Holds::Recorded { record, .. } => Mode::parse(&record.mode) == Some(Mode::Directory),
            Holds::Found { files, .. } => files.first().is_none_or(|file| !file.path.is_empty()),
        }
    }

    fn files(&self) -> Vec<File<'_>> {
        match &self.holds {
            Holds::Recorded { record, files, .. } => {
                files.files().iter().map(|file| File::Listed(file, record)).collect()
            }
            Holds::Found { files, .. } => {
                let is_file = |file: &&FoundFile| file.stat.kind != Kind::Directory;
                files.iter().filter(is_file).map(File::Found).collect()
            }
        }
    }

    /// Bytes that will be written at most, where nothing is shared; nothing is known where something is.
    fn needs(&self) -> u64 {
        match &self.holds {
            Holds::Recorded { record, previous: None, .. } => record.bytes,
            Holds::Found { files, previous: None } => files.iter().map(|file| file.stat.size).sum(),
            _ => 0,
        }
    }

    /// Makes the folder itself and those in it.
    fn make_folders(&self, inner: &str) -> Result<Option<Dir>, StageError> {
        if !self.is_folder() {
            return Ok(None);
        }
        self.folder.folder.make_dir(inner)?;
        let root = self.folder.folder.descend(Path::new(inner))?;
        let mut folders: BTreeSet<&BStr> = BTreeSet::new();
        let mut add = |path| {
            let path: &BStr = path;
            folders.extend(path.find_iter("/").map(|end| path[..end].as_bstr()));
        };
        self.files().iter().for_each(|file| match file {
            File::Listed(file, _) => add(file.path.as_bstr()),
            File::Found(file) => add(file.path.as_bstr()),
        });
        if let Holds::Found { files, .. } = &self.holds {
            let is_folder = |file: &&FoundFile| file.stat.kind == Kind::Directory;
            folders.extend(files.iter().filter(is_folder).map(|file| file.path.as_bstr()));
        }
        for folder in folders {
            let (parent, name) = split(folder);
            root.descend(on_disk(parent))?.make_dir(on_disk(name))?;
        }
        Ok(Some(root))
    }
}

/// Copies all of `originals` in so many threads. On an error nothing of them is visible, and the staging folders go with
/// the last reference to them.
///
/// # Errors
/// When an original is not what is said of it, cannot be read, or will not fit.
pub fn copy(
    originals: Vec<Original<'_>>,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(Vec<Sealed>, Copied), CopyError> {
    check_space(&originals)?;
    let names: Vec<String> = originals.iter().map(|original| original.folder.next_name()).collect();
    let mut roots = Vec::new();
    for (original, name) in originals.iter().zip(&names) {
        roots.push(original.make_folders(name)?);
    }
    let all: Vec<Vec<File<'_>>> = originals.iter().map(Original::files).collect();
    progress.start(all.iter().map(|files| files.len() as u64).sum());
    let mut batches = Vec::new();
    for (index, files) in all.iter().enumerate() {
        let same_folder = |a: &File<'_>, b: &File<'_>| split(a.path()).0 == split(b.path()).0;
        for group in files.chunk_by(same_folder) {
            let directory = split(group[0].path()).0;
            let files = group.chunks(BATCH);
            batches.extend(files.map(|files| Batch { original: index, directory, files: files.to_vec() }));
        }
    }
    let clones: Vec<Clones> = originals.iter().map(|_| Clones::default()).collect();
    let run = write::Run { originals: &originals, names: &names, roots: &roots, clones: &clones };
    let outcome =
        for_each(&batches, threads, progress, |batch, tally| run.copy_batch(batch, tally, progress));
    progress.finish();
    let tally = outcome?;
    drop(batches);
    drop(all);
    let mut sealed = Vec::new();
    for (index, (original, inner)) in originals.into_iter().zip(names).enumerate() {
        let of_it = (index, i64::MIN)..=(index, i64::MAX);
        sealed.push(seal(original, inner, tally.mtimes.range(of_it).map(|(_, mtime)| *mtime))?);
    }
    Ok((sealed, tally.copied))
}

/// Refuses before a byte is written what cannot fit.
fn check_space(originals: &[Original<'_>]) -> Result<(), StageError> {
    let mut needed: std::collections::BTreeMap<u64, (u64, &Dir)> = std::collections::BTreeMap::new();
    for original in originals {
        let dir = &original.folder.folder;
        let sum = &mut needed.entry(dir.device()?).or_insert((0, dir)).0;
        *sum = sum.saturating_add(original.needs());
    }
    for (needed, dir) in needed.into_values() {
        let free = dir.free_space()?;
        if needed > free {
            return Err(StageError::NoSpace { path: dir.path().to_owned(), needed, free });
        }
    }
    Ok(())
}

/// Does `act` for every batch, and adds up what comes of it. The first error is the one to tell.
fn for_each(
    batches: &[Batch<'_>],
    threads: usize,
    progress: &dyn Progress,
    act: impl Fn(&Batch<'_>, &mut Tally) -> Result<(), CopyError> + Sync,
) -> Result<Tally, CopyError> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let outcome = Mutex::new(Ok(Tally::default()));
    on_threads(threads.min(batches.len()), || {
        let mut mine = Tally::default();
        let result = loop {
            if failed.load(Ordering::Relaxed) {
                break Ok(());
            }
            let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else { break Ok(()) };
            if progress.is_interrupted() {
                break Err(StageError::Interrupted.into());
            }
            if let Err(error) = act(batch, &mut mine) {
                break Err(error);
            }
        };
        let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match (result, &mut *outcome) {
            (Ok(()), Ok(all)) => all.add(mine),
            (Err(error), Ok(_)) => {
                failed.store(true, Ordering::Relaxed);
                *outcome = Err(error);
            }
            (_, Err(_)) => {}
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    fn add(&mut self, mut other: Self) {
        self.copied.files += other.copied.files;
        self.copied.bytes += other.copied.bytes;
        self.copied.shared += other.copied.shared;
        self.mtimes.append(&mut other.mtimes);
    }
}

/// Writes record and listing, as far as the original has them, and gives its shared paths something to lead to.
fn seal(
    original: Original<'_>,
    inner: String,
    mtimes: impl Iterator<Item = i64>,
) -> Result<Sealed, StageError> {
    let is_folder = original.is_folder();
    let Original { name, holds, destination, folder, .. } = original;
    let write = |file: &str, bytes: &[u8]| folder.folder.create_file(file, 0o664)?.write(bytes);
    let (mut has_record, mut has_listing) = (false, false);
    if let Holds::Recorded { mut record, files, .. } = holds {
        record.mtimes.extend(mtimes);
        for path in &record.recipe.shared {
            shared::provide(&destination, path, None)?;
        }
        write(&format!("{inner}.json"), &record.to_bytes())?;
        if is_folder {
            write(&format!("{inner}.files"), files.to_text().as_bytes())?;
        }
        (has_record, has_listing) = (true, is_folder);
    }
    Ok(Sealed { folder, inner, destination, name, has_record, has_listing })
}

/// The files of the version of `record` in the folder `versions`, if record and listing agree; else what is wrong.
///
/// # Errors
/// When the listing cannot be read.
pub fn listed_files(versions: &Dir, record: &Record) -> Result<Result<FileListing, &'static str>, CopyError> {
    use crate::source::HashKind;
    use crate::source::git::tree_id;
    use crate::version::ListingError;
    let content = ObjectId::from_hex(record.content.as_bytes());
    let kind = if record.content.len() == 64 { HashKind::Sha256 } else { HashKind::Sha1 };
    Ok(match (Mode::parse(&record.mode), content) {
        (Some(Mode::Directory), Ok(content)) => match FileListing::read(versions, &record.version) {
            Ok(Some(files)) if content == tree_id(kind, &files.tree_entries()) => Ok(files),
            Ok(Some(_)) => Err("its listing was changed"),
            Ok(None) => Err("its listing is missing"),
            Err(ListingError::Damaged { .. }) => Err("its listing is damaged"),
            Err(ListingError::Disk(error)) => return Err(CopyError::Original(error)),
        },
        (Some(mode @ (Mode::File | Mode::Executable | Mode::Symlink)), Ok(id)) => {
            Ok(FileListing::new(vec![ListedFile { mode, id, path: BString::default() }]))
        }
        _ => Err("its record was changed"),
    })
}
