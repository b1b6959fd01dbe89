//! The decisions, as tables.
#![allow(clippy::type_complexity)] // tables

use serde_json::json;

use super::*;
use crate::source::git::Ancestry;
use crate::version::{Link, Record, Stored};

fn name(tail: &str) -> VersionName {
    VersionName::parse("tool", &format!("tool.{tail}")).unwrap()
}

/// A version on disk: `1.aaaaaaa`, `!1.aaaaaaa` for one that is marked bad, `?1.aaaaaaa` for one without a record.
fn stored(text: &str) -> Stored {
    let tail = text.trim_start_matches(['!', '?']);
    let record: Record = serde_json::from_value(json!({
        "format": 1, "version": format!("tool.{tail}"), "target": "tool", "source": "tool", "origin": "elsewhere",
        "revision": "HEAD", "commit": "", "date": "", "author": "", "subject": "", "mode": "100644", "object": "",
        "content": "", "fingerprint": "", "files": 1, "bytes": 1, "mtimes": [], "created_at": "", "created_by": "",
        "tool": "", "state": if text.starts_with('!') { "bad" } else { "good" },
    }))
    .unwrap();
    Stored { name: name(tail), record: (!text.starts_with('?')).then_some(record) }
}

fn all(texts: &[&str]) -> Vec<Stored> {
    texts.iter().map(|text| stored(text)).collect()
}

/// An action in short: `relink 1.aaaaaaa`, `refuse bad`, ...
fn short(action: &Action) -> String {
    match action {
        Action::Create { name, adopt } => {
            format!("create {}{}", name.tail(), if *adopt { " adopt" } else { "" })
        }
        Action::Relink { to, clear_mark, back, .. } => {
            let clear = if *clear_mark { " clear" } else { "" };
            let back = if *back > 0 { format!(" back {back}") } else { String::new() };
            format!("relink {}{clear}{back}", to.tail())
        }
        Action::Unchanged { version } => format!("unchanged {}", version.tail()),
        Action::Remove { versions, unlink } => {
            let names: Vec<String> = versions.iter().map(VersionName::tail).collect();
            format!("remove {}{}", names.join(" "), if *unlink { " unlink" } else { "" })
                .trim_end()
                .to_owned()
        }
        Action::Repair { version } => format!("repair {}", version.tail()),
        Action::Skip { .. } => "skip".to_owned(),
        Action::Refuse(refusal) => match refusal {
            Refusal::Occupied { .. } => "refuse occupied".to_owned(),
            Refusal::Older { .. } => "refuse older".to_owned(),
            Refusal::Stranger { .. } => "refuse stranger".to_owned(),
            Refusal::Bad { version, .. } => format!("refuse bad {}", version.tail()),
            Refusal::NoPrevious => "refuse no previous".to_owned(),
            Refusal::NoSuchVersion { .. } => "refuse no such".to_owned(),
            Refusal::Ambiguous { .. } => "refuse ambiguous".to_owned(),
            Refusal::Active { .. } => "refuse active".to_owned(),
            Refusal::InUse { .. } => "refuse in use".to_owned(),
            Refusal::Damaged { .. } => "refuse damaged".to_owned(),
        },
    }
}

