//! What the values are, case by case; the vectors recorded from envstack are in `tests/`.

use std::ffi::OsString;
use std::path::Path;

use proptest::prelude::*;

use super::super::{EnvironmentFile, Files, PlaceholderError, Warning};
use super::*;

/// Files by name; a name may have several, nearest first.
struct Given<'a>(&'a [(&'a str, &'a str)]);

impl Files for Given<'_> {
    fn find(
        &self,
        name: &str,
        _included_from: Option<&str>,
    ) -> Result<Vec<EnvironmentFile>, Box<dyn std::error::Error + Send + Sync>> {
        let matching = |path: &str| path.rsplit('/').next() == Some(name);
        Ok(self
            .0
            .iter()
            .filter(|(path, _)| matching(path))
            .map(|(path, content)| EnvironmentFile {
                path: (*path).to_owned(),
                content: content.as_bytes().to_vec(),
            })
            .collect())
    }
}

type Resolved = Result<(Environment, Vec<Warning>), EnvironmentError>;

fn resolve_with(process: &BTreeMap<String, OsString>, files: &[(&str, &str)]) -> Resolved {
    let context = Context { process, platform: "linux", home: Some(Path::new("/home/u")) };
    Environment::resolve(&context, &Given(files), "distman.env")
}

fn process(variables: &[(&str, &str)]) -> BTreeMap<String, OsString> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect()
}

fn resolve_text(text: &str, variables: &[(&str, &str)]) -> Environment {
    let files = [("distman.env", text)];
    resolve_with(&process(variables), &files).unwrap().0
}

fn refusal(text: &str) -> String {
    let files = [("distman.env", text)];
    resolve_with(&BTreeMap::new(), &files).unwrap_err().to_string()
}

fn value<'a>(environment: &'a Environment, name: &str) -> &'a str {
    environment.get(name).map_or("(none)", |it| &it.value)
}

#[test]
fn the_process_comes_before_the_file_and_the_file_before_the_defaults() {
    let own = "all:\n  ENV: ${ENV:=prod}\n  ROOT: /file\n  DEPLOY_ROOT: ${ROOT}/${ENV}\n";
    for (text, variables, expected) in [
        ("", &[][..], "/home/u/.local/pipe/prod"),
        ("", &[("ENV", "dev")], "/home/u/.local/pipe/dev"),
        ("", &[("ROOT", "/r")], "/r/prod"),
        ("", &[("HOME", "/h")], "/h/.local/pipe/prod"),
        ("", &[("DEPLOY_ROOT", "")], "/home/u/.local/pipe/prod"),
        ("all: {ROOT: /file}", &[], "/file/prod"),
        ("all: {ROOT: /file}", &[("ENV", "dev")], "/file/dev"),
        ("all: {ENV: test}", &[], "/home/u/.local/pipe/test"),
        ("all: {ENV: test}", &[("ENV", "dev")], "/home/u/.local/pipe/dev"),
        ("all:\n  ENV: ${ENV:=dev}\n", &[], "/home/u/.local/pipe/dev"),
        ("all:\n  ROOT: ${ROOT}/sub\n", &[], "/home/u/.local/pipe/sub/prod"),
        ("all:\n  ROOT: ${ROOT}/sub\n", &[("ROOT", "/r")], "/r/sub/prod"),
        (own, &[], "/file/prod"),
        (own, &[("ENV", "dev")], "/file/dev"),
        (own, &[("ROOT", "/r")], "/r/prod"),
        (own, &[("DEPLOY_ROOT", "/tmp/x")], "/tmp/x"),
    ] {
        let environment = resolve_text(text, variables);
        assert_eq!(value(&environment, "DEPLOY_ROOT"), expected, "{text:?} {variables:?}");
    }
}

#[test]
fn a_definition_that_mentions_itself_extends_the_one_below() {
    let files = [
        ("distman.env", "include: [base]\nall:\n  P: ${P}:/own\n"),
        ("base.env", "include: [distman]\nall:\n  P: /base\n"),
    ];
    for (variables, expected) in [
        (&[][..], "/base:/own"),
        // `/base` extends nothing, so the process environment wins over it.
        (&[("P", "/usr")], "/usr:/own"),
    ] {
        let (environment, warnings) = resolve_with(&process(variables), &files).unwrap();
        assert_eq!(value(&environment, "P"), expected);
        assert_eq!(warnings, []);
    }
}

