//! `byte_compile`: Python sources as compiled modules.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::python::encoded;
use super::tree::{self, Content, Rewrite, Source};
use super::{StepError, StepRun};
use crate::disk::{Dir, Kind};

/// Compiles `[source, compiled, name to show]` each. The compiled module carries a hash instead of the time of
/// its source, which is gone: the same source gives the same bytes.
const COMPILE: &str = r#"
import json, os, py_compile, sys
with open(sys.argv[1], encoding="utf-8") as file:
    request = json.load(file)
path = lambda text: os.fsdecode(text.encode("latin-1"))
for source, compiled, shown in request:
    try:
        py_compile.compile(path(source), path(compiled), path(shown), doraise=True, optimize=0,
                           invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    except py_compile.PyCompileError as error:
        sys.exit(error.msg.strip())
"#;

/// What of the user's settings would change the result, and which modules are the interpreter's own.
const ENVIRONMENT: [(&str, &str); 3] = [("PYTHONHASHSEED", "0"), ("PYTHONOPTIMIZE", ""), ("PYTHONPATH", "")];

/// Keeps everything but Python sources, which it collects.
struct Collect {
    is_tree: bool,
    sources: Vec<(PathBuf, u32)>,
}

impl Rewrite for Collect {
    fn content(&mut self, source: &Source<'_>) -> Result<Content, StepError> {
        // A program of its own may have no extension. In a tree only modules are compiled: whatever starts a
        // program by its path needs the source.
        let is_python = is_module(source.path) || !self.is_tree && is_program(source.text()?.as_deref());
        if !is_python {
            return Ok(Content::Same);
        }
        self.sources.push((source.path.to_owned(), self.mode(Kind::File, source.stat.mode)));
        Ok(Content::Nothing)
    }

    /// A link from module to module goes on leading from one to the other.
    fn link(&self, name: &Path, text: PathBuf) -> (PathBuf, PathBuf) {
        if is_module(name) && is_module(&text) && text.is_relative() {
            (name.with_extension("pyc"), text.with_extension("pyc"))
        } else {
            (name.to_owned(), text)
        }
    }
}

fn is_module(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

/// True if the first line names Python as the interpreter.
fn is_program(text: Option<&[u8]>) -> bool {
    let first = text.and_then(|text| text.split(|byte| *byte == b'\n').next()).unwrap_or_default();
    first.starts_with(b"#!") && first.windows(6).any(|word| word == b"python")
}

impl StepRun<'_> {
    /// Compiles every `.py` file of a tree to a `.pyc` in its place, or a file that is a Python program to one of
    /// the same name, as distman does. Other files are kept.
    pub(super) fn byte_compile(&self) -> Result<(), StepError> {
        let (parent, name) = tree::place(self.input)?;
        let is_tree = parent.stat(name)?.is_some_and(|stat| stat.kind == Kind::Directory);
        let mut collect = Collect { is_tree, sources: Vec::new() };
        self.rewrite(&mut collect)?;
        if collect.sources.is_empty() {
            return Ok(());
        }

        let compiled = |path: &Path| {
            if is_tree { Path::new(name).join(path).with_extension("pyc") } else { path.to_owned() }
        };
        let request = collect.sources.iter().map(|(path, _)| {
            let source = if is_tree { self.input.join(path) } else { self.input.to_owned() };
            json!([encoded(&source), encoded(&self.folder.join(compiled(path))), encoded(path)])
        });
        let request: Value = request.collect();
        self.python("byte_compile", COMPILE, &request, self.private.path(), &ENVIRONMENT)?;
        for (path, mode) in &collect.sources {
            set_mode(self.folder, &compiled(path), *mode)?;
        }
        Ok(())
    }
}

fn set_mode(folder: &Dir, path: &Path, mode: u32) -> Result<(), StepError> {
    let (above, name) = (path.parent().unwrap_or(Path::new("")), path.file_name().unwrap_or_default());
    Ok(folder.descend(above)?.set_mode(name, mode)?)
}

#[cfg(test)]
mod tests {
    use super::is_program;

    #[test]
    fn programs_say_so_in_their_first_line() {
        for (text, python) in [
            (&b"#!/usr/bin/env python3\n"[..], true),
            (b"#!/usr/bin/python", true),
            (b"#!/bin/sh\npython x", false),
            (b"# python\n", false),
            (b"", false),
        ] {
            assert_eq!(is_program(Some(text)), python);
        }
        assert!(!is_program(None));
    }
}
