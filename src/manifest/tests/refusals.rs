//! Every refusal, its words and its place.

use super::{marked, parse, refusal, target};

#[test]
fn an_error_shows_its_place() {
    let error = refusal("{\n  \"options\": {\n    \"match\": \"content\",\n    \"keep\": \"ten\"\n  }\n}");
    assert_eq!(error.to_string(), "dist.json:4:13: `keep` must be a whole number, found a string");
    let snippet = "4 |     \"keep\": \"ten\"\n  |             ^^^^^";
    assert_eq!(error.snippet().as_deref(), Some(snippet));
}

#[test]
fn wrong_values_are_named_with_their_target() {
    let options =
        |options: &str| target(&format!(r#""source": "a", "destination": "/a", "options": {{{options}}}"#));
    for (text, message, mark) in [
        (
            r#"{"version": 2, "targets": {}}"#.into(),
            "`version` must be 1, the only known version, found `2`",
            "2",
        ),
        (r#"{"targets": []}"#.into(), "`targets` must be an object, found a list", "["),
        (r#"{"targets": {}}"#.into(), "`targets` is empty: there is nothing to deploy", r#""targets""#),
        (r#"{"targets": {"bin": 1}}"#.into(), "target `bin` must be an object, found `1`", "1"),
        (r#"{"author": 1, "targets": {}}"#.into(), "`author` must be a string, found `1`", "1"),
        (options(r#""keep": -1"#), "`keep` of target `bin` must be a whole number, found `-1`", "-1"),
        (options(r#""keep": 1.5"#), "`keep` of target `bin` must be a whole number, found `1.5`", "1.5"),
        (options(r#""match": 1"#), "`match` of target `bin` must be `content` or `commit`, found `1`", "1"),
        (
            options(r#""match": "comit""#),
            "`match` of target `bin` must be `content` or `commit`, found `comit`",
            r#""comit""#,
        ),
        (
            options(r#""ignore": ["a", 1]"#),
            "an item of `ignore` of target `bin` must be a string, found `1`",
            "1",
        ),
        (
            options(r#""ignore": 1"#),
            "`ignore` of target `bin` must be a string or a list of strings, found `1`",
            "1",
        ),
        (
            options(r#""ignore_missing": "yes""#),
            "`ignore_missing` of target `bin` must be true or false, found a string",
            r#""yes""#,
        ),
        (options(r#""from": []"#), "`from` of target `bin` must name at least one place", r#""from""#),
        (
            options(r#""from": ["git", "s3://x"]"#),
            "`from` of target `bin` must not mix `git` with upstream addresses",
            r#""from""#,
        ),
    ] {
        let error = refusal(&text);
        assert_eq!((&*error.diagnostic().message, &*marked(&error)), (message, mark), "{text}");
    }
}

#[test]
fn wrong_steps_are_named_with_their_target() {
    let step =
        |step: &str| target(&format!(r#""source": "a", "destination": "/a", "pipeline": {{"min": {step}}}"#));
    for (text, message, mark) in [
        (step("{}"), "step `min` of target `bin` has neither `script` nor `func`", r#""min""#),
        (
            step(r#"{"script": "a", "func": "b"}"#),
            "step `min` of target `bin` has both `script` and `func`",
            r#""min""#,
        ),
        (
            step(r#"{"script": "a", "order": "1"}"#),
            "`order` of step `min` of target `bin` must be a number, found a string",
            r#""1""#,
        ),
        (
            step(r#"{"script": "a", "env": {"A": 1}}"#),
            "`env.A` of step `min` of target `bin` must be a string, found `1`",
            "1",
        ),
        (
            step(r#"{"script": "a", "timeout": "soon"}"#),
            "`timeout` of step `min` of target `bin` must be a time above zero and up to a year: seconds, or a text such \
             as `30s` or `5m`, found `soon`",
            r#""soon""#,
        ),
    ] {
        let error = refusal(&text);
        assert_eq!((&*error.diagnostic().message, &*marked(&error)), (message, mark), "{text}");
    }
}

#[test]
fn missing_and_duplicate_keys_are_refused() {
    let error = refusal(target(r#""source": "a", "destinaton": "/a""#));
    assert_eq!(error.diagnostic().message, "target `bin` has no `destination`");
    assert_eq!(marked(&error), r#""destinaton""#);
    assert_eq!(error.hint().as_deref(), Some("did you mean `destination`?"));

    let error = refusal(target(r#""source": "a""#));
    assert_eq!(
        (&*error.diagnostic().message, &*marked(&error)),
        ("target `bin` has no `destination`", r#""bin""#)
    );
    assert_eq!(refusal("{}").to_string(), "dist.json:1:1: the manifest has no `targets`");

    let error =
        refusal("{\"targets\": {\n \"a\": {\"source\": \"a\", \"destination\": \"/a\"},\n \"\\u0061\": {}}}");
    assert_eq!(error.to_string(), "dist.json:3:2: `targets` has the key `a` twice");
    assert_eq!(error.hint().as_deref(), Some("the first one is on line 2"));

    let error =
        refusal(r#"{"pipeline": {"s": {"func": "f", "options": {"t": {"x": 1, "x": 2}}}}, "targets": {}}"#);
    assert_eq!(error.diagnostic().message, "`options.t` of step `s` has the key `x` twice");
}

#[test]
fn unknown_keys_are_warned_of_with_the_near_one() {
    let text = r#"{"tragets": 1, "_comment": 1, "_comment": 2, "x-note": 1, "options": {"kep": 1}, "targets": {"bin":
        {"source": "a", "destination": "/a", "destinaton": "/b", "colour": [], "options": {"lnk": 1}}}}"#;
    let warnings = parse(text).warnings;
    let shown: Vec<_> =
        warnings.iter().map(|warning| (warning.to_string(), warning.hint.as_deref())).collect();
    let expected = [
        ("dist.json:1:2: unknown key `tragets`", Some("did you mean `targets`?")),
        ("dist.json:1:71: unknown key `kep` in `options`", Some("did you mean `keep`?")),
        ("dist.json:2:46: unknown key `destinaton` in target `bin`", Some("did you mean `destination`?")),
        ("dist.json:2:66: unknown key `colour` in target `bin`", None),
        ("dist.json:2:92: unknown key `lnk` in `options` of target `bin`", Some("did you mean `link`?")),
    ];
    assert_eq!(shown, expected.map(|(text, hint)| (text.to_owned(), hint)));

    let many = (0..10_000).fold(String::new(), |text, n| text + &format!("\"k{n}\": 0,"));
    let text = format!(r#"{{{many}"targets": {{"a": {{"source": "a", "destination": "/a"}}}}}}"#);
    let warnings = parse(&text).warnings;
    assert_eq!(warnings.len(), 51);
    assert_eq!(warnings[50].message, "9950 more unknown keys");
}

#[test]
fn what_cannot_be_deployed_is_refused() {
    for (source, destination, message, mark) in [
        ("/etc/x", "/a", "`source` of target `bin` must be relative to the manifest", "/"),
        ("a/../b", "/a", "`source` of target `bin` must not contain `..`", ".."),
        ("", "/a", "`source` of target `bin` is empty", r#""""#),
        ("a", "", "`destination` of target `bin` is empty", r#""""#),
        ("a", "{R}/../x", "`destination` of target `bin` must not contain `..`", ".."),
        ("a", "/a/%1", "`%1` in the destination of target `bin`, whose source has no wildcard", "%1"),
        ("*", "/%1/%2", "`%2` in the destination of target `bin`, whose source has one wildcard", "%2"),
        ("*", "/%1/%11", "`%11` in the destination of target `bin`, whose source has one wildcard", "%11"),
        ("*/*", "/%1/%2/%3", "`%3` in the destination of target `bin`, whose source has 2 wildcards", "%3"),
        ("*", "/%0%1", "`%0` in the destination of target `bin`: placeholders count from `%1`", "%0"),
        (
            "**/?",
            "/%1",
            "the destination of target `bin` has no `%2` for wildcard 2 of its source",
            r#""/%1""#,
        ),
    ] {
        let error = refusal(target(&format!(r#""source": "{source}", "destination": "{destination}""#)));
        assert_eq!(
            (&*error.diagnostic().message, &*marked(&error)),
            (message, mark),
            "{source} {destination}"
        );
    }

    // A set is no way to spell `..`.
    let error = refusal(target(r#""source": "[.][.]/x", "destination": "/a""#));
    assert!(error.diagnostic().message.ends_with("has no `%1` for wildcard 1 of its source"));
    assert_eq!(error.hint().as_deref(), Some("for a path of that very name, write `[[].][[].]/x`"));

    // Written with escapes, a part of a text has no place of its own.
    let error = refusal(target(r#""source": "a\/..\/b", "destination": "/a""#));
    assert_eq!(marked(&error), r#""a\/..\/b""#);
    let error = refusal(target(r#""source": "a\u0000", "destination": "/a""#));
    assert_eq!(error.diagnostic().message, "`source` of target `bin` holds a zero byte");
    for shared in ["", "/x", "a/..", "../x", "..", ".", "./", "a\\u0000", "a\", \"./a/", "a\", \"b\", \"a//b"]
    {
        let text = target(&format!(r#""source": "a", "destination": "/a", "shared": ["{shared}"]"#));
        assert!(refusal(text).diagnostic().message.starts_with("`shared` of target `bin` "), "{shared}");
    }
    for name in ["", ".", "..", "a/b", "../../x"] {
        let text = target(&format!(
            r#""source": "a", "destination": "/a", "pipeline": {{"{name}": {{"func": "f"}}}}"#
        ));
        let message = format!("step `{name}` of target `bin` must have a plain name, without `/` or `..`");
        assert_eq!(refusal(text).diagnostic().message, message);
    }
}

#[test]
fn two_targets_do_not_share_a_destination() {
    let text = |second: &str| {
        format!(
            "{{\"targets\": {{\"a\": {{\"source\": \"a\", \"destination\": \"{{R}}/x\"}},\n\
             \"b\": {{\"source\": \"b\", \"destination\": \"{second}\"}}}}}}"
        )
    };
    for second in ["{R}/x", "{R}//x/", "{R}/./x"] {
        let error = refusal(text(second));
        assert_eq!(error.diagnostic().message, "targets `a` and `b` have the same destination");
        assert_eq!(error.hint().as_deref(), Some("the first one is on line 1"));
    }
    assert_eq!(parse(&text("/{R}/x")).warnings, []);
}
