//! What a directory holds.

use std::path::PathBuf;

use rustix::fs::{self, FileType};

use super::{Dir, Kind, Result, at};

impl Dir {
    /// The names in this directory, in no order, without `.` and `..`.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn names(&self) -> Result<Vec<PathBuf>> {
        let mut names = Vec::new();
        self.each(|name, _| names.push(name))?;
        Ok(names)
    }

    /// As [`Dir::names`], each with what it stands for. Most filesystems tell that without being asked for each.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn entries(&self) -> Result<Vec<(PathBuf, Kind)>> {
        let mut entries = Vec::new();
        let mut unknown = Vec::new();
        self.each(|name, kind| match kind {
            FileType::Unknown => unknown.push(name),
            kind => entries.push((name, Kind::from(kind))),
        })?;
        for name in unknown {
            if let Some(stat) = self.stat(&name)? {
                entries.push((name, stat.kind));
            }
        }
        Ok(entries)
    }

    fn each(&self, mut see: impl FnMut(PathBuf, FileType)) -> Result<()> {
        use std::os::unix::ffi::OsStrExt as _;
        for entry in fs::Dir::read_from(&self.fd).map_err(at("read", &self.path))? {
            let entry = entry.map_err(at("read", &self.path))?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                see(PathBuf::from(std::ffi::OsStr::from_bytes(name)), entry.file_type());
            }
        }
        Ok(())
    }
}
