//! Dist info: the `.<base>.dist` file beside a destination that tells, in distman's `key: value` lines, what is
//! active.

use std::fmt::Write as _;

use super::Record;

/// The lines of a dist info file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistInfo(Vec<(String, String)>);

impl DistInfo {
    /// Name of the dist info of the destination `base`.
    pub fn file_name(base: &str) -> String {
        format!(".{base}.dist")
    }

    /// The info of the version that `record` describes. distman's keys come first.
    pub fn new(record: &Record, author: Option<&str>) -> Self {
        let short = record.commit.get(..7).unwrap_or(&record.commit);
        let lines = [
            ("name", record.target.as_str()),
            ("origin", &record.origin),
            ("branch", record.branch.as_deref().unwrap_or("")),
            ("commit", short),
            ("source", &record.source),
            ("author", author.unwrap_or(&record.author)),
            ("version", &record.version),
            ("rev", &record.commit),
            ("tree", &record.content),
            ("date", &record.date),
        ];
        // A line break in a value would forge another key.
        let plain = |value: &str| value.replace(|c: char| c.is_control(), " ");
        Self(lines.into_iter().map(|(key, value)| (key.to_owned(), plain(value))).collect())
    }

    /// Reads the lines of distman or git dist; lines without a colon are skipped.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        Self(lines.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect())
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
