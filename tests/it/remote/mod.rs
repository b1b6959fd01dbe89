//! Objects in directories, on web servers and in buckets, asked of the library itself.

mod conditions;
mod downloads;
mod folder;
pub(crate) mod s3;
mod web;

use std::path::Path;
use std::time::Duration;

use git_dist::disk::Dir;
use git_dist::remote::{Address, Limits, Read, Remote, RemoteError, Settings};

/// Long enough for a busy machine.
const PATIENT: Limits = Limits { probe: Duration::from_mins(1), total: None, stall: Duration::from_mins(1) };
/// For what never comes.
const IMPATIENT: Limits =
    Limits { probe: Duration::from_millis(300), total: None, stall: Duration::from_millis(300) };

fn open_with(address: &str, limits: Limits) -> Remote {
    Remote::open_with(&Address::parse(address).unwrap(), limits, &Settings::of([])).unwrap()
}

fn open(address: &str) -> Remote {
    open_with(address, PATIENT)
}

fn dir(path: &Path) -> Dir {
    Dir::create_all(path).unwrap()
}

/// The content of an object, and its tag in words.
fn text(read: Result<Read, RemoteError>) -> String {
    match read.unwrap() {
        Read::Same => "the same".to_owned(),
        Read::New { bytes, .. } => String::from_utf8(bytes).unwrap(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    let mut text = String::new();
    sha2::Sha256::digest(bytes).iter().for_each(|byte| write!(text, "{byte:02x}").unwrap());
    text
}