#[test]
fn a_platform_section_lies_over_all() {
    let text = "all:\n  A: all\n  B: all\nlinux:\n  B: linux\n  P: ${P}:/l\ndarwin:\n  A: mac\n";
    let environment = resolve_text(text, &[("P", "/p")]);
    assert_eq!(value(&environment, "A"), "all");
    assert_eq!(value(&environment, "B"), "linux");
    assert_eq!(value(&environment, "P"), "/p:/l");
    let merged = "all: &all\n  P: ${P}:/a\nlinux:\n  <<: *all\n";
    let environment = resolve_text(merged, &[("P", "/p")]);
    assert_eq!(value(&environment, "P"), "/p:/a", "extended once, not twice");
}

#[test]
fn operators_do_what_they_say() {
    for (text, expected) in [
        ("A: ${X}", ""),
        ("A: ${X:-d}", "d"),
        ("A: ${EMPTY:-d}", "d"),
        ("A: ${EMPTY:-}", ""),
        ("A: ${SET:-d}", "set"),
        ("A: ${X:-${Y:-${SET}}}/t", "set/t"),
        ("B: ${X:-d}\n  A: '[${X}]'", "[]"),
        ("B: ${X:=d}\n  A: '[${X}]'", "[d]"),
        ("A: ${A:=d}:${A}", "d:d"),
        ("A: ${SET:?needed}", "set"),
        ("A: $SET ${1X} $(reboot)", "$SET ${1X} $(reboot)"),
        ("A: ${DOLLAR}", "${SET}"),
        ("A: !base64 JHtTRVR9L3g=", "set/x"),
        ("A: !base64 c2V0", "set"),
        ("A: !base64 |\n    c2\n    V0", "set"),
        ("A: ~/x", "~/x"),
        ("A:", ""),
        ("A: 010", "010"),
        ("A: '/a//b/:/a//b/:'", "/a//b/:/a//b/:"),
    ] {
        let variables = [("SET", "set"), ("EMPTY", ""), ("DOLLAR", "${SET}")];
        let environment = resolve_text(&format!("all:\n  {text}\n"), &variables);
        assert_eq!(value(&environment, "A"), expected, "{text}");
    }
}

#[test]
fn broken_files_are_refused_with_their_place() {
    for (text, expected) in [
        ("all:\n  A: ${B}\n  B: ${A}\n", "distman.env:2:6: `A -> B -> A` is a cycle"),
        (
            "all:\n  X: x\n  A: ${B}\n  B: ${X:-}${C:-}\n  C: /${B}\n",
            "distman.env:4:6: `B -> C -> B` is a cycle",
        ),
        ("all:\n  ROOT: ${DEPLOY_ROOT}/..\n", "distman.env:2:9: `ROOT -> DEPLOY_ROOT -> ROOT` is a cycle"),
        ("all:\n  P: ${Q}:${P}\n  Q: ${P}\n", "distman.env:2:6: `P -> Q -> P` is a cycle"),
        ("all:\n  A: ${X:?}\n", "distman.env:2:6: `X` is not set"),
        ("all:\n  A: ${X:?say ${ENV}}\n", "distman.env:2:6: `X` is not set: say prod"),
        ("all:\n  ENV: ${ENV:?choose one}\n", "distman.env:2:8: `ENV` is not set: choose one"),
        ("all:\n  A: [1]\n", "distman.env:2:6: `A` is a list; a value is text"),
        ("windows:\n  A: {b: c}\n", "distman.env:2:6: `A` is a mapping; a value is text"),
        ("all: text\n", "distman.env:1:6: a section is a mapping of names to values"),
        ("[1]\n", "distman.env:1:1: an environment file is a mapping"),
        ("text\n", "distman.env:1:1: an environment file is a mapping"),
        ("include: {a: b}\n", "distman.env:1:10: `include` is a list of file names"),
        ("include: [[a]]\n", "distman.env:1:11: `include` is a list of file names"),
        ("all:\n  A: \"a\\0b\"\n", "distman.env:2:6: a value cannot hold a NUL character"),
        ("all:\n  A: !base64 '***'\n", "distman.env:2:6: `A` is not valid Base64"),
        ("all:\n  A: !base64 /w==\n", "distman.env:2:6: `A` decodes to bytes that are not UTF-8 text"),
        (
            "all:\n  A: !aesgcm x\n",
            "distman.env:2:6: `A` is encrypted (`!aesgcm`), which git dist does not read",
        ),
    ] {
        assert_eq!(refusal(text), expected, "{text}");
    }
}

