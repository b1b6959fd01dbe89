//! What users of the manifest see.

mod refusals;
mod schema;
mod syntax;

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// The example of the design, section 4.
const EXAMPLE: &str = r#"{ "$schema": "https://example.org/dist.schema.json", "version": 1, "author": "you@example.org",
  "options":  { "match": "content", "keep": 10, "link": "auto" },
  "pipeline": { "stamp": { "func": "replace_tokens", "options": { "tokens": { "__VERSION__": "{GIT_DIST_VERSION}" } } } },
  "targets": {
    "lib":  { "source": "lib/tool", "destination": "{DEPLOY_ROOT}/lib/python/tool", "pipeline": {} },
    "bin":  { "source": "bin/*", "destination": "{DEPLOY_ROOT}/bin/%1" },
    "site": { "source": "public", "destination": "/srv/www/site", "shared": ["uploads"],
              "verify": ["nginx -t -c {staged}/nginx.conf"], "after": ["systemctl reload nginx"] } } }"#;

fn parse(text: &str) -> Parsed {
    match Manifest::parse("dist.json", text.as_bytes()) {
        Ok(parsed) => parsed,
        Err(error) => panic!("{text}\n{error}"),
    }
}

fn refusal(bytes: impl AsRef<[u8]>) -> ManifestError {
    Manifest::parse("dist.json", bytes.as_ref()).expect_err("the manifest is to be refused")
}

/// A manifest of one target `bin` with these members.
fn target(members: &str) -> String {
    format!(r#"{{"targets": {{"bin": {{{members}}}}}}}"#)
}

/// The text that the caret of `error` points at.
fn marked(error: &ManifestError) -> String {
    let at = error.diagnostic().location.as_ref().expect("the error has a place");
    at.text.chars().skip(at.indent).take(at.width).collect()
}

#[test]
fn the_example_of_the_design_is_read() {
    let Parsed { manifest, warnings } = parse(EXAMPLE);
    assert_eq!(warnings, []);
    assert_eq!(manifest.targets.keys().collect::<Vec<_>>(), ["lib", "bin", "site"]);
    assert_eq!(manifest.author.as_deref(), Some("you@example.org"));
    let [lib, bin, site] = ["lib", "bin", "site"].map(|name| &manifest.targets[name]);
    assert_eq!(manifest.settings_of(bin), Settings::default());
    assert_eq!(manifest.pipeline_of(lib).len(), 1);
    assert_eq!(manifest.pipeline_of(bin), []);
    assert_eq!(site.shared, ["uploads"]);
    assert_eq!(site.after, ["systemctl reload nginx"]);
}

#[test]
fn sources_are_tidied() {
    for (source, tidy) in
        [("./lib", "lib"), ("lib/", "lib"), ("lib//x", "lib/x"), (".", "."), ("./", "."), (".c", ".c")]
    {
        let parsed = parse(&target(&format!(r#""source": "{source}", "destination": "/a""#)));
        assert_eq!(parsed.manifest.targets["bin"].source, tidy);
    }
}

#[test]
fn options_of_a_target_go_over_the_global_ones() {
    let manifest = parse(
        r#"{"options": {"keep": 3, "match": "commit", "ignore": ["*.bak"], "from": "worktree"},
            "targets": {"a": {"source": "a", "destination": "/a", "verify": "true", "options":
                {"keep": 0, "ignore": "x", "from": ["s3://b", "pypi"], "switch": "together", "link": null}},
              "b": {"source": "b", "destination": "/b", "options": null, "after": null}}}"#,
    )
    .manifest;
    let a = manifest.settings_of(&manifest.targets["a"]);
    assert_eq!((a.keep, a.matching, a.switch, a.link), (0, Match::Commit, Switch::Together, Link::Auto));
    assert_eq!(a.ignore, ["x"]);
    assert_eq!(a.from, Source::Upstreams(vec!["s3://b".into(), "pypi".into()]));
    assert_eq!(manifest.targets["a"].verify, ["true"]);
    let b = manifest.settings_of(&manifest.targets["b"]);
    assert_eq!((b.keep, b.from), (3, Source::Worktree));
}

#[test]
fn pipelines_merge_by_name_and_run_by_order() {
    let manifest = parse(
        r#"{"version": "1", "pipeline": {"a": {"func": "a", "order": 5}, "b": {"func": "b"}, "c": {"func": "c", "env": {"X": "1"}}},
            "targets": {
              "none": {"source": "1", "destination": "/1"},
              "null": {"source": "2", "destination": "/2", "pipeline": null},
              "same": {"source": "3", "destination": "/3", "pipeline": {}},
              "more": {"source": "4", "destination": "/4", "pipeline":
                {"d": {"script": ["x", "y"], "order": -0.5, "timeout": "1m 30s"}, "b": {"script": "z", "timeout": 2.5}}}}}"#,
    )
    .manifest;
    let names = |target: &str| -> Vec<&str> {
        manifest.pipeline_of(&manifest.targets[target]).into_iter().map(|(name, _)| name).collect()
    };
    assert_eq!(names("none"), [""; 0]);
    assert_eq!(names("null"), [""; 0]);
    assert_eq!(names("same"), ["b", "c", "a"]);
    assert_eq!(names("more"), ["d", "b", "c", "a"]);
    let steps = manifest.pipeline_of(&manifest.targets["more"]);
    assert_eq!(steps[0].1.timeout, Some(Duration::from_secs(90)));
    assert_eq!(steps[1].1.action, Action::Script(vec!["z".into()]));
    assert_eq!(steps[1].1.timeout, Some(Duration::from_millis(2500)));
    assert_eq!(steps[2].1.env["X"], "1");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        if let Err(error) = Manifest::parse("dist.json", &bytes) {
            error.snippet();
        }
    }

    #[test]
    fn broken_manifests_are_read_or_refused(
        at in 0..EXAMPLE.len(),
        length in 0..20usize,
        with in any::<Vec<u8>>(),
    ) {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, with);
        if let Err(error) = Manifest::parse("dist.json", &bytes) {
            error.snippet();
        }
    }

    #[test]
    fn any_paths_are_read_or_refused(
        source in any::<String>(),
        destination in any::<String>(),
        key in any::<String>(),
    ) {
        let target = json!({ "source": source, "destination": destination, key: 1 });
        let text = json!({ "targets": { "a": target } }).to_string();
        if let Err(error) = Manifest::parse("dist.json", text.as_bytes()) {
            error.snippet();
        }
    }
}
