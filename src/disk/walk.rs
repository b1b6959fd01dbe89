//! Opening a folder by its path, with an eye on the links on the way.
//!
//! Whoever can put a link on the way to a folder could lead what is written there elsewhere. So a link is followed
//! only if it is root's or the user's own, or if it belongs to the owner of the folder it stands in and leads to what
//! that owner has anyway. This is the kernel's rule for links in sticky folders (`fs.protected_symlinks` in proc(5)),
//! for all folders and on all systems. Every step is made from an open handle: what was looked at is what is opened.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{self, CWD, Mode, OFlags};
use rustix::io::Errno;

use super::new::Holder;
use super::{DiskError, Kind, Result, Stat, at, user_name};
use crate::door;

/// Links on one way, as the kernel counts them.
const MOST_LINKS: usize = 40;

/// How a folder on the way is opened: with nothing but the right to go through it.
#[cfg(target_os = "linux")]
const THROUGH: OFlags = OFlags::PATH;
/// `O_SEARCH` of <sys/fcntl.h>.
#[cfg(target_os = "macos")]
const THROUGH: OFlags = OFlags::from_bits_retain(0x4000_0000);
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
const THROUGH: OFlags = OFlags::RDONLY;

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Opens the folder at `path`; with `make`, what is missing at its end is made.
pub(super) fn open(path: &Path, make: bool) -> Result<OwnedFd> {
    match open_without_links(path) {
        Ok(fd) => Ok(fd),
        Err(Errno::NOENT) if make => Walk::new(path)?.finish(true),
        // A link is on the way, or the system has no such call.
        Err(Errno::LOOP | Errno::NOSYS | Errno::PERM | Errno::INVAL) => Walk::new(path)?.finish(make),
        Err(error) => Err(at("open", path)(error)),
    }
}

/// Most ways have no link on them: one call.
fn open_without_links(path: &Path) -> Result<OwnedFd, Errno> {
    #[cfg(target_os = "linux")]
    return fs::openat2(CWD, path, FOLDER, Mode::empty(), fs::ResolveFlags::NO_SYMLINKS);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Err(Errno::NOSYS)
    }
}

/// Opens the folder `below` another one, if that can be done with one call. Why it cannot is for who goes step by step
/// to find out.
pub(super) fn descend(from: &OwnedFd, below: &Path) -> Option<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        let ways = fs::ResolveFlags::NO_SYMLINKS.union(fs::ResolveFlags::BENEATH);
        let is_downwards = |step: Component<'_>| matches!(step, Component::Normal(_));
        let is_worth_it = below.components().count() > 1 && below.components().all(is_downwards);
        is_worth_it.then(|| fs::openat2(from, below, FOLDER, Mode::empty(), ways).ok()).flatten()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (from, below);
        None
    }
}

/// What stands at a name.
enum Step {
    Folder(OwnedFd),
    Link { text: OsString, owner: u32 },
}

struct Walk<'p> {
    path: &'p Path,
    here: OwnedFd,
    /// Where that is, for messages.
    place: PathBuf,
    /// What is left of the path, the last component first.
    rest: Vec<OsString>,
    /// For each link that is being followed: how much was left behind it, and who must own what it leads to.
    links: Vec<(usize, Option<u32>)>,
}

impl<'p> Walk<'p> {
    fn new(path: &'p Path) -> Result<Self> {
        let (here, place) = beginning(path)?;
        let mut walk = Self { path, here, place, rest: Vec::new(), links: Vec::new() };
        walk.push(path);
        Ok(walk)
    }

    fn push(&mut self, path: &Path) {
        let names = path.components().rev().filter_map(|component| match component {
            Component::Normal(name) => Some(name),
            Component::ParentDir => Some(OsStr::new("..")),
            _ => None,
        });
        self.rest.extend(names.map(OsStr::to_owned));
    }

    fn finish(mut self, make: bool) -> Result<OwnedFd> {
        let mut followed = 0;
        while let Some(name) = self.rest.pop() {
            let is_of_a_link = self.links.iter().any(|(left, _)| self.rest.len() >= *left);
            match self.step(&name) {
                // What a link leads to must be there: it may be a disk that is not mounted.
                Err(Errno::NOENT) if make && !is_of_a_link => self.make(&name)?,
                Err(error) => return Err(at("open", &self.place.join(name))(error)),
                Ok(Step::Folder(fd)) => {
                    self.here = fd;
                    if name == ".." {
                        self.place.pop();
                    } else {
                        self.place.push(name);
                    }
                }
                Ok(Step::Link { text, owner }) => {
                    followed += 1;
                    if followed > MOST_LINKS {
                        return Err(at("open", self.path)(Errno::LOOP));
                    }
                    self.follow(&name, Path::new(&text), owner)?;
                }
            }
            self.arrive()?;
        }
        fs::openat(&self.here, ".", FOLDER, Mode::empty()).map_err(at("open", self.path))
    }

