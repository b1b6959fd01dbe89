//! Every name's value, and where it came from.
//!
//! A name has layers: the definitions of the files, the last one uppermost, and below them the
//! process environment and the default. A definition that mentions its own name stays and
//! takes the layer below it for that name; one that does not gives way to the process
//! environment. A default is a definition too, so `DEPLOY_ROOT` follows `ROOT` and `ENV`
//! wherever these come from.

use std::collections::BTreeMap;

use super::default::{DEFAULTS, STACK};
use super::error::{EnvironmentError, Location};
use super::stack::{Definition, Stack, Value};
use super::template::{Operator, Piece, Template};
use super::{Context, Environment, Origin, Unusable, Variable};

/// Longest value, in bytes. Linux takes 128 KiB for one variable.
pub(super) const MAX_VALUE_BYTES: usize = 1 << 20;
/// Most bytes that all expansions together may produce.
pub(super) const MAX_TOTAL_BYTES: usize = 16 << 20;
/// Most expansions inside one another: definitions that need others, and defaults in defaults.
/// Bounds the call stack.
const MAX_NESTING: usize = 128;

/// Resolves every name of the files and the defaults.
pub(super) fn resolve(context: &Context<'_>, stack: &Stack) -> Result<Environment, EnvironmentError> {
    let mut resolver = Resolver {
        context,
        stack,
        known: BTreeMap::new(),
        assigned: BTreeMap::new(),
        active: Vec::new(),
        nesting: 0,
        produced: 0,
    };
    let mut variables = BTreeMap::new();
    let mut unusable = BTreeMap::new();
    for name in &stack.names {
        if let Some(variable) = resolver.variable(name)? {
            variables.insert(name.clone(), variable);
        }
    }
    for name in DEFAULTS {
        if variables.contains_key(name) {
            continue;
        }
        // What nobody asked for may stay without a value.
        match resolver.variable(name) {
            Ok(Some(variable)) => {
                variables.insert(name.to_owned(), variable);
            }
            Ok(None) => {
                unusable.insert(name.to_owned(), Unusable::NoHome);
            }
            Err(EnvironmentError::NoHome { .. }) => {
                resolver.abandon();
                unusable.insert(name.to_owned(), Unusable::NoHome);
            }
            Err(EnvironmentError::ProcessNotUtf8 { .. }) => {
                resolver.abandon();
                unusable.insert(name.to_owned(), Unusable::NotUtf8);
            }
            Err(error) => return Err(error),
        }
    }
    let mut inherited = BTreeMap::new();
    for (name, value) in context.process {
        if variables.contains_key(name) || unusable.contains_key(name) {
            continue;
        }
        if let Some(value) = value.to_str() {
            inherited.insert(name.clone(), from_process(value));
        } else {
            unusable.insert(name.clone(), Unusable::NotUtf8);
        }
    }
    Ok(Environment { variables, inherited, unusable })
}

fn from_process(value: &str) -> Variable {
    Variable { value: value.to_owned(), origins: vec![Origin::Process] }
}

pub(super) struct Resolver<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) stack: &'a Stack,
    /// What is resolved already, by name and layer (0: the default).
    known: BTreeMap<(String, usize), Variable>,
    /// What `:=` gave to names that are unset or empty.
    assigned: BTreeMap<String, String>,
    /// The definitions that are being expanded, each needed by the one before it.
    active: Vec<Frame>,
    /// Expansions that are under way, one inside the other.
    nesting: usize,
    /// Bytes that all expansions together have produced.
    produced: usize,
}

/// A definition that is being expanded.
struct Frame {
    name: String,
    layer: usize,
    /// Where it stands; a default stands nowhere.
    at: Option<Location>,
    /// What `:=` gave to its own name; nobody else sees this.
    own: Option<String>,
}

/// An expansion as it grows.
#[derive(Default)]
pub(super) struct Expansion {
    pub(super) value: String,
    /// Where the layers below came from, if the definition mentions its own name.
    outer: Vec<Origin>,
}

