//! Staging many versions at once: their files are written, their records filled.

use std::path::Path;
use std::sync::Arc;

use bstr::{BString, ByteSlice as _};

use super::share::Sharing;
use super::shared;
use super::write::{Output, Written, write};
use super::{Content, LINK_PREFIX, Progress, StageError, Staged, StagingFolder, VERSION_DEPTH, content_of};
use crate::disk::Dir;
use crate::source::git::blob_id;
use crate::source::{Contents, Entry, HashKind, Mode};
use crate::version::{Destination, FileListing, ListedFile, ListingError, Record, Stored, VersionName};

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
    /// The versions to share with, the one that was listed last first.
    pub previous: Vec<Previous>,
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
    /// When its listing was written, by the time of the change: seconds since 1970 and nanoseconds.
    pub listed: (i64, u32),
}

impl Previous {
    /// The version `stored` in the folder `versions`; `None` if it cannot be told what files it has.
    ///
    /// # Errors
    /// When its listing cannot be read.
    pub fn read(versions: &Dir, stored: &Stored) -> Result<Option<Self>, ListingError> {
        let name = stored.name.to_string();
        let files = match FileListing::read(versions, &name) {
            // There is nothing to share with a version that one cannot tell the files of.
            Err(ListingError::Damaged { .. }) => None,
            files => files?,
        };
        let listed = versions.stat(FileListing::file_name(&name))?.map(|stat| stat.changed);
        let (Some(files), Some(listed), Some(record)) = (files, listed, stored.record.clone()) else {
            return Ok(None);
        };
        Ok(Some(Self { name: stored.name.clone(), record, files, listed }))
    }
}

/// Stages all of `exports`. On an error nothing of them is visible, and the staging folders go with the last
/// reference to them.
///
/// # Errors
/// When content cannot be read or written, or will not fit.
pub fn export(
    mut exports: Vec<Export>,
    contents: &[&dyn Contents],
    kind: HashKind,
    progress: &dyn Progress,
) -> Result<Vec<Staged>, StageError> {
    for export in &exports {
        if export.content.listing.entries.is_empty() && export.shared.is_empty() {
            return Err(StageError::Nothing { source_path: export.record.source.clone() });
        }
    }
    for export in exports.iter_mut().filter(|export| export.content.mode == Mode::Submodule) {
        // On disk a submodule is a directory like any other.
        export.content.mode = Mode::Directory;
        Mode::Directory.as_str().clone_into(&mut export.record.mode);
    }
    exports.iter().try_for_each(shared::check)?;
    let names: Vec<String> = exports.iter().map(|export| export.folder.next_name()).collect();
    let begun: Vec<Vec<Entry>> = exports.iter().map(shared::beginnings).collect::<Result<_, _>>()?;
    for Export { content, shared, .. } in &mut exports {
        content.listing.entries.retain(|entry| !shared::is_shared(shared, entry));
    }
    let begun_names: Vec<String> = names.iter().map(|name| begin_name(name)).collect();
    let output = |(export, name)| {
        let Export { content, folder, .. }: &Export = export;
        let name: &String = name;
        Output {
            dir: &folder.folder,
            name,
            mode: content.mode,
            root: content.listing.root.as_bstr(),
            entries: &content.listing.entries,
            store: content.store,
            directories: &export.shared,
            sharing: export.sharing,
            previous: export.previous.iter().map(|previous| (previous, &folder.versions)).collect(),
            link_prefix: LINK_PREFIX,
            mtime: export.mtime,
        }
    };
    let mut outputs: Vec<Output<'_>> = exports.iter().zip(&names).map(output).collect();
    for ((export, name), entries) in exports.iter().zip(&begun_names).zip(&begun) {
        if !entries.is_empty() {
            let plain = copy(&export.content, entries, &export.folder.folder, name, export.mtime);
            outputs.push(Output { mode: Mode::Directory, ..plain });
        }
    }
    let written = write(&outputs, contents, progress)?;
    drop(outputs);
    let results = written.into_iter().zip(exports).zip(names);
    results.map(|((written, export), name)| finish(export, name, written, kind)).collect()
}

/// Writes `content` as `name` into `dir`, outside of any version: for pipelines, which work on copies of their own.
///
/// # Errors
/// As [`export`].
pub fn copy_out(
    content: &Content,
    contents: &[&dyn Contents],
    dir: &Dir,
    name: &str,
    mtime: i64,
    progress: &dyn Progress,
) -> Result<(), StageError> {
    write(&[copy(content, &content.listing.entries, dir, name, mtime)], contents, progress)?;
    Ok(())
}

/// Some of `content` as plain files of their own, which may be written to.
fn copy<'o>(
    content: &'o Content,
    entries: &'o [Entry],
    dir: &'o Dir,
    name: &'o str,
    mtime: i64,
) -> Output<'o> {
    Output {
        dir,
        name,
        mode: content.mode,
        root: content.listing.root.as_bstr(),
        entries,
        store: content.store,
        directories: &[],
        sharing: Sharing::Copy,
        previous: Vec::new(),
        link_prefix: "",
        mtime,
    }
}

/// Where the data that shared paths begin with is written, beside the staged version `inner`.
fn begin_name(inner: &str) -> String {
    format!("{inner}.shared")
}

/// Links the shared paths in, and fills what the record could not know before.
fn finish(
    export: Export,
    inner: String,
    written: Vec<Written>,
    kind: HashKind,
) -> Result<Staged, StageError> {
    let Export { destination, folder, content, mut record, shared, .. } = export;
    record.mtimes = written.iter().filter_map(|file| file.mtime).collect();
    record.bytes = written.iter().map(|file| file.size).sum();
    let listed = |(entry, written): (Entry, Written)| ListedFile {
        mode: entry.mode,
        id: written.id,
        path: entry.path,
    };
    let mut files: Vec<ListedFile> = content.listing.entries.into_iter().zip(written).map(listed).collect();
    let begun = match folder.folder.descend(Path::new(&begin_name(&inner))) {
        Ok(begun) => Some(begun),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(begun) = &begun {
        // Data is never written a second time: it must be whole before it is found.
        begun.sync_filesystem()?;
    }
    for path in &shared {
        shared::provide(&destination, path, begun.as_ref())?;
        let text = shared::link_text(&destination, path, VERSION_DEPTH);
        let id = blob_id(kind, text.as_bytes());
        files.push(ListedFile { mode: Mode::Symlink, id, path: BString::from(path.as_str()) });
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
    let staged = Staged { folder, inner, destination, record, listing, shared };
    staged.link_shared(VERSION_DEPTH + 1)?;
    Ok(staged)
}
