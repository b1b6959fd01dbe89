//! Opening the repository of a submodule at the commit that the superproject names.

use bstr::{BStr, ByteSlice as _};
use gix::ObjectId;

use super::snapshot::{Mode, read_checked, read_tree};
use super::{GitError, Repository, Result};

/// Opens the submodule at `path` (in the repository `parent`, whose root tree is `root`) if it is here and has
/// `commit`; returns it with the tree of that commit.
pub(super) fn open(
    parent: &gix::Repository,
    root: ObjectId,
    path: &BStr,
    commit: ObjectId,
) -> Result<(Repository, ObjectId)> {
    let mut last = None;
    let name = name(parent, root, path)?;
    let absorbed = name.map(|name| parent.common_dir().join("modules").join(crate::disk::on_disk(&name)));
    let checked_out = parent.workdir().map(|top| top.join(crate::disk::on_disk(path)));
    for candidate in absorbed.into_iter().chain(checked_out) {
        match Repository::open(&candidate) {
            Ok(repository) if repository.local.has_object(commit) => {
                let tree = tree_of(&repository.local, path, commit)?;
                return Ok((repository, tree));
            }
            Ok(_) => {
                last = Some(GitError::MissingObject { what: format!("the commit of `{path}`"), id: commit });
            }
            // What is wrong with the first place matters more than that nothing is at the second.
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(GitError::SubmoduleMissing { path: path.to_owned(), source: last.map(Box::new) })
}

/// The submodule's name in `.gitmodules` of the revision, checked to be no path out of `modules/`
/// (gitmodules(5); git refuses such names since CVE-2018-11235).
fn name(parent: &gix::Repository, root: ObjectId, path: &BStr) -> Result<Option<bstr::BString>> {
    let entries = read_tree(parent, root, BStr::new(""))?;
    let file = entries.into_iter().find(|(name, node)| name == ".gitmodules" && node.mode == Mode::File);
    let Some((_, node)) = file else { return Ok(None) };
    let mut bytes = Vec::new();
    read_checked(parent, node.id, gix::objs::Kind::Blob, "`.gitmodules`", &mut bytes)?;
    let unreadable = |source| GitError::Other { act: "read `.gitmodules`".into(), source };
    let empty = gix::config::File::default();
    let modules = gix::submodule::File::from_bytes(&bytes, None, &empty).map_err(unreadable)?;
    let name = modules.name_by_path(path).map(ToOwned::to_owned);
    Ok(name.filter(|name| {
        !name.is_empty() && name.split_str("/").all(|part| part != b"..") && !name.starts_with(b"/")
    }))
}

fn tree_of(repo: &gix::Repository, path: &BStr, commit: ObjectId) -> Result<ObjectId> {
    let what = format!("the commit of the submodule `{path}`");
    let mut bytes = Vec::new();
    read_checked(repo, commit, gix::objs::Kind::Commit, &what, &mut bytes)?;
    gix::objs::CommitRefIter::from_bytes(&bytes, repo.object_hash())
        .tree_id()
        .map_err(|source| GitError::CorruptObject { what, id: commit, source: Some(source) })
}
