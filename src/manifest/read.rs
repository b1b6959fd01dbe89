//! The syntax tree as a serde data source.
//!
//! The typed structs are all that describes the format. Reading them from a tree that knows its
//! places, rather than from the text, lets every complaint point at the key or value it is about,
//! and lets serde's own field lists tell unknown keys.

use std::collections::HashMap;

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Range;
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};

use super::document::{Document, key_range};
use super::error::{ManifestError, Warning, quoted};
use super::fault::{Fault, opening};
use super::place::{Segment, subject};
use crate::spelling::nearest;

/// More unknown keys than this are counted, not listed.
const MAX_WARNINGS: usize = 50;

/// Reads a `T` from the tree of `document`, with a warning for every key that no struct knows.
///
/// # Errors
///
/// The first value that does not fit, a missing or a duplicate key.
pub(super) fn read<'a, T: Deserialize<'a>>(
    document: &'a Document<'_>,
    root: &'a Value<'a>,
) -> Result<(T, Vec<Warning>), ManifestError> {
    let mut state = State { document, path: Vec::new(), warnings: Vec::new(), unlisted: 0 };
    match T::deserialize(Node { value: root, state: &mut state }) {
        Ok(read) => {
            if state.unlisted > 0 {
                let message = format!("{} more unknown keys", state.unlisted);
                state.warnings.push(document.at(Range::new(0, 0), message));
            }
            Ok((read, state.warnings))
        }
        Err(fault) => {
            let fault = fault.found_at(root, &state.path);
            let message = format!("{} {}", subject(&state.path), fault.predicate);
            let mut diagnostic = document.at(fault.range.unwrap_or(Range::new(0, 0)), message);
            diagnostic.hint = fault.hint;
            Err(diagnostic.into())
        }
    }
}

/// Keys for remarks, which JSON has no other place for. They are ignored and may repeat.
pub(super) fn is_comment(key: &str) -> bool {
    ["_", "$", "x-", "//"].iter().any(|prefix| key.starts_with(prefix))
}

struct State<'a> {
    document: &'a Document<'a>,
    /// From the root to the value being read. On failure it stays where it was: the subject of the
    /// message.
    path: Vec<Segment<'a>>,
    warnings: Vec<Warning>,
    unlisted: usize,
}

impl State<'_> {
    fn warn_of_unknown(&mut self, member: &ObjectProp<'_>, fields: &[&str]) {
        if self.warnings.len() == MAX_WARNINGS {
            self.unlisted += 1;
            return;
        }
        let key = member.name.as_str();
        let place = if self.path.is_empty() { String::new() } else { format!(" in {}", subject(&self.path)) };
        let mut warning = self.document.at(key_range(member), format!("unknown key {}{place}", quoted(key)));
        warning.hint = nearest(key, fields.iter().copied()).map(|field| format!("did you mean `{field}`?"));
        self.warnings.push(warning);
    }
}

/// One value of the tree, as a deserializer.
struct Node<'a, 's> {
    value: &'a Value<'a>,
    state: &'s mut State<'a>,
}

impl Node<'_, '_> {
    fn mismatch(&self, expected: &str) -> Fault {
        let found = match self.value {
            Value::StringLit(_) => "a string".to_owned(),
            Value::NumberLit(number) => quoted(number.value),
            Value::BooleanLit(boolean) => format!("`{}`", boolean.value),
            Value::NullKeyword(_) => "null".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "an object".to_owned(),
        };
        let range = Some(opening(self.value));
        Fault { range, ..Fault::new(format!("must be {expected}, found {found}")) }
    }
}

