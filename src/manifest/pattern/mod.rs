//! The source of a target: a path, or a pattern for many.

mod expression;
#[cfg(test)]
mod tests;

use regex::bytes::Regex;

/// A source path, split into names and wildcards. The only definition of both.
///
/// Wildcards are numbered from 1, in order, for the `%N` of the destination:
///
/// - `*` matches any number of characters within one name; several in a row are one wildcard. Where
///   it begins a name and a dot or another wildcard follows, it takes at least one character.
/// - `?` matches one character, or one byte of a name that is not UTF-8; several in a row are one
///   wildcard.
/// - `[abc]`, `[a-z]`, `[!a-z]` and `[^a-z]` match one character. `]` is a member where it comes
///   first. A `[` without its `]` is an ordinary character. `[*]`, `[?]` and `[[]` are no wildcards
///   but that character: the way to write a name that has one.
/// - `**` as a whole name matches any number of folders, also none, and takes the joined path.
///
/// None of them matches a dot at the beginning of a name, or a `/`. A backslash is an ordinary
/// character. Empty names and `.` mean nothing: `./lib//x/` is `lib/x`, and `.` is the whole
/// folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    components: Vec<Component>,
    literal_prefix: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// `**`
    Folders,
    Name(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Text(String),
    /// `*`
    Star,
    /// A run of `?`, and its length.
    Characters(usize),
    /// `[..]`
    Set(Set),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    negated: bool,
    /// Inclusive ranges.
    members: Vec<(char, char)>,
}

impl Pattern {
    /// Splits a source as written. Anything is a pattern; what may not be deployed (`..`, an
    /// absolute path) is refused where the manifest is checked.
    pub fn parse(text: &str) -> Self {
        let components: Vec<_> = text
            .split('/')
            .filter(|name| !matches!(*name, "" | "."))
            .map(|name| if name == "**" { Component::Folders } else { Component::Name(tokens(name)) })
            .collect();
        let literal: Vec<_> = components.iter().map_while(Component::literal).collect();
        let literal_prefix = literal.join("/");
        Self { components, literal_prefix }
    }

    /// `path` written so that its pattern matches it alone.
    pub fn escape(path: &str) -> String {
        let mut escaped = String::with_capacity(path.len());
        for c in path.chars() {
            match c {
                '*' | '?' | '[' => escaped.extend(['[', c, ']']),
                c => escaped.push(c),
            }
        }
        escaped
    }

    /// Whether the pattern has no wildcard, so that it is the path [`Pattern::literal_prefix`].
    pub fn is_literal(&self) -> bool {
        self.captures() == 0
    }

    /// The path as far as it has no wildcard, in whole names, without a slash at its end; empty for
    /// the whole folder.
    pub fn literal_prefix(&self) -> &str {
        &self.literal_prefix
    }

    /// The number of wildcards.
    pub fn captures(&self) -> usize {
        let wildcards = |component: &Component| match component {
            Component::Folders => 1,
            Component::Name(tokens) => tokens.iter().filter(|token| token.is_wildcard()).count(),
        };
        self.components.iter().map(wildcards).sum()
    }

    /// A regular expression for whole paths: relative, without a slash at either end. Group N is
    /// wildcard N; the group of a `**` that stands for no folder is not set.
    ///
    /// # Errors
    ///
    /// When the pattern is too large to compile: a run of thousands of `?`.
    pub fn to_regex(&self) -> Result<Regex, regex::Error> {
        Regex::new(&expression::of(&self.components))
    }
}

impl Component {
    fn literal(&self) -> Option<&str> {
        match self {
            Self::Name(tokens) => match tokens.as_slice() {
                [Token::Text(text)] => Some(text),
                _ => None,
            },
            Self::Folders => None,
        }
    }
}

impl Token {
    fn is_wildcard(&self) -> bool {
        !matches!(self, Self::Text(_))
    }
}

/// Splits one name.
fn tokens(name: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = name;
    // Once a `[` found no end, none behind it has one: without this, a long row of them would take
    // its square.
    let mut sets = true;
    while let Some(c) = rest.chars().next() {
        let mut length = c.len_utf8();
        match c {
            '*' => {
                length = rest.len() - rest.trim_start_matches('*').len();
                tokens.push(Token::Star);
            }
            '?' => {
                length = rest.len() - rest.trim_start_matches('?').len();
                tokens.push(Token::Characters(length));
            }
            '[' if sets => {
                if let Some((set, end)) = set(rest) {
                    length = end;
                    match (set.negated, &set.members[..]) {
                        (false, &[(only @ ('*' | '?' | '['), last)]) if only == last => {
                            push_text(&mut tokens, only);
                        }
                        _ => tokens.push(Token::Set(set)),
                    }
                } else {
                    sets = false;
                    push_text(&mut tokens, c);
                }
            }
            _ => push_text(&mut tokens, c),
        }
        rest = &rest[length..];
    }
    tokens
}

fn push_text(tokens: &mut Vec<Token>, c: char) {
    match tokens.last_mut() {
        Some(Token::Text(text)) => text.push(c),
        _ => tokens.push(Token::Text(c.into())),
    }
}

/// Reads the set that `text` begins with, and its length in bytes.
fn set(text: &str) -> Option<(Set, usize)> {
    let inner = text.strip_prefix('[')?;
    let (negated, inner) = inner.strip_prefix(['!', '^']).map_or((false, inner), |inner| (true, inner));
    let first = inner.chars().next()?.len_utf8();
    let end = first + inner[first..].find(']')?;

    let mut members = Vec::new();
    let mut rest = inner[..end].chars();
    while let Some(low) = rest.next() {
        let mut ahead = rest.clone();
        if ahead.next() == Some('-')
            && let Some(high) = ahead.next()
        {
            rest = ahead;
            // A range that runs backwards holds nothing.
            if low <= high {
                members.push((low, high));
            }
        } else {
            members.push((low, low));
        }
    }
    Some((Set { negated, members }, text.len() - inner.len() + end + 1))
}
