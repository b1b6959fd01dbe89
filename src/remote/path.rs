//! Names of objects.

use super::{RemoteError, Result};

/// The path of an object below its place: plain names with `/` between them, on every store the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ObjectPath<'a>(&'a str);

/// The longest name that every filesystem takes.
const LONGEST: usize = 255;

impl<'a> ObjectPath<'a> {
    /// Takes `text` as a path.
    ///
    /// # Errors
    /// When a part of it is empty, begins with `.`, or has another character than letters, digits and `._-+@=!,`.
    pub(super) fn new(text: &'a str) -> Result<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+@=!,".contains(c);
        let is_name = |part: &str| {
            !part.is_empty() && !part.starts_with('.') && part.len() <= LONGEST && part.chars().all(is_plain)
        };
        if text.split('/').all(is_name) {
            return Ok(Self(text));
        }
        Err(RemoteError::Name { name: text.chars().take(LONGEST).flat_map(char::escape_default).collect() })
    }

    pub(super) fn as_str(self) -> &'a str {
        self.0
    }

    /// The folders it is in, empty where it is in none, and its last part.
    pub(super) fn split(self) -> (&'a str, &'a str) {
        self.0.rsplit_once('/').unwrap_or(("", self.0))
    }
}

/// `text` with what `%` stands for; `None` where that is no text or `%` is not followed by two digits.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, more)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = more;
            continue;
        }
        let digits = more.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = &more[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_objects() {
        for name in
            ["channels/stable", "bundles/0123abcd", "hello-1.0+local-py3-none-any.whl", "1!2.0", "a@b=c,d"]
        {
            assert_eq!(ObjectPath::new(name).unwrap().as_str(), name);
        }
        let long = "x".repeat(256);
        for name in [
            "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.b", "a b", "a\\b", "a%2fb", "a?b",
            "a#b", "a\nb", "a~b", "ä", &long,
        ] {
            assert!(matches!(ObjectPath::new(name), Err(RemoteError::Name { .. })), "{name:?}");
        }
        assert_eq!(ObjectPath::new("a/b/c").unwrap().split(), ("a/b", "c"));
        assert_eq!(ObjectPath::new("c").unwrap().split(), ("", "c"));
    }

    #[test]
    fn what_is_escaped_is_decoded() {
        for (text, plain) in
            [("a%20b", Some("a b")), ("%e2%82%AC", Some("€")), ("a%2", None), ("%+1", None), ("%ff", None)]
        {
            assert_eq!(decoded(text).as_deref(), plain);
        }
    }
}
