//! One hook file: what is there, what installing or removing makes of it.
//!
//! A plain shell script takes the block after its first line, so that its owner goes on editing it in place. Every
//! other hook (another language, a symlink, one that is switched off by its mode) is moved to
//! `<hook>.before-git-dist`, untouched, and a hook of ours runs it. It is run through `git-dist.d/<hook>`, a symlink:
//! scripts that look at their own name see the old one, and those that look for neighbours by their real path find
//! them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::block::{self, SHEBANG, Shape};
use super::{Action, Error, HookName};
use crate::disk::Dir;

/// Folder beside the hooks for the links through which kept hooks are run.
const KEPT_LINKS: &str = "git-dist.d";

/// What is at a hook's path.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Absent,
    /// A hook without a block of ours.
    Foreign {
        /// Where a block may go; none if this hook takes none.
        place: Option<usize>,
        /// Its content; empty for a symlink.
        text: Vec<u8>,
    },
    /// A hook with a block of ours.
    Ours {
        /// The whole file.
        text: Vec<u8>,
        /// The block in it.
        range: std::ops::Range<usize>,
        /// Whether git would run it.
        executable: bool,
    },
}

/// A hook file and its neighbours.
pub(super) struct HookFile {
    hook: HookName,
    dir: PathBuf,
    path: PathBuf,
    pub(super) found: Found,
}

/// What is to be done to one hook file.
pub(super) enum Step {
    /// Write this text over the hook.
    Write(Vec<u8>),
    /// Keep the hook beside, then write this text.
    KeepThenWrite(Vec<u8>),
    /// Delete a hook that was ours as a whole.
    Delete,
    /// Put the kept hook back; text a user added to ours is saved beside.
    PutBack {
        /// What the user had added.
        added: Option<Vec<u8>>,
    },
    /// Nothing.
    Leave,
}

impl HookFile {
    /// Looks at the hook in `dir`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], [`Error::DamagedBlock`], or [`Error::NotAFile`] for something git cannot run.
    pub(super) fn read(dir: &Path, hook: HookName) -> Result<Self, Error> {
        let path = dir.join(hook.as_str());
        let found = match fs::symlink_metadata(&path) {
            Err(gone) if matches!(gone.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Found::Absent
            }
            Err(source) => return Err(Error::Io { act: "look at", path, source }),
            Ok(meta) if meta.is_symlink() => Found::Foreign { place: None, text: Vec::new() },
            Ok(meta) if !meta.is_file() => return Err(Error::NotAFile { path }),
            Ok(meta) => {
                let text = fs::read(&path).map_err(Error::io("read", &path))?;
                let executable = meta.permissions().mode() & 0o100 != 0;
                match block::find(&text, &path)? {
                    Some(range) => Found::Ours { text, range, executable },
                    // A hook that git ignores for its mode must not begin to run because we need ours to.
                    None => Found::Foreign { place: block::place_in(&text).filter(|_| executable), text },
                }
            }
        };
        Ok(Self { hook, dir: dir.to_owned(), path, found })
    }

