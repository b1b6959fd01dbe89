//! `git dist cache`: a local mirror of a slow root.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args};
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::context::Context;
use super::deploy::{item_line, note_changes, show_items, show_kept, show_plan_items};
use super::error::{CliError, DONE, FAILED, STALE, USAGE};
use super::printer::Printer;
use super::{diff, json};
use crate::cache::{Deleted, Done, Mirror, Refreshed, Survey};
use crate::disk::Shown;
use crate::environment::Environment;
use crate::log_file::Level;
use crate::plan::{Item, Kind};
use crate::project;
use crate::rollout::{Report, refusal};
use crate::root::Root;
use crate::spelling::counted;

/// Mirror the active versions of a slow shared deployment root to a local one
#[derive(Clone, Debug, Args)]
#[command(
    group = ArgGroup::new("cache mode").args(["delete", "prune", "diff"]),
    after_help = "\
What is active in the source becomes active in the mirror, all of it or nothing. Files that did not change are not copied
again. A mirror is a deployment root: `DEPLOY_ROOT=MIRROR git dist show` and `verify` work on it.

Exit code 10 of --diff and -d says that the mirror is stale.

Examples:
  git dist cache                              from DEPLOY_ROOT to CACHE_ROOT
  git dist cache --src /mnt/root --dst ~/root from and to other places
  git dist cache --ttl 0                      look at the source now, however lately it was looked at
  git dist cache --diff                       which files differ
  git dist cache --prune                      remove versions that are not active any more"
)]
pub(super) struct Cache {
    /// The root to mirror [default: `DEPLOY_ROOT`]
    #[arg(long, value_name = "DIR")]
    src: Option<PathBuf>,
    /// Where the mirror is [default: `CACHE_ROOT`, or ~/.cache/pipe/ENV]
    #[arg(long, value_name = "DIR")]
    dst: Option<PathBuf>,
    /// Files that are copied at a time [default: four for each core, 32 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    workers: Option<u16>,
    /// For how long the source is not looked at again: seconds, or 90s, 5m, 1h [default: `CACHE_TTL`, or 600]
    #[arg(short, long, value_name = "TIME", value_parser = ttl)]
    ttl: Option<Duration>,
    /// Show which files differ, and change nothing
    #[arg(long)]
    diff: bool,
    /// Only remove versions from the mirror that are not active any more
    #[arg(short, long)]
    prune: bool,
    /// Remove the mirror
    #[arg(long)]
    delete: bool,
    /// Look at the source whatever its stamp says, read what the mirror has, and copy again what differs
    #[arg(short, long)]
    force: bool,
}

impl Cache {
    /// True if it changes the mirror, unless it is a dry run.
    pub(super) fn is_change(&self) -> bool {
        !self.diff
    }
}

/// A time as distman takes it, in seconds, or with its unit.
fn ttl(text: &str) -> Result<Duration, humantime::DurationError> {
    match text.trim().parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => humantime::parse_duration(text),
    }
}

/// distman's default: for so long the source is not looked at again.
const TTL: Duration = Duration::from_mins(10);
/// Most files that are copied at a time unless somebody wants more.
const MOST_WORKERS: usize = 32;

pub(super) fn run(context: &Context<'_>, arguments: &Cache) -> Result<u8, CliError> {
    let mirror = mirror(context, arguments)?;
    if arguments.delete {
        return delete(context, &mirror);
    }
    if arguments.prune {
        return prune(context, &mirror);
    }
    if arguments.diff || context.global.dry_run {
        let survey = mirror.survey(arguments.diff)?;
        return show_survey(context, &mirror, &survey, arguments.diff);
    }
    context.settle(&mirror.root, Kind::Cache)?;
    let bar = context.bar();
    let refreshed = mirror.refresh(&bar)?;
    drop(bar);
    let printer = context.printer;
    match refreshed {
        Refreshed::NotYet(_) => {
            let ttl = humantime::format_duration(mirror.ttl);
            nothing_to_do(
                printer,
                &mirror,
                false,
                &format!("the source was looked at less than {ttl} ago (`--ttl 0` looks now)"),
            )
        }
        Refreshed::Fresh => nothing_to_do(printer, &mirror, true, "the source is as it was copied"),
        Refreshed::Done(done) => printer.report(show_done(context, &mirror, &done)),
    }
}

