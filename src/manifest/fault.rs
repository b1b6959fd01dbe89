//! What is wrong with one value, before it is known how to name it.

use std::fmt;

use jsonc_parser::ast::Value;
use jsonc_parser::common::{Range, Ranged};
use serde::de::{Expected, Unexpected};

use super::error::quoted;
use super::place::Segment;

/// What is wrong with the value at the end of the path: a sentence without its subject.
#[derive(Debug)]
pub(super) struct Fault {
    pub predicate: String,
    pub hint: Option<String>,
    pub range: Option<Range>,
    /// The key whose absence is the fault.
    pub missing: Option<&'static str>,
}

impl Fault {
    pub(super) fn new(predicate: impl Into<String>) -> Self {
        Self { predicate: predicate.into(), hint: None, range: None, missing: None }
    }

    /// Fills in the place, if none is known yet, for a fault of `value` at `path`. What is wrong
    /// with a whole object is shown at its key: an object may take hundreds of lines.
    pub(super) fn found_at(mut self, value: &Value<'_>, path: &[Segment<'_>]) -> Self {
        self.range.get_or_insert_with(|| match (value, path.last()) {
            (Value::Object(_) | Value::Array(_), Some(Segment::Key(_, range))) => *range,
            _ => opening(value),
        });
        self
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.predicate)
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Bool(value) => format!("`{value}`"),
            Unexpected::Unsigned(value) => format!("`{value}`"),
            Unexpected::Signed(value) => format!("`{value}`"),
            Unexpected::Float(value) => format!("`{value}`"),
            Unexpected::Str(_) => "a string".to_owned(),
            Unexpected::Unit => "null".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "an object".to_owned(),
            other => other.to_string(),
        };
        Self::new(format!("must be {expected}, found {found}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match unexpected {
            Unexpected::Str(text) => Self::new(format!("must be {expected}, found {}", quoted(text))),
            other => Self::invalid_type(other, expected),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { missing: Some(field), ..Self::new(format!("has no `{field}`")) }
    }
}

/// The range of a value; of an object or a list, which may be long, only the bracket that opens it.
pub(super) fn opening(value: &Value<'_>) -> Range {
    let range = value.range();
    match value {
        Value::Object(_) | Value::Array(_) => Range::new(range.start, range.start + 1),
        _ => range,
    }
}
