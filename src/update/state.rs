//! When a subscription is due, and what was seen of it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::channel::Seen;
use crate::disk::{self, Dir};
use crate::remote::Tag;

/// Name of its file.
const STATE: &str = "state.json";
/// Name of the file that says when the next check is due, for those who must not read more.
const DUE: &str = "due";
/// The most of it that is read, in bytes.
const LARGEST: u64 = 4 << 20;
/// How long one waits after the first failure; each further one doubles it.
const FIRST_WAIT: Duration = Duration::from_mins(5);
/// How far the clock may have been set back before what it said counts for nothing.
const SLIP: i64 = 300;
/// Releases that are remembered as bad.
const MOST_BAD: usize = 100;

/// What is known of a subscription from one run to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// When an upstream was asked last, whatever came of it.
    #[serde(default)]
    pub checked: Option<DateTime<Utc>>,
    /// When one answered last, and what it had was had.
    #[serde(default)]
    pub succeeded: Option<DateTime<Utc>>,
    /// When the next check is due.
    #[serde(default)]
    pub next: Option<DateTime<Utc>>,
    /// Checks that failed since.
    #[serde(default)]
    pub failures: u32,
    /// Why the last one failed.
    #[serde(default)]
    pub failure: Option<String>,
    /// What was seen of the channel.
    #[serde(default)]
    pub seen: Option<Seen>,
    /// Until when what was seen counts.
    #[serde(default)]
    pub expires: Option<DateTime<Utc>>,
    /// The tag of the manifest that was read last, and where it was read.
    #[serde(default)]
    pub tag: Option<(String, Tag)>,
    /// The release that is deployed: its commit.
    #[serde(default)]
    pub deployed: Option<String>,
    /// What people know it by.
    #[serde(default)]
    pub release: Option<String>,
    /// Releases that failed, by commit, with the reason.
    #[serde(default)]
    pub bad: BTreeMap<String, String>,
}

impl State {
    /// Reads what is known in the folder of a subscription. What cannot be read is as good as nothing, but for the one
    /// thing that must not be lost.
    ///
    /// # Errors
    /// When the file is there and cannot be read: forgetting what was seen would let an older release in.
    pub fn read(folder: &Dir) -> disk::Result<Self> {
        match folder.read_file(STATE, LARGEST) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| disk::DiskError {
                act: "read",
                path: folder.join(STATE),
                source: std::io::Error::other(error),
            }),
            Err(error) if error.is_not_found() => Ok(Self::default()),
            Err(error) => Err(error),
        }
    }

    /// Writes it, and when the next check is due.
    ///
    /// # Errors
    /// When the folder may not be written.
    pub fn write(&self, folder: &Dir) -> disk::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        folder.replace_file(STATE, &bytes)?;
        let due = self.next.map_or(0, |next| next.timestamp());
        folder.replace_file_without_sync(DUE, format!("{due}\n").as_bytes())
    }

    /// True if a check is due at `now`. A clock that was wrong does not put it off for ever: what lies further ahead
    /// than a check is ever put off, or was noted in what is now the future, does not count.
    pub fn is_due(&self, now: DateTime<Utc>, ttl: Duration) -> bool {
        let (Some(checked), Some(next)) = (self.checked, self.next) else { return true };
        let longest = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX / 4);
        let longest = longest.saturating_add(longest / 5).saturating_add(SLIP);
        now >= next
            || checked.signed_duration_since(now).num_seconds() > SLIP
            || next.signed_duration_since(now).num_seconds() > longest
    }

    /// Notes that a check went well. `spread` is a number of this machine's own, so that a thousand machines do not all
    /// come at once: it moves the next check by up to a tenth.
    pub fn note_success(&mut self, now: DateTime<Utc>, ttl: Duration, spread: u64) {
        let tenths = 0.9 + 0.2 * f64::from(u32::try_from(spread % 1000).unwrap_or_default()) / 1000.0;
        self.checked = Some(now);
        self.succeeded = Some(now);
        (self.failures, self.failure) = (0, None);
        self.next = now.checked_add_signed(span(ttl.mul_f64(tenths)));
    }

    /// Notes that a check failed: the next one is due in five minutes, and in twice as long after each further failure,
    /// but never later than `ttl`.
    pub fn note_failure(&mut self, now: DateTime<Utc>, ttl: Duration, why: String) {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(20)).min(ttl);
        self.checked = Some(now);
        self.failures = self.failures.saturating_add(1);
        self.failure = Some(why);
        self.next = now.checked_add_signed(span(wait));
    }

    /// Notes that a release is bad.
    pub fn note_bad(&mut self, commit: &str, why: String) {
        if self.bad.len() >= MOST_BAD {
            self.bad.pop_first();
        }
        self.bad.insert(commit.to_owned(), why);
    }

    /// How long ago an upstream answered; `None` if none ever did.
    pub fn age(&self, now: DateTime<Utc>) -> Option<Duration> {
        self.succeeded.map(|then| now.signed_duration_since(then).to_std().unwrap_or_default())
    }
}

fn span(duration: Duration) -> chrono::Duration {
    chrono::Duration::from_std(duration).unwrap_or(chrono::Duration::days(3650))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + hours * 3600, 0).unwrap()
    }

    #[test]
    fn a_check_is_due_after_its_time_and_not_before() {
        let mut state = State::default();
        assert!(state.is_due(at(0), DAY));
        for (spread, earliest) in [(0, 22), (999, 26)] {
            state.note_success(at(0), DAY, spread);
            assert!(!state.is_due(at(1), DAY));
            assert!(!state.is_due(at(earliest - 1), DAY));
            assert!(state.is_due(at(27), DAY));
        }
    }

    #[test]
    fn failures_are_tried_again_soon_and_then_more_and_more_seldom() {
        let mut state = State::default();
        let mut waits = Vec::new();
        for _ in 0..12 {
            state.note_failure(at(0), DAY, "away".to_owned());
            waits.push((state.next.unwrap() - at(0)).num_minutes());
        }
        assert_eq!(waits[..4], [5, 10, 20, 40]);
        assert_eq!(waits[11], 24 * 60);
        state.note_success(at(1), DAY, 0);
        assert_eq!((state.failures, state.failure), (0, None));
    }

    #[test]
    fn a_wrong_clock_does_not_put_a_check_off_for_ever() {
        let mut state = State::default();
        // The clock was a year ahead when it was noted.
        state.note_success(at(24 * 365), DAY, 500);
        assert!(state.is_due(at(0), DAY));
        // It was set back by an hour: what was noted an hour from now was noted by a wrong clock.
        state.note_success(at(1), DAY, 500);
        assert!(state.is_due(at(0), DAY));
    }
}
