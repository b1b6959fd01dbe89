//! A repository of the sandbox and its working tree.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bstr::ByteSlice as _;

use super::{Run, Sandbox};

/// A repository. Paths of its methods are relative to its working tree; folders are made on the way.
pub(crate) struct Repo<'s> {
    sandbox: &'s Sandbox,
    path: PathBuf,
}

impl<'s> Repo<'s> {
    pub(super) fn new(sandbox: &'s Sandbox, path: PathBuf) -> Self {
        Self { sandbox, path }
    }

    /// The top of the working tree, or the bare repository.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The same repository, with the folder `path` of its working tree as the place where commands run.
    pub(crate) fn inside(&self, path: impl AsRef<Path>) -> Self {
        let path = self.path.join(path);
        fs::create_dir_all(&path).unwrap();
        Self { sandbox: self.sandbox, path }
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        fs::write(self.place(path), text).unwrap();
    }

    /// Writes a file with the executable bit.
    pub(crate) fn executable(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.place(path);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Makes a symbolic link at `path` with the text `target`, over whatever file or link is there.
    pub(crate) fn symlink(&self, path: impl AsRef<Path>, target: impl AsRef<Path>) {
        let path = self.place(path);
        let _ = fs::remove_file(&path);
        symlink(target, path).unwrap();
    }

    /// Removes a file, a link or a whole folder.
    pub(crate) fn remove(&self, path: impl AsRef<Path>) {
        let path = self.path.join(path);
        if path.is_dir() && !path.is_symlink() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
    }

    /// Writes dist.json with these targets, given as the inside of the JSON object.
    pub(crate) fn manifest(&self, targets: &str) {
        self.write("dist.json", format!("{{ \"version\": 1, \"targets\": {{ {targets} }} }}\n"));
    }

    /// Commits everything in the working tree, a minute after the commit before; returns the full id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.sandbox.tick();
        self.git(["add", "--all"]);
        self.git(["commit", "--quiet", "--allow-empty", "--message", message]);
        self.id("HEAD")
    }

    /// Commits exactly `entries` (mode, path, content; a submodule's content is its commit id) on `main`, past working
    /// tree, index and filters: any byte may stand in a name, and blobs are what is written here.
    pub(crate) fn import(&self, message: &str, entries: &[(&str, &[u8], &[u8])]) -> String {
        self.sandbox.tick();
        let mut stream = Vec::new();
        let who = self.git(["var", "GIT_COMMITTER_IDENT"]);
        let _ =
            write!(stream, "commit refs/heads/main\ncommitter {who}\ndata {}\n{message}\n", message.len());
        let parent =
            self.sandbox.command("git", &self.path).args(["rev-parse", "-q", "--verify", "main"]).output();
        if parent.unwrap().status.success() {
            stream.extend(b"from refs/heads/main^0\n");
        }
        stream.extend(b"deleteall\n");
        for (mode, path, content) in entries {
            let path = path.iter().fold(String::new(), |path, byte| path + &format!("\\{byte:03o}"));
            if *mode == "160000" {
                let _ = writeln!(stream, "M 160000 {} \"{path}\"", content.as_bstr());
                continue;
            }
            let _ = writeln!(stream, "M {mode} inline \"{path}\"\ndata {}", content.len());
            stream.extend_from_slice(content);
            stream.push(b'\n');
        }
        let mut command = self.sandbox.command("git", &self.path);
        let command = command.args(["fast-import", "--quiet", "--done"]).stdin(Stdio::piped());
        let mut child = command.spawn().unwrap();
        stream.extend(b"done\n");
        child.stdin.take().unwrap().write_all(&stream).unwrap();
        assert!(child.wait().unwrap().success(), "git fast-import");
        self.id("main")
    }

    /// Writes an object of exactly these bytes, whatever git thinks of them; returns its id.
    pub(crate) fn object(&self, kind: &str, bytes: &[u8]) -> String {
        let mut command = self.sandbox.command("git", &self.path);
        command.args(["hash-object", "-t", kind, "--literally", "-w", "--stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git hash-object");
        output.stdout.trim().to_str().unwrap().to_owned()
    }

    /// Writes a tree of exactly these entries (mode, name, id), in this order; returns its id.
    pub(crate) fn tree<N: AsRef<[u8]>>(&self, entries: &[(&str, N, &str)]) -> String {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name.as_ref());
            bytes.push(0);
            bytes.extend((0..id.len()).step_by(2).map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()));
        }
        self.object("tree", &bytes)
    }

    /// Commits the tree `tree` as the next commit on `main`, past index and working tree; returns the commit's id.
    pub(crate) fn commit_tree(&self, tree: &str) -> String {
        self.sandbox.tick();
        let id = self.git(["commit-tree", "-m", "made", tree]);
        self.git(["update-ref", "refs/heads/main", &id]);
        id
    }

    /// The full id of a revision.
    pub(crate) fn id(&self, revision: &str) -> String {
        self.git(["rev-parse", "--verify", revision])
    }

    /// What the version of `base` made from a revision is called, computed by git itself.
    pub(crate) fn version(&self, base: &str, revision: &str) -> String {
        let count = self.git(["--no-replace-objects", "rev-list", "--count", revision]);
        let id = self.id(&format!("{revision}^{{commit}}"));
        format!("{base}.{count}.{}", &id[..7])
    }

    /// Runs git, which must succeed; returns what it prints, trimmed at the end.
    pub(crate) fn git<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let run = self.sandbox.run(self.sandbox.command("git", &self.path).args(arguments));
        run.success().raw_stdout().trim_end().to_owned()
    }

    /// Runs `git dist` here.
    pub(crate) fn dist<const N: usize>(&self, arguments: [&str; N]) -> Run {
        self.dist_with([], arguments)
    }

    /// Runs `git dist` here with these environment variables.
    pub(crate) fn dist_with<const E: usize, const N: usize>(
        &self,
        environment: [(&str, &str); E],
        arguments: [&str; N],
    ) -> Run {
        self.sandbox.run(self.sandbox.dist_command(&self.path).envs(environment).args(arguments))
    }

    /// Clones this repository to the folder `name` of the sandbox with these options of `git clone`.
    pub(crate) fn clone_to<const N: usize>(&self, name: &str, options: [&str; N]) -> Repo<'s> {
        let to = self.sandbox.path().join(name);
        let from = format!("file://{}", self.path.display());
        let arguments = ["clone", "--quiet"].into_iter().chain(options).map(OsStr::new);
        self.git(arguments.chain([OsStr::new(&from), to.as_os_str()]));
        self.sandbox.open(to)
    }

    fn place(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }
}
