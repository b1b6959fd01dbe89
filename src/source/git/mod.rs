//! The git source: revisions, trees and blobs, read straight from the object database.
//!
//! This is the only room that knows `gix`. It needs no working tree and no index, so that a bare
//! repository is as good as a clone. Three rules hold here: replace refs and grafts are ignored, the
//! configuration of the host does not decide bytes, and every tree is treated as hostile.

mod ahead;
mod attributes;
mod config;
mod content;
mod count;
mod delta;
mod encoding;
mod error;
mod ident;
mod listing;
mod object;
mod pack;
mod remembered;
mod repository;
mod revision;
mod silent;
mod snapshot;
mod store;
mod stream;
mod submodule;
mod subst;
mod tag;

pub use config::{Setting, boolean, settings_in};
pub use content::GitContents;
pub use count::CommitCount;
pub use error::{GitError, Result};
pub use gix::ObjectId;
pub use gix::hash::Kind as HashKind;
pub use listing::{Conversion, ListOptions, MAX_ENTRIES, Submodules};
pub use object::{BlobHasher, TreeEntry, blob_id, is_too_deep, tree_id};
pub use repository::{Repository, SIZE_LIMIT};
pub use revision::{Ancestry, Author, Revision};
pub use snapshot::{Mode, Node, Snapshot, join};
pub use store::{Store, Watch};
pub use stream::{Commit, Stream};
pub use tag::{AskedTag, TagObject};
