//! The files of a copy.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bstr::{BStr, ByteSlice as _};

use super::error::Damage;
use super::found::{CHANGED, looks_same};
use super::{Batch, CopyError, File, FoundFile, Holds, Original, Tally};
use crate::disk::{Dir, DiskError, Kind, NewFile, on_disk};
use crate::source::Mode;
use crate::source::git::{BlobHasher, blob_id};
use crate::stage::Progress;
use crate::stage::share::{Clones, Shareable, Sharing, permissions, share};
use crate::stage::write::split;
use crate::version::{ListedFile, Record};

pub(super) struct Run<'r> {
    pub(super) originals: &'r [Original<'r>],
    /// Their names in the staging folders.
    pub(super) names: &'r [String],
    /// For each that is a folder, the copy's.
    pub(super) roots: &'r [Option<Dir>],
    /// For each, whether its filesystem clones.
    pub(super) clones: &'r [Clones],
}

/// The folders that the files of a batch are in.
struct Place<'r> {
    /// In the original.
    from: Dir,
    /// In the copy.
    to: Dir,
    /// In the earlier copy, if that has it.
    earlier: Option<Dir>,
    /// Whether the copy's filesystem clones.
    clones: &'r Clones,
}

/// What came of a file.
enum Done {
    /// An earlier copy held it.
    Shared,
    /// So many bytes were read.
    Read(u64),
}

/// Bytes that are read at a time.
const PIECE: usize = 1 << 18;

impl Run<'_> {
    pub(super) fn copy_batch(
        &self,
        batch: &Batch<'_>,
        tally: &mut Tally,
        progress: &dyn Progress,
    ) -> Result<(), CopyError> {
        let original = &self.originals[batch.original];
        let place = self.place(batch)?;
        let mut buffer = vec![0; PIECE];
        for file in &batch.files {
            let (from_name, to_name) = match &self.roots[batch.original] {
                None => {
                    (PathBuf::from(original.name.to_string()), PathBuf::from(&self.names[batch.original]))
                }
                Some(_) => {
                    let name = on_disk(split(file.path()).1).to_owned();
                    (name.clone(), name)
                }
            };
            let names = (from_name.as_path(), to_name.as_path());
            let done = match file {
                File::Listed(file, record) => {
                    let (done, mtime) = copy_listed(original, record, file, &place, names, &mut buffer)?;
                    tally.mtimes.extend(mtime.map(|mtime| (batch.original, mtime)));
                    done
                }
                File::Found(file) => copy_found(original, file, &place, names, &mut buffer)?,
            };
            let bytes = match done {
                Done::Shared => {
                    tally.copied.shared += 1;
                    0
                }
                Done::Read(bytes) => {
                    tally.copied.files += 1;
                    tally.copied.bytes += bytes;
                    bytes
                }
            };
            progress.advance(1, bytes);
        }
        Ok(())
    }

    fn place(&self, batch: &Batch<'_>) -> Result<Place<'_>, CopyError> {
        let clones = &self.clones[batch.original];
        let original = &self.originals[batch.original];
        let below = on_disk(batch.directory);
        let Some(root) = &self.roots[batch.original] else {
            let here = Path::new("");
            let from = original.versions.descend(here).map_err(CopyError::Original)?;
            return Ok(Place { from, to: original.folder.folder.descend(here)?, earlier: None, clones });
        };
        let from = original.versions.descend(&Path::new(&original.name.to_string()).join(below));
        let from = from.map_err(|error| {
            if error.is_not_found() || error.is_a_link() {
                damaged(original, batch.directory, "missing")
            } else {
                CopyError::Original(error)
            }
        })?;
        let earlier = match &original.holds {
            Holds::Recorded { previous, .. } => previous.as_ref().map(|previous| &previous.name),
            Holds::Found { previous, .. } => previous.as_ref(),
        };
        let earlier = earlier.and_then(|name| {
            // Whatever is in the way there, the file is copied.
            original.folder.versions.descend(&Path::new(&name.to_string()).join(below)).ok()
        });
        Ok(Place { from, to: root.descend(below)?, earlier, clones })
    }
}

/// Copies a file that is to be what the listing says. Returns the time that it has, if it is no link.
fn copy_listed(
    original: &Original<'_>,
    record: &Record,
    file: &ListedFile,
    place: &Place<'_>,
    (from_name, to_name): (&Path, &Path),
    buffer: &mut [u8],
) -> Result<(Done, Option<i64>), CopyError> {
    let differs = |what| damaged(original, file.path.as_bstr(), what);
    if file.mode == Mode::Symlink {
        use std::os::unix::ffi::OsStrExt as _;
        let text = place.from.read_link(from_name).map_err(CopyError::Original)?;
        let text = text.ok_or_else(|| differs("missing"))?;
        if blob_id(file.id.kind(), text.as_os_str().as_bytes()) != file.id {
            return Err(differs("leads elsewhere"));
        }
        place.to.symlink(&text, to_name)?;
        return Ok((Done::Read(text.as_os_str().len() as u64), None));
    }
    if let Some(mtime) = share_listed(original, record, file, place, to_name)? {
        return Ok((Done::Shared, Some(mtime)));
    }
    let (source, meta) = open(&place.from, from_name, &differs)?;
    // No file is larger than all of them together.
    if meta.len() > record.bytes {
        return Err(differs("content"));
    }
    let mut to = place.to.create_file(to_name, permissions(file.mode, record.writable))?;
    let mut hasher = BlobHasher::new(file.id.kind(), meta.len());
    let path = place.from.join(from_name);
    let size = pour(source, (&path, meta.len()), &mut to, buffer, |piece| hasher.update(piece))?;
    if size != meta.len() || hasher.finish() != file.id {
        return Err(differs("content"));
    }
    let mtime = time_of(record, &meta);
    to.set_mtime(mtime)?;
    Ok((Done::Read(size), Some(mtime)))
}

