//! Pairs that are measured in turn, and the rows that come of it.

use std::time::Duration;

use crate::Options;

/// A row to be measured.
pub(crate) struct Row<'a> {
    /// What is done.
    pub(crate) work: &'a str,
    /// What the other side is.
    pub(crate) beside: &'a str,
    /// The ratio to stay below, where there is one.
    pub(crate) goal: Option<f64>,
}

pub(crate) fn head(options: &Options) {
    println!("{} rounds, in {}\n", options.samples, options.dir.display());
    println!("{:<40} {:>11} {:>11} {:>8} {:>6}  beside", "", "git dist", "other", "ratio", "goal");
}

/// Names the repository that the next rows are about.
pub(crate) fn title(text: &str) {
    println!("\n{text}");
}

impl Row<'_> {
    /// Measures both sides in turn, each given the number of the round, and prints the row.
    pub(crate) fn measure(
        &self,
        rounds: usize,
        mut ours: impl FnMut(usize) -> Duration,
        mut theirs: impl FnMut(usize) -> Duration,
    ) {
        let rounds = (0..rounds).map(|round| (ours(round).as_secs_f64(), theirs(round).as_secs_f64()));
        let rounds: Vec<_> = rounds.collect();
        let ratio = median(rounds.iter().map(|(ours, theirs)| ours / theirs));
        let ours = median(rounds.iter().map(|(ours, _)| *ours));
        let theirs = median(rounds.iter().map(|(_, theirs)| *theirs));
        self.print(&milliseconds(ours), &milliseconds(theirs), ratio);
    }

    /// Measures each side so many times, one after the other, for what takes the other side minutes: prints the medians
    /// and their ratio.
    pub(crate) fn measure_apart(
        &self,
        (ours, us): (usize, impl Fn(usize) -> Duration),
        (theirs, them): (usize, impl Fn(usize) -> Duration),
    ) {
        let ours = median((0..ours).map(|round| us(round).as_secs_f64()));
        let theirs = median((0..theirs).map(|round| them(round).as_secs_f64()));
        self.print(&milliseconds(ours), &milliseconds(theirs), ours / theirs);
    }

    /// Prints a row of sizes in bytes.
    pub(crate) fn sizes(&self, ours: u64, theirs: u64) {
        self.print(&megabytes(ours), &megabytes(theirs), ours as f64 / theirs as f64);
    }

    fn print(&self, ours: &str, theirs: &str, ratio: f64) {
        let goal = self.goal.map(|goal| format!("{goal:.2}")).unwrap_or_default();
        println!("{:<40} {ours:>11} {theirs:>11} {ratio:>8.3} {goal:>6}  {}", self.work, self.beside);
    }

    /// Says why there is no row.
    pub(crate) fn skip(&self, why: &str) {
        println!("{:<40} skipped: {why}", format!("{}, {}", self.work, self.beside));
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
