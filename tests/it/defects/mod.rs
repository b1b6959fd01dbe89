//! What distman 0.8.4 gets wrong, row by row as it was measured, and git dist must get right: each row is a test.
//!
//! Rows that another file tests as well as it could be done here are these:
//!
//! | row | test |
//! |---|---|
//! | 10 | `deploy::head_is_deployed_and_not_the_working_tree` |
//! | 15 | `deploy::refusals::two_items_with_one_destination` |
//! | 16 | `deploy::revisions::an_older_head_is_refused_and_a_named_revision_is_not` |
//! | 18 | the cache: `distman::distmans_cache_follows_a_root_of_git_dist`; the change stamp is below |
//! | 19 | sources: `deploy::refusals::sources_outside_the_repository`; the rest is below |
//! | 20 | passwords: `deploy::repositories::passwords_in_a_remote_never_reach_the_root`; the rest is below |
//! | a symlink as a source | `deploy::sources::files_directories_and_symlinks` |
//! | `%11` | `deploy::sources::the_eleventh_wildcard_is_not_the_first_and_a_one` |
//! | `{VAR}` in a file's name | `deploy::sources::braces_and_percent_signs_in_file_names_stay` |
//! | `chmod` of directories | `transform::functions::modes_change_in_files_and_trees` |
//! | `byte_compile` of directories | `transform::functions::python_sources_are_compiled_reproducibly` |
//! | `-t a nope` | `deploy::t_selects_targets_by_name_and_pattern` |
//! | line ends | `export::conversions::every_line_end_attribute_with_every_kind_of_content` |

mod answers;
mod content;
mod hostile;
mod interruptions;

use std::fs;
use std::path::Path;

use crate::support::{Repo, Sandbox};

/// The target `name`, which deploys the path of the same name.
fn target(name: &str) -> String {
    target_with(name, "")
}

/// The target `name` with more keys.
fn target_with(name: &str, more: &str) -> String {
    format!(r#""{name}": {{ "source": "{name}", "destination": "{{DEPLOY_ROOT}}/{name}"{more} }}"#)
}

/// A repository whose file `tool` is deployed, with one commit.
fn tool(sandbox: &Sandbox) -> Repo<'_> {
    let repo = sandbox.repo("project");
    repo.write("tool", "one\n");
    repo.manifest(&target("tool"));
    repo.commit("one");
    repo
}

/// What a deployed file holds.
#[track_caller]
fn deployed(sandbox: &Sandbox, path: impl AsRef<Path>) -> String {
    let path = sandbox.root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
