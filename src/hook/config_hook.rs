//! Hooks in the git configuration, as git has them since 2.54 (git-hook(1)).
//!
//! `hook.<name>.command` is a shell one-liner run with the hook's arguments appended, each `hook.<name>.event` names an
//! event that runs it, `hook.<name>.enabled` switches it off. All of them run before the hook of the hook directory,
//! each with an input of its own, so an existing hook needs no chaining and `core.hooksPath` does not matter.
//!
//! The name is one per event: a command is not told which event runs it.

use super::settings::{set, set_all};
use super::{Action, Error, HookName, Repository, block, git};

/// A version of git, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion {
    /// The first number.
    pub major: u32,
    /// The second number.
    pub minor: u32,
}

impl GitVersion {
    /// The first version with hooks in the configuration.
    const CONFIG_HOOKS: Self = Self { major: 2, minor: 54 };

    /// Asks the `git` on the `PATH`.
    ///
    /// # Errors
    ///
    /// [`Error::Spawn`], or [`Error::GitVersion`] for an answer that holds no version.
    pub fn ask() -> Result<Self, Error> {
        let printed = git::version_line()?;
        Self::parse(&printed).ok_or(Error::GitVersion { printed })
    }

    /// Reads `git version 2.54.0`, with whatever a vendor adds behind.
    pub fn parse(printed: &str) -> Option<Self> {
        let mut numbers = printed.strip_prefix("git version ")?.split(|c: char| !c.is_ascii_digit());
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }

    /// Whether hooks of the configuration are run.
    pub fn has_config_hooks(self) -> bool {
        self >= Self::CONFIG_HOOKS
    }
}

/// The configured hook of one event.
pub(super) struct ConfigHook {
    /// What runs; none if there is no such hook.
    pub(super) command: Option<String>,
    /// `hook.<name>.event` names this event and no other, and `enabled` is not false.
    pub(super) active: bool,
}

/// The section of the configuration.
pub(super) fn section(hook: HookName) -> String {
    format!("hook.git-dist-{hook}")
}

/// Reads the hook of one event from the repository's own configuration.
pub(super) fn read(repository: &Repository, hook: HookName) -> Result<ConfigHook, Error> {
    let section = section(hook);
    let get = |key: &str, kind: &str| -> Result<Option<String>, Error> {
        let value =
            repository.git_unless(1, ["config", "--local", kind, "--get", &format!("{section}.{key}")])?;
        Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
    };
    let command = get("command", "--no-type")?;
    let active = command.is_some()
        && get("event", "--no-type")?.as_deref() == Some(hook.as_str())
        && get("enabled", "--type=bool")?.is_none_or(|enabled| enabled != "false");
    Ok(ConfigHook { command, active })
}

/// What installing would do.
pub(super) fn plan_install(repository: &Repository, hook: HookName, binary: &str) -> Result<Action, Error> {
    let there = read(repository, hook)?;
    Ok(match there.command {
        None => Action::Created,
        Some(command) if there.active && command == block::command(hook, binary) => Action::Unchanged,
        Some(_) => Action::Updated,
    })
}

/// Writes the hook of one event. The command comes first: git refuses to run an event whose hook has none.
pub(super) fn write(repository: &Repository, hook: HookName, binary: &str) -> Result<(), Error> {
    let section = section(hook);
    set(repository, &format!("{section}.command"), &block::command(hook, binary))?;
    set_all(repository, &format!("{section}.enabled"), [])?;
    set(repository, &format!("{section}.event"), hook.as_str())
}

/// Removes the hook of one event, if there is one.
pub(super) fn remove(repository: &Repository, hook: HookName) -> Result<(), Error> {
    if read(repository, hook)?.command.is_some() {
        repository.git(["config", "--local", "--remove-section", &section(hook)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_vendors_print_them() {
        let rows = [
            ("git version 2.47.3", Some((2, 47, false))),
            ("git version 2.54.0", Some((2, 54, true))),
            ("git version 2.54.0.windows.1", Some((2, 54, true))),
            ("git version 2.54.GIT", Some((2, 54, true))),
            ("git version 2.100.0", Some((2, 100, true))),
            ("git version 3.0.0-rc1", Some((3, 0, true))),
            ("git version 2.39.3 (Apple Git-145)", Some((2, 39, false))),
            ("git version unknown", None),
            ("hub version 2.54.0", None),
            ("git version 99999999999.1", None),
        ];
        for (printed, expected) in rows {
            let version = GitVersion::parse(printed);
            assert_eq!(version.map(|v| (v.major, v.minor, v.has_config_hooks())), expected, "{printed}");
        }
    }
}
