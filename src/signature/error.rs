//! Why a signature does not count.

use std::io;
use std::path::PathBuf;

use super::Trust;
use crate::disk::{DiskError, Shown};
use crate::source::git::GitError;

/// Why something does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// A setting has a value of the wrong kind.
    #[error("`{key}` is `{value}` in the git configuration: expected {expected}")]
    Setting {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What is accepted.
        expected: &'static str,
    },
    /// A file that the configuration names cannot be believed, or read.
    #[error("`{}`, which `{key}` names, {problem}", Shown(path))]
    File {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is the matter with it.
        problem: String,
        /// What the system said.
        #[source]
        source: Option<io::Error>,
    },
    /// It is not signed.
    #[error("{what} is not signed")]
    Missing {
        /// The commit or tag.
        what: String,
    },
    /// Content of a working tree, which nobody can have signed.
    #[error("what lies in a working tree is not signed")]
    Uncommitted,
    /// Its signature is not formed as one.
    #[error("the signature of {what} cannot be right: {problem}")]
    Malformed {
        /// The commit or tag.
        what: String,
        /// What is the matter with it.
        problem: &'static str,
    },
    /// The tag was signed under another name.
    #[error("the tag that was asked for as `{}` was signed as `{}`", Shown(asked), Shown(name))]
    Renamed {
        /// The reference.
        asked: String,
        /// The name in the tag.
        name: String,
    },
    /// It was signed for something else than git.
    #[error("the signature of {what} is not one of git, but for another use")]
    OtherUse {
        /// The commit or tag.
        what: String,
    },
    /// It is a signature of something else, or broken.
    #[error("the signature of {what} does not fit its content{}", Aside(said))]
    Mismatch {
        /// The commit or tag.
        what: String,
        /// What the program said.
        said: String,
    },
    /// The program did not say whether it is good.
    #[error("`{program}` does not tell whether the signature of {what} is good{}", Aside(said))]
    Unchecked {
        /// The commit or tag.
        what: String,
        /// The program.
        program: &'static str,
        /// What it said instead.
        said: String,
    },
    /// Nobody may sign with SSH.
    #[error("{what} is signed with the SSH key {key}, and nothing says who may sign with SSH")]
    NoSigners {
        /// The commit or tag.
        what: String,
        /// The key.
        key: String,
    },
    /// It is signed, by somebody who may not.
    #[error("{what} is signed with the key {key}, {reason}")]
    NotAllowed {
        /// The commit or tag.
        what: String,
        /// The key.
        key: String,
        /// Why it does not count.
        reason: NotAllowed,
    },
    /// It is signed with a minisign key that nothing names.
    #[error("{what} is signed with the minisign key {key}, which may not sign")]
    OtherKey {
        /// What is signed.
        what: String,
        /// The key's number.
        key: String,
    },
    /// A program did not sign.
    #[error("`{program}` does not sign with `{}`{}", Shown(key), Aside(said))]
    NotSigned {
        /// The program.
        program: &'static str,
        /// The key's file.
        key: PathBuf,
        /// What it said.
        said: String,
    },
    /// A key to sign with is none.
    #[error("`{}` is no key to sign with: {problem}", Shown(key))]
    Key {
        /// The key as it was given.
        key: String,
        /// What is the matter with it.
        problem: String,
    },
    /// A program could not be run to its end.
    #[error("cannot run `{program}`, which checks signatures")]
    Program {
        /// The program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file for a program could not be written or read.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The repository could not be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Why a key does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    /// The file of allowed signers does not have it.
    #[error("which `{}` does not list", Shown(file))]
    NotInFile {
        /// The file.
        file: PathBuf,
    },
    /// The file has it for other uses.
    #[error("which `{}` lists, but not for {namespace}", Shown(file))]
    OtherNamespace {
        /// The file.
        file: PathBuf,
        /// What the signature is for.
        namespace: &'static str,
    },
    /// It, or its signature, has expired.
    #[error("which expired{}{}", When(when), In(file))]
    Expired {
        /// When, as the program says it.
        when: Option<String>,
        /// The file of allowed signers that says so.
        file: Option<PathBuf>,
    },
    /// It is not valid yet.
    #[error("which is not valid before {when}{}", In(&Some(file.clone())))]
    TooEarly {
        /// From when it is valid.
        when: String,
        /// The file of allowed signers that says so.
        file: PathBuf,
    },
    /// It was revoked.
    #[error("which was revoked")]
    Revoked,
    /// A list of revoked keys has it.
    #[error("which `{}` revokes, or that file cannot be read", Shown(file))]
    RevokedIn {
        /// The list.
        file: PathBuf,
    },
    /// The keyring does not have it.
    #[error("which is not in the keyring of `gpg`")]
    NoKey,
    /// It is not among the keys that are allowed.
    #[error("of `{}`, which no `dist.allowedKey` names", Shown(signer))]
    NotListed {
        /// Its user id.
        signer: String,
    },
    /// It is not trusted far enough.
    #[error("of `{}`, whose trust is `{}`, not `{}`", Shown(signer), found.as_str(), wanted.as_str())]
    Distrusted {
        /// Its user id.
        signer: String,
        /// Its trust.
        found: Trust,
        /// The trust that is asked for.
        wanted: Trust,
    },
}

