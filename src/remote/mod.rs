//! Objects in a store: a directory, a bucket, or a web server.
//!
//! Consumers read, publishers write; what they rely on is the same everywhere. An object is read as a whole or not at
//! all, is never larger than the reader says, and nothing waits longer than [`Limits`]. An object is created only if
//! it is absent, and replaced only if it is what the writer saw: of many writers exactly one wins. What a store says is
//! not believed beyond that: who reads checks digests and signatures.
//!
//! Directories are handled by `disk` and work in every build. The network is behind the feature `remote`, and in
//! `network` alone.

mod address;
mod download;
mod error;
mod folder;
#[cfg(feature = "remote")]
mod network;
mod path;
mod store;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::disk::{Dir, DiskError};

pub use address::Address;
use address::Place;
pub use error::{RemoteError, Result};
use path::ObjectPath;
use store::{Answer, Condition, Get, Store};

/// How long one waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the first sign of life: name, connection, credentials and the beginning of an answer.
    pub probe: Duration,
    /// For all that is done at the place.
    pub total: Option<Instant>,
    /// For the next byte, once there was one.
    pub stall: Duration,
}

/// What the environment says about stores: credentials, endpoints, regions.
#[derive(Clone)]
#[cfg_attr(not(feature = "remote"), allow(dead_code))]
pub struct Settings(Vec<(String, String)>);

impl Settings {
    /// Those of this process.
    pub fn of_the_environment() -> Self {
        let texts = std::env::vars_os()
            .filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
        Self(texts.collect())
    }

    /// These.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let variables = variables.into_iter();
        Self(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Those whose names begin with one of `prefixes`.
    #[cfg(feature = "remote")]
    fn with_prefix<'s>(&'s self, prefixes: &'s [&str]) -> impl Iterator<Item = (&'s str, &'s str)> {
        let variables = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        variables.filter(|(name, _)| prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }
}

/// Which content an object has, as its store tells it apart: an `ETag`, a generation, or a digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// An object that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// It is the one that is known already.
    Same,
    /// Its content.
    New {
        /// All of it.
        bytes: Vec<u8>,
        /// What tells it from others, if the store has something.
        tag: Option<Tag>,
    },
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    /// Its path below the place.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the clock of the store.
    pub modified: DateTime<Utc>,
}

/// What an object is made of.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// The file of that name.
    File(&'a Dir, &'a str),
}

/// A place where objects are kept.
pub struct Remote {
    address: Address,
    limits: Limits,
    store: Box<dyn Store>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remote({})", self.address)
    }
}

impl Remote {
    /// Makes ready to use the place at `address`. Nothing is asked of a network yet.
    ///
    /// # Errors
    /// When this build has no stores of that kind, or settings in the environment make no sense.
    pub fn open(address: &Address, limits: Limits) -> Result<Self> {
        Self::open_with(address, limits, &Settings::of_the_environment())
    }

    /// As [`Remote::open`], with other settings than those of the environment.
    ///
    /// # Errors
    /// As [`Remote::open`].
    pub fn open_with(address: &Address, limits: Limits, settings: &Settings) -> Result<Self> {
        let store: Box<dyn Store> = match &address.0 {
            Place::Folder(path) => Box::new(folder::Folder::new(address, path, limits)),
            #[cfg(feature = "remote")]
            place => network::open(place, address, limits, settings)?,
            #[cfg(not(feature = "remote"))]
            _ => {
                let _ = settings;
                return Err(RemoteError::Unsupported {
                    what: "anything over a network",
                    at: address.to_string(),
                    hint: "this build has no network stores: `cargo install git-dist` makes one that has, and \
                           directories work in every build",
                });
            }
        };
        Ok(Self { address: address.clone(), limits, store })
    }

    /// Where this is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The object at `path` as it may be shown: its address without credentials.
    pub fn shown(&self, path: &str) -> String {
        self.address.object(path)
    }

    /// Reads the object at `path`, which may have `most` bytes, if it is not the one that has the tag `unless`.
    ///
    /// # Errors
    /// When it is not there, is larger, or the place cannot be reached.
    pub fn read(&self, path: &str, most: u64, unless: Option<&Tag>) -> Result<Read> {
        let path = ObjectPath::new(path)?;
        let get = Get { most, unless, start: 0, only: None, is_tagged: true };
        let mut body = match self.store.get(path, &get)? {
            Answer::Body(body) => body,
            Answer::Same if unless.is_some() => return Ok(Read::Same),
            Answer::Same | Answer::Changed => {
                return Err(RemoteError::Answer { at: self.shown(path.as_str()), status: 304, code: None });
            }
        };
        // A store that does not heed the condition.
        if unless.is_some() && unless == body.tag.as_ref() {
            return Ok(Read::Same);
        }
        let too_large = || RemoteError::TooLarge { at: self.shown(path.as_str()), most };
        if body.size.is_some_and(|size| size > most) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = body.chunks.next()? {
            if (bytes.len() + chunk.len()) as u64 > most {
                return Err(too_large());
            }
            bytes.extend_from_slice(chunk);
        }
        if let Some(size) = body.size.filter(|size| *size != bytes.len() as u64) {
            return Err(RemoteError::Cut {
                at: self.shown(path.as_str()),
                why: format!("{} of {size} bytes came", bytes.len()),
            });
        }
        Ok(Read::New { bytes, tag: body.tag })
    }

