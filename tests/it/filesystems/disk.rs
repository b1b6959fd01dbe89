//! A filesystem in an image: made, mounted, copied as it is, and gone in the end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::sharing::How;

/// What kind of filesystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ext4,
    Xfs,
    Btrfs,
    Tmpfs,
}

impl Kind {
    /// True if files can be cloned there.
    pub(super) fn clones(self) -> bool {
        matches!(self, Self::Xfs | Self::Btrfs)
    }

    /// How unchanged files are shared there.
    pub(super) fn means(self) -> How {
        if self.clones() { How::Cloned } else { How::Linked }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Tmpfs => "tmpfs",
        }
    }

    /// The programs that are needed.
    pub(super) fn tools(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &["mkfs.ext4", "filefrag"],
            Self::Xfs => &["mkfs.xfs", "filefrag", "xfs_io"],
            Self::Btrfs => &["mkfs.btrfs", "filefrag", "btrfs"],
            Self::Tmpfs => &[],
        }
    }

    /// The smallest that the program which makes it accepts, or what is enough.
    fn size(self) -> u64 {
        match self {
            Self::Ext4 => 24 << 20,
            Self::Xfs => 300 << 20,
            Self::Btrfs => 114 << 20,
            Self::Tmpfs => 0,
        }
    }

    fn mount_options(self) -> &'static str {
        match self {
            // Nothing is written by the clock, and no file is flushed because it is renamed.
            Self::Ext4 => "loop,commit=300,noauto_da_alloc,errors=remount-ro",
            Self::Xfs => "loop",
            Self::Btrfs => "loop,commit=300",
            Self::Tmpfs => "size=4g,mode=755",
        }
    }
}

/// A program that may stand where only root has its path.
pub(super) fn tool(name: &str) -> Command {
    let mut command = Command::new("env");
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env("LC_ALL", "C").arg(name);
    command
}

fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.success() { Ok(said) } else { Err(said.trim().to_owned()) }
}

/// A filesystem, mounted until it is dropped.
pub(super) struct Disk {
    pub(super) kind: Kind,
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// Makes a filesystem in the file `image` with these options, and mounts it on the folder `at`. Says why it cannot be
    /// mounted.
    pub(super) fn new(kind: Kind, image: &Path, at: &Path, options: &[&str]) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let disk = Self { kind, image: image.to_owned(), at: at.to_owned() };
        disk.make(options).unwrap();
        disk.mount()?;
        Ok(disk)
    }

    /// Makes it new.
    pub(super) fn make(&self, options: &[&str]) -> Result<(), String> {
        if self.kind == Kind::Tmpfs {
            return Ok(());
        }
        fs::File::create(&self.image).unwrap().set_len(self.kind.size()).unwrap();
        let mut command = tool(&format!("mkfs.{}", self.kind.name()));
        run(command.arg("-q").args(options).arg(&self.image)).map(drop)
    }

    pub(super) fn mount(&self) -> Result<(), String> {
        self.mount_with(self.kind.mount_options())
    }

    fn mount_with(&self, options: &str) -> Result<(), String> {
        if self.kind == Kind::Btrfs {
            // It remembers the latest state that it saw, and takes none that is older.
            let _ = run(tool("btrfs").args(["device", "scan", "--forget"]));
        }
        let source = if self.kind == Kind::Tmpfs { Path::new("none") } else { &self.image };
        let mut command = tool("mount");
        run(command.args(["-t", self.kind.name(), "-o", options]).arg(source).arg(&self.at))?;
        if self.kind == Kind::Ext4 {
            let _ = fs::remove_dir(self.at.join("lost+found"));
        }
        Ok(())
    }

    pub(super) fn unmount(&self) {
        run(tool("umount").arg(&self.at)).unwrap();
    }

    /// Writes all that is in memory to the disk.
    pub(super) fn sync(&self) {
        run(tool("sync").arg("-f").arg(&self.at)).unwrap();
    }

    /// What is on the disk now, and not what waits in memory to be written.
    pub(super) fn snapshot(&self, name: &str) -> Snapshot {
        let copy = self.image.with_file_name(name);
        run(tool("cp").arg("--sparse=always").args([&self.image, &copy])).unwrap();
        Snapshot { image: copy }
    }

    /// Takes this disk away, and puts the one of `snapshot` in its place, as after a power cut.
    pub(super) fn cut_to(&self, snapshot: &Snapshot) {
        self.unmount();
        run(tool("cp").arg("--sparse=always").args([&snapshot.image, &self.image])).unwrap();
        self.mount().unwrap_or_else(|why| panic!("not even the filesystem survived: {why}"));
    }

    /// The device that the filesystem is on, without folders.
    pub(super) fn device(&self) -> String {
        let text = run(tool("findmnt").args(["-no", "SOURCE"]).arg(&self.at)).unwrap();
        text.trim().trim_start_matches("/dev/").to_owned()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a test that failed may have left something open.
        let _ = run(tool("umount").arg("--lazy").arg(&self.at));
    }
}

/// A disk as it was once.
pub(super) struct Snapshot {
    image: PathBuf,
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.image);
    }
}
