//! The manifest of a channel: what is in it, and what may be.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::ChannelError;
use crate::source::HashKind;

/// The format that this release writes, and the only one that it reads.
pub const FORMAT: u32 = 1;
/// Most bundles that one manifest lists.
const MOST_BUNDLES: usize = 1000;
/// Longest name of a project, channel or target, in bytes.
const LONGEST_NAME: usize = 64;
/// Longest text that is shown, as a revision, in bytes.
const LONGEST_TEXT: usize = 256;

/// The manifest of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this manifest.
    pub format: u32,
    /// What is published, for people.
    pub project: String,
    /// The channel's name.
    pub channel: String,
    /// Id of the chain's first release: what makes it this chain and no other.
    pub chain: String,
    /// Number of the present release, counted from 1.
    pub sequence: u64,
    /// When this manifest was signed.
    #[serde(with = "seconds")]
    pub published: DateTime<Utc>,
    /// From when it no longer counts.
    #[serde(with = "seconds")]
    pub expires: DateTime<Utc>,
    /// The hash of all ids: `sha1` or `sha256`.
    pub hash: String,
    /// The present release.
    pub release: ReleaseInfo,
    /// Bundles, the oldest first; the last of them leads to the present release.
    pub bundles: Vec<BundleInfo>,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseInfo {
    /// Its commit.
    pub commit: String,
    /// The tree of that.
    pub tree: String,
    /// The source's revision as the publisher named it.
    pub revision: String,
    /// The source's commit; empty where it was a folder outside git.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Path of dist.json in the tree.
    pub manifest: String,
    /// The targets that it holds.
    pub targets: Vec<String>,
}

/// A bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleInfo {
    /// SHA-256 of its bytes, in hexadecimal: its name.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The release that one must have to use it; absent for a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The release that it leads to.
    pub to: String,
    /// That release's number.
    pub sequence: u64,
}

impl Manifest {
    /// Reads a manifest, which is as hostile as its signer.
    ///
    /// # Errors
    /// [`ChannelError::Format`] for one of a later release, [`ChannelError::Malformed`] for what cannot be right.
    pub fn parse(text: &[u8]) -> Result<Self, ChannelError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let malformed = |error: serde_json::Error| ChannelError::Malformed { problem: error.to_string() };
        let Head { format } = serde_json::from_slice(text).map_err(malformed)?;
        if format != FORMAT {
            return Err(ChannelError::Format { format });
        }
        let manifest: Self = serde_json::from_slice(text).map_err(malformed)?;
        match manifest.problem() {
            Some(problem) => Err(ChannelError::Malformed { problem }),
            None => Ok(manifest),
        }
    }

    /// The text that is signed.
    pub fn text(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("strings and numbers always serialise");
        json + "\n"
    }

    /// The kind of its ids.
    pub fn hash_kind(&self) -> HashKind {
        if self.hash == "sha256" { HashKind::Sha256 } else { HashKind::Sha1 }
    }

    /// What cannot be right, if anything.
    fn problem(&self) -> Option<String> {
        let digits = match self.hash.as_str() {
            "sha1" => 40,
            "sha256" => 64,
            other => return Some(format!("`hash` is `{}`", other.escape_default())),
        };
        let is_id = |text: &String| is_hex(text, digits);
        let release = &self.release;
        let ids = [&self.chain, &release.commit, &release.tree];
        let steps = self.bundles.iter().flat_map(|bundle| bundle.from.iter().chain([&bundle.to]));
        if let Some(id) = ids.into_iter().chain(steps).find(|id| !is_id(id)) {
            return Some(format!("`{}` is no id", id.escape_default()));
        }
        if !release.source.is_empty() && !is_hex(&release.source, 40) && !is_hex(&release.source, 64) {
            return Some("`source` is no id".to_owned());
        }
        if let Some(name) = [&self.project, &self.channel].into_iter().find(|name| !is_name(name)) {
            return Some(format!("`{}` is no name", name.escape_default()));
        }
        let texts = release.targets.iter().chain([&release.revision, &release.manifest]);
        let is_shown = |text: &&String| text.len() > LONGEST_TEXT || text.chars().any(char::is_control);
        if let Some(text) = texts.into_iter().find(is_shown) {
            return Some(format!("`{:.80}` is too long, or no text", text.escape_default()));
        }
        if self.sequence == 0 || self.published > self.expires {
            return Some("its number or its dates cannot be right".to_owned());
        }
        if self.bundles.len() > MOST_BUNDLES {
            return Some(format!("it has more than {MOST_BUNDLES} bundles"));
        }
        if let Some(bundle) = self.bundles.iter().find(|bundle| !is_hex(&bundle.sha256, 64)) {
            return Some(format!("`{:.80}` is no SHA-256", bundle.sha256.escape_default()));
        }
        if self.bundles.last().is_none_or(|last| last.to != release.commit) {
            return Some("no bundle leads to its release".to_owned());
        }
        None
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// True for names of channels and projects: letters, digits, `.`, `_` and `-`, no dot or dash in front.
pub fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(is_part)
        && !text.starts_with(['.', '-'])
        && text.strip_suffix(".lock").is_none()
}

/// RFC 3339 in UTC, to the second.
mod seconds {
    use super::{DateTime, SecondsFormat, Utc};
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("a date is not of RFC 3339"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::channel) fn example() -> Manifest {
        let (first, last) = ("1".repeat(40), "2".repeat(40));
        Manifest {
            format: FORMAT,
            project: "tools".to_owned(),
            channel: "stable".to_owned(),
            chain: first.clone(),
            sequence: 2,
            published: "2026-11-01T00:00:00Z".parse().unwrap(),
            expires: "2026-12-01T00:00:00Z".parse().unwrap(),
            hash: "sha1".to_owned(),
            release: ReleaseInfo {
                commit: last.clone(),
                tree: "3".repeat(40),
                revision: "v1.2".to_owned(),
                source: "4".repeat(40),
                manifest: "dist.json".to_owned(),
                targets: vec!["lib".to_owned()],
            },
            bundles: vec![
                BundleInfo { sha256: "5".repeat(64), size: 5, from: None, to: first.clone(), sequence: 1 },
                BundleInfo { sha256: "6".repeat(64), size: 6, from: Some(first), to: last, sequence: 2 },
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let manifest = example();
        assert_eq!(Manifest::parse(manifest.text().as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn what_cannot_be_right_is_refused() {
        let refused = |change: &dyn Fn(&mut Manifest), words: &str| {
            let mut manifest = example();
            change(&mut manifest);
            let error = Manifest::parse(manifest.text().as_bytes()).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        };
        refused(&|it| it.format = 2, "format 2");
        refused(&|it| it.channel = "../x".to_owned(), "is no name");
        refused(&|it| it.release.commit = "HEAD".to_owned(), "is no id");
        refused(&|it| it.bundles[0].sha256 = "../../etc/passwd".to_owned(), "is no SHA-256");
        refused(&|it| it.bundles[1].from = Some("--upload-pack=x".to_owned()), "is no id");
        refused(&|it| it.release.revision = "v1\u{1b}[2J".to_owned(), "no text");
        refused(&|it| it.hash = "md5".to_owned(), "`hash` is");
        refused(&|it| it.bundles.clear(), "no bundle leads");
        refused(&|it| it.sequence = 0, "cannot be right");
        assert!(Manifest::parse(b"{").is_err());
        assert!(Manifest::parse(&example().text().as_bytes()[..200]).is_err());
    }
}
