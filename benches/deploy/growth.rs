//! How the cost of each act grows with the number of files, stored versions and items: a table as CSV.

use std::time::Duration;

use crate::Options;
use crate::repository::{Repository, Shape};
use crate::sandbox::Sandbox;
use crate::table::median;

/// The table's first line; times in milliseconds, memory in megabytes.
pub(crate) const HEAD: &str = "files,versions,items,first,one_changed,nothing,show,memory";

/// Files in all versions together that are not worth the wait, nor the memory.
const MOST: usize = 3_000_000;

/// Prints a line for each combination.
pub(crate) fn run(options: &Options) {
    let (files, versions, items): (&[usize], &[usize], &[usize]) = if options.is_quick {
        (&[100, 1_000], &[1, 3], &[1, 30])
    } else {
        (&[1_000, 10_000, 100_000], &[1, 10, 100], &[1, 100, 10_000])
    };
    println!("\n{HEAD}");
    for &files in files {
        for &versions in versions {
            for &items in items {
                if (files + items) * versions <= MOST {
                    measure(options, files, versions, items);
                } else {
                    eprintln!("{files} files and {items} items in {versions} versions: too many, left out");
                }
            }
        }
    }
}

fn measure(options: &Options, files: usize, versions: usize, items: usize) {
    let sandbox = Sandbox::new(&options.dir);
    // Versions of all items first, then changes of one.
    let shape = Shape { files, items, changes: versions + options.samples, all_items: (0, versions) };
    let repository = Repository::generate(&sandbox, shape);
    let deploy = |commit: usize| sandbox.dist(&["--rev", &repository.commits[commit]]);
    let first = deploy(0);
    for commit in 1..versions {
        deploy(commit);
    }
    let rounds = |act: &dyn Fn(usize) -> Duration| {
        median((0..options.samples).map(|round| act(round).as_secs_f64() * 1000.0))
    };
    let nothing = rounds(&|_| deploy(versions - 1));
    let show = rounds(&|_| sandbox.dist(&["show", "-v"]));
    let one = rounds(&|round| deploy(versions + round));
    let memory = sandbox.peak(&["--quiet", "--dry-run"]).map_or(0.0, |bytes| bytes as f64 / 1e6);
    let first = first.as_secs_f64() * 1000.0;
    println!("{files},{versions},{items},{first:.1},{one:.1},{nothing:.1},{show:.1},{memory:.1}");
}
