//! Pipelines against a real shell and a real Python.

#![allow(clippy::unwrap_used, reason = "the fixture's own failures")]

mod functions;
mod pipeline;

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use git_dist::environment::{Context, Environment, EnvironmentFile, Files};
use git_dist::manifest::Step;
use git_dist::transform::{self, Job, TransformError};
use indexmap::IndexMap;
use tempfile::TempDir;

/// A repository's checkout, an exported source and a place to work, with a fixed environment.
struct Bench {
    root: TempDir,
    environment: Environment,
    variables: BTreeMap<String, String>,
    runs: AtomicUsize,
}

struct NoFiles;

impl Files for NoFiles {
    fn find(&self, _: &str, _: Option<&str>) -> Result<Vec<EnvironmentFile>, Box<dyn Error + Send + Sync>> {
        Ok(Vec::new())
    }
}

impl Bench {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        for folder in ["checkout", "source"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        let process = BTreeMap::from([
            ("DEPLOY_ROOT".to_owned(), OsString::from("/srv/it's $(here)")),
            ("HOME".to_owned(), OsString::from("/home/tester")),
        ]);
        let context = Context { process: &process, platform: "linux", home: None };
        let (environment, _) = Environment::resolve(&context, &NoFiles, "distman.env").unwrap();
        let variables = [("GIT_DIST_VERSION", "tool.7.abcdef0"), ("GIT_DIST_TARGET", "bin")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { root, environment, variables, runs: AtomicUsize::new(0) }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// Writes a file of the source or the checkout.
    fn write(&self, below: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn run(&self, input: impl AsRef<Path>, steps: &serde_json::Value) -> Result<PathBuf, TransformError> {
        self.run_while(input.as_ref(), steps, &|| false)
    }

    fn run_while(
        &self,
        input: &Path,
        steps: &serde_json::Value,
        interrupted: &(dyn Fn() -> bool + Sync),
    ) -> Result<PathBuf, TransformError> {
        let steps = steps_of(steps);
        let steps: Vec<_> = steps.iter().map(|(name, step)| (name.as_str(), step)).collect();
        let work = self.path(&format!("work{}", self.runs.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir(&work).unwrap();
        let job = Job {
            target: "bin",
            steps: &steps,
            input: &self.root.path().join("source").join(input),
            checkout: &self.path("checkout"),
            work: &work,
            environment: &self.environment,
            variables: &self.variables,
        };
        transform::run(&job, interrupted)
    }

    fn ingredients(&self, steps: &serde_json::Value) -> Result<serde_json::Value, TransformError> {
        let steps = steps_of(steps);
        let steps: Vec<_> = steps.iter().map(|(name, step)| (name.as_str(), step)).collect();
        transform::ingredients("bin", &steps, &self.environment, &self.variables)
    }
}

fn steps_of(steps: &serde_json::Value) -> IndexMap<String, Step> {
    serde_json::from_value(steps.clone()).unwrap()
}

/// An error with its causes, as the command line shows it.
fn told(error: &TransformError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, "\ncaused by: {error}");
        cause = error.source();
    }
    text
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
