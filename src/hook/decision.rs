//! Whether an event deploys. Pure: everything it depends on is in [`Facts`].

use std::fmt;

use super::{Error, Event, Repository, Settings, Update, Widening};

/// What is checked out where the hook runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The branch; none when `HEAD` is detached, as during a rebase.
    pub branch: Option<String>,
    /// The commit; none before the first one.
    pub commit: Option<String>,
}

/// What is known about the commit that `post-commit` reports.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MergeEvidence {
    /// The subject of `HEAD`'s newest reflog entry, if that entry is about this commit. Git writes `commit (merge)`
    /// when a commit concludes a merge, `commit (amend)` when it replaces one, `commit` for others; something else
    /// only where `GIT_REFLOG_ACTION` is set.
    pub reflog_subject: Option<String>,
    /// How many parents it has.
    pub parents: usize,
    /// Whether the author's and the committer's time are the same second. An amend keeps the author's time.
    pub authored_now: bool,
}

impl MergeEvidence {
    /// Whether the commit concludes a merge.
    ///
    /// Without a reflog (`core.logAllRefUpdates=false`, the default of bare repositories only) the best there is: it
    /// has two parents and was not written at an earlier time, as the amend of a merge commit is.
    pub fn concludes_merge(&self) -> bool {
        match self.reflog_subject.as_deref() {
            Some(subject) if subject.starts_with("commit (merge)") => true,
            Some(subject) if subject.starts_with("commit:") || subject.starts_with("commit (") => false,
            _ => self.parents > 1 && self.authored_now,
        }
    }
}

/// Everything that a decision depends on besides the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The `dist.*` settings.
    pub settings: Settings,
    /// What is checked out; not asked for a push.
    pub head: Head,
    /// Where the configured branch is now; asked for a push only.
    pub tip: Option<String>,
    /// Asked for a commit on the configured branch only.
    pub commit: MergeEvidence,
}

impl Facts {
    /// Asks git for what the decision about `event` needs, and no more.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] or [`Error::Spawn`].
    pub fn collect(repository: &Repository, settings: Settings, event: &Event) -> Result<Self, Error> {
        let mut facts = Self { settings, head: Head::default(), tip: None, commit: MergeEvidence::default() };
        let Some(branch) = facts.settings.branch.clone().filter(|_| facts.settings.auto) else {
            return Ok(facts);
        };
        if matches!(event, Event::Receive { .. }) {
            facts.tip = repository.commit_id(&format!("refs/heads/{branch}"))?;
            return Ok(facts);
        }
        facts.head.branch = repository.head_branch()?;
        if facts.head.branch.as_ref() == Some(&branch) {
            facts.head.commit = repository.commit_id("HEAD")?;
            if let (Event::Commit, Some(head)) = (event, &facts.head.commit) {
                facts.commit = merge_evidence(repository, head)?;
            }
        }
        Ok(facts)
    }
}

/// Looks at the commit `head` and at the reflog entry that made it.
fn merge_evidence(repository: &Repository, head: &str) -> Result<MergeEvidence, Error> {
    let plain = ["--no-show-signature", "--no-patch", "--max-count=1"];
    let log = |format: &str, more: [&str; 2]| {
        let args = ["log", plain[0], plain[1], plain[2], format].into_iter().chain(more);
        repository.git(args).map(|line| String::from_utf8_lossy(&line).into_owned())
    };
    let entry = log("--format=%H %gs", ["--walk-reflogs", "HEAD"])?;
    let commit = log("--format=%at %ct %P", [head, "--"])?;
    let mut fields = commit.split(' ').filter(|field| !field.is_empty());
    let authored_now =
        matches!((fields.next(), fields.next()), (Some(author), Some(committer)) if author == committer);
    Ok(MergeEvidence {
        reflog_subject: entry.strip_prefix(head).and_then(|rest| rest.strip_prefix(' ')).map(str::to_owned),
        parents: fields.count(),
        authored_now,
    })
}

/// What to do about an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Deploy a commit.
    Deploy {
        /// The configured branch.
        branch: String,
        /// Its full id.
        commit: String,
        /// Somebody named this very commit (a push did), so an older one than what is active is meant.
        explicit: bool,
    },
    /// Leave everything as it is.
    Skip(Skip),
}

