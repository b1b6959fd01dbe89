//! Checking versions against their records, and exporting damaged ones again.
