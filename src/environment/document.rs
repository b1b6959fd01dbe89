//! YAML text into nodes: scalars as they are written, with aliases and `<<` merges resolved.
//!
//! YAML 1.2 is read at the level of its events, because a value is the text that stands in the
//! file: `010`, `yes`, `1.10` and `~` have no type here. Files come from a repository that may
//! be anybody's, so size, depth and number of nodes are bounded, and an alias shares its node.

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::error::{EnvironmentError, Location};

/// Largest environment file, in bytes. Real ones have a few hundred.
pub(super) const MAX_FILE_BYTES: usize = 1 << 20;
/// Deepest nesting, aliases included. An environment file needs four levels.
const MAX_DEPTH: usize = 32;
/// Most nodes of a file, where each key that a merge copies counts again.
const MAX_NODES: usize = 100_000;

/// A place in the file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) position: Position,
    /// Whether the node has an anchor, so that other nodes may use it.
    pub(super) anchored: bool,
    /// Levels of nodes below and including this one. Bounded, so that walking or dropping a
    /// chain of aliases cannot exhaust the call stack.
    height: usize,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Scalar { text: String, kind: ScalarKind },
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// What the tag and the quotes of a scalar say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarKind {
    /// Without quotes and tag: the only kind that can be `<<` or nothing at all.
    Plain,
    Text,
    Base64,
    Encrypted(&'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) position: Position,
    pub(super) value: Rc<Node>,
}

impl Node {
    /// Whether nothing is written where a value could be (`all:`).
    pub(super) fn is_absent(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, kind: ScalarKind::Plain } if text.is_empty())
    }
}

/// Reads a file's only document; `None` for a file without one (empty, or only comments).
///
/// # Errors
///
/// What is not UTF-8, not YAML, beyond the limits, or not possible in an environment file.
pub(super) fn parse(file: &str, content: &[u8]) -> Result<Option<Rc<Node>>, EnvironmentError> {
    if content.len() > MAX_FILE_BYTES {
        return Err(EnvironmentError::FileTooLarge { file: file.to_owned(), size: content.len() });
    }
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(source) => {
            let before = String::from_utf8_lossy(&content[..source.valid_up_to()]);
            let last_line = before.rsplit('\n').next().unwrap_or_default();
            let at = Location {
                file: file.to_owned(),
                line: before.matches('\n').count() + 1,
                column: last_line.chars().count() + 1,
            };
            return Err(EnvironmentError::FileNotUtf8 { at, source });
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);

    let mut builder = Builder::new(file);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|source| EnvironmentError::Syntax {
            at: builder.locate(position(*source.marker())),
            source,
        })?;
        builder.event(event, span)?;
    }
    Ok(builder.root)
}

