//! Python packages and eggs of what is started: Python has to find them.

use std::path::Path;

use super::Result;
use crate::disk::{Dir, Kind};

/// The variable that says where Python looks for modules first.
const MODULES: &str = "PYTHONPATH";
/// The variable that says where programs are.
const PROGRAMS: &str = "PATH";
/// The folder of the programs of packages.
const BIN: &str = "bin";

/// What of the version at `path` is to be found first, by the variables that say where: of packages that were installed
/// to it their modules and programs, and its eggs.
pub(super) fn found_first(path: &Path, kind: Kind) -> Result<Vec<(&'static str, String)>> {
    let is_egg = |name: &Path| name.extension().is_some_and(|it| it == "egg");
    let is_about = |name: &Path| name.extension().is_some_and(|it| it == "dist-info");
    // What may be split in two by the variable's own syntax cannot be named in it.
    let text = |path: &Path| path.to_str().filter(|it| !it.contains(':')).map(ToOwned::to_owned);
    if kind != Kind::Directory {
        return Ok(Vec::new());
    }
    let mut names = Dir::open(path)?.names()?;
    names.sort();
    let has_packages = names.iter().any(|name| is_about(name));
    let eggs = names.iter().filter(|name| is_egg(name)).map(|name| path.join(name));
    let modules: Vec<String> =
        has_packages.then(|| path.to_owned()).into_iter().chain(eggs).filter_map(|it| text(&it)).collect();
    let has_programs = has_packages && names.iter().any(|name| name == Path::new(BIN));
    let programs = has_programs.then(|| path.join(BIN)).and_then(|it| text(&it));
    let modules = (!modules.is_empty()).then(|| (MODULES, modules.join(":")));
    Ok(modules.into_iter().chain(programs.map(|it| (PROGRAMS, it))).collect())
}
