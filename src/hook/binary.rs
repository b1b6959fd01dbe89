//! The path by which hooks call git dist.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::Error;
use crate::version::VERSIONS;

/// The path by which hooks should call the running program: the one it was found by, its symlinks kept.
///
/// The path of the running executable has them resolved, and would name one version of a `git-dist` that is deployed
/// by itself; the hooks would break as soon as that version is pruned. A program in a `versions/` folder is called by
/// the destination that leads there.
///
/// # Errors
///
/// [`Error::OwnPath`] if the system does not tell where the program lies.
pub fn own_binary() -> Result<PathBuf, Error> {
    let own_path = |source| Error::OwnPath { source };
    let executable = std::env::current_exe().map_err(own_path)?;
    let arg0 = std::env::args_os().next().unwrap_or_default();
    let path = std::env::var_os("PATH");
    // Where the shell was, not where `-C` led to: the program was named from there. A wrong answer finds nothing.
    let shell = std::env::var_os("PWD").map(PathBuf::from).filter(|path| path.is_absolute());
    let current_dir = match shell {
        Some(path) => path,
        None => std::env::current_dir().map_err(own_path)?,
    };
    let found = stable(&arg0, path.as_deref(), &current_dir, &executable);
    std::path::absolute(found).map_err(own_path)
}

/// `arg0` is the name the program was started by, `path` the `PATH`, `executable` the resolved path, taken where
/// nothing else leads to it.
fn stable(arg0: &OsStr, path: Option<&OsStr>, current_dir: &Path, executable: &Path) -> PathBuf {
    let real = fs::canonicalize(executable).unwrap_or_else(|_| executable.to_owned());
    let named = Path::new(arg0);
    let candidates: Vec<PathBuf> = if named.components().count() > 1 {
        vec![current_dir.join(named)]
    } else {
        path.map(|path| std::env::split_paths(path).map(|dir| current_dir.join(dir).join(named)).collect())
            .unwrap_or_default()
    };
    let leads_here = |candidate: &PathBuf| fs::canonicalize(candidate).is_ok_and(|found| found == real);
    let found = candidates.into_iter().find(leads_here).unwrap_or_else(|| real.clone());
    destination_of(&found).filter(leads_here).unwrap_or(found)
}

/// The path that leads to `program` as long as its version is active, if it lies in a `versions/` folder.
fn destination_of(program: &Path) -> Option<PathBuf> {
    let is_versions = |folder: &&Path| folder.file_name() == Some(OsStr::new(VERSIONS));
    let versions = program.ancestors().skip(1).find(is_versions)?;
    let mut below = program.strip_prefix(versions).ok()?.components();
    let version = below.next()?.as_os_str().to_str()?;
    let base = version.rsplitn(3, '.').nth(2)?;
    Some(versions.parent()?.join(base).join(below.as_path()).components().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_call_the_link_a_program_was_found_by() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let real = root.join("bin/versions/git-dist.7.abcdef0");
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::create_dir(root.join("decoy")).unwrap();
        fs::write(&real, "").unwrap();
        fs::write(root.join("decoy/git-dist"), "").unwrap();
        std::os::unix::fs::symlink("versions/git-dist.7.abcdef0", root.join("bin/git-dist")).unwrap();

        let path = std::env::join_paths([root.join("decoy"), root.join("bin")]).unwrap();
        let found = |arg0: &str, path| stable(OsStr::new(arg0), path, &root, &real);
        assert_eq!(found("git-dist", Some(path.as_os_str())), root.join("bin/git-dist"));
        assert_eq!(found("bin/git-dist", None), root.join("bin/git-dist"));
        assert_eq!(found("git-dist", None), root.join("bin/git-dist"), "the active version");
        fs::remove_file(root.join("bin/git-dist")).unwrap();
        assert_eq!(found("git-dist", None), real, "nothing leads to it");
        assert_eq!(found("something else", Some(path.as_os_str())), real);
    }
}
