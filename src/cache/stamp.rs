//! What a mirror knows of its source, in a file of its own folder: what makes it a mirror, and written last.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, Kind};

/// Name of the file in the mirror's own folder.
pub const CACHE: &str = "cache.json";

/// What a mirror knows of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Format of this file; 1.
    pub format: u32,
    /// Path of the source.
    pub source: String,
    /// The source's change stamp when it was copied; absent if it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
    /// False while a copy is under way, and after one that was killed.
    pub complete: bool,
    /// When the source was last found to be as it was copied, in seconds since 1970.
    pub checked: i64,
}

impl Stamp {
    /// That of a source at `source` which is about to be copied.
    pub(super) fn begun(source: &Path) -> Self {
        Self { format: 1, source: source.to_string_lossy().into_owned(), ..Self::default() }
    }

    /// That of a source at `source` which was copied when it had the change stamp `epoch`.
    pub(super) fn complete(source: &Path, epoch: Option<i64>) -> Self {
        Self { epoch, complete: true, checked: Utc::now().timestamp(), ..Self::begun(source) }
    }

    /// Reads that of the mirror whose own folder is `meta`; `None` where there is none. Nothing is known from one that
    /// cannot be understood.
    pub(super) fn read(meta: &Dir) -> disk::Result<Option<Self>> {
        match meta.read_file(CACHE, 1 << 20) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True if a mirror is here.
    pub(super) fn is_there(meta: &Dir) -> disk::Result<bool> {
        Ok(meta.stat(CACHE)?.is_some_and(|stat| stat.kind == Kind::File))
    }

    /// True if it is of the source at `source` and of a copy that came to its end.
    pub(super) fn is_of(&self, source: &Path) -> bool {
        self.complete && Path::new(&self.source) == source
    }

    /// How long ago the source was looked at; `None` if that is to come.
    pub(super) fn age(&self) -> Option<Duration> {
        u64::try_from(Utc::now().timestamp().saturating_sub(self.checked)).ok().map(Duration::from_secs)
    }

    /// Notes that the source was looked at now. What a power cut takes of it is only looked at again.
    pub(super) fn check(&mut self, meta: &Dir) -> disk::Result<()> {
        self.checked = Utc::now().timestamp();
        meta.replace_file_without_sync(CACHE, &self.to_bytes())
    }

    /// Writes it and makes it durable.
    pub(super) fn write(&self, meta: &Dir) -> disk::Result<()> {
        meta.replace_file(CACHE, &self.to_bytes())?;
        meta.sync()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("strings and numbers always serialise");
        bytes.push(b'\n');
        bytes
    }
}
