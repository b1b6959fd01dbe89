//! A repository with one folder of many small text files, and a chain of commits that change one of them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;

use crate::sandbox::Sandbox;

/// The repository.
pub(crate) struct Repository {
    /// Ids of the commits, the oldest first. Each but the first changes one file.
    pub(crate) commits: Vec<String>,
    /// Size of all files together.
    pub(crate) bytes: usize,
}

/// Files in one folder.
const FOLDER: usize = 100;

const MANIFEST: &str = r#"{ "version": 1, "options": { "keep": 0 },
  "targets": { "tree": { "source": "tree", "destination": "{DEPLOY_ROOT}/tree" } } }"#;

impl Repository {
    /// Makes a repository with so many `files` and `commits` in the sandbox. It is the same in every run.
    pub(crate) fn generate(sandbox: &Sandbox, files: usize, commits: usize) -> Self {
        sandbox.shell("git init --quiet --bare --initial-branch=main .");
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut stream = String::new();
        let mut bytes = 0;
        for commit in 0..commits {
            let message = format!("change {commit}");
            let _ = write!(
                stream,
                "commit refs/heads/main\nmark :{}\ncommitter Bench <bench@example.org> {} +0000\ndata {}\n{message}\n",
                commit + 1,
                1_700_000_000 + commit * 60,
                message.len()
            );
            if commit == 0 {
                file(&mut stream, "dist.json", MANIFEST);
                for number in 0..files {
                    let text = text(&mut random);
                    bytes += text.len();
                    file(&mut stream, &path(number), &text);
                }
            } else {
                file(&mut stream, &path(commit * 7919 % files), &text(&mut random));
            }
            stream.push('\n');
        }
        import(sandbox, &stream);
        // As a clone has it: one pack.
        sandbox.shell("git repack -adq");
        Self { commits: ids(sandbox), bytes }
    }
}

fn file(stream: &mut String, path: &str, text: &str) {
    let _ = write!(stream, "M 100644 inline {path}\ndata {}\n{text}\n", text.len());
}

fn path(number: usize) -> String {
    format!("tree/folder-{:04}/file-{number:06}.txt", number / FOLDER)
}

/// Lines of text, most of it short: 200 bytes to 16 KB.
fn text(random: &mut Random) -> String {
    let size = 200 << random.below(7);
    let mut text = String::with_capacity(size + 64);
    while text.len() < size {
        let _ = writeln!(text, "{:016x} {:08x}", random.next(), random.below(1 << 16));
    }
    text
}

fn import(sandbox: &Sandbox, stream: &str) {
    let mut command = sandbox.command("git");
    command.args(["fast-import", "--quiet", "--done"]).stdin(Stdio::piped()).stderr(Stdio::inherit());
    let mut child = command.spawn().expect("git can be started");
    let mut input = child.stdin.take().expect("it is a pipe");
    input.write_all(stream.as_bytes()).and_then(|()| input.write_all(b"done\n")).expect("git reads all");
    drop(input);
    assert!(child.wait().expect("git was started").success(), "git fast-import failed");
}

fn ids(sandbox: &Sandbox) -> Vec<String> {
    let mut command = sandbox.command("git");
    let output = command.args(["rev-list", "--reverse", "main"]).stdout(Stdio::piped()).output();
    let output = output.expect("git can be started");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
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
