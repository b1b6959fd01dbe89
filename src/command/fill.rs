//! The `{name}` placeholders of a command line.
//!
//! A value never becomes shell code. It travels in an environment variable, and the line only refers to it, in
//! the spelling that the quotes around the placeholder ask for ([`super::quoting`]). What a command hands on to
//! another interpreter (`eval`, `sh -c`, `ssh`) is that interpreter's to quote, as with any value in a shell.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use super::quoting;
use crate::spelling::nearest;

/// The placeholders that are no variables.
const PATHS: [&str; 3] = ["input", "output", "staged"];

/// A command line whose placeholders are filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    template: String,
    line: String,
    environment: BTreeMap<String, OsString>,
}

impl Filled {
    /// The command line as written.
    pub fn template(&self) -> &str {
        &self.template
    }

    /// The command line for the shell.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// The variables that the line refers to.
    pub fn environment(&self) -> &BTreeMap<String, OsString> {
        &self.environment
    }
}

/// Why a command line could not be filled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The name of a placeholder is known to nobody.
    #[error("unknown placeholder `{{{name}}}` in `{}`", super::shown(.template))]
    Unknown {
        /// The command line as written.
        template: String,
        /// The name.
        name: String,
        /// A known name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A here-document whose delimiter is quoted takes text only, and this value could end it.
    #[error("the value of `{{{name}}}` cannot stand in a here-document with a quoted delimiter")]
    HereDocument {
        /// The placeholder.
        name: String,
    },
    /// Some shells run code that they find in a value inside `$((...))`.
    #[error("the value of `{{{name}}}` stands in `$((...))` and is no whole number")]
    Arithmetic {
        /// The placeholder.
        name: String,
    },
    /// A process cannot be given a value with a zero byte.
    #[error("the value of `{{{name}}}` holds a zero byte")]
    ZeroByte {
        /// The placeholder.
        name: String,
    },
}

impl FillError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { nearest: Some(nearest), .. } => Some(format!("did you mean `{{{nearest}}}`?")),
            Self::Unknown { name, .. } => Some(format!(
                "define `{name}` in `distman.env` or in the `env` of the step, or write `${{{name}}}` to leave it to the shell"
            )),
            Self::HereDocument { .. } => Some("leave the quotes of the delimiter away".to_owned()),
            Self::Arithmetic { .. } | Self::ZeroByte { .. } => None,
        }
    }
}

/// A part of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece<'t> {
    /// A character as the shell is to see it.
    Char(char),
    /// A placeholder that `values` knows.
    Placeholder(&'t str),
}

/// Fills the `{name}` placeholders of the shell command `template` with what `values` knows.
///
/// Scripts are full of braces, so only a known name makes a placeholder: `awk '{print $1}'`, `{ a; b; }`, JSON
/// and the shell's own `${X}` stay as written. A name in capitals, or one that is nearly `input`, `output` or
/// `staged`, is taken for a mistake.
///
/// distman reads its scripts with Python's `str.format`, where `{{` means `{`. A template in which every brace
/// is doubled or part of a placeholder is read like that; in any other, distman would have failed, and braces
/// mean themselves.
///
/// # Errors
///
/// See [`FillError`].
pub fn fill(template: &str, values: &dyn Fn(&str) -> Option<OsString>) -> Result<Filled, FillError> {
    let pieces = pieces(template, values)?;
    let mut names: Vec<&str> = Vec::new();
    let mut environment = BTreeMap::new();
    let line = quoting::write(&pieces, &mut |name| {
        let number = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        let variable = format!("GIT_DIST_VALUE_{}", number + 1);
        // `pieces` made a placeholder only of what has a value.
        let value = values(name).unwrap_or_default();
        if value.as_bytes().contains(&0) {
            return Err(FillError::ZeroByte { name: name.to_owned() });
        }
        environment.insert(variable.clone(), value.clone());
        Ok(quoting::Value { variable, value })
    })?;
    Ok(Filled { template: template.to_owned(), line, environment })
}

/// The names of variables that a command line refers to, as a placeholder or in the shell's way, in order.
pub fn mentions(template: &str) -> impl Iterator<Item = &str> {
    template.match_indices(['$', '{']).filter_map(|(at, _)| {
        let name = identifier(&template[at + 1..]);
        (!name.is_empty()).then_some(name)
    })
}

