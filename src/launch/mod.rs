//! Launch: `git dist run` starts the active version of a target, and becomes it.
//!
//! What is started and with which variables stands beside the versions (`root`'s launch record), so that nothing of a
//! repository or history is read. The way through: `find` says which destination is meant, `program` what of the version
//! is started, `start` takes the lease and puts the variables together, `update` sees to it that the next start finds
//! something newer.

mod error;
mod find;
mod program;
mod python;
mod start;
mod update;

pub use error::LaunchError;
pub use find::{Found, find, find_by_history};
pub use start::{Start, prepare};
pub use update::{Update, detach, is_due, start_update, update_and_wait};

/// The result of a launch.
pub type Result<T, E = LaunchError> = std::result::Result<T, E>;
