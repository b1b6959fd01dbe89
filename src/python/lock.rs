//! What was chosen: every package with its version and the digests of its files.
//!
//! The text is a requirements file as pip and uv read it, with a header of comments. It is read strictly, since it may
//! have been somewhere else in between: only what could have been written here is taken, and what a program is given is
//! written anew from what was read.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use pep440_rs::Version;
use sha2::{Digest as _, Sha256};

use super::requirement::{Requirement, is_name, normalised};
use super::{PythonError, Result};
use crate::remote::hex;

/// Packages with versions and digests, for one requirement, Python and platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    pub(super) requirement: Requirement,
    /// Where it was resolved, without credentials.
    pub(super) index: String,
    /// Which Python it is for: implementation and version, `cpython 3.11`.
    pub(super) python: String,
    /// Which system and processor it is for, as `sysconfig.get_platform()` says.
    pub(super) platform: String,
    /// What resolved it: `uv 0.9.0`.
    pub(super) tool: String,
    /// The file, where it is an egg.
    pub(super) egg: Option<String>,
    /// In order of their names.
    pub(super) pins: Vec<Pin>,
}

/// One package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    /// Normalised.
    pub(super) name: String,
    pub(super) version: Version,
    /// SHA-256 of each file that it may be installed from, hexadecimal.
    pub(super) digests: BTreeSet<String>,
}

/// The first line.
const TITLE: &str = "# Python packages, locked by git dist";
/// The longest text, in bytes: some thousand packages with all their files.
const LONGEST: usize = 16 << 20;

impl Lock {
    /// Reads the text of a lock.
    ///
    /// # Errors
    /// When it is none, or holds anything that git dist does not write.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |line: usize, why: &str| PythonError::Lock { line, why: why.to_owned() };
        if text.len() > LONGEST {
            return Err(wrong(1, "it is too long"));
        }
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line)).peekable();
        if lines.next().is_none_or(|(_, line)| line != TITLE) {
            return Err(wrong(1, &format!("the first line is not `{TITLE}`")));
        }
        let mut field = |name: &str| {
            let value = lines.next_if(|(_, line)| line.starts_with(&format!("# {name}: ")));
            value.map(|(_, line)| line[name.len() + 4..].to_owned())
        };
        let fields = ["requirement", "index", "python", "platform", "tool"].map(&mut field);
        let egg = field("egg");
        let [Some(requirement), Some(index), Some(python), Some(platform), Some(tool)] = fields else {
            return Err(wrong(
                2,
                "requirement, index, python, platform and tool are not all there, in that order",
            ));
        };
        let rest: Vec<&str> = lines.map(|(_, line)| line).collect();
        let header = text.lines().count() - rest.len();
        let pins = pins(&rest.join("\n")).map_err(|(line, why)| wrong(header + line, &why))?;
        let lock =
            Self { requirement: Requirement::parse(&requirement)?, index, python, platform, tool, egg, pins };
        if lock.own().is_none_or(|pin| !lock.requirement.is_met_by(&pin.version, false)) {
            return Err(wrong(header + 1, "what is required is not among the packages"));
        }
        if lock.egg.as_deref().is_some_and(|egg| super::egg::Egg::parse(egg).is_none() || lock.pins.len() > 1)
        {
            return Err(wrong(header, "an egg is one file with a name of its kind"));
        }
        Ok(lock)
    }

    /// What it answers to.
    pub fn requirement(&self) -> &Requirement {
        &self.requirement
    }

    /// Which version of the package that is asked for was chosen.
    pub fn version(&self) -> String {
        self.own().map(|pin| pin.version.to_string()).unwrap_or_default()
    }

    /// What resolved it: `uv` or `pip`, with its version.
    pub fn tool(&self) -> &str {
        &self.tool
    }

    /// Where it was resolved, without credentials.
    pub fn index(&self) -> &str {
        &self.index
    }

    /// SHA-256 of its text, hexadecimal.
    pub fn digest(&self) -> String {
        hex(&Sha256::digest(self.to_string()))
    }

    /// True if the same packages in the same versions were chosen, for the same Python on the same kind of machine.
    pub fn chose_the_same(&self, other: &Self) -> bool {
        let chosen = |lock: &Self| -> Vec<_> {
            lock.pins.iter().map(|pin| (pin.name.clone(), pin.version.clone())).collect()
        };
        let on = |lock: &Self| (lock.python.clone(), lock.platform.clone(), lock.egg.clone());
        on(self) == on(other) && chosen(self) == chosen(other)
    }

    /// The package that is asked for.
    pub(super) fn own(&self) -> Option<&Pin> {
        self.pins.iter().find(|pin| pin.name == self.requirement.name())
    }

    /// The lines for a program.
    pub(super) fn requirements(&self) -> String {
        self.pins.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requirement, index, python, platform, tool, egg, .. } = self;
        writeln!(f, "{TITLE}\n# requirement: {requirement}\n# index: {index}")?;
        writeln!(f, "# python: {python}\n# platform: {platform}\n# tool: {tool}")?;
        if let Some(egg) = egg {
            writeln!(f, "# egg: {egg}")?;
        }
        f.write_str(&self.requirements())
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=={}", self.name, self.version)?;
        for digest in &self.digests {
            write!(f, " \\\n    --hash=sha256:{digest}")?;
        }
        f.write_str("\n")
    }
}

