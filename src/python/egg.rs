//! Eggs: packages as setuptools wrote them before wheels, one zip file each that `PYTHONPATH` can name.

use std::cmp::Reverse;
use std::str::FromStr;

use pep440_rs::Version;

use super::interpreter::Interpreter;
use super::requirement::{Requirement, is_name, normalised};

/// What the name of an egg says: `hello-1.2-py3.11-linux-x86_64.egg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Egg {
    /// The name of the file.
    pub(super) file: String,
    /// The package, normalised.
    pub(super) name: String,
    pub(super) version: Version,
    /// The version of Python; `None` = whichever.
    python: Option<String>,
    /// The system and processor; `None` = whichever.
    platform: Option<String>,
}

impl Egg {
    /// Reads the name of a file; `None` if it is not one of an egg.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || ".-_+!".contains(c);
        let stem = file.strip_suffix(".egg").filter(|stem| stem.chars().all(is_plain))?;
        let mut parts = stem.splitn(4, '-');
        let name = parts.next().filter(|name| is_name(name))?;
        // A `-` of a version is `_` in the name of a file.
        let version = Version::from_str(&parts.next()?.replace('_', "-")).ok()?;
        let python = match parts.next() {
            Some(python) => Some(python.strip_prefix("py")?.to_owned()),
            None => None,
        };
        let platform = parts.next().map(ToOwned::to_owned);
        Some(Self { file: file.to_owned(), name: normalised(name), version, python, platform })
    }

    /// True if `python` can run it.
    fn runs_on(&self, python: &Interpreter) -> bool {
        self.python.as_ref().is_none_or(|version| *version == python.version)
            && self.platform.as_ref().is_none_or(|platform| *platform == python.platform)
    }

    /// The one of the `files` with the highest version that meets `requirement` and that `python` can run: of two, the
    /// one that says more about what it is for.
    pub(super) fn newest<'f>(
        files: impl Iterator<Item = &'f str>,
        requirement: &Requirement,
        python: &Interpreter,
    ) -> Option<Self> {
        let eggs: Vec<Self> = files
            .filter_map(Self::parse)
            .filter(|egg| egg.name == requirement.name() && egg.runs_on(python))
            .collect();
        let has_releases =
            eggs.iter().any(|egg| !egg.version.any_prerelease() && requirement.is_met_by(&egg.version, true));
        let met = eggs.into_iter().filter(|egg| requirement.is_met_by(&egg.version, has_releases));
        met.max_by_key(|egg| {
            (egg.version.clone(), egg.platform.is_some(), egg.python.is_some(), Reverse(egg.file.clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(files: &[&str], requirement: &str) -> Option<String> {
        let python = Interpreter {
            executable: "/usr/bin/python3".into(),
            version: "3.11".to_owned(),
            implementation: "cpython".to_owned(),
            platform: "linux-x86_64".to_owned(),
        };
        let requirement = Requirement::parse(requirement).unwrap();
        Egg::newest(files.iter().copied(), &requirement, &python).map(|egg| egg.file)
    }

    #[test]
    fn the_highest_version_that_runs_and_is_asked_for_is_taken() {
        let files = [
            "hello-1.2-py3.11.egg",
            "hello-1.9-py3.11.egg",
            "hello-1.10-py3.11.egg",
            "hello-1.11rc1-py3.11.egg",
            "hello-2.0-py3.12.egg",
            "hello-2.1-py3.11-macosx-14.0-arm64.egg",
            "hello_world-9.0-py3.11.egg",
            "other-9.0-py3.11.egg",
            "hello-9.0-py3.11.egg.part",
            "hello-latest-py3.11.egg",
            "hello.egg",
        ];
        for (requirement, file) in [
            ("hello", Some("hello-1.10-py3.11.egg")),
            ("Hello<1.10", Some("hello-1.9-py3.11.egg")),
            ("hello>=1.11rc1", Some("hello-1.11rc1-py3.11.egg")),
            ("hello>1.10,<2", Some("hello-1.11rc1-py3.11.egg")),
            ("hello>=2", None),
            ("hello-world", Some("hello_world-9.0-py3.11.egg")),
            ("missing", None),
        ] {
            assert_eq!(newest(&files, requirement).as_deref(), file, "{requirement}");
        }
    }

    #[test]
    fn of_two_the_one_that_is_meant_for_this_machine_is_taken() {
        let files = ["hello-1.0.egg", "hello-1.0-py3.11.egg", "hello-1.0-py3.11-linux-x86_64.egg"];
        for count in 1..=files.len() {
            assert_eq!(newest(&files[..count], "hello").as_deref(), Some(files[count - 1]));
        }
        assert_eq!(
            newest(&["hello-1.0_1-py3.11.egg", "hello-1.0-py3.11.egg"], "hello").as_deref(),
            Some("hello-1.0_1-py3.11.egg")
        );
    }

    #[test]
    fn names_that_lead_elsewhere_are_no_eggs() {
        for name in
            ["../hello-1.0-py3.11.egg", "/hello-1.0.egg", "hello-1.0-py3.11-../x.egg", "hello-1.0\n.egg"]
        {
            assert_eq!(Egg::parse(name), None, "{name}");
        }
    }
}
