//! `.gitattributes`, read from the exported commit at full repository paths and from nowhere else.
//!
//! `git archive` also looks at `$GIT_DIR/info/attributes` and at the user's attribute file. A version
//! must be the same on every machine, so these are left out here.

use bstr::{BStr, BString, ByteSlice as _, ByteVec as _};
use gix::attrs::StateRef;
use gix::attrs::search::{MetadataCollection, Outcome};

/// The attributes that decide what is exported and how.
const NAMES: [&str; 8] =
    ["export-ignore", "export-subst", "text", "crlf", "eol", "ident", "working-tree-encoding", "filter"];

/// The attribute files of one repository, from the root down to the directory that is being read.
pub(super) struct AttributeStack {
    search: gix::attrs::Search,
    collection: MetadataCollection,
    outcome: Outcome,
    /// The directories entered, outermost first, and whether each has an attribute file that counts.
    entered: Vec<(BString, bool)>,
    /// An attribute file has defined macros, so that any name may stand for any attribute.
    has_macros: bool,
}

/// What the attributes say of one path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) export_ignore: bool,
    pub(super) conversion: Conversion,
    /// A filter that is named and not configured: it changes nothing until it is.
    pub(super) idle_filter: Option<String>,
}

/// How a blob's bytes are changed on their way to the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Conversion {
    /// `text`, `crlf` and `eol` as an attribute line; empty where they change nothing.
    pub(super) line: String,
    /// `$Id$` is expanded.
    pub(super) ident: bool,
    /// The encoding that the file has on disk, where it is not UTF-8.
    pub(super) encoding: Option<String>,
    /// The filter that smudges the file.
    pub(super) filter: Option<String>,
    /// `$Format:...$` is expanded.
    pub(super) subst: bool,
}

impl AttributeStack {
    pub(super) fn new() -> Self {
        let mut collection = MetadataCollection::default();
        let none: [std::path::PathBuf; 0] = [];
        let search = gix::attrs::Search::new_globals(none, &mut Vec::new(), &mut collection)
            .expect("the built-in macros parse, and no file is read");
        let mut outcome = Outcome::default();
        outcome.initialize_with_selection(&collection, NAMES);
        Self { search, collection, outcome, entered: Vec::new(), has_macros: false }
    }

    /// Enters `directory` (full path, empty for the root), whose attribute file holds `bytes`.
    pub(super) fn enter(&mut self, directory: &BStr, bytes: Option<&[u8]>) {
        self.has_macros |= bytes.is_some_and(|bytes| bytes.contains_str("[attr]"));
        let bytes = bytes.filter(|bytes| self.has_macros || may_decide(bytes));
        if let Some(bytes) = bytes {
            let mut source = directory.to_owned();
            source.push_str(if directory.is_empty() { ".gitattributes" } else { "/.gitattributes" });
            let source = crate::disk::on_disk(&source).to_owned();
            let root = Some(std::path::Path::new(""));
            // git allows macros in the top-level file only (gitattributes(5), "DEFINING MACRO ATTRIBUTES").
            let added = self.search.add_patterns_buffer(
                bytes,
                source,
                root,
                &mut self.collection,
                directory.is_empty(),
            );
            added.expect("the file has a parent directory, and nothing else fails");
            // The outcome remembers ids by name only once; a larger collection needs a new one.
            self.outcome = Outcome::default();
            self.outcome.initialize_with_selection(&self.collection, NAMES);
        }
        self.entered.push((directory.to_owned(), bytes.is_some()));
    }

    /// Leaves the directory entered last.
    pub(super) fn leave(&mut self) {
        if let Some((_, true)) = self.entered.pop() {
            self.search.pop_pattern_list();
        }
    }

    /// Leaves directories until the one entered last is `directory` or contains it; returns it.
    pub(super) fn leave_to_ancestor_of(&mut self, directory: &BStr) -> Option<BString> {
        while let Some((last, _)) = self.entered.last() {
            if is_within(directory, last.as_bstr()) {
                return Some(last.clone());
            }
            self.leave();
        }
        None
    }

