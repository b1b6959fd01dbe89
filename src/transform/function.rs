//! The functions that a step can name, and their options.

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::StepError;
use super::chmod::Mode;
use crate::spelling::nearest;

/// The module in which distman keeps the functions that are built in here.
const DISTMAN: &str = "distman.transform.";

const REPLACE_TOKENS: &str = "replace_tokens";
const CHMOD: &str = "chmod";
const BYTE_COMPILE: &str = "byte_compile";
const MINIFY: &str = "minify";

/// What a step with `func` does.
#[derive(Debug)]
pub(super) enum Function {
    ReplaceTokens(TokenOptions),
    Chmod(Mode),
    ByteCompile,
    Minify(MinifyOptions),
    /// A function of a Python module.
    Python,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenOptions {
    /// What to look for, and what to put there.
    pub(super) tokens: IndexMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MinifyOptions {
    /// Refuse files that cannot be minified, rather than keep them.
    pub(super) strict: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChmodOptions {
    mode: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoOptions {}

impl Function {
    /// The function called `name`, with its options read.
    pub(super) fn read(name: &str, options: &Map<String, Value>) -> Result<Self, StepError> {
        Ok(match built_in(name) {
            Some(REPLACE_TOKENS) => Self::ReplaceTokens(read(REPLACE_TOKENS, options)?),
            Some(CHMOD) => {
                let ChmodOptions { mode } = read(CHMOD, options)?;
                Self::Chmod(Mode::parse(&mode).ok_or(StepError::Mode { mode })?)
            }
            Some(BYTE_COMPILE) => {
                let NoOptions {} = read(BYTE_COMPILE, options)?;
                Self::ByteCompile
            }
            Some(MINIFY) => Self::Minify(read(MINIFY, options)?),
            _ if is_dotted(name) => Self::Python,
            _ => {
                let nearest = nearest(name, [REPLACE_TOKENS, CHMOD, BYTE_COMPILE, MINIFY]);
                return Err(StepError::UnknownFunction { name: name.to_owned(), nearest });
            }
        })
    }
}

/// The short name of a built-in function; `None` for any other.
pub(super) fn built_in(name: &str) -> Option<&'static str> {
    let short = name.strip_prefix(DISTMAN).unwrap_or(name);
    [REPLACE_TOKENS, CHMOD, BYTE_COMPILE, MINIFY].into_iter().find(|known| *known == short)
}

/// True if no Python function has to be called for `name`.
pub(super) fn is_built_in(name: &str) -> bool {
    built_in(name).is_some()
}

/// True if no process is started for `name`.
pub(super) fn is_done_here(name: &str) -> bool {
    matches!(built_in(name), Some(REPLACE_TOKENS | CHMOD | MINIFY))
}

/// True for `module.function`, `package.module.function` and so on.
fn is_dotted(name: &str) -> bool {
    let is_name = |name: &str| {
        name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_numeric())
    };
    name.contains('.') && name.split('.').all(|name| !name.is_empty() && is_name(name))
}

fn read<T: DeserializeOwned>(function: &'static str, options: &Map<String, Value>) -> Result<T, StepError> {
    T::deserialize(Value::Object(options.clone())).map_err(|source| StepError::Options { function, source })
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn read(name: &str, options: &str) -> Result<Function, StepError> {
        Function::read(name, &serde_json::from_str(options).unwrap())
    }

    #[test]
    fn both_spellings_name_the_same_function() {
        for (name, options) in [
            ("replace_tokens", r#"{"tokens": {"a": "b"}}"#),
            ("distman.transform.chmod", r#"{"mode": "755"}"#),
            ("byte_compile", "{}"),
            ("distman.transform.minify", r#"{"strict": true}"#),
        ] {
            assert!(is_built_in(name));
            assert_eq!(is_done_here(name), name != "byte_compile");
            assert!(!matches!(read(name, options), Err(_) | Ok(Function::Python)), "{name}");
        }
        for name in ["a.b", "tools.build.run", "distman.transform.dummy_transform"] {
            assert!(matches!(read(name, r#"{"x": 1}"#), Ok(Function::Python)), "{name}");
            assert!(!is_done_here(name));
        }
    }

    #[test]
    fn what_a_function_does_not_take_is_refused() {
        for (name, options, message, source) in [
            ("replace_tokens", "{}", "the options of `replace_tokens` are wrong", "missing field `tokens`"),
            (
                "replace_tokens",
                r#"{"token": {}}"#,
                "the options of `replace_tokens` are wrong",
                "unknown field `token`, expected `tokens`",
            ),
            (
                "replace_tokens",
                r#"{"tokens": {"a": 1}}"#,
                "the options of `replace_tokens` are wrong",
                "invalid type: integer `1`, expected a string",
            ),
            ("chmod", r#"{"mode": "999"}"#, "`999` is no file mode", ""),
            ("minify", r#"{"strict": "yes"}"#, "the options of `minify` are wrong", "invalid type: string"),
            ("replace_token", "{}", "unknown function `replace_token`", ""),
            (".a", "{}", "unknown function `.a`", ""),
            ("a..b", "{}", "unknown function `a..b`", ""),
            ("a.b; import os", "{}", "unknown function `a.b; import os`", ""),
        ] {
            let error = read(name, options).unwrap_err();
            assert_eq!(error.to_string(), message);
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            assert!(cause.starts_with(source), "{cause}");
        }
        let hint = read("replace_token", "{}").unwrap_err().hint().unwrap();
        assert_eq!(hint, "did you mean `replace_tokens`?");
    }
}
