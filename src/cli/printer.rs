//! The one place that writes to a terminal: it colours, quiets, serialises, escapes hostile names and leaves out
//! credentials.
//!
//! Standard output is data, standard error is talk.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, PoisonError};

use owo_colors::{OwoColorize as _, Style};
use serde_json::Value;

use super::args::{Color, Global};
use super::error::{CliError, DONE};
use crate::causes::chain;
use crate::credentials::without_credentials;
use crate::disk::drives_terminal;
use crate::log_file::{Level, Log};

/// Writes what a command has to say.
pub(super) struct Printer {
    quiet: bool,
    verbose: bool,
    json: bool,
    out_colored: bool,
    err_colored: bool,
    log: Mutex<Option<Log>>,
}

/// How a word is set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Changed,
    Bad,
    Dim,
    Strong,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => Style::new().green(),
            Self::Changed => Style::new().yellow(),
            Self::Bad => Style::new().red().bold(),
            Self::Dim => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
        }
    }
}

#[allow(clippy::unused_self)] // who has no printer writes nothing
impl Printer {
    pub(super) fn new(global: &Global) -> Self {
        let colored = |is_terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let is_forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                is_terminal && !is_forbidden && !is_dumb
            }
        };
        Self {
            quiet: global.quiet,
            verbose: global.verbose > 0,
            json: global.json,
            out_colored: colored(std::io::stdout().is_terminal()),
            err_colored: colored(std::io::stderr().is_terminal()),
            log: Mutex::new(None),
        }
    }

    /// Writes what is told from now on to `log` too.
    pub(super) fn keep_log(&self, log: Option<Log>) {
        *self.log.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// Writes `text` to the log, if there is one. One that cannot be written is told once, and given up.
    pub(super) fn note(&self, level: Level, text: impl AsRef<str>) {
        let mut kept = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(log) = kept.as_ref() else { return };
        let text = without_credentials(text.as_ref());
        let Err(error) = log.write(level, &clean(&text)) else { return };
        *kept = None;
        drop(kept);
        self.warn(
            format!("nothing is logged: {}", chain(&error)),
            Some("`LOG_DIR` names the folder of the log"),
        );
    }

    /// True if the command should print JSON.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// True if only what went wrong is to be said.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// True if more is to be said than what changed.
    pub(super) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// True if progress may be drawn.
    pub(super) fn may_draw(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }

    /// Text for standard output, in a tone. It stays on its line.
    pub(super) fn paint(&self, text: impl AsRef<str>, tone: Tone) -> String {
        let text = clean(text.as_ref()).replace('\n', "\\n");
        if self.out_colored && tone != Tone::Plain { text.style(tone.style()).to_string() } else { text }
    }

    /// A line of data. The caller has painted (and so cleaned) what is not its own text.
    pub(super) fn line(&self, line: impl AsRef<str>) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        match writeln!(out, "{}", line.as_ref()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(CliError::Output),
        }
    }

    /// What becomes of a command whose work is done when its report was `written` or not: the work is what counts.
    pub(super) fn report(&self, written: Result<(), CliError>) -> Result<u8, CliError> {
        match written {
            Err(CliError::Output(error)) => {
                let text = format!("done, but the report cannot be written: {error}");
                self.warn(text, Some("`git dist log` tells what was done"));
                Ok(DONE)
            }
            written => written.map(|()| DONE),
        }
    }

    /// Bytes of data, as they are.
    pub(super) fn raw(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(CliError::Output),
        }
    }

    /// A value as it is, for programs; on a terminal it is cleaned.
    pub(super) fn value(&self, text: &str) -> Result<(), CliError> {
        let is_seen = std::io::stdout().is_terminal();
        self.line(if is_seen { clean(text) } else { text.to_owned() })
    }

    /// A JSON document. What JSON itself leaves as it is, and a terminal does not, is escaped too.
    pub(super) fn json(&self, value: &Value) -> Result<(), CliError> {
        self.line(escape(&format!("{value:#}"), |c| format!("\\u{:04x}", u32::from(c))))
    }

    /// Something a person wants to know, unless `-q`.
    pub(super) fn talk(&self, text: impl AsRef<str>) {
        self.note(Level::Info, &text);
        if !self.quiet && !self.json {
            self.say(&message(text.as_ref()));
        }
    }

    /// Something doubtful, with the next step.
    pub(super) fn warn(&self, text: impl AsRef<str>, hint: Option<&str>) {
        self.note(Level::Warning, &text);
        let mut told = self.label("warning:", Style::new().yellow().bold());
        let _ = write!(told, " {}", message(text.as_ref()));
        self.say(&told);
        self.hint(hint);
    }

    /// What went wrong, its causes on lines of their own, and the next command.
    pub(super) fn error(&self, error: &CliError) {
        self.note(Level::Error, [vec![chain(error)], error.details()].concat().join("\n"));
        let mut told = self.label("error:", Style::new().red().bold());
        let _ = write!(told, " {}", message(&error.to_string()));
        let mut last = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if text != last {
                let _ = write!(
                    told,
                    "\n  {} {}",
                    self.label("caused by:", Style::new().dimmed()),
                    message(&text)
                );
            }
            last = text;
            cause = error.source();
        }
        for detail in error.details() {
            for line in detail.lines() {
                let _ = write!(told, "\n  {}", clean(line));
            }
        }
        self.say(&told);
        self.hint(error.hint().as_deref());
    }

    fn hint(&self, hint: Option<&str>) {
        if let Some(hint) = hint {
            self.say(&format!("{} {}", self.label("hint:", Style::new().cyan()), message(hint)));
        }
    }

    fn label(&self, text: &str, style: Style) -> String {
        if self.err_colored { text.style(style).to_string() } else { text.to_owned() }
    }

    fn say(&self, text: &str) {
        let text = without_credentials(text);
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Asks a person, and takes anything but yes for no. Without a terminal nobody is asked.
    pub(super) fn ask(&self, question: &str) -> bool {
        if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() || self.json {
            return false;
        }
        let _ = write!(std::io::stderr().lock(), "{} [y/N] ", message(question));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }
}

/// Text without what would drive a terminal. Line breaks stay.
fn clean(text: &str) -> String {
    escape(text, |c| c.escape_default().to_string())
}

fn escape(text: &str, escaped: impl Fn(char) -> String) -> String {
    let mut whole = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && drives_terminal(c) {
            whole.push_str(&escaped(c));
        } else {
            whole.push(c);
        }
    }
    whole
}

/// A message, cleaned. Only its first line stands where messages of git dist begin: a line break in a name makes no
/// second one.
fn message(text: &str) -> String {
    let mut lines = clean(text);
    if lines.contains('\n') {
        lines = lines.replace('\n', "\n  ").replace("\n    ", "\n  ");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{clean, message};

    #[test]
    fn escape_sequences_never_reach_the_terminal() {
        assert_eq!(clean("a\x1b[31mb\x07\u{9b}c\u{202e}\nd"), "a\\u{1b}[31mb\\u{7}\\u{9b}c\\u{202e}\nd");
        assert_eq!(message("a\nerror: b"), "a\n  error: b");
    }
}
