//! Where something new may come from, by its address.

use super::arrival::{Arrival, Asked};
use super::{Result, State, UpdateError, channel, python, remote_git};
use crate::packages::PackagesError;
use crate::python::Index;
use crate::remote::Address;

/// An upstream.
#[derive(Clone, Debug)]
pub enum Upstream {
    /// A place where channels are published.
    Place(Address),
    /// A git repository, as git names it.
    Git(String),
    /// A place of Python packages.
    Python(Index),
}

impl Upstream {
    /// The upstream that `address` names. What begins with `pypi` or `packages:` is a place of Python packages, what ends in `.git`, begins with `git+`, `git:` or `ssh:`, or is written as scp
    /// does is a git repository; everything else a published place.
    ///
    /// # Errors
    /// [`UpdateError::Remote`] for an address that is none.
    pub fn parse(address: &str) -> Result<Self> {
        if Index::is_one(address) {
            return Ok(Self::Python(Index::parse(address).map_err(PackagesError::from)?));
        }
        if let Some(url) = address.strip_prefix("git+") {
            return Ok(Self::Git(url.to_owned()));
        }
        let scheme = address.split_once("://").map(|(scheme, _)| scheme);
        let is_scp = || {
            let host = address.split_once(':').map(|(host, _)| host);
            scheme.is_none() && host.is_some_and(|host| !host.contains('/') && !host.is_empty())
        };
        let is_git = matches!(scheme, Some("git" | "ssh"))
            || address.trim_end_matches('/').strip_suffix(".git").is_some()
            || is_scp();
        if address.starts_with('-') {
            return Err(UpdateError::Address { address: address.to_owned() });
        }
        if is_git {
            return Ok(Self::Git(address.to_owned()));
        }
        Ok(Self::Place(Address::parse(address)?))
    }

    /// Asks it what there is.
    pub(super) fn ask(&self, asked: Asked<'_>, state: &mut State) -> Result<Arrival> {
        match self {
            Self::Place(address) => channel::ask(address, asked, state),
            Self::Git(url) => remote_git::ask(url, asked),
            Self::Python(index) => python::ask(index, asked, state),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_is() {
        for git in [
            "git+https://example.org/x",
            "https://example.org/x.git",
            "ssh://git@example.org/x",
            "git@example.org:x",
            "/srv/x.git",
            "file:///srv/x.git/",
        ] {
            assert!(matches!(Upstream::parse(git).unwrap(), Upstream::Git(_)), "{git}");
        }
        for place in ["/mnt/releases", "https://example.org/x", "s3://bucket/x", "./releases"] {
            assert!(matches!(Upstream::parse(place).unwrap(), Upstream::Place(_)), "{place}");
        }
        for packages in
            ["pypi", "pypi:https://example.org/simple", "packages:/srv/x.git", "packages:s3://bucket/x"]
        {
            assert!(matches!(Upstream::parse(packages).unwrap(), Upstream::Python(_)), "{packages}");
        }
        for bad in ["--upload-pack=x.git", "-x", "nonsense://x", "pypi:x", "packages:https://example.org/x"] {
            assert!(Upstream::parse(bad).is_err(), "{bad}");
        }
    }
}
