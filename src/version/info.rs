//! Dist info: the `.<base>.dist` file beside a destination that tells, in distman's `key: value` lines, what is
//! active.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::credentials::without_credentials;

/// The lines of a dist info file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistInfo(Vec<(String, String)>);

impl DistInfo {
    /// Name of the dist info of the destination `base`.
    pub fn file_name(base: &str) -> String {
        format!(".{base}.dist")
    }

    /// The base of the destination whose dist info has this file name.
    pub fn base_of(name: &str) -> Option<&str> {
        name.strip_prefix('.')?.strip_suffix(".dist")
    }

    /// The info of the version that `record` describes. distman's keys come first.
    pub fn new(record: &Record, author: Option<&str>) -> Self {
        let short = record.commit.get(..7).unwrap_or(&record.commit);
        let lines = [
            ("name", project_of(&record.origin)),
            ("origin", &record.origin),
            ("branch", record.branch.as_deref().unwrap_or("")),
            ("commit", short),
            ("source", &record.source),
            ("author", author.unwrap_or(&record.author)),
            ("target", &record.target),
            ("version", &record.version),
            ("rev", &record.commit),
            ("tree", &record.content),
            ("date", &record.date),
        ];
        Self::of_lines(&lines)
    }

    /// The info of a version that distman made, of which only the name is known: what `earlier` tells of the
    /// destination still holds, what it tells of a commit does not.
    pub fn without_record(version: &str, earlier: &Self) -> Self {
        let kept = |key| earlier.get(key).unwrap_or_default();
        // `<base>.<number>.<commit>`, or without a commit what distman deployed outside git.
        let last = version.rsplit('.').next().filter(|last| last.len() >= 7);
        let lines = [
            ("name", kept("name")),
            ("origin", kept("origin")),
            ("branch", ""),
            ("commit", last.unwrap_or_default()),
            ("source", kept("source")),
            ("author", kept("author")),
            ("version", version),
        ];
        Self::of_lines(&lines)
    }

    fn of_lines(lines: &[(&str, &str)]) -> Self {
        // A line break in a value would forge another key.
        let plain = |value: &str| value.replace(|c: char| c.is_control(), " ");
        Self(lines.iter().map(|(key, value)| ((*key).to_owned(), plain(value))).collect())
    }

    /// Reads the lines of distman or git dist; lines without a colon are skipped. distman wrote the address of a remote
    /// with its credentials.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Self(
            lines
                .map(|(key, value)| (key.trim().to_owned(), without_credentials(value.trim()).into_owned()))
                .collect(),
        )
    }

    /// The value of `key`, if the file has it and it is not empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let value = self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// The file's content.
    pub fn to_text(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (key, value)| {
            let _ = writeln!(text, "{key}: {value}");
            text
        })
    }
}

/// The name of the project that lives at `origin`: the last part of its path, without `.git`, as distman has it.
fn project_of(origin: &str) -> &str {
    let path = origin.trim_end_matches('/');
    let last = path.rsplit(['/', ':']).next().unwrap_or(path);
    last.strip_suffix(".git").unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_called_like_its_repository() {
        for (origin, name) in [
            ("https://example.org/group/tool.git", "tool"),
            ("git@example.org:tool.git", "tool"),
            ("/srv/git/tool.git/", "tool"),
            ("/home/tess/project", "project"),
        ] {
            assert_eq!(project_of(origin), name, "{origin}");
        }
    }
}
