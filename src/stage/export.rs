//! Staging many versions at once: their files are written, their records filled.

use std::path::Path;
use std::sync::Arc;

use bstr::{BStr, BString, ByteSlice as _};

use super::share::Sharing;
use super::write::{Output, Written, split, write};
use super::{Content, Progress, StageError, Staged, StagingFolder, content_of};
use crate::disk::{Dir, on_disk};
use crate::source::git::blob_id;
use crate::source::{Contents, Entry, HashKind, Mode};
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
    let names: Vec<String> = exports.iter().map(|export| export.folder.next_name()).collect();
    let kept: Vec<Vec<Entry>> = exports.iter().map(entries_to_write).collect();
    let output = |((export, name), entries)| {
        let Export { content, folder, .. }: &Export = export;
        let name: &String = name;
        let entries: &Vec<Entry> = entries;
        Output {
            dir: &folder.folder,
            name,
            mode: content.mode,
            root: content.listing.root.as_bstr(),
            entries,
            store: content.store,
            directories: &export.shared,
            sharing: export.sharing,
            previous: export.previous.as_ref().map(|previous| (previous, &folder.versions)),
            // A version stands one folder below its destination, from where users follow it.
            link_prefix: "../",
            mtime: export.mtime,
        }
    };
    let outputs: Vec<Output<'_>> = exports.iter().zip(&names).zip(&kept).map(output).collect();
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
    let output = Output {
        dir,
        name,
        mode: content.mode,
        root: content.listing.root.as_bstr(),
        entries: &content.listing.entries,
        store: content.store,
        directories: &[],
        sharing: Sharing::Copy,
        previous: None,
        link_prefix: "",
        mtime,
    };
    write(&[output], contents, progress)?;
    Ok(())
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
    let mut files: Vec<ListedFile> = written.into_iter().map(|file| file.file).collect();
    if content.mode == Mode::Directory {
        for path in &shared {
            let depth = path.matches('/').count() + 2;
            let text = format!("{}shared/{}/{path}", "../".repeat(depth), destination.base());
            let (parent, name) = split(BStr::new(path.as_bytes()));
            let root = folder.folder.descend(Path::new(&inner))?;
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
