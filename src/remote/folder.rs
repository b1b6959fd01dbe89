//! A directory as a store: objects are files.
//!
//! A file gets its name when it is complete and durable: by a hard link where it must not be there yet, which is one
//! step for the kernel also over a network, and by renaming under a lock where it replaces another. Who reads takes no
//! lock and needs no right to write.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use super::path::ObjectPath;
use super::store::{Answer, Body, Chunks, Condition, Get, Store};
use super::{Address, Content, Limits, Object, RemoteError, Result, Tag, hex};
use crate::disk::{Dir, DiskError, Kind, LogFile, NewFile, cannot_share, is_temporary};

/// A store in a directory.
pub(super) struct Folder {
    address: Address,
    path: PathBuf,
    limits: Limits,
}

/// The file that is locked by whoever replaces something. No object can have this name.
const LOCK: &str = ".lock";
/// How long one waits between two tries.
const PAUSE: Duration = Duration::from_millis(25);
/// An object that is replaced is read to see which it is, if it is not larger.
const MOST_REPLACED: u64 = 64 << 20;
/// After so many seconds an unfinished file is one that nobody works on.
const LEFT_BEHIND: i64 = 24 * 3600;
/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

impl Folder {
    pub(super) fn new(address: &Address, path: &Path, limits: Limits) -> Self {
        Self { address: address.clone(), path: path.to_owned(), limits }
    }

    /// The directory. A server that is away may let a process wait for ever: it is a thread that waits.
    fn place(&self) -> Result<Dir> {
        let (answer, answered) = mpsc::channel();
        let path = self.path.clone();
        std::thread::spawn(move || {
            // Nobody may be there any more to hear it.
            let _ = answer.send(Dir::open(&path));
        });
        let unreachable =
            |why: &str| RemoteError::Unreachable { at: self.address.to_string(), why: why.to_owned() };
        match answered.recv_timeout(self.patience(self.limits.probe)) {
            Ok(Ok(dir)) => Ok(dir),
            Ok(Err(error)) if error.is_not_found() => Err(unreachable("there is no such directory")),
            Ok(Err(error)) => Err(self.failed(error, "")),
            Err(_) => Err(unreachable("the directory does not answer")),
        }
    }

    /// At most `limit`, and not longer than there is time in all.
    fn patience(&self, limit: Duration) -> Duration {
        self.limits.total.map_or(limit, |total| limit.min(total.saturating_duration_since(Instant::now())))
    }

    /// What `error` means, which the object at `path` gave.
    fn failed(&self, error: DiskError, path: &str) -> RemoteError {
        let at = if path.is_empty() { self.address.to_string() } else { self.address.object(path) };
        if error.is_not_found() {
            return RemoteError::NotFound { at, code: None };
        }
        if error.is_denied() {
            let why = error.source.to_string();
            return RemoteError::Denied { at, why, code: None };
        }
        let code = error.source.raw_os_error().map(Errno::from_raw_os_error);
        match code {
            Some(
                Errno::STALE
                | Errno::IO
                | Errno::NOTCONN
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::TIMEDOUT
                | Errno::CONNREFUSED
                | Errno::CONNRESET
                | Errno::NODEV
                | Errno::NXIO,
            ) => RemoteError::Unreachable { at, why: error.source.to_string() },
            _ => error.into(),
        }
    }

    /// The folder that an object is in.
    fn parent(&self, path: ObjectPath<'_>) -> Result<Dir> {
        let place = self.place()?;
        match path.split().0 {
            "" => Ok(place),
            folders => place.descend(Path::new(folders)).map_err(|error| self.failed(error, path.as_str())),
        }
    }

    /// As above; what is missing is made.
    fn make_parent(&self, path: ObjectPath<'_>) -> Result<Dir> {
        let mut dir = self.place()?;
        let failed = |error| self.failed(error, path.as_str());
        for name in path.split().0.split('/').filter(|name| !name.is_empty()) {
            dir = match dir.descend(Path::new(name)) {
                Err(error) if error.is_not_found() => {
                    match dir.make_dir(name) {
                        Err(error) if !error.is_already_there() => return Err(failed(error)),
                        _ => dir.sync().map_err(failed)?,
                    }
                    dir.descend(Path::new(name)).map_err(failed)?
                }
                below => below.map_err(failed)?,
            };
        }
        Ok(dir)
    }

