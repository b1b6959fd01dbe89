//! The JSON Schema says what the reader does.

use serde_json::{Value, json};

use super::super::{Settings, read, schema};
use super::{EXAMPLE, parse, target};

/// Whether `schema` accepts `value`: as much of the standard as the manifest's schema uses.
fn accepts(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(rules) = schema.as_object() else {
        return schema != &json!(false);
    };
    let all = |rule: &str, test: &dyn Fn(&Value) -> bool| rules.get(rule).is_none_or(test);
    let list = |rule: &Value| rule.as_array().expect("a list of schemas").clone();
    let count = |rule: &Value| list(rule).iter().filter(|schema| accepts(root, schema, value)).count();
    let is = |name: &Value| match name.as_str().expect("the name of a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    let members = |object: &serde_json::Map<String, Value>| {
        object.iter().all(|(key, member)| match rules.get("properties").and_then(|known| known.get(key)) {
            Some(schema) => accepts(root, schema, member),
            None if rules.contains_key("patternProperties") && read::is_comment(key) => true,
            None => rules.get("additionalProperties").is_none_or(|schema| accepts(root, schema, member)),
        })
    };
    all("$ref", &|rule| {
        let pointer = rule.as_str().and_then(|rule| rule.strip_prefix('#')).expect("a local reference");
        accepts(root, root.pointer(pointer).expect("the definition is there"), value)
    }) && all("type", &|rule| rule.as_array().map_or_else(|| is(rule), |types| types.iter().any(is)))
        && all("const", &|rule| rule == value)
        && all("enum", &|rule| list(rule).contains(value))
        && all("anyOf", &|rule| count(rule) > 0)
        && all("oneOf", &|rule| count(rule) == 1)
        && all("required", &|rule| {
            list(rule).iter().all(|key| value.get(key.as_str().unwrap_or_default()).is_some())
        })
        && all("minLength", &|_| value != &json!(""))
        && all("minProperties", &|_| value != &json!({}))
        && all("items", &|rule| {
            value.as_array().is_none_or(|items| items.iter().all(|item| accepts(root, rule, item)))
        })
        && value.as_object().is_none_or(members)
}

#[test]
fn the_schema_accepts_what_is_read_and_flags_misspellings() {
    let schema = schema();
    let accepts = |text: &str| accepts(&schema, &schema, &serde_json::from_str(text).expect("valid JSON"));
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "dist.json");
    assert!(accepts(EXAMPLE));
    assert!(accepts(&target(
        r#""source": "a", "destination": "/a", "_note": 1, "pipeline": null, "verify": "x""#
    )));

    for wrong in [
        EXAMPLE.replace("destination", "destinaton"),
        EXAMPLE.replace("\"keep\"", "\"kep\""),
        EXAMPLE.replace("\"content\"", "\"contents\""),
        EXAMPLE.replace("\"func\"", "\"function\""),
        EXAMPLE.replace("\"author\"", "\"autor\""),
        EXAMPLE.replace("\"version\": 1", "\"version\": 2"),
        EXAMPLE.replace("\"func\":", "\"script\": \"x\", \"func\":"),
        "{}".into(),
        "{\"targets\": {}}".into(),
    ] {
        assert!(!accepts(&wrong), "{wrong}");
    }
}

#[test]
fn the_schema_documents_every_key_and_the_real_defaults() {
    let schema = schema();
    let structs = std::iter::once(&schema).chain(schema["$defs"].as_object().expect("definitions").values());
    let mut seen = 0;
    for (key, rules) in structs.flat_map(|schema| schema["properties"].as_object().into_iter().flatten()) {
        assert!(rules["description"].is_string() || key == "version", "{key}: {rules}");
        seen += 1;
    }
    assert_eq!(seen, 32);

    let options = &schema["$defs"]["Options"]["properties"];
    let defaults: serde_json::Map<String, Value> = options
        .as_object()
        .expect("options")
        .iter()
        .filter_map(|(key, rules)| {
            Some((key.clone(), rules.get("default").filter(|value| !value.is_null())?.clone()))
        })
        .collect();
    assert_eq!(defaults.len(), 8, "{defaults:?}");
    let text = json!({ "options": defaults, "targets": { "a": { "source": "a", "destination": "/a" } } })
        .to_string();
    let manifest = parse(&text).manifest;
    assert_eq!(manifest.settings_of(&manifest.targets["a"]), Settings::default());
}
