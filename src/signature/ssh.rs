//! SSH signatures, checked by `ssh-keygen -Y` (ssh-keygen(1), "ALLOWED SIGNERS").

use std::path::Path;

use super::program::{Said, Workplace};
use super::{NotAllowed, SignatureError, SshSigners};

const PROGRAM: &str = "ssh-keygen";
/// What git's signatures are for; one for a file or mail is none of git's.
pub(super) const GIT: &str = "git";
/// Names of a file of allowed signers that are tried for one key.
const MOST_NAMES: usize = 32;

/// The signer's name and key, of a signature that is for `namespace`.
///
/// `-Overify-time` is left out on purpose: without it `ssh-keygen` goes by the time that it is.
pub(super) fn verify(
    what: &str,
    place: &Workplace,
    signers: Option<&SshSigners>,
    namespace: &'static str,
) -> Result<(String, String), SignatureError> {
    let signature = place.signature();
    // Whatever the key is: does the signature belong to these bytes?
    let novalidate =
        place.run(PROGRAM, &[&"-Y", &"check-novalidate", &"-n", &namespace, &"-s", &signature])?;
    let Some(key) = novalidate.is_success.then(|| key_of(&novalidate.out)).flatten() else {
        return Err(match novalidate.err.trim() {
            said if said.contains("namespace does not match") => {
                SignatureError::OtherUse { what: what.to_owned() }
            }
            said => SignatureError::Mismatch { what: what.to_owned(), said: said.to_owned() },
        });
    };
    let Some(SshSigners { file, revoked }) = signers else {
        return Err(SignatureError::NoSigners { what: what.to_owned(), key });
    };
    let found = place.run(PROGRAM, &[&"-Y", &"find-principals", &"-f", file, &"-s", &signature])?;
    let mut said = found.err.clone();
    let names = if found.is_success { found.out.as_str() } else { "" };
    for name in names.lines().filter(|name| !name.is_empty()).take(MOST_NAMES) {
        let verify = |more: &[&dyn AsRef<std::ffi::OsStr>]| -> Result<Said, SignatureError> {
            let fixed: [&dyn AsRef<std::ffi::OsStr>; 10] =
                [&"-Y", &"verify", &"-n", &namespace, &"-f", file, &"-I", &name, &"-s", &signature];
            place.run(PROGRAM, &[&fixed[..], more].concat())
        };
        let checked = match revoked {
            Some(revoked) => verify(&[&"-r", revoked])?,
            None => verify(&[])?,
        };
        if checked.is_success && key_of(&checked.out).as_ref() == Some(&key) {
            return Ok((name.to_owned(), key));
        }
        if let Some(revoked) = revoked
            && verify(&[])?.is_success
        {
            let reason = NotAllowed::RevokedIn { file: revoked.clone() };
            return Err(SignatureError::NotAllowed { what: what.to_owned(), key, reason });
        }
        said = checked.err;
    }
    let reason = reason(&said, file, namespace);
    Err(SignatureError::NotAllowed { what: what.to_owned(), key, reason })
}

/// A signature of what the place holds, for `namespace`, by the key in the file at `key`: a private key, or a public one
/// whose other half an agent has.
pub(super) fn sign(place: &Workplace, key: &Path, namespace: &str) -> Result<Vec<u8>, SignatureError> {
    let said = place.run(PROGRAM, &[&"-Y", &"sign", &"-q", &"-n", &namespace, &"-f", &key])?;
    if said.is_success && said.out.starts_with("-----BEGIN SSH SIGNATURE-----") {
        return Ok(said.out.into_bytes());
    }
    Err(SignatureError::NotSigned { program: PROGRAM, key: key.to_owned(), said: said.err })
}

/// The public half of the private key in the file at `key`.
pub(super) fn public(place: &Workplace, key: &Path) -> Result<String, SignatureError> {
    let said = place.run(PROGRAM, &[&"-y", &"-f", &key])?;
    if said.is_success {
        return Ok(said.out);
    }
    Err(SignatureError::NotSigned { program: PROGRAM, key: key.to_owned(), said: said.err })
}

/// `SHA256:...` of `Good "git" signature for NAME with ED25519 key SHA256:...`, whatever the name is.
fn key_of(said: &str) -> Option<String> {
    let (_, key) = said.trim_end().rsplit_once(" key ")?;
    let is_fingerprint = key.starts_with("SHA256:") && key.chars().all(|c| c.is_ascii_graphic());
    is_fingerprint.then(|| key.to_owned())
}

/// Why `ssh-keygen` found no name in the file.
fn reason(said: &str, file: &Path, namespace: &'static str) -> NotAllowed {
    let after = |words: &str| said.split_once(words).map(|(_, rest)| rest.split_whitespace().next());
    let when = |words| after(words).map(|when| when.unwrap_or_default().to_owned());
    let file = file.to_owned();
    if let Some(when) = when("valid-before ") {
        NotAllowed::Expired { when: Some(when), file: Some(file) }
    } else if let Some(when) = when("valid-after ") {
        NotAllowed::TooEarly { when, file }
    } else if said.contains("not permitted for use in signature namespace") {
        NotAllowed::OtherNamespace { file, namespace }
    } else if said.contains("Certificate invalid: expired") {
        NotAllowed::Expired { when: None, file: Some(file) }
    } else {
        NotAllowed::NotInFile { file }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_a_key() {
        let said = "Good \"git\" signature for a key SHA256:forged with ED25519 key SHA256:real\n";
        assert_eq!(key_of(said).as_deref(), Some("SHA256:real"));
        assert_eq!(key_of("Good signature key SHA256:a b"), None);
        assert_eq!(key_of(""), None);
    }
}
