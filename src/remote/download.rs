//! Fetching a large object to a file, in as many tries as it takes.
//!
//! Bytes go to a file of another name, with a note beside it that says what they are part of. The next try goes on at
//! its end if the object is still the same. Only what has the right size and digest gets the name that was asked for.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::path::ObjectPath;
use super::store::{Answer, Body, Get};
use super::{Remote, RemoteError, Result, Tag, hex};
use crate::disk::{Dir, DiskError, LogFile};

/// What an unfinished file is part of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    size: u64,
    sha256: String,
    /// The object that the bytes are of, with its tag.
    at: String,
    tag: Option<Tag>,
}

/// Bytes of a note.
const MOST_NOTE: u64 = 64 << 10;
/// How long one waits between two looks at a file that somebody else fetches.
const PAUSE: Duration = Duration::from_millis(25);

impl Remote {
    /// Fetches the object at `path`, which has `size` bytes with the digest `sha256` (hexadecimal), to the file `name` in
    /// `into`. Returns how many bytes were fetched: none if it is there already, less than all of them where an earlier
    /// try was cut off.
    ///
    /// # Errors
    /// When it is not there, is something else than was promised, or the place cannot be reached. Then there is no file
    /// `name`.
    pub fn download(&self, path: &str, size: u64, sha256: &str, into: &Dir, name: &str) -> Result<u64> {
        let path = ObjectPath::new(path)?;
        let fetch = Fetch {
            remote: self,
            path,
            size,
            sha256,
            into,
            part: format!(".{name}.part"),
            note: format!(".{name}.part.json"),
        };
        loop {
            if let Some(stat) = into.stat(name)? {
                if stat.size == size && hash_of(into, name)?.1 == sha256 {
                    return Ok(0);
                }
                into.remove_all(name)?;
            }
            let mut part = LogFile::open(into, &fetch.part)?;
            self.wait_for(&part, into, name)?;
            // Whoever comes after one who was done looks at what that one fetched.
            if part.is_at(into, &fetch.part)? {
                return fetch.run(&mut part, name).inspect_err(|_| {
                    // What is empty is of no use to the next try.
                    if part.length().is_ok_and(|length| length == 0) {
                        fetch.discard();
                    }
                });
            }
        }
    }

    /// Fetches the object at `path`, which may have `most` bytes, to the file `name` in `into`, and returns its SHA-256
    /// (hexadecimal): for objects of which nobody said what they hold.
    ///
    /// # Errors
    /// When it is not there, is larger, or the place cannot be reached. The file `name` is then as it was.
    pub fn fetch(&self, path: &str, most: u64, into: &Dir, name: &str) -> Result<String> {
        let path = ObjectPath::new(path)?;
        let at = || self.shown(path.as_str());
        let get = Get { most, unless: None, start: 0, only: None, is_tagged: false };
        let Answer::Body(mut body) = self.store.get(path, &get)? else {
            return Err(RemoteError::Answer { at: at(), status: 304, code: None });
        };
        let (temporary, mut file) = into.create_temporary(Path::new(name), 0o644)?;
        let mut receive = || {
            let (mut hasher, mut there) = (Sha256::new(), 0);
            while let Some(chunk) = body.chunks.next()? {
                there += chunk.len() as u64;
                if there > most {
                    return Err(RemoteError::TooLarge { at: at(), most });
                }
                file.write(chunk)?;
                hasher.update(chunk);
            }
            if let Some(size) = body.size.filter(|size| *size != there) {
                let why = format!("{there} of {size} bytes came");
                return Err(RemoteError::Cut { at: at(), why });
            }
            into.rename(&temporary, into, name)?;
            Ok(hex(&hasher.finalize()))
        };
        receive().inspect_err(|_| into.discard(&temporary))
    }

