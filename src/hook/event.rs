//! What git says happened: the name, the arguments and the input of a hook (githooks(5)).

use std::io::{BufRead, Read};

use super::{Error, HookName};

/// Longest line of `post-receive` that is read. Git itself refuses ref names far below this.
const LONGEST_LINE: u64 = 64 * 1024;

/// An update of the configured branch that a push brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// The commit the branch was pushed to; none if the push deleted it.
    pub new: Option<String>,
}

/// What happened, as git tells its hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A merge or a pull.
    Merge {
        /// `--squash`: nothing was committed yet.
        squash: bool,
    },
    /// Commits were rewritten.
    Rewrite {
        /// By a rebase, not by `commit --amend`.
        rebase: bool,
    },
    /// A commit was made.
    Commit,
    /// Something was checked out.
    Checkout {
        /// A branch or commit, not files.
        branch: bool,
    },
    /// A push was received.
    Receive {
        /// What it did to the configured branch, if anything.
        update: Option<Update>,
    },
}

impl Event {
    /// Reads the arguments of a hook, and of `post-receive` the input: only lines about `branch` matter.
    ///
    /// # Errors
    ///
    /// [`Error::ReceivedLine`] for input that is not `<old> <new> <ref>`, [`Error::Io`] if it cannot be read.
    pub fn read(
        name: HookName,
        args: &[String],
        input: &mut dyn BufRead,
        branch: Option<&str>,
    ) -> Result<Self, Error> {
        let arg = |index: usize| args.get(index).map(String::as_str);
        Ok(match name {
            HookName::PostMerge => Self::Merge { squash: arg(0) == Some("1") },
            HookName::PostRewrite => Self::Rewrite { rebase: arg(0) == Some("rebase") },
            HookName::PostCommit => Self::Commit,
            HookName::PostCheckout => Self::Checkout { branch: arg(2) == Some("1") },
            HookName::PostReceive => Self::Receive { update: received(input, branch)? },
        })
    }
}

/// The last update of `branch` among the lines of a push.
fn received(input: &mut dyn BufRead, branch: Option<&str>) -> Result<Option<Update>, Error> {
    let wanted = branch.map(|branch| format!("refs/heads/{branch}"));
    let mut update = None;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut *input).take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.map_err(Error::io("read", "standard input"))? == 0 {
            return Ok(update);
        }
        let bare = line.strip_suffix(b"\n").unwrap_or(&line);
        let mut fields = bare.splitn(3, |byte| *byte == b' ');
        let (Some(old), Some(new), Some(name)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(not_a_line(bare));
        };
        let (Some(_), Some(new)) = (object_id(old), object_id(new)) else { return Err(not_a_line(bare)) };
        if wanted.as_ref().is_some_and(|wanted| wanted.as_bytes() == name) {
            update = Some(Update { new: (!new.bytes().all(|digit| digit == b'0')).then(|| new.to_owned()) });
        }
    }
}

/// A full object id, SHA-1 or SHA-256.
fn object_id(field: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(field).ok()?;
    (matches!(text.len(), 40 | 64) && text.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(text)
}

fn not_a_line(line: &[u8]) -> Error {
    let line = String::from_utf8_lossy(&line[..line.len().min(120)]);
    Error::ReceivedLine { line: line.escape_debug().collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn receive(input: &str) -> Result<Event, Error> {
        Event::read(HookName::PostReceive, &[], &mut input.as_bytes(), Some("main"))
    }

    #[test]
    fn only_the_configured_branch_of_a_push_counts() {
        let push = format!("{A} {B} refs/heads/mainly\n{A} {B} refs/tags/main\n{A} {B} refs/heads/x/main\n");
        assert_eq!(receive(&push).unwrap(), Event::Receive { update: None });
        let push = format!("{push}{A} {B} refs/heads/main\n");
        assert_eq!(
            receive(&push).unwrap(),
            Event::Receive { update: Some(Update { new: Some(B.to_owned()) }) }
        );
        let deletion = format!("{A} {ZERO} refs/heads/main\n");
        assert_eq!(receive(&deletion).unwrap(), Event::Receive { update: Some(Update { new: None }) });
        assert_eq!(receive("").unwrap(), Event::Receive { update: None });
    }

    #[test]
    fn hostile_input_is_refused() {
        let flood = format!("{A} {B} refs/heads/{}\n", "x".repeat(200_000));
        for input in
            ["\n", "a b c\n", &format!("{A} --exec=x refs/heads/main\n"), &format!("{A} {B}\n"), &flood]
        {
            assert!(matches!(receive(input), Err(Error::ReceivedLine { .. })), "{input:.90}");
        }
    }

    #[test]
    fn arguments_are_githooks() {
        let read = |name, args: &[&str]| {
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            Event::read(name, &args, &mut std::io::empty(), None).unwrap()
        };
        assert_eq!(read(HookName::PostMerge, &["0"]), Event::Merge { squash: false });
        assert_eq!(read(HookName::PostMerge, &["1"]), Event::Merge { squash: true });
        assert_eq!(read(HookName::PostRewrite, &["rebase"]), Event::Rewrite { rebase: true });
        assert_eq!(read(HookName::PostRewrite, &["amend"]), Event::Rewrite { rebase: false });
        assert_eq!(read(HookName::PostCheckout, &[A, B, "1"]), Event::Checkout { branch: true });
        assert_eq!(read(HookName::PostCheckout, &[]), Event::Checkout { branch: false });
    }
}
