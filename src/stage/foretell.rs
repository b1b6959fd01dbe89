//! What an export would give, found out without writing anything.

use bstr::{BString, ByteSlice as _};

use super::{Content, LINK_PREFIX, StageError, VERSION_DEPTH, content_of, shared};
use crate::source::git::blob_id;
use crate::source::{Contents, HashKind, Mode};
use crate::version::{Destination, FileListing, ListedFile};

/// The content id of the version that an export of `content` for `destination` gives, with these paths shared. Only
/// what is converted on its way to the disk is read.
///
/// # Errors
/// When content cannot be read.
pub fn foretell(
    destination: &Destination,
    content: &Content,
    contents: &dyn Contents,
    shared: &[String],
    kind: HashKind,
) -> Result<String, StageError> {
    let root = content.listing.root.as_bstr();
    let mut reader = contents.reader();
    let mut files = Vec::new();
    for entry in content.listing.entries.iter().filter(|entry| !shared::is_shared(shared, entry)) {
        let id = if content.mode == Mode::Symlink {
            let mut text = Vec::new();
            reader.read(root, entry, &mut |piece: &[u8]| {
                text.extend_from_slice(piece);
                Ok(())
            })?;
            let prefix = if text.starts_with(b"/") { "" } else { LINK_PREFIX };
            blob_id(kind, &[prefix.as_bytes(), &text].concat())
        } else if entry.is_stored_as_is() {
            entry.id
        } else {
            reader.read(root, entry, &mut |_: &[u8]| Ok(()))?.1
        };
        files.push(ListedFile { mode: entry.mode, id, path: entry.path.clone() });
    }
    for path in shared {
        let text = shared::link_text(destination, path, VERSION_DEPTH);
        let id = blob_id(kind, text.as_bytes());
        files.push(ListedFile { mode: Mode::Symlink, id, path: BString::from(path.as_str()) });
    }
    Ok(match content.mode {
        Mode::Directory | Mode::Submodule => content_of(kind, &FileListing::new(files)),
        _ => files.first().map(|file| file.id.to_string()).unwrap_or_default(),
    })
}
