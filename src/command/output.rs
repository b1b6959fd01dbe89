//! What a command printed: kept in bounds, and made fit to be shown.

use std::fmt::{self, Write as _};
use std::io::{self, Read};

/// The bytes of a command's output that are kept: the last ones, where errors are.
pub const MAX_OUTPUT: usize = 64 * 1024;

/// The lines of a failed command's output that its error shows.
const SHOWN_LINES: usize = 40;

/// What a command printed on stdout and stderr, in the order in which it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Output {
    /// The last [`MAX_OUTPUT`] bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[self.bytes.len().saturating_sub(MAX_OUTPUT)..]
    }

    /// True if there was more before [`Output::bytes`].
    pub fn is_cut(&self) -> bool {
        self.is_cut || self.bytes.len() > MAX_OUTPUT
    }

    /// Reads what a pipe that does not block has now. False at its end.
    pub(super) fn read_from(&mut self, pipe: &mut impl Read) -> io::Result<bool> {
        let mut chunk = [0; 8 * 1024];
        // A command that prints faster than this reads must not keep its clock from being looked at.
        for _ in 0..64 {
            match pipe.read(&mut chunk) {
                Ok(0) => return Ok(false),
                Ok(count) => self.push(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn push(&mut self, chunk: &[u8]) {
        self.bytes.extend_from_slice(chunk);
        if self.bytes.len() > 4 * MAX_OUTPUT {
            self.bytes.drain(..self.bytes.len() - MAX_OUTPUT);
            self.is_cut = true;
        }
    }
}

/// The last lines, indented, with everything that could drive a terminal written as escapes.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = visible(self.bytes().trim_ascii_end());
        if text.is_empty() {
            return f.write_str("it printed nothing");
        }
        let lines: Vec<_> = text.lines().collect();
        let shown = &lines[lines.len().saturating_sub(SHOWN_LINES)..];
        f.write_str(if self.is_cut() || shown.len() < lines.len() {
            "it printed, at last:"
        } else {
            "it printed:"
        })?;
        for line in shown {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// Text for a terminal: control characters and bytes that are not UTF-8 as escapes, but line breaks and tabs as
/// they are.
pub(super) fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let mut characters = chunk.valid().chars().peekable();
        while let Some(c) = characters.next() {
            match c {
                '\n' | '\t' => text.push(c),
                '\r' if characters.peek() == Some(&'\n') => {}
                c if c.is_control() || is_direction(c) => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing into a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// Characters that reorder the text around them.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(bytes: &[u8]) -> Output {
        let mut output = Output::default();
        assert!(!output.read_from(&mut &*bytes).unwrap());
        output
    }

    #[test]
    fn what_could_drive_a_terminal_is_shown() {
        for (bytes, shown) in [
            (&b""[..], "it printed nothing"),
            (b"a\r\n\tb\n\n", "it printed:\n    a\n    \tb"),
            (b"\x1b[2J\x07\xff", "it printed:\n    \\u{1b}[2J\\u{7}\\xff"),
            ("10%\r20% ü \u{202e}".as_bytes(), "it printed:\n    10%\\r20% ü \\u{202e}"),
        ] {
            assert_eq!(output(bytes).to_string(), shown);
        }
    }

    #[test]
    fn the_end_of_much_output_is_kept() {
        let lines: String = (0..100_000).flat_map(|n| [n.to_string(), "\n".to_owned()]).collect();
        let mut output = Output::default();
        let mut rest = lines.as_bytes();
        while output.read_from(&mut rest).unwrap() {}
        assert!(output.is_cut());
        assert_eq!(output.bytes(), &lines.as_bytes()[lines.len() - MAX_OUTPUT..]);
        let shown = output.to_string();
        assert!(shown.starts_with("it printed, at last:\n    99960\n"), "{shown}");
        assert!(shown.ends_with("\n    99999"));
    }
}
