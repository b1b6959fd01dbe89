//! What is refused in a well-formed manifest: all that can be seen without git, environment or
//! disk.

use std::collections::HashMap;

use jsonc_parser::ast::Value;
use jsonc_parser::common::{Range, Ranged};

use super::document::{Document, key_range, member};
use super::error::{Diagnostic, ManifestError, quoted};
use super::target_spec::tidy;
use super::{Action, Manifest, Pattern, Pipeline, TargetSpec, Template};

/// Linux takes no longer path, and no pattern needs more.
const MAX_PATH: usize = 4096;

/// Refuses what cannot be deployed.
///
/// # Errors
///
/// The first refusal, at its place, naming the target.
pub(super) fn check(
    manifest: &Manifest,
    document: &Document<'_>,
    root: &Value<'_>,
) -> Result<(), ManifestError> {
    let check = Check { document, root };
    if manifest.targets.is_empty() {
        return Err(check.at_key(&["targets"], "`targets` is empty: there is nothing to deploy").into());
    }
    if let Some(pipeline) = &manifest.pipeline {
        check.pipeline(pipeline, &["pipeline"], "")?;
    }
    let mut destinations = HashMap::new();
    for (name, target) in &manifest.targets {
        if name.is_empty() {
            return Err(check.at_key(&["targets", name], "a target must have a name").into());
        }
        let check = TargetCheck { inner: &check, name };
        check.source(target)?;
        check.destination(target)?;
        check.shared(target)?;
        check.run(target)?;
        if let Some(pipeline) = &target.pipeline {
            let owner = format!(" of target {}", quoted(name));
            check.inner.pipeline(pipeline, &["targets", name, "pipeline"], &owner)?;
        }
        if target.pattern().is_literal()
            && let Some(other) = destinations.insert(tidy(&target.destination), name)
        {
            let message = format!("targets {} and {} have the same destination", quoted(other), quoted(name));
            let mut diagnostic = check.error("destination", &target.destination, None, message);
            if let Some(first) = member(root, &["targets", other, "destination"]) {
                let line = document.line(first.value.start());
                diagnostic.hint = Some(format!("the first one is on line {line}"));
            }
            return Err(diagnostic.into());
        }
    }
    Ok(())
}

/// The bytes of the first component that is `..`.
fn parent_component(path: &str) -> Option<std::ops::Range<usize>> {
    let mut start = 0;
    for name in path.split('/') {
        if name == ".." {
            return Some(start..start + 2);
        }
        start += name.len() + 1;
    }
    None
}

struct Check<'a> {
    document: &'a Document<'a>,
    root: &'a Value<'a>,
}

impl Check<'_> {
    fn at_key(&self, path: &[&str], message: impl Into<String>) -> Diagnostic {
        let range = member(self.root, path).map_or(Range::new(0, 0), key_range);
        self.document.at(range, message)
    }

    fn at_value(&self, path: &[&str], message: impl Into<String>) -> Diagnostic {
        let range = member(self.root, path).map_or(Range::new(0, 0), |member| member.value.range());
        self.document.at(range, message)
    }

    /// Step names become names of folders; the variables and commands become those of a process.
    fn pipeline(&self, pipeline: &Pipeline, path: &[&str], owner: &str) -> Result<(), ManifestError> {
        for (name, step) in pipeline {
            let at = |keys: &[&'_ str], message: String| {
                let path: Vec<_> =
                    path.iter().copied().chain([name.as_str()]).chain(keys.iter().copied()).collect();
                if keys.is_empty() { self.at_key(&path, message) } else { self.at_value(&path, message) }
            };
            if matches!(name.as_str(), "" | "." | "..") || name.contains(['/', '\0']) {
                let message =
                    format!("step {}{owner} must have a plain name, without `/` or `..`", quoted(name));
                return Err(at(&[], message).into());
            }
            for (variable, value) in &step.env {
                if variable.is_empty() || variable.contains(['=', '\0']) || value.contains('\0') {
                    let subject = format!("variable {} of step {}{owner}", quoted(variable), quoted(name));
                    let message = format!("{subject} must have a name, without `=`, and no zero byte");
                    return Err(at(&["env", variable], message).into());
                }
            }
            let commands = match &step.action {
                Action::Script(commands) => commands.as_slice(),
                Action::Function { .. } => &[],
            };
            if commands.iter().any(|command| command.contains('\0')) {
                let message = format!("`script` of step {}{owner} must not hold a zero byte", quoted(name));
                return Err(at(&["script"], message).into());
            }
        }
        Ok(())
    }
}

struct TargetCheck<'a> {
    inner: &'a Check<'a>,
    name: &'a str,
}

