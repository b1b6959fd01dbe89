//! The options of a manifest: as written, merged, and with their defaults.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error};

use super::schema::closed;
use super::text_list::{self, TextList};

/// Options as written. The same ones may stand at the top, for all targets, and in a target, for it
/// alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(default)]
#[schemars(transform = closed)]
pub struct Options {
    /// What makes a new version: changed content, or every commit.
    #[serde(rename = "match")]
    #[schemars(extend("default" = "content"))]
    pub matching: Option<Match>,
    /// How many good versions to keep per destination, besides the active and the previous one. 0
    /// keeps all.
    #[schemars(extend("default" = 10))]
    pub keep: Option<u32>,
    /// How a file that did not change gets into the next version.
    #[schemars(extend("default" = "auto"))]
    pub link: Option<Link>,
    /// Where the files come from: `git` (this repository, at the revision), `worktree` (build
    /// products that are not committed), or one or more upstream addresses, tried in order.
    #[schemars(extend("default" = "git"))]
    pub from: Option<Source>,
    /// Of an upstream git repository: the branch, tag pattern (`v*`) or version range (`^1.2`) to
    /// follow.
    pub track: Option<String>,
    /// Of a published upstream: the channel to follow, such as `stable`.
    pub channel: Option<String>,
    /// Of an upstream of Python packages: the requirement, such as `hello>=1.2`.
    pub require: Option<String>,
    /// Patterns of files to leave out.
    #[serde(deserialize_with = "text_list::optional")]
    #[schemars(with = "Option<TextList>")]
    pub ignore: Option<Vec<String>>,
    /// Whether a source that does not exist is skipped rather than refused.
    #[schemars(extend("default" = false))]
    pub ignore_missing: Option<bool>,
    /// What to do with submodules.
    #[schemars(extend("default" = "error"))]
    pub submodules: Option<Submodules>,
    /// Whether only what somebody signed whom this machine allows is deployed. One target that says so is enough.
    #[schemars(extend("default" = false))]
    pub require_signed: Option<bool>,
    /// How destinations are switched.
    #[schemars(extend("default" = "each"))]
    pub switch: Option<Switch>,
}

/// What makes a new version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Match {
    /// A new version only when what decides its bytes changed.
    #[default]
    Content,
    /// A version per commit.
    Commit,
}

/// How a file that did not change gets into the next version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Link {
    /// A reflink where the filesystem can, else a hard link, else a copy.
    #[default]
    Auto,
    /// A reflink: copied on write.
    Reflink,
    /// A hard link to the file of the version before.
    Hardlink,
    /// A copy that shares nothing and stays writable.
    Copy,
}

/// What to do with submodules.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Submodules {
    /// A submodule inside a target stops the run.
    #[default]
    Error,
    /// Submodules are left out.
    Skip,
    /// The files of submodules are deployed too.
    Recurse,
}

/// How destinations are switched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Switch {
    /// One rename per destination.
    #[default]
    Each,
    /// One rename for all destinations.
    Together,
}

/// Where the files of a target come from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// This repository, at the revision that is deployed.
    #[default]
    Git,
    /// The working tree.
    Worktree,
    /// Other places, tried in order; at least one, as written.
    Upstreams(Vec<String>),
}

/// The options of one target with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What makes a new version.
    pub matching: Match,
    /// Good versions kept per destination, besides the active and the previous one; 0 = all.
    pub keep: usize,
    /// How a file that did not change gets into the next version.
    pub link: Link,
    /// Where the files come from.
    pub from: Source,
    /// The branch, tag pattern or version range of an upstream git repository.
    pub track: Option<String>,
    /// The channel of a published upstream.
    pub channel: Option<String>,
    /// The requirement of an upstream of Python packages.
    pub require: Option<String>,
    /// Patterns of files to leave out.
    pub ignore: Vec<String>,
    /// Whether a source that does not exist is skipped.
    pub ignore_missing: bool,
    /// What to do with submodules.
    pub submodules: Submodules,
    /// Whether only what somebody signed whom this machine allows is deployed.
    pub require_signed: bool,
    /// How destinations are switched.
    pub switch: Switch,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            matching: Match::default(),
            keep: 10,
            link: Link::default(),
            from: Source::default(),
            track: None,
            channel: None,
            require: None,
            ignore: Vec::new(),
            ignore_missing: false,
            submodules: Submodules::default(),
            require_signed: false,
            switch: Switch::default(),
        }
    }
}

impl Options {
    /// These options where they are set, else those of `base`. Lists replace each other, as in
    /// distman.
    #[must_use]
    pub fn over(&self, base: &Self) -> Self {
        fn pick<T: Clone>(own: Option<&T>, base: Option<&T>) -> Option<T> {
            own.or(base).cloned()
        }
        Self {
            matching: self.matching.or(base.matching),
            keep: self.keep.or(base.keep),
            link: self.link.or(base.link),
            from: pick(self.from.as_ref(), base.from.as_ref()),
            track: pick(self.track.as_ref(), base.track.as_ref()),
            channel: pick(self.channel.as_ref(), base.channel.as_ref()),
            require: pick(self.require.as_ref(), base.require.as_ref()),
            ignore: pick(self.ignore.as_ref(), base.ignore.as_ref()),
            ignore_missing: self.ignore_missing.or(base.ignore_missing),
            submodules: self.submodules.or(base.submodules),
            require_signed: self.require_signed.or(base.require_signed),
            switch: self.switch.or(base.switch),
        }
    }

    /// These options with the defaults for what is not set.
    pub fn settings(&self) -> Settings {
        let default = Settings::default();
        Settings {
            matching: self.matching.unwrap_or(default.matching),
            keep: self.keep.map_or(default.keep, |keep| usize::try_from(keep).unwrap_or(usize::MAX)),
            link: self.link.unwrap_or(default.link),
            from: self.from.clone().unwrap_or(default.from),
            track: self.track.clone(),
            channel: self.channel.clone(),
            require: self.require.clone(),
            ignore: self.ignore.clone().unwrap_or(default.ignore),
            ignore_missing: self.ignore_missing.unwrap_or(default.ignore_missing),
            submodules: self.submodules.unwrap_or(default.submodules),
            require_signed: self.require_signed.unwrap_or(default.require_signed),
            switch: self.switch.unwrap_or(default.switch),
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let TextList(addresses) = TextList::deserialize(deserializer)?;
        match addresses.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => return Err(D::Error::custom("must name at least one place")),
            ["git"] => return Ok(Self::Git),
            ["worktree"] => return Ok(Self::Worktree),
            _ => {}
        }
        for address in &addresses {
            match address.as_str() {
                "git" | "worktree" => {
                    return Err(D::Error::custom(format_args!(
                        "must not mix `{address}` with upstream addresses"
                    )));
                }
                text if text.trim().is_empty() => {
                    return Err(D::Error::custom("must not hold an empty address"));
                }
                _ => {}
            }
        }
        Ok(Self::Upstreams(addresses))
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "enum": ["git", "worktree"] },
                { "type": "string", "minLength": 1 },
                { "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 1 },
            ]
        })
    }
}
