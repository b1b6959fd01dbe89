//! What can be wrong with an environment file, and what is only worth a warning.

use std::fmt;

use super::document::MAX_FILE_BYTES;
use super::resolve::{MAX_TOTAL_BYTES, MAX_VALUE_BYTES};

/// A place in an environment file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file's display path.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Why an environment could not be read or resolved.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// Looking a file up failed.
    #[error("cannot look up the environment file `{name}`")]
    Lookup {
        /// The name that was looked for.
        name: String,
        /// What the lookup said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is larger than 1 MiB.
    #[error("`{file}` has {size} bytes; an environment file may have {MAX_FILE_BYTES}")]
    FileTooLarge {
        /// The file's display path.
        file: String,
        /// Its size in bytes.
        size: usize,
    },
    /// The file is not UTF-8.
    #[error("{at}: not UTF-8 text")]
    FileNotUtf8 {
        /// The first byte that is not.
        at: Location,
        /// What is wrong with it.
        #[source]
        source: std::str::Utf8Error,
    },
    /// The file is not YAML.
    #[error("{at}: not valid YAML")]
    Syntax {
        /// Where the YAML parser stopped.
        at: Location,
        /// What the YAML parser says.
        #[source]
        source: saphyr_parser::ScanError,
    },
    /// The file is YAML, but not of an environment file's shape.
    #[error("{at}: {problem}")]
    Structure {
        /// The offending node.
        at: Location,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A mapping has one key twice.
    #[error("{at}: `{key}` is already defined on line {first}")]
    DuplicateKey {
        /// The second definition.
        at: Location,
        /// The key.
        key: String,
        /// The line of the first definition.
        first: usize,
    },
    /// A tag that an environment file cannot have.
    #[error("{at}: unknown tag `{tag}`")]
    UnknownTag {
        /// The tagged node.
        at: Location,
        /// The tag in its full form.
        tag: String,
    },
    /// A value is a list or a mapping.
    #[error("{at}: `{key}` is a {found}; a value is text")]
    NotText {
        /// The value.
        at: Location,
        /// The variable.
        key: String,
        /// `list` or `mapping`.
        found: &'static str,
    },
    /// An encrypted value that nothing replaces.
    #[error("{at}: `{key}` is encrypted (`{tag}`), which git dist does not read")]
    Encrypted {
        /// The value.
        at: Location,
        /// The variable.
        key: String,
        /// The tag that says how it is encrypted.
        tag: &'static str,
    },
    /// A `!base64` value is not Base64.
    #[error("{at}: `{key}` is not valid Base64")]
    Base64 {
        /// The value.
        at: Location,
        /// The variable.
        key: String,
        /// What is wrong with it.
        #[source]
        source: base64::DecodeError,
    },
    /// A `!base64` value does not hold text.
    #[error("{at}: `{key}` decodes to bytes that are not UTF-8 text")]
    Base64NotText {
        /// The value.
        at: Location,
        /// The variable.
        key: String,
        /// What is wrong with it.
        #[source]
        source: std::string::FromUtf8Error,
    },
    /// Definitions that need each other.
    #[error("{at}: `{}` is a cycle", chain.join(" -> "))]
    Cycle {
        /// A definition that takes part.
        at: Location,
        /// The names in the order in which they mention each other, the first one again last.
        chain: Vec<String>,
    },
    /// `${NAME:?message}` where `NAME` is unset or empty.
    #[error("{at}: `{name}` is not set{}", after_colon(message))]
    Required {
        /// The value that requires it.
        at: Location,
        /// The required variable.
        name: String,
        /// The message of the file, which may be empty.
        message: String,
    },
    /// References are nested too deep.
    #[error("{at}: references are nested too deep")]
    TooDeep {
        /// The value in which the limit was reached.
        at: Location,
    },
    /// An expansion is too long.
    #[error(
        "{at}: the expansion is too long; one value may have {MAX_VALUE_BYTES} bytes, all \
         together {MAX_TOTAL_BYTES}"
    )]
    TooLong {
        /// The value in which the limit was reached.
        at: Location,
    },
    /// A variable of the process environment is used but is not UTF-8.
    #[error("`{name}` in the process environment is not UTF-8")]
    ProcessNotUtf8 {
        /// The variable.
        name: String,
    },
    /// A default is used that needs the home directory, which is not known.
    #[error("`{name}` has no value, because the home directory is not known")]
    NoHome {
        /// The variable.
        name: String,
    },
}

