//! What is measured: the kinds of work that a deployment consists of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::repository::{Repository, Shape};
use crate::sandbox::{GIT_DIST, Sandbox, program, remove, time};
use crate::table::{Row, title};
use crate::{Options, floor};

fn row<'a>(work: &'a str, beside: &'a str, goal: f64) -> Row<'a> {
    Row { work, beside, goal: Some(goal) }
}

/// A tree that is deployed as one: generated, or the user's own.
fn deployable(options: &Options, dir: &Path) -> (Sandbox, Repository) {
    let sandbox = Sandbox::new(dir);
    let changes = options.samples + 1;
    let shape = Shape { files: options.files, items: 0, changes, all_items: (0, 0), is_short: false };
    let repository = match &options.repository {
        Some(path) => Repository::clone(&sandbox, path, changes),
        None => Repository::generate(&sandbox, shape),
    };
    (sandbox, repository)
}

/// The tree of a commit, copied to an empty folder.
fn archive(sandbox: &Sandbox, tree: &str) -> Duration {
    let folder = sandbox.empty("archive");
    sandbox.shell(&format!("git archive {tree} | tar -x -C '{}'", folder.display()))
}

/// Files of one target.
pub(crate) fn tree(options: &Options) {
    let (sandbox, repository) = deployable(options, &options.dir);
    let commits = &repository.commits;
    let first = |_| {
        sandbox.clear();
        sandbox.dist(&["--rev", &commits[0]])
    };
    let archive_of = |commit: &str| archive(&sandbox, &repository.tree(commit));
    title("tree");
    let beside = "git archive | tar x";
    row("first deploy", beside, 0.42).measure(options.samples, first, |_| archive_of(&commits[0]));
    for workers in ["1", "2"] {
        let beside = format!("git worktree add, workers: {workers}");
        let goal = Some(0.60).filter(|_| workers == "2");
        let folder = sandbox.scratch().join("worktree");
        Row { work: "first deploy", beside: &beside, goal }.measure(options.samples, first, |_| {
            remove(&folder);
            sandbox.shell("git worktree prune");
            let mut command = sandbox.command("git");
            command.args(["-c", &format!("checkout.workers={workers}"), "worktree", "add", "--quiet"]);
            time(command.arg("--detach").arg(&folder).arg(&commits[0]))
        });
        remove(&folder);
    }
    let repository_path = sandbox.repository();
    row("first deploy", "decoding and writing alone", 1.15).measure(options.samples, first, |_| {
        let this = std::env::current_exe().expect("this program has a path");
        let mut command = sandbox.command(&this.to_string_lossy());
        command.arg(floor::WORD).arg(&repository_path).arg(&commits[0]).arg(&repository.source);
        time(command.arg(sandbox.empty("floor")))
    });
    remove(&sandbox.scratch().join("floor"));
    sandbox.clear();
    sandbox.dist(&["--rev", &commits[0]]);
    let change = |round: usize| sandbox.dist(&["--rev", &commits[round + 1]]);
    row("one file changed", beside, 0.10)
        .measure(options.samples, change, |round| archive_of(&commits[round + 1]));
    let versions = options.samples + 1;
    let git = |arguments: &str| sandbox.shell(&format!("git {arguments}"));
    let work = format!("nothing to do, {versions} versions");
    let newest = &commits[options.samples];
    Row { work: &work, beside: "git --version", goal: None }.measure(
        options.samples,
        |_| sandbox.dist(&["--rev", newest]),
        |_| git("--version"),
    );
    let rollback = Row { work: "rollback", beside: "git --version", goal: None };
    // As many as there are versions to go back to.
    rollback.measure(options.samples, |_| sandbox.dist(&["rollback"]), |_| git("--version"));
    hard_links(options, &sandbox, commits);
}

/// A copy that shares all files, which is what a deploy after a small change comes to.
fn hard_links(options: &Options, sandbox: &Sandbox, commits: &[String]) {
    let row = Row { work: "one file changed", beside: "cp -al", goal: None };
    if cfg!(target_os = "macos") {
        return row.skip("this `cp` makes no hard links");
    }
    sandbox.clear();
    sandbox.dist(&["--rev", &commits[0]]);
    let deployed = std::fs::canonicalize(sandbox.root().join("tree")).expect("it was deployed");
    // A copy: names that `cp` gives to deployed files would change when these were changed last, and have them read.
    let from = sandbox.empty("copy").join("tree");
    time(sandbox.command("cp").arg("-a").arg(&deployed).arg(&from));
    row.measure(
        options.samples,
        |round| sandbox.dist(&["--rev", &commits[round + 1]]),
        |_| {
            let to = sandbox.empty("links");
            time(sandbox.command("cp").arg("-al").arg(&from).arg(to))
        },
    );
}

