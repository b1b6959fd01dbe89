//! What asked for signatures when it was deployed last: a later revision that does not ask must be signed itself, so
//! that a push cannot switch the demand off.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::disk::{Dir, DiskError, Shown};

/// Name of the file in the root's own folder.
const FILE: &str = "signed-only.json";
/// Largest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// Why it is not known what asked for signatures.
#[derive(Debug, thiserror::Error)]
pub enum SignedOnlyError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The file is not what git dist wrote.
    #[error("`{}` does not say what asks for signatures", Shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

/// The manifests that asked for signatures when they were deployed last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOnly {
    format: u32,
    manifests: BTreeSet<Asking>,
}

/// A manifest that asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Asking {
    origin: String,
    manifest: String,
}

impl SignedOnly {
    /// Reads the file in the root's own folder `meta`; one that is not there names nothing.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn read(meta: &Dir) -> Result<Self, SignedOnlyError> {
        match meta.read_file(FILE, LIMIT) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|source| SignedOnlyError::Damaged { path: meta.join(FILE), source }),
            Err(error) if error.is_not_found() => Ok(Self { format: 1, manifests: BTreeSet::new() }),
            Err(error) => Err(error.into()),
        }
    }

    /// A manifest of the repository `origin` that asks, if one does.
    pub fn asking(&self, origin: &str) -> Option<&str> {
        let asking = self.manifests.iter().find(|asking| asking.origin == origin);
        asking.map(|asking| asking.manifest.as_str())
    }

    /// Notes whether `manifest` of the repository `origin` asks; true if that is new.
    pub fn note(&mut self, origin: &str, manifest: &str, asks: bool) -> bool {
        let asking = Asking { origin: origin.to_owned(), manifest: manifest.to_owned() };
        if asks { self.manifests.insert(asking) } else { self.manifests.remove(&asking) }
    }

    /// Writes the file, durably. The lock must be held.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, meta: &Dir) -> Result<(), SignedOnlyError> {
        let bytes = serde_json::to_vec_pretty(self).expect("texts and numbers always serialise");
        meta.replace_file(FILE, &bytes)?;
        Ok(())
    }
}
