//! That git's configuration says nothing of a key, remembered for as long as nothing changed that this follows from.
//!
//! Asking git takes a third of a deploy that has nothing to do. What it lists follows from its program, from variables,
//! and from the files of the system, the user and the repository. All of these are noted, files by their numbers, sizes
//! and times of change. Where that is not all, nothing is remembered: files may be included on conditions. Only that
//! nothing is said is remembered; whoever wants to know what is said asks git.
//!
//! Who can write the note can as well remove what `dist/` holds of signatures, or name programs in the configuration
//! beside it. It counts only if it is the user's own.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use gix::hash::Kind;

use super::remembered::{FOLDER, is_own, note};
use super::{Repository, blob_id};
use crate::disk::Dir;
use crate::door;

const FILE: &str = "silent-settings";
const HEADER: &[u8] = b"git-dist silent settings 1\n";
/// A note of more bytes is none of ours.
const LIMIT: u64 = 64 << 10;
/// Seconds after which a file that changes gets another time for sure.
const SETTLED: u64 = 2;

/// What is noted, of the last key and state that were asked for.
#[derive(PartialEq, Eq)]
struct Note {
    /// True if nothing was said of the key; false if something was, or if that cannot be remembered.
    is_silent: bool,
    /// Digest of the key and the state.
    digest: String,
    /// The system's file, which only git knows the place of; empty if there is none.
    system: PathBuf,
}

impl Repository {
    /// True if git was asked before and said nothing of `key`, and nothing changed since that this follows from.
    pub fn is_known_silent(&self, key: &str) -> bool {
        let known = self.silence();
        known.is_some_and(|known| {
            known.is_silent && self.state(key, &known.system).is_some_and(|it| it.digest() == known.digest)
        })
    }

    /// Notes in the git directory, if that belongs to this user, whether git's configuration is silent of `key`, so that
    /// the next run need not ask. That it cannot be written does not matter.
    pub fn remember_silence(&self, key: &str) {
        let known = self.silence();
        let is_known =
            |known: &Note| self.state(key, &known.system).is_some_and(|it| it.digest() == known.digest);
        if !known.as_ref().is_some_and(is_known)
            && let Some(heard) = self.listen(key)
        {
            let _ = note(self.common_dir(), FILE, &heard.to_bytes());
        }
    }

    /// Asks git between two looks at all that it may read. `None` if it cannot be asked, or if that changes right now.
    fn listen(&self, key: &str) -> Option<Note> {
        // It would not be noted anyway.
        if !is_own(self.common_dir()) || !self.state(key, Path::new(""))?.is_settled() {
            return None;
        }
        let program = program()?;
        let system = if is_script(&program)? { None } else { self.system_file() };
        let place = system.clone().unwrap_or_default();
        let before = self.state(key, &place)?;
        let settings = self.settings_with_scopes().ok()?;
        let after = self.state(key, &place)?;
        if before.digest() != after.digest() || !after.is_settled() {
            return None;
        }
        let is_plain = |(scope, key): (&str, &str)| {
            matches!(scope, "system" | "global" | "local" | "worktree" | "command")
                && !key.starts_with("include.")
                && !key.starts_with("includeif.")
        };
        let is_silent = system.is_some()
            && settings.iter().all(|(scope, setting)| {
                is_plain((scope, &setting.key)) && !setting.key.eq_ignore_ascii_case(key)
            });
        Some(Note { is_silent, digest: after.digest(), system: place })
    }

    fn silence(&self) -> Option<Note> {
        let read =
            Dir::open(&self.common_dir().join(FOLDER)).and_then(|dir| dir.read_file_with_owner(FILE, LIMIT));
        let (bytes, owner) = read.ok()?;
        if owner == rustix::process::geteuid().as_raw() { Note::parse(&bytes) } else { None }
    }

    /// Where the system's file is, or would be: empty if this git reads none now. `None` where git does not say, as before
    /// its release 2.42.
    fn system_file(&self) -> Option<PathBuf> {
        let output = door::output(self.asking().args(["var", "GIT_CONFIG_SYSTEM"])).ok()?;
        let is_none = output.status.code() == Some(1) && output.stderr.is_empty();
        match output.stdout.strip_suffix(b"\n") {
            Some(path) if output.status.success() && !path.contains(&b'\n') => {
                Some(OsString::from_vec(path.to_vec()).into())
            }
            _ => is_none.then(PathBuf::new),
        }
    }