/// distman in a clone, deploying to a root of its own.
struct Distman<'a> {
    sandbox: &'a Sandbox,
    program: PathBuf,
    clone: PathBuf,
}

impl Distman<'_> {
    fn root(&self) -> PathBuf {
        self.sandbox.scratch().join("root")
    }

    fn run(&self, arguments: &[&str]) -> Duration {
        let program = self.program.to_string_lossy();
        let mut command = self.sandbox.command(&program);
        time(command.current_dir(&self.clone).env("DEPLOY_ROOT", self.root()).args(arguments))
    }

    fn check_out(&self, commit: &str) {
        self.sandbox.shell(&format!("git -C '{}' reset --quiet --hard {commit}", self.clone.display()));
    }

    fn deploy(&self, commit: &str) -> Duration {
        self.check_out(commit);
        self.run(&["-y"])
    }

    /// Has git dist make the versions of `commits`, which distman finds as its own: that takes seconds in place of an hour.
    fn prepare(&self, commits: &[String]) {
        for commit in commits {
            let mut command = self.sandbox.command(GIT_DIST);
            time(command.args(["--quiet", "--rev", commit]).env("DEPLOY_ROOT", self.root()));
        }
        commits.last().into_iter().for_each(|newest| self.check_out(newest));
    }
}

/// Many files that are deployed each for itself.
pub(crate) fn items(options: &Options) {
    let sandbox = Sandbox::new(&options.dir);
    let (ours, theirs) = (options.samples.min(8), options.peer_samples.min(8));
    // Commits that change one item, then as many that change all as a rollback of each sample goes back.
    let one = ours.max(theirs);
    let shape = Shape {
        files: 0,
        items: options.items,
        changes: one + 8,
        all_items: (one + 1, one + 9),
        is_short: false,
    };
    let repository = Repository::generate(&sandbox, shape);
    let commits = &repository.commits;
    let deploy = |commit: &str| sandbox.dist(&["--rev", commit]);
    let clone = sandbox.scratch().join("clone");
    let distman = program("dist").map(|program| {
        sandbox.shell(&format!("git clone --quiet . '{}'", clone.display()));
        Distman { sandbox: &sandbox, program, clone: clone.clone() }
    });
    title(&format!("items ({}), {ours} rounds, {theirs} of distman", options.items));
    let Some(distman) = distman else {
        row("items", "distman", 0.5).skip("`dist` is not installed (`pip install distman==0.8.4`)");
        return;
    };
    let pair = |work: &str, goal: f64, us: &dyn Fn(usize) -> Duration, them: &dyn Fn(usize) -> Duration| {
        row(work, "distman", goal).measure_apart((ours, us), (theirs, them));
    };
    let first = |_| {
        sandbox.clear();
        deploy(&commits[0])
    };
    let their_first = |_| {
        remove(&distman.root());
        distman.deploy(&commits[0])
    };
    pair("first deploy", 0.5, &first, &their_first);
    pair("nothing to do", 0.02, &|_| deploy(&commits[0]), &|_| distman.run(&["-y"]));
    let change = |round: usize| &commits[round + 1];
    pair("one changed", 0.05, &|round| deploy(change(round)), &|round| distman.deploy(change(round)));
    let all = &commits[one + 1..];
    for commit in all {
        deploy(commit);
    }
    distman.prepare(all);
    let newest = all.last().expect("there are eight");
    pair("nothing to do, nine versions each", 0.02, &|_| deploy(newest), &|_| distman.run(&["-y"]));
    let back = |_| sandbox.dist(&["rollback"]);
    pair("rollback of all", 0.1, &back, &|_| distman.run(&["-n", "-1", "-y"]));
}

/// Counting the commits of a long history.
pub(crate) fn history(options: &Options) {
    let sandbox = Sandbox::new(&options.dir);
    let repository = Repository::long(&sandbox, options.commits);
    let plan = |commit: &str| sandbox.dist(&["--dry-run", "--rev", commit]);
    let [before, last] = &repository.commits[..] else { return };
    let count = |_| sandbox.shell("git rev-list --count main");
    title(&format!("history ({} commits)", options.commits));
    row("first plan", "git rev-list --count", 1.1).measure(options.samples, |_| plan(last), count);
    sandbox.dist(&["--rev", before]);
    row("plan after one more commit", "git rev-list --count", 0.05).measure(
        options.samples,
        |_| plan(last),
        count,
    );
    sandbox.shell("git commit-graph write --reachable");
    row("the same, with a commit-graph", "git rev-list --count", 0.05).measure(
        options.samples,
        |_| plan(last),
        count,
    );
    remove(&sandbox.repository().join("dist"));
    row("first plan, with a commit-graph", "git rev-list --count", 1.1).measure(
        options.samples,
        |_| plan(last),
        count,
    );
}

