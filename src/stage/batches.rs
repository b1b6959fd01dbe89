//! How the files of many outputs are shared out among threads.

use std::collections::BTreeMap;

use bstr::{BStr, ByteSlice as _};

use super::write::{Output, split};
use crate::source::{Entry, Kin, Mode};

/// Files of one directory of one output, written by one thread.
#[derive(Clone, Copy)]
pub(super) struct Batch<'o> {
    /// Index of the output.
    pub(super) output: usize,
    /// The directory, by its path in the output.
    pub(super) directory: &'o BStr,
    /// The files.
    pub(super) entries: &'o [Entry],
    /// Index of the first of them in the output.
    pub(super) first: usize,
}

/// Files per batch: enough to pay for opening the directory, few enough to keep all cores busy to the end.
const BATCH: usize = 64;

/// All files of `outputs`, in their order.
pub(super) fn batches<'o>(outputs: &'o [Output<'o>]) -> Vec<Batch<'o>> {
    let mut batches = Vec::new();
    for (index, output) in outputs.iter().enumerate() {
        if output.mode != Mode::Directory {
            let directory = BStr::new("");
            batches.push(Batch { output: index, directory, entries: output.entries, first: 0 });
            continue;
        }
        let same_directory = |a: &Entry, b: &Entry| split(a.path.as_bstr()).0 == split(b.path.as_bstr()).0;
        let mut first = 0;
        for group in output.entries.chunk_by(same_directory) {
            for chunk in group.chunks(BATCH) {
                let directory = split(chunk[0].path.as_bstr()).0;
                batches.push(Batch { output: index, directory, entries: chunk, first });
                first += chunk.len();
            }
        }
    }
    batches
}

/// What one thread does at once: the families of `kin`, which for each batch says who in it has one, and what is left of
/// the batches without them. Families come first: they may take long.
pub(super) fn tasks<'o>(batches: &[Batch<'o>], kin: Vec<Vec<(usize, Kin)>>) -> Vec<Vec<Batch<'o>>> {
    let mut families: BTreeMap<_, Vec<(u64, Batch<'o>)>> = BTreeMap::new();
    let mut others = Vec::new();
    for (batch, kin) in batches.iter().zip(kin) {
        let part = |first: usize, end: usize| Batch {
            entries: &batch.entries[first - batch.first..end - batch.first],
            first,
            ..*batch
        };
        let mut left = Vec::new();
        let mut begin = batch.first;
        for (index, Kin { family, place }) in kin {
            left.push(part(begin, index));
            families.entry(family).or_default().push((place, part(index, index + 1)));
            begin = index + 1;
        }
        left.push(part(begin, batch.first + batch.entries.len()));
        left.retain(|part| !part.entries.is_empty());
        others.push(left);
    }
    let mut tasks = Vec::new();
    for mut family in families.into_values() {
        family.sort_by_key(|(place, _)| *place);
        let parts = family.chunks(BATCH).map(|chunk| chunk.iter().map(|(_, part)| *part).collect());
        tasks.extend(parts);
    }
    tasks.extend(others);
    tasks
}
