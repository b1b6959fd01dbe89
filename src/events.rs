//! What updates did besides rollouts: probes, fetches, refusals. A log under the deployment root, of bounded size: what
//! is old goes. Nothing is decided by it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;

use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::disk::{self, Dir, LogFile};

/// Name of the log in the root's own folder.
const EVENTS: &str = "events.jsonl";
/// Name of what was the log before.
const EARLIER: &str = "events.1.jsonl";
/// Bytes of a log that make it an earlier one.
const LARGEST: u64 = 1 << 20;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// What kind of thing.
    pub kind: EventKind,
    /// The subscription that it is about.
    pub subscription: String,
    /// The upstream, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<String>,
    /// The release, as people know it: `stable 17`, `v1.2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The rollout's number, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<u64>,
    /// Bytes that were fetched.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Why, or what more there is to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// An upstream was asked, and had nothing new.
    Probe,
    /// An upstream could not be reached.
    Unreachable,
    /// A release was fetched.
    Fetch,
    /// Something was refused: a signature, an older release, a digest.
    Refused,
    /// A release was activated.
    Activated,
    /// A release failed its checks, and is not tried again.
    Bad,
    /// Something else went wrong; it is tried again.
    Failed,
}

impl EventKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Unreachable => "unreachable",
            Self::Fetch => "fetch",
            Self::Refused => "refused",
            Self::Activated => "activated",
            Self::Bad => "bad",
            Self::Failed => "failed",
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out references
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Event {
    /// An event of now.
    pub fn now(kind: EventKind, subscription: &str) -> Self {
        Self {
            time: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
            kind,
            subscription: subscription.to_owned(),
            upstream: None,
            release: None,
            rollout: None,
            bytes: 0,
            detail: None,
        }
    }
}

/// Adds `event` to the log of the root whose own folder is `meta`. It may be lost in a power cut.
///
/// # Errors
/// When the log cannot be written.
pub fn add(meta: &Dir, event: &Event) -> disk::Result<()> {
    if meta.stat(EVENTS)?.is_some_and(|stat| stat.size > LARGEST) {
        meta.rename(Path::new(EVENTS), meta, EARLIER)?;
    }
    let mut line = serde_json::to_vec(event).expect("strings and numbers always serialise");
    line.push(b'\n');
    LogFile::open(meta, EVENTS)?.add(&line)
}

/// The events of the root whose own folder is `meta`, oldest first. Lines that are none are passed over.
///
/// # Errors
/// When a log is there and cannot be read.
pub fn read(meta: &Dir) -> disk::Result<Vec<Event>> {
    let mut events = Vec::new();
    for name in [EARLIER, EVENTS] {
        let file = match meta.open_file(name) {
            Ok(file) => file,
            Err(error) if error.is_not_found() => continue,
            Err(error) => return Err(error),
        };
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
        events.extend(lines.filter_map(|line| serde_json::from_slice::<Event>(&line).ok()));
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_a_bound_and_torn_lines_cost_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Dir::open(folder.path()).unwrap();
        let event = Event { detail: Some("x".repeat(9000)), ..Event::now(EventKind::Probe, "tool") };
        for _ in 0..400 {
            add(&meta, &event).unwrap();
        }
        let size = |name| std::fs::metadata(folder.path().join(name)).map_or(0, |it| it.len());
        assert!(size(EVENTS) + size(EARLIER) < 3 << 20);
        assert!(read(&meta).unwrap().len() > 100);
        std::fs::write(folder.path().join(EVENTS), b"{\"time\":\n\n").unwrap();
        add(&meta, &event).unwrap();
        assert_eq!(read(&meta).unwrap().last(), Some(&event));
    }
}
