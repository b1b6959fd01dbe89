//! What of a pipeline decides the bytes that it makes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::function::{self, Function};
use super::scope::Scope;
use super::tokens::Tokens;
use super::{StepError, TransformError, failed};
use crate::command::{self, mentions};
use crate::environment::Environment;
use crate::manifest::{Action, Step};

/// Everything in a pipeline's definition that decides its result: the steps in order, with the values of their
/// tokens, of their `env` and of the variables that their commands mention. Where `order` puts a step counts,
/// its name and `timeout` do not.
///
/// What commands and Python functions read beyond that is in the revision ([`super::needs_checkout`]) or on the
/// machine, which nobody can know.
///
/// # Errors
///
/// When a step could not run whatever its input: an unknown function, variable or placeholder, or options that
/// the function does not take.
pub fn ingredients(
    target: &str,
    steps: &[(&str, &Step)],
    environment: &Environment,
    variables: &BTreeMap<String, String>,
) -> Result<Value, TransformError> {
    let steps = steps.iter().map(|(name, step)| {
        let scope = Scope::new(step, variables, environment);
        of_step(&step.action, &scope).map_err(|source| failed(target, name, source))
    });
    steps.collect()
}

fn of_step(action: &Action, scope: &Scope<'_>) -> Result<Value, StepError> {
    match action {
        Action::Script(commands) => {
            let values = |name: &str| match name {
                "input" | "output" => Some(name.into()),
                _ => scope.get(name).map(Into::into),
            };
            let mut mentioned = BTreeMap::new();
            for command in commands {
                command::fill(command, &values)?;
                let names = mentions(command).filter_map(|name| Some((name, scope.get(name)?)));
                mentioned.extend(names);
            }
            Ok(json!({ "script": commands, "env": scope.own(), "variables": mentioned }))
        }
        Action::Function { name, options } => {
            let mut options = options.clone();
            if let Function::ReplaceTokens(tokens) = Function::read(name, &options)? {
                Tokens::new(&tokens, scope)?;
                let tokens = filled(&tokens.tokens, scope)?;
                options = Map::from_iter([("tokens".to_owned(), Value::Object(tokens))]);
            }
            let built_in = function::built_in(name);
            // A built-in function sees nothing but its options.
            let env = if built_in.is_some() { json!({}) } else { json!(scope.own()) };
            Ok(json!({ "function": built_in.unwrap_or(name), "options": options, "env": env }))
        }
    }
}

fn filled<'t>(
    tokens: impl IntoIterator<Item = (&'t String, &'t String)>,
    scope: &Scope<'_>,
) -> Result<Map<String, Value>, StepError> {
    tokens.into_iter().map(|(token, value)| Ok((token.clone(), Value::String(scope.fill(value)?)))).collect()
}
