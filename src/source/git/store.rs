//! Bare stores of releases: what arrives from elsewhere is kept in one, as commits, and deployed from there.
//!
//! git itself does the work. It runs without the host's configuration, so that nothing but what is said here decides what
//! it does, except where a remote is asked, whose credentials, proxies and keys stand there. It never asks anybody.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use gix::ObjectId;

use super::{GitError, HashKind, Repository, Result};
use crate::command::{self, Background, Command, CommandError, Output, Program, TimeLimit};
use crate::disk::{Dir, WorkFolder};

use super::stream::{Commit, Stream};

/// How long a program may take, and who may stop it.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Its time; `None` = as long as it takes.
    pub limit: Option<TimeLimit>,
    /// True if the run was asked to stop.
    pub interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// A bare repository of git dist's own.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
}

/// The most that the head of a bundle may be, in bytes.
const LARGEST_HEAD: u64 = 64 << 10;
/// What every git here runs with.
const FIXED: [(&str, &str); 4] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("SSH_ASKPASS_REQUIRE", "never"),
    ("GIT_ASKPASS", "true"),
    ("LC_ALL", "C"),
];
/// What keeps the host's configuration out.
const ALONE: [(&str, &str); 2] = [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")];
/// Settings of every git here: what is fetched is checked, nothing of it runs, and what is there is durable.
const SETTINGS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "fetch.fsckObjects=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "core.fsync=committed",
];

