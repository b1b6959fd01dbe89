//! What needs Python: functions of the repository's or the machine's own modules, and the compiler.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{StepError, StepRun};
use crate::command::{CommandError, Program};

/// The interpreter.
const PYTHON: &str = "python3";

/// The file that tells a Python program what to do. Arguments would be limited in size, and not everything is
/// text.
const REQUEST: &str = "request.json";

/// What a Python program ends with when it does not find the function, as a shell does for a command.
const NOT_FOUND: i32 = 127;

/// Calls a function as distman does. Its module is looked for in the current folder first.
const CALL: &str = r#"
import importlib, json, os, sys
with open(sys.argv[1], encoding="utf-8") as file:
    request = json.load(file)
sys.path.insert(0, os.getcwd())
module, _, name = request["function"].rpartition(".")
try:
    function = getattr(importlib.import_module(module), name)
except (ImportError, AttributeError) as error:
    sys.exit(print(f"{type(error).__name__}: {error}", file=sys.stderr) or 127)
paths = {key: os.fsdecode(request[key].encode("latin-1")) for key in ("input", "output")}
function(**paths, **request["options"])
"#;

impl StepRun<'_> {
    /// Calls the Python function `name` with `input`, `output` and `options` as its arguments.
    pub(super) fn call(
        &self,
        name: &str,
        options: &Map<String, Value>,
        output: &Path,
    ) -> Result<(), StepError> {
        let request = json!({
            "function": name,
            "input": encoded(self.input),
            "output": encoded(output),
            "options": options,
        });
        let called = self.python(name, CALL, &request, self.job.checkout, &[]);
        called.map_err(|error| match error {
            StepError::Command(source) if is_not_found(&source) => {
                StepError::NoFunction { function: name.to_owned(), source }
            }
            other => other,
        })
    }

    /// Runs a Python program that takes the path of a request as its argument.
    pub(super) fn python(
        &self,
        function: &str,
        program: &str,
        request: &Value,
        directory: &Path,
        environment: &[(&str, &str)],
    ) -> Result<(), StepError> {
        let request = serde_json::to_vec(request);
        let request =
            request.map_err(|source| StepError::Request { function: function.to_owned(), source })?;
        self.private.create_file(REQUEST, 0o600)?.write(&request)?;
        let arguments: [OsString; 3] = ["-c".into(), program.into(), self.private.join(REQUEST).into()];

        let mut variables: BTreeMap<_, _> = self.scope.process_environment();
        // Nobody wants what running leaves beside the modules.
        variables.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
        variables.extend(environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
        let ran = self.command(Program::Path(PYTHON, &arguments), directory, &variables);
        ran.map_err(|error| match error {
            StepError::Command(source) if source.is_not_found() => {
                StepError::NoPython { function: function.to_owned(), source }
            }
            other => other,
        })
    }
}

/// A path in JSON, which knows text only: every byte is the character of its number.
pub(super) fn encoded(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().copied().map(char::from).collect()
}

fn is_not_found(error: &CommandError) -> bool {
    matches!(error, CommandError::Failed { status, .. } if status.code() == Some(NOT_FOUND))
}