/// Shares the file with the earlier copy, if that holds it untouched. Returns its time.
fn share_listed(
    original: &Original<'_>,
    record: &Record,
    file: &ListedFile,
    place: &Place<'_>,
    name: &Path,
) -> Result<Option<i64>, CopyError> {
    let Holds::Recorded { previous: Some(previous), .. } = &original.holds else { return Ok(None) };
    let Some(earlier) = &place.earlier else { return Ok(None) };
    let files = previous.files.files();
    let known = files.binary_search_by(|known| known.path.cmp(&file.path)).map(|index| &files[index]);
    let is_same = known.is_ok_and(|known| known.id == file.id && known.mode == file.mode);
    if !is_same || record.writable || previous.record.writable {
        return Ok(None);
    }
    let Some(stat) = earlier.stat(name)? else { return Ok(None) };
    let wanted = Shareable { mode: file.mode, id: file.id, size: stat.size, previous };
    Ok(share(Sharing::Auto, place.clones, earlier, &place.to, name, &wanted)?)
}

/// Copies a file that nothing is known of but what was found.
fn copy_found(
    original: &Original<'_>,
    file: &FoundFile,
    place: &Place<'_>,
    (from_name, to_name): (&Path, &Path),
    buffer: &mut [u8],
) -> Result<Done, CopyError> {
    let differs = |what| damaged(original, file.path.as_bstr(), what);
    if file.stat.kind == Kind::Symlink {
        let text = place.from.read_link(from_name).map_err(CopyError::Original)?;
        let text = text.ok_or_else(|| differs(CHANGED))?;
        place.to.symlink(&text, to_name)?;
        return Ok(Done::Read(text.as_os_str().len() as u64));
    }
    // Such files can be written to, so that no two versions have one in common.
    let mut to = place.to.create_file(to_name, file.stat.mode & 0o775)?;
    if let Some(earlier) = earlier_found(file, place, to_name) {
        if !to.clone_from(&earlier) {
            let path = place.to.join(to_name);
            pour(earlier, (&path, file.stat.size), &mut to, buffer, |_| ())?;
        }
        to.set_exact_mtime(file.stat.mtime, file.stat.mtime_nanos)?;
        return Ok(Done::Shared);
    }
    let (source, meta) = open(&place.from, from_name, &differs)?;
    let path = place.from.join(from_name);
    let size = pour(source, (&path, meta.len()), &mut to, buffer, |_| ())?;
    let after = place.from.stat(from_name).map_err(CopyError::Original)?;
    if size != file.stat.size || !after.is_some_and(|after| looks_same(&after, &file.stat)) {
        return Err(differs(CHANGED));
    }
    to.set_exact_mtime(file.stat.mtime, file.stat.mtime_nanos)?;
    Ok(Done::Read(size))
}

/// The file of the earlier copy, if it looks the same.
fn earlier_found(file: &FoundFile, place: &Place<'_>, name: &Path) -> Option<fs::File> {
    let earlier = place.earlier.as_ref()?;
    let stat = earlier.stat(name).ok()??;
    if stat.kind == Kind::File && looks_same(&stat, &file.stat) { earlier.open_file(name).ok() } else { None }
}

/// The time for a file of the version of `record`: its own, if the record knows it.
fn time_of(record: &Record, meta: &fs::Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt as _;
    let is_known = meta.mtime_nsec() == 0 && record.mtimes.contains(&meta.mtime());
    if is_known { meta.mtime() } else { record.mtimes.last().copied().unwrap_or_else(|| meta.mtime()) }
}

fn damaged(original: &Original<'_>, path: &BStr, what: &'static str) -> CopyError {
    let name = original.name.clone();
    let version = original.versions.join(name.to_string());
    CopyError::Damaged(Damage { version, name, path: path.into(), what })
}

/// Opens a file of an original.
fn open(
    dir: &Dir,
    name: &Path,
    differs: &dyn Fn(&'static str) -> CopyError,
) -> Result<(fs::File, fs::Metadata), CopyError> {
    let opened = dir.open_file(name).and_then(|file| {
        let meta = file.metadata();
        let failed = |source| DiskError { act: "read", path: dir.join(name), source };
        Ok((file, meta.map_err(failed)?))
    });
    match opened {
        Ok(opened) => Ok(opened),
        Err(error) => Err(match dir.stat(name) {
            Ok(None) => differs("missing"),
            Ok(Some(stat)) if stat.kind != Kind::File => differs("is of another kind"),
            _ => CopyError::Original(error),
        }),
    }
}

/// Pours the file at `path`, `size` bytes of it and one more if it grew, into `to`. Returns how many came.
fn pour(
    from: fs::File,
    (path, size): (&Path, u64),
    to: &mut NewFile,
    buffer: &mut [u8],
    mut see: impl FnMut(&[u8]),
) -> Result<u64, CopyError> {
    let mut from = from.take(size.saturating_add(1));
    let mut sum = 0;
    loop {
        let read = match from.read(buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(source) => {
                return Err(CopyError::Original(DiskError { act: "read", path: path.to_owned(), source }));
            }
            Ok(0) => return Ok(sum),
            Ok(read) => read,
        };
        see(&buffer[..read]);
        to.write(&buffer[..read])?;
        sum += read as u64;
    }
}
