use proptest::prelude::*;

use super::Pattern;

/// The matches of the wildcards, if `path` matches.
fn captures(pattern: &str, path: impl AsRef<[u8]>) -> Option<Vec<String>> {
    let regex = Pattern::parse(pattern).to_regex().expect("the pattern is small");
    let captures = regex.captures(path.as_ref())?;
    let text = |group: Option<regex::bytes::Match<'_>>| {
        group.map_or(String::new(), |group| String::from_utf8_lossy(group.as_bytes()).into_owned())
    };
    Some(captures.iter().skip(1).map(text).collect())
}

#[test]
fn wildcards_take_what_they_match() {
    for (pattern, path, expected) in [
        ("bin/*", "bin/tool", &["tool"][..]),
        ("bin/*", "bin/a.b", &["a.b"]),
        ("lib*", "lib", &[""]),
        ("*lib", "lib", &[""]),
        ("*/*.py", "a/b.py", &["a", "b"]),
        ("a**b", "axyb", &["xy"]),
        ("v??/x?", "v12/xé", &["12", "é"]),
        ("[a-c]x[!0-9]", "bxz", &["b", "z"]),
        ("[]a]x", "]x", &["]"]),
        ("[a-]x", "-x", &["-"]),
        ("**/x", "x", &[""]),
        ("**/x", "a/b/x", &["a/b"]),
        ("a/**/b", "a/b", &[""]),
        ("a/**/b/*", "a/c/d/b/e", &["c/d", "e"]),
        ("a/**", "a/b/c", &["b/c"]),
        ("a/**", "a", &[""]),
        ("a/**/**", "a", &["", ""]),
        ("**", "a/b", &["a/b"]),
        (".*", ".conf", &["conf"]),
        ("a*", "a.", &["."]),
    ] {
        assert_eq!(
            captures(pattern, path),
            Some(expected.iter().map(ToString::to_string).collect()),
            "{pattern}"
        );
        assert_eq!(Pattern::parse(pattern).captures(), expected.len(), "{pattern}");
    }
}

#[test]
fn wildcards_stay_within_a_name_and_away_from_hidden_files() {
    for (pattern, path) in [
        ("bin/*", "bin"),
        ("bin/*", "bin/a/b"),
        ("bin/*", "bin/.hidden"),
        ("*.py", ".py"),
        ("*?", ".a"),
        ("?a", ".a"),
        ("[.a]b", ".b"),
        ("[!x]b", ".b"),
        ("a[!x]b", "a/b"),
        ("a?b", "a/b"),
        ("**/x", ".git/x"),
        ("**/x", "a/.git/x"),
        ("a/**/b", "a/xb"),
        ("a/**", "ab"),
        ("[z-a]", "m"),
        ("a.c", "abc"),
        ("x", "x\n"),
    ] {
        assert_eq!(captures(pattern, path), None, "{pattern} {path}");
    }
}

#[test]
fn names_need_not_be_utf8() {
    assert!(captures("bin/*", b"bin/\xff\xfe").is_some());
    assert!(captures("bin/?", b"bin/\xff").is_some());
    assert!(captures("bin/[!a]", b"bin/\xff").is_some());
    assert!(captures("bin/??", b"bin/\xff").is_none());
}

#[test]
fn paths_are_tidied() {
    for (text, path) in [
        ("./lib", "lib"),
        ("lib/", "lib"),
        ("lib//x", "lib/x"),
        (".", ""),
        ("", ""),
        (".conf", ".conf"),
        ("..conf/x", "..conf/x"),
        ("a\\b", "a\\b"),
        ("a[b", "a[b"),
        ("a[]", "a[]"),
        ("a[!]", "a[!]"),
        ("a[*]b[[]c", "a*b[c"),
    ] {
        let pattern = Pattern::parse(text);
        assert!(pattern.is_literal(), "{text}");
        assert_eq!(pattern.literal_prefix(), path, "{text}");
        assert_eq!(captures(text, path), Some(vec![]), "{text}");
    }
}

#[test]
fn large_patterns_compile_or_are_refused() {
    for text in
        ["?".repeat(4096), "**/".repeat(1365), "[!a]".repeat(1024), "*a".repeat(2048), "[".repeat(1 << 20)]
    {
        let pattern = Pattern::parse(&text);
        if let Ok(regex) = pattern.to_regex() {
            assert_eq!(regex.captures_len(), pattern.captures() + 1);
        }
    }
}

#[test]
fn the_prefix_ends_before_the_first_wildcard() {
    for (text, prefix) in
        [("a/b/c*/d", "a/b"), ("*/a", ""), ("a/**/b", "a"), ("./x/[ab]", "x"), ("a[*]/?", "a*")]
    {
        assert_eq!(Pattern::parse(text).literal_prefix(), prefix, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_pattern(
        text in any::<String>(),
        globs in r"[a.*?\[\]!^/é\-]{0,40}",
        path in any::<Vec<u8>>(),
    ) {
        for text in [text, globs] {
            let pattern = Pattern::parse(&text);
            let regex = pattern.to_regex().expect("the pattern is small");
            prop_assert_eq!(regex.captures_len(), pattern.captures() + 1);
            regex.is_match(&path);
        }
    }

    #[test]
    fn an_escaped_path_matches_itself_alone(
        path in r"[a.*?\[\]!^é\-\\]{1,8}(/[a*?\[\]!^é\-\\]{1,8}){0,3}",
        other in r"[a.*?\[\]!^é\-\\/]{1,20}",
    ) {
        prop_assume!(!path.split('/').any(|name| name == "."));
        let pattern = Pattern::parse(&Pattern::escape(&path));
        prop_assert!(pattern.is_literal());
        prop_assert_eq!(pattern.literal_prefix(), &path);
        let regex = pattern.to_regex().expect("the pattern is small");
        prop_assert!(regex.is_match(path.as_bytes()));
        prop_assert_eq!(regex.is_match(other.as_bytes()), path == other);
    }
}
