//! Keys that may sign, as a person hands them over.

use std::path::PathBuf;

use super::program::Workplace;
use super::{SignatureError, Signers, SigningKey, SshSigners, minisign};
use crate::disk::{self, Dir, Shown};

/// Name of the file of allowed signers that is written for them.
const FILE: &str = "allowed-signers";
/// Name of the file with minisign's keys.
const MINISIGN: &str = "minisign-keys";
/// Who signs where only a key is given.
const NOBODY: &str = "publisher";
/// What a key of SSH may be used for here.
const USES: &str = "namespaces=\"git-dist,git\"";
/// The most that a file with keys may be, in bytes.
const LARGEST: u64 = 1 << 20;

/// Keys that may sign: SSH keys as lines of a file of allowed signers (ssh-keygen(1)), and minisign keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedKeys {
    lines: Vec<String>,
    minisign: Vec<String>,
}

impl TrustedKeys {
    /// The keys that `value` names: a key as it is printed (`ssh-ed25519 AAAA...`, `RW...`), or a file with keys, of
    /// `ssh-keygen`, `minisign` or allowed signers.
    ///
    /// # Errors
    /// [`SignatureError::Key`] where there is none.
    pub fn parse(value: &str) -> Result<Self, SignatureError> {
        let key = |problem: String| SignatureError::Key { key: Shown(value).to_string(), problem };
        let mut keys = Self::default();
        keys.add(value);
        if keys == Self::default() {
            let bytes = disk::read_file(&PathBuf::from(value), LARGEST)
                .map_err(|error| key(crate::causes::chain(&error)))?;
            String::from_utf8_lossy(&bytes).lines().for_each(|line| keys.add(line));
        }
        if keys == Self::default() {
            return Err(key("there is no public key in it".to_owned()));
        }
        Ok(keys)
    }

    /// The public keys that belong to `keys`.
    ///
    /// # Errors
    /// When a program does not tell.
    pub fn of(keys: &[SigningKey]) -> Result<Self, SignatureError> {
        let mut all = Self::default();
        for key in keys {
            let line = match key {
                SigningKey::Agent(public) => public.clone(),
                SigningKey::Ssh(file) => {
                    let public = file.with_added_extension("pub");
                    match disk::read_file(&public, LARGEST).or_else(|_| disk::read_file(file, LARGEST)) {
                        Ok(bytes) if is_public(&String::from_utf8_lossy(&bytes)) => {
                            String::from_utf8_lossy(&bytes).into_owned()
                        }
                        _ => super::ssh::public(&Workplace::with(b"", None)?, file)?,
                    }
                }
                SigningKey::Minisign(file) => minisign::public(&Workplace::with(b"", None)?, file)?,
            };
            line.lines().for_each(|line| all.add(line));
        }
        Ok(all)
    }

    /// Adds those of `other`.
    pub fn extend(&mut self, other: Self) {
        self.lines.extend(other.lines);
        self.minisign.extend(other.minisign);
    }

    fn add(&mut self, line: &str) {
        let line = line.trim();
        let is_key = |word: &str| ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| word.starts_with(kind));
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with('#') || line.starts_with("untrusted comment:") {
        } else if minisign::is_key(line) {
            self.minisign.push(line.to_owned());
        } else if is_public(line) && words.len() >= 2 {
            self.lines.push(format!("{NOBODY} {USES} {} {}", words[0], words[1]));
        } else if words.len() >= 3 && words.iter().skip(1).any(|word| is_key(word)) {
            self.lines.push(line.to_owned());
        }
    }

    /// Writes them to `folder`, in place of what was there.
    ///
    /// # Errors
    /// When the folder may not be written.
    pub fn write(&self, folder: &Dir) -> disk::Result<()> {
        let text = |lines: &[String]| lines.iter().fold(String::new(), |text, line| text + line + "\n");
        folder.replace_file(FILE, text(&self.lines).as_bytes())?;
        folder.replace_file(MINISIGN, text(&self.minisign).as_bytes())
    }

    /// Those who may sign by what was written to `folder`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn signers(folder: &Dir) -> disk::Result<Signers> {
        let minisign = String::from_utf8_lossy(&folder.read_file(MINISIGN, LARGEST)?).into_owned();
        let is_there = folder.stat(FILE)?.is_some_and(|stat| stat.size > 0);
        Ok(Signers {
            ssh: is_there.then(|| SshSigners { file: folder.join(FILE), revoked: None }),
            minisign: minisign.lines().map(ToOwned::to_owned).collect(),
            ..Signers::default()
        })
    }
}

fn is_public(line: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|kind| line.starts_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_printed() {
        let mut keys = TrustedKeys::default();
        let minisign = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        for line in [
            "# a comment",
            "untrusted comment: minisign public key",
            minisign,
            "ssh-ed25519 AAAAC3 tess@example.org",
            "tess@example.org namespaces=\"git-dist\" ssh-ed25519 AAAAC4",
            "nonsense",
            "",
        ] {
            keys.add(line);
        }
        assert_eq!(keys.minisign, [minisign]);
        assert_eq!(
            keys.lines,
            [
                "publisher namespaces=\"git-dist,git\" ssh-ed25519 AAAAC3",
                "tess@example.org namespaces=\"git-dist\" ssh-ed25519 AAAAC4"
            ]
        );
    }
}