    /// Takes the lock of everybody who replaces something.
    fn lock(&self) -> Result<LogFile> {
        let place = self.place()?;
        let failed = |error| self.failed(error, "");
        let until = Instant::now() + self.patience(self.limits.stall);
        loop {
            let file = LogFile::open(&place, LOCK).map_err(failed)?;
            if file.try_lock().map_err(failed)? {
                if file.is_at(&place, LOCK).map_err(failed)? {
                    return Ok(file);
                }
            } else if Instant::now() >= until {
                let why = "somebody else is publishing there, and does not come to an end".to_owned();
                return Err(RemoteError::Unreachable { at: self.address.to_string(), why });
            } else {
                std::thread::sleep(PAUSE);
            }
        }
    }

    /// Writes `content` to a file beside `name`, makes it durable, and gives it to `settle`, which names it.
    fn write(
        &self,
        path: ObjectPath<'_>,
        content: &Content<'_>,
        settle: impl FnOnce(&Dir, &Path, &str) -> Result<()>,
    ) -> Result<Tag> {
        let failed = |error| self.failed(error, path.as_str());
        let parent = self.make_parent(path)?;
        sweep(&parent);
        let name = path.split().1;
        let (temporary, mut file) = parent.create_temporary(Path::new(name), 0o664).map_err(failed)?;
        let written = self.fill(&mut file, content).and_then(|tag| {
            file.sync().map_err(failed)?;
            settle(&parent, &temporary, name)?;
            Ok(tag)
        });
        // Its second name, or all of it where something went wrong.
        parent.discard(&temporary);
        let tag = written?;
        parent.sync().map_err(failed)?;
        Ok(tag)
    }

    fn fill(&self, file: &mut NewFile, content: &Content<'_>) -> Result<Tag> {
        match content {
            Content::Bytes(bytes) => {
                file.write(bytes)?;
                Ok(tag_of(&Sha256::digest(bytes)))
            }
            Content::File(dir, name) => {
                let mut hasher = Sha256::new();
                let from = dir.open_file(name)?;
                let mut chunks = FileChunks::new(self, from, dir.join(name));
                while let Some(chunk) = chunks.next()? {
                    hasher.update(chunk);
                    file.write(chunk)?;
                }
                Ok(tag_of(&hasher.finalize()))
            }
        }
    }
}

