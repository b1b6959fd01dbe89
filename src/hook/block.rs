//! The text that git dist puts into a hook: a marked block of shell, found and removed again byte for byte.

use std::ops::Range;
use std::path::Path;

use super::{Error, HookName};

const BEGIN: &[u8] = b"# >>> git dist >>>\n";
const END: &[u8] = b"# <<< git dist <<<\n";
const BINARY: &str = "@BINARY@";
const CREATED: &str = "# This file was written by git dist as a whole.\n";

/// The first line of a hook that git dist writes as a whole.
pub(super) const SHEBANG: &[u8] = b"#!/bin/sh\n";

/// How a block stands in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// There was no hook; the file is ours.
    Created,
    /// After the first line of a shell script that was there.
    Added,
    /// The file is ours and calls the hook that was there, kept beside it.
    Wrapped,
}

/// The text of a hook before any place is known.
fn template(hook: HookName) -> &'static str {
    match hook {
        HookName::PostMerge => include_str!("../../hooks/post-merge"),
        HookName::PostRewrite => include_str!("../../hooks/post-rewrite"),
        HookName::PostCommit => include_str!("../../hooks/post-commit"),
        HookName::PostCheckout => include_str!("../../hooks/post-checkout"),
        HookName::PostReceive => include_str!("../../hooks/post-receive"),
    }
}

/// The block of one hook, marks included.
pub(super) fn render(hook: HookName, binary: &str, shape: Shape) -> Vec<u8> {
    let mut text = template(hook).replace(BINARY, &quoted(binary));
    let kept = include_str!("../../hooks/kept").replace("@HOOK@", hook.as_str());
    let (begin, end) = (BEGIN.len(), text.len() - END.len());
    match shape {
        Shape::Added => {}
        Shape::Created => text.insert_str(begin, CREATED),
        Shape::Wrapped => text.insert_str(end, &kept),
    }
    text.into_bytes()
}

/// The same text as one shell command, for `hook.<name>.command`.
pub(super) fn command(hook: HookName, binary: &str) -> String {
    let text = template(hook).replace(BINARY, &quoted(binary));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    // Git appends `"$@"` to the last word.
    format!("git_dist_hook() {{\n{}\n}}\ngit_dist_hook", lines.join("\n"))
}

/// The one line to put into a hook that git dist does not write.
pub(super) fn line(hook: HookName, binary: &str) -> String {
    let input = if hook == HookName::PostReceive { "" } else { " </dev/null" };
    format!(
        "(d=$(git rev-parse --absolute-git-dir) && unset $(git rev-parse --local-env-vars) && \
         {} hook run --git-dir \"$d\" {hook} \"$@\"){input} >&2 || :",
        quoted(binary)
    )
}

/// Single-quoted for a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The binary that a block calls.
pub(super) fn binary_of(block: &str) -> Option<String> {
    let (_, rest) = block.split_once("  binary='")?;
    // The quoted path is followed by the `if` of every template, and cannot hold an unescaped quote itself.
    let (path, _) = rest.split_once("'\n  if [ -f ")?;
    Some(path.replace(r"'\''", "'"))
}

/// Where the block is in a file; none if there is no mark at all.
///
/// # Errors
///
/// [`Error::DamagedBlock`] if one mark is missing or stands twice.
pub(super) fn find(text: &[u8], path: &Path) -> Result<Option<Range<usize>>, Error> {
    let damaged = |problem| Error::DamagedBlock { path: path.to_owned(), problem };
    let begin = lines_equal_to(text, BEGIN);
    let end = lines_equal_to(text, END);
    match (begin.as_slice(), end.as_slice()) {
        ([], []) => Ok(None),
        ([begin], [end]) if begin < end => Ok(Some(*begin..end + END.len())),
        ([], _) => Err(damaged("its first line is missing")),
        (_, []) => Err(damaged("its last line is missing")),
        _ => Err(damaged("its marks do not enclose one block")),
    }
}

/// Offsets of the lines that are exactly `wanted`.
fn lines_equal_to(text: &[u8], wanted: &[u8]) -> Vec<usize> {
    let mut offset = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line == wanted {
            found.push(offset);
        }
        offset += line.len();
    }
    found
}