impl TargetCheck<'_> {
    /// A message about the value of `key`, a text, or about a part of it.
    fn error(
        &self,
        key: &str,
        value: &str,
        part: Option<std::ops::Range<usize>>,
        message: String,
    ) -> Diagnostic {
        let range =
            member(self.inner.root, &["targets", self.name, key]).map_or(Range::new(0, 0), |member| {
                let literal = member.value.range();
                part.map_or(literal, |part| self.inner.document.within(literal, value, part))
            });
        self.inner.document.at(range, message)
    }

    /// What source, destination and shared paths have in common.
    fn path(&self, key: &str, value: &str) -> Result<(), ManifestError> {
        let subject = format!("`{key}` of target {}", quoted(self.name));
        let (part, predicate) = if value.is_empty() {
            (None, "is empty".to_owned())
        } else if value.len() > MAX_PATH {
            (None, format!("is longer than {MAX_PATH} bytes"))
        } else if let Some(at) = value.find('\0') {
            (Some(at..at), "holds a zero byte".to_owned())
        } else if let Some(part) = parent_component(value) {
            (Some(part), "must not contain `..`".to_owned())
        } else {
            return Ok(());
        };
        Err(self.error(key, value, part, format!("{subject} {predicate}")).into())
    }

    fn source(&self, target: &TargetSpec) -> Result<(), ManifestError> {
        let source = &target.source;
        self.path("source", source)?;
        if source.starts_with('/') {
            let message =
                format!("`source` of target {} must be relative to the manifest", quoted(self.name));
            return Err(self.error("source", source, Some(0..1), message).into());
        }
        Ok(())
    }

    /// Every wildcard has its placeholder, and every placeholder its wildcard.
    fn destination(&self, target: &TargetSpec) -> Result<(), ManifestError> {
        let destination = &target.destination;
        self.path("destination", destination)?;

        let wildcards = Pattern::parse(&target.source).captures();
        let template = Template::parse(destination);
        let name = quoted(self.name);
        for placeholder in template.placeholders() {
            let written = quoted(&destination[placeholder.range.clone()]);
            let reason = match (placeholder.number, wildcards) {
                (0, _) => ": placeholders count from `%1`".to_owned(),
                (number, _) if number <= wildcards => continue,
                (_, 0) => ", whose source has no wildcard".to_owned(),
                (_, 1) => ", whose source has one wildcard".to_owned(),
                _ => format!(", whose source has {wildcards} wildcards"),
            };
            let message = format!("{written} in the destination of target {name}{reason}");
            let part = Some(placeholder.range.clone());
            return Err(self.error("destination", destination, part, message).into());
        }

        let mut placed = vec![false; wildcards];
        for placeholder in template.placeholders() {
            placed[placeholder.number - 1] = true;
        }
        if let Some(missing) = placed.iter().position(|placed| !placed) {
            let number = missing + 1;
            let message = format!(
                "the destination of target {name} has no `%{number}` for wildcard {number} of its \
                 source"
            );
            let mut diagnostic = self.error("destination", destination, None, message);
            let plain = Pattern::escape(&target.source);
            diagnostic.hint = Some(format!("for a path of that very name, write {}", quoted(&plain)));
            return Err(diagnostic.into());
        }
        Ok(())
    }

    /// The program is a path inside the version; its arguments may be anything that a process can be given.
    fn run(&self, target: &TargetSpec) -> Result<(), ManifestError> {
        let Some((program, arguments)) = target.run.split_first() else { return Ok(()) };
        self.path("run", program)?;
        let name = quoted(self.name);
        if program.starts_with('/') || tidy(program).is_empty() {
            let message = format!(
                "`run` of target {name} must name a program inside the version, found {}",
                quoted(program)
            );
            return Err(self.error("run", program, None, message).into());
        }
        if let Some(argument) = arguments.iter().find(|argument| argument.contains('\0')) {
            let message = format!("`run` of target {name} must not hold a zero byte");
            return Err(self.error("run", argument, None, message).into());
        }
        Ok(())
    }

    fn shared(&self, target: &TargetSpec) -> Result<(), ManifestError> {
        for path in &target.shared {
            self.path("shared", path)?;
            if path.starts_with('/') || tidy(path).is_empty() {
                let message = format!(
                    "`shared` of target {} must name paths inside the version, found {}",
                    quoted(self.name),
                    quoted(path)
                );
                return Err(self.error("shared", path, None, message).into());
            }
        }
        let paths = target.shared_paths();
        for (index, path) in paths.iter().enumerate() {
            let others = paths.iter().enumerate().filter(|(other, _)| *other != index);
            let is_inside = |outer: &str| {
                path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if let Some((_, outer)) = others.into_iter().find(|(_, outer)| is_inside(outer)) {
                let name = quoted(self.name);
                let message = if outer == path {
                    format!("`shared` of target {name} names {} twice", quoted(path))
                } else {
                    format!(
                        "`shared` of target {name} names {}, which lies inside {}",
                        quoted(path),
                        quoted(outer)
                    )
                };
                return Err(self.error("shared", path, None, message).into());
            }
        }
        Ok(())
    }
}
