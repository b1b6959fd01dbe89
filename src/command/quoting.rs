//! Follows the quotes of a shell command line, to know how a value's reference must be spelt where it stands.
//!
//! This is no shell parser, and safety does not rest on it: a reference that is spelt for the wrong quotes
//! gives wrong text, as any misquoted variable does, but its value is never read as code.

use std::collections::VecDeque;
use std::ffi::OsString;

use super::fill::{FillError, Piece};

/// A placeholder's value, and the variable that carries it.
pub(super) struct Value {
    pub(super) variable: String,
    pub(super) value: OsString,
}

/// Where in the command line a character stands; contexts nest.
#[derive(Debug)]
enum Context {
    /// Words and operators. `closing` ends a substitution; `depth` counts open parentheses of its own.
    Command { closing: Option<char>, depth: usize },
    /// `'...'`
    Single,
    /// `"..."`
    Double,
    /// `$((...))`
    Arithmetic { depth: usize },
    /// From `#` to the end of the line.
    Comment,
    /// The lines of a here-document.
    HereDocument { end: HereEnd, line: String },
}

/// How a here-document ends.
#[derive(Debug)]
struct HereEnd {
    delimiter: String,
    /// `<<-`: tabs before the delimiter do not count.
    tabs: bool,
    /// The delimiter was quoted: the lines are plain text.
    literal: bool,
}

/// The command line of `pieces`, with a reference to `value_of` in place of every placeholder.
pub(super) fn write<'t>(
    pieces: &[Piece<'t>],
    value_of: &mut dyn FnMut(&'t str) -> Result<Value, FillError>,
) -> Result<String, FillError> {
    let mut writer = Writer {
        pieces,
        at: 0,
        line: String::with_capacity(pieces.len()),
        contexts: vec![Context::Command { closing: None, depth: 0 }],
        announced: VecDeque::new(),
    };
    while let Some(piece) = pieces.get(writer.at) {
        writer.at += 1;
        match piece {
            Piece::Char(c) => writer.character(*c),
            Piece::Placeholder(name) => writer.placeholder(name, value_of)?,
        }
    }
    Ok(writer.line)
}

struct Writer<'p, 't> {
    pieces: &'p [Piece<'t>],
    at: usize,
    line: String,
    contexts: Vec<Context>,
    /// Here-documents that begin with the next line.
    announced: VecDeque<HereEnd>,
}

