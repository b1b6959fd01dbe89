//! One step of a pipeline: a script or a function that turns a staged file or folder into another.

use std::fmt;
use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde_json::{Map, Value};

use super::schema::step;
use super::text_list::{self, TextList};

/// Steps by name, in the order of the file.
pub type Pipeline = IndexMap<String, Step>;

/// The longest time a step may be given: far below what cannot be added to a point in time.
const MAX_TIMEOUT: Duration = Duration::from_hours(365 * 24);

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "StepFields")]
pub struct Step {
    /// What the step does.
    pub action: Action,
    /// Variables for its processes, over those of the environment.
    pub env: IndexMap<String, String>,
    /// Its place in the run: low before high; equal ones in the order of the file.
    pub order: f64,
    /// After how long it is stopped; `None` = never.
    pub timeout: Option<Duration>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Shell commands, run in order, with `{input}`, `{output}` and `{VARIABLE}` placeholders as
    /// written.
    Script(Vec<String>),
    /// A built-in function.
    Function {
        /// Its name, as written: `replace_tokens`, or distman's `distman.transform.replace_tokens`.
        name: String,
        /// Its arguments.
        options: Map<String, Value>,
    },
}

/// One step of a pipeline: either `script` or `func`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Step", transform = step)]
pub(super) struct StepFields {
    /// Shell commands. `{input}`, `{output}` and environment placeholders are replaced, quoted for
    /// the shell.
    #[serde(default, deserialize_with = "text_list::optional")]
    #[schemars(with = "TextList")]
    script: Option<Vec<String>>,
    /// A built-in function, such as `replace_tokens`.
    #[schemars(with = "String")]
    func: Option<String>,
    /// Arguments of the function.
    options: Option<Map<String, Value>>,
    /// Variables for the processes of this step.
    env: Option<IndexMap<String, String>>,
    /// Low runs before high; equal ones run in the order of the file.
    #[schemars(extend("default" = 0))]
    order: Option<f64>,
    /// After how long the step is stopped: seconds, or a text such as `30s` or `5m`.
    #[serde(default, deserialize_with = "timeout")]
    #[schemars(schema_with = "super::schema::timeout")]
    timeout: Option<Duration>,
}

impl TryFrom<StepFields> for Step {
    type Error = &'static str;

    fn try_from(fields: StepFields) -> Result<Self, Self::Error> {
        let action = match (fields.script, fields.func) {
            (Some(commands), None) => Action::Script(commands),
            (None, Some(name)) => Action::Function { name, options: fields.options.unwrap_or_default() },
            (Some(_), Some(_)) => return Err("has both `script` and `func`"),
            (None, None) => return Err("has neither `script` nor `func`"),
        };
        Ok(Self {
            action,
            env: fields.env.unwrap_or_default(),
            order: fields.order.unwrap_or_default(),
            timeout: fields.timeout,
        })
    }
}

fn timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    struct Timeout;

    impl<'de> Visitor<'de> for Timeout {
        type Value = Option<Duration>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time above zero and up to a year: seconds, or a text such as `30s` or `5m`")
        }

        fn visit_none<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
            deserializer.deserialize_any(self)
        }

        fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
            let time = bounded(Duration::from_secs(seconds));
            time.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(seconds), &self))
        }

        fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
            Err(E::invalid_value(Unexpected::Signed(seconds), &self))
        }

        fn visit_f64<E: Error>(self, seconds: f64) -> Result<Self::Value, E> {
            let time = Duration::try_from_secs_f64(seconds).ok().and_then(bounded);
            time.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Float(seconds), &self))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            let time = humantime::parse_duration(text).ok().and_then(bounded);
            time.map(Some).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    fn bounded(time: Duration) -> Option<Duration> {
        (!time.is_zero() && time <= MAX_TIMEOUT).then_some(time)
    }

    deserializer.deserialize_option(Timeout)
}
