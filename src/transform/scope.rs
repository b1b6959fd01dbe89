//! The variables that a step sees.

use std::collections::BTreeMap;

use super::StepError;
use crate::command::placeholder;
use crate::environment::Environment;
use crate::manifest::Step;

/// The variables of a step: its own `env` first, then those of the rollout, then the environment.
pub(super) struct Scope<'a> {
    own: BTreeMap<String, String>,
    variables: &'a BTreeMap<String, String>,
    environment: &'a Environment,
}

impl<'a> Scope<'a> {
    /// The scope of `step`. `{NAME}` in its `env` is filled in where the name is known; other braces are text,
    /// as in distman, which takes these values as written.
    pub(super) fn new(
        step: &Step,
        variables: &'a BTreeMap<String, String>,
        environment: &'a Environment,
    ) -> Self {
        let mut scope = Self { own: BTreeMap::new(), variables, environment };
        // Only when all are filled do they count, so that their order does not.
        let own = step.env.iter().map(|(name, value)| {
            let filled = replace(value, |name| {
                Some(scope.get(name).map_or_else(|| format!("{{{name}}}"), ToOwned::to_owned))
            });
            (name.clone(), filled.unwrap_or_else(|_| value.clone()))
        });
        scope.own = own.collect();
        scope
    }

    /// The value of a variable.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let own = self.own.get(name).or_else(|| self.variables.get(name)).map(String::as_str);
        own.or_else(|| self.environment.get(name).map(|variable| variable.value.as_str()))
    }

    /// `text` with every `{NAME}` filled in. As in distman, an unknown name is an error; a brace that begins no
    /// name is text.
    pub(super) fn fill(&self, text: &str) -> Result<String, StepError> {
        replace(text, |name| self.get(name).map(ToOwned::to_owned))
            .map_err(|name| StepError::UnknownVariable { name, text: text.to_owned() })
    }

    /// What a process of the step gets over the inherited environment.
    pub(super) fn process_environment(&self) -> BTreeMap<String, String> {
        let environment = self.environment.iter().map(|(name, variable)| (name, &variable.value));
        let variables = self.variables.iter().chain(&self.own).map(|(name, value)| (name.as_str(), value));
        environment.chain(variables).map(|(name, value)| (name.to_owned(), value.clone())).collect()
    }

    /// The step's own variables.
    pub(super) fn own(&self) -> &BTreeMap<String, String> {
        &self.own
    }
}

/// Replaces every `{NAME}` in `text`; the error is the first name without a value.
fn replace(text: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(name) = placeholder(rest) {
            filled.push_str(&value(name).ok_or_else(|| name.to_owned())?);
            rest = &rest[name.len() + 2..];
        } else {
            filled.push('{');
            rest = &rest[1..];
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn names_are_filled_and_other_braces_are_text() {
        let value = |name: &str| (name != "NO").then(|| format!("<{name}>"));
        for (text, filled) in [
            ("{A}/{B_1}", Ok("<A>/<B_1>")),
            ("{\"a\": {\"b\": 1}}", Ok("{\"a\": {\"b\": 1}}")),
            ("{{A}}", Ok("{<A>}")),
            ("{", Ok("{")),
            ("${A} {é} {1}", Ok("$<A> {é} {1}")),
            ("x{NO}", Err("NO")),
        ] {
            assert_eq!(replace(text, value), filled.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
