//! Signed texts: what stands before the first signature, and one signature after the other.

use std::path::PathBuf;

use bstr::ByteSlice as _;

use super::program::Workplace;
use super::{Signature, SignatureError, Signers, minisign, ssh};
use crate::disk::{self, Shown};

/// What signatures of such texts are for. That of a commit or tag is none of them, and none of them is one of those.
const NAMESPACE: &str = "git-dist";

const SSH_FIRST: &[u8] = b"-----BEGIN SSH SIGNATURE-----";
const SSH_LAST: &[u8] = b"-----END SSH SIGNATURE-----";
/// Most signatures of one text.
const MOST: usize = 8;
/// The most that a key file may be, in bytes.
const LARGEST_KEY: u64 = 64 << 10;

/// One signature as it stands in a text.
enum Block<'a> {
    Ssh(&'a [u8]),
    Minisign(&'a [u8]),
}

/// The text that `bytes` begin with, if one of the signatures behind it is by one of `signers`. `name` says what it is.
///
/// # Errors
/// [`SignatureError`]: no signature, none that counts, or anything behind the text that is no signature. Where several
/// do not count, the error is that of the first.
pub fn open_text<'a>(
    name: &str,
    bytes: &'a [u8],
    signers: &Signers,
) -> Result<(&'a [u8], Signature), SignatureError> {
    let (text, blocks) = take_apart(name, bytes)?;
    let mut first = None;
    for block in blocks {
        match verify(name, text, &block, signers) {
            Ok(signature) => return Ok((text, signature)),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| SignatureError::Missing { what: name.to_owned() }))
}

fn verify(
    name: &str,
    text: &[u8],
    block: &Block<'_>,
    signers: &Signers,
) -> Result<Signature, SignatureError> {
    let (format, (signer, key)) = match block {
        Block::Minisign(signature) => {
            ("minisign", minisign::verify(name, text, signature, &signers.minisign)?)
        }
        Block::Ssh(signature) => {
            let place = Workplace::with(text, Some(signature))?;
            ("ssh", ssh::verify(name, &place, signers.ssh.as_ref(), NAMESPACE)?)
        }
    };
    Ok(Signature { on: name.to_owned(), format: format.to_owned(), signer: Shown(&signer).to_string(), key })
}

fn take_apart<'a>(name: &str, bytes: &'a [u8]) -> Result<(&'a [u8], Vec<Block<'a>>), SignatureError> {
    let malformed = |problem| SignatureError::Malformed { what: name.to_owned(), problem };
    let mut end = 0;
    for line in bytes.lines_with_terminator() {
        if line.starts_with(SSH_FIRST) || line.starts_with(minisign::FIRST) {
            break;
        }
        end += line.len();
    }
    let (text, mut rest) = bytes.split_at(end);
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        if blocks.len() == MOST {
            return Err(malformed("there are more than eight of them"));
        }
        let is_ssh = rest.starts_with(SSH_FIRST);
        if !is_ssh && !rest.starts_with(minisign::FIRST) {
            return Err(malformed("something else stands behind the text"));
        }
        let mut length = 0;
        for (number, line) in rest.lines_with_terminator().enumerate() {
            length += line.len();
            let is_last = if is_ssh {
                line.trim_end_with(|c| c == '\n') == SSH_LAST
            } else {
                number + 1 == minisign::LINES
            };
            if is_last {
                break;
            }
        }
        let (block, after) = rest.split_at(length);
        blocks.push(if is_ssh { Block::Ssh(block) } else { Block::Minisign(block) });
        rest = after;
    }
    Ok((text, blocks))
}

/// What texts are signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SigningKey {
    /// A file with an SSH key: the private one, or the public one of a key that an agent has.
    Ssh(PathBuf),
    /// A public SSH key, whose other half an agent has.
    Agent(String),
    /// A file with a secret minisign key.
    Minisign(PathBuf),
}

