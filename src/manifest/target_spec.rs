//! One entry of `targets`, as written.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::Deserializer;

use super::schema::closed;
use super::step::StepFields;
use super::text_list::{self, TextList};
use super::{Options, Pattern, Pipeline, Template};

/// A target: a source in the repository and its destination on disk. A wildcard target stands for
/// many items.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[schemars(rename = "Target", transform = closed)]
pub struct TargetSpec {
    /// Path relative to dist.json; `.` is the whole folder. `*`, `?` and `[..]` match within one
    /// name, `**` matches any number of folders; none matches a leading dot.
    #[schemars(length(min = 1))]
    pub source: String,
    /// Path to deploy to. `{VARIABLE}` is expanded; `%1`, `%2`, ... take what the wildcards of the
    /// source matched.
    #[schemars(length(min = 1))]
    pub destination: String,
    /// Options for this target, over the global ones.
    #[serde(default, deserialize_with = "or_default")]
    #[schemars(with = "Option<Options>")]
    pub options: Options,
    /// Steps for this target: absent or null for none, `{}` for the global ones, more to add to or
    /// replace them.
    #[schemars(with = "Option<IndexMap<String, StepFields>>")]
    pub pipeline: Option<Pipeline>,
    /// Paths inside a version that are links to data which outlives versions. What the source holds there is what
    /// the data begins with; where it holds nothing, that is an empty folder.
    #[serde(default, deserialize_with = "text_list::list")]
    #[schemars(with = "Option<TextList>")]
    pub shared: Vec<String>,
    /// What `git dist run` starts: a program inside a version that is a folder, and its first arguments.
    #[serde(default, deserialize_with = "text_list::list")]
    #[schemars(with = "Option<TextList>")]
    pub run: Vec<String>,
    /// Commands run on the staged version before anything is switched; a failure changes nothing.
    #[serde(default, deserialize_with = "text_list::list")]
    #[schemars(with = "Option<TextList>")]
    pub verify: Vec<String>,
    /// Commands run after the switch; a failure undoes the whole rollout, and they run again for what is active then.
    #[serde(default, deserialize_with = "text_list::list")]
    #[schemars(with = "Option<TextList>")]
    pub after: Vec<String>,
}

impl TargetSpec {
    /// The source as a pattern.
    pub fn pattern(&self) -> Pattern {
        Pattern::parse(&self.source)
    }

    /// The shared paths with single slashes, and none at the end.
    pub fn shared_paths(&self) -> Vec<String> {
        self.shared.iter().map(|path| tidy(path)).collect()
    }

    /// The destination as a template.
    pub fn template(&self) -> Template<'_> {
        Template::parse(&self.destination)
    }
}

/// The path with single slashes and no empty steps.
pub(super) fn tidy(path: &str) -> String {
    let names: Vec<_> = path.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", names.join("/"))
}

/// Null is as good as absent, as in distman.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
