//! Looking at a whole version, folder by folder and on every core: listed files are compared, and what is on disk and
//! in no listing is found.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bstr::{BString, ByteSlice as _};

use super::compare::{Comparison, UNREADABLE, wrong};
use super::{Checked, Difference, FileListing, ListedFile};
use crate::disk::{Dir, DiskError, on_disk};
use crate::parallel::on_every_core;
use crate::source::git::{ObjectId, tree_id};

/// Files of one folder that one thread takes at a time.
const BATCH: usize = 64;

/// Compares the version in `root` with its `listing`, and that with the id of the tree that it is to be.
pub(super) fn look(
    root: &Dir,
    listing: &FileListing,
    content: ObjectId,
    comparison: Comparison<'_>,
    checked: &mut Checked,
) {
    let folders = folders(listing.files());
    let parts: Vec<Part<'_>> = folders.iter().flat_map(Folder::parts).collect();
    let next = AtomicUsize::new(0);
    let all = Mutex::new(checked);
    on_every_core(parts.len() + 1, || {
        let mut mine = Checked::default();
        loop {
            match next.fetch_add(1, Ordering::Relaxed) {
                // The longest piece of work comes first.
                0 if content != tree_id(comparison.kind, &listing.tree_entries()) => {
                    mine.differences.push(Difference::of_all("its listing was changed"));
                }
                0 => {}
                part => match parts.get(part - 1) {
                    Some(part) => part.look(root, comparison, &mut mine),
                    None => break,
                },
            }
        }
        all.lock().unwrap_or_else(PoisonError::into_inner).join(mine);
    });
}

/// A folder of a version, as its listing has it.
struct Folder<'l> {
    /// Its path in the version, empty for the version itself.
    path: &'l [u8],
    /// The files in it, sorted by name.
    files: Vec<&'l ListedFile>,
    /// The names of the folders in it, sorted.
    folders: Vec<&'l [u8]>,
}

/// Some files of a folder, which are looked at together.
struct Part<'l> {
    folder: &'l Folder<'l>,
    files: Range<usize>,
}

/// The folders that hold `files`, which are sorted by path; the version itself comes first.
fn folders(files: &[ListedFile]) -> Vec<Folder<'_>> {
    let folder = |path| Folder { path, files: Vec::new(), folders: Vec::new() };
    let mut folders = vec![folder(&[][..])];
    // The way down to the folder of the file before. What lies below a folder is not interrupted by anything else.
    let mut way: Vec<usize> = Vec::new();
    for file in files {
        let parent = &file.path[..file.path.rfind_byte(b'/').unwrap_or(0)];
        let mut here = loop {
            match way.last() {
                Some(last) if !is_below(parent, folders[*last].path) => drop(way.pop()),
                Some(last) => break *last,
                None => break 0,
            }
        };
        while folders[here].path.len() < parent.len() {
            let start = if here == 0 { 0 } else { folders[here].path.len() + 1 };
            let end = parent[start..].find_byte(b'/').map_or(parent.len(), |end| start + end);
            folders[here].folders.push(&parent[start..end]);
            here = folders.len();
            folders.push(folder(&parent[..end]));
            way.push(here);
        }
        folders[here].files.push(file);
    }
    for folder in &mut folders {
        folder.folders.sort_unstable();
    }
    folders
}

/// True if `path` is `above` or lies below it.
fn is_below(path: &[u8], above: &[u8]) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The name at the end of `path`.
fn name_of(path: &[u8]) -> &[u8] {
    &path[path.rfind_byte(b'/').map_or(0, |end| end + 1)..]
}