/// Reads lines as `uv pip compile --generate-hashes` writes them; an error says in which line, and why.
pub(super) fn pins(text: &str) -> Result<Vec<Pin>, (usize, String)> {
    let mut pins: Vec<Pin> = Vec::new();
    let mut continues = false;
    for (index, line) in text.lines().enumerate() {
        let wrong = |why: &str| (index + 1, why.to_owned());
        let (line, goes_on) = line.strip_suffix('\\').map_or((line, false), |line| (line, true));
        let line = line.trim();
        if continues {
            let pin = pins.last_mut().ok_or_else(|| wrong("a digest stands without a package"))?;
            let digest = line.strip_prefix("--hash=sha256:").filter(|digest| is_digest(digest));
            pin.digests.insert(digest.ok_or_else(|| wrong("this is no `--hash=sha256:`"))?.to_owned());
        } else {
            let pin = line.split_once("==").filter(|(name, _)| is_name(name));
            let (name, version) = pin.ok_or_else(|| wrong("this is no `package==version`"))?;
            let version = Version::from_str(version).map_err(|_| wrong("this is no version"))?;
            pins.push(Pin { name: normalised(name), version, digests: BTreeSet::new() });
        }
        continues = goes_on;
    }
    if continues {
        return Err((text.lines().count(), "it ends in the middle".to_owned()));
    }
    if let Some(pin) = pins.iter().find(|pin| pin.digests.is_empty()) {
        return Err((1, format!("`{}` has no digest", pin.name)));
    }
    pins.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(twice) = pins.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err((1, format!("`{}` stands there twice", twice[0].name)));
    }
    Ok(pins)
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &str) -> String {
        format!(
            "{TITLE}\n# requirement: hello>=1\n# index: pypi\n# python: cpython 3.11\n# platform: linux-x86_64\n\
             # tool: uv 0.9.0\n{lines}"
        )
    }

    fn pin(name: &str) -> String {
        format!("{name} \\\n    --hash=sha256:{} \\\n    --hash=sha256:{}\n", "0".repeat(64), "a".repeat(64))
    }

    #[test]
    fn what_is_written_is_read() {
        let text = text(&(pin("dep==2.0.post1") + &pin("hello==1.2")));
        let lock = Lock::parse(&text).unwrap();
        assert_eq!(lock.to_string(), text);
        assert_eq!((lock.version().as_str(), lock.tool()), ("1.2", "uv 0.9.0"));
        assert!(lock.chose_the_same(&lock));
    }

    #[test]
    fn nothing_else_is_read() {
        let hash = format!("--hash=sha256:{}", "0".repeat(64));
        for lines in [
            String::new(),
            pin("other==1.0"),
            pin("hello==0.9"),
            pin("hello==1.0") + &pin("Hello==1.1"),
            pin("hello==1.0") + "--index-url https://evil.example/simple\n",
            pin("hello==1.0") + "-r other.txt\n",
            pin("hello==1.0") + "# comment\n",
            "hello==1.0\n".to_owned(),
            pin("hello @ file:///x"),
            pin("hello==1.0 ; sys_platform == 'win32'"),
            pin("hello>=1.0"),
            pin("hello==one"),
            pin("hello[x]==1.0"),
            format!("hello==1.0 \\\n    {hash} --index-url=https://evil.example\n"),
            format!("hello==1.0 \\\n    {hash} \\\n"),
            "hello==1.0 \\\n    --hash=md5:00\n".to_owned(),
            format!("    {hash}\n"),
            format!("# egg: ../hello-1.0-py3.11.egg\n{}", pin("hello==1.0")),
            format!("# egg: hello-1.0-py3.11.egg\n{}{}", pin("dep==1.0"), pin("hello==1.0")),
        ] {
            assert!(matches!(Lock::parse(&text(&lines)), Err(PythonError::Lock { .. })), "{lines}");
        }
        assert!(Lock::parse("hello==1.0").is_err());
        let other = text(&pin("hello==1.0")).replace("hello>=1\n", "hello @ file:///x\n");
        assert!(matches!(Lock::parse(&other), Err(PythonError::Requirement { .. })));
    }
}
