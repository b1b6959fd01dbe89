//! Removing whole trees, however deep and whatever is in them.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, Mode, OFlags};

use super::{Dir, Kind, Result, at, failed};

impl Dir {
    /// Removes whatever stands at `name`, with all that is below it, never through a link. Nothing there is
    /// no error.
    ///
    /// # Errors
    /// When something below may not be removed.
    pub fn remove_all(&self, name: impl AsRef<Path>) -> Result<()> {
        let name = name.as_ref();
        match self.stat(name)? {
            None => Ok(()),
            Some(stat) if stat.kind == Kind::Directory => self.remove_tree(name),
            Some(_) => self.remove(name),
        }
    }

    /// Removes the directory `name` with all that is below it. However deep that is, no more than two directories
    /// are open at a time.
    fn remove_tree(&self, name: &Path) -> Result<()> {
        struct Level {
            /// The directory that was entered.
            entered: PathBuf,
            /// What is left to remove beside it.
            rest: Vec<PathBuf>,
            /// What `..` must lead back to.
            inode: (u64, u64),
        }
        let mut here = self.descend(name)?;
        let mut rest = here.names()?;
        let mut above: Vec<Level> = Vec::new();
        loop {
            if let Some(entry) = rest.pop() {
                match here.stat(&entry)? {
                    Some(stat) if stat.kind == Kind::Directory => {
                        let below = here.descend(&entry)?;
                        let names = std::mem::replace(&mut rest, below.names()?);
                        above.push(Level { entered: entry, rest: names, inode: here.inode()? });
                        here = below;
                    }
                    Some(_) => here.remove(&entry)?,
                    None => {}
                }
                continue;
            }
            let Some(level) = above.pop() else { break };
            here = here.parent()?;
            if here.inode()? != level.inode {
                let moved = io::Error::other("it was moved meanwhile");
                return Err(failed("remove", &here.join(&level.entered))(moved));
            }
            here.remove_empty(&level.entered)?;
            rest = level.rest;
        }
        self.remove_empty(name)
    }

    fn remove_empty(&self, name: &Path) -> Result<()> {
        self.act("remove", name, || fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR))
    }

    /// Removes the directory `name` if it holds nothing. False where it does.
    ///
    /// # Errors
    /// When it is no directory, or this one may not be written.
    pub fn remove_if_empty(&self, name: impl AsRef<Path>) -> Result<bool> {
        match self.remove_empty(name.as_ref()) {
            Ok(()) => Ok(true),
            Err(error) if error.source.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The directory that this one is in now.
    fn parent(&self) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = self.path.parent().unwrap_or(Path::new("/")).to_owned();
        let fd = fs::openat(&self.fd, "..", flags, Mode::empty()).map_err(at("open", &path))?;
        Ok(Self::of(fd, path))
    }

    /// Removes `name` if it can be: for tidying up after an error that is already being reported.
    pub fn discard(&self, name: impl AsRef<Path>) {
        // The first error is the one to tell; what stays behind is swept by the next run.
        let _ = self.remove_all(name);
    }
}
