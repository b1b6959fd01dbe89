//! Groups: destinations that flip in one rename (the option `switch` = `together`).
//!
//! A group is a folder in the root's own folder. It holds generations, each a folder with one link per
//! destination, and `current`, a link to one of them. A destination leads through `current` to its link in the
//! generation, and from there to its version: whoever renames `current` changes all of them at once, and no reader
//! can see a mix.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::disk::{self, Dir, Folders};
use crate::root::Root;
use crate::source::HashKind;
use crate::source::git::blob_id;
use crate::version::{CURRENT, Destination, GROUPS};

/// Generations that are kept behind the current one: a reader may still be on its way through one.
const KEPT: u64 = 2;

/// An open group.
#[derive(Debug)]
pub(super) struct Group {
    dir: Dir,
}

/// What each link of a generation leads to, by its name.
pub(super) type Links = BTreeMap<String, PathBuf>;

impl Group {
    /// Opens the group `id` of the root whose own folder is `meta`, making it where it is missing.
    pub(super) fn open(meta: &Dir, id: &str) -> disk::Result<Self> {
        let mut dir = meta.descend(Path::new(""))?;
        for name in [GROUPS, id] {
            match dir.make_dir(name) {
                Ok(()) => dir.sync()?,
                Err(error) if error.is_already_there() => {}
                Err(error) => return Err(error),
            }
            dir = dir.descend(Path::new(name))?;
        }
        Ok(Self { dir })
    }

    /// Opens the group at `path`, which is there.
    pub(super) fn open_at(path: &Path) -> disk::Result<Self> {
        Ok(Self { dir: Dir::open(path)? })
    }

