//! A pattern as a regular expression.

use super::{Component, Set, Token};

/// One character of a name: of UTF-8, or a byte that cannot be.
const CHARACTER: &str = r"(?:[^/]|(?-u:[\x80-\xff]))";

/// The same at the beginning of a name.
const FIRST_CHARACTER: &str = r"(?:[^/.]|(?-u:[\x80-\xff]))";

/// A name that is not hidden.
const NAME: &str = r"(?-u:[^/.][^/]*)";

/// The expression for whole paths, with a group per wildcard.
pub(super) fn of(components: &[Component]) -> String {
    let last_name = components.iter().rposition(|component| *component != Component::Folders);
    let mut text = String::from(r"\A");
    // Whether a slash is due before the next name: not at the start, and not behind folders that
    // brought their own.
    let mut slash = false;
    for (index, component) in components.iter().enumerate() {
        let due = if slash { "/" } else { "" };
        let (part, after) = match component {
            Component::Name(tokens) => (format!("{due}{}", name(tokens)), true),
            Component::Folders if last_name.is_some_and(|last| index < last) => {
                (format!("{due}(?:({NAME}(?:/{NAME})*)/)?"), false)
            }
            Component::Folders => (format!("(?:{due}({NAME}(?:/{NAME})*))?"), true),
        };
        text.push_str(&part);
        slash = after;
    }
    text.push_str(r"\z");
    text
}

fn name(tokens: &[Token]) -> String {
    let Some((head, tail)) = tokens.split_first() else {
        return String::new();
    };
    let head = match head {
        Token::Text(text) => regex::escape(text),
        // What follows an empty match would begin the name, and must not be a dot there.
        Token::Star => match tail.first() {
            Some(Token::Text(text)) if !text.starts_with('.') => format!("({NAME}?)"),
            _ => format!("({NAME})"),
        },
        Token::Characters(count) => format!("({FIRST_CHARACTER}{CHARACTER}{{{}}})", count - 1),
        Token::Set(members) => set(members, "/."),
    };
    std::iter::once(head).chain(tail.iter().map(inner)).collect()
}

/// A token that does not begin its name.
fn inner(token: &Token) -> String {
    match token {
        Token::Text(text) => regex::escape(text),
        Token::Star => "((?-u:[^/]*))".to_owned(),
        Token::Characters(count) => format!("({CHARACTER}{{{count}}})"),
        Token::Set(members) => set(members, "/"),
    }
}

fn set(set: &Set, excluded: &str) -> String {
    let range =
        |&(low, high): &(char, char)| format!(r"\x{{{:x}}}-\x{{{:x}}}", u32::from(low), u32::from(high));
    let class: String = set.members.iter().map(range).collect();
    match (set.negated, class.is_empty()) {
        (true, _) => format!(r"([^{excluded}{class}]|(?-u:[\x80-\xff]))"),
        (false, false) => format!("([{class}&&[^{excluded}]])"),
        (false, true) => r"([^\s\S])".to_owned(),
    }
}
