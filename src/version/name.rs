//! Version names: `<base>.<commit count>.<short hash>`, with `-<content id>` where one commit has two contents.

use std::fmt;
use std::str::FromStr as _;

/// The name of a version in a `versions/` folder.
///
/// Names are ordered by count, then by text. They are parsed from the right and against a known base, so that
/// `tool.1.2.7.abcdef1` is version 7 of `tool.1.2` and no version of `tool`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VersionName {
    base: String,
    count: u64,
    /// Empty for the versions that distman made outside git: `tool.3`.
    short: String,
    content: Option<String>,
}

/// Digits of a commit id that a version name carries (distman's `LEN_HASH`).
const SHORT: usize = 7;

impl VersionName {
    /// The name of the version that `count` commits and the commit `short` (seven hex digits) give.
    pub fn new(base: &str, count: u64, short: &str) -> Self {
        Self { base: base.to_owned(), count, short: short.to_owned(), content: None }
    }

    /// The same name with the first digits of the content id (hex) appended, for a second content of the
    /// same commit.
    #[must_use]
    pub fn with_content(&self, content: &str) -> Self {
        let content = content.get(..SHORT).unwrap_or(content).to_owned();
        Self { content: Some(content), ..self.clone() }
    }

    /// Reads `name` as a version of `base`; `None` if it is none.
    pub fn parse(base: &str, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(base)?.strip_prefix('.')?;
        let (rest, content) = match rest.rsplit_once('-') {
            Some((rest, content)) if is_hex(content, SHORT..=SHORT) => (rest, Some(content.to_owned())),
            Some(_) => return None,
            None => (rest, None),
        };
        let (count, short) = rest.split_once('.').unwrap_or((rest, ""));
        let is_count = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain = count == "0" || !count.starts_with('0');
        if !is_count || !is_plain || !(short.is_empty() || is_hex(short, SHORT..=64)) {
            return None;
        }
        if short.is_empty() && (content.is_some() || rest.ends_with('.')) {
            return None;
        }
        let count = u64::from_str(count).ok()?;
        Some(Self { base: base.to_owned(), count, short: short.to_owned(), content })
    }

    /// The destination's file name.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Number of commits the version stands for.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// First digits of the commit id; empty for versions that distman made outside git.
    pub fn short(&self) -> &str {
        &self.short
    }

    /// The name without the base: `142.c73fe42`.
    pub fn tail(&self) -> String {
        self.to_string()[self.base.len() + 1..].to_owned()
    }

    /// True if a person who types `text` means this version: its count, four or more digits of its hash, its
    /// name with or without the base.
    pub fn is_meant_by(&self, text: &str) -> bool {
        let name = self.to_string();
        let tail = &name[self.base.len() + 1..];
        text == name
            || text == tail
            || text.parse() == Ok(self.count)
            || (text.len() >= 4 && !self.short.is_empty() && is_hex(text, 4..=64) && self.has_commit(text))
    }

    /// True if `hash` and the hash in the name are one commit as far as both go.
    fn has_commit(&self, hash: &str) -> bool {
        self.short.starts_with(hash) || hash.starts_with(&self.short)
    }
}

impl fmt::Display for VersionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.base, self.count)?;
        if !self.short.is_empty() {
            write!(f, ".{}", self.short)?;
        }
        match &self.content {
            Some(content) => write!(f, "-{content}"),
            None => Ok(()),
        }
    }
}

impl Ord for VersionName {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |name: &Self| (name.count, name.short.clone(), name.content.clone(), name.base.clone());
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for VersionName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

fn is_hex(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_from_the_right() {
        for (base, name, tail) in [
            ("tool", "tool.142.c73fe42", Some("142.c73fe42")),
            ("tool", "tool.142.c73fe42-1a2b3c4", Some("142.c73fe42-1a2b3c4")),
            ("tool", "tool.3", Some("3")),
            ("tool.1.2", "tool.1.2.7.abcdef1", Some("7.abcdef1")),
            ("tool", "tool.1.2.7.abcdef1", None),
            ("tool", "tool.1.2", None),
            ("tool", "tool.142.c73fe4", None),
            ("tool", "tool.142.C73FE42", None),
            ("tool", "tool.0142.c73fe42", None),
            ("tool", "tool.142.", None),
            ("tool", "tool.142.c73fe42-", None),
            ("tool", "tool.142-1a2b3c4", None),
            ("tool", "tool-x.142.c73fe42", None),
            ("tool", "tools.142.c73fe42", None),
            ("tool", "tool", None),
            ("tool", "tool.99999999999999999999999.c73fe42", None),
            ("a-b", "a-b.1.c73fe42", Some("1.c73fe42")),
        ] {
            let parsed = VersionName::parse(base, name);
            assert_eq!(parsed.as_ref().map(VersionName::tail).as_deref(), tail, "{name} as {base}");
            if let Some(parsed) = parsed {
                assert_eq!(parsed.to_string(), name);
            }
        }
    }

    #[test]
    fn versions_are_ordered_by_count_not_by_text() {
        let mut names: Vec<_> = ["t.10.aaaaaaa", "t.9.bbbbbbb", "t.10.aaaaaaa-0000000"]
            .iter()
            .filter_map(|name| VersionName::parse("t", name))
            .collect();
        names.sort();
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["t.9.bbbbbbb", "t.10.aaaaaaa", "t.10.aaaaaaa-0000000"]);
    }

    #[test]
    fn a_person_names_a_version_by_count_hash_or_name() {
        let name = VersionName::parse("tool", "tool.142.c73fe42").unwrap();
        for text in ["142", "c73f", "c73fe42", "c73fe42aaaaaaaaaa", "142.c73fe42", "tool.142.c73fe42"] {
            assert!(name.is_meant_by(text), "{text}");
        }
        for text in ["14", "c73", "c74fe42", "tool", "", "42.c73fe42"] {
            assert!(!name.is_meant_by(text), "{text}");
        }
    }
}