#[test]
fn an_encrypted_value_may_come_from_the_process() {
    let text = "all:\n  A: !encrypt x\n  B: ${A}\n";
    assert_eq!(value(&resolve_text(text, &[("A", "a")]), "B"), "a");
    let other = "darwin:\n  A: !encrypt x\n";
    assert_eq!(value(&resolve_text(other, &[]), "A"), "(none)");
}

#[test]
fn warnings_name_what_is_ignored() {
    let text = "include: [default]\nlinx:\n  A: 1\nbase: &base\n  B: 2\nall:\n  <<: *base\n  k.v: 3\nC: 4\n";
    let files = [("distman.env", text)];
    let (environment, warnings) = resolve_with(&BTreeMap::new(), &files).unwrap();
    let warnings: Vec<String> = warnings
        .iter()
        .map(|warning| match warning.hint() {
            Some(hint) => format!("{warning}; {hint}"),
            None => warning.to_string(),
        })
        .collect();
    assert_eq!(
        warnings,
        [
            "distman.env:1:11: the include `default.env` is neither beside the file nor along `ENVPATH`",
            "distman.env:2:1: `linx` is not a section and is ignored; did you mean `linux`?",
            "distman.env:8:3: `k.v` cannot be a variable's name and is ignored; a name is letters, digits and `_`, and does not begin with a digit",
            "distman.env:9:1: `C` is not a section and is ignored; variables belong below `all`, `linux`, `darwin` or `windows`",
        ]
    );
    assert_eq!(value(&environment, "B"), "2");
}

#[test]
fn every_value_says_where_it_came_from() {
    let text = "all: &all\n  ENV: ${ENV:=prod}\n  P: /x:${P}\n  Q: q\n  T: t\nlinux:\n  <<: *all\n";
    let environment = resolve_text(text, &[("P", "/usr"), ("T", "mine"), ("OTHER", "o")]);
    let json: BTreeMap<_, _> = environment.iter().collect();
    assert_eq!(
        serde_json::to_value(json).unwrap(),
        serde_json::json!({
            "DEPLOY_ROOT": {"value": "/home/u/.local/pipe/prod", "origins": [{"kind": "default"}]},
            "ENV": {"value": "prod", "origins": [{"kind": "file", "file": "distman.env", "line": 2}]},
            "HOME": {"value": "/home/u", "origins": [{"kind": "default"}]},
            "P": {"value": "/x:/usr", "origins": [
                {"kind": "file", "file": "distman.env", "line": 3}, {"kind": "process"}]},
            "PLATFORM": {"value": "linux", "origins": [{"kind": "default"}]},
            "Q": {"value": "q", "origins": [{"kind": "file", "file": "distman.env", "line": 4}]},
            "ROOT": {"value": "/home/u/.local/pipe", "origins": [{"kind": "default"}]},
            "STACK": {"value": "distman", "origins": [{"kind": "default"}]},
            "T": {"value": "mine", "origins": [{"kind": "process"}]},
        })
    );
    assert_eq!(value(&environment, "OTHER"), "o", "known, though not listed");
}

#[test]
fn nearer_files_override_farther_ones() {
    let files = [
        ("distman.env", "include: [base]\n"),
        ("near/base.env", "all: {A: near}\n"),
        ("far/base.env", "all: {A: far, B: far}\n"),
    ];
    let (environment, _) = resolve_with(&BTreeMap::new(), &files).unwrap();
    assert_eq!(value(&environment, "A"), "near");
    assert_eq!(value(&environment, "B"), "far");
}

