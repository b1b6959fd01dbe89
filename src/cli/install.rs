//! `git dist install`: from one address and one key to something that keeps itself up to date.

use std::time::Duration;

use indicatif::HumanBytes;
use serde_json::json;

use super::args::Install;
use super::context::Context;
use super::deploy::{note_changes, show_items};
use super::error::{CliError, DONE, FAILED, USAGE};
use crate::channel::is_name;
use crate::disk::Shown;
use crate::signature::TrustedKeys;
use crate::update::{self, Follows, Outcome, Request, SHORTEST_TTL, Subscription, UpdateError, Upstream};

/// How long a place may take to answer.
const PROBE: Duration = Duration::from_secs(10);

pub(super) fn run(context: &Context<'_>, arguments: &Install) -> Result<u8, CliError> {
    let told =
        |message: String, hint: &str, code| CliError::Told { message, hint: Some(hint.to_owned()), code };
    let upstream = Upstream::parse(&arguments.address)?;
    let keys = keys(arguments)?;
    if matches!(upstream, Upstream::Place(_)) && keys.is_none() {
        let message = "whoever publishes signs, and nothing says with which key".to_owned();
        return Err(told(message, "`--key 'ssh-ed25519 AAAA...'`, or `--key FILE`", USAGE));
    }
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&arguments.address));
    if !is_name(&name) {
        return Err(told(format!("`{}` is no name", Shown(&name)), "`--name NAME`", USAGE));
    }
    let root = context.root(None)?;
    let subscription = subscription(arguments, &name)?;
    if context.global.dry_run {
        context.printer.talk(format!("would install `{name}` below {}", Shown(root.path())));
        return Ok(DONE);
    }
    let meta = root.create()?;
    let known = Subscription::read(&meta, &name)?;
    if known.is_some() && !arguments.replace {
        let message = format!("`{name}` is installed already");
        let hint = format!("`git dist update --now {name}` updates it, `--replace` installs it anew");
        return Err(told(message, &hint, FAILED));
    }
    let folder = subscription.folder(&meta)?;
    if arguments.replace {
        update::forget(&folder)?;
    }
    keys.unwrap_or_default().write(&folder)?;
    let request = Request {
        now: true,
        offline: false,
        check: false,
        probe: PROBE,
        total: None,
        force: arguments.replace,
    };
    let done = update::update(&root, &subscription, request, &context.process, &context.bar());
    let outcome = done.inspect_err(|_| {
        // Nothing is followed that never was there.
        if known.is_none() {
            update::abandon(&meta, &folder, &name);
        }
    })?;
    let printer = context.printer;
    match outcome {
        Outcome::Updated { release, bytes, report } => {
            note_changes(printer, &report.items);
            if printer.is_json() {
                let rollout = super::json::report(&report, None);
                printer.json(&json!({
                    "format": "git-dist/install", "version": 1, "name": name, "release": release, "bytes": bytes,
                    "rollout": rollout,
                }))?;
                return Ok(DONE);
            }
            show_items(printer, &report)?;
            let size = if bytes > 0 { format!(", {} fetched", HumanBytes(bytes)) } else { String::new() };
            printer.talk(format!("installed {release} below {}{size}", Shown(root.path())));
            printer.talk("`git dist update --print-unit systemd` (launchd, cron) keeps it up to date");
            Ok(DONE)
        }
        Outcome::Current { release } => {
            printer.talk(format!("{release} is installed below {}", Shown(root.path())));
            Ok(DONE)
        }
        Outcome::KnownBad { release, why } => {
            Err(told(format!("{release} failed before: {why}"), "`--replace` tries it again", FAILED))
        }
        Outcome::NotDue { .. } | Outcome::Busy | Outcome::Offline | Outcome::Available { .. } => {
            Err(told("another process is at it".to_owned(), "try again when it is done", FAILED))
        }
    }
}

fn keys(arguments: &Install) -> Result<Option<TrustedKeys>, CliError> {
    let mut all = TrustedKeys::default();
    for key in &arguments.key {
        all.extend(TrustedKeys::parse(key).map_err(UpdateError::from)?);
    }
    Ok((all != TrustedKeys::default()).then_some(all))
}

fn subscription(arguments: &Install, name: &str) -> Result<Subscription, CliError> {
    let absolute = |path: &std::path::PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    for mirror in &arguments.mirror {
        Upstream::parse(mirror)?;
    }
    // A relative path is relative to where the user stands, not to where an update will run.
    let address = |text: &String| {
        let is_relative = text.starts_with("./") || text.starts_with("../");
        if is_relative { absolute(&text.into()).display().to_string() } else { text.clone() }
    };
    Ok(Subscription {
        format: 1,
        name: name.to_owned(),
        from: [&arguments.address].into_iter().chain(&arguments.mirror).map(address).collect(),
        channel: arguments.channel.clone(),
        track: arguments.track.clone(),
        manifest: Follows::Release,
        targets: arguments.targets.clone(),
        allow_commands: arguments.allow_commands,
        roots: arguments.roots.iter().map(absolute).collect(),
        ttl: arguments.ttl.map(|ttl| ttl.max(SHORTEST_TTL).as_secs()),
        max_stale: None,
    })
}

/// The last part of an address, without what is no name.
fn name_of(address: &str) -> String {
    let bare = crate::credentials::without_credentials(address);
    let bare = bare.trim_end_matches('/').trim_end_matches(".git");
    bare.rsplit(['/', ':']).next().unwrap_or_default().trim_start_matches('.').to_owned()
}