fn pieces<'t>(
    template: &'t str,
    values: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Piece<'t>>, FillError> {
    let is_known = |name: &str| values(name).is_some();
    let doubled = is_doubled(template, &is_known);
    let mut pieces = Vec::with_capacity(template.len());
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if doubled && matches!(c, '{' | '}') && after.starts_with(c) {
            pieces.push(Piece::Char(c));
            rest = &after[1..];
            continue;
        }
        let name = placeholder(rest).filter(|_| !ends_in_dollar(&pieces));
        match name {
            Some(name) if is_known(name) => {
                pieces.push(Piece::Placeholder(name));
                rest = &rest[name.len() + 2..];
            }
            Some(name) if is_slip(name, &is_known) => {
                return Err(FillError::Unknown {
                    template: template.to_owned(),
                    name: name.to_owned(),
                    nearest: nearest(name, PATHS.into_iter().filter(|known| is_known(known))),
                });
            }
            _ => {
                pieces.push(Piece::Char(c));
                rest = after;
            }
        }
    }
    Ok(pieces)
}

fn ends_in_dollar(pieces: &[Piece<'_>]) -> bool {
    pieces.last() == Some(&Piece::Char('$'))
}

/// True if Python's `str.format` would take the template: each brace is doubled or part of a placeholder. A
/// `${X}` is the shell's and says nothing.
fn is_doubled(template: &str, is_known: &dyn Fn(&str) -> bool) -> bool {
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        let after_dollar = rest[..at].ends_with('$');
        rest = &rest[at..];
        let length = match placeholder(rest) {
            _ if rest.starts_with("{{") || rest.starts_with("}}") => 2,
            Some(name) if after_dollar || is_known(name) => name.len() + 2,
            _ => return false,
        };
        rest = &rest[length..];
    }
    true
}

/// The name, if `text` begins with `{name}`.
pub(crate) fn placeholder(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('{')?;
    let name = identifier(inside);
    (!name.is_empty() && inside[name.len()..].starts_with('}')).then_some(name)
}

/// The identifier that `text` begins with: `[A-Za-z_][A-Za-z0-9_]*`, or nothing.
fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { "" } else { &text[..end] }
}