/// Why an event deploys nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skip {
    /// `dist.branch` is not set: the hook serves this repository only by sharing a directory with others.
    NotSetUp,
    /// `dist.auto` is false.
    TurnedOff,
    /// A squash merge commits nothing.
    Squash,
    /// `post-rewrite` of an amend.
    Amend,
    /// A commit that concludes no merge.
    PlainCommit,
    /// A checkout, without `dist.on`.
    Checkout,
    /// Files were checked out, not a branch.
    FileCheckout,
    /// Another branch moved.
    OtherBranch {
        /// The one checked out; none when `HEAD` is detached.
        on: Option<String>,
        /// The configured one.
        branch: String,
    },
    /// The branch has no commit.
    Unborn {
        /// The configured branch.
        branch: String,
    },
    /// The push did not touch the configured branch.
    NotPushed {
        /// The configured branch.
        branch: String,
    },
    /// The push deleted the configured branch.
    Deleted {
        /// The configured branch.
        branch: String,
    },
    /// A later push has moved the branch already; its own hook deploys that.
    Superseded {
        /// The configured branch.
        branch: String,
        /// Where it is now; none if it is gone.
        tip: Option<String>,
    },
}

impl Skip {
    /// Whether this is what happens all day, not worth a line on the terminal or in the log.
    pub fn is_routine(&self) -> bool {
        !matches!(self, Self::TurnedOff | Self::Deleted { .. } | Self::Superseded { .. })
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSetUp => f.write_str("`dist.branch` is not set in this repository"),
            Self::TurnedOff => f.write_str("`dist.auto` is false"),
            Self::Squash => f.write_str("a squash merge commits nothing"),
            Self::Amend => f.write_str("an amend is no merge"),
            Self::PlainCommit => f.write_str("the commit concludes no merge"),
            Self::Checkout => f.write_str("a checkout is no merge"),
            Self::FileCheckout => f.write_str("files were checked out, no branch"),
            Self::OtherBranch { on: Some(on), branch } => write!(f, "`{on}` is checked out, not `{branch}`"),
            Self::OtherBranch { on: None, branch } => write!(f, "no branch is checked out, not `{branch}`"),
            Self::Unborn { branch } => write!(f, "`{branch}` has no commit"),
            Self::NotPushed { branch } => write!(f, "`{branch}` was not pushed"),
            Self::Deleted { branch } => write!(f, "`{branch}` was deleted; what it deployed stays"),
            Self::Superseded { branch, tip: Some(tip) } => {
                write!(f, "`{branch}` has moved on to {}", tip.get(..7).unwrap_or(tip))
            }
            Self::Superseded { branch, tip: None } => write!(f, "`{branch}` is gone already"),
        }
    }
}

/// Decides whether `event` deploys, and what.
pub fn decide(event: &Event, facts: &Facts) -> Decision {
    match deployable(event, facts) {
        Ok((branch, commit)) => {
            Decision::Deploy { branch, commit, explicit: matches!(event, Event::Receive { .. }) }
        }
        Err(skip) => Decision::Skip(skip),
    }
}

fn deployable(event: &Event, facts: &Facts) -> Result<(String, String), Skip> {
    let Some(branch) = facts.settings.branch.clone() else { return Err(Skip::NotSetUp) };
    if let Event::Receive { update } = event {
        return pushed(branch, update.as_ref(), facts);
    }
    let widened = |by| facts.settings.on.contains(&by);
    match event {
        Event::Merge { squash: true } => return Err(Skip::Squash),
        Event::Rewrite { rebase: false } => return Err(Skip::Amend),
        Event::Checkout { branch: false } => return Err(Skip::FileCheckout),
        Event::Checkout { .. } if !widened(Widening::Checkout) => return Err(Skip::Checkout),
        _ => {}
    }
    if !facts.settings.auto {
        return Err(Skip::TurnedOff);
    }
    if facts.head.branch.as_ref() != Some(&branch) {
        return Err(Skip::OtherBranch { on: facts.head.branch.clone(), branch });
    }
    let Some(commit) = facts.head.commit.clone() else { return Err(Skip::Unborn { branch }) };
    if *event == Event::Commit && !widened(Widening::Commit) && !facts.commit.concludes_merge() {
        return Err(Skip::PlainCommit);
    }
    Ok((branch, commit))
}

