//! How long git dist takes, beside plain tools that do a part of the same job.
//!
//! ```text
//! cargo bench --bench deploy -- [--quick] [--files N] [--samples N] [--dir DIR]
//! ```
//!
//! A synthetic repository is deployed below DIR (default: `/dev/shm` where there is one, so that no disk is measured).
//! The two sides of each pair take turns. What is printed are medians of wall-clock times of whole processes, and how
//! many times as long git dist takes.

mod repository;
mod sandbox;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use repository::Repository;
use sandbox::Sandbox;

/// What the command line asks for.
struct Options {
    files: usize,
    samples: usize,
    dir: PathBuf,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    let sandbox = Sandbox::new(&options.dir);
    // Every sample of a change needs a commit of its own.
    let repository = Repository::generate(&sandbox, options.files, options.samples + 1);
    println!(
        "{} files, {:.1} MB, in {}; medians of {} samples\n",
        options.files,
        f64::from(u32::try_from(repository.bytes / 1000).unwrap_or(u32::MAX)) / 1000.0,
        options.dir.display(),
        options.samples
    );
    println!("{:<14}  {:>10}  {:>10}  {:>6}", "", "git dist", "plain", "ratio");
    let bench = Bench { sandbox: &sandbox, repository: &repository, samples: options.samples };
    bench.first_deploy();
    bench.one_file_changed();
    bench.nothing_to_do();
    bench.verify();
    bench.rollback();
    ExitCode::SUCCESS
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let shm = PathBuf::from("/dev/shm");
    let dir = if shm.is_dir() { shm } else { std::env::temp_dir() };
    let mut options = Options { files: 10_000, samples: 11, dir };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        let number = |text: String| match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("`{text}` is no number above zero")),
        };
        match argument.as_str() {
            "--quick" => (options.files, options.samples) = (1_000, 3),
            "--files" => options.files = number(value()?)?,
            "--samples" => options.samples = number(value()?)?,
            "--dir" => options.dir = value()?.into(),
            // What `cargo bench` itself passes.
            "--bench" => {}
            _ => return Err(format!("unknown argument `{argument}`")),
        }
    }
    Ok(options)
}

/// The pairs that are measured. They build on each other: a change needs something deployed before.
struct Bench<'a> {
    sandbox: &'a Sandbox,
    repository: &'a Repository,
    samples: usize,
}

impl Bench<'_> {
    fn first_deploy(&self) {
        let commit = &self.repository.commits[0];
        self.pair(
            "first deploy",
            "git archive | tar -x",
            |_| {
                self.sandbox.clear();
                self.sandbox.dist(&["--rev", commit])
            },
            |_| self.archive(commit),
        );
    }

    fn one_file_changed(&self) {
        self.sandbox.clear();
        self.sandbox.dist(&["--rev", &self.repository.commits[0]]);
        self.pair(
            "one change",
            "git archive | tar -x",
            |sample| self.sandbox.dist(&["--rev", &self.repository.commits[sample + 1]]),
            |sample| self.archive(&self.repository.commits[sample + 1]),
        );
    }

    fn nothing_to_do(&self) {
        self.pair(
            "nothing to do",
            "git rev-parse HEAD",
            |_| self.sandbox.dist(&[]),
            |_| self.sandbox.shell("git rev-parse HEAD >/dev/null"),
        );
    }

    fn verify(&self) {
        let files = self.sandbox.root().join("tree/");
        let hash = format!("find '{}' -type f -print0 | xargs -0 sha1sum >/dev/null", files.display());
        self.pair(
            "verify",
            "find | xargs sha1sum",
            |_| self.sandbox.dist(&["verify"]),
            |_| self.sandbox.shell(&hash),
        );
    }

    fn rollback(&self) {
        let swap = format!("ln -sfn versions '{}'", self.sandbox.scratch().join("link").display());
        self.pair("rollback", "ln -sfn", |_| self.sandbox.dist(&["rollback"]), |_| self.sandbox.shell(&swap));
    }

    /// What deploying without git dist comes to: the files of `commit` in a folder of their own.
    fn archive(&self, commit: &str) -> Duration {
        let folder = self.sandbox.scratch().join("archive");
        let folder = folder.display();
        self.sandbox.shell(&format!("rm -rf '{folder}'"));
        self.sandbox.shell(&format!("mkdir '{folder}' && git archive {commit}:tree | tar -x -C '{folder}'"))
    }

    /// Measures both sides in turn, each given the number of the sample, and prints a line.
    fn pair(
        &self,
        name: &str,
        plain_name: &str,
        dist: impl Fn(usize) -> Duration,
        plain: impl Fn(usize) -> Duration,
    ) {
        let (mut ours, mut theirs): (Vec<_>, Vec<_>) =
            (0..self.samples).map(|sample| (dist(sample), plain(sample))).unzip();
        let (ours, theirs) = (median(&mut ours), median(&mut theirs));
        let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
        println!(
            "{name:<14}  {:>8.1} ms  {:>8.1} ms  {ratio:>6.2}  {plain_name}",
            ours.as_secs_f64() * 1000.0,
            theirs.as_secs_f64() * 1000.0
        );
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}
