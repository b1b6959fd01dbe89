//! minisign's signatures: one small file, one key, no program needed to check them
//! (<https://jedisct1.github.io/minisign/>, "Signature format").

use std::path::Path;

use minisign_verify::{PublicKey, Signature};

use super::SignatureError;
use super::program::Workplace;

const PROGRAM: &str = "minisign";
/// What a signature and a key file begin with.
pub(super) const FIRST: &[u8] = b"untrusted comment: ";
/// Lines of a signature.
pub(super) const LINES: usize = 4;
/// Characters of a key.
const KEY: usize = 56;

/// True if `text` is a public key as minisign prints it.
pub(super) fn is_key(text: &str) -> bool {
    text.len() == KEY && PublicKey::from_base64(text).is_ok()
}

/// The key among `keys` that made `signature` of `payload`, as the name and the key of the signer.
pub(super) fn verify(
    what: &str,
    payload: &[u8],
    signature: &[u8],
    keys: &[String],
) -> Result<(String, String), SignatureError> {
    let malformed = || SignatureError::Malformed { what: what.to_owned(), problem: "it is none of minisign" };
    let text = std::str::from_utf8(signature).map_err(|_| malformed())?;
    let decoded = Signature::decode(text).map_err(|_| malformed())?;
    let is_by = |key: &&String| {
        // What is not prehashed is of versions before 0.10, and is read as well.
        PublicKey::from_base64(key).is_ok_and(|key| key.verify(payload, &decoded, true).is_ok())
    };
    match keys.iter().find(is_by) {
        Some(key) => Ok(("minisign".to_owned(), key.clone())),
        None => Err(SignatureError::OtherKey { what: what.to_owned(), key: number(text) }),
    }
}

/// The number of the key that made a signature, as minisign shows it: the eight bytes before the signature itself.
fn number(signature: &str) -> String {
    use base64::Engine as _;
    let line = signature.lines().nth(1).unwrap_or_default();
    let bytes = base64::engine::general_purpose::STANDARD.decode(line).unwrap_or_default();
    let number = bytes.get(2..10).unwrap_or_default();
    number.iter().rev().fold(String::new(), |text, byte| text + &format!("{byte:02X}"))
}

/// A signature of what the place holds, by the secret key in the file at `key`, which must not be encrypted.
pub(super) fn sign(place: &Workplace, key: &Path) -> Result<Vec<u8>, SignatureError> {
    let said = place.run(
        PROGRAM,
        &[&"-S", &"-q", &"-s", &key, &"-m", &place.payload(), &"-x", &place.signature(), &"-t", &"git-dist"],
    )?;
    if said.is_success {
        return place.written_signature();
    }
    Err(SignatureError::NotSigned { program: PROGRAM, key: key.to_owned(), said: said.err + &said.out })
}

/// The public half of the secret key in the file at `key`.
pub(super) fn public(place: &Workplace, key: &Path) -> Result<String, SignatureError> {
    let said = place.run(PROGRAM, &[&"-R", &"-s", &key, &"-p", &place.signature()])?;
    if said.is_success {
        return Ok(String::from_utf8_lossy(&place.written_signature()?).into_owned());
    }
    Err(SignatureError::NotSigned { program: PROGRAM, key: key.to_owned(), said: said.err + &said.out })
}
