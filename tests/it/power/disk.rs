//! A disk in memory: numbered files, folders and links, and the changes that calls make to them.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, FileTimes, Permissions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use bstr::ByteSlice as _;

/// Number of a file, folder or link. 0 is the folder that everything is in.
pub(super) type Inode = usize;

/// A disk. Everything has a number, and stays there when no name leads to it any more.
#[derive(Clone, Default)]
pub(super) struct Disk(Vec<Node>);

#[derive(Clone)]
pub(super) struct Node {
    pub(super) what: What,
    pub(super) mode: u32,
    /// Seconds and nanoseconds since 1970, of a file.
    pub(super) mtime: (i64, u32),
}

#[derive(Clone, PartialEq, Eq)]
pub(super) enum What {
    Folder(BTreeMap<Vec<u8>, Inode>),
    File(Vec<u8>),
    Link(Vec<u8>),
}

/// What a call changes, in one step.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// What names in folders stand for from now on.
    Names(Vec<(Inode, Vec<u8>, Option<Inode>)>),
    /// Bytes at the end of a file.
    Append(Inode, Vec<u8>),
    /// The size of a file.
    Resize(Inode, usize),
    Mode(Inode, u32),
    Mtime(Inode, (i64, u32)),
}

impl Change {
    /// The file whose bytes it changes.
    pub(super) fn data(&self) -> Option<Inode> {
        match self {
            Self::Append(inode, _) | Self::Resize(inode, _) => Some(*inode),
            Self::Names(_) | Self::Mode(..) | Self::Mtime(..) => None,
        }
    }
}

impl Disk {
    /// Reads those of `names` that are in the folder `top`.
    pub(super) fn read(top: &Path, names: &[&str]) -> Self {
        let mut disk = Self(vec![Node::new(What::Folder(BTreeMap::new()), 0o755)]);
        let mut known = HashMap::new();
        for name in names.iter().filter(|name| top.join(name).symlink_metadata().is_ok()) {
            let inode = disk.read_one(&top.join(name), &mut known);
            disk.folder(0).insert(name.as_bytes().to_owned(), inode);
        }
        disk
    }

    fn read_one(&mut self, path: &Path, known: &mut HashMap<u64, Inode>) -> Inode {
        let meta = path.symlink_metadata().unwrap();
        if let Some(inode) = known.get(&meta.ino()) {
            return *inode;
        }
        let what = if meta.is_dir() {
            let mut names = BTreeMap::new();
            for entry in fs::read_dir(path).unwrap() {
                let entry = entry.unwrap();
                names.insert(entry.file_name().into_vec(), self.read_one(&entry.path(), known));
            }
            What::Folder(names)
        } else if meta.is_symlink() {
            What::Link(fs::read_link(path).unwrap().into_os_string().into_vec())
        } else {
            What::File(fs::read(path).unwrap())
        };
        let mtime = (meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap());
        let inode = self.add(Node { what, mode: meta.mode() & 0o7777, mtime });
        known.insert(meta.ino(), inode);
        inode
    }

    /// Adds something that has no name yet.
    pub(super) fn add(&mut self, node: Node) -> Inode {
        self.0.push(node);
        self.0.len() - 1
    }

    pub(super) fn node(&self, inode: Inode) -> &Node {
        &self.0[inode]
    }

    fn folder(&mut self, inode: Inode) -> &mut BTreeMap<Vec<u8>, Inode> {
        match &mut self.0[inode].what {
            What::Folder(names) => names,
            _ => panic!("{inode} is no folder"),
        }
    }

    pub(super) fn file(&mut self, inode: Inode) -> &mut Vec<u8> {
        match &mut self.0[inode].what {
            What::File(bytes) => bytes,
            _ => panic!("{inode} is no file"),
        }
    }

    /// What `name` in a folder stands for.
    pub(super) fn entry(&self, folder: Inode, name: &[u8]) -> Option<Inode> {
        match &self.0[folder].what {
            What::Folder(names) => names.get(name).copied(),
            _ => None,
        }
    }