fn position(marker: Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// A list or mapping whose end has not been seen.
struct Open {
    position: Position,
    anchor: usize,
    height: usize,
    content: OpenContent,
}

enum OpenContent {
    Sequence(Vec<Rc<Node>>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<Entry>,
    /// The line of each key so far.
    lines: HashMap<String, usize>,
    /// What `<<` brings in.
    merged: Option<Rc<Node>>,
    /// The key whose value comes next.
    key: Option<(String, Position, ScalarKind)>,
}

struct Builder<'a> {
    file: &'a str,
    open: Vec<Open>,
    /// Finished nodes that have an anchor, by the parser's number for it.
    anchors: HashMap<usize, Rc<Node>>,
    documents: usize,
    nodes: usize,
    root: Option<Rc<Node>>,
}

impl<'a> Builder<'a> {
    fn new(file: &'a str) -> Self {
        Self { file, open: Vec::new(), anchors: HashMap::new(), documents: 0, nodes: 0, root: None }
    }

    fn locate(&self, position: Position) -> Location {
        Location { file: self.file.to_owned(), line: position.line, column: position.column }
    }

    fn structure(&self, position: Position, problem: &'static str) -> EnvironmentError {
        EnvironmentError::Structure { at: self.locate(position), problem }
    }

    fn count(&mut self, position: Position, nodes: usize) -> Result<(), EnvironmentError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(self.structure(position, "more than 100000 nodes, counting what merges copy"));
        }
        Ok(())
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), EnvironmentError> {
        let position = position(span.start);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(self.structure(position, "a second document"));
                }
            }
            Event::Alias(anchor) => {
                self.count(position, 1)?;
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(self.structure(position, "an alias inside what it stands for"));
                };
                self.add(Rc::clone(node), position)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.count(position, 1)?;
                let kind = match tag {
                    Some(tag) => self.scalar_kind(&tag, position)?,
                    None if style == ScalarStyle::Plain => ScalarKind::Plain,
                    None => ScalarKind::Text,
                };
                let content = Content::Scalar { text: text.into_owned(), kind };
                self.finish(position, anchor, 1, content)?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "tag:yaml.org,2002:seq", position)?;
                self.begin(position, anchor, OpenContent::Sequence(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), "tag:yaml.org,2002:map", position)?;
                let mapping = OpenMapping::default();
                self.begin(position, anchor, OpenContent::Mapping(mapping))?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        position: Position,
        anchor: usize,
        content: OpenContent,
    ) -> Result<(), EnvironmentError> {
        self.count(position, 1)?;
        if self.open.len() >= MAX_DEPTH {
            return Err(self.structure(position, "nested deeper than 32 levels"));
        }
        self.open.push(Open { position, anchor, height: 1, content });
        Ok(())
    }

    fn end(&mut self) -> Result<(), EnvironmentError> {
        let open = self.open.pop().expect("the parser ends only what it started");
        let content = match open.content {
            OpenContent::Sequence(items) => Content::Sequence(items),
            OpenContent::Mapping(mapping) => Content::Mapping(self.merge(mapping)?),
        };
        self.finish(open.position, open.anchor, open.height, content)
    }

    fn finish(
        &mut self,
        position: Position,
        anchor: usize,
        height: usize,
        content: Content,
    ) -> Result<(), EnvironmentError> {
        let node = Rc::new(Node { position, anchored: anchor != 0, height, content });
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.add(node, position)
    }

    /// Puts a finished node, met at `position`, into what is open around it.
    fn add(&mut self, node: Rc<Node>, position: Position) -> Result<(), EnvironmentError> {
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.height = parent.height.max(node.height + 1);
        if parent.height > MAX_DEPTH {
            return Err(self.structure(position, "nested deeper than 32 levels"));
        }
        let mapping = match &mut parent.content {
            OpenContent::Sequence(items) => {
                items.push(node);
                return Ok(());
            }
            OpenContent::Mapping(mapping) => mapping,
        };
        let Some((key, key_position, kind)) = mapping.key.take() else {
            let Content::Scalar { text, kind } = &node.content else {
                return Err(self.structure(position, "a key that is a list or a mapping"));
            };
            mapping.key = Some((text.clone(), position, *kind));
            return Ok(());
        };
        if let Some(&first) = mapping.lines.get(&key) {
            let at = self.locate(key_position);
            return Err(EnvironmentError::DuplicateKey { at, key, first });
        }
        mapping.lines.insert(key.clone(), key_position.line);
        if key == "<<" && kind == ScalarKind::Plain {
            mapping.merged = Some(node);
        } else {
            mapping.entries.push(Entry { key, position: key_position, value: node });
        }
        Ok(())
    }

    /// The entries of a mapping with what `<<` brings in before its own. Its own keys win, then
    /// the mapping that comes first in a list (the YAML merge key's rule).
    fn merge(&mut self, mapping: OpenMapping) -> Result<Vec<Entry>, EnvironmentError> {
        const NOT_A_MAPPING: &str = "`<<` takes a mapping or a list of mappings";
        let Some(merged) = mapping.merged else {
            return Ok(mapping.entries);
        };
        let sources = match &merged.content {
            Content::Sequence(items) => items.as_slice(),
            Content::Mapping(_) => std::slice::from_ref(&merged),
            Content::Scalar { .. } => {
                return Err(self.structure(merged.position, NOT_A_MAPPING));
            }
        };
        let mut seen = mapping.lines;
        let mut entries = Vec::new();
        for source in sources {
            let Content::Mapping(inherited) = &source.content else {
                return Err(self.structure(source.position, NOT_A_MAPPING));
            };
            self.count(source.position, inherited.len())?;
            for entry in inherited {
                if !seen.contains_key(&entry.key) {
                    seen.insert(entry.key.clone(), entry.position.line);
                    entries.push(entry.clone());
                }
            }
        }
        entries.extend(mapping.entries);
        Ok(entries)
    }

    /// The tags are those of envstack (`!base64` and its kinds of encryption) and those of
    /// YAML's own scalars, which change nothing, as a value is its text.
    fn scalar_kind(&self, tag: &Tag, position: Position) -> Result<ScalarKind, EnvironmentError> {
        let name = full_name(tag);
        match name.as_str() {
            "!base64" => Ok(ScalarKind::Base64),
            "!encrypt" => Ok(ScalarKind::Encrypted("!encrypt")),
            "!aesgcm" => Ok(ScalarKind::Encrypted("!aesgcm")),
            "!fernet" => Ok(ScalarKind::Encrypted("!fernet")),
            "!md5" => Ok(ScalarKind::Encrypted("!md5")),
            "!"
            | "tag:yaml.org,2002:str"
            | "tag:yaml.org,2002:int"
            | "tag:yaml.org,2002:float"
            | "tag:yaml.org,2002:bool"
            | "tag:yaml.org,2002:null" => Ok(ScalarKind::Text),
            _ => Err(self.unknown_tag(name, position)),
        }
    }

    fn collection_tag(
        &self,
        tag: Option<&Tag>,
        expected: &str,
        position: Position,
    ) -> Result<(), EnvironmentError> {
        match tag.map(full_name) {
            Some(name) if name != expected && name != "!" => Err(self.unknown_tag(name, position)),
            _ => Ok(()),
        }
    }

    fn unknown_tag(&self, tag: String, position: Position) -> EnvironmentError {
        EnvironmentError::UnknownTag { at: self.locate(position), tag }
    }
}

fn full_name(tag: &Tag) -> String {
    format!("{}{}", tag.handle, tag.suffix)
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
