//! The note on files that were changed and not committed, for whoever wonders why there was nothing to do.

use std::collections::BTreeSet;

use bstr::{BString, ByteSlice as _};

use super::printer::Printer;
use crate::disk::{Shown, on_disk};
use crate::plan::Item;
use crate::project::Project;

/// Most places that git is asked about. Beyond, it would be asked about much of a large tree.
const FEW: usize = 100;

/// Says what of the sources is not committed: whoever has just edited a file wonders why nothing was deployed.
pub(super) fn tell(printer: &Printer, project: &Project, items: &[Item]) {
    let (Some(repository), Some(revision)) = (project.repository(), project.revision()) else { return };
    if project.from_worktree || revision.asked != "HEAD" {
        return;
    }
    let mut sources: BTreeSet<BString> = items.iter().map(|item| item.source.as_str().into()).collect();
    if sources.len() > FEW {
        let folder =
            |path: &BString| path.rfind_byte(b'/').map_or(BString::default(), |end| path[..end].into());
        sources = sources.iter().map(folder).collect();
    }
    if sources.is_empty() || sources.len() > FEW {
        return;
    }
    let sources: Vec<BString> = sources.into_iter().collect();
    // Where git cannot tell, there is only a courtesy less.
    let uncommitted = repository.uncommitted(&sources).unwrap_or_default();
    let Some(first) = uncommitted.first() else { return };
    let more = uncommitted.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    printer.talk(format!(
        "note: `{}`{more} is changed and not committed; `git dist --worktree` deploys it as it is",
        Shown(on_disk(first))
    ));
}
