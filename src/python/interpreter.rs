//! The Python that is to run the packages.

use std::path::PathBuf;

use bstr::ByteSlice as _;
use serde::Deserialize;

use super::tool::Session;
use super::{PythonError, Result};

/// What a Python is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Interpreter {
    /// The program itself, behind links and wrappers.
    pub(super) executable: PathBuf,
    /// Its version as packages name it: `3.11`.
    pub(super) version: String,
    /// Who made it: `cpython`.
    pub(super) implementation: String,
    /// System and processor: `linux-x86_64`.
    pub(super) platform: String,
}

/// Says what it is.
const QUESTION: &str = "\
import json, sys, sysconfig
print(json.dumps({
    'executable': sys.executable,
    'version': '%d.%d' % sys.version_info[:2],
    'implementation': sys.implementation.name,
    'platform': sysconfig.get_platform(),
}))";

impl Interpreter {
    /// Asks the Python of this session.
    pub(super) fn ask(session: &Session<'_>) -> Result<Self> {
        let python = session.options.python;
        let no_python = |source| PythonError::NoPython { python: python.to_owned(), source };
        let said = session.run(python, ["-I", "-c", QUESTION]).map_err(|error| {
            if error.is_interrupted() {
                return PythonError::Interrupted { tool: python.to_owned() };
            }
            no_python(Some(Box::new(error)))
        })?;
        let line = said.bytes().lines().next_back().unwrap_or_default();
        let it: Self = serde_json::from_slice(line).map_err(|_| no_python(None))?;
        // It gets into the header of locks.
        let is_plain = |text: &str| text.chars().all(|c| c.is_ascii_graphic());
        if it.executable.is_absolute()
            && [&it.version, &it.implementation, &it.platform].into_iter().all(|text| is_plain(text))
        {
            return Ok(it);
        }
        Err(no_python(None))
    }

    /// Implementation and version.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.implementation, self.version)
    }
}