    /// Where the hook is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}.{ending}", self.hook))
    }

    /// Name of the hook that was here before.
    fn kept(&self) -> PathBuf {
        self.beside("before-git-dist")
    }

    /// What installing would do.
    ///
    /// # Errors
    ///
    /// [`Error::KeptHookInTheWay`] if the place of the existing hook is taken by another one.
    pub(super) fn plan_install(&self, binary: &str) -> Result<(Action, Step), Error> {
        let whole = |shape| [SHEBANG, &block::render(self.hook, binary, shape)].concat();
        let kept = fs::symlink_metadata(self.dir.join(self.kept())).ok();
        Ok(match &self.found {
            // The kept hook without ours: an installation was cut short, or somebody removed our file.
            Found::Absent if kept.is_some() => (Action::Wrapped, Step::Write(whole(Shape::Wrapped))),
            Found::Absent => (Action::Created, Step::Write(whole(Shape::Created))),
            Found::Foreign { place: Some(at), text } => {
                let block = block::render(self.hook, binary, Shape::Added);
                (Action::Added, Step::Write(block::spliced(text, *at..*at, &block)))
            }
            Found::Foreign { place: None, .. } => {
                let meta = fs::symlink_metadata(&self.path).map_err(Error::io("look at", &self.path))?;
                if kept.is_some_and(|kept| (kept.dev(), kept.ino()) != (meta.dev(), meta.ino())) {
                    return Err(Error::KeptHookInTheWay { path: self.kept() });
                }
                (Action::Wrapped, Step::KeepThenWrite(whole(Shape::Wrapped)))
            }
            Found::Ours { text, range, executable } => {
                let shape = block::shape_of(&text[range.clone()]);
                let new = block::spliced(text, range.clone(), &block::render(self.hook, binary, shape));
                if new == *text && *executable {
                    (Action::Unchanged, Step::Leave)
                } else {
                    (Action::Updated, Step::Write(new))
                }
            }
        })
    }

    /// What removing would do.
    pub(super) fn plan_uninstall(&self) -> (Action, Step) {
        let Found::Ours { text, range, .. } = &self.found else { return (Action::Absent, Step::Leave) };
        let shape = block::shape_of(&text[range.clone()]);
        let rest = block::spliced(text, range.clone(), b"");
        let edited = rest != SHEBANG;
        match shape {
            Shape::Wrapped if fs::symlink_metadata(self.dir.join(self.kept())).is_ok() => {
                (Action::Restored, Step::PutBack { added: edited.then_some(rest) })
            }
            Shape::Created | Shape::Wrapped if !edited => (Action::Removed, Step::Delete),
            _ => (Action::Restored, Step::Write(rest)),
        }
    }

    /// Does it. Returns a notice if the user has to know something.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] naming the act and the file. At every instant git finds the old hook or the new one
    /// (where the filesystem knows no hard links, a hook that is moved aside is missing for a moment).
    pub(super) fn apply(&self, step: Step) -> Result<Option<String>, Error> {
        if matches!(step, Step::Leave) {
            return Ok(None);
        }
        let dir = Dir::open(&self.dir)?;
        let hook = Path::new(self.hook.as_str());
        match step {
            Step::Leave => {}
            Step::Write(text) => {
                self.link_kept(&dir, &text)?;
                let mode = dir.stat(hook)?.map(|stat| stat.mode);
                write(&dir, hook, &text, mode)?;
            }
            Step::KeepThenWrite(text) => {
                match dir.hard_link(&dir, hook, &self.kept()) {
                    Ok(()) => {}
                    Err(there) if there.is_already_there() => {}
                    Err(_) => dir.rename(hook, &dir, self.kept())?,
                }
                self.link_kept(&dir, &text)?;
                write(&dir, hook, &text, None)?;
            }
            Step::Delete => {
                dir.remove(hook)?;
                self.unlink_kept(&dir)?;
            }
            Step::PutBack { added } => {
                let notice = match added {
                    None => None,
                    Some(added) => {
                        let beside = self.beside("edited");
                        write(&dir, &beside, &added, None)?;
                        Some(format!(
                            "`{}` is as before git dist; what was added to it since is in `{}`",
                            self.path.display(),
                            dir.join(beside).display()
                        ))
                    }
                };
                dir.rename(self.kept(), &dir, hook)?;
                self.unlink_kept(&dir)?;
                return Ok(notice);
            }
        }
        Ok(None)
    }

    /// Makes the link through which a hook of ours runs the kept one.
    fn link_kept(&self, dir: &Dir, text: &[u8]) -> Result<(), Error> {
        if block::shape_of(text) != Shape::Wrapped {
            return Ok(());
        }
        let links = Dir::create_all(&dir.join(KEPT_LINKS))?;
        match links.symlink(format!("../{}.before-git-dist", self.hook), self.hook.as_str()) {
            Err(failed) if !failed.is_already_there() => Err(failed.into()),
            _ => Ok(()),
        }
    }

    fn unlink_kept(&self, dir: &Dir) -> Result<(), Error> {
        let links = match dir.descend(Path::new(KEPT_LINKS)) {
            Ok(links) => links,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        links.remove_all(self.hook.as_str())?;
        // Other hooks may still be kept: the folder goes with the last one.
        if links.names()?.is_empty() {
            dir.remove_all(KEPT_LINKS)?;
        }
        Ok(())
    }
}

/// Replaces the hook `name`; a `mode` is kept, else it gets the umask's.
fn write(dir: &Dir, name: &Path, text: &[u8], mode: Option<u32>) -> Result<(), Error> {
    let (temporary, mut file) = dir.create_temporary(name, 0o777)?;
    let written = file
        .write(text)
        // Our block needs the owner's run bit; everything else stays as it was.
        .and_then(|()| mode.map_or(Ok(()), |mode| file.set_mode(mode | 0o100)))
        .and_then(|()| file.sync());
    let placed = written.and_then(|()| dir.rename(&temporary, dir, name));
    Ok(placed.inspect_err(|_| dir.discard(&temporary))?)
}
