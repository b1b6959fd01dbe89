//! Tests that cannot run everywhere.

use std::io::Write as _;

/// Says that the test at hand is skipped, and why. Where `CI` is set, as on a machine for checks, it fails instead.
#[track_caller]
pub(crate) fn skipped(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "skipped, which must not be where `CI` is set: {why}");
    passed_over(why);
}

/// Says that the test at hand is skipped where nothing that could be installed would help, as the right to mount.
pub(crate) fn passed_over(why: &str) {
    // Not through `eprintln!`, which is only seen where a test fails.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
