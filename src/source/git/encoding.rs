//! `working-tree-encoding`: from the UTF-8 that git stores to the encoding the file has on disk.
//!
//! The WHATWG encodings that `encoding_rs` implements can decode UTF-16 but not write it, and take
//! `iso-8859-1` for `windows-1252`. git uses iconv; these cases follow it (gitattributes(5)).

/// Why a file cannot be written in its encoding.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodingError {
    #[error("the encoding is not known")]
    Unknown,
    #[error("the stored content is not UTF-8")]
    NotUtf8(#[source] std::str::Utf8Error),
    #[error("the encoding has no character `{0}`")]
    Unmappable(char),
    #[error("the stored content begins with a byte order mark, which this encoding forbids")]
    ByteOrderMark,
}

/// True for the spellings of the encoding that git stores anyway.
pub(super) fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf-8") || name.eq_ignore_ascii_case("utf8")
}

/// `bytes` (UTF-8) in the encoding `name`.
pub(super) fn encode(name: &str, bytes: &[u8]) -> Result<Vec<u8>, EncodingError> {
    if bytes.is_empty() {
        // git converts no empty file; there is no mark in it either.
        return Ok(Vec::new());
    }
    let text = std::str::from_utf8(bytes).map_err(EncodingError::NotUtf8)?;
    let upper = name.to_ascii_uppercase();
    let normal = if upper.starts_with("UTF") && !upper.starts_with("UTF-") {
        upper.replacen("UTF", "UTF-", 1)
    } else {
        upper
    };
    // git refuses a mark where the name already says the byte order.
    let plain = |text: &str| {
        if text.starts_with('\u{feff}') { Err(EncodingError::ByteOrderMark) } else { Ok(()) }
    };
    match normal.as_str() {
        // Without a byte order in the name the mark tells it. glibc's iconv writes little endian, and so does git.
        "UTF-16" | "UTF-16LE-BOM" => Ok(utf16(&marked(text), u16::to_le_bytes)),
        "UTF-16BE-BOM" => Ok(utf16(&marked(text), u16::to_be_bytes)),
        "UTF-16LE" => plain(text).map(|()| utf16(text, u16::to_le_bytes)),
        "UTF-16BE" => plain(text).map(|()| utf16(text, u16::to_be_bytes)),
        "UTF-32" => Ok(utf32(&marked(text), u32::to_le_bytes)),
        "UTF-32LE" => plain(text).map(|()| utf32(text, u32::to_le_bytes)),
        "UTF-32BE" => plain(text).map(|()| utf32(text, u32::to_be_bytes)),
        "ISO-8859-1" | "ISO8859-1" | "LATIN1" | "LATIN-1" => single_bytes(text, 0xff),
        "US-ASCII" | "ASCII" => single_bytes(text, 0x7f),
        _ => by_table(name, text),
    }
}

fn marked(text: &str) -> String {
    if text.starts_with('\u{feff}') { text.to_owned() } else { format!("\u{feff}{text}") }
}

fn utf16(text: &str, order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(order).collect()
}

fn utf32(text: &str, order: fn(u32) -> [u8; 4]) -> Vec<u8> {
    text.chars().flat_map(|c| order(u32::from(c))).collect()
}

fn single_bytes(text: &str, last: u8) -> Result<Vec<u8>, EncodingError> {
    let byte = |c: char| u8::try_from(u32::from(c)).ok().filter(|byte| *byte <= last);
    text.chars().map(|c| byte(c).ok_or(EncodingError::Unmappable(c))).collect()
}

fn by_table(name: &str, text: &str) -> Result<Vec<u8>, EncodingError> {
    let encoding = encoding_rs::Encoding::for_label(name.as_bytes()).ok_or(EncodingError::Unknown)?;
    let mut encoder = encoding.new_encoder();
    let size =
        encoder.max_buffer_length_from_utf8_if_no_unmappables(text.len()).ok_or(EncodingError::Unknown)?;
    let mut bytes = Vec::with_capacity(size);
    let (result, _) = encoder.encode_from_utf8_to_vec_without_replacement(text, &mut bytes, true);
    match result {
        encoding_rs::EncoderResult::InputEmpty => Ok(bytes),
        encoding_rs::EncoderResult::Unmappable(c) => Err(EncodingError::Unmappable(c)),
        encoding_rs::EncoderResult::OutputFull => {
            unreachable!("the buffer has the size the encoder asked for")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_as_iconv_writes_them() {
        for (name, bytes) in [
            ("UTF-16", &b"\xff\xfe\xe4\x00"[..]),
            ("utf16", b"\xff\xfe\xe4\x00"),
            ("UTF-16LE", b"\xe4\x00"),
            ("UTF-16BE", b"\x00\xe4"),
            ("UTF-16LE-BOM", b"\xff\xfe\xe4\x00"),
            ("UTF-32BE", b"\x00\x00\x00\xe4"),
            ("ISO-8859-1", b"\xe4"),
            ("windows-1252", b"\xe4"),
        ] {
            assert_eq!(encode(name, "ä".as_bytes()).unwrap(), bytes, "{name}");
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_an_error() {
        assert!(matches!(encode("ISO-8859-1", "€".as_bytes()), Err(EncodingError::Unmappable('€'))));
        assert!(matches!(encode("klingon", b"a"), Err(EncodingError::Unknown)));
        assert!(matches!(encode("UTF-16LE", b"\xff"), Err(EncodingError::NotUtf8(_))));
        assert!(matches!(encode("UTF-16LE", "\u{feff}a".as_bytes()), Err(EncodingError::ByteOrderMark)));
    }
}
