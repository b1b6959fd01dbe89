//! Addresses of published places, and which of their parts may be shown.

use std::fmt;
use std::path::{Path, PathBuf};

use super::path::{self, ObjectPath};
use super::{RemoteError, Result};
use crate::credentials::without_credentials;
use crate::disk::Shown;

/// Where objects are kept: a directory, a bucket with a prefix, or a place below a web address.
///
/// It is shown without credentials.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub(super) Place);

/// The kinds of places.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// `/dir`, `./dir`, `file:///dir`.
    Folder(PathBuf),
    /// `s3://bucket/prefix` and its like.
    #[cfg_attr(not(feature = "remote"), allow(dead_code))]
    Bucket { cloud: Cloud, bucket: String, prefix: String },
    /// `https://host/prefix`.
    #[cfg_attr(not(feature = "remote"), allow(dead_code))]
    Web(Web),
}

/// Who keeps a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cloud {
    S3,
    Google,
    Azure,
}

/// A place on a web server.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "remote"), allow(dead_code))]
pub(super) struct Web {
    pub(super) scheme: &'static str,
    /// User and password, decoded.
    pub(super) user: Option<(String, String)>,
    /// Host and port.
    pub(super) authority: String,
    /// As it was written, without slashes at its ends.
    pub(super) prefix: String,
    /// What follows `?`: a token, for example.
    pub(super) query: Option<String>,
}

impl Address {
    /// Takes `text` as an address.
    ///
    /// # Errors
    /// When it is none of a published place, or not well formed.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why| RemoteError::Address { text: without_credentials(text).into_owned(), why };
        let Some((scheme, rest)) = text.split_once("://") else {
            return folder(text).map(Self).ok_or_else(|| {
                wrong("a directory begins with `/`, `./` or `../`, everything else with `s3://`, `https://`, ...")
            });
        };
        let scheme = scheme.to_ascii_lowercase();
        let cloud = match scheme.as_str() {
            "file" => {
                let rest = rest.strip_prefix("localhost").unwrap_or(rest);
                let path = path::decoded(rest).filter(|path| path.starts_with('/'));
                return path.map(|path| Self(Place::Folder(path.into()))).ok_or_else(|| {
                    wrong("the address of a directory is `file:///` and its path on this machine")
                });
            }
            "http" => return web("http", rest).map(Self).map_err(wrong),
            "https" => return web("https", rest).map(Self).map_err(wrong),
            "s3" => Cloud::S3,
            "gs" => Cloud::Google,
            "az" => Cloud::Azure,
            _ => {
                return Err(wrong(
                    "places are directories, `s3://`, `gs://`, `az://`, `https://` and `http://`",
                ));
            }
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if bucket.is_empty() || bucket.starts_with('.') || !bucket.chars().all(is_plain) {
            return Err(wrong("the name of a bucket is letters, digits, `-`, `_` and `.`"));
        }
        let prefix = prefix.trim_matches('/');
        if !prefix.is_empty() {
            ObjectPath::new(prefix).map_err(|_| wrong("a prefix is plain names with `/` between them"))?;
        }
        Ok(Self(Place::Bucket { cloud, bucket: bucket.to_owned(), prefix: prefix.to_owned() }))
    }

    /// The directory, if it is one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Place::Folder(path) => Some(path),
            _ => None,
        }
    }

    /// The object at `path` below this place, as it may be shown.
    pub(super) fn object(&self, path: &str) -> String {
        match &self.0 {
            Place::Web(web) => format!("{}/{path}", web.shown()),
            _ => format!("{}/{path}", self.to_string().trim_end_matches('/')),
        }
    }
}

