//! `git dist init`: a first dist.json and distman.env.

use super::context::Context;
use super::error::{CliError, DONE, FAILED};
use crate::disk::Dir;
use crate::project::{ENVIRONMENT, MANIFEST};
use crate::rollout::{RolloutError, suggest};
use crate::source::git::Repository;

pub(super) fn run(context: &Context<'_>) -> Result<u8, CliError> {
    let repository = Repository::discover(std::path::Path::new(".")).map_err(RolloutError::from)?;
    let Some(top) = repository.workdir() else {
        return Err(CliError::Told {
            message: "a bare repository has no working tree to write to".to_owned(),
            hint: Some("run `git dist init` in a clone, commit, and push".to_owned()),
            code: FAILED,
        });
    };
    let dir = Dir::open(top)?;
    if dir.stat(MANIFEST)?.is_some() {
        return Err(CliError::Told {
            message: format!("there is a `{MANIFEST}` already"),
            hint: Some("`git dist -d` shows what it deploys".to_owned()),
            code: FAILED,
        });
    }
    let (manifest, environment) = suggest(&repository).map_err(RolloutError::from)?;
    if context.global.dry_run {
        context.printer.raw(manifest.as_bytes())?;
        return Ok(DONE);
    }
    dir.create_file(MANIFEST, 0o664)?.write(manifest.as_bytes())?;
    let mut written = vec![MANIFEST];
    if dir.stat(ENVIRONMENT)?.is_none() {
        dir.create_file(ENVIRONMENT, 0o664)?.write(environment.as_bytes())?;
        written.push(ENVIRONMENT);
    }
    context.printer.raw(manifest.as_bytes())?;
    context.printer.talk(format!(
        "wrote {}. Next:\n  git add {} && git commit -m 'Deploy with git dist'\n  git dist -d    shows what a deploy would do",
        written.join(" and "),
        written.join(" ")
    ));
    Ok(DONE)
}
