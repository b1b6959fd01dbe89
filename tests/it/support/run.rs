//! What a command did: exit code, stdout, stderr.

use std::borrow::Cow;
use std::path::Path;
use std::process::Output;
use std::sync::LazyLock;

use regex::Regex;

/// A command that ran to its end. Its texts are filtered, so that they are the same on every machine.
pub(crate) struct Run {
    command: String,
    pub(crate) code: Option<i32>,
    raw_stdout: String,
    stdout: String,
    stderr: String,
}

impl Run {
    pub(super) fn new(sandbox: &Path, command: String, output: &Output) -> Self {
        let raw_stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stdout = filter(sandbox, &raw_stdout);
        let stderr = filter(sandbox, &String::from_utf8_lossy(&output.stderr));
        Self { command, code: output.status.code(), raw_stdout, stdout, stderr }
    }

    /// Asserts exit code 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.code(0)
    }

    /// Asserts this exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, Some(expected), "{}\n{}", self.command, self.snapshot());
        self
    }

    /// Asserts that stderr holds `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr lacks {text:?}: {}\n{}", self.command, self.snapshot());
        self
    }

    /// Asserts that stdout holds `text`.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout lacks {text:?}: {}\n{}", self.command, self.snapshot());
        self
    }

    /// Standard output, filtered.
    pub(crate) fn stdout(&self) -> &str {
        &self.stdout
    }

    /// Standard output as it came.
    pub(crate) fn raw_stdout(&self) -> &str {
        &self.raw_stdout
    }

    /// Standard error, filtered.
    pub(crate) fn stderr(&self) -> &str {
        &self.stderr
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.raw_stdout).unwrap_or_else(|error| panic!("{error}: {}", self.snapshot()))
    }

    /// The whole exchange as one text.
    pub(crate) fn snapshot(&self) -> String {
        let code = self.code.map_or_else(|| "killed".to_owned(), |code| code.to_string());
        format!("exit code: {code}\n----- stdout\n{}----- stderr\n{}", self.stdout, self.stderr)
    }
}

/// Replaces what differs between machines and runs: the sandbox's path, times, the host's name, process ids.
pub(super) fn filter(sandbox: &Path, text: &str) -> String {
    static FILTERS: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = regex::escape(&host);
        [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "[TIME]"),
            (&*format!(r"tester@{host}\b"), "tester@[HOST]"),
            (&*format!(r#""host":( ?)"{host}""#), r#""host":$1"[HOST]""#),
            (r"\bpid \d+", "pid [PID]"),
            (r#""pid":( ?)\d+"#, r#""pid":$1[PID]"#),
        ]
        .map(|(pattern, replacement)| (Regex::new(pattern).unwrap(), replacement))
        .into()
    });
    let text = text.replace(sandbox.to_str().unwrap(), "[SANDBOX]");
    FILTERS.iter().fold(text, |text, (pattern, replacement)| match pattern.replace_all(&text, *replacement) {
        Cow::Borrowed(_) => text,
        Cow::Owned(text) => text,
    })
}