    fn wait_for(&self, part: &LogFile, into: &Dir, name: &str) -> Result<()> {
        let until = self.limits.total.unwrap_or_else(|| Instant::now() + self.limits.stall);
        while !part.try_lock()? {
            if Instant::now() >= until {
                let why = "another process is fetching it, and does not come to an end".to_owned();
                let at = crate::disk::Shown(&into.join(name)).to_string();
                return Err(RemoteError::Unreachable { at, why });
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

/// One object on its way to one file.
struct Fetch<'a> {
    remote: &'a Remote,
    path: ObjectPath<'a>,
    size: u64,
    sha256: &'a str,
    into: &'a Dir,
    part: String,
    note: String,
}

impl Fetch<'_> {
    fn run(&self, part: &mut LogFile, name: &str) -> Result<u64> {
        let (mut there, mut hasher, mut tag) = self.begun(part)?;
        let mut fetched = 0;
        // A second time if what was there did not fit.
        loop {
            let mut is_whole = there == 0;
            if there < self.size || is_whole {
                let get = Get {
                    most: self.size,
                    unless: None,
                    start: there,
                    only: tag.as_ref().filter(|_| there > 0),
                    is_tagged: false,
                };
                match self.remote.store.get(self.path, &get)? {
                    Answer::Body(body) => {
                        // The store sends all of it again.
                        if body.start != there {
                            (there, hasher, is_whole) = (0, Sha256::new(), true);
                        }
                        self.receive(part, body, &mut there, &mut hasher, &mut fetched)?;
                    }
                    Answer::Same | Answer::Changed if there > 0 => {
                        part.clear()?;
                        (there, hasher, tag) = (0, Sha256::new(), None);
                        continue;
                    }
                    Answer::Same | Answer::Changed => {
                        return Err(RemoteError::Answer { at: self.at(), status: 416, code: None });
                    }
                }
            }
            let found = hex(&std::mem::take(&mut hasher).finalize());
            if found == self.sha256 {
                part.sync()?;
                self.into.rename(&self.part, self.into, name)?;
                self.into.discard(&self.note);
                self.into.sync()?;
                return Ok(fetched);
            }
            if is_whole {
                return Err(self.give_up(RemoteError::Mismatch {
                    at: self.at(),
                    expected: self.sha256.to_owned(),
                    found,
                }));
            }
            part.clear()?;
            (there, tag) = (0, None);
        }
    }

    /// What an earlier try left: how many bytes, their hash so far, and the tag of the object that they are of.
    fn begun(&self, part: &mut LogFile) -> Result<(u64, Sha256, Option<Tag>)> {
        let note = self.into.read_file(&self.note, MOST_NOTE).ok();
        let note: Option<Note> = note.and_then(|text| serde_json::from_slice(&text).ok());
        let length = part.length()?;
        match note.filter(|note| note.size == self.size && note.sha256 == self.sha256) {
            Some(note) if length <= self.size => {
                let (hasher, _) = hash_of(self.into, &self.part)?;
                // The bytes count wherever they came from; a tag only means something to its own store.
                Ok((length, hasher, note.tag.filter(|_| note.at == self.at())))
            }
            _ => {
                part.clear()?;
                Ok((0, Sha256::new(), None))
            }
        }
    }

    fn receive(
        &self,
        part: &mut LogFile,
        mut body: Body<'_>,
        there: &mut u64,
        hasher: &mut Sha256,
        fetched: &mut u64,
    ) -> Result<()> {
        if let Some(found) = body.size.filter(|size| *size != self.size) {
            return Err(self.give_up(RemoteError::Size { at: self.at(), expected: self.size, found }));
        }
        if *there == 0 {
            part.clear()?;
            let note =
                Note { size: self.size, sha256: self.sha256.to_owned(), at: self.at(), tag: body.tag.take() };
            let note = serde_json::to_vec(&note).unwrap_or_default();
            self.into.replace_file_without_sync(&self.note, &note)?;
        }
        while let Some(chunk) = body.chunks.next()? {
            *there += chunk.len() as u64;
            if *there > self.size {
                return Err(self.give_up(RemoteError::TooLarge { at: self.at(), most: self.size }));
            }
            part.add(chunk)?;
            hasher.update(chunk);
            *fetched += chunk.len() as u64;
        }
        if *there < self.size {
            let why = format!("{there} of {} bytes came", self.size);
            return Err(RemoteError::Cut { at: self.at(), why });
        }
        Ok(())
    }

    /// Nothing of this is of use to anybody.
    fn give_up(&self, error: RemoteError) -> RemoteError {
        self.discard();
        error
    }

    fn discard(&self) {
        self.into.discard(&self.part);
        self.into.discard(&self.note);
    }

    fn at(&self) -> String {
        self.remote.shown(self.path.as_str())
    }
}

/// The hash of the file `name` so far, and what it is if nothing is added.
fn hash_of(dir: &Dir, name: impl AsRef<Path>) -> Result<(Sha256, String)> {
    let mut file = dir.open_file(&name)?;
    let failed = |source| DiskError { act: "read", path: dir.join(&name), source };
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error).into()),
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
        }
    }
    let digest = hex(&hasher.clone().finalize());
    Ok((hasher, digest))
}