/// True if an unknown name is a mistake rather than a script's own text, as `awk '{print}'` is.
fn is_slip(name: &str, is_known: &dyn Fn(&str) -> bool) -> bool {
    let is_variable = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    is_variable || nearest(name, PATHS.into_iter().filter(|known| is_known(known))).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str) -> Option<OsString> {
        let value = match name {
            "input" => "/input",
            "output" => "/output",
            "ROOT" => "/root",
            "N" => "7",
            "ZERO" => "\0",
            _ => return None,
        };
        Some(value.into())
    }

    fn filled(template: &str) -> String {
        fill(template, &values).unwrap().line
    }

    #[test]
    fn only_known_names_are_placeholders() {
        for text in [
            "awk '{print $1}' f",
            "awk '{print}' f",
            "{ a; b; }",
            "f() { g; }",
            "echo ${ROOT} ${X:-${Y}} ${input}",
            r#"echo '{"a":{"b":1}}'"#,
            "find . -exec x {} +",
            "echo {a,b} {1..3} {} { } {",
            "# it's {input}",
            r"echo \{input}",
            "é {é}",
        ] {
            assert_eq!(filled(text), text);
        }
    }

    #[test]
    fn doubled_braces_are_single_ones_where_distman_would_read_them_so() {
        for (text, line) in [
            ("awk '{{print $1}}' f", "awk '{print $1}' f"),
            ("find . -exec x {{}} +", "find . -exec x {} +"),
            ("{{{input}}}", r#"{"${GIT_DIST_VALUE_1}"}"#),
            ("echo ${{HOME}}", "echo ${HOME}"),
            // Single braces: distman would have failed, so that these are meant as they are.
            ("awk '{{print}}' {}", "awk '{{print}}' {}"),
            ("echo ${X:-${Y}}", "echo ${X:-${Y}}"),
        ] {
            assert_eq!(filled(text), line, "{text}");
        }
    }

    #[test]
    fn quotes_around_a_placeholder_decide_its_spelling() {
        let v = "GIT_DIST_VALUE_1";
        for (text, line) in [
            ("cat {input}", format!("cat \"${{{v}}}\"")),
            ("cat \"{input}/x\"", format!("cat \"${{{v}}}/x\"")),
            ("cat '{input}/x'", format!("cat ''\"${{{v}}}\"'/x'")),
            ("echo \"$(cat {input})\"", format!("echo \"$(cat \"${{{v}}}\")\"")),
            ("echo \"`cat {input}` {input}\"", format!("echo \"`cat \"${{{v}}}\"` ${{{v}}}\"")),
            ("# don't\ncat {input}", format!("# don't\ncat \"${{{v}}}\"")),
            ("echo a#'{input}'", format!("echo a#''\"${{{v}}}\"''")),
            ("echo \"it's {input}\"", format!("echo \"it's ${{{v}}}\"")),
            ("echo '\"' {input}", format!("echo '\"' \"${{{v}}}\"")),
            ("echo \\\" {input}", format!("echo \\\" \"${{{v}}}\"")),
            ("cat <<E\n'{input}'\nE\necho {input}", format!("cat <<E\n'${{{v}}}'\nE\necho \"${{{v}}}\"")),
            (
                "cat <<-'E' && x\n{input}\n\tE\necho {input}",
                format!("cat <<-'E' && x\n/input\n\tE\necho \"${{{v}}}\""),
            ),
            ("echo $((1 << {N})) {N}", format!("echo $((1 << ${{{v}}})) \"${{{v}}}\"")),
            ("cat <<<{input}", format!("cat <<<\"${{{v}}}\"")),
        ] {
            assert_eq!(filled(text), line, "{text}");
        }
    }

    #[test]
    fn each_name_has_one_variable() {
        let filled = fill("cp {input} {output}; rm {input}", &values).unwrap();
        assert_eq!(
            filled.line,
            r#"cp "${GIT_DIST_VALUE_1}" "${GIT_DIST_VALUE_2}"; rm "${GIT_DIST_VALUE_1}""#
        );
        assert_eq!(filled.environment.len(), 2);
        assert_eq!(filled.environment["GIT_DIST_VALUE_2"], "/output");
    }

    #[test]
    fn mistakes_are_refused() {
        for (text, message, hint) in [
            (
                "cp {imput} x",
                "unknown placeholder `{imput}` in `cp {imput} x`",
                Some("did you mean `{input}`?"),
            ),
            ("cp {OTHER}", "unknown placeholder `{OTHER}` in `cp {OTHER}`", Some("define `OTHER` in")),
            ("echo $(({input}))", "the value of `{input}` stands in `$((...))` and is no whole number", None),
            ("echo {ZERO}", "the value of `{ZERO}` holds a zero byte", None),
        ] {
            let error = fill(text, &values).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert_eq!(error.hint().is_some(), hint.is_some(), "{text}");
            assert!(error.hint().unwrap_or_default().starts_with(hint.unwrap_or_default()), "{text}");
        }
        let hostile = |_: &str| Some("x\nE\ntouch PWNED".into());
        let error = fill("cat <<'E'\n{input}\nE", &hostile).unwrap_err();
        assert_eq!(error, FillError::HereDocument { name: "input".to_owned() });
    }

    proptest::proptest! {
        #[test]
        fn no_value_becomes_code(template in "([{}'\"$()`<\\\\#\n -]|<<E|\\$\\(\\(|\nE\n|\\{input\\}|a){0,40}") {
            let hostile = |name: &str| (name == "input").then(|| OsString::from("; EVIL"));
            if let Ok(filled) = fill(&template, &hostile) {
                proptest::prop_assert!(!filled.line.contains("EVIL"), "{}", filled.line);
            }
        }
    }

    #[test]
    fn mentioned_names_are_found() {
        let names: Vec<_> = mentions("echo $A ${B:-$C} {D} \"$(E)\" $1 {{F}} 'awk {print}'").collect();
        assert_eq!(names, ["A", "B", "C", "D", "F", "print"]);
    }
}
