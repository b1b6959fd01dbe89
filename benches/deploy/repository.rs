//! Repositories to deploy from: made, or cloned with a manifest added. They are the same in every run.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::Stdio;

use crate::sandbox::Sandbox;

/// A repository with a chain of commits that change one file of `source` each.
pub(crate) struct Repository {
    /// Ids of these commits, the oldest first.
    pub(crate) commits: Vec<String>,
    /// What is deployed: a path, empty for all.
    pub(crate) source: String,
}

/// What is generated.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Files in folders below `tree`, deployed as one.
    pub(crate) files: usize,
    /// Files in the folder `bin`, each deployed for itself.
    pub(crate) items: usize,
    /// Commits that change one file, after the first.
    pub(crate) changes: usize,
    /// The commits that change all items; others change the first.
    pub(crate) all_items: (usize, usize),
    /// Files have half a kilobyte on average in place of thirteen.
    pub(crate) is_short: bool,
}

/// Files in one folder.
const FOLDER: usize = 40;

impl Repository {
    /// A repository with one target for the tree and one for the items.
    pub(crate) fn generate(sandbox: &Sandbox, shape: Shape) -> Self {
        sandbox.shell("git init --quiet --bare --initial-branch=main .");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        import(sandbox, |stream| {
            for commit in 0..=shape.changes {
                begin(stream, commit, commit as u64 * 60, None)?;
                if commit == 0 {
                    file(stream, "dist.json", &manifest(shape))?;
                    for number in 0..shape.files {
                        file(stream, &path(number), &text(&mut random, shape))?;
                    }
                } else if shape.files > 0 {
                    file(stream, &path(commit * 7919 % shape.files), &text(&mut random, shape))?;
                }
                let changed = match commit {
                    0 => 0..shape.items,
                    _ if (shape.all_items.0..shape.all_items.1).contains(&commit) => 0..shape.items,
                    _ => 0..1.min(shape.items),
                };
                for item in changed {
                    file(stream, &format!("bin/item-{item:05}"), &format!("echo {item} of {commit}\n"))?;
                }
            }
            Ok(())
        });
        // As a clone has it: one pack.
        sandbox.shell("git repack -adq");
        Self { commits: commits(sandbox, shape.changes + 1), source: "tree".to_owned() }
    }

    /// A clone of the repository at `path`, deployed whole, with one more commit for the manifest and `changes` more.
    pub(crate) fn clone(sandbox: &Sandbox, path: &Path, changes: usize) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        sandbox.shell(&format!("git clone --quiet --bare --no-local '{}' .", path.display()));
        sandbox.shell("git update-ref refs/heads/main HEAD && git symbolic-ref HEAD refs/heads/main");
        let manifest = r#"{ "version": 1, "options": { "keep": 0 },
            "targets": { "tree": { "source": ".", "destination": "{DEPLOY_ROOT}/tree" } } }"#;
        let names = output(sandbox, &["ls-tree", "-r", "--name-only", "HEAD"]);
        let changed = names.lines().rev().find(|name| !name.starts_with(['.', '"']) && *name != "dist.json");
        let changed = changed.expect("the repository has a file").to_owned();
        import(sandbox, |stream| {
            for commit in 0..=changes {
                begin(
                    stream,
                    commit,
                    500_000_000 + commit as u64,
                    Some("refs/heads/main^0").filter(|_| commit == 0),
                )?;
                match commit {
                    0 => file(stream, "dist.json", manifest)?,
                    _ => file(stream, &changed, &format!("{commit}\n"))?,
                }
            }
            Ok(())
        });
        sandbox.shell("git gc --quiet");
        Self { commits: commits(sandbox, changes + 1), source: String::new() }
    }

    /// A long history of one small file: every tenth commit merges a branch of two commits.
    pub(crate) fn long(sandbox: &Sandbox, length: usize) -> Self {
        sandbox.shell("git init --quiet --bare --initial-branch=main .");
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        import(sandbox, |stream| {
            for commit in 0..length {
                let mark = commit + 1;
                writeln!(stream, "commit refs/heads/main\nmark :{mark}")?;
                writeln!(
                    stream,
                    "committer Bench <bench@example.org> {} +0000",
                    1_600_000_000 + commit * 60
                )?;
                let message = words(&mut random, 300);
                write!(stream, "data {}\n{message}\n", message.len())?;
                if commit > 20 && commit % 10 == 0 {
                    writeln!(stream, "from :{}\nmerge :{}", mark - 3, mark - 1)?;
                } else if commit > 20 && commit % 10 == 8 {
                    writeln!(stream, "from :{}", mark - 2)?;
                } else if commit > 0 {
                    writeln!(stream, "from :{}", mark - 1)?;
                }
                if commit == 0 {
                    file(
                        stream,
                        "dist.json",
                        &manifest(Shape {
                            files: 0,
                            items: 1,
                            changes: 0,
                            all_items: (0, 0),
                            is_short: false,
                        }),
                    )?;
                }
                file(stream, "bin/item", &format!("echo {commit}\n"))?;
            }
            Ok(())
        });
        sandbox.shell("git repack -adq");
        Self { commits: commits(sandbox, 2), source: "bin".to_owned() }
    }

    /// A repository with one text file of so many megabytes.
    pub(crate) fn large_blob(sandbox: &Sandbox, megabytes: usize) -> Self {
        sandbox.shell("git init --quiet --bare --initial-branch=main .");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        import(sandbox, |stream| {
            begin(stream, 0, 0, None)?;
            let shape = Shape { files: 1, items: 0, changes: 0, all_items: (0, 0), is_short: false };
            file(stream, "dist.json", &manifest(shape))?;
            write!(stream, "M 100644 inline tree/blob\ndata {}\n", megabytes << 20)?;
            for _ in 0..megabytes {
                stream.write_all(&words(&mut random, 1 << 20).as_bytes()[..1 << 20])?;
            }
            writeln!(stream)
        });
        Self { commits: commits(sandbox, 1), source: "tree".to_owned() }
    }

    /// What git calls the source at a commit: `COMMIT:tree`.
    pub(crate) fn tree(&self, commit: &str) -> String {
        format!("{commit}:{}", self.source)
    }
}

