//! Finding and reading the project's files, at the revision or on disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};

use super::{Base, MANIFEST, ProjectError};
use crate::disk::{Shown, on_disk};
use crate::environment::{EnvironmentFile, Files};
use crate::manifest::{Manifest, Parsed};
use crate::source::git::{Repository, Snapshot};

/// Largest manifest that is read, in bytes.
const MANIFEST_LIMIT: u64 = 16 << 20;
/// Largest environment file that is read, in bytes.
const ENVIRONMENT_LIMIT: u64 = 1 << 20;

/// Where manifest and environment file are read from.
#[allow(clippy::large_enum_variant)] // there is one in a run
pub(super) enum FileReader<'r> {
    Revision(Snapshot<'r>),
    Disk(PathBuf),
    /// Files that were read before.
    Kept(Vec<EnvironmentFile>),
}

impl FileReader<'_> {
    /// The content of the file at `path`, if it is one; larger than `limit` bytes is an error.
    pub(super) fn read(&self, path: &BStr, limit: u64) -> Result<Option<Vec<u8>>, ProjectError> {
        match self {
            Self::Revision(snapshot) => Ok(snapshot.file(path, limit)?),
            Self::Kept(files) => {
                let kept = files.iter().find(|file| file.path.as_bytes() == path.as_bytes());
                Ok(kept.map(|file| file.content.clone()))
            }
            Self::Disk(top) => {
                let path = top.join(on_disk(path));
                let dir = match crate::disk::Dir::open(path.parent().unwrap_or(top)) {
                    Ok(dir) => dir,
                    Err(error) if error.is_not_found() => return Ok(None),
                    Err(error) => return Err(error.into()),
                };
                match dir.read_file(path.file_name().unwrap_or_default(), limit) {
                    Ok(bytes) => Ok(Some(bytes)),
                    Err(error) if error.is_not_found() => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

/// The path of the manifest below the base, its bytes, and the manifest.
pub(super) fn find_manifest(
    reader: &FileReader<'_>,
    base: &Base,
    from: BString,
    named: Option<&str>,
) -> Result<(BString, Vec<u8>, Parsed), ProjectError> {
    let from = match named {
        Some(path) => {
            BString::from(path.trim_start_matches("./").rsplit_once('/').map_or("", |(folder, _)| folder))
        }
        None => from,
    };
    let file = named.map_or(MANIFEST, |path| path.rsplit('/').next().unwrap_or(path));
    let mut folder = from.clone();
    loop {
        let path = below(folder.as_bstr(), file);
        if let Some(bytes) = reader.read(path.as_bstr(), MANIFEST_LIMIT)? {
            let parsed = Manifest::parse(&Shown(on_disk(&path)).to_string(), &bytes)
                .map_err(|source| ProjectError::Manifest { at: base.to_string(), source })?;
            return Ok((path, bytes, parsed));
        }
        if folder.is_empty() || named.is_some() {
            let top = match base {
                Base::Git { repository, .. } => repository.workdir(),
                Base::Folder(_) => None,
            };
            let uncommitted = top.is_some_and(|top| top.join(on_disk(&from)).join(file).is_file());
            return Err(ProjectError::NoManifest { at: base.to_string(), folder: from, uncommitted });
        }
        let end = folder.rfind_byte(b'/').unwrap_or(0);
        folder.truncate(end);
    }
}

/// The folder of `start` in the repository; empty at the top, in a bare repository and inside `.git`.
pub(super) fn folder_of(repository: &Repository, start: &Path) -> BString {
    use std::os::unix::ffi::OsStrExt as _;
    let inside = || {
        let top = repository.workdir()?.canonicalize().ok()?;
        let start = start.canonicalize().ok()?;
        let git_dir = repository.git_dir().canonicalize().ok()?;
        if start.starts_with(git_dir) {
            return None;
        }
        Some(BString::from(start.strip_prefix(top).ok()?.as_os_str().as_bytes()))
    };
    inside().unwrap_or_default()
}

pub(super) fn below(folder: &BStr, name: &str) -> BString {
    let mut path = folder.to_owned();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name.as_bytes());
    path
}

/// Environment files: `distman.env` beside dist.json; what it includes, beside it and then along `ENVPATH` on the
/// disk.
pub(super) struct ProjectFiles<'a> {
    pub(super) reader: &'a FileReader<'a>,
    pub(super) folder: &'a BStr,
    pub(super) process: &'a BTreeMap<String, OsString>,
    /// Those of the project that were found.
    pub(super) found: RefCell<Vec<EnvironmentFile>>,
}

impl<'a> ProjectFiles<'a> {
    pub(super) fn new(
        reader: &'a FileReader<'a>,
        folder: &'a BStr,
        process: &'a BTreeMap<String, OsString>,
    ) -> Self {
        Self { reader, folder, process, found: RefCell::default() }
    }
}

impl Files for ProjectFiles<'_> {
    fn find(
        &self,
        name: &str,
        included_from: Option<&str>,
    ) -> Result<Vec<EnvironmentFile>, Box<dyn std::error::Error + Send + Sync>> {
        let mut found = Vec::new();
        let path = below(self.folder, name);
        let is_in_project = included_from.is_none_or(|path| !path.starts_with('/'));
        if is_in_project && let Some(content) = self.reader.read(path.as_bstr(), ENVIRONMENT_LIMIT)? {
            found.push(EnvironmentFile { path: path.to_string(), content });
            self.found.borrow_mut().extend(found.last().cloned());
        }
        let Some(including) = included_from else { return Ok(found) };
        let beside = Path::new(including).parent().filter(|_| !is_in_project).map(Path::to_owned);
        let along = self.process.get("ENVPATH").map(std::env::split_paths).into_iter().flatten();
        for directory in beside.into_iter().chain(along).filter(|directory| directory.is_absolute()) {
            let path = directory.join(name);
            match crate::disk::read_file(&path, ENVIRONMENT_LIMIT) {
                Ok(content) => found.push(EnvironmentFile { path: path.display().to_string(), content }),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(found)
    }
}
