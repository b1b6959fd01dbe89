//! Resolving a revision, once, to everything that names a version.

use bstr::ByteSlice as _;
use gix::ObjectId;
use gix::prelude::FindExt as _;

use super::object::matches_id;
use super::repository::beyond_not_found;
use super::{AskedTag, GitError, Repository, Result};
use crate::spelling::nearest;

/// So many commits are looked at before a history is compared as a whole.
const SOON: usize = 100;

/// A commit, pinned: every later read of a run goes through its ids.
#[derive(Clone, Debug)]
pub struct Revision {
    /// The revision as it was asked for: `HEAD`, `v1.2`, ...
    pub asked: String,
    /// The commit's full id.
    pub commit: ObjectId,
    /// The commit's tree.
    pub tree: ObjectId,
    /// The committer's date in seconds since 1970.
    pub time: i64,
    /// The commit's author.
    pub author: Author,
    /// First line of the commit message.
    pub subject: String,
    /// Encoding that the commit says its texts are in, where it says so.
    pub encoding: Option<String>,
    /// The branch that was checked out when `HEAD` was asked for.
    pub branch: Option<String>,
    /// The annotated tag that was asked for, if it was one.
    pub tag: Option<AskedTag>,
}

/// Who wrote a commit.
#[derive(Clone, Debug)]
pub struct Author {
    /// Name as written in the commit.
    pub name: String,
    /// Mail address as written in the commit.
    pub email: String,
}

impl Revision {
    /// The first seven hex digits of the commit id, as version names carry them.
    pub fn short(&self) -> String {
        self.commit.to_hex_with_len(7).to_string()
    }
}

/// How a commit stands to the one that is to be deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// It is the same commit.
    Same,
    /// It is part of the new one's history: the ordinary case.
    Older,
    /// The new one is part of its history: deploying would go back.
    Newer,
    /// Each has commits that the other lacks.
    Diverged {
        /// Number of commits that would be lost.
        lost: u64,
    },
    /// This repository does not have it.
    Unknown,
}

impl Repository {
    /// Resolves `asked` to a commit, peeling annotated tags.
    ///
    /// # Errors
    /// When it names no commit, or when objects are missing.
    pub fn resolve(&self, asked: &str) -> Result<Revision> {
        let (commit, tag) = self.pin(asked)?;
        let data = self.commit_data(commit)?;
        let missing =
            |source| GitError::CorruptObject { what: format!("commit `{asked}`"), id: commit, source };
        let parsed =
            gix::objs::CommitRef::from_bytes(&data, self.hash_kind()).map_err(|e| missing(Some(e)))?;
        let author = parsed.author().map_err(|e| missing(Some(e)))?;
        Ok(Revision {
            asked: asked.to_owned(),
            commit,
            tree: parsed.tree(),
            time: parsed.committer().map_err(|e| missing(Some(e)))?.seconds(),
            author: Author {
                name: author.name.to_str_lossy().into(),
                email: author.email.to_str_lossy().into(),
            },
            subject: parsed.message().summary().to_str_lossy().into(),
            encoding: parsed.encoding.map(|name| name.to_str_lossy().into()),
            branch: if asked == "HEAD" { self.branch() } else { None },
            tag,
        })
    }

    /// The commit `id`, which people know by `name`: a branch, tag or channel that records name.
    ///
    /// # Errors
    /// As [`Repository::resolve`].
    pub fn resolve_as(&self, id: &str, name: &str) -> Result<Revision> {
        Ok(Revision { asked: name.to_owned(), branch: Some(name.to_owned()), ..self.resolve(id)? })
    }

    /// How `other` (a full id, as in a record) stands to `new`.
    ///
    /// # Errors
    /// When objects of the history are missing or broken.
    pub fn ancestry(&self, other: &str, new: &Revision) -> Result<Ancestry> {
        let Ok(other) = ObjectId::from_hex(other.as_bytes()) else { return Ok(Ancestry::Unknown) };
        if other == new.commit {
            return Ok(Ancestry::Same);
        }
        if other.kind() != self.hash_kind() || !self.local.has_object(other) {
            return Ok(Ancestry::Unknown);
        }
        if self.reaches_soon(new.commit, other) {
            return Ok(Ancestry::Older);
        }
        if self.not_reachable(new.commit, other)? == 0 {
            return Ok(Ancestry::Newer);
        }
        Ok(match self.not_reachable(other, new.commit)? {
            0 => Ancestry::Older,
            lost => Ancestry::Diverged { lost },
        })
    }

    /// Completes an abbreviated commit id (four digits or more) from a version's name to the full one, where
    /// this repository has it.
    pub fn complete_id(&self, short: &str) -> Option<String> {
        let id = self.local.rev_parse_single(short).ok()?;
        Some(id.detach().to_string())
    }

    /// Whether histories are read from the commit-graph: what the configuration says, but never one that is damaged,
    /// for git itself notices that in `git fsck` only.
    fn graph_use(&self) -> Option<bool> {
        let info = self.local.objects.store_ref().path().join("info");
        let layers = std::fs::read_dir(info.join("commit-graphs")).into_iter().flatten().flatten();
        let layers =
            layers.map(|layer| layer.path()).filter(|path| path.extension().is_some_and(|it| it == "graph"));
        let whole = info.join("commit-graph");
        let mut files = layers.chain(whole.exists().then_some(whole));
        let is_damaged = |path: std::path::PathBuf| {
            let file = gix::commitgraph::File::at(path);
            file.and_then(|file| file.verify_checksum()).is_err()
        };
        files.any(is_damaged).then_some(false)
    }

