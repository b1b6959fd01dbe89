//! Versions on disk: their names, the records beside them, and the destinations that point to them.

mod check;
mod compare;
mod destination;
mod fingerprint;
mod info;
mod lease;
mod listing;
mod look;
mod name;
mod record;

pub use check::{Checked, Difference, check, glance};
pub use destination::{
    CURRENT, Destination, DestinationError, GROUPS, Link, SHARED, Shelves, Stored, VERSIONS,
};
pub use fingerprint::{Fingerprint, Ingredients};
pub use info::DistInfo;
pub use lease::{Lease, NoLease, is_in_use};
pub use listing::{FileListing, ListedFile, ListingError};
pub use name::VersionName;
pub use record::{Launch, Recipe, Record, State};