impl<'a, 's> Node<'a, 's> {
    fn members<V: Visitor<'a>>(
        object: &'a Object<'a>,
        fields: Option<&'static [&'static str]>,
        state: &'s mut State<'a>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let mut seen = HashMap::with_capacity(object.properties.len());
        for member in &object.properties {
            let key = member.name.as_str();
            if fields.is_some_and(|fields| !fields.contains(&key)) && is_comment(key) {
                continue;
            }
            if let Some(first) = seen.insert(key, key_range(member)) {
                let line = state.document.line(first.start);
                return Err(Fault {
                    range: Some(key_range(member)),
                    hint: Some(format!("the first one is on line {line}")),
                    ..Fault::new(format!("has the key {} twice", quoted(key)))
                });
            }
        }

        visitor.visit_map(Members { rest: object.properties.iter(), value: None, fields, state })
    }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_unit(),
            Value::BooleanLit(boolean) => visitor.visit_bool(boolean.value),
            Value::StringLit(text) => visitor.visit_borrowed_str(&text.value),
            Value::NumberLit(number) => {
                if let Ok(value) = number.value.parse::<u64>() {
                    visitor.visit_u64(value)
                } else if let Ok(value) = number.value.parse::<i64>() {
                    visitor.visit_i64(value)
                } else if let Ok(value) = number.value.parse::<f64>() {
                    visitor.visit_f64(value)
                } else {
                    Err(self.mismatch("a number"))
                }
            }
            Value::Array(array) => {
                visitor.visit_seq(Items { rest: array.elements.iter(), state: self.state })
            }
            Value::Object(object) => Self::members(object, None, self.state, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::BooleanLit(boolean) => visitor.visit_bool(boolean.value),
            _ => Err(self.mismatch("true or false")),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.as_number_lit().map(|number| number.value.parse()) {
            Some(Ok(value)) => visitor.visit_u32(value),
            _ => Err(self.mismatch("a whole number")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value.as_number_lit().map(|number| number.value.parse()) {
            Some(Ok(value)) => visitor.visit_f64(value),
            _ => Err(self.mismatch("a number")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::StringLit(text) => visitor.visit_borrowed_str(&text.value),
            _ => Err(self.mismatch("a string")),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::NullKeyword(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Array(array) => {
                visitor.visit_seq(Items { rest: array.elements.iter(), state: self.state })
            }
            _ => Err(self.mismatch("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::Object(object) => Self::members(object, None, self.state, visitor),
            _ => Err(self.mismatch("an object")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Value::Object(object) = self.value else {
            return Err(self.mismatch("an object"));
        };
        Self::members(object, Some(fields), self.state, visitor).map_err(|mut fault| {
            // A required key is rarely forgotten and often misspelt: then that is what to show.
            if let Some(missing) = fault.missing.take() {
                let unknown =
                    object.properties.iter().filter(|member| !fields.contains(&member.name.as_str()));
                let misspelt =
                    unknown.into_iter().find(|member| nearest(member.name.as_str(), [missing]).is_some());
                if let Some(member) = misspelt {
                    fault.range = Some(key_range(member));
                    fault.hint = Some(format!("did you mean `{missing}`?"));
                }
            }
            fault
        })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let choice =
            || variants.iter().map(|variant| format!("`{variant}`")).collect::<Vec<_>>().join(" or ");
        match self.value {
            Value::StringLit(text) if variants.contains(&&*text.value) => {
                visitor.visit_enum(BorrowedStrDeserializer::new(&text.value))
            }
            Value::StringLit(text) => Err(Fault {
                hint: nearest(&text.value, variants.iter().copied())
                    .map(|variant| format!("did you mean `{variant}`?")),
                ..Fault::new(format!("must be {}, found {}", choice(), quoted(&text.value)))
            }),
            _ => Err(self.mismatch(&choice())),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u64 u128 f32 char bytes byte_buf unit unit_struct tuple
        tuple_struct identifier
    }
}

struct Members<'a, 's> {
    rest: std::slice::Iter<'a, ObjectProp<'a>>,
    value: Option<&'a Value<'a>>,
    /// The keys of the struct that is read; `None` for a map, where every key is a name.
    fields: Option<&'static [&'static str]>,
    state: &'s mut State<'a>,
}

impl<'a> MapAccess<'a> for Members<'a, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(member) = self.rest.next() else {
            return Ok(None);
        };
        let key = member.name.as_str();
        if let Some(fields) = self.fields
            && !fields.contains(&key)
            && !is_comment(key)
        {
            self.state.warn_of_unknown(member, fields);
        }
        self.value = Some(&member.value);
        self.state.path.push(Segment::Key(key, key_range(member)));
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.value.take().expect("serde asks for a value after its key");
        let read = seed
            .deserialize(Node { value, state: self.state })
            .map_err(|fault| fault.found_at(value, &self.state.path))?;
        self.state.path.pop();
        Ok(read)
    }
}

struct Items<'a, 's> {
    rest: std::slice::Iter<'a, Value<'a>>,
    state: &'s mut State<'a>,
}

impl<'a> SeqAccess<'a> for Items<'a, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.rest.next() else {
            return Ok(None);
        };
        self.state.path.push(Segment::Item);
        let read = seed
            .deserialize(Node { value, state: self.state })
            .map_err(|fault| fault.found_at(value, &self.state.path))?;
        self.state.path.pop();
        Ok(Some(read))
    }
}
