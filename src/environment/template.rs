//! The `${NAME}` references inside one value, parsed once.
//!
//! A reference is `${NAME}`, `${NAME:-default}`, `${NAME:=default}` or `${NAME:?message}`; the
//! default and the message are templates themselves, and braces inside them must balance.
//! Everything else is text, as envstack has it: `$NAME`, `$(command)`, `${1X}`, `${a.b}` and a
//! `${` that is never closed. There is no escape for `${`.

/// Deepest nesting of references inside one value.
const MAX_NESTING: usize = 32;

/// A parsed value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Template {
    pub(super) pieces: Vec<Piece>,
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Reference { name: String, fallback: Option<(Operator, Template)> },
}

/// What happens where the variable is unset or empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `:-`: the default is used.
    Use,
    /// `:=`: the default is used, and later references see it too.
    Assign,
    /// `:?`: an error with this message.
    Require,
}

/// References are nested deeper than [`MAX_NESTING`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NestedTooDeep;

impl Template {
    /// Parses `text`, in time linear in its length.
    ///
    /// # Errors
    ///
    /// [`NestedTooDeep`] is the only one: what is not a reference is text.
    pub(super) fn parse(text: &str) -> Result<Self, NestedTooDeep> {
        let closing = matching_braces(text);
        Parser { text, closing }.template(0, text.len(), 0)
    }

    /// Whether a reference to `name` occurs anywhere, inside defaults too.
    pub(super) fn mentions(&self, name: &str) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Text(_) => false,
            Piece::Reference { name: other, fallback } => {
                other == name || fallback.as_ref().is_some_and(|(_, template)| template.mentions(name))
            }
        })
    }
}

/// For each `{` of `text`, by byte offset, the offset of the `}` that closes it (0: none).
///
/// Worked out for the whole text at once: searching from every `${` anew would take quadratic
/// time on a text of nothing but `${A:-`.
fn matching_braces(text: &str) -> Vec<usize> {
    let mut closing = vec![0; text.len()];
    let mut open = Vec::new();
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open.push(offset),
            b'}' => {
                if let Some(start) = open.pop() {
                    closing[start] = offset;
                }
            }
            _ => {}
        }
    }
    closing
}

struct Parser<'a> {
    text: &'a str,
    closing: Vec<usize>,
}

impl Parser<'_> {
    fn template(&self, start: usize, end: usize, depth: usize) -> Result<Template, NestedTooDeep> {
        if depth > MAX_NESTING {
            return Err(NestedTooDeep);
        }
        let mut pieces = Vec::new();
        let mut text_start = start;
        let mut search = start;
        while let Some(found) = self.text[search..end].find("${") {
            let dollar = search + found;
            match self.reference(dollar, depth)? {
                Some((piece, after)) => {
                    if text_start < dollar {
                        pieces.push(Piece::Text(self.text[text_start..dollar].to_owned()));
                    }
                    pieces.push(piece);
                    text_start = after;
                    search = after;
                }
                None => search = dollar + 2,
            }
        }
        if text_start < end {
            pieces.push(Piece::Text(self.text[text_start..end].to_owned()));
        }
        Ok(Template { pieces })
    }

    /// The reference that begins at `dollar`, and the offset behind it. A brace pair never
    /// crosses another, so a reference always ends inside the template it begins in.
    fn reference(&self, dollar: usize, depth: usize) -> Result<Option<(Piece, usize)>, NestedTooDeep> {
        let close = self.closing[dollar + 1];
        if close == 0 {
            return Ok(None);
        }
        let inside = &self.text[dollar + 2..close];
        let name_length =
            inside.find(|other: char| !other.is_ascii_alphanumeric() && other != '_').unwrap_or(inside.len());
        let (name, rest) = inside.split_at(name_length);
        if !super::is_variable_name(name) {
            return Ok(None);
        }
        let fallback = if rest.is_empty() {
            None
        } else {
            let operator = match rest.get(..2) {
                Some(":-") => Operator::Use,
                Some(":=") => Operator::Assign,
                Some(":?") => Operator::Require,
                _ => return Ok(None),
            };
            let argument = dollar + 2 + name_length + 2;
            Some((operator, self.template(argument, close, depth + 1)?))
        };
        let name = name.to_owned();
        Ok(Some((Piece::Reference { name, fallback }, close + 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Writes a template down again, references in angle brackets.
    fn shown(template: &Template) -> String {
        template
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Reference { name, fallback: None } => format!("<{name}>"),
                Piece::Reference { name, fallback: Some((operator, template)) } => {
                    format!("<{name} {operator:?} {}>", shown(template))
                }
            })
            .collect()
    }

    #[test]
    fn references_are_told_from_text() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${A}", "<A>"),
            ("${A}/${B}", "<A>/<B>"),
            ("$A $$ $", "$A $$ $"),
            ("$${A}", "$<A>"),
            (r"\${A}", r"\<A>"),
            ("$(echo hi)", "$(echo hi)"),
            ("${A:-d}", "<A Use d>"),
            ("${A:=d}", "<A Assign d>"),
            ("${A:?m n}", "<A Require m n>"),
            ("${A:-}", "<A Use >"),
            ("${A:=${B:=${C}}}/t", "<A Assign <B Assign <C>>>/t"),
            ("${A:={a}}", "<A Assign {a}>"),
            ("${A:={a}}/t", "<A Assign {a}>/t"),
            ("${A:-x:-y}", "<A Use x:-y>"),
            ("${A:-é}ü", "<A Use é>ü"),
            ("${1X} ${a-b} ${a.b} ${}", "${1X} ${a-b} ${a.b} ${}"),
            ("${A:} ${A:+x}", "${A:} ${A:+x}"),
            ("${a.${B}}", "${a.<B>}"),
            ("${A", "${A"),
            ("${A ${B}", "${A <B>"),
            ("}${A}{", "}<A>{"),
        ] {
            assert_eq!(shown(&Template::parse(text).unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "${A:-".repeat(depth) + &"}".repeat(depth);
        assert!(Template::parse(&nested(MAX_NESTING)).is_ok());
        assert_eq!(Template::parse(&nested(100_000)).unwrap_err(), NestedTooDeep);
    }

    #[test]
    fn an_unclosed_text_of_a_mebibyte_is_quick() {
        let text = "${A:-".repeat(200_000);
        assert_eq!(shown(&Template::parse(&text).unwrap()), text);
    }

    proptest! {
        #[test]
        fn any_text_parses(text in r"([${}:=?A-]|\PC){0,60}") {
            let _ = Template::parse(&text);
        }

        #[test]
        fn text_without_a_reference_is_itself(text in "[^$]*") {
            prop_assert_eq!(shown(&Template::parse(&text).unwrap()), text);
        }
    }
}
