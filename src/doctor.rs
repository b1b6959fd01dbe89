//! A look at everything a deployment stands on, from git to the disk.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::activate::is_pending;
use crate::causes::chain;
use crate::disk::{self, Dir, Shown};
use crate::door;
use crate::hook;
use crate::inventory::Inventory;
use crate::project::{self, Opening, Project};
use crate::rollout;
use crate::root::Root;
use crate::signature;
use crate::spelling::counted;
use crate::stage::STAGING;
use crate::version::Link;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: `git`, `manifest`, ...
    pub about: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// How it is, in words.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, but perhaps not as meant.
    Doubtful,
    /// It does not work.
    Bad,
}

/// Looks at git, repository, manifest, environment, root and hooks as they are seen from `start`. Nothing is
/// changed but for a probe file in the root, which is removed again.
pub fn examine(start: &Path, process: &BTreeMap<String, OsString>) -> Vec<Finding> {
    let mut findings = Findings::default();
    findings.git();
    let project = findings.project(start, process);
    let root = match &project {
        Some(project) => project.root(),
        None => match project::environment_without_project(process) {
            Ok(environment) => project::root(&environment),
            Err(error) => {
                findings.bad("environment", chain(&error), error.hint());
                return findings.0;
            }
        },
    };
    match root {
        Ok(root) => {
            findings.root(&root);
            findings.installed(&root, project.as_ref());
        }
        Err(error) => findings.bad("root", chain(&error), error.hint()),
    }
    if let Some(project) = &project {
        findings.signatures(project);
    }
    findings.hooks(start);
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn push(
        &mut self,
        about: &'static str,
        verdict: Verdict,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.0.push(Finding { about, verdict, message: message.into(), hint });
    }

    fn good(&mut self, about: &'static str, message: impl Into<String>) {
        self.push(about, Verdict::Good, message, None);
    }

    fn doubtful(&mut self, about: &'static str, message: impl Into<String>, hint: Option<String>) {
        self.push(about, Verdict::Doubtful, message, hint);
    }

    fn bad(&mut self, about: &'static str, message: impl Into<String>, hint: Option<String>) {
        self.push(about, Verdict::Bad, message, hint);
    }

    fn git(&mut self) {
        match door::output(Command::new("git").arg("--version")) {
            Ok(output) if output.status.success() => {
                self.good("git", String::from_utf8_lossy(&output.stdout).trim().to_owned());
            }
            _ => self.bad("git", "`git` cannot be started", Some("install git, or mend PATH".to_owned())),
        }
        let on_path = std::env::var_os("PATH")
            .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join("git-dist").is_file()));
        if !on_path {
            let hint = Some("put the folder of `git-dist` on PATH".to_owned());
            self.doubtful("git", "`git-dist` is not on PATH, so that `git dist` does not find it", hint);
        }
    }

    fn project(&mut self, start: &Path, process: &BTreeMap<String, OsString>) -> Option<Project> {
        match Project::open(Opening::new(start, "HEAD"), process) {
            Ok(project) => {
                match (project.revision(), project.count()) {
                    (Some(revision), Ok(Some(count))) => self
                        .good("repository", format!("{} at {count}.{}", project.origin(), revision.short())),
                    (_, Err(error)) => self.bad("repository", chain(&error), error.hint()),
                    _ => {
                        self.good("repository", format!("none: {} is deployed as it is", project.origin()));
                    }
                }
                self.good("manifest", counted(project.manifest.targets.len(), "target"));
                for doubt in &project.warnings {
                    self.doubtful("manifest", doubt.message.clone(), doubt.hint.clone());
                }
                self.targets(&project);
                Some(project)
            }
            Err(error) => {
                self.bad("repository", chain(&error), error.hint());
                None
            }
        }
    }

    fn targets(&mut self, project: &Project) {
        use crate::target;
        let snapshot = project.snapshot();
        let request = target::Request::new(project, snapshot.as_ref());
        let resolved =
            target::select(&project.manifest, &[]).and_then(|names| target::resolve(request, &names));
        match resolved {
            Ok(resolved) => {
                self.good("targets", counted(resolved.items.len(), "destination"));
                for missing in resolved.missing {
                    let message =
                        format!("target `{}`: nothing matches `{}`", missing.target, missing.source);
                    self.doubtful("targets", message, None);
                }
            }
            Err(error) => self.bad("targets", chain(&error), error.hint()),
        }
    }

    fn root(&mut self, root: &Root) {
        let path = Shown(root.path()).to_string();
        if !root.path().exists() {
            return self.good("root", format!("{path} does not exist yet; the first deploy makes it"));
        }
        match probe(root) {
            Ok(clones) => {
                let way = if clones { "clones" } else { "hard links" };
                self.good("root", format!("{path}: writable, unchanged files are shared as {way}"));
            }
            Err(error) => {
                let hint = Some("`DEPLOY_ROOT=DIR git dist` deploys to another place".to_owned());
                self.bad("root", chain(&error), hint);
            }
        }
    }

    fn installed(&mut self, root: &Root, project: Option<&Project>) {
        let inventory = root.open().map_err(crate::inventory::InventoryError::from).and_then(|meta| {
            if let Some(meta) = &meta
                && is_pending(meta)?
            {
                let hint = Some("the next `git dist` finishes or undoes it".to_owned());
                self.doubtful("root", "a rollout was killed, or could not do all that it had to", hint);
            }
            Inventory::take(meta.as_ref(), project)
        });
        let mut inventory = match inventory {
            Ok(inventory) => inventory,
            Err(error) => return self.bad("root", chain(&error), error.hint()),
        };
        if !inventory.history.damaged.is_empty() {
            let count = inventory.history.damaged.len();
            self.doubtful("history", format!("{count} damaged lines"), None);
        }
        let items = inventory.installed.clone();
        let looks = match inventory.look(&items) {
            Ok(looks) => looks,
            Err(error) => return self.bad("deployed", chain(&error), error.hint()),
        };
        let mut active = 0;
        let mut folders = HashSet::new();
        for (item, look) in items.iter().zip(&looks) {
            let path = item.destination.as_str();
            match (&look.link, look.active_stored()) {
                (Link::Version(name), None) => {
                    let hint = Some("`git dist` deploys it again".to_owned());
                    self.bad("deployed", format!("`{path}` leads to {}, which is gone", name.tail()), hint);
                }
                (Link::Version(_), Some(_)) => active += 1,
                (Link::Foreign(what), _) if item.is_wanted => {
                    let hint = Some("`git dist --adopt` moves it aside".to_owned());
                    self.doubtful("deployed", format!("{what} stands at `{path}`"), hint);
                }
                _ => {}
            }
            if !item.is_wanted {
                let hint = Some("`git dist prune` removes it from use".to_owned());
                self.doubtful("deployed", format!("`{path}` is not in dist.json any more"), hint);
            }
            if folders.insert(item.destination.folder())
                && let Ok(Some(versions)) = inventory.shelves.dir(&item.destination)
                && versions
                    .names()
                    .is_ok_and(|names| names.iter().any(|name| name.to_string_lossy().starts_with(STAGING)))
            {
                let hint = Some("the next `git dist` sweeps it, if no other is running".to_owned());
                self.doubtful("deployed", format!("unfinished work beside `{path}`"), hint);
            }
        }
        self.good("deployed", format!("{} active", counted(active, "destination")));
    }

    fn signatures(&mut self, project: &Project) {
        match rollout::admit(project) {
            Ok(admitted) => match (admitted.demand(), admitted.signature()) {
                (Some(_), Some(signature)) => {
                    self.good("signatures", format!("{} is signed by {signature}", project.base));
                }
                _ => return,
            },
            Err(error) => {
                let hint = match &error {
                    rollout::RolloutError::NotSigned { source, .. } => source.hint(),
                    _ => None,
                };
                self.doubtful(
                    "signatures",
                    format!("{} is not deployed: {}", project.base, chain(&error)),
                    hint,
                );
            }
        }
        let Some(repository) = project.repository() else { return };
        let signers = repository
            .settings()
            .map_err(Into::into)
            .and_then(|all| signature::Signers::read(repository, &all));
        match signers {
            Ok(signers) => {
                for finding in signature::examine(&signers) {
                    self.bad("signatures", finding.message, finding.hint);
                }
            }
            Err(error) => self.bad("signatures", chain(&error), error.hint()),
        }
    }

    fn hooks(&mut self, start: &Path) {
        let Ok(repository) = hook::Repository::discover(start) else { return };
        match hook::own_binary().and_then(|binary| hook::status(&repository, &binary)) {
            Ok(status) => {
                let is_installed = |hook: &&hook::HookStatus| hook.state == hook::HookState::Installed;
                let installed = status.hooks.iter().filter(is_installed).count();
                if installed == 0 {
                    self.good("hooks", "none installed; `git dist hook install` deploys after merges");
                } else {
                    self.good("hooks", format!("{installed} installed"));
                }
                let is_ours = |hook: &&hook::HookStatus| {
                    !matches!(hook.state, hook::HookState::Absent | hook::HookState::Foreign)
                };
                for hook in status.hooks.iter().filter(is_ours) {
                    if matches!(
                        hook.state,
                        hook::HookState::BinaryMissing | hook::HookState::Outdated | hook::HookState::Damaged
                    ) {
                        let hint = Some("`git dist hook install` mends it".to_owned());
                        let state = hook.state.words();
                        self.bad("hooks", format!("`{}` does not work: it is {state}", hook.hook), hint);
                    }
                    if let Some(last) = hook.last_deployment.as_ref().filter(|last| last.result.is_trouble())
                    {
                        let told = format!("`{}` {} last: {}", hook.hook, last.result.as_str(), last.message);
                        self.doubtful("hooks", told, Some("`git dist hook status` says more".to_owned()));
                    }
                }
            }
            Err(error) => self.doubtful("hooks", chain(&error), error.hint()),
        }
    }
}

/// Tries in the root's own folder what a deploy needs: writing, locking, renaming a link over another. Returns
/// whether the filesystem can clone files.
fn probe(root: &Root) -> disk::Result<bool> {
    let dir = Dir::open(root.path())?;
    let name = disk::temporary_name(Path::new("doctor"));
    let tried = try_out(&dir.make_private_dir(&name)?);
    dir.remove_all(&name)?;
    tried
}

fn try_out(folder: &Dir) -> disk::Result<bool> {
    folder.create_file("one", 0o444)?.write(b"probe")?;
    folder.symlink("one", "link")?;
    folder.symlink("two", "next")?;
    folder.rename("next", folder, "link")?;
    folder.try_lock()?;
    let source = folder.open_file("one")?;
    Ok(folder.create_file("two", 0o444)?.clone_from(&source))
}
