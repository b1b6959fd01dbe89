//! A folder and everything below it, to compare and to show.

use std::fmt::{self, Write as _};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use bstr::ByteSlice as _;

/// Everything below a folder, sorted by path. Equality is about every byte and every mode; what is shown is short:
/// `444 file path = "content"`, where the content is one short line and no bookkeeping of git dist.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(Vec<Entry>);

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    path: Vec<u8>,
    mode: u32,
    kind: &'static str,
    /// A file's bytes, a link's text.
    content: Vec<u8>,
}

/// Reads the folder `path`; a folder that does not exist is empty.
pub(crate) fn tree(path: impl AsRef<Path>) -> Tree {
    let mut entries = Vec::new();
    if path.as_ref().exists() {
        read(path.as_ref(), b"", &mut entries);
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Tree(entries)
}

impl Tree {
    /// Without the entries that `is_left_out` names by their path.
    pub(crate) fn without(mut self, is_left_out: impl Fn(&[u8]) -> bool) -> Self {
        self.0.retain(|entry| !is_left_out(&entry.path));
        self
    }

    /// Without folders that hold no file at any depth.
    pub(crate) fn without_empty_folders(mut self) -> Self {
        let files: Vec<_> =
            self.0.iter().filter(|entry| entry.kind != "dir").map(|entry| entry.path.clone()).collect();
        let is_above =
            |folder: &[u8], file: &[u8]| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"));
        self.0.retain(|entry| entry.kind != "dir" || files.iter().any(|file| is_above(&entry.path, file)));
        self
    }

    /// The entries that are not the same in `other`, with the whole content of both.
    pub(crate) fn differences(&self, other: &Self) -> String {
        let mut text = String::new();
        for entry in other.0.iter().filter(|entry| self.0.iter().all(|own| own.path != entry.path)) {
            let _ =
                writeln!(text, "> {:o} {} {:?}", entry.mode, entry.path.as_bstr(), entry.content.as_bstr());
        }
        for entry in self.0.iter().filter(|entry| !other.0.contains(entry)) {
            let _ =
                writeln!(text, "< {:o} {} {:?}", entry.mode, entry.path.as_bstr(), entry.content.as_bstr());
            for entry in other.0.iter().filter(|other| other.path == entry.path) {
                let _ = writeln!(
                    text,
                    "> {:o} {} {:?}",
                    entry.mode,
                    entry.path.as_bstr(),
                    entry.content.as_bstr()
                );
            }
        }
        text
    }

    /// With `444` and `555` as if the files had their write bits, to compare with what other programs write.
    pub(crate) fn writable(mut self) -> Self {
        for entry in self.0.iter_mut().filter(|entry| entry.kind == "file") {
            entry.mode |= 0o200;
        }
        self
    }
}

fn read(folder: &Path, prefix: &[u8], entries: &mut Vec<Entry>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let mut path = prefix.to_owned();
        path.extend_from_slice(entry.file_name().as_bytes());
        let (kind, content) = if metadata.is_dir() {
            let below = [path.as_slice(), b"/"].concat();
            read(&entry.path(), &below, entries);
            ("dir", Vec::new())
        } else if metadata.is_symlink() {
            ("link", fs::read_link(entry.path()).unwrap().as_os_str().as_bytes().to_owned())
        } else if metadata.is_file() {
            ("file", fs::read(entry.path()).unwrap())
        } else {
            ("special", Vec::new())
        };
        entries.push(Entry { path, mode: metadata.mode() & 0o7777, kind, content });
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.0 {
            let path = entry.path.escape_bytes();
            match entry.kind {
                "link" => writeln!(f, "link {path} -> {}", entry.content.escape_bytes())?,
                "file" => writeln!(f, "{:o} file {path}{}", entry.mode, shown(entry))?,
                kind => writeln!(f, "{:o} {kind} {path}", entry.mode)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

fn shown(entry: &Entry) -> String {
    let is_bookkeeping = entry.path.starts_with(b".distman/")
        || entry.path.find(b"versions/.").is_some()
        || entry.path.ends_with(b".dist");
    let lines = entry.content.lines().count();
    if is_bookkeeping {
        String::new()
    } else if lines <= 1 && entry.content.len() <= 60 {
        format!(" = {:?}", entry.content.as_bstr())
    } else {
        format!(" ({} bytes)", entry.content.len())
    }
}
