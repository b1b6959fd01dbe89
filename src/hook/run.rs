//! What an installed hook calls: facts, decision, deployment, journal.

use std::fmt;
use std::io::BufRead;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::causes::chain;
use crate::disk::user_name;

use super::journal::Journal;
use super::{Decision, Error, Event, Facts, HookName, Record, RecordedResult, Repository, Settings, decide};

/// Where a hook runs.
#[derive(Debug, Clone)]
pub struct Context {
    /// The git directory that the hook was handed, cleared of what the environment says; none: ask git.
    pub git_dir: Option<PathBuf>,
    /// The directory git runs the hook in: the top of the work tree, or the git directory for pushes.
    pub current_dir: PathBuf,
}

/// What a hook wants deployed.
#[derive(Debug, Clone)]
pub struct Request {
    /// The repository to read from, as the hook sees it.
    pub repository: Repository,
    /// The configured branch.
    pub branch: String,
    /// The full id of the commit to deploy.
    pub commit: String,
    /// The commit was named by whoever pushed: an older one than what is active is meant, as with `--rev`.
    pub explicit: bool,
    /// The hook, for the history.
    pub hook: HookName,
    /// The targets to deploy; empty means all.
    pub targets: Vec<String>,
    /// The path of the manifest in the repository; none: `dist.json` at its top.
    pub manifest: Option<String>,
    /// The manifest's commands may run.
    pub allow_commands: bool,
    /// The folders that may be written to.
    pub roots: Vec<PathBuf>,
}

impl Request {
    /// Whether the branch still points to the commit: while this hook waited for another deployment, a later push or
    /// merge may have moved it on, whose own hook deploys that.
    ///
    /// # Errors
    ///
    /// [`Error::Git`] or [`Error::Spawn`].
    pub fn is_still_tip(&self) -> Result<bool, Error> {
        let tip = self.repository.commit_id(&format!("refs/heads/{}", self.branch))?;
        Ok(tip.as_deref() == Some(&*self.commit))
    }
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// Something was deployed.
    Deployed,
    /// Everything was deployed already.
    Unchanged,
    /// There is nothing to deploy at this commit: the terminal hears nothing of it.
    Skipped,
    /// It was refused, as a rolled-back version is; nothing changed.
    Refused,
    /// It failed; nothing changed or all was undone.
    Failed,
}

/// What the deployment says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub kind: OutcomeKind,
    /// The exit code a deployment from the command line would have had.
    pub exit_code: u8,
    /// A line for the terminal and the status; lines behind it are for the terminal and the log.
    pub summary: String,
    /// Everything else, for the log.
    pub detail: String,
    /// The next step, where there is one.
    pub hint: Option<String>,
}

/// What [`run`] did.
#[derive(Debug)]
pub struct Ran {
    /// What was decided.
    pub decision: Decision,
    /// How the deployment ended; none if there was none.
    pub outcome: Option<Outcome>,
    /// Lines for the terminal; none on most days.
    pub messages: Vec<String>,
    /// The exit code of `git dist hook run`. Installed hooks ignore it: git must not fail because of us.
    pub exit_code: u8,
}

