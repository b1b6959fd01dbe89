//! Reading files whole.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

use rustix::buffer::spare_capacity;
use rustix::fs::{self, Mode, OFlags};

use super::{Result, at, failed};

/// Reads the whole file at `path`, which is the user's word: links are followed, but nothing is waited for and
/// nothing endless is read.
///
/// # Errors
/// When it is missing, no regular file, larger than `limit` bytes or unreadable.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fd = fs::open(path, flags, Mode::empty()).map_err(at("open", path))?;
    let (file, meta) = regular(File::from(fd), path)?;
    read_all(file, &meta, path, limit)
}

/// The open `file`, which is at `path`, if it is a regular one, and what is known of it.
pub(super) fn regular(file: File, path: &Path) -> Result<(File, Metadata)> {
    let meta = file.metadata().map_err(failed("read", path))?;
    if meta.is_file() {
        Ok((file, meta))
    } else {
        Err(failed("read", path)(io::Error::other("not a regular file")))
    }
}

/// Reads what `file`, which is at `path`, holds, refusing anything larger than `limit` bytes.
pub(super) fn read_all(file: File, meta: &Metadata, path: &Path, limit: u64) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let size = usize::try_from(meta.len().min(limit)).unwrap_or(0);
    // One byte more is asked for than there was: that it does not come says that this is all, without asking again.
    let mut bytes = Vec::with_capacity(size + 1);
    rustix::io::retry_on_intr(|| rustix::io::read(&file, spare_capacity(&mut bytes)))
        .map_err(at("read", path))?;
    if size == 0 || bytes.len() != size {
        let rest = (limit + 1).saturating_sub(bytes.len() as u64);
        file.take(rest).read_to_end(&mut bytes).map_err(failed("read", path))?;
    }
    if bytes.len() as u64 > limit {
        return Err(failed("read", path)(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(bytes)
}