    /// Opens the group at `path`, for undoing and finishing; `None` if it is gone.
    pub(super) fn at(path: &Path) -> disk::Result<Option<Self>> {
        match Dir::open(path) {
            Ok(dir) => Ok(Some(Self { dir })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Its folder.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The generation that `current` leads to.
    pub(super) fn current(&self) -> disk::Result<Option<String>> {
        Ok(self.dir.read_link(CURRENT)?.and_then(|text| text.to_str().map(ToOwned::to_owned)))
    }

    /// The links of a generation; none where it is gone.
    pub(super) fn links(&self, generation: Option<&str>) -> disk::Result<Links> {
        let Some(generation) = generation else { return Ok(Links::new()) };
        let dir = match self.dir.descend(Path::new(generation)) {
            Ok(dir) => dir,
            Err(error) if error.is_not_found() => return Ok(Links::new()),
            Err(error) => return Err(error),
        };
        let mut links = Links::new();
        for name in dir.names()? {
            if let (Some(text), Some(name)) = (dir.read_link(&name)?, name.to_str()) {
                links.insert(name.to_owned(), text);
            }
        }
        Ok(links)
    }

    /// The name of a generation that holds exactly `links`: the one that was current before, if it does, which a
    /// rollback then flips back to, else a new one made for the rollout `number`.
    pub(super) fn generation(&self, links: &Links, number: u64, suffix: &str) -> disk::Result<String> {
        for name in self.generations()? {
            if self.links(Some(&name))? == *links {
                return Ok(name);
            }
        }
        // Numbers begin again where the history was lost; what is current must not go.
        let current = self.current()?;
        let names = (number..).map(|number| format!("{number}{suffix}"));
        let name = names.into_iter().find(|name| Some(name) != current.as_ref()).unwrap_or_default();
        // What a killed run left under this name is not current.
        self.dir.remove_all(&name)?;
        self.dir.make_dir(&name)?;
        let dir = self.dir.descend(Path::new(&name))?;
        for (link, text) in links {
            dir.symlink(text, link)?;
        }
        dir.sync()?;
        self.dir.sync()?;
        Ok(name)
    }

    /// Generations on disk, the latest first.
    fn generations(&self) -> disk::Result<Vec<String>> {
        let names = self.dir.names()?;
        let mut generations: Vec<String> = names
            .iter()
            .filter_map(|name| name.to_str())
            .filter(|name| number_of(name).is_some())
            .map(Into::into)
            .collect();
        generations.sort_by(|a, b| number_of(b).cmp(&number_of(a)));
        Ok(generations)
    }

    /// Makes `generation` the current one, by rename; `None` takes `current` away.
    pub(super) fn flip(&self, generation: Option<&str>) -> disk::Result<()> {
        let next = ".current.next";
        self.dir.remove_all(next)?;
        match generation {
            Some(generation) => {
                self.dir.symlink(generation, next)?;
                self.dir.rename(next, &self.dir, CURRENT)?;
            }
            None => super::swap::remove_if_there(&self.dir, Path::new(CURRENT))?,
        }
        self.dir.sync()
    }

    /// Removes generations that nobody can be on the way through any more.
    pub(super) fn sweep(&self) -> disk::Result<()> {
        let current = self.current()?;
        let mut kept = 0;
        for name in self.generations()? {
            if Some(&name) == current.as_ref() {
                continue;
            }
            kept += 1;
            if kept > KEPT {
                self.dir.remove_all(&name)?;
            }
        }
        Ok(())
    }
}

/// True if `name` can be that of a generation.
pub(super) fn is_generation(name: &str) -> bool {
    number_of(name).is_some()
}

/// `17` and `17a` are generations.
fn number_of(name: &str) -> Option<(u64, &str)> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let (number, suffix) = name.split_at(digits);
    Some((number.parse().ok()?, suffix)).filter(|(_, suffix)| matches!(*suffix, "" | "a"))
}

/// The name of a destination's link in the generations of its group.
pub(super) fn slot(destination: &Destination) -> String {
    let id = blob_id(HashKind::Sha1, destination.as_str().as_bytes()).to_string();
    let base: String = destination.base().chars().take(48).collect();
    format!("{}-{base}", &id[..16])
}

/// The text of the link at `destination` that leads through the group at `path`.
pub(super) fn text_through(root: &Root, path: &Path, destination: &Destination) -> PathBuf {
    let through = path.join(CURRENT).join(slot(destination));
    match (way_up(root, destination), through.strip_prefix(root.path())) {
        (Some(up), Ok(below)) => up.join(below),
        _ => through,
    }
}

/// The text of the link in a generation of the group at `path` that leads to `version` of `destination`.
pub(super) fn text_to(root: &Root, path: &Path, destination: &Destination, version: &str) -> PathBuf {
    let version = destination.versions_folder().join(version);
    let depth = path.strip_prefix(root.path()).map(|below| below.components().count() + 1);
    match (way_up(root, destination), depth, version.strip_prefix(root.path())) {
        (Some(_), Ok(depth), Ok(below)) => PathBuf::from("../".repeat(depth)).join(below),
        _ => version,
    }
}

/// From the destination's folder up to the root in `..` steps, where that is where they lead: with a link among the
/// folders on the way it is not, and absolute texts are written.
fn way_up(root: &Root, destination: &Destination) -> Option<PathBuf> {
    let below = destination.folder().strip_prefix(root.path()).ok()?;
    let is_link = |folder: &Path| std::fs::symlink_metadata(folder).is_ok_and(|meta| meta.is_symlink());
    let is_plain = !destination.folder().ancestors().take(below.components().count()).any(is_link);
    is_plain.then(|| PathBuf::from("../".repeat(below.components().count())))
}

/// The version that the link at `destination` leads to now, as the text of a link in a generation of the group at
/// `path`; `None` where it leads to none.
pub(super) fn present(
    root: &Root,
    path: &Path,
    destination: &Destination,
    folders: &mut Folders,
) -> disk::Result<Option<PathBuf>> {
    let link = destination.link(folders)?;
    Ok(link.version().map(|name| text_to(root, path, destination, &name.to_string())))
}
