//! The sandbox that every test runs in: a folder of its own, an environment that holds nothing of the host's,
//! fixed names and dates, and the binary under test first on the `PATH`.
//!
//! ```ignore
//! let sandbox = Sandbox::new();
//! let repo = sandbox.repo("project");
//! repo.write("tool", "one\n");
//! repo.manifest(r#""tool": { "source": "tool", "destination": "{DEPLOY_ROOT}/bin/tool" }"#);
//! repo.commit("first");
//! insta::assert_snapshot!(repo.dist([]).snapshot(), @"");
//! insta::assert_snapshot!(tree(sandbox.root()), @"");
//! ```
#![allow(dead_code)] // Each test file uses its part of it.

mod http_server;
mod repo;
mod run;
mod sandbox;
mod skip;
mod tree;

pub(crate) use http_server::{HttpServer, Misbehaviour};
pub(crate) use repo::Repo;
pub(crate) use run::Run;
pub(crate) use sandbox::Sandbox;
pub(crate) use skip::{passed_over, skipped};
pub(crate) use tree::{Tree, tree};
