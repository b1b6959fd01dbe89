//! Puts the hooks of a repository in place and takes them away: everything is looked at before anything is written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::disk::Dir;
use crate::project::MANIFEST;
use crate::root;
use crate::signature::REQUIRED;

use super::hook_file::{HookFile, Step};
use super::settings::{add, set, set_all, unset};
use super::{Error, GitVersion, HookName, Repository, Settings, Widening, block, config_hook};

/// What to install.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The branch to deploy. None: `dist.branch`, else the one checked out.
    pub branch: Option<String>,
    /// The targets to deploy. Empty: those of `dist.target`, else all.
    pub targets: Vec<String>,
    /// The path of the manifest in the repository. None: leave `dist.manifest` as it is.
    pub manifest: Option<String>,
    /// Further events that deploy. Empty: those of `dist.on`.
    pub on: BTreeSet<Widening>,
    /// Let the manifest's commands run from a hook. False leaves an earlier permission as it is.
    pub allow_commands: bool,
    /// Let hooks deploy only what is signed. False leaves an earlier demand as it is.
    pub require_signed: bool,
    /// The folders that hooks may write to where `dist.root` does not say so yet: those that are deployed to now.
    pub present_roots: Vec<PathBuf>,
    /// More of them.
    pub roots: Vec<PathBuf>,
    /// The absolute path by which hooks call `git-dist`; see [`own_binary`](super::own_binary).
    pub binary: PathBuf,
    /// Look at everything and change nothing.
    pub dry_run: bool,
}

/// Where hooks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// Files in the hook directory.
    Files,
    /// `hook.<name>` in the repository's configuration (git 2.54 and newer).
    Config,
}

/// What happened to one hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// There was none before.
    Created,
    /// A block was added to the script that was there.
    Added,
    /// The hook that was there is kept beside, and called.
    Wrapped,
    /// Ours was there, with another text or path.
    Updated,
    /// Ours was there.
    Unchanged,
    /// Ours is gone.
    Removed,
    /// Ours is gone, and the hook is what it was before.
    Restored,
    /// There was none of ours.
    Absent,
}

impl Action {
    /// The word for messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Added => "added to",
            Self::Wrapped => "wrapped",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Removed => "removed",
            Self::Restored => "restored",
            Self::Absent => "absent",
        }
    }
}

/// One hook of a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The hook.
    pub hook: HookName,
    /// What happened.
    pub action: Action,
    /// The file, or the section of the configuration.
    pub place: String,
}

/// What [`install`] or [`uninstall`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Where the hooks are.
    pub mechanism: Mechanism,
    /// The settings in force now.
    pub settings: Settings,
    /// One entry per hook that was, is or was to be ours.
    pub changes: Vec<Change>,
    /// What the user has to know besides.
    pub notices: Vec<String>,
}

/// The hooks a repository needs, and those of ours it does not.
fn wanted(bare: bool, on: &BTreeSet<Widening>) -> impl Fn(HookName) -> bool {
    let checkout = on.contains(&Widening::Checkout);
    move |hook| match hook {
        HookName::PostReceive => bare,
        HookName::PostCheckout => !bare && checkout,
        HookName::PostMerge | HookName::PostRewrite | HookName::PostCommit => !bare,
    }
}