fn manifest(shape: Shape) -> String {
    let tree = r#""tree": { "source": "tree", "destination": "{DEPLOY_ROOT}/tree" }"#;
    let items = r#""bin": { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" }"#;
    let targets = [(shape.files > 0).then_some(tree), (shape.items > 0).then_some(items)];
    let targets = targets.into_iter().flatten().collect::<Vec<_>>().join(",\n    ");
    format!("{{ \"version\": 1, \"options\": {{ \"keep\": 0 }},\n  \"targets\": {{\n    {targets} }} }}\n")
}

fn begin(stream: &mut dyn Write, number: usize, seconds: u64, from: Option<&str>) -> io::Result<()> {
    let message = format!("change {number}");
    let date = 1_700_000_000 + seconds;
    writeln!(stream, "commit refs/heads/main\ncommitter Bench <bench@example.org> {date} +0000")?;
    write!(stream, "data {}\n{message}\n", message.len())?;
    from.map_or(Ok(()), |from| writeln!(stream, "from {from}"))
}

fn file(stream: &mut dyn Write, path: &str, text: &str) -> io::Result<()> {
    write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len())
}

fn path(number: usize) -> String {
    let folder = number / FOLDER;
    format!("tree/part-{:02}/folder-{folder:04}/file-{number:06}.txt", folder % 25)
}

/// The sizes of source files: most are short, a few long; 13 KB on average.
fn text(random: &mut Random, shape: Shape) -> String {
    let size = 100 << random.below(if shape.is_short { 5 } else { 10 });
    words(random, size)
}

fn words(random: &mut Random, size: usize) -> String {
    const WORDS: [&str; 16] = [
        "static",
        "int",
        "return",
        "if (",
        ") {\n",
        "}\n",
        "struct",
        "->",
        "= ",
        "== NULL",
        ";\n\t",
        "unsigned long",
        "/* the ",
        " */\n",
        "for (i = 0; i <",
        "goto out",
    ];
    let mut text = String::with_capacity(size + 32);
    while text.len() < size {
        let number = random.below(64);
        let _ = match WORDS.get(number as usize) {
            Some(word) => text.write_str(word),
            None => write!(text, " name_{:x} ", random.below(4096)),
        };
    }
    text
}

fn import(sandbox: &Sandbox, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut command = sandbox.command("git");
    command.args(["fast-import", "--quiet", "--done"]).stdin(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("git can be started");
    let mut input = BufWriter::new(child.stdin.take().expect("it is a pipe"));
    write(&mut input).and_then(|()| input.write_all(b"done\n")).expect("git reads all");
    drop(input);
    assert!(child.wait().expect("git was started").success(), "git fast-import failed");
}

/// The last commits of the first line, the oldest first.
fn commits(sandbox: &Sandbox, number: usize) -> Vec<String> {
    let text = output(sandbox, &["rev-list", "--first-parent", "-n", &number.to_string(), "main"]);
    let mut commits: Vec<String> = text.lines().map(str::to_owned).collect();
    commits.reverse();
    commits
}

fn output(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.command("git").args(arguments).stdout(Stdio::piped()).output();
    String::from_utf8_lossy(&output.expect("git can be started").stdout).into_owned()
}

/// Numbers that look random and are the same in every run (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 32) % limit
    }
}
