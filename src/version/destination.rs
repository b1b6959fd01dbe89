//! A destination and the versions behind it, as they are on disk.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::{DistInfo, Record, VersionName};
use crate::disk::{self, Dir, Folders, Kind, Shown};

/// Name of the folder that holds versions, beside their destinations.
pub const VERSIONS: &str = "versions";

/// Name of the folder that holds data which outlives versions, beside their destinations.
pub const SHARED: &str = "shared";

/// Folder in a root's own folder that holds groups: destinations that flip together.
pub const GROUPS: &str = "together";

/// The link in a group that is flipped.
pub const CURRENT: &str = "current";

/// The path users open, an absolute path: a symlink to one of the versions beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Destination {
    path: PathBuf,
    base: String,
}

/// Why a path cannot be a destination.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// It is not an absolute path with a file name.
    #[error("the destination `{}` is not an absolute path with a name", Shown(.0))]
    NotAbsolute(PathBuf),
    /// Its name or folder is not UTF-8, which records and histories are written in.
    #[error("the destination `{}` is not valid UTF-8", Shown(.0))]
    NotUtf8(PathBuf),
    /// Its name would be one of git dist's own files.
    #[error("the destination `{}` has a name that git dist keeps for itself", Shown(.0))]
    Reserved(PathBuf),
}

/// What stands at a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing.
    Absent,
    /// A link to the version of this name, which need not exist any more.
    Version(VersionName),
    /// Something that no deployment put there, in words: `a file`, `a directory`, `a link to ...`.
    Foreign(String),
}

impl Link {
    /// The name of the version that it leads to.
    pub fn version(&self) -> Option<&VersionName> {
        match self {
            Self::Version(name) => Some(name),
            Self::Absent | Self::Foreign(_) => None,
        }
    }
}

/// A version that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub name: VersionName,
    /// Its record; `None` for versions that distman made.
    pub record: Option<Record>,
}

impl Stored {
    /// True if it was marked bad.
    pub fn is_bad(&self) -> bool {
        self.record.as_ref().is_some_and(Record::is_bad)
    }
}

impl Destination {
    /// Reads `path` as a destination.
    ///
    /// # Errors
    /// When it is not absolute, is the root, is not UTF-8, or has a name that git dist keeps for itself.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, DestinationError> {
        let path = path.into();
        if !path.is_absolute()
            || path.components().any(|part| matches!(part, std::path::Component::ParentDir))
        {
            return Err(DestinationError::NotAbsolute(path));
        }
        // Rebuilt from its components: one destination has one spelling.
        let path: PathBuf = path.components().collect();
        let Some(base) = path.file_name() else { return Err(DestinationError::NotAbsolute(path)) };
        let (Some(base), Some(_)) = (base.to_str(), path.to_str()) else {
            return Err(DestinationError::NotUtf8(path));
        };
        let base = base.to_owned();
        let is_within_meta = path.components().any(|part| part.as_os_str() == ".distman");
        if base == VERSIONS || is_within_meta || base.starts_with(".staging-") {
            return Err(DestinationError::Reserved(path));
        }
        Ok(Self { path, base })
    }

    /// The absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        self.path.to_str().expect("checked when it was made")
    }

    /// The file name.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        self.path.parent().expect("an absolute path with a name has a parent")
    }

    /// The folder its versions are in.
    pub fn versions_folder(&self) -> PathBuf {
        self.folder().join(VERSIONS)
    }

    /// The folder its shared paths lead to, which outlives its versions.
    pub fn shared_folder(&self) -> PathBuf {
        self.folder().join(SHARED).join(&self.base)
    }

    /// The text of the link that makes `version` active.
    pub fn link_text(version: &str) -> PathBuf {
        Path::new(VERSIONS).join(version)
    }

    /// What stands here now.
    ///
    /// # Errors
    /// When the folder cannot be searched.
    pub fn link(&self, folders: &mut Folders) -> disk::Result<Link> {
        let folder = match folders.open(self.folder()) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => return Ok(Link::Absent),
            Err(error) => return Err(error),
        };
        if let Some(text) = folder.read_link(&self.base)? {
            let direct = text.strip_prefix(VERSIONS).ok().and_then(Path::to_str).map(ToOwned::to_owned);
            let version = match direct {
                Some(version) => Some(version),
                None => self.through_group(&text)?,
            };
            return Ok(match VersionName::parse(&self.base, &version.unwrap_or_default()) {
                Some(version) => Link::Version(version),
                None => Link::Foreign(format!("a link to `{}`", Shown(&text))),
            });
        }
        Ok(match folder.stat(&self.base)?.map(|stat| stat.kind) {
            None => Link::Absent,
            Some(Kind::Directory) => Link::Foreign("a directory".to_owned()),
            Some(Kind::File | Kind::Symlink) => Link::Foreign("a file".to_owned()),
            Some(Kind::Other) => Link::Foreign("a device, pipe or socket".to_owned()),
        })
    }

    /// The name of the group that the link leads through (the option `switch` = `together`), if it does.
    ///
    /// # Errors
    /// When the folder cannot be searched.
    pub fn group(&self, folders: &mut Folders) -> disk::Result<Option<String>> {
        let folder = match folders.open(self.folder()) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = folder.read_link(&self.base)?;
        Ok(text.and_then(|text| Some(parts_of_group(&text)?.0.to_owned())))
    }

    /// The version's name where the link `text` leads through a group to a version of this destination.
    fn through_group(&self, text: &Path) -> disk::Result<Option<String>> {
        if parts_of_group(text).is_none() {
            return Ok(None);
        }
        // `<group>/current/<slot>`: each link is read where it stands, and none is followed.
        let slot = self.folder().join(text);
        let Some(path) = slot.ancestors().nth(2) else { return Ok(None) };
        let read = || -> disk::Result<Option<PathBuf>> {
            let group = Dir::open(path)?;
            let Some(generation) = group.read_link(CURRENT)? else { return Ok(None) };
            let links = group.descend(&generation)?;
            let end = links.read_link(slot.file_name().unwrap_or_default())?;
            Ok(end.map(|end| links.join(end)))
        };
        let end = match read() {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(None),
            // A folder on the way is gone, or something else stands in its place.
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_mine = end.parent().is_some_and(|folder| without_dots(folder) == self.versions_folder());
        let name = end.file_name().and_then(|name| name.to_str()).filter(|_| is_mine);
        Ok(name.map(ToOwned::to_owned))
    }

    /// The dist info beside it, if there is one that can be read.
    pub fn info(&self) -> Option<DistInfo> {
        let folder = Dir::open(self.folder()).ok()?;
        let bytes = folder.read_file(DistInfo::file_name(&self.base), 1 << 20).ok()?;
        Some(DistInfo::parse(&String::from_utf8_lossy(&bytes)))
    }
}

