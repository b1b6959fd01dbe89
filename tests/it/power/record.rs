//! From system calls to changes of a disk, and to what made them durable.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::{Change, Disk, Inode, Node, What};
use super::strace::{Argument, Call};

/// What a run did to a disk.
pub(super) struct Recording {
    /// The disk before it. What the run made is on it already, empty and without a name.
    pub(super) start: Disk,
    pub(super) steps: Vec<Step>,
    /// The disk after it.
    pub(super) end: Disk,
}

pub(super) enum Step {
    Change(Change),
    /// Everything about this file or folder is durable: its bytes, or its names.
    Sync(Inode),
    /// Everything is.
    SyncAll,
}

/// Follows `calls` on the disk `start`, whose folder has the path `top`. What is not below one of `names` there is
/// passed over.
pub(super) fn record(start: Disk, top: &[u8], names: &[&str], calls: &[Call]) -> Recording {
    let end = start.clone();
    let mut recorder = Recorder { top, names, recording: Recording { start, steps: Vec::new(), end } };
    for call in calls {
        recorder.call(call);
    }
    recorder.recording
}

struct Recorder<'r> {
    top: &'r [u8],
    names: &'r [&'r str],
    recording: Recording,
}

/// A name in a folder of the disk.
type Place = (Inode, Vec<u8>);

