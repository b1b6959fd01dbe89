//! Counting commits, at the cost of what is new since the last time.
//!
//! The count of a commit is that of a known ancestor plus the commits that the ancestor lacks. Those are found by walking
//! from the commit, the latest date first, and by following what the known ancestor reaches until no commit that was
//! taken for new can be among it. Dates may lie, so the known ancestor says up to which date its history is out of
//! order: beyond it, a commit is never older than its parents, and an earlier date means that all has been seen.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use bstr::ByteSlice as _;
use gix::ObjectId;
use gix::commitgraph::Graph;
use gix::hash::Kind;
use gix::hashtable::HashMap;
use gix::prelude::FindExt as _;
use gix::traverse::commit::ParentIds;

use super::pack::{Found, PackReader, Packs};
use super::remembered::{Known, Remembered};
use super::{GitError, Repository, Result, Revision};

/// Before a longer walk it is worth to look whether git's commit-graph, which has to be checked as a whole, can do it.
const LONG: usize = 300;
/// The bits of a date that a commit-graph has room for. Dates only decide in which order commits are visited.
const DATE: u64 = (1 << 34) - 1;

/// How many commits a commit reaches, itself included.
#[derive(Clone, Copy, Debug)]
pub struct CommitCount {
    /// The number.
    pub commits: u64,
    known: Known,
    is_remembered: bool,
}

impl Repository {
    /// Number of commits reachable from `revision`, itself included: what `git rev-list --count` prints. Grafts and
    /// replace refs do not count.
    ///
    /// # Errors
    /// When the history is cut off by a shallow clone, or objects are missing.
    pub fn count(&self, revision: &Revision) -> Result<CommitCount> {
        let act = || format!("count the history of `{}`", revision.asked);
        let boundary = self.local.shallow_commits();
        let boundary = boundary.map_err(|source| GitError::Other { act: act(), source })?;
        let is_cut = |id: &ObjectId| boundary.as_ref().is_some_and(|cut| cut.contains(id));
        // A shallow clone has to refuse, or to have seen all itself.
        let remembered = match boundary {
            None => Remembered::read(self.common_dir(), self.hash_kind()),
            Some(_) => Remembered::default(),
        };
        if let Some(known) = remembered.get(revision.commit) {
            return Ok(CommitCount { commits: known.count, known, is_remembered: true });
        }
        let packs = Packs::new(&self.local);
        let mut walk = Walk::new(&self.local, &packs, boundary.is_none());
        let counted = walk.count(revision.commit, &remembered, is_cut);
        let known = counted.map_err(|stop| match stop {
            Stop::Cut => GitError::Shallow { revision: revision.asked.clone() },
            Stop::Unreadable(source) => GitError::Other { act: act(), source },
        })?;
        Ok(CommitCount { commits: known.count, known, is_remembered: boundary.is_some() })
    }

    /// Notes `count` in the git directory, if that belongs to this user, so that it and what comes after it need not
    /// be counted from the start. That it cannot be written does not matter.
    pub fn remember(&self, revision: &Revision, count: CommitCount) {
        if !count.is_remembered {
            // Another run may have counted meanwhile.
            let remembered = Remembered::read(self.common_dir(), self.hash_kind());
            remembered.add(revision.commit, count.known, self.common_dir());
        }
    }
}

/// Why a walk cannot go on.
enum Stop {
    /// The clone's history ends here.
    Cut,
    /// A commit is missing or broken.
    Unreadable(gix::Error),
}

impl From<gix::Error> for Stop {
    fn from(source: gix::Error) -> Self {
        Self::Unreadable(source)
    }
}

/// A walk over commits.
struct Walk<'r> {
    commits: Commits<'r>,
    seen: HashMap<ObjectId, Seen>,
    /// Commits whose parents are still to be looked at.
    queue: BinaryHeap<Waiting>,
    /// How many of the seen are new, and how many of the waiting.
    new: u64,
    new_waiting: usize,
    may_try_graph: bool,
}

/// What is known about a commit that was met.
struct Seen {
    date: u64,
    /// Reachable from the known ancestor.
    is_old: bool,
    /// New, and in the queue.
    waits_as_new: bool,
}

