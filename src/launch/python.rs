//! Python packages and eggs of what is started: Python has to find them.

use std::path::Path;

use super::Result;
use crate::disk::{Dir, Kind};

/// The variable that says where Python looks for modules first.
pub(super) const PATH: &str = "PYTHONPATH";

/// What of the version at `path` is for [`PATH`]: the folder itself if packages were installed to it, and the eggs in
/// it; `None` if there is nothing of the kind.
pub(super) fn modules(path: &Path, kind: Kind) -> Result<Option<String>> {
    let is_egg = |name: &Path| name.extension().is_some_and(|it| it == "egg");
    let is_about = |name: &Path| name.extension().is_some_and(|it| it == "dist-info");
    // What may be split in two by the variable's own syntax cannot be named in it.
    let text = |path: &Path| path.to_str().filter(|it| !it.contains(':')).map(ToOwned::to_owned);
    if kind != Kind::Directory {
        let is_one = kind == Kind::File && is_egg(path);
        return Ok(text(path).filter(|_| is_one));
    }
    let mut names = Dir::open(path)?.names()?;
    names.sort();
    let has_packages = names.iter().any(|name| is_about(name));
    let eggs = names.iter().filter(|name| is_egg(name)).map(|name| path.join(name));
    let all: Vec<String> =
        has_packages.then(|| path.to_owned()).into_iter().chain(eggs).filter_map(|it| text(&it)).collect();
    Ok((!all.is_empty()).then(|| all.join(":")))
}
