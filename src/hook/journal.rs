//! What hooks did: `hook.log` for reading, `hook-status.json` for `git dist hook status`, both in
//! `$GIT_COMMON_DIR/dist/`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::{Error, HookName, Repository};
use crate::credentials::without_credentials;
use crate::disk::{self, Dir, LogFile};

/// Name of the log.
const LOG: &str = "hook.log";
/// Name of the file that holds the last outcomes.
const LEDGER: &str = "hook-status.json";
/// Bytes after which the log is put aside as `hook.log.1`: at most twice this is kept.
const LOG_LIMIT: u64 = 1024 * 1024;
/// Largest file of last outcomes that is read, in bytes.
const LEDGER_LIMIT: u64 = 16 << 20;
/// Bytes of one entry's details that are kept.
const DETAIL_LIMIT: usize = 64 * 1024;

/// How a hook ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedResult {
    /// The deployment began; still so when it was killed.
    Started,
    /// Something was deployed.
    Deployed,
    /// Everything was deployed already.
    Unchanged,
    /// The event deploys nothing.
    Skipped,
    /// The deployment was refused, as a rolled-back version is.
    Refused,
    /// The deployment failed.
    Failed,
}

impl RecordedResult {
    /// Whether what was to be deployed is not.
    pub fn is_trouble(self) -> bool {
        matches!(self, Self::Started | Self::Refused | Self::Failed)
    }

    /// The word for messages and the log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Deployed => "deployed",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// One outcome of one hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When, in UTC, as RFC 3339.
    pub when: String,
    /// How it ended.
    pub result: RecordedResult,
    /// The commit it was about, in full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Why it was skipped, what was deployed, what failed.
    pub message: String,
}

impl Record {
    /// A record of this moment.
    pub(super) fn now(result: RecordedResult, message: &str) -> Self {
        let when = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = without_credentials(message).into_owned();
        Self { when, result, commit: None, branch: None, message }
    }

    /// The same about a commit.
    pub(super) fn about(self, branch: &str, commit: &str) -> Self {
        Self { branch: Some(branch.to_owned()), commit: Some(commit.to_owned()), ..self }
    }
}

/// The last outcomes of one hook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcomes {
    /// Of any kind.
    pub(super) last: Option<Record>,
    /// Of a deployment: a plain commit after a failure must not hide it.
    pub(super) last_deployment: Option<Record>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Ledger {
    #[serde(default)]
    hooks: BTreeMap<String, Outcomes>,
}

/// The two files, and the lock around writing them.
pub(super) struct Journal {
    dir: PathBuf,
}

impl Journal {
    /// The journal of a repository; all of its work trees share it.
    pub(super) fn of(repository: &Repository) -> Self {
        Self { dir: repository.common_dir.join("dist") }
    }

    /// The log.
    pub(super) fn log_path(&self) -> PathBuf {
        self.dir.join(LOG)
    }

    fn ledger_path(&self) -> PathBuf {
        self.dir.join(LEDGER)
    }

    /// The last outcomes of every hook that ever ran.
    ///
    /// # Errors
    ///
    /// [`Error::Io`], or [`Error::Journal`] if the file is not what git dist wrote.
    pub(super) fn read(&self) -> Result<BTreeMap<String, Outcomes>, Error> {
        let path = self.ledger_path();
        match disk::read_file(&path, LEDGER_LIMIT) {
            Err(error) if error.is_not_found() => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
            Ok(text) => match serde_json::from_slice::<Ledger>(&text) {
                Ok(ledger) => Ok(ledger.hooks),
                Err(source) => Err(Error::Journal { path, source }),
            },
        }
    }