#[test]
fn what_a_deploy_does() {
    let none = Consent::default();
    let force = Consent { force: true, ..none };
    let adopt = Consent { adopt: true, ..none };
    let named = Consent { named_revision: true, ..none };
    let only = Consent { version_only: true, ..none };
    let file = || Link::Foreign("a file".to_owned());
    let at = |tail| Link::Version(name(tail));
    // What stands there; the versions on disk, `=` before those that hold the wanted content; ancestry; consent.
    let table: &[(Link, &[&str], Ancestry, Consent, &str)] = &[
        (Link::Absent, &[], Ancestry::Older, none, "create 3.ccccccc"),
        (at("2.bbbbbbb"), &["=2.bbbbbbb"], Ancestry::Older, none, "unchanged 2.bbbbbbb"),
        (at("2.bbbbbbb"), &["=2.bbbbbbb"], Ancestry::Newer, none, "unchanged 2.bbbbbbb"),
        (at("2.bbbbbbb"), &["2.bbbbbbb"], Ancestry::Older, none, "create 3.ccccccc"),
        (at("2.bbbbbbb"), &["=1.aaaaaaa", "2.bbbbbbb"], Ancestry::Older, none, "relink 1.aaaaaaa"),
        (at("2.bbbbbbb"), &["=!1.aaaaaaa", "2.bbbbbbb"], Ancestry::Older, none, "refuse bad 1.aaaaaaa"),
        (at("2.bbbbbbb"), &["=!1.aaaaaaa", "2.bbbbbbb"], Ancestry::Older, force, "relink 1.aaaaaaa clear"),
        (
            at("2.bbbbbbb"),
            &["=1.aaaaaaa", "=!3.ccccccc", "2.bbbbbbb"],
            Ancestry::Older,
            none,
            "relink 1.aaaaaaa",
        ),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Newer, none, "refuse older"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Newer, named, "create 3.ccccccc"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Newer, force, "create 3.ccccccc"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Unknown, none, "refuse stranger"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Unknown, named, "refuse stranger"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Unknown, force, "create 3.ccccccc"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Diverged { lost: 2 }, none, "create 3.ccccccc"),
        // distman's versions outside git have no commit to compare.
        (at("4"), &["?4"], Ancestry::Unknown, none, "create 3.ccccccc"),
        // The link leads to a version that is gone.
        (at("2.bbbbbbb"), &[], Ancestry::Older, none, "create 3.ccccccc"),
        (file(), &[], Ancestry::Older, none, "refuse occupied"),
        (file(), &[], Ancestry::Older, force, "refuse occupied"),
        (file(), &[], Ancestry::Older, adopt, "create 3.ccccccc adopt"),
        (file(), &[], Ancestry::Older, only, "create 3.ccccccc"),
        (at("4.ddddddd"), &["4.ddddddd"], Ancestry::Newer, only, "create 3.ccccccc"),
        (at("4.ddddddd"), &["=1.aaaaaaa", "4.ddddddd"], Ancestry::Older, only, "unchanged 1.aaaaaaa"),
    ];
    for (link, versions, ancestry, consent, expected) in table {
        let candidate = |text: &&str| Candidate {
            stored: stored(text.trim_start_matches('=')),
            matches: text.starts_with('='),
        };
        let candidates: Vec<Candidate> = versions.iter().map(candidate).collect();
        let (active, others) = candidates
            .into_iter()
            .partition(|candidate| *link == Link::Version(candidate.stored.name.clone()));
        let active: Vec<Candidate> = active;
        let situation = Situation {
            name: name("3.ccccccc"),
            link: link.clone(),
            active: active.into_iter().next(),
            others,
            ancestry: *ancestry,
        };
        let (action, warnings) = deploy(&situation, *consent);
        assert_eq!(short(&action), *expected, "{link:?} {versions:?} {ancestry:?} {consent:?}");
        if matches!(ancestry, Ancestry::Diverged { .. }) {
            assert_eq!(warnings, ["loses 2 commits of what is active (4.ddddddd)"]);
        }
    }
}

#[test]
fn how_far_a_rollback_goes() {
    let steps = Back::Steps;
    let to = |text: &str| Back::To(text.to_owned());
    // Active, activations before it (the latest first), versions on disk, how far.
    let table: &[(&str, &[&str], &[&str], Back, &str)] = &[
        (
            "3.ccccccc",
            &["2.bbbbbbb", "1.aaaaaaa"],
            &["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"],
            steps(1),
            "relink 2.bbbbbbb back 1",
        ),
        (
            "3.ccccccc",
            &["2.bbbbbbb", "1.aaaaaaa"],
            &["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"],
            steps(2),
            "relink 1.aaaaaaa back 2",
        ),
        (
            "3.ccccccc",
            &["2.bbbbbbb", "1.aaaaaaa"],
            &["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"],
            steps(3),
            "refuse no previous",
        ),
        // A version that was pruned or marked bad since is passed over.
        (
            "3.ccccccc",
            &["2.bbbbbbb", "1.aaaaaaa"],
            &["1.aaaaaaa", "3.ccccccc"],
            steps(1),
            "relink 1.aaaaaaa back 2",
        ),
        (
            "3.ccccccc",
            &["2.bbbbbbb", "1.aaaaaaa"],
            &["1.aaaaaaa", "!2.bbbbbbb", "3.ccccccc"],
            steps(1),
            "relink 1.aaaaaaa back 2",
        ),
        // Without a history: the next older count.
        (
            "10.ccccccc",
            &[],
            &["2.bbbbbbb", "9.aaaaaaa", "10.ccccccc", "11.ddddddd"],
            steps(1),
            "relink 9.aaaaaaa",
        ),
        ("2.bbbbbbb", &[], &["2.bbbbbbb"], steps(1), "refuse no previous"),
        ("3.ccccccc", &["2.bbbbbbb"], &["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"], to("1"), "relink 1.aaaaaaa"),
        ("3.ccccccc", &["2.bbbbbbb"], &["2.bbbbbbb", "3.ccccccc"], to("bbbb"), "relink 2.bbbbbbb back 1"),
        ("3.ccccccc", &["2.bbbbbbb"], &["!2.bbbbbbb", "3.ccccccc"], to("2"), "relink 2.bbbbbbb clear back 1"),
        ("3.ccccccc", &[], &["3.ccccccc"], to("3"), "unchanged 3.ccccccc"),
        ("3.ccccccc", &[], &["3.ccccccc"], to("7"), "refuse no such"),
        ("3.ccccccc", &[], &["2.bbbbbbb", "2.bbbbbbb-1111111", "3.ccccccc"], to("2"), "refuse ambiguous"),
        (
            "3.ccccccc",
            &[],
            &["2.bbbbbbb", "2.bbbbbbb-1111111", "3.ccccccc"],
            to("2.bbbbbbb"),
            "relink 2.bbbbbbb",
        ),
    ];
    for (active, earlier, versions, back, expected) in table {
        let earlier: Vec<VersionName> = earlier.iter().map(|tail| name(tail)).collect();
        let action = rollback(Some(&name(active)), &earlier, &all(versions), back, None);
        assert_eq!(short(&action), *expected, "{active} {earlier:?} {versions:?} {back:?}");
    }
    assert_eq!(short(&rollback(None, &[], &[], &steps(1), None)), "refuse no previous");
}

