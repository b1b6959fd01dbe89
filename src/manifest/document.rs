//! From bytes to a syntax tree that knows where everything stands.
//!
//! `serde_json` decides what is JSON (and bounds the nesting); `jsonc-parser` then gives the byte
//! range of each value.

use std::fmt;

use jsonc_parser::ast::{ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions};
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::error::{Diagnostic, Location, ManifestError};

/// The most bytes of a manifest that are read.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The most values (texts, numbers, lists, objects) of a manifest: a short file of `[[],[],...`
/// would otherwise take fifty times its size in memory.
const MAX_VALUES: usize = 1_000_000;

/// A manifest's text and its lines.
pub(super) struct Document<'t> {
    file: &'t str,
    text: &'t str,
    line_starts: Vec<usize>,
}

impl<'t> Document<'t> {
    /// Decodes a manifest. A byte order mark is accepted, as Windows editors write one.
    ///
    /// # Errors
    ///
    /// When the file is empty, too large, or not UTF-8.
    pub(super) fn new(file: &'t str, bytes: &'t [u8]) -> Result<Self, ManifestError> {
        let whole = |message: String, hint: &str| {
            let hint = Some(hint.to_owned());
            ManifestError::from(Diagnostic { file: file.to_owned(), location: None, message, hint })
        };
        if bytes.len() > MAX_BYTES {
            let message =
                format!("the manifest has {} bytes, more than the {MAX_BYTES} that are read", bytes.len());
            return Err(whole(message, "a wildcard target stands for many files"));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = match str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let at = error.valid_up_to();
                // The replacement characters come after the valid part, so that `at` is the same
                // place.
                let lossy = String::from_utf8_lossy(bytes);
                let mut diagnostic =
                    Document::index(file, &lossy).at(Range::new(at, at), "this is not UTF-8");
                diagnostic.hint = Some("save the file as UTF-8".to_owned());
                return Err(diagnostic.into());
            }
        };
        if text.trim_ascii().is_empty() {
            return Err(whole("the manifest is empty".to_owned(), "`git dist init` writes one"));
        }
        Ok(Self::index(file, text))
    }

    fn index(file: &'t str, text: &'t str) -> Self {
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1))
            .collect();
        Self { file, text, line_starts }
    }

    /// The syntax tree of the text.
    ///
    /// # Errors
    ///
    /// When the text is not JSON, nested deeper than 127 levels, or has more than a million values.
    pub(super) fn parse(&self) -> Result<Value<'t>, ManifestError> {
        let mut json = serde_json::Deserializer::from_str(self.text);
        let mut values = 0;
        Syntax(&mut values)
            .deserialize(&mut json)
            .and_then(|()| json.end())
            .map_err(|error| self.syntax_error(&error))?;

        let strict = ParseOptions {
            allow_comments: false,
            allow_loose_object_property_names: false,
            allow_trailing_commas: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        match jsonc_parser::parse_to_ast(self.text, &CollectOptions::default(), &strict) {
            Ok(parsed) => parsed.value.ok_or_else(|| self.at(Range::new(0, 0), "not valid JSON").into()),
            Err(error) => Err(self.at(error.range(), format!("not valid JSON: {}", error.kind())).into()),
        }
    }

    /// A message about the bytes `range` of the text.
    pub(super) fn at(&self, range: Range, message: impl Into<String>) -> Diagnostic {
        let line = self.line(range.start);
        let start = self.line_starts[line - 1];
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let text = &self.text[start..end];
        let text = text.strip_suffix('\r').unwrap_or(text);
        let location =
            Location::in_line(line, text, (range.start - start).min(text.len()), range.end - start);
        Diagnostic {
            file: self.file.to_owned(),
            location: Some(location),
            message: message.into(),
            hint: None,
        }
    }

    /// The line of a byte offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= offset)
    }

    /// Where `part` of the text `value` stands, if `value` was written at `literal` without
    /// escapes; else all of it.
    pub(super) fn within(&self, literal: Range, value: &str, part: std::ops::Range<usize>) -> Range {
        let inner = literal.start + 1;
        if self.text.get(inner..inner + value.len()) == Some(value) {
            Range::new(inner + part.start, inner + part.end)
        } else {
            literal
        }
    }

    fn syntax_error(&self, error: &serde_json::Error) -> ManifestError {
        // serde_json gives the reason in words only, with its own idea of the place behind them.
        let words = error.to_string();
        let reason = words.rsplit_once(" at line ").map_or(words.as_str(), |(reason, _)| reason);
        if error.is_eof() {
            let end = self.text.trim_ascii_end().len();
            return self.at(Range::new(end, end), format!("not valid JSON: {reason}")).into();
        }

        let line = error.line().clamp(1, self.line_starts.len());
        let offset = (self.line_starts[line - 1] + error.column().saturating_sub(1)).min(self.text.len());
        let offset = self.text.floor_char_boundary(offset);
        let (before, rest) = self.text.split_at(offset);
        if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
            let length = rest.lines().next().map_or(1, str::len);
            let mut diagnostic = self.at(Range::new(offset, offset + length), "JSON has no comments");
            diagnostic.hint =
                Some("a key that begins with `_` is ignored: `\"_comment\": \"...\"`".to_owned());
            return diagnostic.into();
        }
        let comma = before.trim_ascii_end();
        if rest.starts_with(['}', ']']) && comma.ends_with(',') {
            let range = Range::new(comma.len() - 1, comma.len());
            let closing = &rest[..1];
            return self
                .at(range, format!("JSON has no trailing commas: remove the one before `{closing}`"))
                .into();
        }
        self.at(Range::new(offset, offset), format!("not valid JSON: {reason}")).into()
    }
}

/// The member of `root` that `path` leads to through nested objects.
pub(super) fn member<'v, 't>(root: &'v Value<'t>, path: &[&str]) -> Option<&'v ObjectProp<'t>> {
    let (last, parents) = path.split_last()?;
    let parent = parents
        .iter()
        .try_fold(root, |value, key| value.as_object()?.get(key).map(|member| &member.value))?;
    parent.as_object()?.get(last)
}

/// Where an object's key stands, with its quotes.
pub(super) fn key_range(member: &ObjectProp<'_>) -> Range {
    member.name.range()
}

/// Reads any JSON for its syntax alone, counting the values. Other than `IgnoredAny` it checks
/// texts, numbers and depth.
struct Syntax<'c>(&'c mut usize);

impl<'de> DeserializeSeed<'de> for Syntax<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        *self.0 += 1;
        if *self.0 > MAX_VALUES {
            return Err(D::Error::custom(format_args!("more than {MAX_VALUES} values")));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Syntax<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Syntax(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while members.next_key_seed(Syntax(self.0))?.is_some() {
            members.next_value_seed(Syntax(self.0))?;
        }
        Ok(())
    }
}
