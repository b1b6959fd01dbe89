//! git's configuration with the scope of every value: who could have written it.
//!
//! git itself is asked, so that its rules for files, includes and `git -c` are never guessed.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{GitError, Repository, Result};
use crate::door;

/// One value of git's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key as git lists it: section and name in lower case.
    pub key: String,
    /// The value; `None` for a key that stands alone, which means true.
    pub value: Option<String>,
    /// True if it comes from the system's files, the user's, or `git -c`: from no file of the repository, nor from one
    /// that such a file includes.
    pub is_of_host: bool,
}

/// Every value of git's configuration as a program in `directory` sees it, least important first.
///
/// # Errors
/// When git cannot be run, or a file cannot be read.
pub fn settings_in(directory: &Path) -> Result<Vec<Setting>> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory);
    Ok(without_scopes(listed(command)?))
}

/// A boolean as git-config(1) reads it: a key alone is true, an empty value false; `None` for anything else.
pub fn boolean(value: Option<&str>) -> Option<bool> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None | Some("true" | "yes" | "on") => Some(true),
        Some("" | "false" | "no" | "off") => Some(false),
        Some(word) => word.parse::<i64>().ok().map(|number| number != 0),
    }
}

impl Repository {
    /// Every value of git's configuration, least important first.
    ///
    /// # Errors
    /// As [`settings_in`].
    pub fn settings(&self) -> Result<Vec<Setting>> {
        Ok(without_scopes(self.settings_with_scopes()?))
    }

    /// As [`Repository::settings`], each with git's word for its scope.
    pub(super) fn settings_with_scopes(&self) -> Result<Vec<(String, Setting)>> {
        listed(self.asking())
    }

    /// The values of `key` in the repository's own configuration file, and in no file that it includes.
    ///
    /// # Errors
    /// As [`settings_in`].
    pub fn own_values(&self, key: &str) -> Result<Vec<String>> {
        let mut command = self.asking();
        command.args(["config", "--local", "-z", "--get-all", key]);
        // git says 1 where there is none.
        let printed = printed(command, 1)?;
        Ok(printed.split_terminator('\0').map(ToOwned::to_owned).collect())
    }

    pub(super) fn asking(&self) -> Command {
        let mut command = Command::new("git");
        let git_dir = std::path::absolute(self.git_dir()).unwrap_or_else(|_| self.git_dir().to_owned());
        command.current_dir(&git_dir).arg("--git-dir").arg(&git_dir);
        command
    }
}

fn without_scopes(settings: Vec<(String, Setting)>) -> Vec<Setting> {
    settings.into_iter().map(|(_, setting)| setting).collect()
}

fn listed(mut command: Command) -> Result<Vec<(String, Setting)>> {
    command.args(["config", "--list", "-z", "--show-scope"]);
    let printed = printed(command, 0)?;
    let mut fields = printed.split_terminator('\0');
    let mut settings = Vec::new();
    // `scope NUL key LF value NUL`, or `scope NUL key NUL` for a key that stands alone.
    while let (Some(scope), Some(entry)) = (fields.next(), fields.next()) {
        let (key, value) = entry.split_once('\n').map_or((entry, None), |(key, value)| (key, Some(value)));
        let is_of_host = matches!(scope, "system" | "global" | "command");
        let setting = Setting { key: key.to_owned(), value: value.map(ToOwned::to_owned), is_of_host };
        settings.push((scope.to_owned(), setting));
    }
    Ok(settings)
}

/// What `command` printed. Exit code `fine` is as good as 0.
fn printed(mut command: Command, fine: i32) -> Result<String> {
    let output = door::output(command.stdin(Stdio::null())).map_err(GitError::NoGit)?;
    if output.status.success() || output.status.code() == Some(fine) {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(GitError::Command { command: "config".to_owned(), stderr })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_read_as_git_reads_them() {
        for (value, meant) in [
            (None, Some(true)),
            (Some("Yes"), Some(true)),
            (Some("2"), Some(true)),
            (Some(""), Some(false)),
            (Some("off"), Some(false)),
            (Some("0"), Some(false)),
            (Some("maybe"), None),
            (Some("1.5"), None),
        ] {
            assert_eq!(boolean(value), meant, "{value:?}");
        }
    }
}