#[test]
fn placeholders_of_a_destination() {
    let text = "all:\n  ROOT: ~/pipe\n  NAME: é\n  EMPTY: ''\n  BRACES: '{NAME}'\n";
    let environment = resolve_text(text, &[("OUTER", "o")]);
    for (template, expected) in [
        ("/srv/x", "/srv/x"),
        ("{ENV}", "prod"),
        ("/a/{ENV}/{OUTER}/{NAME}", "/a/prod/o/é"),
        ("{ROOT}/bin", "/home/u/pipe/bin"),
        ("{DEPLOY_ROOT}/bin", "/home/u/pipe/prod/bin"),
        ("~", "/home/u"),
        ("~/bin", "/home/u/bin"),
        ("~other/bin", "~other/bin"),
        ("/x/~/{ENV}", "/x/~/prod"),
        ("/a}b", "/a}b"),
        ("/{BRACES}", "/{NAME}"),
        ("/a{EMPTY}b", "/ab"),
        ("$ENV", "$ENV"),
    ] {
        assert_eq!(environment.expand(template).as_deref(), Ok(expected), "{template}");
    }
    for (template, expected, hint) in [
        ("/é/{DEPLOY-ROOT}", "`/é/{DEPLOY-ROOT}`: the `{` at character 4 does not begin a `{NAME}`", None),
        ("/{ENV", "`/{ENV`: the `{` at character 2 does not begin a `{NAME}`", None),
        ("/{{ENV}}", "`/{{ENV}}`: the `{` at character 2 does not begin a `{NAME}`", None),
        ("${ROOT}/x", "`${ROOT}/x`: `${ROOT}` is not expanded here", Some("write `{ROOT}`")),
        (
            "{DEPLOY_ROTO}/x",
            "`{DEPLOY_ROTO}/x`: unknown variable `DEPLOY_ROTO`",
            Some("did you mean `{DEPLOY_ROOT}`?"),
        ),
        (
            "{EMPTY}/bin",
            "`{EMPTY}/bin`: `EMPTY` is empty",
            Some("`git dist env EMPTY` says where it comes from"),
        ),
    ] {
        let error = environment.expand(template).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.hint().as_deref(), hint);
    }
}