/// Installs the hooks of `repository` and writes the settings they obey. Doing it again changes nothing, or brings an
/// older installation up to date.
///
/// # Errors
///
/// [`Error::NoBranch`], [`Error::InvalidBranch`], [`Error::Binary`]; [`Error::OutsideDirectory`] if `core.hooksPath`
/// leads out of the repository; [`Error::DamagedBlock`], [`Error::KeptHookInTheWay`]. Up to here nothing was written.
/// After it [`Error::Io`] and [`Error::Git`]; what is missing then, the next installation adds.
pub fn install(repository: &Repository, options: &Options) -> Result<Report, Error> {
    let binary = callable(&options.binary)?;
    let before = Settings::read(repository)?;
    let branch = branch(repository, options.branch.as_deref().or(before.branch.as_deref()))?;
    let on = if options.on.is_empty() { &before.on } else { &options.on };
    let new_roots = new_roots(options, &before);
    let wanted = wanted(is_bare(repository)?, on);

    let mechanism = if GitVersion::ask()?.has_config_hooks() { Mechanism::Config } else { Mechanism::Files };
    let dir = repository.hooks_dir()?;
    let inside = is_inside(repository, &dir)?;
    if mechanism == Mechanism::Files && !inside {
        let lines = HookName::ALL.into_iter().filter(|hook| wanted(*hook));
        let lines = lines.map(|hook| (dir.join(hook.as_str()), block::line(hook, binary))).collect();
        return Err(Error::OutsideDirectory { dir, lines, branch, roots: new_roots });
    }

    let mut changes = Vec::new();
    let mut steps = Vec::new();
    for hook in HookName::ALL {
        let in_files = mechanism == Mechanism::Files && wanted(hook);
        if inside {
            let file = HookFile::read(&dir, hook)?;
            let (action, step) = if in_files { file.plan_install(binary)? } else { file.plan_uninstall() };
            if in_files || action != Action::Absent {
                changes.push(Change { hook, action, place: file.path().display().to_string() });
            }
            steps.push((file, step));
        }
        if mechanism == Mechanism::Config && wanted(hook) {
            let action = config_hook::plan_install(repository, hook, binary)?;
            changes.push(Change { hook, action, place: config_hook::section(hook) });
        }
    }

    if options.dry_run {
        let targets = if options.targets.is_empty() { &before.targets } else { &options.targets };
        let settings = Settings {
            branch: Some(branch),
            targets: targets.clone(),
            on: on.clone(),
            allow_commands: before.allow_commands || options.allow_commands,
            require_signed: before.require_signed || options.require_signed,
            roots: before.roots.iter().chain(&new_roots).cloned().collect(),
            ..before.clone()
        };
        return Ok(Report { mechanism, settings, changes, notices: Vec::new() });
    }
    if mechanism == Mechanism::Files {
        Dir::create_all(&dir)?;
    }
    write_settings(repository, options, &before, &branch)?;
    for root in &new_roots {
        add(repository, "dist.root", root)?;
    }
    let notices = apply(steps)?;
    for hook in HookName::ALL {
        if mechanism == Mechanism::Config && wanted(hook) {
            config_hook::write(repository, hook, binary)?;
        } else {
            config_hook::remove(repository, hook)?;
        }
    }
    Ok(Report { mechanism, settings: Settings::read(repository)?, changes, notices })
}

/// Takes the hooks of `repository` away. Hooks that were there before are byte for byte what they were, what their
/// owner has edited since included. The permissions to run commands and to write to folders go too; other
/// settings stay for the next installation.
///
/// # Errors
///
/// [`Error::DamagedBlock`] before anything was changed, [`Error::Io`] and [`Error::Git`] after.
pub fn uninstall(repository: &Repository, dry_run: bool) -> Result<Report, Error> {
    let settings = Settings::read(repository)?;
    let mut changes = Vec::new();
    let mut steps = Vec::new();
    let mut notices = Vec::new();
    for dir in hook_dirs(repository)? {
        if !is_inside(repository, &dir)? {
            notices.push(format!("`{}` is outside of the repository: lines added there stay", dir.display()));
            continue;
        }
        for hook in HookName::ALL {
            let file = HookFile::read(&dir, hook)?;
            let (action, step) = file.plan_uninstall();
            if action != Action::Absent {
                changes.push(Change { hook, action, place: file.path().display().to_string() });
            }
            steps.push((file, step));
        }
    }
    let mut mechanism = Mechanism::Files;
    for hook in HookName::ALL {
        if config_hook::read(repository, hook)?.command.is_some() {
            mechanism = Mechanism::Config;
            changes.push(Change { hook, action: Action::Removed, place: config_hook::section(hook) });
        }
    }
    if dry_run {
        return Ok(Report { mechanism, settings, changes, notices });
    }
    notices.extend(apply(steps)?);
    for hook in HookName::ALL {
        config_hook::remove(repository, hook)?;
    }
    unset(repository, "dist.allowCommands")?;
    unset(repository, "dist.root")?;
    let settings = Settings { allow_commands: false, roots: Vec::new(), ..settings };
    Ok(Report { mechanism, settings, changes, notices })
}

