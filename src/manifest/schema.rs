//! The JSON Schema of the manifest, made from the structs that read it.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::Manifest;

/// The JSON Schema (draft 2020-12) of `dist.json`, for editors.
pub fn schema() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Manifest>().to_value()
}

/// Lets editors flag misspelt keys, and leaves the keys for remarks alone.
pub(super) fn closed(schema: &mut Schema) {
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("patternProperties".to_owned(), json!({ r"^(_|\$|x-|//)": true }));
}

/// As [`closed`], and either `script` or `func`.
pub(super) fn step(schema: &mut Schema) {
    closed(schema);
    schema.insert("oneOf".to_owned(), json!([{ "required": ["script"] }, { "required": ["func"] }]));
}

pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

pub(super) fn timeout(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["number", "string", "null"], "exclusiveMinimum": 0 })
}
