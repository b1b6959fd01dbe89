//! `git dist update`: what is followed is brought up to date.

mod metrics;
mod unit;

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, Utc};
use humantime::format_duration;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::args::Update;
use super::context::Context;
use super::deploy::{note_changes, show_items};
use super::error::{CliError, DONE, FAILED, NEW, USAGE};
use super::printer::Tone;
use crate::disk::Dir;
use crate::door;
use crate::launch;
use crate::project::Project;
use crate::root::Root;
use crate::update::{self, Outcome, Request, State, Subscription, UpdateError};

/// How long an update may take that nobody waits for.
const DETACHED: Duration = Duration::from_mins(30);

pub(super) fn run(context: &Context<'_>, arguments: &Update) -> Result<u8, CliError> {
    if let Some(kind) = arguments.print_unit {
        return unit::print(context, arguments, kind);
    }
    if let Some(limit) = arguments.wait {
        return wait(context, arguments, limit);
    }
    if arguments.detached {
        // The application that started it may end, and its terminal go, before this does.
        let _ = launch::detach();
    }
    // Where an application happens to stand is no project that it asks for.
    let project = if arguments.detached { None } else { context.project_if_any()? };
    let root = context.root(project.as_ref())?;
    let subscriptions = followed(context, &root, project.as_ref(), arguments)?;
    let request = Request {
        now: arguments.now || arguments.force,
        offline: arguments.offline || context.is_offline(),
        check: arguments.check || context.global.dry_run,
        probe: arguments.probe,
        total: Some(if arguments.detached { DETACHED } else { arguments.timeout }),
        force: arguments.force,
    };
    let mut code = DONE;
    let mut values = Vec::new();
    let mut failed = None;
    for mut subscription in subscriptions {
        subscription.ttl = arguments.ttl.map(|ttl| ttl.as_secs()).or(subscription.ttl);
        subscription.max_stale = arguments.max_stale.map(|age| age.as_secs()).or(subscription.max_stale);
        let done = update::update(&root, &subscription, request, &context.process, &context.bar());
        values.push(value(&subscription, &done));
        let is_json = context.printer.is_json();
        match done {
            Ok(outcome) => {
                if matches!(outcome, Outcome::Available { .. }) && code == DONE {
                    code = NEW;
                }
                if !is_json {
                    tell(context, &subscription, &outcome)?;
                }
            }
            Err(error) => {
                code = FAILED;
                // The last one is told by who called this, with its hint.
                if let Some(error) = failed.replace((subscription.name.clone(), error)) {
                    tell_error(context, error);
                }
            }
        }
        if is_stale(context, &root, &subscription)? && arguments.fail_when_stale {
            code = FAILED;
        }
        if context.interrupts.count() > 0 {
            break;
        }
    }
    if let Some(path) = &arguments.metrics {
        metrics::write(path, &root)?;
    }
    if context.printer.is_json() {
        context
            .printer
            .json(&json!({ "format": "git-dist/update", "version": 1, "subscriptions": values }))?;
    }
    match failed {
        Some((_, error)) if !context.printer.is_json() => Err(error.into()),
        _ => Ok(code),
    }
}

