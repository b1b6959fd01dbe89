//! The destination of a target: text with `%N` placeholders.

use std::ops::Range;

/// A destination as written, with its placeholders found.
///
/// A placeholder is `%` and all digits behind it: `%11` is the eleventh, never the first and a `1`.
/// `%` before anything else is itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template<'t> {
    text: &'t str,
    placeholders: Vec<Placeholder>,
}

/// A `%N` in a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placeholder {
    /// The wildcard it stands for, counted from 1. A number beyond `usize` is `usize::MAX`.
    pub number: usize,
    /// Where it stands in the text, in bytes.
    pub range: Range<usize>,
}

/// A part of a destination, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'t> {
    /// Text as written, in which `{VARIABLE}` may stand.
    Text(&'t str),
    /// The match of a wildcard, counted from 1.
    Match(usize),
}

impl<'t> Template<'t> {
    /// Finds the placeholders of a destination.
    pub fn parse(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let mut placeholders = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let digits = match bytes[at] {
                b'%' => bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
                _ => 0,
            };
            if digits > 0 {
                let range = at..at + 1 + digits;
                // Only a number that is too large cannot be read, and no source has that many
                // wildcards.
                let number = text[at + 1..range.end].parse().unwrap_or(usize::MAX);
                placeholders.push(Placeholder { number, range });
            }
            at += 1 + digits;
        }
        Self { text, placeholders }
    }

    /// The placeholders, in order.
    pub fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }

    /// The parts in order. Expanding variables in the text parts alone keeps what a file's name
    /// brought as it is.
    pub fn pieces(&self) -> Vec<Piece<'t>> {
        let mut pieces = Vec::with_capacity(self.placeholders.len() * 2 + 1);
        let mut end = 0;
        for placeholder in &self.placeholders {
            if end < placeholder.range.start {
                pieces.push(Piece::Text(&self.text[end..placeholder.range.start]));
            }
            pieces.push(Piece::Match(placeholder.number));
            end = placeholder.range.end;
        }
        if end < self.text.len() {
            pieces.push(Piece::Text(&self.text[end..]));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::Piece::{Match, Text};
    use super::*;

    #[test]
    fn a_placeholder_takes_all_its_digits() {
        for (text, pieces) in [
            ("{R}/bin/%1", vec![Text("{R}/bin/"), Match(1)]),
            ("%11%1-%2x", vec![Match(11), Match(1), Text("-"), Match(2), Text("x")]),
            ("100%/%d/%%3%", vec![Text("100%/%d/%"), Match(3), Text("%")]),
            ("%99999999999999999999999", vec![Match(usize::MAX)]),
            ("é%1é", vec![Text("é"), Match(1), Text("é")]),
            ("", vec![]),
        ] {
            assert_eq!(Template::parse(text).pieces(), pieces, "{text}");
        }
    }
}