#[test]
fn a_rollback_marks_what_it_leaves_and_says_why() {
    let action = rollback(
        Some(&name("2.bbbbbbb")),
        &[name("1.aaaaaaa")],
        &all(&["1.aaaaaaa"]),
        &Back::Steps(1),
        Some("slow"),
    );
    assert!(matches!(action, Action::Relink { mark_bad: Some(reason), .. } if reason == "rolled back: slow"));
}

#[test]
fn what_use_and_reset_activate() {
    let versions = all(&["1.aaaaaaa", "2.bbbbbbb", "!3.ccccccc"]);
    let at = |tail| Link::Version(name(tail));
    for (link, asked, expected) in [
        (at("2.bbbbbbb"), "1", "relink 1.aaaaaaa"),
        (at("2.bbbbbbb"), "3", "relink 3.ccccccc clear"),
        (at("2.bbbbbbb"), "2", "unchanged 2.bbbbbbb"),
        (at("3.ccccccc"), "3", "relink 3.ccccccc clear"),
        (at("2.bbbbbbb"), "9", "refuse no such"),
        (Link::Foreign("a file".to_owned()), "1", "refuse occupied"),
        (Link::Absent, "1", "relink 1.aaaaaaa"),
    ] {
        assert_eq!(
            short(&activate(&link, &versions, &Asked::Text(asked.to_owned()))),
            expected,
            "{link:?} {asked}"
        );
    }
    assert_eq!(short(&reset(&at("1.aaaaaaa"), &versions)), "relink 2.bbbbbbb");
    assert_eq!(short(&reset(&at("2.bbbbbbb"), &versions)), "unchanged 2.bbbbbbb");
    assert_eq!(short(&reset(&Link::Absent, &[])), "skip");
}

#[test]
fn what_delete_removes() {
    let versions = all(&["1.aaaaaaa", "2.bbbbbbb"]);
    let at = |tail| Link::Version(name(tail));
    for (link, asked, expected) in [
        (at("2.bbbbbbb"), Some("1"), "remove 1.aaaaaaa"),
        (at("2.bbbbbbb"), Some("2"), "refuse active"),
        (at("2.bbbbbbb"), Some("7"), "refuse no such"),
        (at("2.bbbbbbb"), None, "remove 1.aaaaaaa 2.bbbbbbb unlink"),
        (Link::Absent, None, "remove 1.aaaaaaa 2.bbbbbbb unlink"),
        (Link::Foreign("a file".to_owned()), None, "remove 1.aaaaaaa 2.bbbbbbb"),
    ] {
        let asked = asked.map(|asked| Asked::Text(asked.to_owned()));
        assert_eq!(short(&delete(&link, &versions, asked.as_ref())), expected, "{link:?} {asked:?}");
    }
    assert_eq!(short(&delete(&Link::Foreign("a file".to_owned()), &[], None)), "refuse occupied");
    assert_eq!(short(&delete(&Link::Absent, &[], None)), "skip");
}

#[test]
fn what_a_prune_keeps() {
    // On disk, active, previous, keep; what goes.
    let table: &[(&[&str], &str, Option<&str>, usize, &[&str])] = &[
        (&["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"], "3.ccccccc", Some("2.bbbbbbb"), 1, &[]),
        (
            &["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc", "4.ddddddd"],
            "4.ddddddd",
            Some("3.ccccccc"),
            1,
            &["1.aaaaaaa"],
        ),
        (&["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"], "1.aaaaaaa", None, 1, &["2.bbbbbbb"]),
        (&["1.aaaaaaa", "2.bbbbbbb", "3.ccccccc"], "3.ccccccc", None, 0, &[]),
        // Bad ones do not count as kept; they stay while they are newer than what is active, because they are what
        // keeps a hook from bringing them back.
        (&["1.aaaaaaa", "2.bbbbbbb", "!3.ccccccc", "!4.ddddddd"], "2.bbbbbbb", None, 1, &[]),
        (
            &["!1.aaaaaaa", "2.bbbbbbb", "3.ccccccc", "4.ddddddd"],
            "4.ddddddd",
            None,
            1,
            &["!1.aaaaaaa", "2.bbbbbbb"],
        ),
    ];
    for (versions, active, previous, keep, expected) in table {
        let previous = previous.map(name);
        let gone = beyond_keep(&all(versions), Some(&name(active)), previous.as_ref(), *keep);
        let expected: Vec<VersionName> =
            expected.iter().map(|text| name(text.trim_start_matches('!'))).collect();
        assert_eq!(gone, expected, "{versions:?} {active} {keep}");
    }
}
