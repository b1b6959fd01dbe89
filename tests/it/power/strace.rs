//! What a command asked of the kernel, as strace(1) tells it.

use std::path::Path;
use std::process::Command;

/// Every system call that changes names, bytes or attributes, or makes them durable.
const CALLS: &str = "open,openat,creat,mkdir,mkdirat,mknod,mknodat,link,linkat,symlink,symlinkat,rename,renameat,renameat2,\
    unlink,unlinkat,rmdir,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate,sendfile,copy_file_range,\
    splice,chmod,fchmod,fchmodat,utimensat,fsync,fdatasync,sync_file_range,sync,syncfs,ioctl";

/// One system call that succeeded.
pub(super) struct Call {
    pub(super) name: String,
    pub(super) arguments: Vec<Argument>,
    /// What it returned; for `open` the path of the file.
    pub(super) result: Argument,
}

/// An argument as strace prints it.
#[derive(Clone, Debug)]
pub(super) enum Argument {
    /// `5</path>`: an open file, by the path it has now.
    Open(Vec<u8>),
    /// `"text"`: a path, or bytes that are written.
    Text(Vec<u8>),
    /// Numbers, flags and structures.
    Other(String),
}

impl Argument {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Open(bytes) | Self::Text(bytes) => bytes,
            Self::Other(text) => panic!("no path and no bytes: {text}"),
        }
    }

    pub(super) fn other(&self) -> &str {
        match self {
            Self::Other(text) => text,
            Self::Open(_) | Self::Text(_) => panic!("no number: {self:?}"),
        }
    }
}

/// Makes `strace` write the calls of what follows on its command line, and of all its children, to `file`.
pub(super) fn traced(command: &mut Command, file: &Path) {
    let trace = format!("trace={CALLS}");
    // Whole strings, all of them as hexadecimal digits, and the path of every open file.
    command
        .args(["-f", "-qq", "-y", "-xx", "-s", "10000000", "-e", &trace, "-e", "signal=none", "-o"])
        .arg(file);
}

/// The calls in what strace wrote, in the order in which they returned.
pub(super) fn calls(text: &str) -> Vec<Call> {
    let mut begun: Vec<(&str, &str)> = Vec::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let (process, line) = line.split_once(' ').unwrap();
        let line = line.trim_start();
        if let Some(start) = line.strip_suffix(" <unfinished ...>") {
            begun.push((process, start));
        } else if let Some((_, end)) =
            line.strip_prefix("<... ").and_then(|line| line.split_once(" resumed>"))
        {
            let at = begun.iter().rposition(|(other, _)| *other == process).unwrap();
            let (_, start) = begun.swap_remove(at);
            calls.extend(call(&format!("{start}{end}")));
        } else {
            calls.extend(call(line));
        }
    }
    calls
}

/// One line; `None` for a call that failed and for what is no call.
fn call(line: &str) -> Option<Call> {
    let (name, rest) = line.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let arguments = split(arguments).into_iter().map(argument).collect();
    Some(Call { name: name.to_owned(), arguments, result: argument(result) })
}

/// Splits at commas that are not within brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '[' | '{' => depth += 1,
            ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

fn argument(text: &str) -> Argument {
    if let Some(text) = text.strip_prefix('"') {
        let text = text.strip_suffix('"').unwrap_or_else(|| panic!("cut short: {text}"));
        return Argument::Text(unescaped(text));
    }
    match text.split_once('<') {
        Some((_, path)) if path.contains('>') => Argument::Open(unescaped(path.split('>').next().unwrap())),
        _ => Argument::Other(text.to_owned()),
    }
}

/// `\x2f\x74` as bytes.
fn unescaped(text: &str) -> Vec<u8> {
    let digits = text.split("\\x").skip(1);
    digits
        .map(|digits| u8::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("not escaped: {text}")))
        .collect()
}

#[test]
fn a_call_that_another_thread_interrupted_is_one_call() {
    let text = "12  openat(5<\\x2f\\x72>, \"\\x61\", O_WRONLY|O_CREAT, 0444 <unfinished ...>\n\
                13  fsync(7<\\x2f\\x72>) = 0\n\
                12  <... openat resumed>)             = 9<\\x2f\\x72\\x2f\\x61>\n\
                12  unlinkat(5<\\x2f\\x72>, \"\\x62\", 0) = -1 ENOENT (No such file or directory)\n\
                12  utimensat(9<\\x2f\\x61>, NULL, [{tv_sec=1, tv_nsec=0}, {tv_sec=2, tv_nsec=3}], 0) = 0\n";
    let calls = calls(text);
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(names, ["fsync", "openat", "utimensat"]);
    assert_eq!(calls[1].result.bytes(), b"/r/a");
    assert_eq!(calls[1].arguments[1].bytes(), b"a");
    assert_eq!(calls[2].arguments[2].other(), "[{tv_sec=1, tv_nsec=0}, {tv_sec=2, tv_nsec=3}]");
}
