//! `git dist hook install` and `git dist hook uninstall`.

use std::path::{Component, Path, PathBuf};

use serde_json::json;

use super::{Install, repository};
use crate::causes::chain;
use crate::cli::context::Context;
use crate::cli::error::{CliError, DONE};
use crate::cli::printer::{Printer, Tone};
use crate::disk::Shown;
use crate::hook::{self, Options, Report, Settings, Widening};
use crate::project::{MANIFEST, Project, ProjectError};
use crate::rollout::{RolloutError, commands_of};
use crate::root::{self, AllowedRoots};
use crate::signature::REQUIRED;
use crate::source::git::GitError;
use crate::target;

pub(super) fn install(context: &Context<'_>, arguments: Install) -> Result<u8, CliError> {
    let repository = repository()?;
    let before = Settings::read(&repository)?;
    let branch = arguments.branch.as_deref().or(before.branch.as_deref());
    let project = project(context, branch)?;
    let targets = if arguments.targets.is_empty() { &before.targets } else { &arguments.targets };
    let commands = match &project {
        Some(project) => commands(project, targets)?,
        None => Vec::new(),
    };
    let present_roots = present_roots(context, project.as_ref(), targets)?;
    let roots = arguments.roots.iter().map(|root| absolute(root)).collect::<Result<_, _>>()?;
    let is_dry = context.global.dry_run;
    let mut allow_commands = arguments.allow_commands;
    if !commands.is_empty() && !allow_commands && !before.allow_commands && !is_dry {
        let question = "may hooks run these commands? Whoever can push to the branch then runs programs here";
        allow_commands = context.printer.ask(&format!("{}: {question}", commands.join("; ")));
    }
    let options = Options {
        branch: arguments.branch,
        targets: arguments.targets,
        manifest: project.as_ref().map(manifest_path),
        on: arguments.on.into_iter().map(Widening::from).collect(),
        allow_commands,
        require_signed: project.as_ref().is_some_and(|project| project.manifest.requires_signature()),
        present_roots: present_roots.clone(),
        roots,
        binary: hook::own_binary()?,
        dry_run: is_dry,
    };
    let report = hook::install(&repository, &options)?;
    let printer = context.printer;
    show(printer, "install", &report)?;
    if !printer.is_json() {
        let roots = report.settings.roots.iter().map(|root| format!("`{}`", Shown(root)));
        let roots: Vec<String> = roots.collect();
        printer.talk(format!("hooks may write to {}, and nowhere else", roots.join(", ")));
    }
    if report.settings.require_signed {
        printer.talk(format!("hooks deploy only what is signed (`{REQUIRED}`)"));
    }
    warn_of_other_roots(printer, &present_roots, &report.settings);
    if is_dry {
        printer.talk("dry run: nothing was changed");
        return Ok(DONE);
    }
    printer.talk(promise(&report.settings, repository.work_tree.is_none()));
    if !commands.is_empty() && !report.settings.allow_commands {
        printer.warn(
            format!("hooks may not run commands and will deploy nothing as long as {}", commands.join("; ")),
            Some("`git dist hook install --allow-commands` lets them, `-t TARGET` leaves targets out"),
        );
    }
    Ok(DONE)
}

pub(super) fn uninstall(context: &Context<'_>) -> Result<u8, CliError> {
    let is_dry = context.global.dry_run;
    let report = hook::uninstall(&repository()?, is_dry)?;
    let printer = context.printer;
    show(printer, "uninstall", &report)?;
    if report.changes.is_empty() {
        printer.talk("there are no hooks of git dist here");
    }
    if is_dry {
        printer.talk("dry run: nothing was changed");
    }
    Ok(DONE)
}

