//! Integration tests: the real binary against real repositories, in a sandbox of its own.
#![allow(clippy::unwrap_used)]

mod asking;
mod back;
mod cache;
mod command;
mod completion;
mod counts;
mod defects;
mod deploy;
mod distman;
mod distman_spellings;
mod docs;
mod doctor;
mod environment;
mod export;
mod faults;
mod filesystems;
mod fire;
mod fuzz;
mod hook;
mod hostile;
mod house;
mod itself;
mod least_power;
mod log_file;
mod manual;
mod moved;
mod power;
mod remote;
mod sandbox;
mod signed;
mod support;
mod tamper;
mod together;
mod transform;
mod web;
