//! `ident`: `$Id$` in a file becomes `$Id: <blob id> $` (gitattributes(5)).
//!
//! gix writes no space before the closing `$` and leaves ids that were committed expanded; git replaces those too,
//! except where a space inside says that another version control system wrote them (git's convert.c).

use bstr::ByteSlice as _;
use gix::ObjectId;

/// `bytes` with every `$Id$` expanded to `id`; `None` where there is none.
pub(super) fn expand(bytes: &[u8], id: ObjectId) -> Option<Vec<u8>> {
    let mut expanded = Vec::new();
    let mut rest = bytes;
    while let Some(start) = rest.find_byte(b'$') {
        expanded.extend_from_slice(&rest[..=start]);
        rest = &rest[start + 1..];
        if let Some(length) = keyword(rest) {
            expanded.extend_from_slice(format!("Id: {id} $").as_bytes());
            rest = &rest[length..];
        }
    }
    expanded.extend_from_slice(rest);
    (expanded != bytes).then_some(expanded)
}

/// Length of `Id$` or `Id: ...$` that `after`, the bytes behind a `$`, begins with.
fn keyword(after: &[u8]) -> Option<usize> {
    let value = after.strip_prefix(b"Id")?;
    if value.starts_with(b"$") {
        return Some(3);
    }
    let value = value.strip_prefix(b":")?;
    let end = value.find_byte(b'$')?;
    // The first byte is the usual space, and git's own ids end in one.
    let inside = value[..end].get(1..).unwrap_or_default();
    let is_foreign = inside.find_byte(b' ').is_some_and(|space| space + 1 < inside.len());
    let is_broken = value[..end].contains(&b'\n');
    (!is_foreign && !is_broken).then_some(3 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_as_git_checks_them_out() {
        let id = super::super::blob_id(gix::hash::Kind::Sha1, b"");
        let full = format!("$Id: {id} $");
        for (stored, written) in [
            ("$Id$", "@"),
            ("a $Id$ b $Id$", "a @ b @"),
            ("$Id:$ $Id: $ $Id: 123$ $Id: 123 $ $Id:123$", "@ @ @ @ @"),
            ("$Id: file,v 1.2 $", "$Id: file,v 1.2 $"),
            ("$Id: open\n$Id$", "$Id: open\n@"),
            ("$Id", "$Id"),
            ("$$Id$$", "$@$"),
            ("$id$ $Id $ $Idx$", "$id$ $Id $ $Idx$"),
        ] {
            let expanded = expand(stored.as_bytes(), id).unwrap_or_else(|| stored.into());
            assert_eq!(expanded.to_str_lossy(), written.replace('@', &full), "{stored}");
        }
        assert_eq!(expand(b"nothing for $5", id), None);
    }
}
