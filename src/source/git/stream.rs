//! One commit with all of its files, as `git fast-import` reads it (git-fast-import(1), "INPUT FORMAT").

use std::fmt::Write as _;

use bstr::{BStr, ByteSlice as _};
use gix::ObjectId;

use super::Mode;
use crate::disk::{self, NewFile};
use crate::source::{Entry, Reader, SourceError};

/// What a commit says of itself.
#[derive(Clone, Debug)]
pub struct Commit<'a> {
    /// The reference that is to lead to it.
    pub reference: &'a str,
    /// Name and address of who made it.
    pub committer: &'a str,
    /// When, in seconds since 1970.
    pub time: i64,
    /// What for.
    pub message: &'a str,
    /// The commit before it.
    pub parent: Option<&'a str>,
}

/// A stream that is being written to a file.
pub struct Stream {
    file: NewFile,
    buffer: Vec<u8>,
}

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 << 10;

impl Stream {
    /// Begins `commit`, with no file in it yet.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn begin(file: NewFile, commit: &Commit<'_>) -> disk::Result<Self> {
        let mut stream = Self { file, buffer: Vec::with_capacity(BUFFER) };
        let one_line = |text: &str| text.replace(['\n', '\r', '\0', '<', '>'], " ");
        let committer = commit.committer.rsplit_once(" <").map_or_else(
            || format!("{} <>", one_line(commit.committer)),
            |(name, address)| format!("{} <{}>", one_line(name), one_line(address.trim_end_matches('>'))),
        );
        let mut head = format!("commit {}\ncommitter {committer} {} +0000\n", commit.reference, commit.time);
        let _ = write!(head, "data {}\n{}\n", commit.message.len(), commit.message);
        if let Some(parent) = commit.parent {
            let _ = writeln!(head, "from {parent}");
        }
        // Whatever its parent holds, it holds what follows and nothing else.
        head.push_str("deleteall\n");
        stream.put(head.as_bytes())?;
        Ok(stream)
    }

    /// Adds a file or link whose content the repository has.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&mut self, path: &BStr, mode: Mode, id: ObjectId) -> disk::Result<()> {
        self.put(format!("M {} {id} {}\n", mode.as_str(), quoted(path)).as_bytes())
    }

    /// Adds a file or link of `size` bytes, which `fill` hands over piece by piece.
    ///
    /// # Errors
    /// When the file cannot be written; those of `fill`.
    pub fn add_content<E: From<disk::DiskError>>(
        &mut self,
        path: &BStr,
        mode: Mode,
        size: u64,
        fill: impl FnOnce(&mut dyn FnMut(&[u8]) -> disk::Result<()>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.put(format!("M {} inline {}\ndata {size}\n", mode.as_str(), quoted(path)).as_bytes())?;
        fill(&mut |bytes| self.put(bytes))?;
        Ok(self.put(b"\n")?)
    }

    /// Adds what `reader` has of an entry of the listing of `root`, at `path`.
    ///
    /// # Errors
    /// [`SourceError::Changed`], and when the content cannot be read or the file not be written.
    pub fn copy(
        &mut self,
        reader: &mut dyn Reader,
        root: &BStr,
        entry: &Entry,
        path: &BStr,
    ) -> Result<(), SourceError> {
        if entry.is_stored_as_is() && entry.mode != Mode::Symlink {
            let size = reader.size(root, entry)?;
            return self.add_content(path, entry.mode, size, |put| {
                let (read, id) = reader.read(root, entry, &mut |bytes| put(bytes))?;
                // What changed since it was listed would end up as something else under the old size.
                if read == size && id == entry.id {
                    Ok(())
                } else {
                    Err(SourceError::Changed { path: path.to_string() })
                }
            });
        }
        // How long it will be is known when it is converted.
        let mut bytes = Vec::new();
        let mut keep = |piece: &[u8]| {
            bytes.extend_from_slice(piece);
            Ok(())
        };
        reader.read(root, entry, &mut keep)?;
        self.add_content(path, entry.mode, bytes.len() as u64, |put| Ok(put(&bytes)?))
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn end(mut self) -> disk::Result<()> {
        self.buffer.extend_from_slice(b"done\n");
        self.flush()
    }

    fn put(&mut self, bytes: &[u8]) -> disk::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() > BUFFER {
            return self.file.write(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> disk::Result<()> {
        self.file.write(&std::mem::take(&mut self.buffer))
    }
}

/// A path as fast-import reads it, whatever bytes are in it.
fn quoted(path: &BStr) -> String {
    let mut text = String::with_capacity(path.len() + 2);
    text.push('"');
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(byte.into());
            }
            b' '..=b'~' => text.push(byte.into()),
            _ => {
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_a_path_survives() {
        assert_eq!(quoted(b"a b/\"c\\".as_bstr()), r#""a b/\"c\\""#);
        assert_eq!(quoted("ä\n".as_bytes().as_bstr()), r#""\303\244\012""#);
    }
}
