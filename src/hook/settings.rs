//! The `dist.*` settings of the git configuration.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Repository};
use crate::disk::on_disk;
use crate::signature::REQUIRED;
use crate::source::git;

/// An event beyond merges that deploys too (`--on`, `dist.on`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Widening {
    /// Every commit on the branch, amends included.
    Commit,
    /// Checking the branch out.
    Checkout,
}

impl Widening {
    /// The word used in `--on` and `dist.on`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Checkout => "checkout",
        }
    }
}

/// The settings that hooks obey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// `dist.branch`: the branch that is deployed, without `refs/heads/`. None: hooks do nothing here.
    pub branch: Option<String>,
    /// `dist.target`, any number: the targets to deploy; none means all.
    pub targets: Vec<String>,
    /// `dist.manifest`: the path of the manifest in the repository. None: `dist.json` at its top.
    pub manifest: Option<String>,
    /// `dist.requireSigned`: the tip must have a good signature.
    pub require_signed: bool,
    /// `dist.auto`: `false` turns the hooks off without removing them.
    pub auto: bool,
    /// `dist.on`, any number.
    pub on: BTreeSet<Widening>,
    /// `dist.allowCommands`: commands of the manifest may run from a hook. Only the repository's own configuration
    /// file counts, no file that it includes and no global one: who can push must not thereby run programs here.
    pub allow_commands: bool,
    /// `dist.root`, any number: the folders that hooks may write to. As with commands, only the repository's own
    /// configuration file counts: who can push must not thereby write anywhere.
    pub roots: Vec<PathBuf>,
}

impl Settings {
    /// Reads the settings of a repository.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for a value of the wrong kind; [`Error::Git`] if the configuration cannot be read.
    pub fn read(repository: &Repository) -> Result<Self, Error> {
        let listed =
            repository.git_unless(1, ["config", "-z", "--get-regexp", r"^dist\."])?.unwrap_or_default();
        let own = ["config", "--local", "-z", "--get-all", "dist.allowCommands"];
        let own = repository.git_unless(1, own)?.unwrap_or_default();
        let allow_commands = own.strip_suffix(b"\0").and_then(|own| own.split(|byte| *byte == 0).next_back());
        let mut settings = Self::parse(&listed)?;
        // As a path, `~/` is the home folder.
        let roots = ["config", "--local", "--type=path", "-z", "--get-all", "dist.root"];
        let roots = repository.git_unless(1, roots)?.unwrap_or_default();
        for root in roots.split(|byte| *byte == 0).filter(|root| !root.is_empty()) {
            settings.roots.push(root_folder(on_disk(root))?);
        }
        // Listed like this, a key without a value cannot be told from an empty one: it does not allow.
        if let Some(value) = allow_commands {
            settings.allow_commands = boolean("dist.allowCommands", Some(&String::from_utf8_lossy(value)))?;
        }
        Ok(settings)
    }

    /// Reads what `git config -z --get-regexp` prints: `key LF value NUL`, or `key NUL` for a key without a value.
    fn parse(listed: &[u8]) -> Result<Self, Error> {
        let mut settings = Self {
            branch: None,
            targets: Vec::new(),
            manifest: None,
            require_signed: false,
            auto: true,
            on: BTreeSet::new(),
            allow_commands: false,
            roots: Vec::new(),
        };
        let listed = String::from_utf8_lossy(listed);
        for entry in listed.split_terminator('\0') {
            let (key, value) =
                entry.split_once('\n').map_or((entry, None), |(key, value)| (key, Some(value)));
            match key {
                "dist.branch" => {
                    let name = value.unwrap_or_default();
                    let name = name.strip_prefix("refs/heads/").unwrap_or(name);
                    settings.branch = (!name.is_empty()).then(|| name.to_owned());
                }
                "dist.target" => {
                    settings.targets.extend(value.filter(|name| !name.is_empty()).map(str::to_owned));
                }
                "dist.manifest" => {
                    settings.manifest = value.filter(|path| !path.is_empty()).map(str::to_owned);
                }
                // None takes back what another one asks for.
                "dist.requiresigned" => settings.require_signed |= boolean(REQUIRED, value)?,
                "dist.auto" => settings.auto = boolean("dist.auto", value)?,
                "dist.on" => settings.on.extend(widening(value.unwrap_or_default())?),
                _ => {}
            }
        }
        Ok(settings)
    }
}

