//! What is wrong in a manifest, and where: the words and the picture.

use std::fmt;

use unicode_width::UnicodeWidthChar;

/// How much of a long line is shown before and after the marked place, in characters.
const CONTEXT: usize = 60;

/// How much of a name is repeated in a message, in characters.
const NAME: usize = 60;

/// A manifest that cannot be used: the first thing that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(Box<Diagnostic>);

/// Something in the manifest that does not stop a rollout, such as an unknown key.
pub type Warning = Diagnostic;

/// A message about one place of a manifest. Displayed as `dist.json:5:24: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The manifest's name as the user knows it.
    pub file: String,
    /// The place; `None` where the file as a whole is meant (empty, too large).
    pub location: Option<Location>,
    /// What is wrong: lower case, no full stop, literals in backticks.
    pub message: String,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
}

/// A place in a text, with what is needed to draw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Line, counted from 1.
    pub line: usize,
    /// Column, counted from 1, in characters.
    pub column: usize,
    /// The source line: clipped around the column, control characters made visible.
    pub text: String,
    /// Terminal columns of `text` before the mark.
    pub indent: usize,
    /// Terminal columns under the mark, at least 1.
    pub width: usize,
}

impl ManifestError {
    /// The same as data.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.0
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        self.0.hint.clone()
    }

    /// The source line with its number and a caret under the place.
    pub fn snippet(&self) -> Option<String> {
        self.0.snippet()
    }
}

impl From<Diagnostic> for ManifestError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(Box::new(diagnostic))
    }
}

impl Diagnostic {
    /// The source line with its number and a caret under the place: two lines, no colour, no
    /// newline at the end.
    pub fn snippet(&self) -> Option<String> {
        let at = self.location.as_ref()?;
        let number = at.line.to_string();
        Some(format!(
            "{number} | {}\n{:gutter$} | {:indent$}{}",
            at.text,
            "",
            "",
            "^".repeat(at.width),
            gutter = number.len(),
            indent = at.indent,
        ))
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(at) => write!(f, "{}:{}:{}: {}", self.file, at.line, at.column, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl Location {
    /// Marks the bytes `start..end` of `line`, which is line number `number`. Both must be
    /// character boundaries.
    pub(super) fn in_line(number: usize, line: &str, start: usize, end: usize) -> Self {
        let (before, rest) = line.split_at(start.min(line.len()));
        let marked = rest[..end.saturating_sub(start).min(rest.len())].chars().count();

        let mut text = String::new();
        let mut indent = 0;
        let clip = before.char_indices().rev().nth(CONTEXT - 1).map_or(0, |(at, _)| at);
        if clip > 0 {
            indent += push_visible(&mut text, '…');
        }
        for c in before[clip..].chars() {
            indent += push_visible(&mut text, c);
        }

        let mut width = 0;
        let mut rest = rest.chars();
        for (index, c) in rest.by_ref().take(CONTEXT).enumerate() {
            let columns = push_visible(&mut text, c);
            if index < marked {
                width += columns;
            }
        }
        if rest.next().is_some() {
            text.push('…');
        }
        Self { line: number, column: before.chars().count() + 1, text, indent, width: width.max(1) }
    }
}

/// Appends `c` as something that cannot move the cursor or reorder the line; gives the terminal
/// columns it takes.
fn push_visible(text: &mut String, c: char) -> usize {
    let shown = match c {
        '\t' => ' ',
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '␡',
        // Zero-width and bidirectional formatting: invisible, or worse, showing another order than
        // the file's.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {
            char::REPLACEMENT_CHARACTER
        }
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.push(shown);
    shown.width().unwrap_or(0)
}

/// A name from the file, ready for a message: in backticks, one line, of bearable length.
pub(super) fn quoted(name: &str) -> String {
    let mut text = String::from("`");
    let mut rest = name.chars();
    for c in rest.by_ref().take(NAME) {
        push_visible(&mut text, c);
    }
    if rest.next().is_some() {
        text.push('…');
    }
    text.push('`');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snippet(line: &str, start: usize, end: usize) -> String {
        let location = Some(Location::in_line(7, line, start, end));
        Diagnostic { file: "dist.json".into(), location, message: String::new(), hint: None }
            .snippet()
            .expect("it has a location")
    }

    #[test]
    fn the_caret_stands_under_the_marked_text() {
        assert_eq!(snippet("  \"keep\": true", 10, 14), "7 |   \"keep\": true\n  |           ^^^^");
        assert_eq!(snippet("", 0, 0), "7 | \n  | ^");
    }

    #[test]
    fn wide_and_control_characters_keep_the_caret_in_place() {
        // Each of the two ideographs takes two terminal columns.
        assert_eq!(snippet("日本x", 6, 7), "7 | 日本x\n  |     ^");
        assert_eq!(snippet("\t\u{1b}[31mx", 6, 7), "7 |  ␛[31mx\n  |       ^");
        assert_eq!(snippet("\u{202e}x", 3, 4), "7 | \u{fffd}x\n  |  ^");
    }

    #[test]
    fn a_long_line_is_clipped_around_the_mark() {
        let line = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
        let location = Location::in_line(1, &line, 5000, 5004);
        assert_eq!(location.column, 5001);
        assert_eq!(location.text, format!("…{}HERE{}…", "a".repeat(60), "b".repeat(56)));
        assert_eq!((location.indent, location.width), (61, 4));

        let endless = Location::in_line(1, &line, 0, line.len());
        assert_eq!(endless.width, CONTEXT);
    }

    #[test]
    fn names_in_messages_are_short_and_harmless() {
        assert_eq!(quoted("bin"), "`bin`");
        assert_eq!(quoted("a\nb"), "`a␊b`");
        assert_eq!(quoted(&"x".repeat(100_000)).chars().count(), NAME + 3);
    }
}