/// The mirror that is asked for: options, then the environment, then defaults.
fn mirror(context: &Context<'_>, arguments: &Cache) -> Result<Mirror, CliError> {
    let is_told = arguments.src.is_some() && arguments.dst.is_some();
    let project = if is_told { None } else { context.project_if_any()? };
    let alone;
    let environment = match &project {
        Some(project) => &project.environment,
        None => {
            alone = project::environment_without_project(&context.process)
                .map_err(|error| CliError::Environment(Box::new(error)))?;
            &alone
        }
    };
    let deployed = project::root(environment)?;
    let meta = deployed.meta_path().file_name().unwrap_or_default().to_owned();
    let at = |path: &PathBuf| {
        let path =
            std::path::absolute(path).map_err(|source| CliError::Directory { path: path.clone(), source })?;
        Ok::<_, CliError>(Root::new(path.components().collect::<PathBuf>(), meta.clone()))
    };
    let ttl = match arguments.ttl {
        Some(ttl) => ttl,
        None => match environment.get("CACHE_TTL").map(|variable| variable.value.as_str()) {
            None | Some("") => TTL,
            Some(text) => self::ttl(text).map_err(|error| CliError::Told {
                message: format!("`CACHE_TTL` is `{text}`, which is no time: {error}"),
                hint: Some("seconds, or 90s, 5m, 1h".to_owned()),
                code: USAGE,
            })?,
        },
    };
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Mirror {
        source: arguments.src.as_ref().map_or(Ok(deployed), at)?,
        root: at(&match &arguments.dst {
            Some(path) => path.clone(),
            None => cache_root(environment)?,
        })?,
        ttl,
        force: arguments.force,
        workers: arguments.workers.map_or((cores * 4).min(MOST_WORKERS), usize::from),
        tells_outside: context.global.verbose > 0,
    })
}

/// Where distman keeps its mirror.
fn cache_root(environment: &Environment) -> Result<PathBuf, CliError> {
    if let Some(path) = environment.path("CACHE_ROOT").filter(|path| !path.as_os_str().is_empty()) {
        return Ok(path);
    }
    let value = |name: &str| environment.get(name).map(|variable| variable.value.as_str());
    let below_home = if cfg!(target_os = "macos") { "Library/Caches/pipe" } else { ".cache/pipe" };
    match (value("HOME"), value("ENV")) {
        (Some(home), Some(env)) if !home.is_empty() => Ok(PathBuf::from(home).join(below_home).join(env)),
        _ => Err(CliError::Told {
            message: "it is not known where the mirror is".to_owned(),
            hint: Some("`--dst DIR` or `CACHE_ROOT` names it".to_owned()),
            code: USAGE,
        }),
    }
}

fn places(mirror: &Mirror) -> String {
    format!("{} -> {}", Shown(mirror.source.path()), Shown(mirror.root.path()))
}

/// What every document says of a mirror.
fn document(mirror: &Mirror, is_fresh: bool, more: Value) -> Value {
    let mut value = json!({
        "format": "git-dist/cache",
        "version": 1,
        "source": mirror.source.path(),
        "mirror": mirror.root.path(),
        "fresh": is_fresh,
    });
    json::merge(&mut value, more);
    value
}

fn nothing_to_do(printer: &Printer, mirror: &Mirror, is_checked: bool, why: &str) -> Result<u8, CliError> {
    if printer.is_json() {
        let more = json!({ "checked": is_checked, "number": null, "items": [] });
        printer.json(&document(mirror, true, more))?;
    }
    printer.talk(format!("nothing to do: {why}"));
    Ok(DONE)
}

fn show_survey(
    context: &Context<'_>,
    mirror: &Mirror,
    survey: &Survey,
    with_files: bool,
) -> Result<u8, CliError> {
    let printer = context.printer;
    let is_stale = survey.is_stale();
    if printer.is_json() {
        let mut items: Vec<Value> = survey.items.iter().map(json::item).collect();
        for (item, files) in items.iter_mut().zip(&survey.files) {
            item["files"] = diff::files_json(files);
        }
        let more = json!({ "checked": true, "number": null, "items": items });
        printer.json(&document(mirror, !is_stale, more))?;
    } else if with_files {
        for (item, files) in survey.items.iter().zip(&survey.files) {
            if item.action.is_change() || item.action.is_refusal() {
                printer.line(item_line(printer, item))?;
                diff::show_files(printer, item, files)?;
            }
        }
    } else {
        show_plan_items(printer, &survey.items)?;
    }
    tell_passed_over(context, &survey.passed_over);
    let verdict = if is_stale { "stale" } else { "fresh" };
    printer.talk(format!("the mirror is {verdict}: {}", places(mirror)));
    Ok(if is_stale { STALE } else { DONE })
}

