//! Deploys any revision of a git repository as immutable, verifiable, instantly reversible versions.
#![cfg_attr(not(unix), allow(unused))]
#[cfg(not(unix))]
compile_error!("git dist needs symbolic links and advisory locks as Unix has them; Windows is not supported");

pub mod activate;
pub mod cache;
pub mod causes;
pub mod channel;
pub mod cli;
pub mod command;
pub mod credentials;
pub mod disk;
pub mod doctor;
pub mod door;
pub mod environment;
pub mod events;
pub mod history;
pub mod hook;
pub mod inventory;
pub mod launch;
pub mod lock;
pub mod log_file;
pub mod manifest;
pub mod packages;
mod parallel;
pub mod plan;
pub mod project;
pub mod publish;
pub mod python;
pub mod remote;
pub mod rollout;
pub mod root;
pub mod signature;
pub mod source;
pub mod spelling;
pub mod stage;
pub mod target;
pub mod transform;
pub mod update;
pub mod version;
