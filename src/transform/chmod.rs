//! `chmod`: the mode of a file, or of everything in a directory.

use super::StepError;
use super::tree::{Content, Rewrite, Source};
use crate::disk::Kind;

/// The bits that a clause without `u`, `g`, `o` or `a` leaves alone, as chmod(1) does with those of the umask.
/// It is a fixed one, so that the result is the same on every machine.
const UMASK: u32 = 0o022;

/// A mode as chmod(1) takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mode {
    /// `755`
    Octal(u32),
    /// `u=rwX,go=rX`
    Symbolic(Vec<Change>),
}

/// One operator of a symbolic mode, and whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// Bits of those concerned: any of `0o700`, `0o070`, `0o007`.
    who: u32,
    /// Bits that are left alone.
    masked: u32,
    operator: Operator,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Add,
    Remove,
    Set,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Permissions {
        /// `r`, `w`, `x` as 4, 2, 1.
        bits: u32,
        /// `X`: `x` where it is a directory or somebody has `x`.
        search: bool,
        /// `s`.
        set_id: bool,
        /// `t`.
        sticky: bool,
    },
    /// What the user, the group or the others have: how far to shift.
    CopyOf(u32),
}

impl Mode {
    /// Reads a mode: octal, also as Python writes it (`0o755`), or symbolic. `None` if it is neither.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if digits.starts_with(|c: char| c.is_ascii_digit()) {
            let mode = u32::from_str_radix(digits, 8).ok()?;
            return (mode <= 0o7777).then_some(Self::Octal(mode));
        }
        let mut changes = Vec::new();
        for clause in text.split(',') {
            let operators = clause.find(['+', '-', '='])?;
            let (who, mut rest) = clause.split_at(operators);
            let who = who.chars().try_fold(0, |who, c| Some(who | whom(c)?))?;
            let (who, masked) = if who == 0 { (0o777, UMASK) } else { (who, 0) };
            while let Some(operator) = rest.chars().next() {
                let operator = match operator {
                    '+' => Operator::Add,
                    '-' => Operator::Remove,
                    _ => Operator::Set,
                };
                let end = rest[1..].find(['+', '-', '=']).map_or(rest.len(), |end| end + 1);
                changes.push(Change { who, masked, operator, what: what(&rest[1..end])? });
                rest = &rest[end..];
            }
        }
        Some(Self::Symbolic(changes))
    }

    /// What becomes of `mode`.
    fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        match self {
            Self::Octal(mode) => *mode,
            Self::Symbolic(changes) => {
                changes.iter().fold(mode, |mode, change| change.apply(mode, is_directory))
            }
        }
    }
}

impl Change {
    fn apply(&self, mode: u32, is_directory: bool) -> u32 {
        let special = |who: u32, bit: u32| if self.who & who == 0 { 0 } else { bit };
        let bits = match self.what {
            What::Permissions { bits, search, set_id, sticky } => {
                let search = search && (is_directory || mode & 0o111 != 0);
                let set_id = if set_id { special(0o700, 0o4000) | special(0o070, 0o2000) } else { 0 };
                self.concerned(bits | u32::from(search)) | set_id | if sticky { 0o1000 } else { 0 }
            }
            What::CopyOf(shift) => self.concerned((mode >> shift) & 7),
        };
        let bits = bits & !self.masked;
        match self.operator {
            Operator::Add => mode | bits,
            Operator::Remove => mode & !bits,
            Operator::Set => mode & !(self.who | special(0o700, 0o4000) | special(0o070, 0o2000)) | bits,
        }
    }

    /// `rwx` bits for those concerned.
    fn concerned(&self, bits: u32) -> u32 {
        (bits * 0o111) & self.who
    }
}

fn whom(c: char) -> Option<u32> {
    match c {
        'u' => Some(0o700),
        'g' => Some(0o070),
        'o' => Some(0o007),
        'a' => Some(0o777),
        _ => None,
    }
}

fn what(text: &str) -> Option<What> {
    match text {
        "u" => return Some(What::CopyOf(6)),
        "g" => return Some(What::CopyOf(3)),
        "o" => return Some(What::CopyOf(0)),
        _ => {}
    }
    let (mut bits, mut search, mut set_id, mut sticky) = (0, false, false, false);
    for c in text.chars() {
        match c {
            'r' => bits |= 4,
            'w' => bits |= 2,
            'x' => bits |= 1,
            'X' => search = true,
            's' => set_id = true,
            't' => sticky = true,
            _ => return None,
        }
    }
    Some(What::Permissions { bits, search, set_id, sticky })
}

/// Gives every file the mode.
///
/// A directory gets it too, but whoever may read it may also enter it, and its owner can do everything: `644`
/// must not lock a tree, and a version must be removable.
pub(super) struct Chmod(pub(super) Mode);

impl Rewrite for Chmod {
    fn content(&mut self, _source: &Source<'_>) -> Result<Content, StepError> {
        Ok(Content::Same)
    }

    fn mode(&self, kind: Kind, mode: u32) -> u32 {
        let is_directory = kind == Kind::Directory;
        let mode = self.0.apply(mode, is_directory);
        if is_directory { mode | ((mode & 0o444) >> 2) | 0o700 } else { mode }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_of_chmod() {
        for (text, before, after) in [
            ("755", 0o644, 0o755),
            ("0755", 0o644, 0o755),
            ("0o644", 0o777, 0o644),
            ("4755", 0o644, 0o4755),
            ("+x", 0o644, 0o755),
            ("+w", 0o444, 0o644),
            ("a+w", 0o444, 0o666),
            ("u+x,go-r", 0o644, 0o700),
            ("u=rwX,go=rX", 0o700, 0o755),
            ("u=rwX,go=rX", 0o600, 0o644),
            ("go=u", 0o640, 0o666),
            ("g=u-w", 0o640, 0o640),
            ("a=", 0o755, 0),
            ("u+s", 0o755, 0o4755),
            ("u=rx", 0o4755, 0o555),
            ("-w", 0o644, 0o444),
            ("o+t", 0o755, 0o1755),
        ] {
            assert_eq!(Mode::parse(text).unwrap().apply(before, false), after, "{text} on {before:o}");
        }
    }

    #[test]
    fn what_is_no_mode_is_refused() {
        for text in
            ["", "888", "77777", "rwx", "u", "z+x", "u+q", "u+x,", "0x1ff", "-1", "7 5", "u+ü", "0o", "755x"]
        {
            assert_eq!(Mode::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_directory_stays_usable() {
        for (text, after) in
            [("644", 0o755), ("600", 0o700), ("a-x", 0o755), ("000", 0o700), ("go-rwx", 0o700)]
        {
            let chmod = Chmod(Mode::parse(text).unwrap());
            assert_eq!(chmod.mode(Kind::Directory, 0o755), after, "{text}");
        }
    }
}