impl Store {
    /// The store at `path`, which is made where it is missing. What it holds came from `origin`.
    ///
    /// # Errors
    /// When it cannot be made, or git not be run.
    pub fn open(path: &Path, hash: HashKind, origin: &str, watch: Watch<'_>) -> Result<Self> {
        let path = &super::repository::absolute(path);
        let store = Self { path: path.clone() };
        let parent = path.parent().unwrap_or(path);
        let format = if hash == HashKind::Sha256 { "sha256" } else { "sha1" };
        // What a killed run left half made has no configuration yet.
        if !path.join("config").is_file() || Repository::at(path).is_err() {
            Dir::create_all(parent)?;
            let format = format!("--object-format={format}");
            let arguments = ["init", "--quiet", "--bare", "--template=", &format, "--"].map(OsString::from);
            let all: Vec<OsString> = arguments.into_iter().chain([path.as_os_str().to_owned()]).collect();
            store.run_in(parent, "make a store", &all, None, watch)?;
        }
        let known = Repository::at(path)?.config("remote.origin.url");
        if known.as_deref() != Some(origin) {
            store.run("name its origin", &["config", "remote.origin.url", origin], watch)?;
        }
        Ok(store)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It, as a repository to read.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn repository(&self) -> Result<Repository> {
        Repository::at(&self.path)
    }

    /// Lets this store borrow objects from the object folders `others`.
    ///
    /// # Errors
    /// When that cannot be written down.
    pub fn borrow_from(&self, others: &[PathBuf]) -> Result<()> {
        let mut text = Vec::new();
        for other in others {
            text.extend_from_slice(other.as_os_str().as_bytes());
            text.push(b'\n');
        }
        Ok(Dir::create_all(&self.path.join("objects/info"))?.replace_file("alternates", &text)?)
    }

    /// Takes the commit in that the stream `fill` writes. Returns its id.
    ///
    /// # Errors
    /// When the stream cannot be written, or git does not take it.
    pub fn import<E: From<GitError> + From<crate::disk::DiskError>>(
        &self,
        commit: &Commit<'_>,
        watch: Watch<'_>,
        fill: impl FnOnce(&mut Stream) -> Result<(), E>,
    ) -> Result<ObjectId, E> {
        let folder = WorkFolder::create_in(&self.path.join("work"))?;
        let name = "stream";
        let mut stream = Stream::begin(folder.dir().create_file(name, 0o600)?, commit)?;
        fill(&mut stream)?;
        stream.end()?;
        let input = folder.dir().open_file(name)?;
        let arguments = ["fast-import", "--quiet", "--done", "--force"].map(OsString::from);
        self.run_in(&self.path, "import files", &arguments, Some(&input), watch)?;
        Ok(self.repository()?.reference(commit.reference)?)
    }

    /// Writes the tag object `text`, which may be signed, and lets `reference` lead to it.
    ///
    /// # Errors
    /// When git does not take it.
    pub fn tag(&self, reference: &str, text: &[u8], watch: Watch<'_>) -> Result<()> {
        let folder = WorkFolder::create_in(&self.path.join("work"))?;
        folder.dir().create_file("tag", 0o600)?.write(text)?;
        let input = folder.dir().open_file("tag")?;
        let arguments = ["hash-object", "-t", "tag", "-w", "--stdin"].map(OsString::from);
        let said = self.run_in(&self.path, "make a tag", &arguments, Some(&input), watch)?;
        let id = said.bytes().trim().to_str_lossy().into_owned();
        self.point(reference, &id, watch)
    }

    /// Lets `reference` lead to the object `id`.
    ///
    /// # Errors
    /// When it is not there, or git cannot write it down.
    pub fn point(&self, reference: &str, id: &str, watch: Watch<'_>) -> Result<()> {
        self.run("name an object", &["update-ref", reference, id], watch)?;
        Ok(())
    }

    /// Writes a bundle with what `reference` leads to, without what `from` leads to, to `file`.
    ///
    /// # Errors
    /// When git cannot write it.
    pub fn write_bundle(
        &self,
        file: &Path,
        reference: &str,
        from: Option<&str>,
        watch: Watch<'_>,
    ) -> Result<()> {
        let file = super::repository::absolute(file);
        let without = from.map(|from| format!("^{from}"));
        let arguments = ["bundle", "create", "--quiet"].iter().map(OsString::from);
        let arguments: Vec<OsString> = arguments
            .chain([file.into_os_string(), OsString::from(reference)])
            .chain(without.map(OsString::from))
            .collect();
        self.run_in(&self.path, "write a bundle", &arguments, None, watch)?;
        Ok(())
    }

    /// Takes in what the bundle `file` holds, if that is `reference` and nothing else, and leads to `commit`.
    ///
    /// # Errors
    /// [`GitError::Bundle`] where it is something else, others when git does not take it.
    pub fn read_bundle(&self, file: &Path, reference: &str, commit: &str, watch: Watch<'_>) -> Result<()> {
        // git runs in the store.
        let file = &super::repository::absolute(file);
        let bundle = |problem| GitError::Bundle { path: file.clone(), problem };
        let found = references(file)?.ok_or_else(|| bundle("is none"))?;
        if found != [reference] {
            return Err(bundle("holds other references than the release"));
        }
        let refspec = format!("+{reference}:{reference}");
        let arguments =
            ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--"];
        let arguments: Vec<OsString> = arguments
            .iter()
            .map(OsString::from)
            .chain([file.as_os_str().to_owned(), OsString::from(refspec)])
            .collect();
        self.run_in(&self.path, "read a bundle", &arguments, None, watch)?;
        let is_it = |id: ObjectId| ObjectId::from_hex(commit.as_bytes()).is_ok_and(|wanted| wanted == id);
        if !is_it(self.repository()?.reference(reference)?) {
            return Err(bundle("leads to another release"));
        }
        Ok(())
    }

    /// What a remote has: its references with the commits that they lead to. Its credentials, keys and proxies are those
    /// of the host's configuration; nobody is asked for others.
    ///
    /// # Errors
    /// When it does not answer, or does not let anybody in.
    pub fn list_remote(
        &self,
        url: &str,
        patterns: &[&str],
        watch: Watch<'_>,
    ) -> Result<BTreeMap<String, String>> {
        let arguments = ["ls-remote", "--quiet", "--", url];
        let arguments: Vec<OsString> = arguments.iter().chain(patterns).map(OsString::from).collect();
        let said = self.ask(&arguments, url, watch)?;
        let mut found = BTreeMap::new();
        for line in ByteSlice::lines(said.bytes()).map(ByteSlice::to_str_lossy) {
            let Some((id, name)) = line.split_once('\t') else { continue };
            if ObjectId::from_hex(id.as_bytes()).is_err() {
                continue;
            }
            // What an annotated tag leads to stands behind the tag itself.
            found.insert(name.strip_suffix("^{}").unwrap_or(name).to_owned(), id.to_owned());
        }
        Ok(found)
    }

    /// Fetches `reference` of a remote, with its history, under the same name.
    ///
    /// # Errors
    /// As [`Store::list_remote`].
    pub fn fetch(&self, url: &str, reference: &str, watch: Watch<'_>) -> Result<ObjectId> {
        let refspec = format!("+{reference}:{reference}");
        let arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
        let remote = ["--", url, &refspec];
        let arguments: Vec<OsString> = arguments.iter().chain(&remote).map(OsString::from).collect();
        self.ask(&arguments, url, watch)?;
        self.repository()?.reference(reference)
    }

    /// Packs everything into one pack, where there are many: every release that arrives brings one.
    ///
    /// # Errors
    /// When git cannot write it; nothing is lost then.
    pub fn tidy(&self, most: usize, watch: Watch<'_>) -> Result<()> {
        let packs = Dir::open(&self.path.join("objects/pack"))?.names()?;
        if packs.iter().filter(|name| name.extension() == Some(OsStr::new("pack"))).count() > most {
            self.run("pack", &["repack", "-adq"], watch)?;
        }
        Ok(())
    }

    fn run(&self, act: &'static str, arguments: &[&str], watch: Watch<'_>) -> Result<Output> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        self.run_in(&self.path, act, &arguments, None, watch)
    }

