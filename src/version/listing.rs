//! A directory version's listing: one line per file, `mode id<TAB>path`, quoted and sorted as
//! `git ls-tree -r` prints paths. It proves what the version holds and says what later versions may share.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};

use crate::disk::{Dir, DiskError, Shown};
use crate::source::git::{HashKind, Mode, ObjectId, TreeEntry, is_too_deep};

/// The files of a directory version, sorted by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileListing(Vec<ListedFile>);

/// One file or link of a directory version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedFile {
    /// File, executable or symlink.
    pub mode: Mode,
    /// Id of the bytes on disk.
    pub id: ObjectId,
    /// Path below the version, with `/` between components.
    pub path: BString,
}

/// Why a listing could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The file could not be read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A line is not of the form `mode id<TAB>path`.
    #[error("line {line} of the listing `{}` is damaged", Shown(path))]
    Damaged {
        /// The listing's path.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
}

/// Largest listing that is read, in bytes: some ten million files.
const LIMIT: u64 = 1 << 30;

impl FileListing {
    /// Name of the listing of the version `version`.
    pub fn file_name(version: &str) -> String {
        format!(".{version}.files")
    }

    /// A listing of `files`, which this sorts.
    pub fn new(mut files: Vec<ListedFile>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self(files)
    }

    /// The files, sorted by path.
    pub fn files(&self) -> &[ListedFile] {
        &self.0
    }

    /// The files as the tree id wants them.
    pub fn tree_entries(&self) -> Vec<TreeEntry<'_>> {
        self.0
            .iter()
            .map(|file| TreeEntry { path: file.path.as_bstr(), mode: file.mode, id: file.id })
            .collect()
    }

    /// Reads the listing of `version` in the `versions/` folder `dir`; `None` where there is none.
    ///
    /// # Errors
    /// When the file cannot be read or a line is damaged.
    pub fn read(dir: &Dir, version: &str) -> Result<Option<Self>, ListingError> {
        let name = Self::file_name(version);
        let bytes = match dir.read_file(&name, LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Self::parse(&bytes).map(Some).map_err(|line| ListingError::Damaged { path: dir.join(&name), line })
    }

    /// Reads the text of a listing; the error is the number of the damaged line.
    ///
    /// # Errors
    /// The number of the first line that is not of the right form, leaves the version, or does not come after the line
    /// before it.
    pub fn parse(bytes: &[u8]) -> Result<Self, usize> {
        let lines = bytes.lines().enumerate();
        let files: Vec<ListedFile> =
            lines.map(|(index, line)| parse_line(line).ok_or(index + 1)).collect::<Result<_, _>>()?;
        match files.windows(2).position(|pair| pair[0].path >= pair[1].path) {
            Some(index) => Err(index + 2),
            None => Ok(Self(files)),
        }
    }

    /// The text of the listing.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut id = HashKind::hex_buf();
        for file in &self.0 {
            let id = file.id.hex_to_buf(&mut id);
            for part in [file.mode.as_str(), " ", id, "\t", &quote(&file.path), "\n"] {
                text.push_str(part);
            }
        }
        text
    }
}

fn parse_line(line: &[u8]) -> Option<ListedFile> {
    let (head, path) = line.split_once_str("\t")?;
    let (mode, id) = head.split_once_str(" ")?;
    let path = unquote(path)?;
    let leaves = path.split_str("/").any(|part| matches!(part, b"" | b"." | b".."));
    let is_path = !leaves && !path.contains(&0) && !is_too_deep(path.as_bstr());
    let mode =
        Mode::parse(mode.to_str().ok()?).filter(|mode| !matches!(mode, Mode::Directory | Mode::Submodule))?;
    is_path.then_some(ListedFile { mode, id: ObjectId::from_hex(id).ok()?, path })
}

/// Quotes a path as git does with `core.quotePath` on: in double quotes with C escapes if it holds a control
/// character, a quote, a backslash or a byte above 127 (git's quote.c).
fn quote(path: &[u8]) -> Cow<'_, str> {
    let plain = |byte: &u8| (0x20..0x7f).contains(byte) && !matches!(byte, b'"' | b'\\');
    if path.iter().all(plain)
        && let Ok(text) = path.to_str()
    {
        return text.into();
    }
    let mut quoted = String::from("\"");
    for byte in path {
        match byte {
            b'\x07' => quoted.push_str("\\a"),
            b'\x08' => quoted.push_str("\\b"),
            b'\t' => quoted.push_str("\\t"),
            b'\n' => quoted.push_str("\\n"),
            b'\x0b' => quoted.push_str("\\v"),
            b'\x0c' => quoted.push_str("\\f"),
            b'\r' => quoted.push_str("\\r"),
            b'"' => quoted.push_str("\\\""),
            b'\\' => quoted.push_str("\\\\"),
            byte if plain(byte) => quoted.push(char::from(*byte)),
            byte => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('"');
    quoted.into()
}

fn unquote(text: &[u8]) -> Option<BString> {
    let Some(inner) = text.strip_prefix(b"\"") else { return Some(text.into()) };
    let inner = inner.strip_suffix(b"\"")?;
    let mut path = Vec::new();
    let mut bytes = inner.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            path.push(byte);
            continue;
        }
        path.push(match bytes.next()? {
            b'a' => b'\x07',
            b'b' => b'\x08',
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => b'\x0b',
            b'f' => b'\x0c',
            b'r' => b'\r',
            escaped @ (b'"' | b'\\') => escaped,
            first @ b'0'..=b'3' => {
                let mut value = first - b'0';
                for _ in 0..2 {
                    let digit = bytes.next().filter(|digit| (b'0'..=b'7').contains(digit))?;
                    value = value * 8 + (digit - b'0');
                }
                value
            }
            _ => return None,
        });
    }
    Some(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";

    #[test]
    fn paths_are_quoted_as_git_quotes_them() {
        // `git ls-tree -r HEAD` with files of these names
        for (path, shown) in [
            (&b"plain name.txt"[..], "plain name.txt"),
            (b"tab\there", r#""tab\there""#),
            (b"new\nline", r#""new\nline""#),
            ("ä".as_bytes(), r#""\303\244""#),
            (b"quote\"back\\", r#""quote\"back\\""#),
            (b"\x1b[31m", r#""\033[31m""#),
        ] {
            assert_eq!(quote(path), shown);
            assert_eq!(unquote(shown.as_bytes()).unwrap(), path);
        }
    }

    #[test]
    fn damaged_lines_are_told_by_number() {
        let good = format!("100644 {ID}\ta/b\n");
        assert_eq!(FileListing::parse(good.as_bytes()).unwrap().to_text(), good);
        for bad in ["", "100644", "100644 xyz\ta", "040000 e69de29\ta"] {
            let text = format!("{good}{bad}\n");
            assert_eq!(FileListing::parse(text.as_bytes()), Err(2), "{bad:?}");
        }
        for path in ["a/b", "a/a"] {
            let text = format!("{good}100644 {ID}\t{path}\n");
            assert_eq!(FileListing::parse(text.as_bytes()), Err(2), "{path}");
        }
        for path in ["../x", "/x", "a//b", "a/../b", "\"\\400\"", "\"open"] {
            assert_eq!(FileListing::parse(format!("100644 {ID}\t{path}\n").as_bytes()), Err(1), "{path}");
        }
    }
}