/// For an application that is about to start: does what is due, and says whether something new is active.
fn wait(context: &Context<'_>, arguments: &Update, limit: Duration) -> Result<u8, CliError> {
    let root = context.root(None)?;
    let all = update::followed(&root, None, context.location())?;
    let subscriptions = update::select(&all, &arguments.targets);
    if subscriptions.is_empty() {
        // An application starts all the same.
        let hint = "`git dist install`, or `git dist update` where its dist.json is, begins it";
        context.printer.warn("nothing of that name is followed here", Some(hint));
    }
    let program = door::own_program().map_err(|error| {
        let message = format!("git dist does not find itself: {error}");
        CliError::Told { message, hint: None, code: FAILED }
    })?;
    let end = Instant::now() + limit;
    let mut updated = Vec::new();
    for subscription in subscriptions.iter().filter(|_| !context.is_offline()) {
        let left = end.saturating_duration_since(Instant::now());
        let name = &subscription.name;
        match launch::update_and_wait(&program, &root, name, left) {
            Ok(Some(release)) => {
                context.printer.talk(format!("{name}: is at {release}"));
                updated.push(name);
            }
            Ok(None) => {}
            Err(error) => context.printer.warn(format!("{name}: {}", crate::causes::chain(&error)), None),
        }
    }
    if context.printer.is_json() {
        context
            .printer
            .json(&json!({ "format": "git-dist/update-wait", "version": 1, "updated": updated }))?;
    }
    Ok(if updated.is_empty() { DONE } else { NEW })
}

/// What is to be brought up to date.
fn followed(
    context: &Context<'_>,
    root: &Root,
    project: Option<&Project>,
    arguments: &Update,
) -> Result<Vec<Subscription>, CliError> {
    let all = update::followed(root, project, context.location())?;
    let asked = update::select(&all, &arguments.targets);
    if asked.is_empty() {
        let message = match arguments.targets.as_slice() {
            [] => "nothing here comes from elsewhere".to_owned(),
            [one] => format!("`{one}` does not come from elsewhere"),
            _ => "none of these comes from elsewhere".to_owned(),
        };
        let known: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
        let hint = match known.as_slice() {
            [] => "the option `from` of a target in dist.json names an upstream; `git dist install URL` follows a \
                   published place"
                .to_owned(),
            known => format!("what does: {}", known.join(", ")),
        };
        return Err(CliError::Told { message, hint: Some(hint), code: USAGE });
    }
    Ok(asked)
}

fn tell_error(context: &Context<'_>, (name, error): (String, UpdateError)) {
    let hint = CliError::from(error);
    context.printer.warn(format!("{name}: {}", crate::causes::chain(&hint)), hint.hint().as_deref());
}

fn tell(context: &Context<'_>, subscription: &Subscription, outcome: &Outcome) -> Result<(), CliError> {
    let (printer, name) = (context.printer, &subscription.name);
    match outcome {
        Outcome::NotDue { next } => {
            printer.talk(format!("{name}: the next check is due {} (`--now` does not wait)", ahead(*next)));
        }
        Outcome::Busy => printer.talk(format!("{name}: another process is at it")),
        Outcome::Offline => printer.talk(format!("{name}: no network is to be used")),
        Outcome::Current { release } => printer.talk(format!("{name}: nothing newer than {release}")),
        Outcome::Available { release } => {
            printer.line(format!("{name}  {}", printer.paint(release, Tone::Good)))?;
        }
        Outcome::KnownBad { release, why } => {
            printer
                .warn(format!("{name}: {release} failed before: {why}"), Some("`--now -f` tries it again"));
        }
        Outcome::Updated { release, bytes, report } => {
            note_changes(printer, &report.items);
            show_items(printer, report)?;
            let number = report.number.map(|number| format!("r{number}: ")).unwrap_or_default();
            let size = if *bytes > 0 { format!(", {} fetched", HumanBytes(*bytes)) } else { String::new() };
            printer.talk(format!("{number}{name} is at {release}{size}"));
        }
    }
    Ok(())
}

/// How far ahead a time is, in words.
fn ahead(time: DateTime<Utc>) -> String {
    let span = time.signed_duration_since(Utc::now()).num_seconds();
    match u64::try_from(span) {
        Ok(seconds) => format!("in {}", format_duration(Duration::from_secs(seconds))),
        Err(_) => "now".to_owned(),
    }
}

