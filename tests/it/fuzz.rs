//! The bodies of the fuzz targets, with the corpus and with what proptest makes up of it.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

#[path = "../../fuzz/bodies.rs"]
mod bodies;

#[test]
fn every_corpus_is_run() {
    for (name, body) in bodies::BODIES {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
        let entries: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!entries.is_empty(), "{name}");
        for entry in entries {
            let whole = fs::read(entry).unwrap();
            (0..=whole.len()).for_each(|end| body(&whole[..end]));
            let edits = prop::collection::vec((any::<Index>(), any::<u8>()), 1..6);
            proptest!(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() }, |(edits in edits)| {
                let mut bytes = whole.clone();
                for (at, byte) in &edits {
                    bytes[at.index(whole.len())] = *byte;
                }
                body(&bytes);
            });
        }
    }
}