/// The path without `..`, which lead up where no links are on the way.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

/// Group and slot in the text of a link that leads through a group: `.../together/<group>/current/<slot>`.
fn parts_of_group(text: &Path) -> Option<(&str, &str)> {
    let mut parts = text.components().rev().map(|part| part.as_os_str().to_str());
    let slot = parts.next()??;
    let is_current = parts.next()? == Some(CURRENT);
    let group = parts.next()??;
    let is_group = parts.next()? == Some(GROUPS);
    (is_current && is_group).then_some((group, slot))
}

/// What a run looks at of destinations and their `versions/` folders, each opened and read once, however many
/// destinations share it.
#[derive(Debug, Default)]
pub struct Shelves {
    folders: Folders,
    /// What each `versions/` folder holds, sorted, as far as that was asked for.
    names: HashMap<PathBuf, Vec<String>>,
}

impl Shelves {
    /// What stands at `destination` now.
    ///
    /// # Errors
    /// When the folder cannot be searched.
    pub fn link(&mut self, destination: &Destination) -> disk::Result<Link> {
        destination.link(&mut self.folders)
    }

    /// The open `versions/` folder of `destination`; `None` where there is none yet.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn dir(&mut self, destination: &Destination) -> disk::Result<Option<Arc<Dir>>> {
        match self.folders.open(&destination.versions_folder()) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The version `name` of `destination` with its record; `None` if it is not there.
    ///
    /// # Errors
    /// When the folder or the record cannot be read.
    pub fn stored(&mut self, destination: &Destination, name: &VersionName) -> disk::Result<Option<Stored>> {
        let Some(dir) = self.dir(destination)? else { return Ok(None) };
        let text = name.to_string();
        match dir.stat(&text)?.map(|stat| stat.kind) {
            None | Some(Kind::Other) => Ok(None),
            Some(_) => Ok(Some(Stored { name: name.clone(), record: Record::read(&dir, &text)? })),
        }
    }

    /// All versions of `destination`, oldest first.
    ///
    /// # Errors
    /// When the folder or a record cannot be read.
    pub fn versions(&mut self, destination: &Destination) -> disk::Result<Vec<Stored>> {
        self.versions_from(destination, 0)
    }

    /// The versions of `destination` with this count or a later one, oldest first: whatever is newer than one that
    /// git dist made is among them.
    ///
    /// # Errors
    /// When the folder or a record cannot be read.
    pub fn versions_from(&mut self, destination: &Destination, count: u64) -> disk::Result<Vec<Stored>> {
        let mut names = self.names(destination)?;
        names.retain(|name| name.count() >= count);
        let Some(dir) = self.dir(destination)? else { return Ok(Vec::new()) };
        let read = |name: VersionName| {
            let record = Record::read(&dir, &name.to_string())?;
            Ok(Stored { name, record })
        };
        let mut versions: Vec<Stored> = names.into_iter().map(read).collect::<disk::Result<_>>()?;
        // Contents of one commit have no order but that in which they came.
        let age = |version: &Stored| version.record.as_ref().map(|record| record.created_at.clone());
        // distman numbered its versions by deployment, which says nothing beside counts of commits: what it made
        // is older.
        let is_ours = |version: &Stored| version.record.is_some();
        versions.sort_by_cached_key(|version| {
            (is_ours(version), version.name.count(), age(version), version.name.clone())
        });
        Ok(versions)
    }

    /// The names of all versions of `destination`, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn names(&mut self, destination: &Destination) -> disk::Result<Vec<VersionName>> {
        let folder = destination.versions_folder();
        if !self.names.contains_key(&folder) {
            let mut names: Vec<String> = Vec::new();
            if let Some(dir) = self.dir(destination)? {
                let all =
                    dir.names()?.into_iter().filter_map(|name| name.into_os_string().into_string().ok());
                // Records and listings; no version's name ends like that.
                names.extend(all.filter(|name| ![".json", ".files"].iter().any(|end| name.ends_with(end))));
                names.sort_unstable();
            }
            self.names.insert(folder.clone(), names);
        }
        let names = &self.names[&folder];
        let prefix = format!("{}.", destination.base);
        let start = names.partition_point(|name| *name < prefix);
        let candidates = names[start..].iter().take_while(|name| name.starts_with(&prefix));
        let mut versions: Vec<VersionName> =
            candidates.filter_map(|name| VersionName::parse(&destination.base, name)).collect();
        versions.sort();
        Ok(versions)
    }
}
