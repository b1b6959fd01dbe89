//! An installed folder, made such that the same packages are the same bytes: without what programs note about
//! themselves, and without compiled files.

use std::path::{Path, PathBuf};

use bstr::{BStr, ByteSlice as _};

use super::{PythonError, Result};
use crate::disk::{Dir, Kind};

/// What is not part of a package: who installed it, when, and from where.
const NOTES: [&str; 4] = ["INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json"];
/// The list of a package's files, in its own folder.
const RECORD: &str = "RECORD";
/// Bytes of such a list.
const MOST_RECORD: u64 = 256 << 20;

/// Tidies the folder up, and returns how many bytes its files have.
pub(super) fn tidy(dir: &Dir) -> Result<u64> {
    // uv's own lock.
    dir.remove_all(".lock")?;
    let mut bytes = 0;
    let mut records: Vec<PathBuf> = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(below) = folders.pop() {
        let folder = dir.descend(&below)?;
        let is_info = below.components().count() == 1 && below.extension() == Some("dist-info".as_ref());
        for name in folder.names()? {
            let path = below.join(&name);
            let wrong = |why| Err(PythonError::Content { path: path.clone(), why });
            let Some(stat) = folder.stat(&name)? else { continue };
            match stat.kind {
                Kind::Directory if name.as_os_str() == "__pycache__" => folder.remove_all(&name)?,
                Kind::Directory => folders.push(path),
                Kind::File if is_info && NOTES.iter().any(|note| name.as_os_str() == *note) => {
                    folder.remove(&name)?;
                }
                Kind::File => {
                    if is_info && name.as_os_str() == RECORD {
                        records.push(below.clone());
                    }
                    bytes += stat.size;
                }
                Kind::Symlink => return wrong("is a link, which packages have no use for"),
                Kind::Other => return wrong("is neither a file nor a folder"),
            }
        }
    }
    for below in records {
        let folder = dir.descend(&below)?;
        let record = folder.read_file(RECORD, MOST_RECORD)?;
        folder.replace_file_without_sync(RECORD, &rewritten(&record, dir)?)?;
    }
    Ok(bytes)
}

/// The list, in order, with those lines whose files are there, and with paths that lead there.
fn rewritten(record: &[u8], dir: &Dir) -> Result<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for line in record.lines() {
        let (path, rest) = first_field(line);
        // pip writes where a script was before it moved it.
        let mut inside: &[u8] = &path;
        while let Some(rest) = inside.strip_prefix(b"../") {
            inside = rest;
        }
        if is_there(dir, inside)? {
            let mut line = if inside.contains(&b',') || inside.contains(&b'"') {
                [b"\"", inside.replace("\"", "\"\"").as_slice(), b"\""].concat()
            } else {
                inside.to_vec()
            };
            line.extend_from_slice(rest);
            line.push(b'\n');
            kept.push(line);
        }
    }
    kept.sort_unstable();
    Ok(kept.concat())
}

fn is_there(dir: &Dir, path: &[u8]) -> Result<bool> {
    let Ok(path) = path.to_path() else { return Ok(false) };
    if !path.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
        return Ok(false);
    }
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(false) };
    match dir.descend(parent).and_then(|parent| parent.stat(Path::new(name))) {
        Ok(stat) => Ok(stat.is_some()),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The first value of a line of comma-separated ones, and what follows it.
fn first_field(line: &[u8]) -> (Vec<u8>, &[u8]) {
    let Some(quoted) = line.strip_prefix(b"\"") else {
        let end = line.find_byte(b',').unwrap_or(line.len());
        return (line[..end].to_vec(), &line[end..]);
    };
    let mut field = Vec::new();
    let mut rest: &BStr = quoted.as_bstr();
    while let Some(at) = rest.find_byte(b'"') {
        field.extend_from_slice(&rest[..at]);
        rest = rest[at + 1..].as_bstr();
        match rest.strip_prefix(b"\"") {
            Some(more) => {
                field.push(b'"');
                rest = more.as_bstr();
            }
            None => break,
        }
    }
    (field, rest)
}

#[cfg(test)]
mod tests {
    use super::first_field;

    #[test]
    fn paths_of_lists_may_be_quoted() {
        for (line, path, rest) in [
            ("a/b.py,sha256=x,1", "a/b.py", ",sha256=x,1"),
            ("RECORD,,", "RECORD", ",,"),
            ("\"a,\"\"b\".py,,", "a,\"b", ".py,,"),
            ("\"a,b\",,", "a,b", ",,"),
            ("\"a", "", "a"),
            ("", "", ""),
        ] {
            let (field, left) = first_field(line.as_bytes());
            assert_eq!((field.as_slice(), left), (path.as_bytes(), rest.as_bytes()), "{line}");
        }
    }
}