impl Resolver<'_> {
    /// Forgets what was under way when an error ended it.
    fn abandon(&mut self) {
        self.active.clear();
        self.nesting = 0;
    }

    fn variable(&mut self, name: &str) -> Result<Option<Variable>, EnvironmentError> {
        self.layer(name, self.stack.definitions(name).len(), true)
    }

    /// The value of `name` as the lowest `layer` definitions, the process environment and,
    /// `with_default`, the default give it.
    fn layer(
        &mut self,
        name: &str,
        layer: usize,
        with_default: bool,
    ) -> Result<Option<Variable>, EnvironmentError> {
        let stack = self.stack;
        let definition = layer.checked_sub(1).map(|index| &stack.definitions(name)[index]);
        let extends = definition.is_some_and(|definition| definition.extends);
        if !extends && let Some(value) = self.process(name)? {
            return Ok(Some(from_process(value)));
        }
        let key = (name.to_owned(), layer);
        let variable = match definition {
            None if !with_default => return Ok(None),
            _ if self.known.contains_key(&key) => self.known[&key].clone(),
            Some(definition) => self.defined(name, layer, definition)?,
            None => match self.default(name)? {
                Some(variable) => variable,
                None => return Ok(None),
            },
        };
        self.known.insert(key, variable.clone());
        Ok(Some(variable))
    }

    fn process(&self, name: &str) -> Result<Option<&str>, EnvironmentError> {
        if name == STACK {
            return Ok(None);
        }
        let Some(value) = self.context.process.get(name) else {
            return Ok(None);
        };
        if value.is_empty() && DEFAULTS.contains(&name) {
            return Ok(None);
        }
        match value.to_str() {
            Some(value) => Ok(Some(value)),
            None => Err(not_utf8(name)),
        }
    }

    fn defined(
        &mut self,
        name: &str,
        layer: usize,
        definition: &Definition,
    ) -> Result<Variable, EnvironmentError> {
        let at = &definition.at;
        let template = match &definition.value {
            Value::Template(template) => template,
            Value::Encrypted(tag) => {
                return Err(EnvironmentError::Encrypted { at: at.clone(), key: name.to_owned(), tag });
            }
        };
        let expansion = self.expand_frame(name, layer, Some(at), template)?;
        let mut origins = vec![Origin::File { file: at.file.clone(), line: at.line }];
        for origin in expansion.outer {
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        Ok(Variable { value: expansion.value, origins })
    }

    /// Expands a definition or, `at` nowhere, a default.
    pub(super) fn expand_frame(
        &mut self,
        name: &str,
        layer: usize,
        at: Option<&Location>,
        template: &Template,
    ) -> Result<Expansion, EnvironmentError> {
        let again = |frame: &Frame| frame.name == name && frame.layer == layer;
        if let Some(start) = self.active.iter().position(again) {
            return Err(self.cycle(start, name));
        }
        self.active.push(Frame { name: name.to_owned(), layer, at: at.cloned(), own: None });
        let mut expansion = Expansion::default();
        self.expand(template, &mut expansion)?;
        self.active.pop();
        Ok(expansion)
    }

    fn expand(&mut self, template: &Template, into: &mut Expansion) -> Result<(), EnvironmentError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(EnvironmentError::TooDeep { at: self.place() });
        }
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => self.append(text, into)?,
                Piece::Reference { name, fallback } => {
                    self.reference(name, fallback.as_ref(), into)?;
                }
            }
        }
        self.nesting -= 1;
        Ok(())
    }

    fn reference(
        &mut self,
        name: &str,
        fallback: Option<&(Operator, Template)>,
        into: &mut Expansion,
    ) -> Result<(), EnvironmentError> {
        let value = self.referenced(name, fallback.is_none(), into)?;
        let Some((operator, template)) = fallback else {
            return self.append(&value, into);
        };
        if !value.is_empty() {
            return self.append(&value, into);
        }
        if *operator == Operator::Require {
            let mut message = Expansion::default();
            self.expand(template, &mut message)?;
            return Err(EnvironmentError::Required {
                at: self.place(),
                name: name.to_owned(),
                message: message.value,
            });
        }
        let start = into.value.len();
        self.expand(template, into)?;
        if *operator == Operator::Assign {
            let value = into.value[start..].to_owned();
            match self.active.last_mut().filter(|frame| frame.name == name) {
                Some(frame) => frame.own = Some(value),
                None => {
                    self.assigned.insert(name.to_owned(), value);
                }
            }
        }
        Ok(())
    }

    /// What a reference to `name` in the innermost definition means. Unset is empty, as in
    /// envstack, but for `HOME`: `${HOME}/.local/pipe` must not become a path below `/`.
    ///
    /// Where a definition brings its own default (`ENV: ${ENV:=dev}`), the built-in one below it
    /// is not asked: the file comes before the defaults.
    fn referenced(
        &mut self,
        name: &str,
        with_default: bool,
        into: &mut Expansion,
    ) -> Result<String, EnvironmentError> {
        let variable = match self.active.last().filter(|frame| frame.name == name) {
            Some(Frame { own: Some(value), .. }) => return Ok(value.clone()),
            Some(frame) => {
                let below = frame.layer.saturating_sub(1);
                let variable = self.layer(name, below, with_default)?;
                if let Some(variable) = &variable {
                    into.outer.extend(variable.origins.iter().cloned());
                }
                variable
            }
            None => match self.assigned.get(name) {
                Some(value) => return Ok(value.clone()),
                None => self.variable(name)?,
            },
        };
        match variable {
            Some(variable) => Ok(variable.value),
            None if name == "HOME" && with_default => Err(EnvironmentError::NoHome { name: name.to_owned() }),
            None => Ok(String::new()),
        }
    }

    fn append(&mut self, text: &str, into: &mut Expansion) -> Result<(), EnvironmentError> {
        self.produced += text.len();
        if into.value.len() + text.len() > MAX_VALUE_BYTES || self.produced > MAX_TOTAL_BYTES {
            return Err(EnvironmentError::TooLong { at: self.place() });
        }
        into.value.push_str(text);
        Ok(())
    }

    /// Where the innermost definition stands that stands anywhere.
    fn place(&self) -> Location {
        let known = self.active.iter().rev().find_map(|frame| frame.at.clone());
        // Only defaults are active, and they are too short to be wrong on their own account.
        known.unwrap_or_else(|| Location { file: "the defaults".to_owned(), line: 1, column: 1 })
    }

    fn cycle(&self, start: usize, name: &str) -> EnvironmentError {
        let frames = &self.active[start..];
        let mut chain: Vec<String> = frames.iter().map(|frame| frame.name.clone()).collect();
        chain.push(name.to_owned());
        let at = frames.iter().find_map(|frame| frame.at.clone());
        EnvironmentError::Cycle { at: at.unwrap_or_else(|| self.place()), chain }
    }
}

pub(super) fn not_utf8(name: &str) -> EnvironmentError {
    EnvironmentError::ProcessNotUtf8 { name: name.to_owned() }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
