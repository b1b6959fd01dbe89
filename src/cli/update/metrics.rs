//! Figures for the text collector of the node exporter (Prometheus text format, version 0.0.4).

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::freshness;
use crate::cli::error::CliError;
use crate::disk::Dir;
use crate::root::Root;
use crate::update::{State, Subscription};

type Figure = (&'static str, &'static str, fn(&State) -> Option<f64>);

fn seconds(time: Option<DateTime<Utc>>) -> Option<f64> {
    time.map(|time| u32::try_from(time.timestamp()).map_or(0.0, f64::from))
}

const FIGURES: [Figure; 7] = [
    ("last_check_timestamp_seconds", "When an upstream was asked last.", |it| seconds(it.checked)),
    ("last_success_timestamp_seconds", "When an upstream answered last.", |it| seconds(it.succeeded)),
    ("age_seconds", "How long ago an upstream answered.", |it| {
        it.age(Utc::now()).map(|age| age.as_secs_f64().floor())
    }),
    ("failures", "Checks that failed since an upstream answered.", |it| Some(it.failures.into())),
    ("bad_releases", "Releases that failed and are not tried again.", |it| {
        u32::try_from(it.bad.len()).ok().map(f64::from)
    }),
    ("active_sequence", "Number of the channel's release that was seen last.", |it| {
        let sequence = it.seen.as_ref().map(|seen| seen.sequence)?;
        u32::try_from(sequence).ok().map(f64::from)
    }),
    ("expires_timestamp_seconds", "Until when the release counts.", |it| seconds(it.expires)),
];

/// Writes the figures of all that `root` follows to the file `path`, in place of what was there.
pub(super) fn write(path: &Path, root: &Root) -> Result<(), CliError> {
    let all = freshness(root)?;
    let text = text(&all, &root.path().to_string_lossy());
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = Dir::open(path.parent().unwrap_or(&path))?;
    Ok(folder.replace_file_without_sync(path.file_name().unwrap_or_default(), text.as_bytes())?)
}

fn text(all: &[(Subscription, State)], root: &str) -> String {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut text = String::new();
    for (name, help, figure) in FIGURES {
        let _ = writeln!(text, "# HELP git_dist_update_{name} {help}\n# TYPE git_dist_update_{name} gauge");
        for (subscription, state) in all {
            if let Some(value) = figure(state) {
                let (root, target) = (escaped(root), escaped(&subscription.name));
                let _ =
                    writeln!(text, "git_dist_update_{name}{{root=\"{root}\",target=\"{target}\"}} {value}");
            }
        }
    }
    text
}
