//! From files to definitions: includes, sections, and which definitions a name has.
//!
//! A file gives each name at most one definition: that of the platform's section, else that of
//! `all`. The definitions of several files are kept in order, so that one which mentions its
//! own name can extend the one before it.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::document::{self, Content, Entry, Node, Position, ScalarKind};
use super::error::{EnvironmentError, Location, Warning};
use super::template::Template;
use super::{Files, is_variable_name};
use crate::spelling::nearest;

/// Deepest chain of files that include one another.
const MAX_INCLUDE_DEPTH: usize = 32;
/// Most files that one entry may bring in.
const MAX_FILES: usize = 256;

/// Sections that every envstack file may have.
const SECTIONS: [&str; 5] = ["include", "all", "darwin", "linux", "windows"];

/// Python writes padding, people forget it; both are read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// All definitions that count on this platform.
#[derive(Debug, Default)]
pub(super) struct Stack {
    /// The entry's name without `.env`: envstack's variable `STACK`.
    pub(super) name: String,
    /// Names in the order of their first definition.
    pub(super) names: Vec<String>,
    /// Each name's definitions, the one that counts last.
    definitions: BTreeMap<String, Vec<Definition>>,
}

/// What one file says about one name.
#[derive(Debug)]
pub(super) struct Definition {
    pub(super) at: Location,
    pub(super) value: Value,
    /// Whether it mentions its own name, and so extends what it would otherwise replace.
    pub(super) extends: bool,
}

#[derive(Debug)]
pub(super) enum Value {
    Template(Template),
    /// An encrypted node with this tag: an error where nothing replaces it.
    Encrypted(&'static str),
}

impl Stack {
    /// Reads `entry` and, before each file, what it includes.
    pub(super) fn load(
        files: &dyn Files,
        entry: &str,
        platform: &str,
    ) -> Result<(Self, Vec<Warning>), EnvironmentError> {
        let mut loader = Loader {
            files,
            platform,
            stack: Self::default(),
            warnings: Vec::new(),
            names: BTreeSet::new(),
            paths: BTreeSet::new(),
        };
        let file_name = entry.rsplit('/').next().unwrap_or(entry);
        file_name.strip_suffix(".env").unwrap_or(file_name).clone_into(&mut loader.stack.name);
        loader.file(entry, None, 0)?;
        Ok((loader.stack, loader.warnings))
    }

    /// The definitions of `name`, from the earliest file to the one that counts.
    pub(super) fn definitions(&self, name: &str) -> &[Definition] {
        self.definitions.get(name).map_or(&[], Vec::as_slice)
    }

    fn define(&mut self, name: &str, definition: Definition) {
        if let Some(definitions) = self.definitions.get_mut(name) {
            definitions.push(definition);
        } else {
            self.names.push(name.to_owned());
            self.definitions.insert(name.to_owned(), vec![definition]);
        }
    }
}

struct Loader<'a> {
    files: &'a dyn Files,
    platform: &'a str,
    stack: Stack,
    warnings: Vec<Warning>,
    /// Names asked for, so that a cycle of includes ends and a diamond is read once.
    names: BTreeSet<String>,
    /// Paths read.
    paths: BTreeSet<String>,
}

impl Loader<'_> {
    /// Loads every file called `name`; `asked` is the entry of the `include` list, with its file.
    fn file(&mut self, name: &str, asked: Option<&Location>, depth: usize) -> Result<(), EnvironmentError> {
        let name = format!("{}.env", name.strip_suffix(".env").unwrap_or(name));
        if !self.names.insert(name.clone()) {
            return Ok(());
        }
        let included_from = asked.map(|at| at.file.as_str());
        let found = self
            .files
            .find(&name, included_from)
            .map_err(|source| EnvironmentError::Lookup { name: name.clone(), source })?;
        if let (true, Some(at)) = (found.is_empty(), asked) {
            self.warnings.push(Warning::IncludeNotFound { at: at.clone(), name });
        }
        // The nearest file is loaded last, so that its definitions count.
        for file in found.into_iter().rev() {
            if !self.paths.insert(file.path.clone()) {
                continue;
            }
            let root = document::parse(&file.path, &file.content)?;
            if let Some(root) = root {
                let mut reader = FileReader { path: &file.path, loader: self };
                reader.read(&root, depth)?;
            }
        }
        Ok(())
    }
}

/// Reads the sections of one file.
struct FileReader<'a, 'b> {
    path: &'a str,
    loader: &'a mut Loader<'b>,
}

impl FileReader<'_, '_> {
    fn read(&mut self, root: &Node, depth: usize) -> Result<(), EnvironmentError> {
        let sections = match &root.content {
            Content::Mapping(sections) => sections,
            _ if root.is_absent() => return Ok(()),
            _ => return Err(self.structure(root.position, "an environment file is a mapping")),
        };
        let platform = self.loader.platform;
        for section in sections {
            if section.key == "include" {
                self.includes(&section.value, depth)?;
            }
        }
        let mut all = Vec::new();
        let mut own = Vec::new();
        for section in sections {
            let key = section.key.as_str();
            if key == "include" {
                continue;
            }
            if key != platform && !SECTIONS.contains(&key) {
                self.unknown_section(section);
                continue;
            }
            // Other platforms' sections are checked as well: who edits the file may not have
            // the machine that would notice.
            let definitions = self.section(&section.value, key == "all" || key == platform)?;
            if key == platform {
                own = definitions;
            } else if key == "all" {
                all = definitions;
            }
        }
        let overridden: BTreeSet<String> = own.iter().map(|(name, _)| name.clone()).collect();
        all.retain(|(name, _)| !overridden.contains(name));
        for (name, definition) in all.into_iter().chain(own) {
            self.loader.stack.define(&name, definition);
        }
        Ok(())
    }

