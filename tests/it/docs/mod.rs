//! The documentation: what can be generated is generated, what is shown was run, and nothing is left out.
//!
//! `UPDATE_DOCS=1 cargo test docs` writes again what these tests compare.

mod complete;
mod console;
mod generated;
mod picture;
mod session;

use std::fs;
use std::path::{Path, PathBuf};

/// A file of this repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of this repository.
fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// True if the documentation is written again, rather than compared.
fn is_update() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// Asserts that the file `name` holds `expected`, which it is made from, or writes it.
#[track_caller]
fn assert_generated(name: &str, expected: &str) {
    if is_update() {
        fs::write(path(name), expected).unwrap();
        return;
    }
    let found = fs::read_to_string(path(name)).unwrap_or_default();
    assert!(found == expected, "{name} is not up to date: `UPDATE_DOCS=1 cargo test docs` writes it");
}
