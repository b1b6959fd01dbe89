//! What `git dist hook status` shows.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::hook_file::{Found, HookFile};
use super::install::{is_bare, is_inside};
use super::journal::Journal;
use super::{
    Error, GitVersion, HookName, Mechanism, Record, Repository, Settings, Widening, block, config_hook,
};

/// Whether a hook deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HookState {
    /// It does.
    Installed,
    /// There is no hook.
    Absent,
    /// There is a hook, but none of ours in it.
    Foreign,
    /// Ours is there with the text or path of another installation: install again.
    Outdated,
    /// Ours is there but switched off: no run bit, `hook.<name>.enabled` is false, or this git reads no hooks from the
    /// configuration.
    Disabled,
    /// Ours is there, but what it calls is gone: install again.
    BinaryMissing,
    /// Ours is there without one of its marks.
    Damaged,
}

impl HookState {
    /// The words for messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Absent => "absent",
            Self::Foreign => "not ours",
            Self::Outdated => "outdated",
            Self::Disabled => "switched off",
            Self::BinaryMissing => "broken, what it calls is gone",
            Self::Damaged => "damaged, a mark is missing",
        }
    }
}

/// One hook of a [`Status`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HookStatus {
    /// The hook.
    pub hook: HookName,
    /// Whether it deploys.
    pub state: HookState,
    /// Whether the settings call for it.
    pub wanted: bool,
    /// The file, or the section of the configuration.
    pub place: String,
    /// The binary it calls.
    pub binary: Option<PathBuf>,
    /// The last time it ran.
    pub last: Option<Record>,
    /// The last time it deployed or tried to.
    pub last_deployment: Option<Record>,
}

/// The hooks of a repository, and what they did last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The directory git takes hook files from.
    pub hooks_dir: PathBuf,
    /// Whether it belongs to this repository alone; if not, it is never written.
    pub hooks_dir_inside: bool,
    /// Where an installation would put hooks now.
    pub mechanism: Mechanism,
    /// The settings in force.
    pub settings: Settings,
    /// One entry per hook.
    pub hooks: Vec<HookStatus>,
    /// The log.
    pub log: PathBuf,
}

/// Looks at the hooks of `repository`. `binary` is what an installation would write now: hooks that call another one
/// are outdated.
///
/// # Errors
///
/// [`Error::Git`], [`Error::Setting`], [`Error::Io`], [`Error::Journal`].
pub fn status(repository: &Repository, binary: &Path) -> Result<Status, Error> {
    let settings = Settings::read(repository)?;
    let hooks_dir = repository.hooks_dir()?;
    let hooks_dir_inside = is_inside(repository, &hooks_dir)?;
    let config_hooks = GitVersion::ask()?.has_config_hooks();
    let bare = is_bare(repository)?;
    let journal = Journal::of(repository);
    let mut outcomes = journal.read()?;
    let binary = binary.to_string_lossy();
    let mut hooks = Vec::new();
    for hook in HookName::ALL {
        let (state, called, place) = match in_config(repository, hook, &binary, config_hooks)? {
            Some(found) => found,
            None => in_file(&hooks_dir, hook, &binary)?,
        };
        let outcomes = outcomes.remove(hook.as_str()).unwrap_or_default();
        hooks.push(HookStatus {
            hook,
            state,
            wanted: match hook {
                HookName::PostReceive => bare,
                HookName::PostCheckout => !bare && settings.on.contains(&Widening::Checkout),
                _ => !bare,
            },
            place,
            binary: called.map(PathBuf::from),
            last: outcomes.last,
            last_deployment: outcomes.last_deployment,
        });
    }
    let mechanism = if config_hooks { Mechanism::Config } else { Mechanism::Files };
    Ok(Status { hooks_dir, hooks_dir_inside, mechanism, settings, hooks, log: journal.log_path() })
}

type Seen = (HookState, Option<String>, String);

fn in_config(
    repository: &Repository,
    hook: HookName,
    binary: &str,
    supported: bool,
) -> Result<Option<Seen>, Error> {
    let there = config_hook::read(repository, hook)?;
    let Some(command) = there.command else { return Ok(None) };
    let called = block::binary_of(&command);
    let current = command == block::command(hook, binary);
    let state = state(there.active && supported, current, called.as_deref());
    Ok(Some((state, called, config_hook::section(hook))))
}

fn in_file(dir: &Path, hook: HookName, binary: &str) -> Result<Seen, Error> {
    let place = dir.join(hook.as_str()).display().to_string();
    let file = match HookFile::read(dir, hook) {
        Ok(file) => file,
        Err(Error::DamagedBlock { .. }) => return Ok((HookState::Damaged, None, place)),
        Err(Error::NotAFile { .. }) => return Ok((HookState::Foreign, None, place)),
        Err(error) => return Err(error),
    };
    Ok(match &file.found {
        Found::Absent => (HookState::Absent, None, place),
        Found::Foreign { text, .. } => {
            // The line that an installation tells people to add to a directory it does not write.
            let by_hand = String::from_utf8_lossy(text).contains(&block::line(hook, binary));
            if by_hand {
                (HookState::Installed, Some(binary.to_owned()), place)
            } else {
                (HookState::Foreign, None, place)
            }
        }
        Found::Ours { text, range, executable } => {
            let text = &text[range.clone()];
            let called = block::binary_of(&String::from_utf8_lossy(text));
            let current = text == block::render(hook, binary, block::shape_of(text));
            (state(*executable, current, called.as_deref()), called, place)
        }
    })
}

fn state(active: bool, current: bool, called: Option<&str>) -> HookState {
    if !active {
        HookState::Disabled
    } else if called.is_some_and(|called| !fs::metadata(called).is_ok_and(|meta| meta.is_file())) {
        HookState::BinaryMissing
    } else if current {
        HookState::Installed
    } else {
        HookState::Outdated
    }
}