    fn includes(&mut self, list: &Node, depth: usize) -> Result<(), EnvironmentError> {
        const NOT_NAMES: &str = "`include` is a list of file names";
        let items: Vec<&Node> = match &list.content {
            Content::Sequence(items) => items.iter().map(AsRef::as_ref).collect(),
            Content::Scalar { .. } if list.is_absent() => Vec::new(),
            Content::Scalar { .. } => vec![list],
            Content::Mapping(_) => return Err(self.structure(list.position, NOT_NAMES)),
        };
        for item in items {
            let name = match &item.content {
                Content::Scalar { text, kind: ScalarKind::Plain | ScalarKind::Text }
                    if !text.is_empty() && !text.contains('\0') =>
                {
                    text
                }
                _ => return Err(self.structure(item.position, NOT_NAMES)),
            };
            if depth == MAX_INCLUDE_DEPTH {
                return Err(self.structure(item.position, "includes are nested deeper than 32"));
            }
            if self.loader.names.len() >= MAX_FILES {
                return Err(self.structure(item.position, "more than 256 files are included"));
            }
            let at = self.locate(item.position);
            self.loader.file(name, Some(&at), depth + 1)?;
        }
        Ok(())
    }

    /// The definitions of one section. A section that does not count here is only checked.
    fn section(
        &mut self,
        section: &Node,
        counts: bool,
    ) -> Result<Vec<(String, Definition)>, EnvironmentError> {
        let entries = match &section.content {
            Content::Mapping(entries) => entries,
            _ if section.is_absent() => return Ok(Vec::new()),
            _ => {
                return Err(self.structure(section.position, "a section is a mapping of names to values"));
            }
        };
        let mut definitions = Vec::new();
        for entry in entries {
            let definition = self.definition(entry)?;
            if is_variable_name(&entry.key) {
                definitions.push((entry.key.clone(), definition));
            } else if counts {
                let warning = Warning::NotAName { at: self.locate(entry.position), name: entry.key.clone() };
                // A merged key is met once per section.
                if !self.loader.warnings.contains(&warning) {
                    self.loader.warnings.push(warning);
                }
            }
        }
        Ok(definitions)
    }

    fn definition(&self, entry: &Entry) -> Result<Definition, EnvironmentError> {
        let at = self.locate(entry.value.position);
        let key = &entry.key;
        let not_text = |found| EnvironmentError::NotText { at: at.clone(), key: key.clone(), found };
        let (text, kind) = match &entry.value.content {
            Content::Scalar { text, kind } => (text, *kind),
            Content::Sequence(_) => return Err(not_text("list")),
            Content::Mapping(_) => return Err(not_text("mapping")),
        };
        let decoded;
        let text = match kind {
            ScalarKind::Plain | ScalarKind::Text => text,
            ScalarKind::Encrypted(tag) => {
                return Ok(Definition { at, value: Value::Encrypted(tag), extends: false });
            }
            ScalarKind::Base64 => {
                decoded = decode(text, key, &at)?;
                &decoded
            }
        };
        if text.contains('\0') {
            return Err(self.structure(entry.value.position, "a value cannot hold a NUL character"));
        }
        match Template::parse(text) {
            Ok(template) => {
                let extends = template.mentions(key);
                Ok(Definition { at, value: Value::Template(template), extends })
            }
            Err(super::template::NestedTooDeep) => Err(EnvironmentError::TooDeep { at }),
        }
    }

    /// A top-level key that is no section hides what it holds, unless its anchor says that it is
    /// there to be merged.
    fn unknown_section(&mut self, section: &Entry) {
        if section.value.anchored {
            return;
        }
        self.loader.warnings.push(Warning::UnknownSection {
            at: self.locate(section.position),
            name: section.key.clone(),
            nearest: nearest(&section.key, SECTIONS).map(ToOwned::to_owned),
        });
    }

    fn locate(&self, position: Position) -> Location {
        Location { file: self.path.to_owned(), line: position.line, column: position.column }
    }

    fn structure(&self, position: Position, problem: &'static str) -> EnvironmentError {
        EnvironmentError::Structure { at: self.locate(position), problem }
    }
}

/// The text that a `!base64` value stands for; line breaks of a block scalar are not part of it.
fn decode(text: &str, key: &str, at: &Location) -> Result<String, EnvironmentError> {
    let compact: String = text.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(compact).map_err(|source| EnvironmentError::Base64 {
        at: at.clone(),
        key: key.to_owned(),
        source,
    })?;
    String::from_utf8(bytes).map_err(|source| EnvironmentError::Base64NotText {
        at: at.clone(),
        key: key.to_owned(),
        source,
    })
}
