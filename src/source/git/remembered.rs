//! The counts of commits that were counted before, in a small file of the git directory.
//!
//! Nothing depends on it: a file that is missing, damaged or of another kind is as good as none, and one that cannot be
//! written is done without. What is in it stays true whatever happens to branches, since a commit's id stands for its
//! history.

use std::fmt::Write as _;
use std::path::Path;

use gix::ObjectId;
use gix::hash::Kind;

use crate::disk::{Dir, Result};

use super::blob_id;

pub(super) const FOLDER: &str = "dist";
const FILE: &str = "commit-counts";
const HEADER: &str = "git-dist commit counts 1";
/// So many commits are remembered, those that were counted last.
const MOST: usize = 100;
/// A file of more bytes is none of ours.
const LIMIT: u64 = 64 << 10;

/// What is remembered of a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Commits reachable from it, itself included.
    pub(super) count: u64,
    /// The latest date, in seconds since 1970, of a commit of its history with a child of an earlier date; 0 without any.
    pub(super) disorder: u64,
}

/// The commits that are remembered, the last one counted last.
#[derive(Debug, Default)]
pub(super) struct Remembered(Vec<(ObjectId, Known)>);

impl Remembered {
    /// What is remembered in `git_dir`, of commits with ids of this kind.
    pub(super) fn read(git_dir: &Path, kind: Kind) -> Self {
        let bytes = Dir::open(&git_dir.join(FOLDER)).and_then(|dir| dir.read_file(FILE, LIMIT));
        let text = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| parse(&text, kind)).unwrap_or_default()
    }

    pub(super) fn get(&self, commit: ObjectId) -> Option<Known> {
        self.0.iter().find(|(id, _)| *id == commit).map(|(_, known)| *known)
    }

    /// Remembers one more commit in `git_dir`, if that belongs to the user.
    pub(super) fn add(mut self, commit: ObjectId, known: Known, git_dir: &Path) {
        self.0.push((commit, known));
        let _ = note(git_dir, FILE, self.to_string().as_bytes());
    }
}

/// Writes `bytes` as `file` of git dist's own folder in `git_dir`, if that belongs to the user: the files of others are
/// not for us to make. Who finds half of it after a power cut must take it for none.
pub(super) fn note(git_dir: &Path, file: &str, bytes: &[u8]) -> Result<()> {
    if !is_own(git_dir) {
        return Ok(());
    }
    let dir = Dir::open(git_dir)?;
    match dir.make_dir(FOLDER) {
        Err(error) if !error.is_already_there() => return Err(error),
        _ => {}
    }
    dir.descend(Path::new(FOLDER))?.replace_file_without_sync(file, bytes)
}

/// True if `git_dir` belongs to the user.
pub(super) fn is_own(git_dir: &Path) -> bool {
    let stat = Dir::open(git_dir).and_then(|dir| dir.stat("."));
    stat.is_ok_and(|stat| stat.is_some_and(|stat| stat.owner == rustix::process::geteuid().as_raw()))
}

/// The file's text: a header, a line for each commit, and the digest of all that.
impl std::fmt::Display for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = format!("{HEADER}\n");
        for (id, Known { count, disorder }) in &self.0[self.0.len().saturating_sub(MOST)..] {
            writeln!(text, "{id} {count} {disorder}")?;
        }
        writeln!(f, "{text}{}", digest(&text))
    }
}

fn digest(text: &str) -> ObjectId {
    blob_id(Kind::Sha256, text.as_bytes())
}

fn parse(text: &str, kind: Kind) -> Option<Remembered> {
    let body = &text[..=text.trim_end().rfind('\n')?];
    if text != format!("{body}{}\n", digest(body)) {
        return None;
    }
    let (header, lines) = body.split_once('\n')?;
    let commit = |line: &str| {
        let mut words = line.split(' ');
        let id = ObjectId::from_hex(words.next()?.as_bytes()).ok().filter(|id| id.kind() == kind)?;
        Some((id, Known { count: words.next()?.parse().ok()?, disorder: words.next()?.parse().ok()? }))
    };
    (header == HEADER).then(|| lines.lines().map(commit).collect::<Option<_>>().map(Remembered))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Remembered {
        let id = |byte| ObjectId::from_bytes_or_panic(&[byte; 20]);
        Remembered((0..150).map(|n| (id(n), Known { count: n.into(), disorder: 7 })).collect())
    }

    #[test]
    fn the_last_hundred_come_back() {
        let read = parse(&sample().to_string(), Kind::Sha1).unwrap();
        assert_eq!(read.0, sample().0[50..]);
        // Ids of another kind name nothing in this repository.
        assert!(parse(&sample().to_string(), Kind::Sha256).is_none());
    }

    #[test]
    fn what_was_changed_or_cut_off_is_not_believed() {
        let text = sample().to_string();
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(
                String::from_utf8(bytes).is_ok_and(|text| parse(&text, Kind::Sha1).is_none()),
                "byte {at}"
            );
            assert!(parse(&text[..at], Kind::Sha1).is_none(), "{at} bytes");
        }
    }
}
