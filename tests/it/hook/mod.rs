//! Hooks with real git against a real upstream: what the user does, and what is active then.

mod clones;
mod deploys;
mod existing;
mod install;
mod messages;
mod outcomes;
mod receive;
mod roots;
