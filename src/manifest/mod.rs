//! The manifest, `dist.json`: what goes where, as written.
//!
//! Bytes become a syntax tree that knows its places (`document`), the tree becomes typed structs
//! (`read`), and what can be refused without git, environment or disk is refused (`check`). Every
//! message points at the place it is about. The structs are also where the JSON Schema comes from
//! (`schema`), so that editors and this reader agree.

mod check;
mod document;
mod error;
mod fault;
mod options;
mod pattern;
mod place;
mod read;
mod schema;
mod step;
mod target_spec;
mod template;
#[cfg(test)]
mod tests;
mod text_list;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

pub use error::{Diagnostic, Location, ManifestError, Warning};
pub use options::{Link, Match, Options, Settings, Source, Submodules, Switch};
pub use pattern::Pattern;
pub use schema::schema;
pub use step::{Action, Pipeline, Step};
pub use target_spec::TargetSpec;
pub use template::{Piece, Placeholder, Template};

use document::Document;
use error::quoted;
use schema::closed;

/// The manifest of git dist: what to deploy, and where to.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[schemars(title = "dist.json", transform = closed)]
pub struct Manifest {
    /// Address of the JSON Schema, for editors.
    #[serde(rename = "$schema")]
    pub schema: Option<String>,
    /// Version of the format.
    #[serde(default = "version_one", deserialize_with = "version")]
    #[schemars(schema_with = "schema::version", extend("default" = 1))]
    pub version: u32,
    /// Who answers for what is deployed.
    pub author: Option<String>,
    /// Options for all targets.
    #[serde(default, deserialize_with = "target_spec::or_default")]
    #[schemars(with = "Option<Options>")]
    pub options: Options,
    /// Steps that targets with a `pipeline` of their own start from.
    #[schemars(with = "Option<IndexMap<String, step::StepFields>>")]
    pub pipeline: Option<Pipeline>,
    /// The targets by name.
    #[schemars(extend("minProperties" = 1))]
    pub targets: IndexMap<String, TargetSpec>,
}

/// A manifest, and what is doubtful in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The manifest.
    pub manifest: Manifest,
    /// Unknown keys, in the order of the file.
    pub warnings: Vec<Warning>,
}

impl Manifest {
    /// Reads a manifest. `file` is its name for messages.
    ///
    /// # Errors
    ///
    /// When it is not JSON in UTF-8, does not have the form of a manifest, or asks for what cannot
    /// be deployed wherever it is deployed (section 4 of the design). The error points at the first
    /// such place.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Parsed, ManifestError> {
        let document = Document::new(file, bytes)?;
        let root = document.parse()?;
        let (mut manifest, warnings) = read::read::<Self>(&document, &root)?;
        check::check(&manifest, &document, &root)?;
        for target in manifest.targets.values_mut() {
            target.source = tidy_source(&target.source);
        }
        Ok(Parsed { manifest, warnings })
    }

    /// The manifest that one source and one destination make, as `--source` and `--dest` give them: a single target
    /// called `cli`, as in distman.
    pub fn ad_hoc(source: &str, destination: &str) -> Self {
        let target = TargetSpec {
            source: tidy_source(&Pattern::escape(source)),
            destination: destination.to_owned(),
            ..TargetSpec::default()
        };
        Self { targets: [("cli".to_owned(), target)].into_iter().collect(), ..Self::empty() }
    }

    /// The manifest without any target, where `--source` and `--dest` say it all.
    pub fn empty() -> Self {
        Self {
            schema: None,
            version: 1,
            author: None,
            options: Options::default(),
            pipeline: None,
            targets: IndexMap::default(),
        }
    }

    /// The options of a target, over the global ones, with every default filled in.
    pub fn settings_of(&self, target: &TargetSpec) -> Settings {
        target.options.over(&self.options).settings()
    }

    /// True if there is a target `name` whose content comes from an upstream, and not with the manifest.
    pub fn comes_from_elsewhere(&self, name: &str) -> bool {
        let spec = self.targets.get(name);
        spec.is_some_and(|spec| matches!(self.settings_of(spec).from, Source::Upstreams(_)))
    }

    /// Lets every target take its files from the revision, wherever whoever wrote the manifest took them from: the
    /// revision is what became of that.
    pub fn take_all_from_git(&mut self) {
        self.options.from = None;
        self.targets.values_mut().for_each(|target| target.options.from = None);
    }

    /// True if a target asks for signatures. They are about a whole revision, so that one is enough.
    pub fn requires_signature(&self) -> bool {
        self.targets.values().any(|target| self.settings_of(target).require_signed)
    }

    /// The steps of a target in the order in which they run.
    ///
    /// As in distman: a target without a `pipeline` has no steps. With one, a step replaces the
    /// global one of the same name as a whole and keeps its place; others follow behind. Then lower
    /// `order` runs first, equal ones as they stand.
    pub fn pipeline_of<'m>(&'m self, target: &'m TargetSpec) -> Vec<(&'m str, &'m Step)> {
        let Some(own) = &target.pipeline else {
            return Vec::new();
        };
        let mut merged: IndexMap<&str, &Step> = IndexMap::new();
        for (name, step) in self.pipeline.iter().flatten().chain(own) {
            merged.insert(name, step);
        }
        let mut steps: Vec<_> = merged.into_iter().collect();
        // Adding zero makes -0 and 0 equal.
        steps.sort_by(|(_, a), (_, b)| (a.order + 0.0).total_cmp(&(b.order + 0.0)));
        steps
    }
}

/// The source with single slashes and without `.` steps; `.` for the whole folder. Wildcards stay
/// as written.
fn tidy_source(source: &str) -> String {
    let names: Vec<_> = source.split('/').filter(|name| !matches!(*name, "" | ".")).collect();
    if names.is_empty() { ".".to_owned() } else { names.join("/") }
}

fn version_one() -> u32 {
    1
}

/// distman converts what it finds, so that `1.0` and `"1"` have always been accepted.
fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let version = serde_json::Value::deserialize(deserializer)?;
    if version.as_f64() == Some(1.0) || version.as_str() == Some("1") {
        return Ok(1);
    }
    Err(D::Error::custom(format_args!(
        "must be 1, the only known version, found {}",
        quoted(&version.to_string())
    )))
}
