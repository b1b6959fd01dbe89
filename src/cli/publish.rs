//! `git dist publish`: releases of a channel.

use std::time::{Duration, Instant};

use chrono::Utc;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::args::Publish;
use super::context::Context;
use super::error::{CliError, DONE, USAGE};
use super::printer::Tone;
use super::table::Table;
use super::update::date;
use crate::channel::{Manifest, is_name};
use crate::credentials::without_credentials;
use crate::project::{Opening, Project};
use crate::publish::{self, Channel, Keys, PublishError, Published, Request};
use crate::remote::{Address, Limits, Remote, RemoteError};
use crate::rollout::admit;
use crate::signature::Signers;

/// How long a place may take to answer, and between two bytes.
const PROBE: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_mins(1);

pub(super) fn run(context: &Context<'_>, arguments: &Publish) -> Result<u8, CliError> {
    if !is_name(&arguments.channel) {
        let message = format!("`{}` is no name of a channel", arguments.channel.escape_default());
        let hint = Some("letters, digits, `.`, `_` and `-`".to_owned());
        return Err(CliError::Told { message, hint, code: USAGE });
    }
    let address = Address::parse(&arguments.destination).map_err(PublishError::from)?;
    let limits = Limits { probe: PROBE, total: None::<Instant>, stall: STALL };
    let remote = Remote::open(&address, limits).map_err(PublishError::from)?;
    let opening = Opening {
        manifest: arguments.manifest.as_deref(),
        worktree: arguments.worktree,
        ..Opening::new(context.location(), arguments.revision.as_deref().unwrap_or("HEAD"))
    };
    let project = context.open(opening);
    let keys = Keys::of(&arguments.sign_with, &arguments.key, project.as_ref().ok())?;
    if arguments.list {
        return list(context, &remote, &keys.signers);
    }
    if arguments.prune {
        return prune(context, &remote, &keys.signers);
    }
    if keys.signing.is_empty() {
        let message = "a release has to be signed, and nothing says with which key".to_owned();
        let hint = "`--sign-with ~/.ssh/id_ed25519`, or `git config dist.signingKey ~/.ssh/id_ed25519`";
        return Err(CliError::Told { message, hint: Some(hint.to_owned()), code: USAGE });
    }
    let request = Request {
        remote: &remote,
        channel: &arguments.channel,
        project: "",
        targets: &arguments.targets,
        keys: &keys.signing,
        signers: &keys.signers,
        valid_for: arguments.expires,
        whole_after: arguments.whole_after,
        single_writer: arguments.single_writer,
        all: arguments.all,
        new_chain: arguments.new_chain,
        vendor_python: arguments.vendor_python,
        force: arguments.force,
        dry_run: context.global.dry_run,
    };
    if arguments.refresh {
        return show(context, &remote, &publish::refresh(&request)?, "signed again");
    }
    let project = project?;
    let name = arguments.name.clone().unwrap_or_else(|| name_of(&project));
    if !is_name(&name) {
        let message = format!("`{}` is no name for what is published", name.escape_default());
        return Err(CliError::Told { message, hint: Some("`--name NAME`".to_owned()), code: USAGE });
    }
    context.tell_doubts(&project);
    let admitted = admit(&project)?;
    let published = publish::publish(&admitted, &Request { project: &name, ..request }, &context.bar())?;
    show(context, &remote, &published, if published.is_new { "published" } else { "nothing to publish:" })
}

/// The name of a project: the last part of where it came from.
fn name_of(project: &Project) -> String {
    let origin = project.origin();
    let last = origin.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
    last.trim_end_matches(".git").to_owned()
}

fn value(manifest: &Manifest) -> Value {
    json!({
        "project": manifest.project,
        "channel": manifest.channel,
        "sequence": manifest.sequence,
        "release": manifest.release,
        "published": date(manifest.published),
        "expires": date(manifest.expires),
        "bundles": manifest.bundles,
    })
}