impl Recorder<'_> {
    fn call(&mut self, Call { name, arguments, result }: &Call) {
        let at = |index: usize| &arguments[index];
        let mode = |text: &str| u32::from_str_radix(text, 8).unwrap() & !0o022;
        match name.as_str() {
            "openat" | "open" => {
                let base = usize::from(name == "openat");
                let flags = at(base + 1).other();
                if flags.contains("O_CREAT") || flags.contains("O_TRUNC") {
                    self.open(result.bytes(), flags, arguments.get(base + 2).map(|text| mode(text.other())));
                }
            }
            "mkdirat" => {
                let folder = What::Folder(BTreeMap::new());
                self.make(self.place(at(0), at(1)), Node::new(folder, mode(at(2).other())));
            }
            "mkdir" => {
                let folder = What::Folder(BTreeMap::new());
                self.make(self.place_of(at(0).bytes()), Node::new(folder, mode(at(1).other())));
            }
            "symlinkat" => {
                let link = What::Link(at(0).bytes().to_owned());
                self.make(self.place(at(1), at(2)), Node::new(link, 0o777));
            }
            "linkat" => {
                if let (Some(from), Some((folder, name))) =
                    (self.place(at(0), at(1)), self.place(at(2), at(3)))
                {
                    let inode = self.inode(&from);
                    self.change(Change::Names(vec![(folder, name, Some(inode))]));
                }
            }
            "renameat" | "renameat2" => {
                let exchanges = arguments.get(4).is_some_and(|flags| flags.other() == "RENAME_EXCHANGE");
                if let (Some(from), Some(to)) = (self.place(at(0), at(1)), self.place(at(2), at(3))) {
                    self.rename(from, to, exchanges);
                }
            }
            "unlinkat" => self.remove(self.place(at(0), at(1))),
            "unlink" | "rmdir" => self.remove(self.place_of(at(0).bytes())),
            "write" => {
                if let Some(inode) = self.open_file(at(0)) {
                    let Argument::Text(bytes) = at(1) else { panic!("what is written is no text") };
                    assert_eq!(result.other(), bytes.len().to_string(), "a write that was cut short");
                    self.change(Change::Append(inode, bytes.clone()));
                }
            }
            "ftruncate" => {
                if let Some(inode) = self.open_file(at(0)) {
                    self.change(Change::Resize(inode, at(1).other().parse().unwrap()));
                }
            }
            "ioctl" => {
                if let (Argument::Open(_), Some(inode)) = (&arguments[0], self.open_file(at(0))) {
                    assert!(at(1).other().contains("CLONE"), "ioctl {}", at(1).other());
                    let from = self.open_file(at(2)).unwrap();
                    let bytes = self.recording.end.clone().file(from).clone();
                    self.change(Change::Append(inode, bytes));
                }
            }
            "fchmod" => {
                if let Some(inode) = self.open_file(at(0)) {
                    self.change(Change::Mode(inode, u32::from_str_radix(at(1).other(), 8).unwrap()));
                }
            }
            // A listing gets the present time, which nobody compares.
            "utimensat" if at(2).other().contains("UTIME_NOW") => {}
            "utimensat" => {
                if let Some(inode) = self.open_file(at(0)) {
                    self.change(Change::Mtime(inode, modified(at(2).other())));
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(inode) = self.open_file(at(0)) {
                    self.recording.steps.push(Step::Sync(inode));
                }
            }
            "syncfs" | "sync" => self.recording.steps.push(Step::SyncAll),
            _ => {
                let touches = |argument: &Argument| match argument {
                    Argument::Open(path) | Argument::Text(path) => self.below(path).is_some(),
                    Argument::Other(_) => false,
                };
                assert!(!arguments.iter().any(touches), "no model of the system call `{name}`");
            }
        }
    }

    fn change(&mut self, change: Change) {
        self.recording.end.apply(&change);
        self.recording.steps.push(Step::Change(change));
    }

    /// The path below the top, if it is one of those that are watched.
    fn below<'p>(&self, path: &'p [u8]) -> Option<&'p [u8]> {
        let below = path.strip_prefix(self.top)?;
        let below = if below.is_empty() { below } else { below.strip_prefix(b"/")? };
        let first = below.split(|byte| *byte == b'/').next()?;
        (below.is_empty() || self.names.iter().any(|name| name.as_bytes() == first)).then_some(below)
    }

    /// An open file or folder.
    fn open_file(&self, argument: &Argument) -> Option<Inode> {
        let Argument::Open(path) = argument else { return None };
        let below = self.below(path)?;
        Some(self.recording.end.find(below).unwrap_or_else(|| panic!("{} is gone", path.escape_ascii())))
    }

    /// The name `name` in an open folder.
    fn place(&self, folder: &Argument, name: &Argument) -> Option<Place> {
        let name = name.bytes();
        if name.starts_with(b"/") {
            return self.place_of(name);
        }
        self.place_of(&[folder.bytes(), b"/", name].concat())
    }

    fn place_of(&self, path: &[u8]) -> Option<Place> {
        let below = self.below(path)?;
        let end = below.iter().rposition(|byte| *byte == b'/');
        let (folder, name) = end.map_or((&b""[..], below), |end| (&below[..end], &below[end + 1..]));
        let folder =
            self.recording.end.find(folder).unwrap_or_else(|| panic!("no folder {}", path.escape_ascii()));
        Some((folder, name.to_owned()))
    }

    fn inode(&self, (folder, name): &Place) -> Inode {
        self.recording.end.entry(*folder, name).unwrap_or_else(|| panic!("no {}", name.escape_ascii()))
    }

    fn make(&mut self, place: Option<Place>, node: Node) {
        if let Some((folder, name)) = place {
            self.recording.start.add(node.clone());
            let inode = self.recording.end.add(node);
            self.change(Change::Names(vec![(folder, name, Some(inode))]));
        }
    }

    fn open(&mut self, path: &[u8], flags: &str, mode: Option<u32>) {
        let Some(below) = self.below(path) else { return };
        match self.recording.end.find(below) {
            Some(inode) if flags.contains("O_TRUNC") => self.change(Change::Resize(inode, 0)),
            Some(_) => {}
            None => self.make(self.place_of(path), Node::new(What::File(Vec::new()), mode.unwrap())),
        }
    }

    fn rename(&mut self, from: Place, to: Place, exchanges: bool) {
        let moved = self.inode(&from);
        let replaced = exchanges.then(|| self.inode(&to));
        self.change(Change::Names(vec![(from.0, from.1, replaced), (to.0, to.1, Some(moved))]));
    }

    fn remove(&mut self, place: Option<Place>) {
        if let Some((folder, name)) = place {
            self.change(Change::Names(vec![(folder, name, None)]));
        }
    }
}

/// The second time of `[{tv_sec=1, tv_nsec=0} /* ... */, {tv_sec=2, tv_nsec=0} /* ... */]`.
fn modified(text: &str) -> (i64, u32) {
    let number = |key: &str| {
        let (_, rest) = text.rsplit_once(key).unwrap();
        rest.split(|c: char| c != '-' && !c.is_ascii_digit()).next().unwrap().to_owned()
    };
    (number("tv_sec=").parse().unwrap(), number("tv_nsec=").parse().unwrap())
}

impl Recording {
    /// What a kill leaves right before the first write to the file `name`, or right after it.
    pub(super) fn killed(&self, name: &[u8], after: bool) -> Disk {
        let mut disk = self.start.clone();
        let mut is_file = BTreeSet::new();
        self.end.walk(&mut |path, inode| {
            if path.ends_with(name) {
                is_file.insert(inode);
            }
        });
        for step in &self.steps {
            let Step::Change(change) = step else { continue };
            let is_write = change.data().is_some_and(|inode| is_file.contains(&inode));
            if !is_write || after {
                disk.apply(change);
            }
            if is_write {
                break;
            }
        }
        disk
    }
}