impl SigningKey {
    /// The key that `value` names, as git's `user.signingKey` does: a file, or `key::ssh-ed25519 ...` for a key that an
    /// agent has; or a file with a secret key of minisign.
    ///
    /// # Errors
    /// [`SignatureError::Key`] where that is none.
    pub fn parse(value: &str) -> Result<Self, SignatureError> {
        let literal = value.strip_prefix("key::").or_else(|| value.starts_with("ssh-").then_some(value));
        if let Some(key) = literal {
            return Ok(Self::Agent(key.to_owned()));
        }
        let home = || value.strip_prefix("~/").and_then(|rest| Some(std::env::home_dir()?.join(rest)));
        let path = home().unwrap_or_else(|| PathBuf::from(value));
        let key = |problem: String| SignatureError::Key { key: value.to_owned(), problem };
        let path = std::path::absolute(&path).map_err(|error| key(error.to_string()))?;
        let bytes = disk::read_file(&path, LARGEST_KEY).map_err(|error| key(crate::causes::chain(&error)))?;
        Ok(if bytes.starts_with(minisign::FIRST) { Self::Minisign(path) } else { Self::Ssh(path) })
    }
}

/// `text` with a signature of each of `keys` behind it.
///
/// # Errors
/// When a program is missing, or does not sign.
pub fn sign_text(text: &[u8], keys: &[SigningKey]) -> Result<Vec<u8>, SignatureError> {
    let mut signed = text.to_owned();
    for key in keys {
        signed.append(&mut sign(text, key, NAMESPACE)?);
    }
    Ok(signed)
}

/// `tag`, the text of a tag, with a signature as git makes it by the first of `keys` that is of SSH. Without one it is
/// not signed.
///
/// # Errors
/// As [`sign_text`].
pub fn sign_tag(tag: &[u8], keys: &[SigningKey]) -> Result<Vec<u8>, SignatureError> {
    let mut signed = tag.to_owned();
    let is_ssh = |key: &&SigningKey| !matches!(key, SigningKey::Minisign(_));
    if let Some(key) = keys.iter().find(is_ssh) {
        signed.append(&mut sign(tag, key, ssh::GIT)?);
    }
    Ok(signed)
}

fn sign(text: &[u8], key: &SigningKey, namespace: &str) -> Result<Vec<u8>, SignatureError> {
    let place = Workplace::with(text, None)?;
    let mut block = match key {
        SigningKey::Ssh(file) => ssh::sign(&place, file, namespace)?,
        SigningKey::Agent(public) => {
            let file = place.add("key.pub", format!("{public}\n").as_bytes())?;
            ssh::sign(&place, &file, namespace)?
        }
        SigningKey::Minisign(file) => minisign::sign(&place, file)?,
    };
    if block.last() != Some(&b'\n') {
        block.push(b'\n');
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n";
    const OTHER: &str = "untrusted comment: a\nb\ntrusted comment: c\nd\n";

    fn parts(text: &str) -> Result<(usize, Vec<usize>), String> {
        let taken = take_apart("it", text.as_bytes()).map_err(|error| error.to_string())?;
        let length = |block: &Block<'_>| match block {
            Block::Ssh(block) | Block::Minisign(block) => block.len(),
        };
        Ok((taken.0.len(), taken.1.iter().map(length).collect()))
    }

    #[test]
    fn a_text_ends_where_its_signatures_begin() {
        let (ssh, other) = (BLOCK.len(), OTHER.len());
        assert_eq!(parts("{}\n"), Ok((3, vec![])));
        assert_eq!(parts(&format!("{{}}\n{BLOCK}")), Ok((3, vec![ssh])));
        assert_eq!(parts(&format!("{{}}\n{OTHER}{BLOCK}{OTHER}")), Ok((3, vec![other, ssh, other])));
        for hidden in [format!("{{}}\n{BLOCK}{{}}\n"), format!("{{}}\n{BLOCK}\n{BLOCK}")] {
            let error = parts(&hidden).unwrap_err();
            assert!(error.ends_with("something else stands behind the text"), "{error}");
        }
        assert!(parts(&format!("{{}}\n{}", BLOCK.repeat(9))).is_err());
    }

    #[test]
    fn only_a_key_that_is_named_counts() {
        // A vector of minisign-verify's documentation: the text is `test`.
        let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
        let other = "RWSGOq2NVecA2UPNdBUZykf1CCb147pkmdtYxgb3Ti+JO/wCYvhbAb/U";
        let signature = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1633700835\tfile:test\tprehashed
wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==
";
        let check = |text: &str, key: &str| {
            minisign::verify("it", text.as_bytes(), signature.as_bytes(), &[key.to_owned()])
        };
        assert_eq!(check("test", key).unwrap().1, key);
        for (text, key) in [("tesT", key), ("test", other)] {
            let error = check(text, key).unwrap_err().to_string();
            assert_eq!(error, "it is signed with the minisign key E7620F1842B4E81F, which may not sign");
        }
    }
}
