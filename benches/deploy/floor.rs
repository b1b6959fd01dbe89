//! The least that a first deploy has to do: decode every file, check it against its id, and write it, on all
//! processors. Nothing is planned, recorded, locked or made durable.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bstr::{BStr, ByteSlice as _};
use git_dist::source::git::{ListOptions, Repository, Snapshot, Submodules};
use git_dist::source::{Contents as _, Mode};

/// What the harness calls itself with.
pub(crate) const WORD: &str = "floor";

/// Writes the files below `source` at `revision` to the empty folder `to`.
pub(crate) fn run(repository: &str, revision: &str, source: &str, to: &str) {
    let repository = Repository::at(Path::new(repository)).expect("the repository is there");
    let revision = repository.resolve(revision).expect("the revision is there");
    let snapshot = Snapshot::new(&repository, revision);
    let source: &BStr = source.into();
    let node = snapshot.node(source).expect("the tree can be read").expect("the source is there");
    let options = ListOptions { ignore: Vec::new(), submodules: Submodules::Skip, all: true };
    let listing = snapshot.list(source, node, &options).expect("the tree can be read");
    let contents = snapshot.contents();
    let place = |path: &BStr| Path::new(to).join(OsStr::from_bytes(path));
    let mut folders = BTreeSet::new();
    for entry in &listing.entries {
        folders.extend(entry.path.find_iter("/").map(|end| entry.path[..end].as_bstr()));
    }
    for folder in folders {
        fs::create_dir(place(folder)).expect("the folder is new");
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut reader = contents.reader();
        while let Some(entry) = listing.entries.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = place(entry.path.as_bstr());
            let mut file = (entry.mode != Mode::Symlink).then(|| File::create_new(&path).expect("it is new"));
            let mut write = |bytes: &[u8]| {
                match &mut file {
                    Some(file) => file.write_all(bytes).expect("there is room"),
                    None => symlink(OsStr::from_bytes(bytes), &path).expect("it is new"),
                }
                Ok(())
            };
            reader.read(listing.root.as_bstr(), entry, &mut write).expect("the file can be read");
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        (0..threads).for_each(|_| drop(scope.spawn(work)));
    });
}
