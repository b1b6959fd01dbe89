//! What is followed here: what the project's dist.json says, and what was installed.

use std::path::{Path, PathBuf};

use globset::Glob;

use super::deploy::deployable;
use super::{Result, Subscription};
use crate::project::Project;
use crate::root::Root;

/// Everything that is followed: the targets of the project at `location` that come from elsewhere, and what was
/// installed below `root`. Of a target that was updated before, the times that were asked for then stay.
///
/// # Errors
/// When a subscription cannot be read.
pub fn followed(root: &Root, project: Option<&Project>, location: &Path) -> Result<Vec<Subscription>> {
    let location = std::path::absolute(location).unwrap_or_else(|_| location.to_owned());
    let location: PathBuf = location.components().collect();
    let mut all = Vec::new();
    if let Some(project) = project {
        for (name, from) in deployable(project) {
            let Some(spec) = project.manifest.targets.get(name) else { continue };
            let settings = project.manifest.settings_of(spec);
            all.push(Subscription::of_target(name, &settings, &from, &location));
        }
    }
    for saved in Subscription::all(root)? {
        match all.iter_mut().find(|known| known.name == saved.name) {
            Some(known) => (known.ttl, known.max_stale) = (saved.ttl, saved.max_stale),
            None => all.push(saved),
        }
    }
    Ok(all)
}

/// Those of `all` that `patterns` name; all of them for none.
pub fn select(all: &[Subscription], patterns: &[String]) -> Vec<Subscription> {
    let is_asked = |name: &str| {
        patterns.is_empty()
            || patterns.iter().any(|asked| {
                asked == name || Glob::new(asked).is_ok_and(|glob| glob.compile_matcher().is_match(name))
            })
    };
    all.iter().filter(|subscription| is_asked(&subscription.name)).cloned().collect()
}
