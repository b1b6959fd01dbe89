//! How time and memory of each act grow with the number of files, of stored versions and of items: a table as CSV.
//!
//! Three walks, each along one number with the others small. Files are short, since it is their number that is looked
//! at. An act that cannot be done twice in the same state is done with the next commit, so that each number is the
//! least of those that its samples had.

use std::time::Duration;

use crate::Options;
use crate::repository::{Repository, Shape};
use crate::sandbox::Sandbox;
use crate::table::median;

/// The table's first line.
pub(crate) const HEAD: &str = "along,number,act,milliseconds,megabytes";

/// What is walked along.
pub(crate) const WALKS: [&str; 3] = ["files", "versions", "items"];

/// Files of a tree along versions.
const FILES: usize = 1_000;

/// Prints a line for each act at each number along `walk`.
pub(crate) fn run(options: &Options, walk: &str) {
    println!("\n{HEAD}");
    let samples = options.samples.min(5);
    let quick = |few: &'static [usize], many: &'static [usize]| if options.is_quick { few } else { many };
    match walk {
        "files" => {
            for &files in quick(&[100, 1_000], &[1_000, 10_000, 100_000]) {
                Point { options, walk, number: files, samples }.files();
            }
        }
        "versions" => versions(options, quick(&[1, 3], &[1, 10, 100]), samples),
        _ => {
            for &items in quick(&[1, 30], &[1, 100, 10_000]) {
                Point { options, walk, number: items, samples }.items();
            }
        }
    }
}

/// A number along a walk.
struct Point<'o> {
    options: &'o Options,
    walk: &'o str,
    number: usize,
    samples: usize,
}

/// What is measured, in a sandbox.
type Act<'a> = (&'a Sandbox, &'a dyn Fn(usize) -> Vec<&'a str>);

impl Point<'_> {
    fn files(&self) {
        let sandbox = Sandbox::new(&self.options.dir);
        let (files, changes) = (self.number, self.samples + 1);
        let shape = Shape { files, items: 0, changes, all_items: (0, 0), is_short: true };
        let commits = Repository::generate(&sandbox, shape).commits;
        self.first(&sandbox, &commits[0]);
        self.acts(&sandbox, &commits);
        self.act("rollback", (&sandbox, &|_| vec!["rollback"]));
    }

    fn items(&self) {
        let sandbox = Sandbox::new(&self.options.dir);
        let (items, rounds) = (self.number, self.samples + 1);
        let all_items = (rounds + 1, 2 * rounds + 1);
        let shape = Shape { files: 0, items, changes: 2 * rounds, all_items, is_short: true };
        let commits = Repository::generate(&sandbox, shape).commits;
        self.first(&sandbox, &commits[0]);
        self.acts(&sandbox, &commits);
        self.act("rollback", (&sandbox, &|_| vec!["rollback"]));
        self.act("all changed", (&sandbox, &|round| vec!["--rev", &commits[rounds + 1 + round]]));
        self.act("rollback of all", (&sandbox, &|_| vec!["rollback"]));
    }

    /// The first deploy, each time to an empty root.
    fn first(&self, sandbox: &Sandbox, commit: &str) {
        self.act(
            "first deploy",
            (sandbox, &|_| {
                sandbox.clear();
                vec!["--rev", commit]
            }),
        );
    }

    /// What is done after the first of `commits` was deployed. The last of them stays active.
    fn acts(&self, sandbox: &Sandbox, commits: &[String]) {
        self.act("one changed", (sandbox, &|round| vec!["--rev", &commits[round + 1]]));
        self.act("nothing to do", (sandbox, &|_| vec!["--rev", &commits[self.samples + 1]]));
        self.act("show", (sandbox, &|_| vec!["show"]));
        self.act("verify", (sandbox, &|_| vec!["verify"]));
    }

    /// Does an act once for its memory, and then for its time, given the number of the round.
    fn act(&self, name: &str, (sandbox, arguments): Act<'_>) {
        let quiet = [&["--quiet"][..], &arguments(0)].concat();
        let memory = sandbox.peak(&quiet).map(|bytes| format!("{:.1}", bytes as f64 / 1e6));
        let times = (1..=self.samples).map(|round| {
            let time: Duration = sandbox.dist(&arguments(round));
            time.as_secs_f64() * 1000.0
        });
        let time = median(times);
        println!("{},{},{name},{time:.1},{}", self.walk, self.number, memory.unwrap_or_default());
    }
}

/// One tree, of which more and more versions are stored.
fn versions(options: &Options, numbers: &[usize], samples: usize) {
    let sandbox = Sandbox::new(&options.dir);
    let most = numbers.iter().max().copied().unwrap_or(1);
    let changes = most + numbers.len() * (samples + 1);
    let shape = Shape { files: FILES, items: 0, changes, all_items: (0, 0), is_short: true };
    let commits = Repository::generate(&sandbox, shape).commits;
    let mut commits = commits.iter();
    let mut stored = 0;
    for &number in numbers {
        for commit in commits.by_ref().take(number.saturating_sub(stored)) {
            sandbox.dist(&["--rev", commit]);
        }
        // The first of these is active already.
        let next: Vec<String> = commits.by_ref().take(samples + 1).cloned().collect();
        let all = [&["HEAD".to_owned()][..], &next].concat();
        let point = Point { options, walk: "versions", number, samples };
        point.acts(&sandbox, &all);
        point.act("rollback", (&sandbox, &|_| vec!["rollback"]));
        stored = number.max(stored) + samples + 1;
    }
}