/// Sets one value in the repository's own configuration file.
pub(super) fn set(repository: &Repository, key: &str, value: &str) -> Result<(), Error> {
    repository.git(["config", "--local", "--replace-all", "--", key, value]).map(drop)
}

/// Adds a value to a key in the repository's own configuration file.
pub(super) fn add(repository: &Repository, key: &str, value: impl AsRef<OsStr>) -> Result<(), Error> {
    let args = ["config", "--local", "--add", "--", key].map(OsStr::new);
    repository.git(args.into_iter().chain([value.as_ref()])).map(drop)
}

/// Replaces all values of a key in the repository's own configuration file.
pub(super) fn set_all<'a>(
    repository: &Repository,
    key: &str,
    values: impl IntoIterator<Item = &'a str>,
) -> Result<(), Error> {
    unset(repository, key)?;
    for value in values {
        add(repository, key, value)?;
    }
    Ok(())
}

/// Removes a key from the repository's own configuration file; one that is not there is fine (git says 5).
pub(super) fn unset(repository: &Repository, key: &str) -> Result<(), Error> {
    repository.git_unless(5, ["config", "--local", "--unset-all", key]).map(drop)
}

/// A folder of `dist.root`, in one spelling.
fn root_folder(path: &Path) -> Result<PathBuf, Error> {
    if path.is_absolute() {
        return Ok(path.components().collect());
    }
    let value = path.display().to_string();
    Err(Error::Setting { key: "dist.root", value, expected: "an absolute path" })
}

fn widening(value: &str) -> Result<Option<Widening>, Error> {
    match value {
        "" => Ok(None),
        "commit" => Ok(Some(Widening::Commit)),
        "checkout" => Ok(Some(Widening::Checkout)),
        other => Err(Error::Setting {
            key: "dist.on",
            value: other.to_owned(),
            expected: "`commit` or `checkout`",
        }),
    }
}

fn boolean(key: &'static str, value: Option<&str>) -> Result<bool, Error> {
    let expected = "a boolean";
    git::boolean(value).ok_or_else(|| Error::Setting {
        key,
        value: value.unwrap_or_default().to_owned(),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_lists_them() {
        let listed = b"dist.branch\nrefs/heads/release/1\0dist.target\nlib\0dist.target\nbin\0dist.auto\noff\0\
                       dist.requiresigned\0dist.on\ncommit\0dist.sub.branch\nother\0dist.allowcommands\ntrue\0";
        let settings = Settings::parse(listed).unwrap();
        assert_eq!(settings.branch.as_deref(), Some("release/1"));
        assert_eq!(settings.targets, ["lib", "bin"]);
        assert!(settings.require_signed, "a key without a value is true");
        assert!(!settings.auto);
        assert_eq!(settings.on, BTreeSet::from([Widening::Commit]));
        assert!(!settings.allow_commands, "only the repository's own file may allow commands");
    }

    #[test]
    fn wrong_kinds_are_refused() {
        for listed in ["dist.auto\nmaybe\0", "dist.on\npush\0", "dist.requiresigned\n1.5\0"] {
            assert!(matches!(Settings::parse(listed.as_bytes()), Err(Error::Setting { .. })), "{listed:?}");
        }
    }

    #[test]
    fn booleans_are_gits() {
        let yes = [None, Some("true"), Some("YES"), Some("on"), Some("1"), Some("-2")];
        let no = [Some(""), Some("false"), Some("No"), Some("off"), Some("0")];
        for value in yes {
            assert!(boolean("dist.auto", value).unwrap(), "{value:?}");
        }
        for value in no {
            assert!(!boolean("dist.auto", value).unwrap(), "{value:?}");
        }
    }
}