/// What every command costs.
pub(crate) fn start(options: &Options) {
    let sandbox = Sandbox::new(&options.dir);
    let repository = Repository::generate(
        &sandbox,
        Shape { files: 3, items: 3, changes: 1, all_items: (0, 0), is_short: false },
    );
    sandbox.dist(&["--rev", &repository.commits[1]]);
    let rounds = options.samples * 5;
    title("start");
    let git = |_| time(sandbox.command("git").arg("--version"));
    row("--version", "git --version", 2.0).measure(rounds, |_| sandbox.dist(&["--version"]), git);
    let ask = |_| time(sandbox.command("git").args(["rev-parse", "HEAD"]));
    let nothing = Row { work: "nothing to do, four destinations", beside: "git rev-parse HEAD", goal: None };
    nothing.measure(rounds, |_| sandbox.dist(&[]), ask);
    row("run", "env /bin/true", 3.0).measure(
        rounds,
        |_| sandbox.dist(&["run", "tree", "--command", "/bin/true"]),
        |_| time(sandbox.command("env").arg("/bin/true")),
    );
    let size = std::fs::metadata(GIT_DIST).map_or(0, |metadata| metadata.len());
    if cfg!(feature = "remote") {
        Row { work: "the program, with network stores", beside: "12 MB", goal: None }.sizes(size, 12_000_000);
    } else {
        row("the program", "12 MB", 1.0).sizes(size, 12_000_000);
    }
}

/// Hashing what is deployed.
pub(crate) fn verify(options: &Options) {
    let (sandbox, repository) = deployable(options, &options.dir);
    sandbox.dist(&["--rev", &repository.commits[0]]);
    title("verify");
    let row = row("verify", "sha1sum, two processes", 1.2);
    if program("sha1sum").is_none() {
        return row.skip("there is no `sha1sum`");
    }
    let files = sandbox.root().join("tree/");
    let sums = format!("find '{}' -type f -print0 | xargs -0 -n 500 -P 2 sha1sum", files.display());
    row.measure(options.samples, |_| sandbox.dist(&["verify"]), |_| sandbox.shell(&sums));
}

/// The most memory that a first deploy has.
pub(crate) fn memory(options: &Options) {
    title("memory");
    let measure = |sandbox: &Sandbox, row: Row<'_>, bound: u64| match sandbox.peak(&["--quiet"]) {
        Some(peak) => row.sizes(peak, bound),
        None => row.skip("nothing tells how much that is"),
    };
    let megabytes = if options.is_quick { 64 } else { 256 };
    let sandbox = Sandbox::new(&options.dir);
    Repository::large_blob(&sandbox, megabytes);
    measure(&sandbox, row("a large file", "its size", 1.3), (megabytes as u64) << 20);
    let (sandbox, _) = deployable(options, &options.dir);
    measure(&sandbox, row("a tree", "150 MB", 1.0), 150_000_000);
    let sandbox = Sandbox::new(&options.dir);
    let shape = Shape { files: 0, items: options.items, changes: 0, all_items: (0, 0), is_short: false };
    Repository::generate(&sandbox, shape);
    measure(&sandbox, row("items", "150 MB", 1.0), 150_000_000);
}

/// On a disk that has to be waited for.
pub(crate) fn durability(options: &Options) {
    let dir = std::env::temp_dir();
    let (sandbox, repository) = deployable(options, &dir);
    let commits = &repository.commits;
    title(&format!("durability, in {}", dir.display()));
    // `sync -f` is of GNU; elsewhere everything is made durable.
    let sync = format!("sync -f '{0}' 2>/dev/null || sync", sandbox.scratch().display());
    let durable = |commit: &str| archive(&sandbox, &repository.tree(commit)) + sandbox.shell(&sync);
    let first = |_| {
        sandbox.clear();
        sandbox.shell(&sync);
        sandbox.dist(&["--rev", &commits[0]])
    };
    let beside = "git archive | tar x, sync";
    Row { work: "first deploy", beside, goal: None }
        .measure(options.samples, first, |_| durable(&commits[0]));
    Row { work: "one file changed", beside, goal: None }.measure(
        options.samples,
        |round| sandbox.dist(&["--rev", &commits[round + 1]]),
        |round| durable(&commits[round + 1]),
    );
}
