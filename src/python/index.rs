//! Where packages are.

use std::fmt;

use super::{PythonError, Result};
use crate::credentials::without_credentials;
use crate::remote::Address;

/// Where packages are. It is shown without credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum Index {
    /// `pypi`, `pypi:https://host/simple`: an index with a page of links for each package (the simple repository API).
    Pypi {
        /// Its address, which may hold user and password; `None` = the Python Package Index.
        url: Option<String>,
    },
    /// `packages:/dir`, `packages:s3://bucket/prefix`: files without any index.
    Packages(Address),
}

/// The Python Package Index.
const PYPI: &str = "https://pypi.org/simple";

impl Index {
    /// True if `text` is meant to be a place of packages, well formed or not.
    pub fn is_one(text: &str) -> bool {
        text == "pypi" || text.starts_with("pypi:") || text.starts_with("packages:")
    }

    /// Takes `text` as an address.
    ///
    /// # Errors
    /// When it is none of packages, or not well formed.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why| PythonError::Index { text: without_credentials(text).into_owned(), why };
        if text == "pypi" {
            return Ok(Self::Pypi { url: None });
        }
        if let Some(url) = text.strip_prefix("pypi:") {
            let host = ["https://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme));
            let host = host.ok_or_else(|| wrong("an index is at `https://` or `http://`"))?;
            if !url.chars().all(|c| c.is_ascii_graphic() && !"\"'`<>\\#".contains(c)) {
                return Err(wrong("a space is `%20` in an address, and quotes have no place in it"));
            }
            if host.split('/').next().unwrap_or_default().rsplit('@').next().unwrap_or_default().is_empty() {
                return Err(wrong("it has no host"));
            }
            return Ok(Self::Pypi { url: Some(url.trim_end_matches('/').to_owned()) });
        }
        let place = text.strip_prefix("packages:");
        let place = place.ok_or_else(|| {
            wrong("places are `pypi`, `pypi:https://host/simple`, `packages:/dir` and `packages:s3://bucket/prefix`")
        })?;
        if ["http://", "https://"].iter().any(|scheme| place.to_ascii_lowercase().starts_with(scheme)) {
            return Err(wrong(
                "a web server cannot be asked for a list of its files; if it has a page of links for each package, \
                 write `pypi:` in place of `packages:`",
            ));
        }
        Ok(Self::Packages(Address::parse(place)?))
    }

    /// The address of the index, with credentials, for a program.
    pub(super) fn url(&self) -> Option<&str> {
        match self {
            Self::Pypi { url } => Some(url.as_deref().unwrap_or(PYPI)),
            Self::Packages(_) => None,
        }
    }

    /// User and password, as they are in the address and as they are meant.
    pub(super) fn secrets(&self) -> Vec<String> {
        let authority = self.url().and_then(|url| url.split_once("://")?.1.split('/').next());
        let Some((user, _)) = authority.and_then(|authority| authority.rsplit_once('@')) else {
            return Vec::new();
        };
        let password = user.split_once(':').map_or(user, |(_, password)| password);
        [password.to_owned(), decoded(password)].into_iter().filter(|secret| !secret.is_empty()).collect()
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pypi { url: None } => f.write_str("pypi"),
            Self::Pypi { url: Some(url) } => write!(f, "pypi:{}", without_credentials(url)),
            Self::Packages(address) => write!(f, "packages:{address}"),
        }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({self})")
    }
}

/// `text` with what `%` stands for, as far as that is text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        let digits =
            more.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &more[2..];
            }
            None => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_understood_and_shown_without_credentials() {
        for (text, shown) in [
            ("pypi", "pypi"),
            ("pypi:https://host/simple/", "pypi:https://host/simple"),
            ("pypi:https://user:secret@host:8443/simple", "pypi:https://host:8443/simple"),
            ("packages:/srv/packages", "packages:/srv/packages"),
            ("packages:s3://bucket/eggs", "packages:s3://bucket/eggs"),
        ] {
            assert!(Index::is_one(text));
            assert_eq!(Index::parse(text).unwrap().to_string(), shown);
        }
        let index = Index::parse("pypi:https://user:se%3Dcret@host/simple").unwrap();
        assert_eq!(index.secrets(), ["se%3Dcret", "se=cret"]);
        assert_eq!(format!("{index:?}"), "Index(pypi:https://host/simple)");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "",
            "pypi:",
            "pypi:host/simple",
            "pypi:file:///srv/simple",
            "pypi:https://",
            "pypi:https:///simple",
            "pypi:https://user@/simple",
            "pypi:https://host/a b",
            "pypi:https://host/'a'",
            "pypi:--index-url=https://host",
            "packages:https://user:secret@host/packages",
            "packages:HTTP://host/packages",
            "/srv/packages",
        ] {
            let error = Index::parse(text).unwrap_err();
            assert!(matches!(error, PythonError::Index { .. }), "{text}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        assert!(matches!(Index::parse("packages:packages"), Err(PythonError::Remote(_))));
    }
}
