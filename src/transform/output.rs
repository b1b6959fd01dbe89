//! What a foreign step left: content, or something that must not be deployed?

use std::path::{Component, Path, PathBuf};

use super::StepError;
use super::tree::place;
use crate::disk::{Dir, Kind};

/// Checks the output in `folder` that bears the name of `input`.
///
/// It must be a file or a directory, and hold nothing but files, directories and links. A link must not climb
/// out of the output nor lead into one of the `temporary` folders, as both break when the output is deployed;
/// one that the step found in its input is the repository's own and stays. Links to other absolute paths
/// (the interpreter of a virtual environment) mean the same wherever they stand.
pub(super) fn check(folder: &Dir, input: &Path, temporary: &[&Path]) -> Result<(), StepError> {
    let (parent, name) = place(input)?;
    let path = folder.join(name);
    match folder.stat(name)?.map(|stat| stat.kind) {
        Some(Kind::File) => return Ok(()),
        Some(Kind::Directory) => {}
        Some(Kind::Symlink) => {
            let to = folder.read_link(name)?.unwrap_or_default();
            return Err(StepError::LeadsOutside { path, to });
        }
        Some(Kind::Other) => return Err(StepError::Special { path }),
        None => return Err(StepError::NoOutput { path }),
    }

    let output = folder.descend(name)?;
    // The input may be a file that the step unpacked.
    let input = match parent.stat(name)? {
        Some(stat) if stat.kind == Kind::Directory => Some(parent.descend(name)?),
        _ => None,
    };
    let resolved = temporary.iter().filter_map(|folder| folder.canonicalize().ok());
    let temporary: Vec<PathBuf> =
        temporary.iter().map(|folder| folder.to_path_buf()).chain(resolved).collect();

    let mut pending = vec![PathBuf::new()];
    while let Some(below) = pending.pop() {
        let dir = output.descend(&below)?;
        keep_removable(&dir)?;
        for name in dir.names()? {
            match dir.stat(&name)?.map(|stat| stat.kind) {
                Some(Kind::Directory) => pending.push(below.join(name)),
                Some(Kind::Symlink) => {
                    let to = dir.read_link(&name)?.unwrap_or_default();
                    let is_lost =
                        climbs_out(&below, &to) || temporary.iter().any(|folder| to.starts_with(folder));
                    if is_lost && !was_there(input.as_ref(), &below, &name, &to) {
                        return Err(StepError::LeadsOutside { path: dir.join(&name), to });
                    }
                }
                Some(Kind::Other) => return Err(StepError::Special { path: dir.join(&name) }),
                Some(Kind::File) | None => {}
            }
        }
    }
    Ok(())
}

/// Gives the owner of a directory the right to write it, without which nobody but root could remove a version
/// or what is left of a failed one.
fn keep_removable(dir: &Dir) -> Result<(), StepError> {
    match dir.stat(".")? {
        Some(stat) if stat.mode & 0o200 == 0 => Ok(dir.set_mode(".", stat.mode | 0o200)?),
        _ => Ok(()),
    }
}

/// True if a relative link in the directory `below` of a tree leads out of the tree.
fn climbs_out(below: &Path, to: &Path) -> bool {
    let mut depth = below.components().count();
    for component in to.components() {
        match component {
            Component::RootDir | Component::Prefix(_) => return false,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
        }
    }
    false
}

fn was_there(input: Option<&Dir>, below: &Path, name: &Path, to: &Path) -> bool {
    // A folder that is not in the input is an answer too.
    let before = input.and_then(|input| input.descend(below).ok()).and_then(|dir| dir.read_link(name).ok());
    before.flatten().is_some_and(|before| before == to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_followed_by_their_text() {
        for (below, to, out) in [
            ("", "a", false),
            ("", "..", true),
            ("", "a/../../b", true),
            ("a/b", "../../c", false),
            ("a/b", "../../../c", true),
            ("a", "./../b", false),
            ("a", "/usr/bin/python3", false),
        ] {
            assert_eq!(climbs_out(Path::new(below), Path::new(to)), out, "{below} {to}");
        }
    }
}