impl Store for Folder {
    fn get<'s>(&'s self, path: ObjectPath<'_>, get: &Get<'_>) -> Result<Answer<'s>> {
        let failed = |error| self.failed(error, path.as_str());
        let parent = self.parent(path)?;
        let name = path.split().1;
        let mut file = parent.open_file(name).map_err(failed)?;
        let io = |source| failed(DiskError { act: "read", path: parent.join(name), source });
        let size = file.metadata().map_err(io)?.len();
        if size > get.most {
            return Err(RemoteError::TooLarge { at: self.address.object(path.as_str()), most: get.most });
        }
        let mut tag = None;
        if get.is_tagged || get.only.is_some() {
            let mut hasher = Sha256::new();
            let from = file.try_clone().map_err(io)?;
            let mut chunks = FileChunks::new(self, from, parent.join(name));
            while let Some(chunk) = chunks.next()? {
                hasher.update(chunk);
            }
            tag = Some(tag_of(&hasher.finalize()));
        }
        if get.unless.is_some() && get.unless == tag.as_ref() {
            return Ok(Answer::Same);
        }
        if get.start > size || get.only.is_some() && get.only != tag.as_ref() {
            return Ok(Answer::Changed);
        }
        file.seek(SeekFrom::Start(get.start)).map_err(io)?;
        let chunks = Box::new(FileChunks::new(self, file, parent.join(name)));
        Ok(Answer::Body(Body { start: get.start, size: Some(size), tag, chunks }))
    }

    fn put(
        &self,
        path: ObjectPath<'_>,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Option<Tag>> {
        let failed = |error| self.failed(error, path.as_str());
        let conflict = || RemoteError::Conflict { at: self.address.object(path.as_str()) };
        let tag = match condition {
            Condition::Absent => self.write(path, content, |parent, temporary, name| {
                match parent.hard_link(parent, temporary, Path::new(name)) {
                    Ok(()) => Ok(()),
                    Err(error) if error.is_already_there() => Err(conflict()),
                    // A filesystem without second names.
                    Err(error) if cannot_share(&error) => {
                        let _lock = self.lock()?;
                        if parent.stat(name).map_err(failed)?.is_some() {
                            return Err(conflict());
                        }
                        parent.rename(temporary, parent, name).map_err(failed)
                    }
                    Err(error) => Err(failed(error)),
                }
            })?,
            Condition::Is(expected) => self.write(path, content, |parent, temporary, name| {
                let _lock = self.lock()?;
                match parent.read_file(name, MOST_REPLACED) {
                    Ok(bytes) if tag_of(&Sha256::digest(&bytes)) == *expected => {}
                    Err(error) if !error.is_not_found() => return Err(failed(error)),
                    _ => return Err(conflict()),
                }
                parent.rename(temporary, parent, name).map_err(failed)
            })?,
        };
        Ok(Some(tag))
    }

    fn size(&self, path: ObjectPath<'_>) -> Result<Option<u64>> {
        let parent = match self.parent(path) {
            Err(error) if error.is_not_found() => return Ok(None),
            parent => parent?,
        };
        let stat = parent.stat(path.split().1).map_err(|error| self.failed(error, path.as_str()))?;
        Ok(stat.filter(|stat| stat.kind == Kind::File).map(|stat| stat.size))
    }

    fn list(&self, prefix: Option<ObjectPath<'_>>) -> Result<Vec<Object>> {
        let place = self.place()?;
        let mut folders = vec![prefix.map_or("", ObjectPath::as_str).to_owned()];
        let mut objects = Vec::new();
        while let Some(folder) = folders.pop() {
            let failed = |error| self.failed(error, &folder);
            let dir = match place.descend(Path::new(&folder)) {
                Err(error) if error.is_not_found() => continue,
                dir => dir.map_err(failed)?,
            };
            for name in dir.names().map_err(failed)? {
                let Some(name) = name.to_str() else { continue };
                let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
                // The lock, unfinished files, and what somebody else put there.
                if ObjectPath::new(&path).is_err() {
                    continue;
                }
                match dir.stat(name).map_err(failed)? {
                    Some(stat) if stat.kind == Kind::Directory => folders.push(path),
                    Some(stat) if stat.kind == Kind::File => {
                        let modified = DateTime::from_timestamp(stat.mtime, 0).unwrap_or_default();
                        objects.push(Object { path, size: stat.size, modified });
                    }
                    _ => {}
                }
            }
        }
        Ok(objects)
    }

    fn remove(&self, path: ObjectPath<'_>) -> Result<()> {
        let parent = match self.parent(path) {
            Err(error) if error.is_not_found() => return Ok(()),
            parent => parent?,
        };
        match parent.remove(path.split().1) {
            Err(error) if error.is_not_found() => Ok(()),
            removed => {
                removed.and_then(|()| parent.sync()).map_err(|error| self.failed(error, path.as_str()))
            }
        }
    }
}

/// Removes the unfinished files that killed processes left long ago, as far as that can be done.
fn sweep(dir: &Dir) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    for name in dir.names().unwrap_or_default().iter().filter(|name| is_temporary(name)) {
        if matches!(dir.stat(name), Ok(Some(stat)) if stat.mtime < now - LEFT_BEHIND) {
            dir.discard(name);
        }
    }
}

fn tag_of(digest: &[u8]) -> Tag {
    Tag { etag: format!("sha256:{}", hex(digest)), version: None }
}

/// A file as it is read.
struct FileChunks<'s> {
    folder: &'s Folder,
    file: File,
    path: PathBuf,
    buffer: Vec<u8>,
}

impl<'s> FileChunks<'s> {
    fn new(folder: &'s Folder, file: File, path: PathBuf) -> Self {
        Self { folder, file, path, buffer: Vec::new() }
    }
}

impl Chunks for FileChunks<'_> {
    fn next(&mut self) -> Result<Option<&[u8]>> {
        if self.folder.limits.total.is_some_and(|total| total <= Instant::now()) {
            let at = self.folder.address.to_string();
            return Err(RemoteError::Cut { at, why: "the time is over".to_owned() });
        }
        self.buffer.resize(CHUNK, 0);
        let count = loop {
            match self.file.read(&mut self.buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => {
                    let error = DiskError { act: "read", path: self.path.clone(), source };
                    return Err(self.folder.failed(error, ""));
                }
                Ok(count) => break count,
            }
        };
        Ok((count > 0).then(|| &self.buffer[..count]))
    }
}