impl<'r> Walk<'r> {
    fn new(repository: &'r gix::Repository, packs: &'r Packs, may_try_graph: bool) -> Self {
        let packs = packs.reader(gix::objs::Kind::Commit);
        let commits = Commits { repository, packs, read: 0, buffer: Vec::new() };
        let (seen, queue) = (HashMap::default(), BinaryHeap::new());
        Self { commits, seen, queue, new: 0, new_waiting: 0, may_try_graph }
    }

    fn count(
        &mut self,
        tip: ObjectId,
        remembered: &Remembered,
        is_cut: impl Fn(&ObjectId) -> bool,
    ) -> Result<Known, Stop> {
        let (mut known, mut disorder, mut oldest) = (None::<Known>, 0, u64::MAX);
        self.meet(tip, false)?;
        while let Some(next) = self.queue.peek() {
            if known.is_some_and(|known| self.new_waiting == 0 && oldest > known.disorder.max(next.date)) {
                break;
            }
            let Some(Waiting { date, id, parents }) = self.queue.pop() else { break };
            if is_cut(&id) {
                return Err(Stop::Cut);
            }
            if self.commits.read >= LONG
                && std::mem::take(&mut self.may_try_graph)
                && let Some(all) = self.commits.count_by_graph(tip)?
            {
                return Ok(all);
            }
            let seen = self.seen.get_mut(&id).expect("what waits was met");
            if std::mem::take(&mut seen.waits_as_new) {
                self.new_waiting -= 1;
            }
            if !seen.is_old && known.is_none() {
                known = remembered.get(id);
                seen.is_old = known.is_some();
                self.new -= u64::from(seen.is_old);
            }
            let is_old = seen.is_old;
            if !is_old {
                oldest = oldest.min(date);
            }
            for parent in parents {
                let parent_date = self.meet(parent, is_old)?;
                if !is_old && parent_date > date {
                    disorder = disorder.max(parent_date);
                }
            }
        }
        let known = known.unwrap_or_default();
        // Nothing that was remembered may bring a run down, however wrong it is.
        let count = known.count.saturating_add(self.new);
        Ok(Known { count, disorder: disorder.max(known.disorder) })
    }

    /// Takes note of a commit and tells its date. What turns out to be old after it was passed is passed again.
    fn meet(&mut self, id: ObjectId, is_old: bool) -> Result<u64, Stop> {
        match self.seen.get_mut(&id) {
            Some(seen) if is_old && !seen.is_old => {
                seen.is_old = true;
                self.new -= 1;
                let date = seen.date;
                if std::mem::take(&mut seen.waits_as_new) {
                    self.new_waiting -= 1;
                } else {
                    self.queue.push(self.commits.read(id)?);
                }
                Ok(date)
            }
            Some(seen) => Ok(seen.date),
            None => {
                let waiting = self.commits.read(id)?;
                let date = waiting.date;
                self.queue.push(waiting);
                self.seen.insert(id, Seen { date, is_old, waits_as_new: !is_old });
                self.new += u64::from(!is_old);
                self.new_waiting += usize::from(!is_old);
                Ok(date)
            }
        }
    }
}

/// A commit in the queue: the latest date first.
struct Waiting {
    date: u64,
    id: ObjectId,
    parents: ParentIds,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.date.cmp(&other.date)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

/// Where commits are read from.
struct Commits<'r> {
    repository: &'r gix::Repository,
    packs: PackReader<'r>,
    /// How many were read.
    read: usize,
    buffer: Vec<u8>,
}

