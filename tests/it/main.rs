//! Integration tests: the real binary against real repositories, in a sandbox of its own.
#![allow(clippy::unwrap_used)]

mod deploy;
mod export;
mod hook;
mod sandbox;
mod support;