    fn owner(&self) -> Result<u32> {
        Ok(Stat::from(fs::fstat(&self.here).map_err(at("read", &self.place))?).owner)
    }

    fn follow(&mut self, name: &OsStr, text: &Path, owner: u32) -> Result<()> {
        let me = rustix::process::geteuid().as_raw();
        let must_own = if owner == me || owner == 0 {
            None
        } else if owner == self.owner()? {
            Some(owner)
        } else {
            return Err(foreign(self.place.join(name), owner));
        };
        self.links.push((self.rest.len(), must_own));
        self.push(text);
        if text.is_absolute() {
            (self.here, self.place) = beginning(text)?;
        }
        Ok(())
    }

    /// Looks at where links have led that are followed to their ends.
    fn arrive(&mut self) -> Result<()> {
        while let Some((_, must_own)) = self.links.pop_if(|(left, _)| *left >= self.rest.len()) {
            if let Some(owner) = must_own
                && self.owner()? != owner
            {
                return Err(foreign(self.place.clone(), owner));
            }
        }
        Ok(())
    }

    fn make(&mut self, name: &OsStr) -> Result<()> {
        let path = self.place.join(name);
        let holder = Holder::of(&self.here).map_err(at("create", &path))?;
        let make = || holder.make_dir(&self.here, Path::new(name), 0o775);
        match door::pass("create", || path.clone(), make) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(at("create", &path)(error)),
        }
        let above = fs::openat(&self.here, ".", FOLDER, Mode::empty()).map_err(at("open", &self.place))?;
        super::sync_folder(above, &self.place)?;
        let flags = THROUGH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.here = fs::openat(&self.here, name, flags, Mode::empty()).map_err(at("open", &path))?;
        self.place = path;
        Ok(())
    }

    /// Opens what stands at `name`, if it is a folder, or reads it, if it is a link.
    #[cfg(target_os = "linux")]
    fn step(&self, name: &OsStr) -> Result<Step, Errno> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = fs::openat(&self.here, name, flags, Mode::empty())?;
        let stat = Stat::from(fs::fstat(&found)?);
        match stat.kind {
            Kind::Directory => Ok(Step::Folder(found)),
            Kind::Symlink => read(&found, "", &stat),
            _ => Err(Errno::NOTDIR),
        }
    }

    /// As above, where a link has no handle: it is read between two looks at it.
    #[cfg(not(target_os = "linux"))]
    fn step(&self, name: &OsStr) -> Result<Step, Errno> {
        let look = || fs::statat(&self.here, name, fs::AtFlags::SYMLINK_NOFOLLOW).map(Stat::from);
        loop {
            let stat = look()?;
            match stat.kind {
                Kind::Symlink => {
                    let step = read(&self.here, name, &stat)?;
                    if look()? == stat {
                        return Ok(step);
                    }
                }
                _ => {
                    let flags = THROUGH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                    return fs::openat(&self.here, name, flags, Mode::empty()).map(Step::Folder);
                }
            }
        }
    }
}

fn beginning(path: &Path) -> Result<(OwnedFd, PathBuf)> {
    let place = Path::new(if path.is_absolute() { "/" } else { "." });
    let flags = THROUGH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = fs::open(place, flags, Mode::empty()).map_err(at("open", place))?;
    Ok((fd, if path.is_absolute() { place.to_owned() } else { PathBuf::new() }))
}

fn read(dir: impl AsFd, name: impl rustix::path::Arg, stat: &Stat) -> Result<Step, Errno> {
    let text = fs::readlinkat(dir, name, Vec::new())?;
    Ok(Step::Link { text: OsString::from_vec(text.into_bytes()), owner: stat.owner })
}

fn foreign(path: PathBuf, owner: u32) -> DiskError {
    let why = format!(
        "a link of {} leads there, and only links of root, your own, and those to what their folder's owner has \
         are followed",
        user_name(owner)
    );
    DiskError { act: "open", path, source: io::Error::other(why) }
}