/// What the branch holds now, where that can be read: hooks may be installed before there is anything to deploy.
fn project(context: &Context<'_>, branch: Option<&str>) -> Result<Option<Project>, CliError> {
    let revision = match branch {
        Some(branch) => format!("refs/heads/{}", branch.strip_prefix("refs/heads/").unwrap_or(branch)),
        None => "HEAD".to_owned(),
    };
    let what = branch.unwrap_or("HEAD");
    match context.project_at(&revision) {
        Ok(project) => Ok(Some(project)),
        Err(CliError::Project(ProjectError::NoManifest { .. })) => {
            let told =
                format!("there is no `{MANIFEST}` in `{what}` yet: hooks deploy nothing until there is");
            context.printer.warn(told, Some("`git dist init` writes one"));
            Ok(None)
        }
        Err(CliError::Project(ProjectError::Git(
            GitError::NoSuchRevision { .. } | GitError::Unborn { .. },
        ))) => Ok(None),
        Err(CliError::Project(
            error @ (ProjectError::Manifest { .. } | ProjectError::Environment { .. }),
        )) => {
            context.printer.warn(chain(&error), error.hint().as_deref());
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The commands that hooks would have to run, one line per target.
fn commands(project: &Project, targets: &[String]) -> Result<Vec<String>, CliError> {
    let manifest = &project.manifest;
    let names = target::select(manifest, targets).map_err(RolloutError::Target)?;
    let specs = names.into_iter().filter_map(|name| Some((name, manifest.targets.get(name)?)));
    let commands = specs.map(|(name, spec)| (name, commands_of(manifest, spec)));
    let line =
        |(name, commands): (&str, Vec<String>)| format!("target `{name}` runs {}", commands.join(", "));
    Ok(commands.filter(|(_, commands)| !commands.is_empty()).map(line).collect())
}

/// The deployment root, and the folders of destinations outside of it, as far as that can be told yet.
fn present_roots(
    context: &Context<'_>,
    project: Option<&Project>,
    targets: &[String],
) -> Result<Vec<PathBuf>, CliError> {
    let mut roots = vec![context.root(project)?.path().to_owned()];
    let Some(project) = project else { return Ok(roots) };
    let snapshot = project.snapshot();
    let names = target::select(&project.manifest, targets).map_err(RolloutError::Target)?;
    let request =
        target::Request { ignore_missing: true, ..target::Request::new(project, snapshot.as_ref()) };
    let mut folders: Vec<PathBuf> = match target::resolve(request, &names) {
        Ok(resolved) => resolved.items.iter().map(|item| item.destination.folder().to_owned()).collect(),
        Err(error) => {
            context.printer.warn(chain(&error), error.hint().as_deref());
            Vec::new()
        }
    };
    folders.sort();
    for folder in folders {
        if !roots.iter().any(|root| folder.starts_with(root)) {
            roots.push(folder);
        }
    }
    Ok(roots)
}

/// A folder as the user names it, from here; `..` taken for what it leads to.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    let failed = |source| CliError::Directory { path: path.to_owned(), source };
    let absolute = std::path::absolute(path).map_err(failed)?;
    if absolute.components().any(|part| part == Component::ParentDir) {
        return root::resolved(&absolute).map_err(failed);
    }
    Ok(absolute.components().collect())
}

/// Warns of what is deployed to now and was not allowed when hooks were installed before.
fn warn_of_other_roots(printer: &Printer, present: &[PathBuf], settings: &Settings) {
    let Ok(allowed) = AllowedRoots::new(&settings.roots) else { return };
    let is_outside = |folder: &&PathBuf| allowed.below(folder).is_ok_and(|below| below.is_none());
    for folder in present.iter().filter(is_outside) {
        printer.warn(
            format!("hooks may not write to `{}` and will deploy nothing that goes there", Shown(folder)),
            Some("`git dist hook install --root DIR` lets them"),
        );
    }
}

fn manifest_path(project: &Project) -> String {
    if project.folder.is_empty() { MANIFEST.to_owned() } else { format!("{}/{MANIFEST}", project.folder) }
}

fn show(printer: &Printer, command: &str, report: &Report) -> Result<(), CliError> {
    if printer.is_json() {
        return printer.json(&json!({
            "format": "git-dist/hook-report",
            "version": 1,
            "command": command,
            "mechanism": report.mechanism,
            "settings": report.settings,
            "changes": report.changes,
            "notices": report.notices,
        }));
    }
    for change in &report.changes {
        printer.line(format!(
            "{} {}  {}",
            printer.paint(format!("{:<9}", change.action.word()), Tone::Good),
            printer.paint(format!("{:<13}", change.hook.as_str()), Tone::Strong),
            printer.paint(&change.place, Tone::Plain),
        ))?;
    }
    for notice in &report.notices {
        printer.warn(notice, None);
    }
    Ok(())
}

/// What happens from now on.
fn promise(settings: &Settings, is_bare: bool) -> String {
    let branch = settings.branch.as_deref().unwrap_or_default();
    let targets = match settings.targets.as_slice() {
        [] => "all targets".to_owned(),
        targets => format!("`{}`", targets.join("`, `")),
    };
    let off = if settings.auto { "" } else { ", once `dist.auto` is not false any more" };
    format!("{} deploys {targets}{off}", super::status::occasions(settings, branch, is_bare))
}