impl<'t> Writer<'_, 't> {
    fn placeholder(
        &mut self,
        name: &'t str,
        value_of: &mut dyn FnMut(&'t str) -> Result<Value, FillError>,
    ) -> Result<(), FillError> {
        if let Some(Context::Comment) = self.contexts.last() {
            self.as_written(name);
            return Ok(());
        }
        let Value { variable, value } = value_of(name)?;
        let text = match self.contexts.last_mut() {
            Some(Context::Single) => format!("'\"${{{variable}}}\"'"),
            Some(Context::Double) => format!("${{{variable}}}"),
            Some(Context::Arithmetic { .. }) if value.to_str().is_some_and(is_whole_number) => {
                format!("${{{variable}}}")
            }
            Some(Context::Arithmetic { .. }) => return Err(FillError::Arithmetic { name: name.to_owned() }),
            Some(Context::HereDocument { end, line }) => {
                line.push('\0');
                if end.literal {
                    let tame = value.into_string().ok().filter(|value| value.chars().all(is_tame));
                    tame.ok_or_else(|| FillError::HereDocument { name: name.to_owned() })?
                } else {
                    format!("${{{variable}}}")
                }
            }
            _ => format!("\"${{{variable}}}\""),
        };
        self.line.push_str(&text);
        Ok(())
    }

    fn as_written(&mut self, name: &str) {
        self.line.push('{');
        self.line.push_str(name);
        self.line.push('}');
    }

    fn character(&mut self, c: char) {
        let starts_word = self.line.ends_with(|c: char| c.is_whitespace() || ";&|()`".contains(c));
        let starts_word = starts_word || self.line.is_empty();
        self.line.push(c);
        match self.contexts.last_mut() {
            Some(Context::Single) if c == '\'' => _ = self.contexts.pop(),
            Some(Context::Comment) if c == '\n' => {
                self.contexts.pop();
                self.new_line();
            }
            Some(Context::Single | Context::Comment) | None => {}
            Some(Context::Double) => match c {
                '"' => _ = self.contexts.pop(),
                _ => self.expansion(c),
            },
            Some(Context::Arithmetic { depth }) => match c {
                '(' => *depth += 1,
                ')' if *depth > 0 => *depth -= 1,
                ')' => {
                    self.take(")");
                    self.contexts.pop();
                }
                _ => self.expansion(c),
            },
            Some(Context::HereDocument { end, line }) if c == '\n' => {
                let text = if end.tabs { line.trim_start_matches('\t') } else { line.as_str() };
                if text == end.delimiter {
                    self.contexts.pop();
                    self.new_line();
                } else {
                    line.clear();
                }
            }
            Some(Context::HereDocument { end, line }) => {
                line.push(c);
                if !end.literal {
                    self.expansion(c);
                }
            }
            Some(Context::Command { closing, depth }) => match c {
                '\'' => self.contexts.push(Context::Single),
                '"' => self.contexts.push(Context::Double),
                '#' if starts_word => self.contexts.push(Context::Comment),
                '\n' => self.new_line(),
                '(' => *depth += 1,
                ')' if *depth > 0 => *depth -= 1,
                ')' | '`' if *closing == Some(c) => _ = self.contexts.pop(),
                '<' if self.take("<<") => {}
                '<' if self.take("<") => self.announce(),
                _ => self.expansion(c),
            },
        }
    }

    /// What begins an expansion in a word, in double quotes and in a here-document.
    fn expansion(&mut self, c: char) {
        match c {
            '\\' => match self.pieces.get(self.at) {
                Some(Piece::Char(escaped)) => {
                    self.line.push(*escaped);
                    self.at += 1;
                }
                Some(Piece::Placeholder(name)) => {
                    self.as_written(name);
                    self.at += 1;
                }
                None => {}
            },
            '`' => self.contexts.push(Context::Command { closing: Some('`'), depth: 0 }),
            '$' if self.take("((") => self.contexts.push(Context::Arithmetic { depth: 0 }),
            '$' if self.take("(") => self.contexts.push(Context::Command { closing: Some(')'), depth: 0 }),
            _ => {}
        }
    }

    /// Goes on past `text` if it comes next.
    fn take(&mut self, text: &str) -> bool {
        let comes = |(offset, c)| self.pieces.get(self.at + offset) == Some(&Piece::Char(c));
        let comes_next = text.chars().enumerate().all(comes);
        if comes_next {
            self.line.push_str(text);
            self.at += text.chars().count();
        }
        comes_next
    }

    /// Reads the delimiter behind `<<`.
    fn announce(&mut self) {
        let tabs = self.take("-");
        while self.take(" ") || self.take("\t") {}
        let (mut delimiter, mut literal, mut quote) = (String::new(), false, None);
        while let Some(Piece::Char(c)) = self.pieces.get(self.at).copied() {
            let ends = c == '\n' || quote.is_none() && (c.is_whitespace() || ";&|<>()".contains(c));
            if ends {
                break;
            }
            match (quote, c) {
                (Some(open), _) if open == c => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(c);
                    literal = true;
                }
                (None, '\\') => literal = true,
                _ => delimiter.push(c),
            }
            self.line.push(c);
            self.at += 1;
        }
        self.announced.push_back(HereEnd { delimiter, tabs, literal });
    }

    /// After a line break, an announced here-document begins.
    fn new_line(&mut self) {
        if let Some(end) = self.announced.pop_front() {
            self.contexts.push(Context::HereDocument { end, line: String::new() });
        }
    }
}

fn is_whole_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Characters that mean themselves in every shell.
fn is_tame(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c)
}