/// Runs the hook `name` as git called it, deploying through `deploy` if that is what the event asks for. The outcome
/// is in the journal afterwards; a journal that cannot be written is a message, never a reason not to deploy.
///
/// # Errors
///
/// [`Error::UnknownHook`], [`Error::ReceivedLine`], [`Error::Setting`], [`Error::Git`]: nothing was deployed, and
/// `git dist hook status` says so wherever there is a repository to keep that in.
pub fn run(
    context: &Context,
    name: &str,
    args: &[String],
    input: &mut dyn BufRead,
    deploy: &mut dyn FnMut(&Request) -> Outcome,
) -> Result<Ran, Error> {
    let hook = HookName::parse(name)?;
    let repository = match &context.git_dir {
        None => Repository::discover(&context.current_dir)?,
        Some(git_dir) => {
            let work_tree = (hook != HookName::PostReceive).then(|| context.current_dir.clone());
            Repository::open(git_dir, work_tree)?
        }
    };
    // Before anything is written there: its folders are theirs, and so may be the links in them.
    refuse_root(&repository)?;
    let journal = Journal::of(&repository);
    let decided = decided(&repository, hook, args, input);
    let (facts, decision) = match decided {
        Ok(decided) => decided,
        Err(error) => {
            // The error itself is what the caller reports; a full disk here has nothing to add.
            let _ = journal.keep(hook, &Record::now(RecordedResult::Failed, &chain(&error)), Some(""));
            return Err(error);
        }
    };
    let mut messages = Vec::new();
    let mut keep = |record: &Record, logged: Option<&str>| {
        if let Err(error) = journal.keep(hook, record, logged) {
            messages.push(format!("warning: {}", chain(&error)));
        }
    };
    let (outcome, exit_code) = match &decision {
        Decision::Skip(skip) => {
            let routine = skip.is_routine();
            keep(&Record::now(RecordedResult::Skipped, &skip.to_string()), (!routine).then_some(""));
            if !routine {
                messages.push(format!("{hook}: not deployed: {skip}"));
            }
            (None, 0)
        }
        Decision::Deploy { branch, commit, explicit } => {
            let request = Request {
                repository: repository.clone(),
                branch: branch.clone(),
                commit: commit.clone(),
                explicit: *explicit,
                hook,
                targets: facts.settings.targets,
                manifest: facts.settings.manifest,
                allow_commands: facts.settings.allow_commands,
                roots: facts.settings.roots,
            };
            keep(&Record::now(RecordedResult::Started, "not finished").about(branch, commit), None);
            let outcome = deploy(&request);
            // What a command printed may follow the first line.
            let (first, rest) = outcome.summary.split_once('\n').unwrap_or((&outcome.summary, ""));
            let record = Record::now(outcome.kind.recorded(), first).about(branch, commit);
            let hint = outcome.hint.as_ref().map(|hint| format!("hint: {hint}"));
            let detail: Vec<&str> =
                rest.lines().chain(outcome.detail.lines()).chain(hint.as_deref()).collect();
            keep(&record, Some(&detail.join("\n")));
            if outcome.kind != OutcomeKind::Skipped {
                messages.push(format!("{hook}: {}", Line { outcome: &outcome, branch, commit }));
                messages.extend(hint);
            }
            let exit_code = outcome.exit_code;
            (Some(outcome), exit_code)
        }
    };
    Ok(Ran { decision, outcome, messages, exit_code })
}

/// Whoever owns a repository says what its hooks run and where they write to. That must not be done with the rights of
/// root, as after `sudo git pull`.
fn refuse_root(repository: &Repository) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let dir = repository.common_dir.clone();
    let owner = std::fs::metadata(&dir).map_err(Error::io("look at", &dir))?.uid();
    if owner == 0 { Ok(()) } else { Err(Error::NotRoots { dir, owner: user_name(owner) }) }
}

fn decided(
    repository: &Repository,
    hook: HookName,
    args: &[String],
    input: &mut dyn BufRead,
) -> Result<(Facts, Decision), Error> {
    let settings = Settings::read(repository)?;
    let event = Event::read(hook, args, input, settings.branch.as_deref())?;
    let facts = Facts::collect(repository, settings, &event)?;
    let decision = decide(&event, &facts);
    Ok((facts, decision))
}

impl OutcomeKind {
    fn recorded(self) -> RecordedResult {
        match self {
            Self::Deployed => RecordedResult::Deployed,
            Self::Unchanged => RecordedResult::Unchanged,
            Self::Skipped => RecordedResult::Skipped,
            Self::Refused => RecordedResult::Refused,
            Self::Failed => RecordedResult::Failed,
        }
    }
}

/// The line on the terminal.
struct Line<'a> {
    outcome: &'a Outcome,
    branch: &'a str,
    commit: &'a str,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.commit.get(..7).unwrap_or(self.commit);
        let verdict = match self.outcome.kind {
            OutcomeKind::Deployed => "deployed",
            OutcomeKind::Unchanged => "unchanged",
            OutcomeKind::Skipped => "skipped",
            OutcomeKind::Refused => "NOT DEPLOYED",
            OutcomeKind::Failed => "DEPLOY FAILED",
        };
        write!(f, "{verdict} {short} of `{}`: {}", self.branch, self.outcome.summary)
    }
}