    /// Keeps an outcome; `logged` also writes it to the log, with what the deployment said.
    ///
    /// # Errors
    ///
    /// [`Error::Io`]. A ledger that cannot be understood is replaced.
    pub(super) fn keep(&self, hook: HookName, record: &Record, logged: Option<&str>) -> Result<(), Error> {
        let dir = Dir::create_all(&self.dir)?;
        // Held for two small writes, never during a deployment; the kernel frees it with the process.
        let lock = LogFile::open(&dir, "hook.lock")?;
        lock.lock()?;
        dir.sweep_temporary()?;
        if let Some(detail) = logged {
            log(&dir, &entry(hook, record, detail))?;
        }
        let mut hooks = match self.read() {
            Err(Error::Journal { .. }) => BTreeMap::new(),
            read => read?,
        };
        let outcomes = hooks.entry(hook.as_str().to_owned()).or_default();
        outcomes.last = Some(record.clone());
        // A skip that is about a commit came after the start of its deployment.
        if record.result != RecordedResult::Skipped || record.commit.is_some() {
            outcomes.last_deployment = Some(record.clone());
        }
        let text =
            serde_json::to_vec_pretty(&Ledger { hooks }).expect("strings and maps of them always serialize");
        Ok(dir.replace_file_without_sync(LEDGER, &text)?)
    }
}

fn log(dir: &Dir, entry: &str) -> Result<(), Error> {
    let length = dir.stat(LOG)?.map_or(0, |stat| stat.size);
    if length + entry.len() as u64 > LOG_LIMIT && length > 0 {
        dir.rename(LOG, dir, "hook.log.1")?;
    }
    Ok(LogFile::open(dir, LOG)?.add(entry.as_bytes())?)
}

/// One line, then the details indented. Control characters are made visible, since people read logs on terminals, and
/// credentials are left out.
fn entry(hook: HookName, record: &Record, detail: &str) -> String {
    let mut text = format!("{} {hook} {}", record.when, record.result.as_str());
    if let (Some(commit), Some(branch)) = (&record.commit, &record.branch) {
        let _ = write!(text, " {commit} of {}", visible(branch));
    }
    let _ = writeln!(text, ": {}", visible(&record.message));
    let mut rest = DETAIL_LIMIT;
    for line in detail.lines() {
        let line = visible(line);
        let Some(left) = rest.checked_sub(line.len() + 1) else {
            text.push_str("  ...\n");
            break;
        };
        rest = left;
        let _ = writeln!(text, "  {line}");
    }
    text
}

fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in without_credentials(text).chars() {
        if char.is_control() && char != '\t' {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::path::Path;

    use super::*;

    fn journal(dir: &Path) -> Journal {
        Journal { dir: dir.join("dist") }
    }

    #[test]
    fn a_skip_does_not_hide_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path());
        let failed = Record::now(RecordedResult::Failed, "no space").about("main", "c1");
        let skipped = Record::now(RecordedResult::Skipped, "a plain commit");
        journal.keep(HookName::PostCommit, &failed, Some("")).unwrap();
        journal.keep(HookName::PostCommit, &skipped, None).unwrap();
        let outcomes = &journal.read().unwrap()["post-commit"];
        assert_eq!(outcomes.last, Some(skipped));
        assert_eq!(outcomes.last_deployment, Some(failed));
    }

    #[test]
    fn the_log_is_bounded_and_safe_to_read() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path());
        let record = Record::now(RecordedResult::Failed, "\x1b]0;x\x07\nsecond").about("main", "c1");
        let detail = "x".repeat(60) + "\n";
        for _ in 0..40 {
            journal.keep(HookName::PostMerge, &record, Some(&detail.repeat(4000))).unwrap();
        }
        let log = fs::read_to_string(journal.log_path()).unwrap();
        assert!(log.len() as u64 <= LOG_LIMIT, "{}", log.len());
        assert!(fs::metadata(dir.path().join("dist/hook.log.1")).unwrap().len() <= LOG_LIMIT);
        assert!(
            log.lines().next().unwrap().ends_with(r"failed c1 of main: \u{1b}]0;x\u{7}\nsecond"),
            "{log:.200}"
        );
        assert!(log.ends_with("  ...\n"));
    }

    #[test]
    fn a_broken_ledger_is_told_and_then_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let journal = journal(dir.path());
        fs::create_dir(dir.path().join("dist")).unwrap();
        fs::write(journal.ledger_path(), "{").unwrap();
        assert!(matches!(journal.read(), Err(Error::Journal { .. })));
        journal.keep(HookName::PostMerge, &Record::now(RecordedResult::Deployed, ""), None).unwrap();
        assert!(journal.read().unwrap().contains_key("post-merge"));
    }
}