impl Web {
    /// The address, without what follows `?`.
    fn shown(&self) -> String {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        format!("{}://{}{slash}{}", self.scheme, self.authority, self.prefix)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Folder(path) => Shown(path).fmt(f),
            Place::Bucket { cloud, bucket, prefix } => {
                let slash = if prefix.is_empty() { "" } else { "/" };
                write!(f, "{}://{bucket}{slash}{prefix}", cloud.scheme())
            }
            Place::Web(web) => f.write_str(&web.shown()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Cloud {
    fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }
}

fn folder(text: &str) -> Option<Place> {
    let is_one = matches!(text, "." | "..") || ["/", "./", "../"].iter().any(|start| text.starts_with(start));
    // Never fails for what is not empty, but where the present directory is gone.
    is_one.then(|| std::path::absolute(text).ok().map(Place::Folder)).flatten()
}

fn web(scheme: &'static str, rest: &str) -> std::result::Result<Place, &'static str> {
    if rest.contains('#') {
        return Err("`#` means nothing in the address of a place; in a password it is `%23`");
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, authority) =
        authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if !is_authority(authority) {
        return Err(
            "a host is letters, digits, `-` and `.`; in a password `/` is `%2F`, `?` is `%3F` and `@` is `%40`",
        );
    }
    let prefix = prefix.trim_matches('/');
    let is_plain =
        |part: &str| !part.is_empty() && path::decoded(part).is_some_and(|part| !part.starts_with(".."));
    if !prefix.is_empty() && !prefix.split('/').all(is_plain) {
        return Err("its path has an empty part, `..` or a broken `%`");
    }
    // What stands before it may be a password with a slash in it.
    if prefix.contains('@') {
        return Err("in a path `@` is `%40`, and in a password `/` is `%2F`");
    }
    if prefix.chars().chain(query.unwrap_or_default().chars()).any(|c| c.is_control() || c.is_whitespace()) {
        return Err("a space is `%20` in an address");
    }
    let user = match user {
        Some(user) => {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let both = path::decoded(name).zip(path::decoded(password));
            Some(both.ok_or("user and password have a broken `%`")?)
        }
        None => None,
    };
    let [authority, prefix] = [authority, prefix].map(ToOwned::to_owned);
    Ok(Place::Web(Web { scheme, user, authority, prefix, query: query.map(ToOwned::to_owned) }))
}

/// True for a host with or without a port. What else follows a colon may be a part of a password.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, rest)) => (host, rest.strip_prefix(':').or(Some("none"))),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let more = if text.starts_with('[') { ".:" } else { ".-_" };
    !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_understood_and_shown() {
        for (text, shown) in [
            ("/srv/dist", "/srv/dist"),
            ("file:///srv/my%20dist", "/srv/my dist"),
            ("file://localhost/srv/dist", "/srv/dist"),
            ("s3://bucket", "s3://bucket"),
            ("s3://bucket/", "s3://bucket"),
            ("S3://bucket/some/prefix/", "s3://bucket/some/prefix"),
            ("gs://my_bucket/x", "gs://my_bucket/x"),
            ("az://container/x", "az://container/x"),
            ("https://example.org", "https://example.org"),
            ("https://example.org:8443/a/b/", "https://example.org:8443/a/b"),
            ("http://[::1]:80/a%20b", "http://[::1]:80/a%20b"),
            ("https://ada:s%40cret@example.org/a?token=secret", "https://example.org/a"),
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), shown, "{text}");
        }
        assert_eq!(Address::parse("s3://b").unwrap().object("channels/x"), "s3://b/channels/x");
        assert_eq!(Address::parse("/").unwrap().object("channels/x"), "/channels/x");
        let web = Address::parse("https://ada:s%40cret@example.org/a?token=secret").unwrap();
        assert_eq!(web.object("x"), "https://example.org/a/x");
        assert!(!format!("{web:?}").contains("cret"));
    }

    #[test]
    fn a_relative_directory_is_one_of_the_present_directory() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(Address::parse("./dist").unwrap().folder(), Some(here.join("dist").as_path()));
    }

    #[test]
    fn what_is_no_place_is_refused_without_showing_passwords() {
        for text in [
            "",
            "dist",
            "git@example.org:x.git",
            "ssh://git:secret@example.org/x",
            "ftp://u:secret@h/x",
            "s3://",
            "s3:///x",
            "s3://key:secret@bucket/x",
            "s3://bucket/../x",
            "s3://bucket/a//b",
            "https://",
            "https:///x",
            "https://u:secret@/x",
            "https://u:sec/ret@example.org/x",
            "https://[::1]x/x",
            "https://example.org/a@b",
            "https://example.org:port/x",
            "https://example.org/../x",
            "https://example.org/%2e%2e/x",
            "https://example.org/a b",
            "https://example.org/a#b",
            "https://example.org/%zz",
            "file://host/dir",
            "file:dir",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(matches!(error, RemoteError::Address { .. }), "{text}");
            assert!(!error.to_string().contains("sec"), "{error}");
        }
    }
}