fn pushed(branch: String, update: Option<&Update>, facts: &Facts) -> Result<(String, String), Skip> {
    let Some(Update { new }) = update else { return Err(Skip::NotPushed { branch }) };
    if !facts.settings.auto {
        return Err(Skip::TurnedOff);
    }
    match new {
        None => Err(Skip::Deleted { branch }),
        // Two pushes in a row may run their hooks in either order: only the newest tip may be deployed last.
        Some(new) if facts.tip.as_ref() != Some(new) => {
            Err(Skip::Superseded { branch, tip: facts.tip.clone() })
        }
        Some(new) => Ok((branch, new.clone())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn on_main() -> Facts {
        Facts {
            settings: Settings {
                branch: Some("main".to_owned()),
                targets: Vec::new(),
                manifest: None,
                require_signed: false,
                auto: true,
                on: BTreeSet::new(),
                roots: Vec::new(),
                allow_commands: false,
            },
            head: Head { branch: Some("main".to_owned()), commit: Some("c1".to_owned()) },
            tip: Some("c1".to_owned()),
            commit: MergeEvidence {
                reflog_subject: Some("commit: x".to_owned()),
                parents: 1,
                authored_now: true,
            },
        }
    }

    fn verdict(event: &Event, change: impl FnOnce(&mut Facts)) -> String {
        let mut facts = on_main();
        change(&mut facts);
        match decide(event, &facts) {
            Decision::Deploy { branch, commit, explicit } => {
                format!("{commit} of {branch}, explicit: {explicit}")
            }
            Decision::Skip(skip) => format!("skip: {skip}"),
        }
    }

    #[test]
    fn merges_deploy_and_nothing_else_does() {
        let merge = Event::Merge { squash: false };
        let rebase = Event::Rewrite { rebase: true };
        let push =
            |new: Option<&str>| Event::Receive { update: Some(Update { new: new.map(str::to_owned) }) };
        let same = |_: &mut Facts| {};
        let rows = [
            (verdict(&merge, same), "c1 of main, explicit: false"),
            (verdict(&rebase, same), "c1 of main, explicit: false"),
            (verdict(&push(Some("c1")), same), "c1 of main, explicit: true"),
            (verdict(&Event::Merge { squash: true }, same), "skip: a squash merge commits nothing"),
            (verdict(&Event::Rewrite { rebase: false }, same), "skip: an amend is no merge"),
            (verdict(&Event::Commit, same), "skip: the commit concludes no merge"),
            (verdict(&Event::Checkout { branch: true }, same), "skip: a checkout is no merge"),
            (verdict(&push(Some("c0")), same), "skip: `main` has moved on to c1"),
            (verdict(&push(None), same), "skip: `main` was deleted; what it deployed stays"),
            (verdict(&Event::Receive { update: None }, same), "skip: `main` was not pushed"),
            (
                verdict(&merge, |facts| facts.head.branch = Some("topic".to_owned())),
                "skip: `topic` is checked out, not `main`",
            ),
            (
                verdict(&rebase, |facts| facts.head.branch = None),
                "skip: no branch is checked out, not `main`",
            ),
            (
                verdict(&merge, |facts| facts.settings.branch = None),
                "skip: `dist.branch` is not set in this repository",
            ),
            (verdict(&merge, |facts| facts.settings.auto = false), "skip: `dist.auto` is false"),
            (verdict(&push(Some("c1")), |facts| facts.settings.auto = false), "skip: `dist.auto` is false"),
            (verdict(&merge, |facts| facts.head.commit = None), "skip: `main` has no commit"),
        ];
        for (said, expected) in rows {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn settings_widen_to_commits_and_checkouts() {
        let checkout = Event::Checkout { branch: true };
        let all =
            |facts: &mut Facts| facts.settings.on = BTreeSet::from([Widening::Commit, Widening::Checkout]);
        assert_eq!(verdict(&Event::Commit, all), "c1 of main, explicit: false");
        assert_eq!(verdict(&checkout, all), "c1 of main, explicit: false");
        assert_eq!(
            verdict(&Event::Checkout { branch: false }, all),
            "skip: files were checked out, no branch"
        );
    }

    #[test]
    fn the_reflog_says_what_concludes_a_merge() {
        let rows = [
            (Some("commit (merge): Merge branch 'topic'"), 2, true, true),
            (Some("commit (merge): ours"), 2, false, true),
            (Some("commit (amend): Merge branch 'topic'"), 2, true, false),
            (Some("commit: commit (merge)"), 1, true, false),
            (Some("commit (initial): x"), 0, true, false),
            (Some("deploy-script: x"), 2, true, true),
            (None, 2, true, true),
            (None, 2, false, false),
            (None, 1, true, false),
        ];
        for (subject, parents, authored_now, expected) in rows {
            let evidence =
                MergeEvidence { reflog_subject: subject.map(str::to_owned), parents, authored_now };
            assert_eq!(evidence.concludes_merge(), expected, "{evidence:?}");
        }
    }
}
