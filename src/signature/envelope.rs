//! Taking an object apart: its signature, and the bytes that the signature is about.
//!
//! git's rules (gitformat-signature(5), and the headers of hash-function-transition(5)), read strictly: what git passes
//! over is refused here, so that no two readers can take one object for different things.

use bstr::ByteSlice as _;

use super::{Kind, Object, SignatureError};
use crate::source::HashKind;

/// The most that a signature may be, in bytes: many times what the largest keys make.
const LARGEST: usize = 64 << 10;

/// The two headers that git keeps signatures in, one for each hash.
const HEADERS: [&[u8]; 2] = [b"gpgsig", b"gpgsig-sha256"];

/// First and last line of a signature.
type Armor = (&'static [u8], &'static [u8]);

const SSH: Armor = (b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----");
const OPENPGP: Armor = (b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----");
/// Beginnings of what git takes for a signature too.
const OTHERS: [&[u8]; 2] = [b"-----BEGIN PGP MESSAGE-----", b"-----BEGIN SIGNED MESSAGE-----"];

/// The two kinds of signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Ssh,
    OpenPgp,
}

/// An object taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) format: Format,
    /// With its first and last line.
    pub(super) signature: Vec<u8>,
    /// What was signed.
    pub(super) payload: Vec<u8>,
}

impl Envelope {
    /// Takes `object` apart.
    ///
    /// # Errors
    /// [`SignatureError::Missing`] and [`SignatureError::Malformed`].
    pub(super) fn open(object: Object<'_>) -> Result<Self, SignatureError> {
        let malformed = |problem| SignatureError::Malformed { what: object.name.to_owned(), problem };
        let (signature, payload) = match object.kind {
            Kind::Commit => {
                let (own, payload) = split_header(object.bytes, object.hash).map_err(malformed)?;
                (own, payload)
            }
            Kind::Tag => {
                let end = begin_of_signature(object.bytes);
                // What stands in a header is about the tag in the other hash.
                let (_, payload) = split_header(&object.bytes[..end], object.hash).map_err(malformed)?;
                let signature = &object.bytes[end..];
                ((!signature.is_empty()).then(|| signature.to_owned()), payload)
            }
        };
        let signature = signature.ok_or_else(|| SignatureError::Missing { what: object.name.to_owned() })?;
        let format = format(&signature).map_err(malformed)?;
        Ok(Self { format, signature, payload })
    }
}

/// The signature in the header for `hash`, and the bytes without either of the headers.
fn split_header(bytes: &[u8], hash: HashKind) -> Result<(Option<Vec<u8>>, Vec<u8>), &'static str> {
    let own = if hash == HashKind::Sha1 { HEADERS[0] } else { HEADERS[1] };
    let mut found: [Option<Vec<u8>>; 2] = [None, None];
    let mut payload = Vec::with_capacity(bytes.len());
    // The header whose lines are left out, while its continuation lines follow.
    let mut within: Option<usize> = None;
    let mut rest = bytes;
    while !rest.is_empty() && !rest.starts_with(b"\n") {
        let end = rest.find_byte(b'\n').map_or(rest.len(), |end| end + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        if let Some(more) = line.strip_prefix(b" ") {
            match within {
                Some(index) => found[index].get_or_insert_default().extend_from_slice(more),
                None => payload.extend_from_slice(line),
            }
            continue;
        }
        let name = line.split(|byte| *byte == b' ' || *byte == b'\n').next().unwrap_or_default();
        within = HEADERS.iter().position(|header| *header == name);
        match within {
            Some(index) if found[index].is_some() => return Err("it has two of them"),
            Some(index) => {
                found[index] = Some(line.get(name.len() + 1..).unwrap_or_default().to_owned());
            }
            // git leaves such headers out of what is signed, so that nobody vouches for them.
            None if name.starts_with(b"gpgsig") => return Err("a header that begins like it is not known"),
            None => payload.extend_from_slice(line),
        }
    }
    payload.extend_from_slice(rest);
    let index = HEADERS.iter().position(|header| *header == own).unwrap_or_default();
    Ok((found[index].take(), payload))
}

/// Where the signature at the end of a tag begins, or its length: the last line that begins one, as in git.
fn begin_of_signature(bytes: &[u8]) -> usize {
    let mut begin = bytes.len();
    let mut at = 0;
    for line in bytes.lines_with_terminator() {
        let armors = [SSH.0, OPENPGP.0].into_iter().chain(OTHERS);
        if armors.into_iter().any(|first| line.starts_with(first)) {
            begin = at;
        }
        at += line.len();
    }
    begin
}