/// How a block that was found stands in its file.
pub(super) fn shape_of(block: &[u8]) -> Shape {
    let text = String::from_utf8_lossy(block);
    if text.contains("\ngit_dist_kept=") {
        Shape::Wrapped
    } else if text.contains(CREATED) {
        Shape::Created
    } else {
        Shape::Added
    }
}

/// The text with `range` replaced.
pub(super) fn spliced(text: &[u8], range: Range<usize>, by: &[u8]) -> Vec<u8> {
    [&text[..range.start], by, &text[range.end..]].concat()
}

/// Where a block goes in an existing hook: after its first line, if that names a shell that reads the block as meant.
/// None for everything else, which is kept whole beside a hook of ours.
pub(super) fn place_in(text: &[u8]) -> Option<usize> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    if text.contains(&0) {
        return None;
    }
    let first = std::str::from_utf8(&text[..end]).ok()?.strip_prefix("#!")?;
    let mut words = first.split([' ', '\t']).filter(|word| !word.is_empty());
    let mut interpreter = words.next()?;
    if interpreter == "/usr/bin/env" {
        interpreter = words.next()?;
    }
    let shell = interpreter.rsplit('/').next()?;
    let flags = words
        .all(|word| word.strip_prefix('-').is_some_and(|flags| flags.bytes().all(|c| b"eux".contains(&c))));
    (flags && ["sh", "bash", "dash", "ash", "ksh", "mksh"].contains(&shell)).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_in_and_comes_out_byte_for_byte() {
        let before = b"#!/bin/sh -e\n# caf\xe9\nexit 7".as_slice();
        for hook in HookName::ALL {
            let at = place_in(before).unwrap();
            let block = render(hook, "/opt/it's here/git-dist", Shape::Added);
            let with = spliced(before, at..at, &block);
            let found = find(&with, Path::new("x")).unwrap().unwrap();
            assert_eq!(with[found.clone()], block);
            assert_eq!(shape_of(&block), Shape::Added);
            assert_eq!(binary_of(std::str::from_utf8(&block).unwrap()).unwrap(), "/opt/it's here/git-dist");
            assert_eq!(spliced(&with, found, b""), before);
        }
    }

    #[test]
    fn shapes_are_told_apart() {
        for shape in [Shape::Created, Shape::Added, Shape::Wrapped] {
            let block = render(HookName::PostReceive, "/git-dist", shape);
            assert_eq!(shape_of(&block), shape);
            assert_eq!(find(&block, Path::new("x")).unwrap(), Some(0..block.len()));
        }
    }

    #[test]
    fn only_plain_shells_take_a_block() {
        for first in ["#!/bin/sh", "#! /bin/bash -eu", "#!/usr/bin/env bash", "#!/usr/local/bin/dash -x"] {
            assert_eq!(place_in(format!("{first}\ntrue\n").as_bytes()), Some(first.len() + 1), "{first}");
        }
        let others = [
            "#!/usr/bin/env python3\n",
            "#!/usr/bin/python3\n",
            "#!/bin/sh\r\n",
            "#!/bin/sh",
            "#!/bin/bash -r\n",
            "#!/bin/zsh\n",
            "#!/usr/bin/env -S bash -e\n",
            "true\n",
            "",
            "#!\n",
            "\x7fELF\n",
            "#!/bin/sh\n\0",
        ];
        for text in others {
            assert_eq!(place_in(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn damage_is_seen() {
        let block = String::from_utf8(render(HookName::PostMerge, "/git-dist", Shape::Created)).unwrap();
        let cases = [
            block.replace("# <<< git dist <<<\n", ""),
            block.replace("# >>> git dist >>>\n", ""),
            format!("{block}{block}"),
        ];
        for text in cases {
            assert!(
                matches!(find(text.as_bytes(), Path::new("x")), Err(Error::DamagedBlock { .. })),
                "{text}"
            );
        }
        assert_eq!(find(b"  # >>> git dist >>>\n", Path::new("x")).unwrap(), None);
    }
}
