//! What becomes of YAML, ordinary and hostile.

use super::*;
use proptest::prelude::*;

fn shown(node: &Node) -> String {
    match &node.content {
        Content::Scalar { text, kind } => match kind {
            ScalarKind::Plain => text.clone(),
            ScalarKind::Text => format!("'{text}'"),
            ScalarKind::Base64 => format!("base64 {text}"),
            ScalarKind::Encrypted(tag) => format!("{tag} {text}"),
        },
        Content::Sequence(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(item)).collect();
            format!("[{}]", items.join(", "))
        }
        Content::Mapping(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|entry| format!("{}={}", entry.key, shown(&entry.value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn read(text: &str) -> Result<String, String> {
    match parse("f.env", text.as_bytes()) {
        Ok(root) => Ok(root.map_or("nothing".to_owned(), |root| shown(&root))),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn values_are_the_text_as_written() {
    for (text, expected) in [
        ("", "nothing"),
        ("# only a comment\n", "nothing"),
        ("\u{feff}A: 1\n", "{A=1}"),
        ("A: 1\r\nB: 2\r\n", "{A=1, B=2}"),
        ("---\nA: 1\n...\n", "{A=1}"),
        ("A: 010\nB: yes\nC: 1.10\nD: ~\nE:\nF: 'q'\n", "{A=010, B=yes, C=1.10, D=~, E=, F='q'}"),
        ("A: !!int 010\nB: !!str x\n", "{A='010', B='x'}"),
        ("A: !base64 eA==\nB: !fernet z\n", "{A=base64 eA==, B=!fernet z}"),
        ("A: |\n  one\n  two\n", "{A='one\ntwo\n'}"),
        ("A: &v x\nB: *v\n", "{A=x, B=x}"),
        ("A: [1, {b: c}]\n", "{A=[1, {b=c}]}"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn merges_bring_in_what_is_not_there() {
    for (text, expected) in [
        ("a: &a {X: 1, Y: 2}\nb:\n  Y: 3\n  <<: *a\n", "{a={X=1, Y=2}, b={X=1, Y=3}}"),
        ("a: &a {X: 1}\nb: &b {X: 2, Z: 2}\nc: {<<: [*a, *b]}\n", "{a={X=1}, b={X=2, Z=2}, c={X=1, Z=2}}"),
        ("a: {'<<': x}\n", "{a={<<=x}}"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    for (text, expected) in [
        ("A: [1\n", "f.env:2:1: not valid YAML"),
        ("A: *nope\n", "f.env:1:4: not valid YAML"),
        ("A: 1\nB: 2\nA: 3\n", "f.env:3:1: `A` is already defined on line 1"),
        ("a: &a {}\nb:\n  <<: *a\n  <<: *a\n", "f.env:4:3: `<<` is already defined on line 3"),
        ("A: !secret x\n", "f.env:1:4: unknown tag `!secret`"),
        ("A: !!binary x\n", "f.env:1:4: unknown tag `tag:yaml.org,2002:binary`"),
        ("A: !x [1]\n", "f.env:1:4: unknown tag `!x`"),
        ("{a: b}: c\n", "f.env:1:1: a key that is a list or a mapping"),
        ("a: {<<: x}\n", "f.env:1:9: `<<` takes a mapping or a list of mappings"),
        ("a: &a [*a]\n", "f.env:1:8: an alias inside what it stands for"),
        ("A: 1\n---\nA: 2\n", "f.env:2:1: a second document"),
    ] {
        assert_eq!(read(text), Err(expected.to_owned()), "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_text_are_located() {
    let error = parse("f.env", b"A: 1\nB: \xff\n").unwrap_err();
    assert_eq!(error.to_string(), "f.env:2:4: not UTF-8 text");
}

#[test]
fn hostile_documents_end_in_an_error() {
    let laughs: String = (1..40).fold("a0: &a0 {X: lol}\n".to_owned(), |text, level| {
        let previous = format!("*a{}, ", level - 1).repeat(9);
        text + &format!("a{level}: &a{level} [{previous}]\n")
    });
    let keys = (0..2000).fold(String::new(), |text, key| text + &format!("  K{key}: v\n"));
    let merges = format!("a: &a\n{keys}b: {{<<: [{}]}}\n", "*a, ".repeat(2000));
    let chain: String = (1..50_000).fold("a0: &a0 [x]\n".to_owned(), |text, level| {
        text + &format!("a{level}: &a{level} [*a{}]\n", level - 1)
    });
    for (name, text) in [
        ("flow", "[".repeat(100_000)),
        ("block", "- ".repeat(100_000)),
        ("mappings", "? ".repeat(100_000)),
        ("billion laughs", laughs),
        ("merges", merges),
        ("alias chain", chain),
        ("nodes", format!("a: [{}]", "x,".repeat(200_000))),
        ("size", "#".repeat(MAX_FILE_BYTES + 1)),
    ] {
        let started = std::time::Instant::now();
        assert!(read(&text).is_err(), "{name}");
        assert!(started.elapsed().as_secs() < 10, "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in r"([ \n\t:&*!<>\[\]{}?,#|'%@~ab-]|<<: |\PC){0,80}"
    ) {
        let _ = read(&text);
    }
}