impl Commits<'_> {
    fn read(&mut self, id: ObjectId) -> Result<Waiting, gix::Error> {
        self.read += 1;
        if let Some(Found::Whole(commit)) = self.packs.find(id)
            && let Some((parents, date)) = parents_and_date(commit, id.kind())
        {
            return Ok(Waiting { date: date & DATE, id, parents });
        }
        self.buffer.clear();
        let commit = self.repository.objects.find_commit_iter(&id, &mut self.buffer)?;
        let date = commit.committer().map_or(0, |committer| committer.seconds());
        let parents = commit.parent_ids().collect();
        Ok(Waiting { date: date.cast_unsigned() & DATE, id, parents })
    }

    /// Counts all that `tip` reaches with the help of git's commit-graph, a copy of what commits say of their parents.
    /// `None` where there is none, or one that is damaged.
    fn count_by_graph(&mut self, tip: ObjectId) -> Result<Option<Known>, gix::Error> {
        let graph = self.repository.commit_graph_if_enabled().ok().flatten();
        let is_whole =
            |graph: &Graph| graph.verify_integrity(|_| Ok::<_, std::convert::Infallible>(())).is_ok();
        let Some(graph) = graph.filter(is_whole) else { return Ok(None) };
        let mut known = Known::default();
        // Commits that the graph does not know yet, and then, by number, those that it knows with all their parents.
        let (mut later, mut seen_later) = (vec![(tip, u64::MAX)], HashMap::default());
        let (mut inside, mut seen_inside) = (Vec::new(), vec![false; graph.num_commits() as usize]);
        while let Some((id, child_date)) = later.pop() {
            if let Some(position) = graph.lookup(id) {
                inside.push((position, child_date));
                continue;
            }
            let date = match seen_later.get(&id) {
                Some(date) => *date,
                None => {
                    let Waiting { date, parents, .. } = self.read(id)?;
                    known.count += 1;
                    later.extend(parents.iter().map(|parent| (*parent, date)));
                    seen_later.insert(id, date);
                    date
                }
            };
            known.disorder = known.disorder.max(if date > child_date { date } else { 0 });
        }
        while let Some((position, child_date)) = inside.pop() {
            let commit = graph.commit_at(position);
            let date = commit.committer_timestamp();
            known.disorder = known.disorder.max(if date > child_date { date } else { 0 });
            if !std::mem::replace(&mut seen_inside[position.0 as usize], true) {
                known.count += 1;
                for parent in commit.iter_parents() {
                    inside.push((parent?, date));
                }
            }
        }
        Ok(Some(known))
    }
}

/// Parents of a commit, and the committer's date in seconds since 1970. `None` where it is not just as git writes it: gix
/// makes the best of it.
fn parents_and_date(commit: &[u8], kind: Kind) -> Option<(ParentIds, u64)> {
    let hex = kind.len_in_hex();
    let mut rest = commit.strip_prefix(b"tree ")?.get(hex..)?.strip_prefix(b"\n")?;
    let mut parents = ParentIds::new();
    while let Some(line) = rest.strip_prefix(b"parent ") {
        let (id, after) = line.split_at_checked(hex)?;
        parents.push(ObjectId::from_hex(id).ok()?);
        rest = after.strip_prefix(b"\n")?;
    }
    let (_, rest) = rest.strip_prefix(b"author ")?.split_once_str("\n")?;
    let (committer, _) = rest.strip_prefix(b"committer ")?.split_once_str("\n")?;
    let (_, date) = committer.split_once_str("> ").filter(|(_, date)| !date.contains(&b'>'))?;
    let (seconds, _) = date.split_once_str(" ")?;
    let is_number = seconds.iter().all(u8::is_ascii_digit);
    is_number.then_some((parents, seconds.to_str().ok()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_and_date_are_read_from_what_git_writes_and_from_nothing_else() {
        let (tree, parent) = ("1".repeat(40), "2".repeat(40));
        let commit = |header: &str, committer: &str| {
            format!("tree {tree}\n{header}author A <a@b> 1 +0000\ncommitter {committer}\n\ntext\n")
        };
        let read = |commit: String| parents_and_date(commit.as_bytes(), Kind::Sha1);
        let parents = format!("parent {parent}\nparent {tree}\n");
        let (ids, date) = read(commit(&parents, "A B <a@b> 1500000000 +0200")).unwrap();
        assert_eq!(ids.iter().map(ToString::to_string).collect::<Vec<_>>(), [parent.as_str(), tree.as_str()]);
        assert_eq!(date, 1_500_000_000);
        assert_eq!(read(commit("", "A <a@b> 7 +0000")).unwrap().0.len(), 0);
        for committer in
            ["A <a@b> -7 +0000", "A <a@b> +7 +0000", "A <a@b>", "A <a@b> x +0000", "A> <a@b> 7 +0000"]
        {
            assert!(read(commit("", committer)).is_none(), "{committer}");
        }
        assert!(read(commit(&format!("parent {}\n", &parent[1..]), "A <a@b> 7 +0000")).is_none());
        assert!(read(commit(&format!("tree {tree}\n"), "A <a@b> 7 +0000")).is_none());
    }
}
