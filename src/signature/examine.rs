//! A look at what signatures are checked with.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Signers;
use crate::disk::Shown;
use crate::door;

/// Something that is wrong with what signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong, in words.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// What is wrong with the programs and files that `signers` need.
pub fn examine(signers: &Signers) -> Vec<Finding> {
    let mut findings = Vec::new();
    let is_there = |program: &str, argument: &str| {
        let mut command = Command::new(program);
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        door::output(&mut command).is_ok()
    };
    // `ssh-keygen` has no option that only says its version; this one is none, and is told so.
    if signers.ssh.is_some() && !is_there("ssh-keygen", "-?") {
        let hint = Some("install OpenSSH, or mend PATH".to_owned());
        findings.push(Finding { message: "`ssh-keygen` cannot be started".to_owned(), hint });
    }
    // Without SSH signers it must be OpenPGP that is meant.
    if (signers.ssh.is_none() || !signers.keys.is_empty()) && !is_there("gpg", "--version") {
        let hint = Some("install GnuPG, or mend PATH".to_owned());
        findings.push(Finding { message: "`gpg` cannot be started".to_owned(), hint });
    }
    let files = signers.ssh.iter().flat_map(|ssh| [Some(&ssh.file), ssh.revoked.as_ref()]).flatten();
    findings.extend(files.filter_map(|file| loose(file)));
    findings
}

/// A file that others than its owner may write to, or replace.
fn loose(file: &Path) -> Option<Finding> {
    let real = file.canonicalize().ok()?;
    // In a folder with the sticky bit nobody replaces what is another's.
    let is_loose = |path: &&Path| {
        path.metadata().is_ok_and(|it| it.mode() & 0o022 != 0 && (it.is_file() || it.mode() & 0o1000 == 0))
    };
    // Past a folder that only its owner may enter nobody else gets, whatever the bits below are.
    let is_closed = |path: &Path| path.metadata().is_ok_and(|it| it.is_dir() && it.mode() & 0o011 == 0);
    let ways: Vec<&Path> = real.ancestors().collect();
    let open = ways.into_iter().rev().take_while(|path| !is_closed(path));
    let loose = open.into_iter().find(is_loose)?;
    Some(Finding {
        message: format!("others may write to `{}`, and so decide who signs", Shown(loose)),
        hint: Some(format!("`chmod go-w {}`", Shown(loose))),
    })
}
