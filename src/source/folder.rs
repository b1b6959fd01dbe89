//! A folder on disk as a source: build products that are not committed, what a pipeline made, a folder outside
//! git.
//!
//! Nothing is followed: a link is deployed as the link it is.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};

use super::git::{BlobHasher, blob_id};
use super::{Contents, Entry, Handle, HashKind, Listing, Mode, ObjectId, Piece, Reader, SourceError};
use crate::disk::{Dir, DiskError, Kind, Shown, on_disk};

/// Why a folder could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A pattern of what to leave out is not valid.
    #[error("cannot read the patterns of what to leave out")]
    Pattern(#[source] globwalk::GlobError),
    /// Something in the folder could not be looked at.
    #[error("cannot list `{}`", Shown(path))]
    Walk {
        /// The folder.
        path: PathBuf,
        /// What the walker said.
        #[source]
        source: globwalk::WalkError,
    },
    /// A pipe, socket or device, which has no content.
    #[error("`{}` is no file, directory or link", Shown(.0))]
    Special(PathBuf),
}

/// What distman leaves out of a working tree unless `--all` is given (its `IGNORABLE`), matched on names inside the
/// target only.
pub const JUNK: [&str; 19] = [
    "*~",
    ".git*",
    ".distman",
    ".venv",
    "*.bup",
    "*.bak",
    "*.orig",
    "*.lock",
    "*.swp",
    "*.temp*",
    "*.tmp",
    "venv*",
    "MANIFEST*",
    "__pycache__",
    "Thumbs.db",
    ".DS_Store",
    ".idea",
    ".vscode",
    ".gitmodules",
];

/// A listed file, directory or link on disk.
#[derive(Debug)]
pub struct Folder {
    /// What it is itself.
    pub mode: Mode,
    /// What it holds.
    pub listing: Listing,
    /// Pipes, sockets and devices, which were left out.
    pub special: Vec<PathBuf>,
    contents: FolderContents,
}

/// Where the bytes of a [`Folder`] are.
#[derive(Debug)]
pub struct FolderContents {
    /// The directory, or the one that holds the file or link.
    dir: Dir,
    /// The name of a single file or link in it.
    name: Option<PathBuf>,
}

impl Folder {
    /// Lists `path`, leaving out what the patterns `ignore` match (in the syntax of `.gitignore`), and hashes every
    /// file as git would.
    ///
    /// # Errors
    /// When something cannot be read, or a pattern is not valid.
    pub fn list(path: &Path, kind: HashKind, ignore: &[String]) -> Result<Self, SourceError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = PathBuf::from(path.file_name().unwrap_or_default());
        let holder = Dir::open(parent)?;
        let stat = if name.as_os_str().is_empty() { None } else { holder.stat(&name)? };
        let root = BString::from(path.as_os_str().as_bytes());
        let listing = Listing { root, ..Listing::default() };
        let mode = match stat.map(|stat| stat.kind) {
            Some(Kind::File | Kind::Symlink) => {
                let mut folder = Self {
                    mode: Mode::File,
                    listing,
                    special: Vec::new(),
                    contents: FolderContents { dir: holder, name: Some(name.clone()) },
                };
                folder.add(BString::default(), kind)?;
                folder.mode = folder.listing.entries.first().map_or(Mode::File, |entry| entry.mode);
                return Ok(folder);
            }
            Some(Kind::Other) => return Err(FolderError::Special(path.to_owned()).into()),
            Some(Kind::Directory) | None => Mode::Directory,
        };
        let contents = FolderContents { dir: Dir::open(path)?, name: None };
        let mut folder = Self { mode, listing, special: Vec::new(), contents };
        for below in walk(path, ignore)? {
            folder.add(below, kind)?;
        }
        Ok(folder)
    }

    /// The bytes.
    pub fn into_contents(self) -> FolderContents {
        self.contents
    }

    /// Adds what stands at `below`, unless it is a directory.
    fn add(&mut self, below: BString, kind: HashKind) -> Result<(), SourceError> {
        let (dir, name) = self.contents.place(below.as_bstr())?;
        let Some(stat) = dir.stat(&name)? else { return Ok(()) };
        let (mode, id) = match stat.kind {
            Kind::Directory => return Ok(()),
            Kind::Other => {
                self.special.push(dir.join(&name));
                return Ok(());
            }
            Kind::Symlink => {
                let text = dir.read_link(&name)?.unwrap_or_default();
                (Mode::Symlink, blob_id(kind, text.as_os_str().as_bytes()))
            }
            Kind::File => {
                let mode = if stat.mode & 0o100 == 0 { Mode::File } else { Mode::Executable };
                (mode, hash(&dir.open_file(&name)?, stat.size, kind, &dir.join(&name))?)
            }
        };
        self.listing.entries.push(Entry { path: below, mode, id, handle: Handle::default() });
        Ok(())
    }
}

