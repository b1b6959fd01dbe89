//! What is asked for: a package, in versions (the specification of dependency specifiers, once PEP 508).

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifiers};

use super::{PythonError, Result};

/// A plain requirement: `hello`, `hello>=1.2`, `hello[fast]~=1.4,!=1.4.3`.
///
/// Whatever else pip takes on such a line is refused: addresses, files, options, conditions.
#[derive(Clone, PartialEq, Eq)]
pub struct Requirement {
    name: String,
    extras: Vec<String>,
    specifiers: VersionSpecifiers,
}

/// The longest requirement.
const LONGEST: usize = 500;

impl Requirement {
    /// Takes `text` as a requirement.
    ///
    /// # Errors
    /// When it is none, or says more than a package, its extras and its versions.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| PythonError::Requirement {
            text: crate::credentials::without_credentials(&text.escape_debug().to_string()).into_owned(),
            why: why.to_owned(),
        };
        if text.len() > LONGEST || !text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
            return Err(wrong("it is one short line of ASCII"));
        }
        let text = text.trim();
        if text.contains('@') || text.contains("://") {
            return Err(wrong("an address or a file is no version of a package in an index"));
        }
        if text.contains(';') {
            return Err(wrong("a condition says nothing about the one machine that this is for"));
        }
        let end = text.find(|c| !is_name_char(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if !is_name(name) {
            return Err(wrong("it begins with the name of a package: letters, digits, `-`, `_` and `.`"));
        }
        let (extras, specifiers) = match rest.trim_start().strip_prefix('[') {
            None => (Vec::new(), rest),
            Some(rest) => {
                let (extras, rest) = rest.split_once(']').ok_or_else(|| wrong("`[` has no `]`"))?;
                let extras: Vec<&str> = extras.split(',').map(str::trim).collect();
                if !extras.iter().all(|extra| is_name(extra)) {
                    return Err(wrong("extras are names with `,` between them"));
                }
                let mut extras: Vec<String> = extras.into_iter().map(normalised).collect();
                extras.sort_unstable();
                extras.dedup();
                (extras, rest)
            }
        };
        let specifiers = VersionSpecifiers::from_str(specifiers.trim()).map_err(|error| {
            let said = error.to_string();
            wrong(&format!("versions are as in `>=1.2,<2`: {}", said.lines().next().unwrap_or_default()))
        })?;
        Ok(Self { name: normalised(name), extras, specifiers })
    }

    /// The name of the package, in the form in which names are compared.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if `version` is one of those that are asked for. Versions before a release are not, unless one is named, or
    /// `has_releases` is false: there are no others.
    pub fn is_met_by(&self, version: &Version, has_releases: bool) -> bool {
        let names_one = self.specifiers.iter().any(|specifier| {
            *specifier.operator() != Operator::NotEqual && specifier.version().any_prerelease()
        });
        self.specifiers.contains(version) && (names_one || !has_releases || !version.any_prerelease())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.extras.is_empty() {
            write!(f, "[{}]", self.extras.join(","))?;
        }
        for (index, specifier) in self.specifiers.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}", specifier.to_string().replace(' ', ""))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Requirement({self})")
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

/// True for names of packages.
pub(super) fn is_name(text: &str) -> bool {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(is_end) && text.ends_with(is_end) && text.chars().all(is_name_char)
}

/// The form of a name in which two that mean the same are equal (PEP 503).
pub(super) fn normalised(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !text.is_empty() {
            text.push('-');
        }
        text.push_str(&part.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_requirements_are_understood() {
        for (text, shown) in [
            ("hello", "hello"),
            (" Hello_World.x ", "hello-world-x"),
            ("hello>=1.2", "hello>=1.2"),
            ("hello >= 1.2, < 2, !=1.3.*", "hello>=1.2,!=1.3.*,<2"),
            ("hello [B_2, a,a] ~= 1.4", "hello[a,b-2]~=1.4"),
            ("hello==1!2.0rc1+local", "hello==1!2.0rc1+local"),
        ] {
            let requirement = Requirement::parse(text).unwrap();
            assert_eq!(requirement.to_string(), shown);
            assert_eq!(Requirement::parse(shown).unwrap(), requirement);
        }
    }

    #[test]
    fn whatever_else_could_stand_there_is_refused() {
        let long = format!("a{}", "b".repeat(600));
        for text in [
            "",
            " ",
            "-r other.txt",
            "--index-url=https://evil.example/simple hello",
            "-e .",
            "hello --index-url https://evil.example",
            "hello\n--index-url https://evil.example",
            "hello\r",
            "hello @ file:///etc/passwd",
            "hello@https://evil.example/x.whl",
            "git+https://evil.example/x.git",
            "./hello",
            "/srv/hello",
            "../hello",
            "hello/../x",
            "hello; python_version > '3'",
            "hello [a",
            "hello[a;b]",
            "hello[-r]",
            "hello==1.0 --hash=sha256:00",
            "hello # comment",
            "hello \\",
            "hello>=one",
            "hello==1.0 other",
            "héllo",
            "hello-",
            ".hello",
            &long,
        ] {
            assert!(matches!(Requirement::parse(text), Err(PythonError::Requirement { .. })), "{text:?}");
        }
        let error = Requirement::parse("hello @ https://user:secret@host/x").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn versions_before_a_release_are_taken_where_they_are_meant() {
        let met = |requirement: &str, version: &str, has_releases| {
            let version = Version::from_str(version).unwrap();
            Requirement::parse(requirement).unwrap().is_met_by(&version, has_releases)
        };
        assert!(met("hello>=1", "1.2", true));
        assert!(!met("hello>=1", "1.3rc1", true));
        assert!(met("hello>=1", "1.3rc1", false));
        assert!(met("hello>=1.3b1", "1.3rc1", true));
        assert!(!met("hello>=1,!=1.3b1", "1.3rc1", true));
        assert!(!met("hello>=2", "1.2", false));
    }
}