fn show(context: &Context<'_>, remote: &Remote, published: &Published, verb: &str) -> Result<u8, CliError> {
    let printer = context.printer;
    let manifest = &published.manifest;
    if printer.is_json() {
        printer.json(&json!({
            "format": "git-dist/publish",
            "version": 1,
            "at": remote.address().to_string(),
            "new": published.is_new,
            "bytes": published.bytes,
            "channel": value(manifest),
        }))?;
        return Ok(DONE);
    }
    let Manifest { project, channel, sequence, release, .. } = manifest;
    let verb = if context.global.dry_run { format!("would have {verb}") } else { verb.to_owned() };
    let size = if published.bytes > 0 {
        format!(", {} written", HumanBytes(published.bytes))
    } else {
        String::new()
    };
    printer.talk(format!(
        "{verb} {project} {sequence} ({}) to channel `{channel}` of {}{size}",
        release.revision,
        without_credentials(&remote.address().to_string())
    ));
    printer.talk(format!("it counts until {}", date(manifest.expires)));
    Ok(DONE)
}

fn list(context: &Context<'_>, remote: &Remote, signers: &Signers) -> Result<u8, CliError> {
    let channels = publish::channels(remote, signers).or_else(|error| match error {
        PublishError::Remote(RemoteError::NotFound { .. }) => Ok(Vec::new()),
        error => Err(error),
    })?;
    let printer = context.printer;
    if printer.is_json() {
        let entry = |channel: &Channel| match &channel.manifest {
            Ok((manifest, signature)) => json!({ "channel": value(manifest), "signature": signature }),
            Err(error) => {
                json!({ "channel": { "channel": channel.name }, "error": crate::causes::chain(error) })
            }
        };
        let channels: Vec<Value> = channels.iter().map(entry).collect();
        printer.json(&json!({ "format": "git-dist/channels", "version": 1, "channels": channels }))?;
        return Ok(DONE);
    }
    let mut table = Table::default();
    for channel in &channels {
        let name = (channel.name.clone(), Tone::Strong);
        match &channel.manifest {
            Ok((manifest, signature)) => {
                let is_over = manifest.expires <= Utc::now();
                let until =
                    format!("{} {}", if is_over { "expired" } else { "until" }, date(manifest.expires));
                let size: u64 = manifest.bundles.iter().map(|bundle| bundle.size).sum();
                table.row(vec![
                    name,
                    (format!("{} {}", manifest.project, manifest.sequence), Tone::Plain),
                    (manifest.release.revision.clone(), Tone::Plain),
                    (until, if is_over { Tone::Bad } else { Tone::Dim }),
                    (format!("{} in {}", HumanBytes(size), bundles(manifest.bundles.len())), Tone::Dim),
                    (format!("signed by {signature}"), Tone::Dim),
                ]);
            }
            Err(error) => table.row(vec![name, (crate::causes::chain(error), Tone::Bad)]),
        }
    }
    table.print(printer, "")?;
    if channels.is_empty() {
        printer.talk("nothing is published there");
    }
    Ok(DONE)
}

fn prune(context: &Context<'_>, remote: &Remote, signers: &Signers) -> Result<u8, CliError> {
    let dry_run = context.global.dry_run;
    let pruned = publish::prune(remote, signers, dry_run)?;
    let printer = context.printer;
    if printer.is_json() {
        printer.json(&json!({
            "format": "git-dist/publish-prune", "version": 1, "bundles": pruned.bundles, "bytes": pruned.bytes,
        }))?;
        return Ok(DONE);
    }
    let would = if dry_run { "would remove" } else { "removed" };
    printer.talk(format!("{would} {}, {}", bundles(pruned.bundles), HumanBytes(pruned.bytes)));
    Ok(DONE)
}

fn bundles(count: usize) -> String {
    if count == 1 { "1 bundle".to_owned() } else { format!("{count} bundles") }
}
