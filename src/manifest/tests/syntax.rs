//! Files that are no manifests yet.

use super::{EXAMPLE, parse, refusal};

#[test]
fn what_is_not_json_is_refused_at_its_place() {
    for (text, expected) in [
        (
            &b"{\"targets\": {},}"[..],
            "dist.json:1:15: JSON has no trailing commas: remove the one before `}`",
        ),
        (b"{\"a\": [1,\n]}", "dist.json:1:9: JSON has no trailing commas: remove the one before `]`"),
        (b"{\n  // hello\n}", "dist.json:2:3: JSON has no comments"),
        (b"{} /* x */", "dist.json:1:4: JSON has no comments"),
        (b"{\"a\": # x\n1}", "dist.json:1:7: JSON has no comments"),
        (b"{\"a\": 1\n", "dist.json:1:8: not valid JSON: EOF while parsing an object"),
        (b"{\"a\" 1}", "dist.json:1:6: not valid JSON: expected `:`"),
        (b"{\"a\": \"\xc3\xa9\", \"b\": \xff}", "dist.json:1:17: this is not UTF-8"),
        (b"\n\"\xff\"", "dist.json:2:2: this is not UTF-8"),
        (b"", "dist.json: the manifest is empty"),
        (b"\xef\xbb\xbf \n", "dist.json: the manifest is empty"),
        (b"[]", "dist.json:1:1: the manifest must be an object, found a list"),
    ] {
        assert_eq!(refusal(text).to_string(), expected, "{}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_byte_order_mark_is_accepted_and_not_counted() {
    let text = format!("\u{feff}{EXAMPLE}");
    assert_eq!(parse(&text).manifest, parse(EXAMPLE).manifest);
    assert_eq!(
        refusal("\u{feff}[]").to_string(),
        "dist.json:1:1: the manifest must be an object, found a list"
    );
}

#[test]
fn hostile_sizes_are_refused() {
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(refusal(nested).diagnostic().message, "not valid JSON: recursion limit exceeded");
    let many = format!("[{}0]", "0,".repeat(1_000_000));
    assert_eq!(refusal(many).diagnostic().message, "not valid JSON: more than 1000000 values");
    let large = refusal(vec![b' '; 16 * 1024 * 1024 + 1]);
    assert_eq!(
        large.to_string(),
        "dist.json: the manifest has 16777217 bytes, more than the 16777216 that are read"
    );
}
