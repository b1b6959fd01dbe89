//! The log file: what was done, by whom and when, one line each, as distman writes it.
//!
//! It is `distman.log` in the folder that `LOG_DIR` names, with distman's format, size and number of files, so that
//! whatever collects that file goes on. distman also logs where nobody asked for it; here there is no log without
//! `LOG_DIR`. The history of a root is what counts; this file is for people and may be lost or thrown away.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::Local;
use regex::Regex;

use crate::disk::{self, Dir, LogFile};
use crate::environment::Environment;

/// Name of the newest file. Older ones have `.1` to `.5` appended.
const NAME: &str = "distman.log";
/// Size at which a file is put aside, in bytes.
const MAX_BYTES: u64 = 1_000_000;
/// How many older files are kept.
const KEPT: u32 = 5;
/// How often it is tried to put the file aside while somebody else does, and how long one waits in between.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(1);

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks for a mistake.
    Debug,
    /// What was done.
    Info,
    /// Something doubtful.
    Warning,
    /// What went wrong.
    Error,
    /// More than anything that is logged.
    Critical,
}

impl Level {
    /// Reads `LOG_LEVEL`: a name in any case or Python's number for it. Anything else is `INFO`, as in distman.
    pub fn parse(text: &str) -> Self {
        match text.trim().to_ascii_uppercase().as_str() {
            "DEBUG" | "10" | "NOTSET" | "0" => Self::Debug,
            "WARNING" | "WARN" | "30" => Self::Warning,
            "ERROR" | "40" => Self::Error,
            "CRITICAL" | "FATAL" | "50" => Self::Critical,
            _ => Self::Info,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

/// A log file that somebody asked for.
#[derive(Clone, Debug)]
pub struct Log {
    folder: PathBuf,
    level: Level,
    user: String,
}

impl Log {
    /// The log that `LOG_DIR` and `LOG_LEVEL` of `environment` ask for, written as `user`; `None` without `LOG_DIR`.
    pub fn of(environment: &Environment, user: &str) -> Option<Self> {
        let folder = environment.path("LOG_DIR")?;
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        let level = environment.get("LOG_LEVEL").map_or(Level::Info, |level| Level::parse(&level.value));
        Some(Self { folder, level, user: user.to_owned() })
    }

    /// Writes `message`, if its level is logged. Further lines of it are indented, so that they cannot pass for
    /// entries, and passwords in URLs are left out.
    ///
    /// # Errors
    /// When the folder or the file may not be written.
    pub fn write(&self, level: Level, message: &str) -> disk::Result<()> {
        if level < self.level {
            return Ok(());
        }
        let time = Local::now().format("%Y-%m-%d %H:%M:%S,%3f");
        let message = without_passwords(message.trim_end()).replace('\n', "\n    ");
        let entry = format!("{time} - {} - {} - {message}\n", self.user, level.name());
        let folder = Dir::create_all(&self.folder)?;
        for _ in 0..PATIENCE {
            let file = LogFile::open(&folder, NAME)?;
            let now = folder.stat(NAME)?;
            if now.is_none_or(|stat| stat.size + entry.len() as u64 <= MAX_BYTES) {
                break;
            }
            if !file.try_lock()? {
                std::thread::sleep(PAUSE);
            } else if folder.stat(NAME)?.map(|stat| stat.inode) == now.map(|stat| stat.inode) {
                rotate(&folder)?;
            }
            // Else somebody else has put it aside between the look and the lock.
        }
        LogFile::open(&folder, NAME)?.add(entry.as_bytes())
    }
}

/// Puts the files aside: `.4` becomes `.5`, ..., the newest becomes `.1`.
fn rotate(folder: &Dir) -> disk::Result<()> {
    for number in (0..KEPT).rev() {
        let from = if number == 0 { NAME.to_owned() } else { format!("{NAME}.{number}") };
        match folder.rename(&from, folder, format!("{NAME}.{}", number + 1)) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// `text` with `https://user:secret@host` as `https://host`.
fn without_passwords(text: &str) -> String {
    static LOGIN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"://[^/\s]*@").expect("it is a valid pattern"));
    LOGIN.replace_all(text, "://").into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn log(folder: &Path, level: Level) -> Log {
        Log { folder: folder.to_owned(), level, user: "tess".to_owned() }
    }

    #[test]
    fn a_line_has_time_user_and_level() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(&folder.path().join("made/on/the/way"), Level::Info);
        log.write(Level::Debug, "not asked for").unwrap();
        log.write(Level::Info, "deployed\n2026-01-01 00:00:00,000 - root - INFO - forged").unwrap();
        log.write(Level::Error, "cannot fetch `https://me:se@cret@example.org/x`, ssh://git@host/y").unwrap();
        let text = std::fs::read_to_string(folder.path().join("made/on/the/way/distman.log")).unwrap();
        let line = Regex::new(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - tess - (INFO|ERROR) - ").unwrap();
        assert_eq!(line.find_iter(&text).count(), 2, "{text}");
        assert!(text.contains("\n    2026-01-01 00:00:00,000 - root"), "{text}");
        assert!(text.ends_with("`https://example.org/x`, ssh://host/y\n"), "{text}");
    }

    #[test]
    fn five_older_files_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path(), Level::Info);
        let long = "x".repeat(400_000);
        for round in 0..20 {
            log.write(Level::Info, &format!("{round} {long}")).unwrap();
        }
        let mut names: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy().into_owned()).collect();
        let older = (1..=5).map(|number| format!("{NAME}.{number}"));
        assert_eq!(names, [NAME.to_owned()].into_iter().chain(older).collect::<Vec<_>>());
        let newest = std::fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert!(newest.len() <= 1_000_000 && newest.contains("- 19 xxx") && newest.contains("- 18 xxx"));
        assert!(std::fs::read_to_string(folder.path().join("distman.log.5")).unwrap().contains("- 8 xxx"));
    }

    #[test]
    fn levels_are_pythons() {
        for (text, level) in [
            ("DEBUG", Level::Debug),
            ("debug", Level::Debug),
            ("30", Level::Warning),
            ("ERROR", Level::Error),
            ("50", Level::Critical),
            ("", Level::Info),
            ("chatty", Level::Info),
        ] {
            assert_eq!(Level::parse(text), level, "{text}");
        }
    }
}