fn tell_passed_over(context: &Context<'_>, passed_over: &[String]) {
    if context.global.verbose > 0 {
        for what in passed_over {
            context.printer.talk(format!("not mirrored: {what}"));
        }
    }
}

fn show_done(context: &Context<'_>, mirror: &Mirror, done: &Done) -> Result<(), CliError> {
    let printer = context.printer;
    let Done { report, copied, left, passed_over } = done;
    note_changes(printer, &report.items);
    for item in left {
        let told = format!("left as it is: {}", refusal(item));
        printer.warn(told, Some("`git dist cache -f` makes it active all the same"));
    }
    let text = match report.number {
        Some(number) => format!(
            "r{number}: mirrored {}: {} copied ({}), {} shared",
            places(mirror),
            counted(usize::try_from(copied.files).unwrap_or(usize::MAX), "file"),
            HumanBytes(copied.bytes),
            copied.shared
        ),
        None => format!("nothing to do: the mirror has all of {}", Shown(mirror.source.path())),
    };
    if printer.is_json() {
        printer.note(Level::Info, text);
        let mut more = json::report(report, None);
        let items = report.items.iter().chain(left).map(json::item).collect::<Vec<_>>();
        let about = json!({
            "checked": true,
            "items": items,
            "copied": { "files": copied.files, "bytes": copied.bytes, "shared": copied.shared },
        });
        json::merge(&mut more, about);
        json::merge(&mut more, document(mirror, true, json!({})));
        return printer.json(&more);
    }
    show_items(printer, report)?;
    tell_passed_over(context, passed_over);
    printer.talk(text);
    Ok(())
}

fn prune(context: &Context<'_>, mirror: &Mirror) -> Result<u8, CliError> {
    if context.global.dry_run {
        return show_plan(context, mirror, &mirror.plan_prune()?.items);
    }
    let bar = context.bar();
    let report = mirror.prune(&bar)?;
    drop(bar);
    show_kept(context.printer, &report);
    context.printer.report(show_removed(context, mirror, &report, "pruned"))
}

fn delete(context: &Context<'_>, mirror: &Mirror) -> Result<u8, CliError> {
    let printer = context.printer;
    let items = mirror.plan_delete()?;
    if context.global.dry_run {
        return show_plan(context, mirror, &items);
    }
    let question = format!("remove the mirror `{}` with all of its versions?", Shown(mirror.root.path()));
    if !context.global.yes && !printer.ask(&question) {
        return Err(CliError::Told {
            message: format!("not removed: the mirror `{}`", Shown(mirror.root.path())),
            hint: Some("`-y` says yes".to_owned()),
            code: FAILED,
        });
    }
    let bar = context.bar();
    let Deleted { report, is_left } = mirror.delete(&bar)?;
    drop(bar);
    if is_left {
        printer.warn(
            format!("`{}` holds other files, which stay", Shown(mirror.root.path())),
            Some("they are nothing that a mirror made"),
        );
    }
    printer.report(show_removed(context, mirror, &report, "removed the mirror"))
}

fn show_plan(context: &Context<'_>, mirror: &Mirror, items: &[Item]) -> Result<u8, CliError> {
    let printer = context.printer;
    if printer.is_json() {
        let items: Vec<Value> = items.iter().map(json::item).collect();
        let more = json!({ "checked": false, "number": null, "items": items });
        printer.json(&document(mirror, false, more))?;
    } else {
        show_plan_items(printer, items)?;
        printer.talk("dry run: nothing was changed");
    }
    Ok(DONE)
}

fn show_removed(context: &Context<'_>, mirror: &Mirror, report: &Report, what: &str) -> Result<(), CliError> {
    let printer = context.printer;
    note_changes(printer, &report.items);
    if printer.is_json() {
        let mut more = json::report(report, None);
        json::merge(&mut more, document(mirror, false, json!({ "checked": false })));
        return printer.json(&more);
    }
    show_items(printer, report)?;
    printer.talk(format!("{what}: {}", Shown(mirror.root.path())));
    Ok(())
}