    /// Writes the object at `path` if there is none. False if there is one, which has the same size.
    ///
    /// What is too large for one request is written in parts, and then two who do so at once may both be told that they
    /// did: large objects have names that say what is in them.
    ///
    /// # Errors
    /// When there is one of another size, or the place cannot be written or reached.
    pub fn create(&self, path: &str, content: &Content<'_>) -> Result<bool> {
        let path = ObjectPath::new(path)?;
        let expected = content.size()?;
        // A condition is asked for anyway, but the content need not be sent to learn that it does not hold.
        let there = match self.store.size(path)? {
            Some(found) => found,
            None => match self.store.put(path, content, Condition::Absent) {
                Ok(_) => return Ok(true),
                Err(RemoteError::Conflict { at }) => {
                    self.store.size(path)?.ok_or(RemoteError::Conflict { at })?
                }
                Err(error) => return Err(error),
            },
        };
        if there != expected {
            return Err(RemoteError::Size { at: self.shown(path.as_str()), expected, found: there });
        }
        Ok(false)
    }

    /// Writes the object at `path` if it still has the tag `expected`, or is absent where that is `None`. Returns its
    /// new tag, if the store tells it.
    ///
    /// # Errors
    /// `Conflict` when somebody else wrote something else there; when the place cannot be written or reached.
    pub fn replace(&self, path: &str, bytes: &[u8], expected: Option<&Tag>) -> Result<Option<Tag>> {
        let path = ObjectPath::new(path)?;
        let condition = expected.map_or(Condition::Absent, Condition::Is);
        let error = match self.store.put(path, &Content::Bytes(bytes), condition) {
            Err(error @ RemoteError::Conflict { .. }) => error,
            done => return done,
        };
        // An answer may be lost, and the same be asked again of a store that did it already.
        match self.read(path.as_str(), bytes.len() as u64, None) {
            Ok(Read::New { bytes: there, tag }) if there == bytes => Ok(tag),
            _ => Err(error),
        }
    }

    /// The objects below the folder `prefix`, in order of their paths; all of them where it is empty.
    ///
    /// # Errors
    /// When the place cannot be listed or reached.
    pub fn list(&self, prefix: &str) -> Result<Vec<Object>> {
        let prefix = if prefix.is_empty() { None } else { Some(ObjectPath::new(prefix)?) };
        let mut objects = self.store.list(prefix)?;
        objects.sort_unstable();
        Ok(objects)
    }

    /// Removes the object at `path`. Nothing there is no error.
    ///
    /// # Errors
    /// When the place cannot be written or reached.
    pub fn remove(&self, path: &str) -> Result<()> {
        self.store.remove(ObjectPath::new(path)?)
    }

    /// Finds out whether the place heeds conditions, with an object of its own that is then removed.
    ///
    /// # Errors
    /// `NoPreconditions` if it does not; when the place cannot be written or reached.
    pub fn check_preconditions(&self) -> Result<()> {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let path = format!("preconditions-{}-{}", std::process::id(), since.as_nanos());
        let path = ObjectPath::new(&path)?;
        let checked = self.try_conditions(path);
        let removed = self.store.remove(path);
        checked.and(removed)
    }

    fn try_conditions(&self, path: ObjectPath<'_>) -> Result<()> {
        let write = |text: &str, condition| self.store.put(path, &Content::Bytes(text.as_bytes()), condition);
        let refused = |written| match written {
            Err(RemoteError::Conflict { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(RemoteError::NoPreconditions { at: self.address.to_string() }),
        };
        let first = write("first\n", Condition::Absent)?;
        refused(write("second\n", Condition::Absent))?;
        // Without a tag nothing can be replaced under a condition.
        let no_tag = || RemoteError::NoPreconditions { at: self.address.to_string() };
        let first = first.ok_or_else(no_tag)?;
        write("third\n", Condition::Is(&first))?;
        refused(write("fourth\n", Condition::Is(&first)))
    }
}

impl Content<'_> {
    /// All of it.
    #[cfg(feature = "remote")]
    fn read(&self) -> Result<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.to_vec()),
            Self::File(dir, name) => Ok(dir.read_file(name, u64::MAX - 1)?),
        }
    }

    /// Its size in bytes.
    fn size(&self) -> Result<u64> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
            Self::File(dir, name) => {
                let failed = |source| DiskError { act: "read", path: dir.join(name), source };
                Ok(dir.open_file(name)?.metadata().map_err(failed)?.len())
            }
        }
    }
}

/// Bytes in hexadecimal, as digests are written.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
