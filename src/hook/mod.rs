//! Git hooks that deploy after a merge, a pull, a rebase or a push.
//!
//! Three separate things live here:
//!
//! - [`install`], [`uninstall`] and [`status`] look after the hooks of a repository. With git 2.54 or newer they are
//!   `hook.<name>.command` entries of the repository's configuration, with an older git marked blocks in the files of
//!   the hook directory.
//! - [`decide`] is the pure decision "deploy commit X of branch B" or "skip, because ...".
//! - [`run`] is what an installed hook calls: it collects the facts, decides, hands a [`Request`] to the caller's
//!   deployment and keeps the outcome in `$GIT_COMMON_DIR/dist/`.
//!
//! Everything is asked of `git` itself as a subprocess, so that its configuration rules and its idea of where hooks
//! live are never guessed.
//!
//! # Which hook fires when
//!
//! | what the user does | hook |
//! |---|---|
//! | `git merge`, `git pull`, `git pull --rebase` that fast-forwards | `post-merge` |
//! | `git rebase`, `git pull --rebase` of diverged histories | `post-rewrite rebase` |
//! | `git commit` or `git merge --continue` after a conflict | `post-commit` |
//! | `git push` into a bare repository | `post-receive` |
//!
//! git runs no hook at all at the end of a rebase that had nothing to replay (every local commit was upstream
//! already, or `git rebase` merely fast-forwarded): such a tip is deployed by the next one that arrives, or by hand.

mod binary;
mod block;
mod config_hook;
mod decision;
mod error;
mod event;
mod git;
mod hook_file;
mod install;
mod journal;
mod run;
mod settings;
mod status;

pub use binary::own_binary;
pub use config_hook::GitVersion;
pub use decision::{Decision, Facts, Head, MergeEvidence, Skip, decide};
pub use error::Error;
pub use event::{Event, Update};
pub use git::Repository;
pub use install::{Action, Change, Mechanism, Options, Report, install, uninstall};
pub use journal::{Record, RecordedResult};
pub use run::{Context, Outcome, OutcomeKind, Ran, Request, run};
pub use settings::{Settings, Widening};
pub use status::{HookState, HookStatus, Status, status};

use serde::{Deserialize, Serialize};

/// A hook of githooks(5) that git dist takes part in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookName {
    /// After `git merge` and `git pull`; argument 1 is `1` for a squash merge.
    PostMerge,
    /// After `git rebase` and `git commit --amend`; argument 1 says which.
    PostRewrite,
    /// After `git commit`.
    PostCommit,
    /// After `git checkout` and `git switch`; argument 3 is `1` when a branch was checked out.
    PostCheckout,
    /// After a push was received; standard input lists the updated refs.
    PostReceive,
}

impl HookName {
    /// Every hook, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::PostMerge, Self::PostRewrite, Self::PostCommit, Self::PostCheckout, Self::PostReceive];

    /// The file name that git knows the hook by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PostMerge => "post-merge",
            Self::PostRewrite => "post-rewrite",
            Self::PostCommit => "post-commit",
            Self::PostCheckout => "post-checkout",
            Self::PostReceive => "post-receive",
        }
    }

    /// The hook of this file name.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownHook`] if git dist has no part in a hook of that name.
    pub fn parse(name: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|hook| hook.as_str() == name)
            .ok_or_else(|| Error::UnknownHook { name: name.to_owned() })
    }
}

impl std::fmt::Display for HookName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
