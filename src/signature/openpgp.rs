//! OpenPGP signatures, checked by `gpg` with the keyring of whoever deploys (doc/DETAILS of GnuPG, "status lines").

use chrono::DateTime;

use super::program::Workplace;
use super::{NotAllowed, SignatureError, Signers, Trust};

const PROGRAM: &str = "gpg";
/// What comes before a status line.
const STATUS: &str = "[GNUPG:] ";

/// The signer's user id and the fingerprint of the primary key.
pub(super) fn verify(
    what: &str,
    place: &Workplace,
    signers: &Signers,
) -> Result<(String, String), SignatureError> {
    let said = place.run(
        PROGRAM,
        &[
            &"--batch",
            &"--no-tty",
            &"--status-fd=1",
            // Nobody outside is asked for keys.
            &"--no-auto-key-retrieve",
            &"--disable-dirmngr",
            &"--verify",
            &place.signature(),
            &place.payload(),
        ],
    )?;
    let status = Status::read(&said.out);
    let refused = |key: &str, reason| {
        Err(SignatureError::NotAllowed { what: what.to_owned(), key: key.to_owned(), reason })
    };
    let mismatch = || {
        let said = said.err.lines().last().unwrap_or_default().to_owned();
        Err(SignatureError::Mismatch { what: what.to_owned(), said })
    };
    if status.verdicts.is_empty() {
        let said = said.err.trim_end().replace('\n', "; ");
        return Err(SignatureError::Unchecked { what: what.to_owned(), program: PROGRAM, said });
    }
    // Exactly one signature, and one verdict on it.
    let [(verdict, verdict_rest)] = status.verdicts[..] else { return mismatch() };
    let (long_id, signer) = verdict_rest.split_once(' ').unwrap_or((verdict_rest, ""));
    let signer = unescaped(signer);
    let valid = status.valid.as_slice();
    let key = match valid {
        [valid] => valid.primary,
        _ => long_id,
    };
    match verdict {
        "GOODSIG" => {}
        "EXPSIG" => return refused(key, NotAllowed::Expired { when: None, file: None }),
        "EXPKEYSIG" => return refused(key, NotAllowed::Expired { when: status.expired(), file: None }),
        "REVKEYSIG" => return refused(key, NotAllowed::Revoked),
        "ERRSIG" if status.is_key_missing => return refused(key, NotAllowed::NoKey),
        _ => return mismatch(),
    }
    let ([valid], true) = (valid, said.is_success) else { return mismatch() };
    // 00 is a signature of the bytes; one of text passes over line ends.
    if valid.class != "00" {
        return mismatch();
    }
    if !signers.keys.is_empty() {
        if !signers.keys.iter().any(|allowed| allowed.eq_ignore_ascii_case(key)) {
            return refused(key, NotAllowed::NotListed { signer });
        }
    } else if status.trust.is_none_or(|trust| trust < signers.trust) {
        let found = status.trust.unwrap_or(Trust::Undefined);
        return refused(key, NotAllowed::Distrusted { signer, found, wanted: signers.trust });
    }
    Ok((signer, key.to_owned()))
}

/// What the status lines say.
#[derive(Default)]
struct Status<'a> {
    /// `GOODSIG` and its like, each with what follows it: key and user id.
    verdicts: Vec<(&'a str, &'a str)>,
    /// `VALIDSIG`.
    valid: Vec<Valid<'a>>,
    trust: Option<Trust>,
    is_key_missing: bool,
    /// `KEYEXPIRED`: seconds since 1970.
    expired: Option<i64>,
}

struct Valid<'a> {
    class: &'a str,
    primary: &'a str,
}

impl<'a> Status<'a> {
    fn read(text: &'a str) -> Self {
        let mut status = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix(STATUS)) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "GOODSIG" | "EXPSIG" | "EXPKEYSIG" | "REVKEYSIG" | "BADSIG" | "ERRSIG" => {
                    status.verdicts.push((word, rest));
                }
                "VALIDSIG" => {
                    let fields: Vec<&str> = rest.split(' ').collect();
                    if let (Some(class), Some(primary)) = (fields.get(8), fields.get(9)) {
                        status.valid.push(Valid { class, primary });
                    }
                }
                "NO_PUBKEY" => status.is_key_missing = true,
                "KEYEXPIRED" => status.expired = rest.parse().ok(),
                word => status.trust = word.strip_prefix("TRUST_").and_then(Trust::parse).or(status.trust),
            }
        }
        status
    }

    fn expired(&self) -> Option<String> {
        let when = self.expired.and_then(|seconds| DateTime::from_timestamp(seconds, 0))?;
        Some(when.format("%Y-%m-%dT%H:%M:%S").to_string())
    }
}

/// A user id without the escapes that gpg writes it with (`%0A`).
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| *first == b'%');
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(code) => {
                bytes.push(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_ids_are_read_as_they_were_written() {
        for (escaped, plain) in
            [("Tess <t@x>", "Tess <t@x>"), ("a%0Ab%25", "a\nb%"), ("50%", "50%"), ("%zz", "%zz")]
        {
            assert_eq!(unescaped(escaped), plain);
        }
    }
}
