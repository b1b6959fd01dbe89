//! Making changes durable, many with one call; or not at all, where that was chosen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Dir, Result, next_name};
use crate::door::{self, ActError};

/// False once this process was told not to wait for disks.
static WAITS: AtomicBool = AtomicBool::new(true);

/// From now on this process does not wait until something is durable, for deployments that nobody misses after a power
/// cut. The order of its acts stays the same, so that a kill is as harmless as ever.
pub fn do_not_sync() {
    WAITS.store(false, Ordering::Relaxed);
}

/// Does `call`, which makes what is at `path` durable, unless nobody waits for that.
pub(super) fn sync<E: ActError>(
    path: impl Fn() -> PathBuf,
    call: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    if WAITS.load(Ordering::Relaxed) { door::pass("sync", path, call) } else { Ok(()) }
}

/// The filesystems that something was written to, each made durable with one call.
#[derive(Debug, Default)]
pub struct Filesystems(Vec<(u64, Dir)>);

impl Filesystems {
    /// Notes that something was written in `dir`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn add(&mut self, dir: &Dir) -> Result<()> {
        let device = dir.device()?;
        if self.0.iter().all(|(known, _)| *known != device) {
            self.0.push((device, dir.descend(Path::new(""))?));
        }
        Ok(())
    }

    /// Makes all that was written durable.
    ///
    /// # Errors
    /// When a disk reports a write error.
    pub fn sync(&self) -> Result<()> {
        self.0.iter().try_for_each(|(_, dir)| dir.sync_filesystem())
    }
}

/// Small files that are replaced together: all are written beside those they replace, made durable with one call for
/// each filesystem, and only then renamed. Whatever happens, a reader finds the old or the new content.
///
/// Names in between are the same in every run, so that nothing is left of one that was killed. The caller holds the
/// lock under which the files are written.
#[derive(Debug, Default)]
pub struct Replacements {
    files: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
    touched: Filesystems,
}

impl Replacements {
    /// Writes what the file `name` in `dir` will hold.
    ///
    /// # Errors
    /// When the directory may not be written or the disk is full.
    pub fn add(&mut self, dir: &Dir, name: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
        let (name, next) = (name.as_ref(), next_name(name.as_ref()));
        let mut file = match dir.create_file(&next, 0o664) {
            Err(error) if error.is_already_there() => {
                dir.remove(&next)?;
                dir.create_file(&next, 0o664)?
            }
            made => made?,
        };
        file.write(bytes).inspect_err(|_| dir.discard(&next))?;
        self.touch(dir)?;
        self.files.entry(dir.path().to_owned()).or_default().insert(name.to_owned());
        Ok(())
    }

    /// Notes that something else was changed in `dir` that is to be durable with the files.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn touch(&mut self, dir: &Dir) -> Result<()> {
        self.touched.add(dir)
    }

    /// Replaces the files, does `last`, and makes all of it durable.
    ///
    /// # Errors
    /// Those of `last`, or when a disk says no; some files may be replaced then.
    pub fn finish(self, last: impl FnOnce() -> Result<()>) -> Result<()> {
        if !self.files.is_empty() {
            self.touched.sync()?;
        }
        for (folder, names) in &self.files {
            let dir = Dir::open(folder)?;
            names.iter().try_for_each(|name| dir.rename(next_name(name), &dir, name))?;
        }
        last()?;
        self.touched.sync()
    }
}
