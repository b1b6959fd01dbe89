//! Folders that are opened once for many names in them.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use super::{Dir, Result};

/// As many stay open: a run that goes through the destinations of a target needs their folder and that of their
/// versions, and thousands may lie in a folder each.
const MOST: usize = 4;

/// The folders that were opened last, which the next destinations may share.
#[derive(Debug, Default)]
pub struct Folders(VecDeque<Arc<Dir>>);

impl Folders {
    /// The directory at `path`, opened as by [`Dir::open`] unless it is still open.
    ///
    /// # Errors
    /// As [`Dir::open`].
    pub fn open(&mut self, path: &Path) -> Result<Arc<Dir>> {
        self.get(path, Dir::open)
    }

    /// As [`Folders::open`], making what is missing.
    ///
    /// # Errors
    /// As [`Dir::create_all`].
    pub fn create_all(&mut self, path: &Path) -> Result<Arc<Dir>> {
        self.get(path, Dir::create_all)
    }

    fn get(&mut self, path: &Path, open: fn(&Path) -> Result<Dir>) -> Result<Arc<Dir>> {
        if let Some(known) = self.0.iter().find(|dir| dir.path().as_os_str() == path.as_os_str()) {
            return Ok(Arc::clone(known));
        }
        let dir = Arc::new(open(path)?);
        self.0.truncate(MOST - 1);
        self.0.push_front(Arc::clone(&dir));
        Ok(dir)
    }
}
