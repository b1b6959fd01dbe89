//! `distman.env`: which variables a deployment sees, and where each came from.
//!
//! The file is an envstack file: YAML with an `include` list, a section `all`, sections per
//! platform over it, and `${VAR}` references in the values. For one name the process
//! environment comes first, then the file, then the defaults; a definition that mentions its
//! own name (`PATH: ${DEPLOY_ROOT}/bin:${PATH}`) extends what it would otherwise replace.
//!
//! The way through: `document` reads YAML into nodes, `stack` follows the includes and picks
//! the definitions of this platform, `template` parses the `${VAR}` of one value, `resolve`
//! gives every name its value, `default` those that nobody defines, `placeholder` fills the `{VAR}` of a destination.
//!
//! Nothing here opens a file or runs a command: files come through [`Files`], because they are
//! read from a git revision, and `$(command)` is text.

mod default;
mod document;
mod error;
mod placeholder;
mod resolve;
mod stack;
mod template;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use error::{EnvironmentError, Location, PlaceholderError, Warning};

/// What the machine brings along.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The process environment. A value that is not UTF-8 is an error only where it is used.
    pub process: &'a BTreeMap<String, OsString>,
    /// The platform's name as envstack spells it: `linux`, `darwin`, `windows`.
    pub platform: &'a str,
    /// The user's home directory, used where the process environment has no `HOME`.
    pub home: Option<&'a Path>,
}

/// A file that [`Files::find`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFile {
    /// The path to show; it also identifies the file, which is read only once.
    pub path: String,
    /// The bytes of the file.
    pub content: Vec<u8>,
}

/// Where environment files come from.
pub trait Files {
    /// Every file called `name`, nearest first: beside the file that includes it, then along
    /// `ENVPATH`. All of them count, as in envstack: a nearer file overrides a farther one.
    ///
    /// `name` has its `.env` suffix; `included_from` is the path of the including file, `None`
    /// for the entry file.
    ///
    /// # Errors
    ///
    /// Whatever kept the lookup from an answer. A file that is not there is no error.
    fn find(
        &self,
        name: &str,
        included_from: Option<&str>,
    ) -> Result<Vec<EnvironmentFile>, Box<dyn std::error::Error + Send + Sync>>;
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Origin {
    /// The environment that `git dist` was started with.
    Process,
    /// A line of an environment file, counted from 1.
    File {
        /// The file's display path.
        file: String,
        /// The line of the value.
        line: usize,
    },
    /// The default that `git dist` itself brings.
    Default,
}

/// A variable's value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Variable {
    /// The expanded value.
    pub value: String,
    /// What decided the value. More than one where a definition extends an outer one: the
    /// extending definition first.
    pub origins: Vec<Origin>,
}

/// The resolved environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Names that the file or the defaults know.
    variables: BTreeMap<String, Variable>,
    /// Names that only the process environment knows.
    inherited: BTreeMap<String, Variable>,
    /// Names that exist but have no usable value, and why.
    unusable: BTreeMap<String, Unusable>,
}

/// Why a name that exists has no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unusable {
    NotUtf8,
    NoHome,
}

impl Environment {
    /// Reads `entry` (`distman.env`) and what it includes, and resolves every variable.
    ///
    /// An entry that is found nowhere leaves the defaults.
    ///
    /// # Errors
    ///
    /// Every way in which a file can be broken; see [`EnvironmentError`].
    pub fn resolve(
        context: &Context<'_>,
        files: &dyn Files,
        entry: &str,
    ) -> Result<(Self, Vec<Warning>), EnvironmentError> {
        let (stack, warnings) = stack::Stack::load(files, entry, context.platform)?;
        let environment = resolve::resolve(context, &stack)?;
        Ok((environment, warnings))
    }

    /// The variable called `name`, whether the file, the defaults or only the process
    /// environment know it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Variable> {
        self.variables.get(name).or_else(|| self.inherited.get(name))
    }

    /// The path in the variable `name`, with the home directory for a leading `~`; `None` where it is unset or empty.
    #[must_use]
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        let value = Path::new(&self.get(name)?.value);
        if value.as_os_str().is_empty() {
            return None;
        }
        // Taken off as a component: what follows can then not begin at the root, as in `~//etc`.
        Some(match (value.strip_prefix("~"), self.get("HOME")) {
            (Ok(below), Some(home)) => Path::new(&home.value).join(below),
            _ => value.to_owned(),
        })
    }

    /// The variables of the file and the defaults, by name. Names that only the process
    /// environment has are left out.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Variable)> {
        self.variables.iter().map(|(name, variable)| (name.as_str(), variable))
    }

    /// One `export NAME='value'` statement for each variable of [`Environment::iter`], for a
    /// POSIX shell to eval. A value that holds a line break makes its statement span lines.
    pub fn export_lines(&self) -> impl Iterator<Item = String> {
        self.iter().map(|(name, variable)| format!("export {name}={}", quoted(&variable.value)))
    }
}

/// `value` in single quotes, inside which a POSIX shell reads everything as it stands.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Whether `name` can be a variable: `[A-Za-z_][A-Za-z0-9_]*`, what `${...}` accepts.
fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|other| other.is_ascii_alphanumeric() || other == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_survives_what_a_shell_would_interpret() {
        for (value, expected) in [
            ("", "''"),
            ("/srv/pipe", "'/srv/pipe'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot) `x` \\ \"", "'$(reboot) `x` \\ \"'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(quoted(value), expected);
        }
    }

    #[test]
    fn variable_names_are_shell_identifiers() {
        for name in ["A", "_", "a_1", "DEPLOY_ROOT"] {
            assert!(is_variable_name(name), "{name}");
        }
        for name in ["", "1A", "a-b", "a.b", "é", "A B", "A;B"] {
            assert!(!is_variable_name(name), "{name}");
        }
    }
}