/// A time for people and programs: RFC 3339 in UTC, to the second.
pub(super) fn date(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Warns where no upstream answered for too long.
fn is_stale(context: &Context<'_>, root: &Root, subscription: &Subscription) -> Result<bool, CliError> {
    let Some(most) = subscription.max_stale.map(Duration::from_secs) else { return Ok(false) };
    let Some(meta) = root.open()? else { return Ok(false) };
    let state = State::read(&subscription.folder(&meta)?)?;
    let age = state.age(Utc::now());
    let is_stale = age.is_none_or(|age| age > most);
    if is_stale {
        let since = age.map_or("ever".to_owned(), |age| {
            format!("for {}", format_duration(Duration::from_secs(age.as_secs())))
        });
        context.printer.warn(format!("{}: no upstream answered {since}", subscription.name), None);
    }
    Ok(is_stale)
}

fn value(subscription: &Subscription, done: &Result<Outcome, UpdateError>) -> Value {
    let mut value = json!({ "name": subscription.name });
    let more = match done {
        Ok(Outcome::NotDue { next }) => json!({ "outcome": "not-due", "next": date(*next) }),
        Ok(Outcome::Busy) => json!({ "outcome": "busy" }),
        Ok(Outcome::Offline) => json!({ "outcome": "offline" }),
        Ok(Outcome::Current { release }) => json!({ "outcome": "current", "release": release }),
        Ok(Outcome::Available { release }) => json!({ "outcome": "available", "release": release }),
        Ok(Outcome::KnownBad { release, why }) => {
            json!({ "outcome": "bad", "release": release, "error": why })
        }
        Ok(Outcome::Updated { release, bytes, report }) => json!({
            "outcome": "updated", "release": release, "bytes": bytes,
            "rollout": super::json::report(report, None),
        }),
        Err(error) => json!({ "outcome": "failed", "error": crate::causes::chain(error) }),
    };
    super::json::merge(&mut value, more);
    value
}

/// What is followed in `root`, and how fresh it is: for `git dist show`.
pub(super) fn freshness(root: &Root) -> Result<Vec<(Subscription, State)>, CliError> {
    let Some(meta) = root.open()? else { return Ok(Vec::new()) };
    let with_state = |subscription: Subscription| -> Result<_, CliError> {
        let folder: Dir = subscription.folder(&meta)?;
        let state = State::read(&folder)?;
        Ok((subscription, state))
    };
    Subscription::all(root)?.into_iter().map(with_state).collect()
}

/// How fresh a subscription is, in words.
pub(super) fn in_words(subscription: &Subscription, state: &State) -> String {
    let now = Utc::now();
    let release = match &state.release {
        Some(release) => format!("newest is {release}"),
        None => "nothing came yet".to_owned(),
    };
    let age = match state.age(now) {
        Some(age) => format!("checked {} ago", format_duration(Duration::from_secs(age.as_secs() / 60 * 60))),
        None => "never had".to_owned(),
    };
    let failure = match (&state.failure, state.failures) {
        (Some(why), 1) => format!(", failed once since: {why}"),
        (Some(why), times) => format!(", failed {times} times since: {why}"),
        _ => String::new(),
    };
    format!("{} follows {}: {release}, {age}{failure}", subscription.name, shown_addresses(subscription))
}

fn shown_addresses(subscription: &Subscription) -> String {
    let addresses: Vec<_> =
        subscription.from.iter().map(|it| crate::credentials::without_credentials(it).into_owned()).collect();
    addresses.join(", ")
}

/// How fresh a subscription is, for programs.
pub(super) fn as_value(subscription: &Subscription, state: &State) -> Value {
    json!({
        "name": subscription.name,
        "from": shown_addresses(subscription),
        "channel": subscription.channel,
        "track": subscription.track,
        "release": state.release,
        "commit": state.deployed,
        "sequence": state.seen.as_ref().map(|seen| seen.sequence),
        "checked": state.checked.map(date),
        "succeeded": state.succeeded.map(date),
        "next": state.next.map(date),
        "expires": state.expires.map(date),
        "failures": state.failures,
        "failure": state.failure,
        "bad": state.bad,
    })
}
