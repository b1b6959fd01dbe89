//! The vectors recorded from envstack 1.0.5, and where git dist differs on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::Path;

use git_dist::environment::{Context, Environment, EnvironmentFile, Files};
use serde_json::Value;

/// What git dist does where its own rule differs from what envstack did.
enum Instead {
    /// An error that says this.
    Error(&'static str),
    /// These values; the others are as recorded.
    Values(&'static [(&'static str, &'static str)]),
    /// No error, but a warning that says this.
    Warning(&'static str),
    /// Not a case that git dist has.
    NotAsked,
}

const EXCEPTIONS: &[(&str, &str, Instead)] = &[
    (
        "include-missing-strict",
        "a missing include is a warning, whatever IGNORE_MISSING says",
        Instead::Warning("the include `nope.env` is neither beside the file nor along `ENVPATH`"),
    ),
    (
        "file-empty-vs-os",
        "the process environment comes before the file",
        Instead::Values(&[("A", "os"), ("B", "os")]),
    ),
    (
        "self-append-unset",
        "values are the text as written: a trailing colon stays",
        Instead::Values(&[("PP", "/new:")]),
    ),
    (
        "image-ref",
        "values are the text as written: no repeated element is dropped",
        Instead::Values(&[("IMG", "reg.io/a/b:1.2:1.2")]),
    ),
    (
        "list-dict",
        "a list or mapping as a value is an error",
        Instead::Error("s.env:2:6: `L` is a list; a value is text"),
    ),
    (
        "python-tag-safe",
        "an unknown tag is an error, not an empty environment",
        Instead::Error("unknown tag `tag:yaml.org,2002:python/object/apply:os.system`"),
    ),
    (
        "platform-var",
        "PLATFORM and ROOT have defaults",
        Instead::Values(&[("A", "linux"), ("C", "/h/.local/pipe")]),
    ),
    ("node-base64-bad", "a broken value is an error", Instead::Error("`A` is not valid Base64")),
    (
        "node-secrets-with-os-keys",
        "encrypted values are not read",
        Instead::Error("`SECRET` is encrypted (`!encrypt`)"),
    ),
    ("two-stacks", "git dist reads one environment file and what it includes", Instead::NotAsked),
    (
        "distman.env-plain",
        "values are the text as written: a trailing colon stays",
        Instead::Values(&[
            ("ENVPATH", "/home/u/.local/pipe/prod/env:"),
            ("PYTHONPATH", "/home/u/.local/pipe/prod/lib/python:"),
        ]),
    ),
    (
        "distman.env-DEPLOY_ROOT-from-os-is-overridden",
        "the process environment comes before the file, and a trailing colon stays",
        Instead::Values(&[
            ("DEPLOY_ROOT", "/mine"),
            ("ROOT", "/osroot"),
            ("LOG_DIR", "/osroot/log/distman"),
            ("ENVPATH", "/mine/env:"),
            ("PATH", "/mine/bin:/usr/bin"),
            ("PYTHONPATH", "/mine/lib/python:"),
        ]),
    ),
    (
        "distman.env-darwin",
        "values are the text as written: a trailing colon stays",
        Instead::Values(&[
            ("ENVPATH", "/Users/u/Library/Application Support/pipe/prod/env:"),
            ("PYTHONPATH", "/Users/u/Library/Application Support/pipe/prod/lib/python:"),
        ]),
    ),
];

/// The files of a vector, looked for as envstack does: in the current directory (`cwd`), then
/// along `ENVPATH`.
struct Recorded {
    files: BTreeMap<String, String>,
    directories: Vec<String>,
}

impl Files for Recorded {
    fn find(
        &self,
        name: &str,
        _included_from: Option<&str>,
    ) -> Result<Vec<EnvironmentFile>, Box<dyn std::error::Error + Send + Sync>> {
        let paths = self.directories.iter().map(|directory| format!("{directory}{name}"));
        Ok(paths
            .filter_map(|path| {
                let content = self.files.get(&path)?.clone().into_bytes();
                Some(EnvironmentFile { path, content })
            })
            .collect())
    }
}

fn strings(value: &Value) -> BTreeMap<String, String> {
    let object = value.as_object().into_iter().flatten();
    object.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn resolve(vector: &Value) -> Result<(BTreeMap<String, String>, Vec<String>), String> {
    let env = strings(&vector["env"]);
    let mut directories = vec![vector["cwd"].as_str().map_or_else(String::new, |cwd| format!("{cwd}/"))];
    let envpath = env.get("ENVPATH").map_or("", String::as_str);
    directories.extend(
        envpath
            .split(':')
            .filter(|directory| !directory.is_empty())
            .map(|directory| directory.replace("@DIR@/", "") + "/"),
    );
    let files = Recorded { files: strings(&vector["files"]), directories };
    let process: BTreeMap<String, OsString> =
        env.into_iter().map(|(name, value)| (name, value.into())).collect();
    let context = Context {
        process: &process,
        platform: vector["platform"].as_str().unwrap(),
        home: Some(Path::new("/nobody")),
    };
    let stack = vector["stack"].as_str().unwrap();
    let (environment, warnings) =
        Environment::resolve(&context, &files, stack).map_err(|error| error.to_string())?;
    let values =
        environment.iter().map(|(name, variable)| (name.to_owned(), variable.value.clone())).collect();
    Ok((values, warnings.iter().map(ToString::to_string).collect()))
}

#[test]
fn envstack_vectors() {
    let recorded: Value = serde_json::from_str(include_str!("data/envstack-vectors.json")).unwrap();
    let mut unused: BTreeSet<&str> = EXCEPTIONS.iter().map(|(name, ..)| *name).collect();
    for vector in recorded["vectors"].as_array().unwrap() {
        let name = vector["name"].as_str().unwrap();
        let exception = EXCEPTIONS.iter().find(|(other, ..)| *other == name);
        unused.remove(name);
        let mut expected = strings(&vector["expected"]);
        match exception {
            Some((.., Instead::NotAsked)) => continue,
            Some((_, reason, Instead::Error(error))) => {
                let found = resolve(vector).unwrap_err();
                assert!(found.contains(error), "{name} ({reason}): {found}");
                continue;
            }
            Some((_, reason, Instead::Warning(warning))) => {
                let (_, found) = resolve(vector).unwrap();
                assert!(found.iter().any(|found| found.contains(warning)), "{name} ({reason}): {found:?}");
                continue;
            }
            Some((_, reason, Instead::Values(values))) => {
                for (key, value) in *values {
                    let before = expected.insert((*key).to_owned(), (*value).to_owned());
                    assert_ne!(before.as_deref(), Some(*value), "{name} ({reason}): {key}");
                }
            }
            None if vector.get("error").is_some() => {
                assert!(resolve(vector).is_err(), "{name}");
                continue;
            }
            None => {}
        }
        let (mut found, _) = resolve(vector).unwrap_or_else(|error| panic!("{name}: {error}"));
        // The defaults are listed as well; envstack does not have them.
        for default in ["ENV", "ROOT", "DEPLOY_ROOT", "PLATFORM", "HOME"] {
            if !expected.contains_key(default) {
                found.remove(default);
            }
        }
        assert_eq!(found, expected, "{name}");
    }
    assert!(unused.is_empty(), "exceptions without a vector: {unused:?}");
}

#[cfg(unix)]
#[test]
fn a_shell_can_eval_the_export() {
    let text = "all:\n  QUOTES: it's \"so\"\n  COMMAND: $(exit 1) `exit 1` \\\n  LINES: \"a\\nb\"\n";
    let files = Recorded {
        files: BTreeMap::from([("distman.env".to_owned(), text.to_owned())]),
        directories: vec![String::new()],
    };
    let process = BTreeMap::new();
    let context = Context { process: &process, platform: "linux", home: Some(Path::new("/home/u")) };
    let (environment, _) = Environment::resolve(&context, &files, "distman.env").unwrap();
    let exports: Vec<String> = environment.export_lines().collect();
    let output = std::process::Command::new("sh")
        .args([
            "-euc",
            r#"eval "$1"; printf '%s|' "$QUOTES" "$COMMAND" "$LINES" "$DEPLOY_ROOT""#,
            "sh",
            &exports.join("\n"),
        ])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "it's \"so\"|$(exit 1) `exit 1` \\|a\nb|/home/u/.local/pipe/prod|"
    );
}
