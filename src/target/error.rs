//! Why targets could not be resolved.

use std::path::PathBuf;

use bstr::BString;

use crate::disk::Shown;
use crate::environment::PlaceholderError;
use crate::source::SourceError;
use crate::spelling::nearest;
use crate::version::DestinationError;

/// Why targets could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// `-t` or an argument names no target.
    #[error("no target matches `{pattern}`")]
    NoSuchTarget {
        /// What was asked for.
        pattern: String,
        /// The targets there are.
        known: Vec<String>,
    },
    /// `-t` is no valid pattern.
    #[error("`{pattern}` is not a valid pattern")]
    Pattern {
        /// What was asked for.
        pattern: String,
        /// What the reader of patterns said.
        #[source]
        source: globset::Error,
    },
    /// The source is not in the revision.
    #[error("target `{target}`: source `{source_path}` is not in {revision}")]
    NoSource {
        /// The target's name.
        target: String,
        /// The source as dist.json writes it.
        source_path: String,
        /// The revision as asked.
        revision: String,
    },
    /// The source is excluded from exports by its own repository.
    #[error("target `{target}`: source `{source_path}` is `export-ignore` in .gitattributes")]
    ExportIgnored {
        /// The target's name.
        target: String,
        /// The source's full path.
        source_path: BString,
    },
    /// The source's wildcards do not compile.
    #[error("target `{target}`: cannot match `{source_path}`")]
    Wildcard {
        /// The target's name.
        target: String,
        /// The source as dist.json writes it.
        source_path: String,
        /// What the regex engine said.
        #[source]
        source: regex::Error,
    },
    /// A `{VAR}` of the destination cannot be filled.
    #[error("target `{target}`: cannot expand the destination `{destination}`")]
    Placeholder {
        /// The target's name.
        target: String,
        /// The destination as dist.json writes it.
        destination: String,
        /// What is wrong with it.
        #[source]
        source: PlaceholderError,
    },
    /// The destination is no path that versions can live beside.
    #[error("target `{target}`: cannot deploy `{source_path}`")]
    Destination {
        /// The target's name.
        target: String,
        /// The source's full path.
        source_path: BString,
        /// What is wrong with it.
        #[source]
        source: DestinationError,
    },
    /// Two items have one destination.
    #[error("targets `{}` and `{}` have one destination, `{destination}`: `{}` and `{}`", .items[0].0, .items[1].0, .items[0].1, .items[1].1)]
    SameDestination {
        /// The destination.
        destination: String,
        /// Target and source of both.
        items: Box<[(String, BString); 2]>,
    },
    /// A destination lies inside what another one deploys.
    #[error(
        "the destination `{inner}` of target `{inner_target}` lies inside `{outer}`, which target `{outer_target}` deploys"
    )]
    Nested {
        /// The inner destination.
        inner: String,
        /// The inner one's target.
        inner_target: String,
        /// The outer path.
        outer: String,
        /// The outer one's target.
        outer_target: String,
    },
    /// A destination has the name of a file that git dist keeps beside another one.
    #[error(
        "the destination `{}` of target `{target}` has a name that git dist uses beside target `{other}`",
        Shown(destination)
    )]
    OwnName {
        /// The destination.
        destination: PathBuf,
        /// Its target.
        target: String,
        /// The target beside which the name is taken.
        other: String,
    },
    /// The data of shared paths and a destination need the same place.
    #[error(
        "the destination `{}` of target `{other}` and the shared data of target `{target}` in `{}` are in each \
         other's way",
        Shown(destination),
        Shown(folder)
    )]
    SharedFolder {
        /// The target with shared paths.
        target: String,
        /// The folder of its data.
        folder: PathBuf,
        /// The other target.
        other: String,
        /// Its destination.
        destination: PathBuf,
    },
    /// The tree could not be read.
    #[error("target `{target}`")]
    Source {
        /// The target's name.
        target: String,
        /// What went wrong.
        #[source]
        source: SourceError,
    },
    /// There is no working tree that the target could come from.
    #[error("target `{target}` comes from the working tree, and a bare repository has none")]
    NoWorktree {
        /// The target's name.
        target: String,
    },
    /// `--source` is no path in the project.
    #[error("`{source_path}` is outside of `{}`", Shown(folder))]
    Outside {
        /// The source as asked.
        source_path: String,
        /// The folder of dist.json.
        folder: PathBuf,
    },
    /// `--source` matches no target, and `--dest` does not say where it goes.
    #[error("no target deploys `{source_path}`")]
    NoTargetFor {
        /// The source as asked.
        source_path: String,
    },
}

impl TargetError {
    /// The next step that helps, if there is a usual one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSuchTarget { pattern, known } => {
                Some(match nearest(pattern, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the targets are {}", list(known)),
                })
            }
            Self::NoSource { .. } => Some(
                "commit it, or accept that with `--ignore-missing` or the option `ignore_missing`".to_owned(),
            ),
            Self::Placeholder { source, .. } => source.hint(),
            Self::Source { source, .. } => source.hint(),
            Self::Outside { .. } => Some("`git dist -C DIR` deploys from another folder".to_owned()),
            Self::NoTargetFor { .. } => Some("`--dest PATH` says where it goes".to_owned()),
            _ => None,
        }
    }
}

fn list(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().take(20).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > 20 { ", ..." } else { "" };
    format!("{}{more}", quoted.join(", "))
}
