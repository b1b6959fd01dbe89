//! From one step's input to its output: a file or a tree is written anew, once, never through a link.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{StepError, Watch};
use crate::disk::{Dir, DiskError, Kind, NewFile, Stat};

/// How many bytes are read at once.
const CHUNK: usize = 128 * 1024;

/// What a step makes of each file.
pub(super) trait Rewrite {
    /// What is written in place of a file.
    fn content(&mut self, source: &Source<'_>) -> Result<Content, StepError>;

    /// The permission bits of what is written in place of a file or directory with `mode`. By default its owner
    /// may write it: the next step may have to.
    fn mode(&self, kind: Kind, mode: u32) -> u32 {
        mode | if kind == Kind::Directory { 0o700 } else { 0o600 }
    }

    /// The name and the text of what is written in place of a symbolic link.
    fn link(&self, name: &Path, text: PathBuf) -> (PathBuf, PathBuf) {
        (name.to_owned(), text)
    }
}

/// What is written in place of a file.
pub(super) enum Content {
    /// The same bytes.
    Same,
    /// These bytes.
    Bytes(Vec<u8>),
    /// Nothing.
    Nothing,
}

/// A file of the input.
pub(super) struct Source<'a> {
    dir: &'a Dir,
    name: &'a Path,
    /// Its path below the input; the name of an input that is a file.
    pub(super) path: &'a Path,
    /// What it is.
    pub(super) stat: Stat,
}

impl Source<'_> {
    /// The bytes of the file; `None` if it is binary, which is to say that it holds a zero byte.
    pub(super) fn text(&self) -> Result<Option<Vec<u8>>, StepError> {
        let mut file = self.dir.open_file(self.name)?;
        let mut bytes = Vec::new();
        // Most binary files show themselves early, and then a large one is not read.
        for limit in [8 * 1024, u64::MAX] {
            let start = bytes.len();
            file.by_ref().take(limit).read_to_end(&mut bytes).map_err(|source| self.unreadable(source))?;
            if bytes[start..].contains(&0) {
                return Ok(None);
            }
        }
        Ok(Some(bytes))
    }

    fn copy_to(&self, new: &mut NewFile) -> Result<(), StepError> {
        let mut file = self.dir.open_file(self.name)?;
        if self.stat.size > 0 && new.clone_from(&file) {
            return Ok(());
        }
        let mut chunk = vec![0; CHUNK];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => new.write(&chunk[..count])?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreadable(error).into()),
            }
        }
    }

    fn unreadable(&self, source: std::io::Error) -> DiskError {
        DiskError { act: "read", path: self.dir.join(self.name), source }
    }
}

/// Keeps everything.
pub(super) struct Copy;

impl Rewrite for Copy {
    fn content(&mut self, _source: &Source<'_>) -> Result<Content, StepError> {
        Ok(Content::Same)
    }
}

/// The folder in which `path` stands, and its name there.
pub(super) fn place(path: &Path) -> Result<(Dir, &Path), StepError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Ok((Dir::open(parent)?, Path::new(name)))
        }
        _ => Err(StepError::NoInput { path: path.to_owned() }),
    }
}

/// Writes what `rewrite` makes of the file or directory `input` into `folder`, under its name.
pub(super) fn rewrite(
    input: &Path,
    folder: &Dir,
    watch: &Watch<'_>,
    rewrite: &mut dyn Rewrite,
) -> Result<(), StepError> {
    let (parent, name) = place(input)?;
    let stat = parent.stat(name)?.ok_or_else(|| StepError::NoInput { path: input.to_owned() })?;
    if stat.kind == Kind::Directory {
        directory(&parent.descend(name)?, stat, &folder.make_private_dir(name)?, watch, rewrite)
    } else {
        watch.check()?;
        entry(&Source { dir: &parent, name, path: name, stat }, folder, rewrite)
    }
}

fn directory(
    from: &Dir,
    stat: Stat,
    to: &Dir,
    watch: &Watch<'_>,
    rewrite: &mut dyn Rewrite,
) -> Result<(), StepError> {
    // Every directory after its parent.
    let mut directories = vec![(PathBuf::new(), stat.mode)];
    let mut next = 0;
    while let Some((below, _)) = directories.get(next).cloned() {
        next += 1;
        let (from, to) = (from.descend(&below)?, to.descend(&below)?);
        let mut names = from.names()?;
        names.sort_unstable();
        for name in names {
            watch.check()?;
            let Some(stat) = from.stat(&name)? else { continue };
            let path = below.join(&name);
            if stat.kind == Kind::Directory {
                to.make_private_dir(&name)?;
                directories.push((path, stat.mode));
            } else {
                entry(&Source { dir: &from, name: &name, path: &path, stat }, &to, rewrite)?;
            }
        }
    }
    // Last, because a directory that may not be written can no longer be filled.
    for (below, mode) in directories.into_iter().rev() {
        to.descend(&below)?.set_mode(".", rewrite.mode(Kind::Directory, mode))?;
    }
    Ok(())
}

fn entry(source: &Source<'_>, to: &Dir, rewrite: &mut dyn Rewrite) -> Result<(), StepError> {
    let Source { dir, name, stat, .. } = source;
    match stat.kind {
        Kind::File => {
            let content = rewrite.content(source)?;
            if matches!(content, Content::Nothing) {
                return Ok(());
            }
            let mut new = to.create_file(name, 0o600)?;
            match content {
                Content::Bytes(bytes) => new.write(&bytes)?,
                _ => source.copy_to(&mut new)?,
            }
            new.set_mtime(stat.mtime)?;
            new.set_mode(rewrite.mode(Kind::File, stat.mode))?;
            Ok(())
        }
        Kind::Symlink => {
            let text = dir.read_link(name)?.ok_or_else(|| StepError::NoInput { path: dir.join(name) })?;
            let (name, text) = rewrite.link(name, text);
            Ok(to.symlink(text, name)?)
        }
        Kind::Directory | Kind::Other => Err(StepError::Special { path: dir.join(name) }),
    }
}