    /// What stands at a path below the topmost folder.
    pub(super) fn find(&self, path: &[u8]) -> Option<Inode> {
        let components = path.split_str("/").filter(|component| !component.is_empty());
        components.into_iter().try_fold(0, |at, name| self.entry(at, name))
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Names(names) => {
                for (folder, name, inode) in names {
                    match inode {
                        Some(inode) => self.folder(*folder).insert(name.clone(), *inode),
                        None => self.folder(*folder).remove(name),
                    };
                }
            }
            Change::Append(inode, bytes) => self.file(*inode).extend(bytes),
            Change::Resize(inode, size) => self.file(*inode).resize(*size, 0),
            Change::Mode(inode, mode) => self.0[*inode].mode = *mode,
            Change::Mtime(inode, mtime) => self.0[*inode].mtime = *mtime,
        }
    }

    /// Calls `visit` for everything that a path leads to, with that path.
    pub(super) fn walk(&self, visit: &mut dyn FnMut(&[u8], Inode)) {
        self.walk_folder(0, &mut Vec::new(), visit);
    }

    fn walk_folder(&self, folder: Inode, path: &mut Vec<u8>, visit: &mut dyn FnMut(&[u8], Inode)) {
        let What::Folder(names) = &self.0[folder].what else { return };
        for (name, inode) in names {
            let length = path.len();
            path.push(b'/');
            path.extend(name);
            visit(path, *inode);
            self.walk_folder(*inode, path, visit);
            path.truncate(length);
        }
    }

    /// Equal for disks on which a reader finds the same. What is in unfinished work and in the lock is passed over:
    /// nobody looks into it.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.walk(&mut |path, inode| {
            path.hash(&mut hasher);
            if !is_unfinished(path) && !path.ends_with(b"/.distman/lock") {
                let node = self.node(inode);
                node.mode.hash(&mut hasher);
                match &node.what {
                    What::Folder(_) => {}
                    What::File(bytes) => (node.mtime, bytes).hash(&mut hasher),
                    What::Link(text) => text.hash(&mut hasher),
                }
            }
        });
        hasher.finish()
    }

    /// Everything in a form to compare, one line each; with the `times` of the files in versions, which are theirs.
    pub(super) fn lines(&self, times: bool) -> Vec<String> {
        let mut lines = Vec::new();
        self.walk(&mut |path, inode| {
            let node = self.node(inode);
            let has_time = times && path.find("/versions/").is_some_and(|at| path[at + 10] != b'.');
            let (path, mode) = (path.as_bstr(), node.mode);
            let time = if has_time { format!(" {:?}", node.mtime) } else { String::new() };
            lines.push(match &node.what {
                What::Folder(_) => format!("{mode:o} {path}/"),
                What::File(bytes) => format!("{mode:o} {path} {:?}{time}", bytes.as_bstr()),
                What::Link(text) => format!("link {path} -> {}", text.as_bstr()),
            });
        });
        lines
    }

    /// Makes those of `names` in the folder `top` what is on this disk.
    pub(super) fn write(&self, top: &Path, names: &[&str]) {
        for name in names {
            let path = top.join(name);
            if path.symlink_metadata().is_ok() {
                fs::remove_dir_all(path).unwrap();
            }
        }
        let mut known: HashMap<Inode, std::path::PathBuf> = HashMap::new();
        let mut modes = Vec::new();
        self.walk(&mut |path, inode| {
            let node = self.node(inode);
            let path = top.join(std::ffi::OsStr::from_bytes(&path[1..]));
            if let Some(other) = known.get(&inode) {
                return fs::hard_link(other, path).unwrap();
            }
            match &node.what {
                What::Folder(_) => {
                    fs::create_dir(&path).unwrap();
                    modes.push((path, node.mode));
                    return;
                }
                What::File(bytes) => {
                    fs::write(&path, bytes).unwrap();
                    let time = UNIX_EPOCH + Duration::new(u64::try_from(node.mtime.0).unwrap(), node.mtime.1);
                    let file = File::options().write(true).open(&path).unwrap();
                    file.set_times(FileTimes::new().set_modified(time)).unwrap();
                    fs::set_permissions(&path, Permissions::from_mode(node.mode)).unwrap();
                }
                What::Link(text) => symlink(std::ffi::OsStr::from_bytes(text), &path).unwrap(),
            }
            known.insert(inode, path);
        });
        for (path, mode) in modes.into_iter().rev() {
            fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
        }
    }
}

impl Node {
    pub(super) fn new(what: What, mode: u32) -> Self {
        Self { what, mode, mtime: (0, 0) }
    }
}

/// True for what is inside a folder of unfinished work.
pub(super) fn is_unfinished(path: &[u8]) -> bool {
    let folders = path.rfind_byte(b'/').map_or(&b""[..], |end| &path[..end]);
    folders.split_str("/").any(|name| name.starts_with(b".staging-"))
}