    /// What the attribute files say of `path` (full path).
    pub(super) fn query(
        &mut self,
        path: &BStr,
        is_dir: bool,
        has_driver: impl Fn(&str) -> bool,
    ) -> Attributes {
        if !self.entered.iter().any(|(_, has_file)| *has_file) {
            return Attributes::default();
        }
        self.outcome.reset();
        let case = gix::glob::pattern::Case::Sensitive;
        if !self.search.pattern_matching_relative_path(path, case, Some(is_dir), &mut self.outcome) {
            return Attributes::default();
        }
        let mut found = Attributes::default();
        let mut line: Vec<String> = Vec::new();
        let mut changes = false;
        for found_attribute in self.outcome.iter_selected() {
            let name = found_attribute.assignment.name.as_str();
            let state = found_attribute.assignment.state;
            let value = match state {
                StateRef::Value(value) => Some(value.as_bstr().to_str_lossy().into_owned()),
                _ => None,
            };
            match (name, state) {
                ("export-ignore", StateRef::Set) => found.export_ignore = true,
                ("export-subst", StateRef::Set) => found.conversion.subst = true,
                ("ident", StateRef::Set) => found.conversion.ident = true,
                ("text" | "crlf" | "eol", StateRef::Set) => line.push(name.into()),
                ("text" | "crlf" | "eol", StateRef::Unset) => line.push(format!("-{name}")),
                ("text" | "crlf" | "eol", StateRef::Value(_)) => {
                    let value = value.unwrap_or_default();
                    // Only `eol=crlf` makes the file on disk differ from the blob; the rest is about checking in.
                    changes |= name == "eol" && value == "crlf";
                    line.push(format!("{name}={value}"));
                }
                ("working-tree-encoding", StateRef::Value(_)) => {
                    found.conversion.encoding =
                        value.filter(|name| !name.is_empty() && !super::encoding::is_utf8(name));
                }
                // git knows no such encodings either, and stops.
                ("working-tree-encoding", StateRef::Set) => found.conversion.encoding = Some("true".into()),
                ("working-tree-encoding", StateRef::Unset) => {
                    found.conversion.encoding = Some("false".into());
                }
                ("filter", StateRef::Value(_)) => {
                    // A filter that is not configured leaves the content as stored, as in git; a git-lfs pointer
                    // is looked at all the same, because it must not pass for content.
                    match value {
                        Some(name) if name == "lfs" || has_driver(&name) => {
                            found.conversion.filter = Some(name);
                        }
                        idle => found.idle_filter = idle,
                    }
                }
                _ => {}
            }
        }
        if changes {
            found.conversion.line = line.join(" ");
        }
        found
    }
}

/// False for an attribute file that has nothing to say of [`NAMES`], as those that only help `git diff`: where no macro is
/// defined, and git's own `binary` is not used, an attribute has to be named.
fn may_decide(bytes: &[u8]) -> bool {
    NAMES.into_iter().chain(["binary"]).any(|name| bytes.contains_str(name))
}

fn is_within(path: &BStr, directory: &BStr) -> bool {
    directory.is_empty()
        || path == directory
        || (path.starts_with(directory) && path.get(directory.len()) == Some(&b'/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(stack: &mut AttributeStack, path: &str) -> Attributes {
        stack.query(path.into(), false, |name| name == "known")
    }

    #[test]
    fn the_nearest_file_wins_and_leaving_forgets_it() {
        let mut stack = AttributeStack::new();
        stack.enter("".into(), Some(b"[attr]dos text eol=crlf\n*.txt dos\nsecret export-ignore\n"));
        stack.enter("a".into(), Some(b"*.txt -text\nx.bin filter=known working-tree-encoding=UTF-8\n"));
        assert_eq!(query(&mut stack, "a/x.bin").conversion.filter.as_deref(), Some("known"));
        assert_eq!(query(&mut stack, "a/x.bin").conversion.encoding, None);
        assert!(query(&mut stack, "a/secret").export_ignore, "the outer file applies at full paths");
        assert!(query(&mut stack, "a/x.txt").conversion.line.contains("-text"));
        assert_eq!(stack.leave_to_ancestor_of("b".into()), Some("".into()));
        assert!(query(&mut stack, "b/x.txt").conversion.line.contains("eol=crlf"), "macros are expanded");
    }

    #[test]
    fn a_file_counts_if_it_may_decide_anything() {
        let mut stack = AttributeStack::new();
        stack.enter("".into(), Some(b"*.txt eol=crlf\n"));
        stack.enter("a".into(), Some(b"*.c diff=cpp\n"));
        assert!(!stack.entered[1].1, "it decides nothing");
        stack.enter("a/b".into(), Some(b"*.txt binary\n"));
        assert_eq!(query(&mut stack, "a/b/x.txt").conversion.line, "-text eol=crlf", "`binary` is a macro");

        let mut stack = AttributeStack::new();
        stack.enter("".into(), Some(b"[attr]mine export-ignore\n"));
        stack.enter("a".into(), Some(b"x mine\n"));
        assert!(query(&mut stack, "a/x").export_ignore);
    }

    #[test]
    fn what_changes_nothing_on_disk_is_no_conversion() {
        let mut stack = AttributeStack::new();
        stack.enter("".into(), Some(b"* text=auto\n*.sh eol=lf\n*.png binary filter=unknown\n"));
        for path in ["a", "a.sh", "b.png"] {
            assert_eq!(query(&mut stack, path).conversion, Conversion::default(), "{path}");
        }
    }
}