/// The kind of a signature that is one whole block and nothing else.
fn format(signature: &[u8]) -> Result<Format, &'static str> {
    if signature.len() > LARGEST {
        return Err("it is larger than 64 KiB");
    }
    let format = match signature {
        text if text.starts_with(SSH.0) => Format::Ssh,
        text if text.starts_with(OPENPGP.0) => Format::OpenPgp,
        text if text.starts_with(OTHERS[1]) => return Err("it is of X.509, which git dist does not check"),
        _ => return Err("it is neither of SSH nor of OpenPGP"),
    };
    let (first, last) = if format == Format::Ssh { SSH } else { OPENPGP };
    let trimmed = signature.strip_suffix(b"\n").unwrap_or(signature);
    let lines: Vec<&[u8]> = trimmed.split(|byte| *byte == b'\n').collect();
    let is_whole = lines.len() > 2 && lines[0] == first && lines[lines.len() - 1] == last;
    let dashes = lines.iter().filter(|line| line.starts_with(b"-----")).count();
    if !is_whole || dashes != 2 {
        return Err("it is not one whole block");
    }
    if signature.contains(&b'\r') || signature.contains(&0) {
        return Err("it holds characters that do not belong there");
    }
    Ok(format)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n";

    fn open(kind: Kind, hash: HashKind, text: &str) -> Result<(String, String), String> {
        let object = Object { kind, name: "it", bytes: text.as_bytes(), hash };
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let opened = Envelope::open(object).map(|it| (text(it.signature), text(it.payload)));
        opened.map_err(|error| error.to_string())
    }

    fn header(name: &str, value: &str) -> String {
        format!("{name} {}\n", value.trim_end().replace('\n', "\n "))
    }

    #[test]
    fn what_is_signed_is_everything_but_the_signatures() {
        let (own, other) = (header("gpgsig", SIGNATURE), header("gpgsig-sha256", "other\nhash"));
        let commit = |headers: &str| format!("tree 1\nauthor a\nmergetag object 2\n more\n{headers}\nhi\n");
        for headers in [own.clone(), format!("{own}{other}"), format!("{other}{own}")] {
            let (signature, payload) = open(Kind::Commit, HashKind::Sha1, &commit(&headers)).unwrap();
            assert_eq!((&*signature, payload), (SIGNATURE, commit("")));
        }
        let error = open(Kind::Commit, HashKind::Sha256, &commit(&own)).unwrap_err();
        assert_eq!(error, "it is not signed");
        let own = header("gpgsig-sha256", SIGNATURE);
        let (_, payload) = open(Kind::Commit, HashKind::Sha256, &commit(&own)).unwrap();
        assert_eq!(payload, commit(""));
    }

    #[test]
    fn a_tag_is_signed_at_its_end() {
        let tag = "object 1\ntype commit\ntag v1\ntagger a\n\nhi\n";
        for hash in [HashKind::Sha1, HashKind::Sha256] {
            let (signature, payload) = open(Kind::Tag, hash, &format!("{tag}{SIGNATURE}")).unwrap();
            assert_eq!((&*signature, &*payload), (SIGNATURE, tag));
        }
        // An earlier block is part of the message.
        let quoted = format!("{tag}{SIGNATURE}");
        let (_, payload) = open(Kind::Tag, HashKind::Sha1, &format!("{quoted}{SIGNATURE}")).unwrap();
        assert_eq!(payload, quoted);
        assert_eq!(open(Kind::Tag, HashKind::Sha1, tag).unwrap_err(), "it is not signed");
    }

    #[test]
    fn what_two_readers_could_take_for_different_things_is_refused() {
        let own = header("gpgsig", SIGNATURE);
        let huge = SIGNATURE.replace("abc", &"abc\n".repeat(20_000));
        for (headers, problem) in [
            (format!("{own}{own}"), "it has two of them"),
            (format!("{own}gpgsig-x y\n"), "a header that begins like it is not known"),
            (format!("gpgsignature y\n{own}"), "a header that begins like it is not known"),
            (header("gpgsig", &format!("{SIGNATURE}{SIGNATURE}")), "it is not one whole block"),
            (header("gpgsig", &format!("{SIGNATURE}more")), "it is not one whole block"),
            (header("gpgsig", SSH.0.to_str().unwrap()), "it is not one whole block"),
            (header("gpgsig", &SIGNATURE.replace('\n', "\r\n")), "it is not one whole block"),
            (
                header("gpgsig", &SIGNATURE.replace("abc", "a\rc")),
                "it holds characters that do not belong there",
            ),
            (header("gpgsig", "-----BEGIN PGP MESSAGE-----"), "it is neither of SSH nor of OpenPGP"),
            (
                header("gpgsig", "-----BEGIN SIGNED MESSAGE-----"),
                "it is of X.509, which git dist does not check",
            ),
            (header("gpgsig", &huge), "it is larger than 64 KiB"),
            ("gpgsig\n".to_owned(), "it is neither of SSH nor of OpenPGP"),
        ] {
            let commit = format!("tree 1\n{headers}\nhi\n");
            let error = open(Kind::Commit, HashKind::Sha1, &commit).unwrap_err();
            assert_eq!(error, format!("the signature of it cannot be right: {problem}"), "{commit:.200}");
        }
        // In the message it is no signature.
        for commit in [format!("tree 1\n\n{own}"), format!("tree 1\n\nhi\n{SIGNATURE}"), "tree 1".to_owned()]
        {
            assert_eq!(open(Kind::Commit, HashKind::Sha1, &commit).unwrap_err(), "it is not signed");
        }
    }
}