/// Paths below `path` that no pattern leaves out, sorted.
fn walk(path: &Path, ignore: &[String]) -> Result<Vec<BString>, SourceError> {
    let patterns: Vec<String> =
        std::iter::once("**".to_owned()).chain(ignore.iter().map(|pattern| format!("!{pattern}"))).collect();
    // The walker takes `./` away from the path but not from what it finds below, and then panics.
    let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let walker = globwalk::GlobWalkerBuilder::from_patterns(path, &patterns)
        .follow_links(false)
        .build()
        .map_err(FolderError::Pattern)?;
    let mut paths = Vec::new();
    for entry in walker {
        let entry = entry.map_err(|source| FolderError::Walk { path: path.to_owned(), source })?;
        if let Ok(below) = entry.path().strip_prefix(path)
            && !below.as_os_str().is_empty()
        {
            paths.push(BString::from(below.as_os_str().as_bytes()));
        }
    }
    paths.sort();
    Ok(paths)
}

/// The id git would give to a blob of the file's bytes, `size` of them. Of a file that grows meanwhile no more is read.
///
/// # Errors
/// When the file cannot be read.
pub fn hash(file: &File, size: u64, kind: HashKind, path: &Path) -> Result<ObjectId, DiskError> {
    let mut hasher = BlobHasher::new(kind, size);
    let mut file = file.take(size.saturating_add(1));
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(usize::MAX).clamp(1, 1 << 18)];
    loop {
        let read = file.read(&mut buffer);
        match read.map_err(|source| DiskError { act: "read", path: path.to_owned(), source })? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

impl FolderContents {
    /// The open directory and the name in it of what is at `below`.
    fn place(&self, below: &BStr) -> Result<(Dir, PathBuf), DiskError> {
        if let Some(name) = &self.name {
            return Ok((self.dir.descend(Path::new(""))?, name.clone()));
        }
        let (parent, name) = match below.rfind_byte(b'/') {
            Some(end) => (&below[..end], &below[end + 1..]),
            None => (BStr::new(""), below),
        };
        Ok((self.dir.descend(on_disk(parent))?, on_disk(name).to_owned()))
    }
}

impl Contents for FolderContents {
    fn reader(&self) -> Box<dyn Reader + '_> {
        Box::new(FolderReader { contents: self, bytes: Vec::new() })
    }
}

struct FolderReader<'c> {
    contents: &'c FolderContents,
    bytes: Vec<u8>,
}

impl Reader for FolderReader<'_> {
    fn read(
        &mut self,
        _root: &BStr,
        entry: &Entry,
        write: &mut Piece<'_>,
    ) -> Result<(u64, ObjectId), SourceError> {
        let (dir, name) = self.contents.place(entry.path.as_bstr())?;
        self.bytes.clear();
        if entry.mode == Mode::Symlink {
            let text = dir.read_link(&name)?.unwrap_or_default();
            self.bytes.extend_from_slice(text.as_os_str().as_bytes());
        } else {
            let path = dir.join(&name);
            let read = dir.open_file(&name)?.read_to_end(&mut self.bytes);
            read.map_err(|source| DiskError { act: "read", path, source })?;
        }
        // The file may have changed since it was listed: what is written is what is hashed.
        write(&self.bytes)?;
        Ok((self.bytes.len() as u64, blob_id(entry.id.kind(), &self.bytes)))
    }

    fn size(&mut self, _root: &BStr, entry: &Entry) -> Result<u64, SourceError> {
        let (dir, name) = self.contents.place(entry.path.as_bstr())?;
        Ok(dir.stat(&name)?.map_or(0, |stat| stat.size))
    }
}
