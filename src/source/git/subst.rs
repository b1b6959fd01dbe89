//! `export-subst`: `$Format:...$` in a file becomes what `git log --format` prints for the commit.
//!
//! `git rev-list` is asked, because `git log` listens to settings that `git archive` does not (`log.date`,
//! `log.decorate`, `log.excludeDecoration`); those that both know are set to their defaults.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Mutex;

use bstr::ByteSlice as _;
use gix::ObjectId;

use super::repository::git_command;
use super::{GitError, Result, Revision};
use crate::door;

/// What keeps git from looking at signatures: `false` finds none good.
const NO_PROGRAMS: [&str; 4] =
    ["gpg.program=false", "gpg.openpgp.program=false", "gpg.ssh.program=false", "gpg.x509.program=false"];

/// Expands placeholders for one commit. git itself formats: it owns that language, and each distinct
/// format is asked for once.
#[derive(Debug)]
pub(super) struct Subst {
    git_dir: PathBuf,
    commit: ObjectId,
    /// The commit's own encoding, which `git archive` writes its texts in.
    encoding: String,
    known: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
}

impl Subst {
    pub(super) fn new(git_dir: PathBuf, revision: &Revision) -> Self {
        let encoding = revision.encoding.clone().unwrap_or_else(|| "UTF-8".to_owned());
        Self { git_dir, commit: revision.commit, encoding, known: Mutex::default() }
    }

    /// `bytes` with every `$Format:...$` replaced; `None` where there is none.
    pub(super) fn expand(&self, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut rest = bytes;
        let mut expanded = Vec::new();
        while let Some(start) = rest.find(b"$Format:") {
            let format_and_rest = &rest[start + b"$Format:".len()..];
            let Some(end) = format_and_rest.find_byte(b'$') else { break };
            expanded.extend_from_slice(&rest[..start]);
            expanded.extend(self.format(&format_and_rest[..end])?);
            rest = &format_and_rest[end + 1..];
        }
        if rest.len() == bytes.len() {
            return Ok(None);
        }
        expanded.extend_from_slice(rest);
        Ok(Some(expanded))
    }

    fn format(&self, format: &[u8]) -> Result<Vec<u8>> {
        // git reads the format as a C string.
        let format = format.split(|byte| *byte == 0).next().unwrap_or_default();
        let mut known = self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(text) = known.get(format) {
            return Ok(text.clone());
        }
        let mut argument = b"--format=format:".to_vec();
        argument.extend_from_slice(format);
        // Names are mapped by the commit's own .mailmap: without `--bare` it is the one in the current directory.
        let mailmap = format!("mailmap.blob={}:.mailmap", self.commit);
        let mut command = git_command(&self.git_dir);
        command
            .args(["--bare", "-c", "core.abbrev=auto", "-c", "mailmap.file=", "-c", &mailmap])
            // `%G?` would start a program of this host on what anybody may have written, to say what the host thinks.
            .args(NO_PROGRAMS.iter().flat_map(|setting| ["-c", setting]))
            .args(["rev-list", "-1", "--no-color", &format!("--encoding={}", self.encoding)])
            .arg(std::ffi::OsStr::from_bytes(&argument))
            .arg(self.commit.to_string());
        let output = door::output(&mut command).map_err(GitError::NoGit)?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(GitError::Command { command: "rev-list --format".to_owned(), stderr });
        }
        // `commit <id>` comes first on a line of its own, and an end of line last where there is any text.
        let (_, text) = output.stdout.split_once_str("\n").unwrap_or_default();
        let text = text.strip_suffix(b"\n").unwrap_or(text).to_vec();
        known.insert(format.to_vec(), text.clone());
        Ok(text)
    }
}
