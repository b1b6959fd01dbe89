//! What an installed hook calls: facts, decision, deployment, journal.

use std::fmt::{self, Write as _};
use std::io::BufRead;
use std::path::PathBuf;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The git directory to read from, absolute.
    pub git_dir: PathBuf,
    /// The work tree that moved; none for a push.
    pub work_tree: Option<PathBuf>,
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
    /// Refuse a commit without a good signature.
    pub require_signed: bool,
    /// The manifest's commands may run.
    pub allow_commands: bool,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeKind {
    /// Something was deployed.
    Deployed,
    /// Everything was deployed already.
    Unchanged,
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
    /// One line for the terminal.
    pub summary: String,
    /// Everything else, for the log.
    pub detail: String,
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
    let journal = Journal::of(&repository);
    let decided = decided(&repository, hook, args, input);
    let (facts, decision) = match decided {
        Ok(decided) => decided,
        Err(error) => {
            // The error itself is what the caller reports; a full disk here has nothing to add.
            let _ = journal.keep(hook, &Record::now(RecordedResult::Failed, chain(&error)), Some(""));
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
            keep(&Record::now(RecordedResult::Skipped, skip.to_string()), (!routine).then_some(""));
            if !routine {
                messages.push(format!("{hook}: not deployed: {skip}"));
            }
            (None, 0)
        }
        Decision::Deploy { branch, commit, explicit } => {
            let request = Request {
                git_dir: repository.git_dir.clone(),
                work_tree: repository.work_tree.clone(),
                branch: branch.clone(),
                commit: commit.clone(),
                explicit: *explicit,
                hook,
                targets: facts.settings.targets,
                require_signed: facts.settings.require_signed,
                allow_commands: facts.settings.allow_commands,
            };
            keep(
                &Record::now(RecordedResult::Started, "not finished".to_owned()).about(branch, commit),
                None,
            );
            let outcome = deploy(&request);
            let record = Record::now(outcome.kind.recorded(), outcome.summary.clone()).about(branch, commit);
            keep(&record, Some(&outcome.detail));
            messages.push(format!("{hook}: {}", Line { outcome: &outcome, branch, commit }));
            let exit_code = outcome.exit_code;
            (Some(outcome), exit_code)
        }
    };
    Ok(Ran { decision, outcome, messages, exit_code })
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
            OutcomeKind::Refused => "NOT DEPLOYED",
            OutcomeKind::Failed => "DEPLOY FAILED",
        };
        write!(f, "{verdict} {short} of `{}`: {}", self.branch, self.outcome.summary)
    }
}

/// An error with its causes in one line, for records.
fn chain(error: &Error) -> String {
    let mut text = format!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}