#[cfg(unix)]
#[test]
fn bytes_that_are_not_text_matter_only_where_they_are_used() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(b"/\xff".to_vec());
    for name in ["X", "HOME", "ROOT"] {
        let process = BTreeMap::from([(name.to_owned(), bytes())]);
        let (environment, _) = resolve_with(&process, &[]).unwrap();
        assert_eq!(environment.get(name), None);
        assert!(matches!(environment.expand(&format!("/{{{name}}}")), Err(PlaceholderError::NotUtf8 { .. })));
        let text = format!("all:\n  A: ${{{name}}}\n");
        let error = resolve_with(&process, &[("distman.env", &text)]).unwrap_err();
        let expected = format!("`{name}` in the process environment is not UTF-8");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn without_a_home_only_what_needs_it_fails() {
    let process = BTreeMap::new();
    let context = Context { process: &process, platform: "linux", home: None };
    let resolve = |text: &str| {
        let files = [("distman.env", text)];
        Environment::resolve(&context, &Given(&files), "distman.env")
    };
    let (environment, _) = resolve("all: {A: a}").unwrap();
    assert_eq!(environment.expand("/{A}").as_deref(), Ok("/a"));
    for template in ["~/x", "{HOME}", "{ROOT}", "{DEPLOY_ROOT}/x"] {
        let error = environment.expand(template).unwrap_err();
        assert!(matches!(error, PlaceholderError::NoHome { .. }), "{template}");
    }
    let (environment, _) = resolve("all: {ROOT: /srv}").unwrap();
    assert_eq!(environment.expand("{DEPLOY_ROOT}").as_deref(), Ok("/srv/prod"));
    for text in ["all:\n  A: ${HOME}/x\n", "all:\n  A: ${ROOT}/x\n"] {
        let error = resolve(text).unwrap_err();
        assert!(matches!(error, EnvironmentError::NoHome { .. }), "{text}");
    }
}

#[test]
fn other_platforms_have_their_own_root() {
    for (platform, expected) in [
        ("darwin", "/Users/u/Library/Application Support/pipe"),
        ("windows", "C:/ProgramData/pipe"),
        ("freebsd", "/Users/u/.local/pipe"),
    ] {
        let process = process(&[("HOME", "/Users/u")]);
        let context = Context { process: &process, platform, home: None };
        let (environment, _) = Environment::resolve(&context, &Given(&[]), "distman.env").unwrap();
        assert_eq!(value(&environment, "ROOT"), expected);
        assert_eq!(value(&environment, "PLATFORM"), platform);
    }
}

#[test]
fn hostile_definitions_end_in_an_error() {
    use std::fmt::Write as _;
    let mut chain = "all:\n".to_owned();
    let mut doubling = "all:\n  A0: lol\n".to_owned();
    for index in 1..5000 {
        writeln!(chain, "  A{index}: ${{A{}}}", index + 1).unwrap();
        let previous = index - 1;
        writeln!(doubling, "  A{index}: ${{A{previous}}}${{A{previous}}}").unwrap();
    }
    let flat = format!("all:\n  B: {}\n", "x".repeat(100_000));
    let wide = format!("{flat}  A: {}\n", "${B}".repeat(100_000));
    for (name, text, expected) in
        [("chain", chain, "nested too deep"), ("doubling", doubling, "too long"), ("wide", wide, "too long")]
    {
        let error = refusal(&text);
        assert!(error.contains(expected), "{name}: {error}");
    }
    let many = format!("all:\n  A: {}\n  B: {}\n", "${E}".repeat(120_000), "${A}".repeat(120_000));
    assert_eq!(value(&resolve_text(&many, &[]), "B"), "");
}

proptest! {
    #[test]
    fn any_file_is_resolved_or_refused(
        lines in prop::collection::vec(
            r"([A-D]: (\$\{[A-D](:[-=?])?|\}|[a-z/]){0,6})|([ -~]{0,20})", 0..8)
    ) {
        let text = lines.iter().fold("all:\n".to_owned(), |text, line| text + "  " + line + "\n");
        let _ = resolve_with(&process(&[("A", "a")]), &[("distman.env", &text)]);
    }

    #[test]
    fn a_value_without_references_is_itself(value in r"[^$\x00]{0,40}") {
        let quoted = serde_json::to_string(&value).unwrap();
        let environment = resolve_text(&format!("all:\n  A: {quoted}\n"), &[]);
        prop_assert_eq!(&environment.get("A").unwrap().value, &value);
    }

    #[test]
    fn any_destination_is_expanded_or_refused(template in r"([{}$~A-Z_/]|\{ENV\}|\PC){0,30}") {
        let _ = resolve_text("", &[]).expand(&template);
    }

    #[test]
    fn a_destination_without_placeholders_is_itself(template in r"(/[^{]{0,40})?") {
        prop_assert_eq!(resolve_text("", &[]).expand(&template), Ok(template));
    }
}

/// Files without end: each includes what `include` makes of its number.
struct Endless(fn(usize) -> String);

impl Files for Endless {
    fn find(
        &self,
        name: &str,
        _included_from: Option<&str>,
    ) -> Result<Vec<EnvironmentFile>, Box<dyn std::error::Error + Send + Sync>> {
        let digits = name.trim_start_matches('f').trim_end_matches(".env");
        let number = digits.parse().unwrap_or(0);
        Ok(vec![EnvironmentFile { path: name.to_owned(), content: (self.0)(number).into_bytes() }])
    }
}

#[test]
fn includes_are_bounded() {
    let chain = |number| format!("include: [f{}]\n", number + 1);
    let tree = |number| format!("include: [f{}, f{}]\n", number * 2 + 1, number * 2 + 2);
    let flat = |number| match number {
        0 => (1..1000).fold("include:\n".to_owned(), |list, number| list + &format!("  - f{number}\n")),
        _ => String::new(),
    };
    let process = BTreeMap::new();
    let context = Context { process: &process, platform: "linux", home: None };
    for (files, expected) in [
        (Endless(chain), "nested deeper than 32"),
        (Endless(tree), "nested deeper than 32"),
        (Endless(flat), "more than 256 files"),
    ] {
        let error = Environment::resolve(&context, &files, "distman.env").unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn a_failed_lookup_is_named() {
    struct Broken;
    impl Files for Broken {
        fn find(
            &self,
            _name: &str,
            _included_from: Option<&str>,
        ) -> Result<Vec<EnvironmentFile>, Box<dyn std::error::Error + Send + Sync>> {
            Err("object missing".into())
        }
    }
    let process = BTreeMap::new();
    let context = Context { process: &process, platform: "linux", home: None };
    let error = Environment::resolve(&context, &Broken, "distman.env").unwrap_err();
    assert_eq!(error.to_string(), "cannot look up the environment file `distman.env`");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "object missing");
}