    fn run_in(
        &self,
        directory: &Path,
        act: &'static str,
        arguments: &[OsString],
        input: Option<&File>,
        watch: Watch<'_>,
    ) -> Result<Output> {
        let environment = environment(FIXED.iter().chain(&ALONE));
        Self::git(directory, &environment, arguments, input, watch).map_err(|source| GitError::Store {
            act,
            path: self.path.clone(),
            source,
        })
    }

    /// Runs git with the host's configuration, which says how remotes are reached.
    fn ask(&self, arguments: &[OsString], url: &str, watch: Watch<'_>) -> Result<Output> {
        let mut environment = environment(&FIXED);
        // Of options that are given to ssh twice the first counts: the user's own.
        if std::env::var_os("GIT_SSH").is_none() {
            let ssh = std::env::var("GIT_SSH_COMMAND").unwrap_or_else(|_| "ssh".to_owned());
            let quiet = format!("{ssh} -o BatchMode=yes -o ConnectTimeout=10");
            environment.insert("GIT_SSH_COMMAND".to_owned(), quiet);
        }
        // Slower than that for half a minute is as good as away.
        let slow = ["-c", "http.lowSpeedLimit=1000", "-c", "http.lowSpeedTime=30"].map(OsString::from);
        let arguments: Vec<OsString> = slow.into_iter().chain(arguments.iter().cloned()).collect();
        let said = Self::git(&self.path, &environment, &arguments, None, watch);
        said.map_err(|source| GitError::of_remote(url, source))
    }

    fn git(
        directory: &Path,
        environment: &BTreeMap<String, String>,
        arguments: &[OsString],
        input: Option<&File>,
        watch: Watch<'_>,
    ) -> Result<Output, CommandError> {
        let settings = SETTINGS.iter().flat_map(|setting| [OsString::from("-c"), OsString::from(setting)]);
        let arguments: Vec<OsString> = settings.chain(arguments.iter().cloned()).collect();
        let command = Command {
            program: Program::Path("git", &arguments),
            directory,
            environment,
            without: &[],
            input,
            time_limit: watch.limit,
            background: Background::Stop,
        };
        command::run(&command, watch.interrupted)
    }
}

fn environment<'a>(pairs: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The references that a bundle holds; `None` if it is none (gitformat-bundle(5)).
fn references(file: &Path) -> Result<Option<Vec<String>>> {
    let folder = Dir::open(file.parent().unwrap_or(file))?;
    let mut head = BufReader::new(folder.open_file(file.file_name().unwrap_or_default())?.take(LARGEST_HEAD));
    let mut line = Vec::new();
    let mut found = Vec::new();
    let mut is_first = true;
    loop {
        line.clear();
        let read = head.read_until(b'\n', &mut line).map_err(|source| crate::disk::DiskError {
            act: "read",
            path: file.to_owned(),
            source,
        })?;
        let Some(text) = line.strip_suffix(b"\n").filter(|_| read > 0) else { return Ok(None) };
        if is_first {
            if !matches!(text, b"# v2 git bundle" | b"# v3 git bundle") {
                return Ok(None);
            }
            is_first = false;
        } else if text.is_empty() {
            return Ok(Some(found));
        } else if !text.starts_with(b"@") && !text.starts_with(b"-") {
            let Some((_, name)) = text.split_once_str(b" ") else { return Ok(None) };
            found.push(name.to_str_lossy().into_owned());
        }
    }
}

impl Repository {
    /// The commit that the reference `name` leads to, through tags.
    ///
    /// # Errors
    /// When there is no such reference, or no commit behind it.
    pub fn reference(&self, name: &str) -> Result<ObjectId> {
        Ok(self.resolve(name)?.commit)
    }

    /// True if the commit `id` is here.
    pub fn has(&self, id: &str) -> bool {
        ObjectId::from_hex(id.as_bytes()).is_ok_and(|id| self.local.has_object(id))
    }

    /// The folder of its objects, for those who borrow from it.
    pub fn objects(&self) -> PathBuf {
        super::repository::absolute(&self.common_dir().join("objects"))
    }
}