/// The directory git takes hooks from now, and the default one: `core.hooksPath` may have come after an installation.
fn hook_dirs(repository: &Repository) -> Result<Vec<PathBuf>, Error> {
    let now = repository.hooks_dir()?;
    let default = repository.common_dir.join("hooks");
    let same = resolved(&now)? == resolved(&default)?;
    Ok(if same { vec![now] } else { vec![now, default] })
}

fn apply(steps: Vec<(HookFile, Step)>) -> Result<Vec<String>, Error> {
    let mut notices = Vec::new();
    for (file, step) in steps {
        notices.extend(file.apply(step)?);
    }
    Ok(notices)
}

fn write_settings(
    repository: &Repository,
    options: &Options,
    before: &Settings,
    branch: &str,
) -> Result<(), Error> {
    if before.branch.as_deref() != Some(branch) {
        set(repository, "dist.branch", branch)?;
    }
    if !options.targets.is_empty() && options.targets != before.targets {
        set_all(repository, "dist.target", options.targets.iter().map(String::as_str))?;
    }
    if let Some(manifest) =
        options.manifest.as_deref().filter(|path| before.manifest.as_deref() != Some(path))
    {
        if manifest == MANIFEST {
            unset(repository, "dist.manifest")?;
        } else {
            set(repository, "dist.manifest", manifest)?;
        }
    }
    if !options.on.is_empty() && options.on != before.on {
        set_all(repository, "dist.on", options.on.iter().map(|on| on.as_str()))?;
    }
    if options.allow_commands && !before.allow_commands {
        set(repository, "dist.allowCommands", "true")?;
    }
    if options.require_signed && !before.require_signed {
        set(repository, REQUIRED, "true")?;
    }
    Ok(())
}

/// The folders that `dist.root` does not name yet. What it says is the word of a person: dist.json adds nothing to it.
fn new_roots(options: &Options, before: &Settings) -> Vec<PathBuf> {
    let present = if before.roots.is_empty() { options.present_roots.as_slice() } else { &[] };
    let mut new: Vec<PathBuf> = Vec::new();
    for root in present.iter().chain(&options.roots) {
        if !before.roots.contains(root) && !new.contains(root) {
            new.push(root.clone());
        }
    }
    new
}

/// The branch to deploy: the one asked for, else the one checked out.
fn branch(repository: &Repository, asked: Option<&str>) -> Result<String, Error> {
    let Some(asked) = asked else { return repository.head_branch()?.ok_or(Error::NoBranch) };
    let branch = asked.strip_prefix("refs/heads/").unwrap_or(asked);
    // With `--branch` git also refuses a leading dash, and says which branch `@{-1}` is.
    let valid = repository.git_unless(128, ["check-ref-format", "--branch", branch])?;
    match valid.map(String::from_utf8) {
        Some(Ok(branch)) => Ok(branch),
        _ => Err(Error::InvalidBranch { branch: branch.to_owned() }),
    }
}

/// Whether pushes, not merges, move this repository's branches.
pub(super) fn is_bare(repository: &Repository) -> Result<bool, Error> {
    // Of a linked work tree of a bare repository `core.bare` still says true; what counts is where we are.
    let bare = repository.git(["rev-parse", "--is-bare-repository"])?;
    Ok(bare == b"true" && repository.work_tree.is_none())
}

/// Whether a hook directory belongs to this repository alone: below its git directory or its work tree, links resolved.
pub(super) fn is_inside(repository: &Repository, dir: &Path) -> Result<bool, Error> {
    let dir = resolved(dir)?;
    for root in [Some(&repository.common_dir), repository.work_tree.as_ref()].into_iter().flatten() {
        if dir.starts_with(resolved(root)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn resolved(path: &Path) -> Result<PathBuf, Error> {
    root::resolved(path).map_err(Error::io("resolve", path))
}

/// The binary as the text that goes into a hook.
fn callable(binary: &Path) -> Result<&str, Error> {
    let text = binary
        .to_str()
        .filter(|text| binary.is_absolute() && binary.is_file() && !text.contains(['\n', '\0']));
    text.ok_or_else(|| Error::Binary { path: binary.to_owned() })
}