impl Folder<'_> {
    fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        // At least one, which also looks at the folder itself.
        let starts = (0..self.files.len().max(1)).step_by(BATCH);
        starts.map(|start| Part { folder: self, files: start..(start + BATCH).min(self.files.len()) })
    }

    /// The path of what is called `name` in it.
    fn join(&self, name: &[u8]) -> BString {
        if self.path.is_empty() { name.into() } else { [self.path, b"/", name].concat().into() }
    }

    /// True if something stands where it is to be: a folder that is not there is missing with each of its files.
    fn stands(&self, root: &Dir) -> bool {
        let name = name_of(self.path);
        let above = &self.path[..(self.path.len() - name.len()).saturating_sub(1)];
        let stat = root.descend(on_disk(above)).and_then(|above| above.stat(on_disk(name)));
        stat.is_ok_and(|stat| stat.is_some())
    }

    /// Finds what is in `dir` and in no listing.
    fn find_extra(&self, dir: &Dir, checked: &mut Checked) -> Result<(), DiskError> {
        use std::os::unix::ffi::OsStrExt as _;
        let is_listed = |name: &[u8]| {
            self.files.binary_search_by(|file| name_of(&file.path).cmp(name)).is_ok()
                || self.folders.binary_search(&name).is_ok()
        };
        for name in dir.names()?.iter().filter(|name| !is_listed(name.as_os_str().as_bytes())) {
            let path = self.join(name.as_os_str().as_bytes());
            if is_leftover(name) {
                checked.leftovers.push(path);
            } else {
                checked.differences.push(Difference { path, what: "is not in git" });
            }
        }
        // Setgid comes from the folder that it is in.
        if dir.stat(".")?.is_some_and(|stat| stat.mode & 0o5002 != 0) {
            let what = "mode: writable for everybody, setuid or sticky";
            checked.differences.push(Difference { path: self.path.into(), what });
        }
        Ok(())
    }
}

impl Part<'_> {
    fn look(&self, root: &Dir, comparison: Comparison<'_>, checked: &mut Checked) {
        let Self { folder, files } = self;
        let (is_first, files) = (files.start == 0, &folder.files[files.clone()]);
        let is_missing = |error: &DiskError| error.is_not_found() || error.is_a_link();
        let opened = root.descend(on_disk(folder.path));
        let found = match &opened {
            Ok(dir) if is_first => folder.find_extra(dir, checked),
            _ => Ok(()),
        };
        let trouble =
            found.as_ref().err().or(opened.as_ref().err().filter(|_| is_first && folder.stands(root)));
        if let Some(error) = trouble {
            let what = if is_missing(error) { "is of another kind" } else { UNREADABLE };
            checked.differences.push(Difference { path: folder.path.into(), what });
        }
        for file in files {
            let seen = match &opened {
                Ok(dir) => comparison.at(dir, on_disk(name_of(&file.path)), file),
                // The folder is gone, or something else stands in its place.
                Err(error) if is_missing(error) => wrong("missing"),
                Err(_) => wrong(UNREADABLE),
            };
            checked.add(file, seen);
        }
    }
}

/// True for what programs and desktops leave behind where they run.
fn is_leftover(name: &Path) -> bool {
    let name = name.to_string_lossy();
    name == "__pycache__"
        || name == ".DS_Store"
        || name == "Thumbs.db"
        || name.starts_with(".nfs")
        || name.ends_with(".pyc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::{HashKind, Mode};

    #[test]
    fn folders_are_found_whatever_stands_between_their_files() {
        // As bytes, `-` and `.` come before `/`.
        let paths = ["a-b/c", "a", "b/c/d/e", "b/c-d", "b/c/a", "b.txt", "b/z", "x/y/z", "b-c"];
        let id = ObjectId::null(HashKind::Sha1);
        let file = |path: &&str| ListedFile { mode: Mode::File, id, path: (*path).into() };
        let listing = FileListing::new(paths.iter().map(file).collect());
        let found = folders(listing.files());
        let text = |names: Vec<&[u8]>| names.join(&b' ').to_str().unwrap().to_owned();
        let shown: Vec<String> = found
            .iter()
            .map(|folder| {
                let files = folder.files.iter().map(|file| name_of(&file.path)).collect();
                format!("{}: {} / {}", folder.path.as_bstr(), text(files), text(folder.folders.clone()))
            })
            .collect();
        assert_eq!(
            shown,
            [
                ": a b-c b.txt / a-b b x",
                "a-b: c / ",
                "b: c-d z / c",
                "b/c: a / d",
                "b/c/d: e / ",
                "x:  / y",
                "x/y: z / ",
            ]
        );
    }
}
