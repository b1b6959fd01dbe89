//! Who signed a commit, a tag or the manifest of a channel: its signature, checked with the system's `ssh-keygen` and
//! `gpg`, and signatures of such manifests.
//!
//! The programs are called directly, with fixed arguments, on files that hold exactly the bytes of the object and its
//! signature. No configuration of a repository takes part: [`Signers`] are made by the caller, from files and keys that
//! who can push cannot change. Signatures count as of now: a key that has expired or was revoked signs nothing any
//! more, whatever date a signature claims, because the signer chooses that date.

mod envelope;
mod error;
mod examine;
mod minisign;
mod openpgp;
mod program;
mod signers;
mod ssh;
mod text;
mod trusted;

use serde::{Deserialize, Serialize};

use crate::disk::Shown;
use crate::source::HashKind;

use envelope::{Envelope, Format};
use program::Workplace;

pub use error::{NotAllowed, SignatureError};
pub use examine::{Finding, examine};
pub use signers::{REQUIRED, Signers, SshSigners, Trust, is_required};
pub use text::{SigningKey, open_text, sign_tag, sign_text};
pub use trusted::TrustedKeys;

/// A signature that was found good, as records tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What carries it: `commit`, `tag v1.0`, or the manifest of a channel.
    pub on: String,
    /// `ssh`, `openpgp` or `minisign`.
    pub format: String,
    /// The signer's name: a principal of the file of allowed signers, or the user id of an OpenPGP key.
    pub signer: String,
    /// The signer's key: `SHA256:...` of an SSH key, the fingerprint of the primary OpenPGP key, or a minisign key.
    pub key: String,
}

/// The signer with the key: `tess@example.org (SHA256:...)`.
impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.signer, self.key)
    }
}

/// What carries a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A commit, signed in its header.
    Commit,
    /// An annotated tag, signed at its end.
    Tag,
}

/// An object whose signature is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// Commit or tag.
    pub kind: Kind,
    /// What it is to the reader: ``commit c73fe42``, ``tag `v1.0` ``.
    pub name: &'a str,
    /// Its bytes as git stores them, without git's own header. That they are those of its id is the caller's business.
    pub bytes: &'a [u8],
    /// The repository's hash, which says in which header of a commit its signature stands.
    pub hash: HashKind,
}

/// True if the object carries a signature at all, good or not.
pub fn is_signed(object: Object<'_>) -> bool {
    !matches!(Envelope::open(object), Err(SignatureError::Missing { .. }))
}

/// Checks that `object` carries exactly one signature, over exactly its other bytes, by one of `signers`.
///
/// # Errors
/// [`SignatureError`]: anything else. A program that cannot be run, or says what is not understood, is an error too.
pub fn verify(object: Object<'_>, signers: &Signers) -> Result<Signature, SignatureError> {
    let envelope = Envelope::open(object)?;
    let place = Workplace::with(&envelope.payload, Some(&envelope.signature))?;
    let (format, signer, key) = match envelope.format {
        Format::Ssh => ssh::verify(object.name, &place, signers.ssh.as_ref(), ssh::GIT)
            .map(|(signer, key)| ("ssh", signer, key))?,
        Format::OpenPgp => {
            openpgp::verify(object.name, &place, signers).map(|(signer, key)| ("openpgp", signer, key))?
        }
    };
    // Whoever makes a key chooses the name in it.
    let signer = Shown(&signer).to_string();
    let on = if object.kind == Kind::Commit { "commit" } else { object.name };
    Ok(Signature { on: on.to_owned(), format: format.to_owned(), signer, key })
}
