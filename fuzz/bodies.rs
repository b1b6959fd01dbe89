// What must hold for any input. `cargo fuzz` calls these with bytes of its own; tests/it/fuzz.rs calls them with the
// corpus and with what proptest makes up.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use git_dist::environment::{Context, Environment, EnvironmentFile, Files};
use git_dist::history::History;
use git_dist::manifest::{Manifest, Pattern};
use git_dist::source::HashKind;
use git_dist::source::git::tree_id;
use git_dist::version::{DistInfo, FileListing, Record, VersionName};

type Body = fn(&[u8]);

/// Every body by the name of its corpus.
pub(crate) const BODIES: [(&str, Body); 7] = [
    ("manifest", manifest),
    ("environment", environment),
    ("version", version),
    ("listing", listing),
    ("record", record),
    ("pattern", pattern),
    ("history", history),
];

/// A manifest is read, or refused with a message of bounded length.
pub(crate) fn manifest(bytes: &[u8]) {
    if let Err(error) = Manifest::parse("dist.json", bytes) {
        assert!(error.to_string().starts_with("dist.json"), "{error}");
        let _ = (error.hint(), error.snippet());
    }
}

/// An environment file is resolved, or refused with its name.
pub(crate) fn environment(bytes: &[u8]) {
    struct One<'b>(&'b [u8]);
    impl Files for One<'_> {
        fn find(
            &self,
            name: &str,
            from: Option<&str>,
        ) -> Result<Vec<EnvironmentFile>, Box<dyn Error + Send + Sync>> {
            let content = self.0.to_vec();
            let found = from.is_none().then(|| EnvironmentFile { path: name.to_owned(), content });
            Ok(found.into_iter().collect())
        }
    }
    let process = BTreeMap::from([("OUTER".to_owned(), "outer".into())]);
    let context = Context { process: &process, platform: "linux", home: Some(Path::new("/home/tess")) };
    if let Ok((environment, _)) = Environment::resolve(&context, &One(bytes), "distman.env") {
        let total: usize = environment.iter().map(|(_, variable)| variable.value.len()).sum();
        assert!(total <= 64 << 20, "{total} bytes");
    }
}

/// A version's name is read from the right: what is read is what is written, and no other base has it.
pub(crate) fn version(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for (end, _) in text.match_indices('.') {
        if let Some(name) = VersionName::parse(&text[..end], text) {
            assert_eq!(name.to_string(), text);
            assert!(name.is_meant_by(text) && name.is_meant_by(&name.tail()));
            assert_eq!(VersionName::parse(name.base(), text).as_ref(), Some(&name));
        }
    }
}

/// A listing is read and written as it was, and never leads out of its version.
pub(crate) fn listing(bytes: &[u8]) {
    let Ok(listing) = FileListing::parse(bytes) else { return };
    for file in listing.files() {
        let parts = file.path.split(|byte| *byte == b'/');
        assert!(parts.into_iter().all(|part| !matches!(part, b"" | b"." | b"..")), "{:?}", file.path);
    }
    assert_eq!(FileListing::parse(listing.to_text().as_bytes()).as_ref(), Ok(&listing));
    let _ = tree_id(HashKind::Sha1, &listing.tree_entries());
}

/// A record is read and written as it was; no value makes a line of its own in dist info.
pub(crate) fn record(bytes: &[u8]) {
    let Ok(record) = serde_json::from_slice::<Record>(bytes) else { return };
    assert_eq!(serde_json::from_slice::<Record>(&record.to_bytes()).unwrap(), record);
    let info = DistInfo::new(&record, None).to_text();
    assert_eq!(info.lines().count(), 11, "{info}");
}

/// A pattern compiles or is refused, has a group for every wildcard, and what is escaped matches itself alone.
pub(crate) fn pattern(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let pattern = Pattern::parse(text);
    if let Ok(regex) = pattern.to_regex() {
        assert_eq!(regex.captures_len(), pattern.captures() + 1, "{text:?}");
        if pattern.is_literal() {
            assert!(regex.is_match(pattern.literal_prefix().as_bytes()), "{text:?}");
        }
    }
    let escaped = Pattern::parse(&Pattern::escape(text));
    if let Ok(regex) = escaped.to_regex() {
        let names = text.split('/').filter(|name| !matches!(*name, "" | "."));
        let path = names.collect::<Vec<_>>().join("/");
        let is_plain = path.split('/').all(|name| name != "**");
        assert!(!is_plain || regex.is_match(path.as_bytes()), "{text:?}");
        assert!(!regex.is_match(format!("{path}x").as_bytes()), "{text:?}");
    }
}

/// A history is read line by line: what is whole counts, in its order, and nothing of it leads out of the arithmetic.
pub(crate) fn history(bytes: &[u8]) {
    let whole = bytes.split(|byte| *byte == b'\n').count() - 1;
    let history = History::parse(bytes, Some("/here".to_owned())).unwrap();
    assert!(history.rollouts.len() + history.damaged.len() <= whole);
    for (destination, activations) in history.activations() {
        assert!(
            activations.iter().all(|activation| !activation.version.is_empty() || !destination.is_empty())
        );
    }
    let next = history.next_number();
    assert!(history.rollouts.last().is_none_or(|last| last.number <= next));
    let _ = history.until(next / 2).activations();
}
