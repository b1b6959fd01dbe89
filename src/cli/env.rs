//! `git dist env`: the variables and where each comes from.

use serde_json::json;

use super::args::Env;
use super::context::Context;
use super::error::{CliError, DONE, FAILED};
use super::printer::Tone;
use crate::environment::{Environment, Origin};
use crate::project;
use crate::spelling::nearest;

pub(super) fn run(context: &Context<'_>, arguments: &Env) -> Result<u8, CliError> {
    let printer = context.printer;
    let project = match &arguments.revision {
        Some(revision) => Some(context.project_at(revision)?),
        None => context.project_if_any()?,
    };
    let environment = match project {
        Some(project) => {
            context.tell_doubts(&project);
            project.environment
        }
        None => project::environment_without_project(&context.process)
            .map_err(|error| CliError::Environment(Box::new(error)))?,
    };
    if let Some(name) = &arguments.name {
        return one(context, &environment, name);
    }
    if printer.is_json() {
        let variables: serde_json::Map<_, _> =
            environment.iter().map(|(name, variable)| (name.to_owned(), json!(variable))).collect();
        printer.json(&json!({ "format": "git-dist/env", "version": 1, "variables": variables }))?;
        return Ok(DONE);
    }
    if arguments.export {
        for line in environment.export_lines() {
            printer.value(&line)?;
        }
        return Ok(DONE);
    }
    for (name, variable) in environment.iter() {
        let origins: Vec<String> = variable.origins.iter().map(origin).collect();
        printer.line(format!(
            "{}={}  {}",
            printer.paint(name, Tone::Strong),
            printer.paint(&variable.value, Tone::Plain),
            printer.paint(format!("# {}", origins.join(", extends ")), Tone::Dim)
        ))?;
    }
    Ok(DONE)
}

fn one(context: &Context<'_>, environment: &Environment, name: &str) -> Result<u8, CliError> {
    let Some(variable) = environment.get(name) else {
        let near = nearest(name, environment.iter().map(|(name, _)| name));
        return Err(CliError::Told {
            message: format!("there is no variable `{name}`"),
            hint: near.map(|near| format!("did you mean `{near}`?")),
            code: FAILED,
        });
    };
    if context.printer.is_json() {
        context.printer.json(&json!(variable))?;
    } else {
        context.printer.value(&variable.value)?;
    }
    Ok(DONE)
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Process => "process environment".to_owned(),
        Origin::File { file, line } => format!("{file}:{line}"),
        Origin::Default => "default".to_owned(),
    }
}