impl EnvironmentError {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotText { key, found, .. } => {
                Some(format!("put the {found} in quotes if `{key}` is meant to be this text"))
            }
            Self::Encrypted { key, .. } => {
                Some(format!("set `{key}` in the process environment, or write its value with `!base64`"))
            }
            Self::UnknownTag { .. } => {
                Some("the tags of an environment file are `!base64` and `!!str`".to_owned())
            }
            Self::Required { name, .. } => Some(format!("set `{name}` in the process environment")),
            Self::NoHome { name } if name == "HOME" => Some("set `HOME`".to_owned()),
            Self::NoHome { name } => Some(format!("set `HOME` or `{name}`")),
            _ => None,
        }
    }
}

fn after_colon(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// Why the `{VAR}` of a template could not be filled in.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaceholderError {
    /// A `{` that does not begin `{NAME}`.
    #[error("`{template}`: the `{{` at character {column} does not begin a `{{NAME}}`")]
    Malformed {
        /// The whole template.
        template: String,
        /// In characters, counted from 1.
        column: usize,
    },
    /// `${NAME}`, which belongs into an environment file.
    #[error("`{template}`: `${{{name}}}` is not expanded here")]
    Dollar {
        /// The whole template.
        template: String,
        /// The name between the braces.
        name: String,
    },
    /// A variable that nothing defines.
    #[error("`{template}`: unknown variable `{name}`")]
    Unknown {
        /// The whole template.
        template: String,
        /// The unknown name.
        name: String,
        /// A known name that is spelt like it.
        nearest: Option<String>,
    },
    /// An empty variable at the start, which would make the path begin at the root.
    #[error("`{template}`: `{name}` is empty")]
    EmptyStart {
        /// The whole template.
        template: String,
        /// The empty variable.
        name: String,
    },
    /// The variable's value in the process environment is not UTF-8.
    #[error("`{template}`: `{name}` in the process environment is not UTF-8")]
    NotUtf8 {
        /// The whole template.
        template: String,
        /// The variable.
        name: String,
    },
    /// `~`, or a default below it, and no home directory is known.
    #[error("`{template}`: the home directory is not known")]
    NoHome {
        /// The whole template.
        template: String,
    },
    /// The result is longer than 1 MiB.
    #[error("a destination has more than {MAX_VALUE_BYTES} bytes")]
    TooLong,
}

impl PlaceholderError {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Dollar { name, .. } => Some(format!("write `{{{name}}}`")),
            Self::Unknown { nearest: Some(nearest), .. } => Some(format!("did you mean `{{{nearest}}}`?")),
            Self::Unknown { name, .. } => {
                Some(format!("define `{name}` in `distman.env`; `git dist env` lists what is known"))
            }
            Self::EmptyStart { name, .. } => Some(format!("`git dist env {name}` says where it comes from")),
            Self::NoHome { .. } => Some("set `HOME`".to_owned()),
            Self::Malformed { .. } | Self::NotUtf8 { .. } | Self::TooLong => None,
        }
    }
}

/// Something that is probably not meant, but leaves a usable environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// An include that is neither beside the file nor along `ENVPATH`.
    IncludeNotFound {
        /// The entry of the `include` list.
        at: Location,
        /// The file's name.
        name: String,
    },
    /// A top-level key that is no section, so that what it holds is not seen.
    UnknownSection {
        /// The key.
        at: Location,
        /// The key's text.
        name: String,
        /// A section that is spelt like it.
        nearest: Option<String>,
    },
    /// A key that cannot be a variable's name; it is left out.
    NotAName {
        /// The key.
        at: Location,
        /// The key's text.
        name: String,
    },
}

impl Warning {
    /// The next step, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::IncludeNotFound { .. } => None,
            Self::UnknownSection { nearest: Some(nearest), .. } => Some(format!("did you mean `{nearest}`?")),
            Self::UnknownSection { .. } => {
                Some("variables belong below `all`, `linux`, `darwin` or `windows`".to_owned())
            }
            Self::NotAName { .. } => {
                Some("a name is letters, digits and `_`, and does not begin with a digit".to_owned())
            }
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IncludeNotFound { at, name } => {
                write!(formatter, "{at}: the include `{name}` is neither beside the file nor along `ENVPATH`")
            }
            Self::UnknownSection { at, name, .. } => {
                write!(formatter, "{at}: `{name}` is not a section and is ignored")
            }
            Self::NotAName { at, name } => {
                write!(formatter, "{at}: `{name}` cannot be a variable's name and is ignored")
            }
        }
    }
}