struct Aside<'a>(&'a str);

impl std::fmt::Display for Aside<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The last line says most; what it quotes comes from the signature.
        match self.0.lines().last() {
            None => Ok(()),
            Some(line) => write!(f, " ({})", Shown(line)),
        }
    }
}

struct When<'a>(&'a Option<String>);

impl std::fmt::Display for When<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |when| write!(f, " on {}", Shown(when)))
    }
}

struct In<'a>(&'a Option<PathBuf>);

impl std::fmt::Display for In<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |file| write!(f, " (`{}`)", Shown(file)))
    }
}

impl SignatureError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Setting { key, .. } => {
                format!("`git config --show-origin --get-all {key}` shows where it is set")
            }
            Self::File { key, .. } => {
                format!("`git config --global {key} FILE` names one that is not in the repository")
            }
            Self::Missing { .. } => {
                "`git commit --amend --no-edit -S` signs the last commit, `git tag -s NAME` a revision"
                    .to_owned()
            }
            Self::Uncommitted => "commit it, sign it, and leave `--worktree` out".to_owned(),
            Self::Renamed { name, .. } => format!("deploy it by the name it has: `--rev {}`", Shown(name)),
            Self::NoSigners { .. } => {
                "`git config --global gpg.ssh.allowedSignersFile FILE` names the file that does; what the \
                 repository's own configuration says of it does not count"
                    .to_owned()
            }
            Self::Program { program, source } if source.kind() == io::ErrorKind::NotFound => {
                let package = match *program {
                    "gpg" => "GnuPG",
                    "minisign" => "minisign",
                    _ => "OpenSSH",
                };
                format!("install {package}, or mend PATH")
            }
            Self::NotAllowed { key, reason, .. } => reason.hint(key)?,
            Self::Git(source) => source.hint()?,
            _ => return None,
        })
    }
}

impl NotAllowed {
    fn hint(&self, key: &str) -> Option<String> {
        Some(match self {
            Self::NotInFile { file } => {
                format!("if the key is of somebody who may sign, add its line to `{}`", Shown(file))
            }
            Self::OtherNamespace { file, namespace } => {
                format!("`namespaces=\"{namespace}\"` in `{}` allows it", Shown(file))
            }
            Self::NoKey => format!("`gpg --import` adds keys; look at its fingerprint first: {key}"),
            Self::NotListed { .. } => format!("`git config --add dist.allowedKey {key}`, if that is meant"),
            Self::Distrusted { .. } => {
                format!(
                    "`gpg --sign-key {key}`, or `git config --add dist.allowedKey {key}`, if that is meant"
                )
            }
            Self::Expired { .. } => {
                "sign it again with a key that is valid now, or renew that key".to_owned()
            }
            Self::TooEarly { .. } | Self::Revoked | Self::RevokedIn { .. } => return None,
        })
    }
}
