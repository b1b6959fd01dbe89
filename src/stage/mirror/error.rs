//! Why a version could not be copied.

use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};

use crate::disk::{DiskError, Shown, on_disk};
use crate::stage::StageError;
use crate::version::VersionName;

/// An original that is not what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The path of the version.
    pub version: PathBuf,
    /// Its name.
    pub name: VersionName,
    /// Where it differs below that; empty if it does as a whole.
    pub path: BString,
    /// What is wrong there.
    pub what: &'static str,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is damaged: ", Shown(&self.version))?;
        if !self.path.is_empty() {
            write!(f, "`{}`: ", Shown(on_disk(self.path.as_bstr())))?;
        }
        f.write_str(self.what)
    }
}

/// Why a version could not be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The original is not what is said of it.
    #[error("{0}")]
    Damaged(Damage),
    /// The original cannot be read.
    #[error(transparent)]
    Original(DiskError),
    /// The copy cannot be written.
    #[error(transparent)]
    Stage(#[from] StageError),
}

impl From<DiskError> for CopyError {
    fn from(error: DiskError) -> Self {
        Self::Stage(error.into())
    }
}
