//! Which version somebody asks for, and which one that is.

use std::fmt;

use super::Refusal;
use crate::version::{Link, Stored, VersionName};

/// A version as somebody asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By whatever the text is: a count, four or more digits of a hash, a name.
    Text(String),
    /// By its count, and nothing else (distman's `-n`).
    Number(u64),
    /// So many versions before what is active (distman's `-n` with a negative number).
    Back(usize),
    /// By digits of its commit, and nothing else (distman's `-c`).
    Commit(String),
}

impl Asked {
    /// What `-n` asks for.
    pub fn number(number: i64) -> Self {
        match u64::try_from(number) {
            Ok(number) => Self::Number(number),
            Err(_negative) => Self::Back(usize::try_from(number.unsigned_abs()).unwrap_or(usize::MAX)),
        }
    }

    fn means(&self, version: &Stored) -> bool {
        match self {
            Self::Text(text) => version.name.is_meant_by(text),
            Self::Number(number) => version.name.count() == *number,
            Self::Commit(hash) => is_of_commit(version, hash),
            Self::Back(_) => false,
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) | Self::Commit(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Back(steps) => write!(f, "-{steps}"),
        }
    }
}

/// True if the version was made from the commit that starts with `hash`. The record knows the whole id; the name
/// of a version that distman made has its first digits.
fn is_of_commit(version: &Stored, hash: &str) -> bool {
    let recorded = version.record.as_ref().map(|record| record.commit.as_str());
    match recorded.filter(|commit| !commit.is_empty()) {
        Some(commit) => commit.starts_with(hash),
        None => {
            let short = version.name.short();
            !short.is_empty() && (short.starts_with(hash) || hash.starts_with(short))
        }
    }
}

/// The one version of `stored`, oldest first, that `asked` names.
pub(super) fn find<'s>(link: &Link, stored: &'s [Stored], asked: &Asked) -> Result<&'s Stored, Refusal> {
    let none = || Refusal::NoSuchVersion { asked: asked.to_string() };
    if let Asked::Back(steps) = asked {
        let Link::Version(active) = link else { return Err(none()) };
        return older_than(stored, active)
            .iter()
            .rev()
            .nth(steps.saturating_sub(1))
            .ok_or(Refusal::NoPrevious);
    }
    let mut found: Vec<&Stored> = stored.iter().filter(|version| asked.means(version)).collect();
    if let (Asked::Text(text), [_, _, ..]) = (asked, found.as_slice()) {
        // A full name is one version even where its count or hash is shared.
        let exact = |version: &&&Stored| version.name.to_string() == *text || version.name.tail() == *text;
        if let Some(exact) = found.iter().find(exact).copied() {
            found = vec![exact];
        }
    }
    let is_one_commit = found.windows(2).all(|pair| pair[0].name.short() == pair[1].name.short());
    if is_one_commit && found.iter().filter(|version| version.record.is_some()).count() == 1 {
        // distman and git dist both made a version of the commit: the one that is verifiable.
        found.retain(|version| version.record.is_some());
    }
    match found[..] {
        [] => Err(none()),
        [one] => Ok(one),
        _ => Err(Refusal::Ambiguous {
            asked: asked.to_string(),
            versions: found.iter().map(|version| version.name.clone()).collect(),
        }),
    }
}

/// The versions that come before `active` in `stored`, oldest first; by count where `active` is gone.
pub(super) fn older_than<'s>(stored: &'s [Stored], active: &VersionName) -> &'s [Stored] {
    let position = stored.iter().position(|version| version.name == *active);
    let by_count = || {
        let last = stored.iter().rposition(|version| version.name.count() < active.count());
        last.map_or(0, |last| last + 1)
    };
    &stored[..position.unwrap_or_else(by_count)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Versions of `tool` without records.
    fn stored(tails: &[&str]) -> Vec<Stored> {
        let name = |tail: &&str| VersionName::parse("tool", &format!("tool.{tail}")).unwrap();
        tails.iter().map(|tail| Stored { name: name(tail), record: None }).collect()
    }

    fn found(tails: &[&str], active: &str, asked: &Asked) -> String {
        let link = Link::Version(VersionName::parse("tool", &format!("tool.{active}")).unwrap());
        match find(&link, &stored(tails), asked) {
            Ok(version) => version.name.tail(),
            Err(refusal) => refusal.message(),
        }
    }

    #[test]
    fn a_number_is_no_hash_and_a_hash_is_no_number() {
        let tails = ["7", "1234.abcdef0", "1235.1234abc"];
        assert_eq!(found(&tails, "7", &Asked::number(1234)), "1234.abcdef0");
        assert_eq!(found(&tails, "7", &Asked::Commit("1234".into())), "1235.1234abc");
        assert_eq!(
            found(&tails, "7", &Asked::Text("1234".into())),
            "`1234` may be 1234.abcdef0 or 1235.1234abc"
        );
        assert_eq!(found(&tails, "7", &Asked::Commit("7".into())), "it has no version `7`");
    }

    #[test]
    fn a_negative_number_counts_back_from_what_is_active() {
        let tails = ["1.aaaaaaa", "2.bbbbbbb", "4.ddddddd"];
        for (active, back, expected) in [
            ("4.ddddddd", -1, "2.bbbbbbb"),
            ("4.ddddddd", -2, "1.aaaaaaa"),
            ("2.bbbbbbb", -1, "1.aaaaaaa"),
            ("1.aaaaaaa", -1, "there is no earlier version to go back to"),
            ("3.ccccccc", -1, "2.bbbbbbb"),
            ("4.ddddddd", i64::MIN, "there is no earlier version to go back to"),
        ] {
            assert_eq!(found(&tails, active, &Asked::number(back)), expected, "{active} {back}");
        }
    }

    #[test]
    fn a_hash_is_compared_as_far_as_both_go() {
        let tails = ["1.aaaaaaa", "2.abbbbbb"];
        for (hash, expected) in [
            ("aaaa", "1.aaaaaaa"),
            ("abbbbbbcccccccccccccccccccccccccccccccccc", "2.abbbbbb"),
            ("abbbbbc", "it has no version `abbbbbc`"),
        ] {
            assert_eq!(found(&tails, "1.aaaaaaa", &Asked::Commit(hash.into())), expected, "{hash}");
        }
    }
}