    /// True if `old` is among the latest commits that `new` reaches, which is the ordinary case: it is told from a few
    /// commits, where a commit-graph would have to be checked as a whole.
    fn reaches_soon(&self, new: ObjectId, old: ObjectId) -> bool {
        use gix::revision::walk::Sorting;
        let latest_first = Sorting::ByCommitTime(gix::traverse::commit::simple::CommitTimeOrder::NewestFirst);
        let walk = self.local.rev_walk([new]).sorting(latest_first).use_commit_graph(false);
        walk.all().is_ok_and(|walk| walk.take(SOON).any(|commit| commit.is_ok_and(|commit| commit.id == old)))
    }

    /// Number of commits that are reachable from `tip` and not from `hidden`.
    fn not_reachable(&self, tip: ObjectId, hidden: ObjectId) -> Result<u64> {
        let failed =
            |source| GitError::Other { act: format!("compare the histories of {tip} and {hidden}"), source };
        let walk = self.local.rev_walk([tip]).with_hidden([hidden]).use_commit_graph(self.graph_use());
        let walk = walk.all().map_err(failed)?;
        let mut count = 0;
        for commit in walk {
            commit.map_err(failed)?;
            count += 1;
        }
        Ok(count)
    }

    /// The commit that `asked` leads to, and the tag that it names.
    fn pin(&self, asked: &str) -> Result<(ObjectId, Option<AskedTag>)> {
        if self.refs_need_git() {
            return self.pin_by_git(asked);
        }
        match self.local.rev_parse(asked) {
            Ok(spec) => {
                let reference = spec.first_reference().map(|reference| reference.name.to_string());
                let Some(id) = spec.single() else { return Err(self.no_such_revision(asked, None)) };
                self.peel(asked, id.detach(), reference)
            }
            Err(_) if asked == "HEAD" && self.local.head().is_ok_and(|head| head.is_unborn()) => {
                Err(GitError::Unborn { path: self.place() })
            }
            // What gix cannot read, git may: `main@{yesterday}`, `:/text`.
            Err(source) => self.pin_by_git(asked).or(Err(self.unknown(asked, source))),
        }
    }

    fn pin_by_git(&self, asked: &str) -> Result<(ObjectId, Option<AskedTag>)> {
        let parse = |options: &[&str]| {
            self.git(&[&["rev-parse", "--verify", "--quiet"], options, &["--end-of-options", asked]].concat())
        };
        let printed = match parse(&[]) {
            Ok(printed) => printed,
            // Quiet about a revision that is none; what it does say (an ambiguous id) is worth repeating.
            Err(GitError::Command { stderr, .. }) => {
                let said = gix::Error::from_error(gix::error::message!("{stderr}"));
                let said = (!stderr.is_empty()).then_some(said);
                return Err(self.no_such_revision(asked, said));
            }
            Err(error) => return Err(error),
        };
        let id = ObjectId::from_hex(printed.trim().as_bytes()).map_err(|source| GitError::Other {
            act: format!("read what `git rev-parse` printed for `{asked}`"),
            source,
        })?;
        let reference = parse(&["--symbolic-full-name"]).ok();
        let reference =
            reference.map(|name| name.trim_end().to_owned()).filter(|name| name.starts_with("refs/"));
        self.peel(asked, id, reference)
    }

    fn unknown(&self, asked: &str, source: gix::Error) -> GitError {
        self.no_such_revision(asked, beyond_not_found(source))
    }

    fn no_such_revision(&self, asked: &str, source: Option<gix::Error>) -> GitError {
        let near = self.nearest_reference(asked);
        GitError::NoSuchRevision { revision: asked.to_owned(), path: self.place(), near, source }
    }

    /// The branch or tag whose name is nearest to `asked`.
    fn nearest_reference(&self, asked: &str) -> Option<String> {
        let references = self.local.references().ok()?;
        let names: Vec<String> = references
            .all()
            .ok()?
            .filter_map(std::result::Result::ok)
            .map(|reference| reference.name().shorten().to_string())
            .collect();
        nearest(asked, names.iter().map(String::as_str)).map(ToOwned::to_owned)
    }

    /// Follows annotated tags from the object that `reference` names, or `asked` by its id, to the commit.
    fn peel(
        &self,
        asked: &str,
        id: ObjectId,
        reference: Option<String>,
    ) -> Result<(ObjectId, Option<AskedTag>)> {
        let object = self.local.find_object(id).map_err(|source| self.unknown(asked, source))?;
        let tag = (object.kind == gix::objs::Kind::Tag).then_some(AskedTag { id, reference });
        let commit =
            object.peel_to_kind(gix::objs::Kind::Commit).map_err(|source| self.unknown(asked, source))?;
        Ok((commit.id, tag))
    }

    /// The bytes of a commit, which are those that its id names.
    ///
    /// # Errors
    /// When it is missing, or its bytes do not match its id.
    pub fn commit_data(&self, id: ObjectId) -> Result<Vec<u8>> {
        self.object_data(id, &format!("commit {id}"))
    }

    /// The bytes of an object that is `what` to the reader.
    pub(super) fn object_data(&self, id: ObjectId, what: &str) -> Result<Vec<u8>> {
        let mut buffer = Vec::new();
        let corrupt = |source| GitError::CorruptObject { what: what.to_owned(), id, source };
        let kind = self.local.objects.find(&id, &mut buffer).map_err(|source| corrupt(Some(source)))?.kind;
        if matches_id(id, kind, &buffer) { Ok(buffer) } else { Err(corrupt(None)) }
    }
}