    /// All that follows what git says of its configuration, but for what files include.
    fn state(&self, key: &str, system: &Path) -> Option<State> {
        let mut state = State::default();
        state.add(key.as_bytes());
        state.add(&rustix::process::geteuid().as_raw().to_le_bytes());
        let is_read = |name: &OsStr| {
            let name = name.as_bytes();
            // Its own variables are not git's.
            let is_gits = name.starts_with(b"GIT_") && !name.starts_with(b"GIT_DIST_");
            is_gits || matches!(name, b"HOME" | b"XDG_CONFIG_HOME")
        };
        let mut variables: Vec<(OsString, OsString)> =
            std::env::vars_os().filter(|(name, _)| is_read(name)).collect();
        variables.sort();
        for (name, value) in &variables {
            state.add(name.as_bytes());
            state.add(value.as_bytes());
        }
        let variable =
            |name: &str| variables.iter().find(|(it, _)| it == name).map(|(_, value)| Path::new(value));
        // Another git directory's files than those below.
        if variable("GIT_COMMON_DIR").is_some() {
            return None;
        }
        state.add_file(&program()?, false)?;
        // What is relative is so to where git is asked.
        let git_dir = std::path::absolute(self.git_dir()).ok()?;
        let common_dir = std::path::absolute(self.common_dir()).ok()?;
        let home = variable("HOME");
        let files = [
            Some(system).filter(|system| !system.as_os_str().is_empty()).map(Path::to_owned),
            variable("GIT_CONFIG").map(Path::to_owned),
            variable("GIT_CONFIG_GLOBAL").map(Path::to_owned),
            variable("XDG_CONFIG_HOME").map(|folder| folder.join("git/config")),
            home.map(|home| home.join(".config/git/config")),
            home.map(|home| home.join(".gitconfig")),
            Some(common_dir.join("config")),
            Some(git_dir.join("config.worktree")),
        ];
        for file in files.iter().flatten() {
            state.add_file(&git_dir.join(file), true)?;
        }
        Some(state)
    }
}

impl Note {
    fn to_bytes(&self) -> Vec<u8> {
        let word = if self.is_silent { "silent " } else { "ask " };
        let body =
            [HEADER, word.as_bytes(), self.digest.as_bytes(), b" ", self.system.as_os_str().as_bytes()]
                .concat();
        let end = blob_id(Kind::Sha256, &body).to_string();
        [&body, b"\n".as_slice(), end.as_bytes(), b"\n"].concat()
    }

    /// What is in a note; `None` for what this program would not have written so.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut words = bytes.strip_prefix(HEADER)?.splitn(3, |byte| *byte == b' ');
        let is_silent = words.next()? == b"silent";
        let digest = String::from_utf8(words.next()?.to_vec()).ok()?;
        let rest = words.next()?;
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let note = Self { is_silent, digest, system: OsString::from_vec(rest[..end].to_vec()).into() };
        (note.to_bytes() == bytes).then_some(note)
    }
}

/// The state of the world as far as git's configuration follows from it.
#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    /// When a file changed last, in seconds since 1970.
    newest: i64,
}

impl State {
    fn add(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(&part.len().to_le_bytes());
        self.bytes.extend_from_slice(part);
    }

    /// Adds what a file is known by. `None` where that says nothing of what it holds.
    fn add_file(&mut self, path: &Path, is_read: bool) -> Option<()> {
        self.add(path.as_os_str().as_bytes());
        let meta = match path.metadata() {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.add(b"");
                return Some(());
            }
            Err(_) => return None,
        };
        if !meta.is_file() {
            return (path == Path::new("/dev/null")).then_some(());
        }
        let numbers =
            [meta.dev(), meta.ino(), meta.size(), meta.mode().into(), meta.uid().into(), meta.gid().into()];
        let times = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()];
        self.add(&[numbers.map(u64::to_le_bytes).concat(), times.map(i64::to_le_bytes).concat()].concat());
        if is_read {
            self.newest = self.newest.max(meta.ctime()).max(meta.mtime());
        }
        Some(())
    }

    fn digest(&self) -> String {
        blob_id(Kind::Sha256, &self.bytes).to_string()
    }

    /// True if a file that changes from now on gets another time.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        u64::try_from(self.newest).is_ok_and(|newest| newest + SETTLED < now)
    }
}

/// The `git` that is run. `None` where that depends on the folder.
fn program() -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    for folder in std::env::split_paths(&std::env::var_os("PATH")?) {
        if !folder.is_absolute() {
            return None;
        }
        let path = folder.join("git");
        if path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0) {
            return Some(path);
        }
    }
    None
}

/// True for a program that may run any other one.
fn is_script(program: &Path) -> Option<bool> {
    let mut start = [0; 2];
    std::fs::File::open(program).and_then(|mut file| file.read_exact(&mut start)).ok()?;
    Some(start == *b"#!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_was_changed_or_cut_off_is_not_believed() {
        for system in ["", "/etc/git config"] {
            let note = Note { is_silent: true, digest: "f00d".to_owned(), system: system.into() };
            let bytes = note.to_bytes();
            assert!(Note::parse(&bytes).is_some_and(|read| read == note));
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 1;
                assert!(Note::parse(&changed).is_none(), "byte {at}");
                assert!(Note::parse(&bytes[..at]).is_none(), "{at} bytes");
            }
        }
    }
}
