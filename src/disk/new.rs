//! Whose a new file or folder is, and what its group may do.
//!
//! Nothing is ever made that everybody may write to, whatever the umask is. A folder that is its group's (setgid and
//! writable for the group, as `git init --shared=group` makes them) stays the group's: what is made in it gets the
//! group's permissions, whatever the umask is. And what root makes in the folder of somebody else is that somebody's,
//! who could not go on with it otherwise.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::Stat;

/// What a folder means for what is made in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holder {
    /// It is its group's.
    is_groups: bool,
    /// Root gives what it makes there to this user and group.
    gives_to: Option<(Uid, Gid)>,
}

impl Holder {
    pub(super) fn of(dir: impl AsFd) -> Result<Self, Errno> {
        let raw = fs::fstat(dir)?;
        let (group, stat) = (Gid::from_raw(raw.st_gid), Stat::from(raw));
        let owner = Uid::from_raw(stat.owner);
        let is_given = rustix::process::geteuid().is_root() && !owner.is_root();
        Ok(Self { is_groups: stat.mode & 0o2020 == 0o2020, gives_to: is_given.then_some((owner, group)) })
    }

    /// Makes the folder `name` in `dir`, with `mode` as the umask narrows it.
    pub(super) fn make_dir(self, dir: impl AsFd, name: &Path, mode: u32) -> Result<(), Errno> {
        fs::mkdirat(&dir, name, Mode::from_raw_mode(mode & !0o002))?;
        if self.is_plain(mode) {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = fs::openat(&dir, name, flags, Mode::empty())?;
        self.settle(&made, mode, 0o2000)
    }

    /// Creates the file `name` in `dir`, which must not exist yet, with `mode` as the umask narrows it.
    pub(super) fn create_file(self, dir: impl AsFd, name: &Path, mode: u32) -> Result<OwnedFd, Errno> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = fs::openat(dir, name, flags, Mode::from_raw_mode(mode & !0o002))?;
        if !self.is_plain(mode) {
            self.settle(&made, mode, 0)?;
        }
        Ok(made)
    }

    fn is_plain(self, mode: u32) -> bool {
        self.gives_to.is_none() && !(self.is_groups && mode & 0o070 != 0)
    }

    fn settle(self, made: &OwnedFd, mode: u32, more: u32) -> Result<(), Errno> {
        if let Some((owner, group)) = self.gives_to {
            fs::fchown(made, Some(owner), Some(group))?;
        }
        if self.is_groups && mode & 0o070 != 0 {
            let has = Stat::from(fs::fstat(made)?).mode;
            let wanted = has | mode & 0o070 | more;
            if wanted != has {
                fs::fchmod(made, Mode::from_raw_mode(wanted))?;
            }
        }
        Ok(())
    }
}

/// The name of a user, or `uid 1000` of one that `/etc/passwd` does not know.
pub fn user_name(uid: u32) -> String {
    let text = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let number = uid.to_string();
    // passwd(5): `name:password:UID:...`
    let is_it = |line: &&str| line.split(':').nth(2) == Some(number.as_str());
    let name = text.lines().find(is_it).and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("uid {uid}"), ToOwned::to_owned)
}
