//! Folders that a deploy with nobody there may write to.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Folders below which everything may be written, links on the way to them resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedRoots(Vec<PathBuf>);

impl AllowedRoots {
    /// These folders as they are now; they need not exist.
    ///
    /// # Errors
    /// As [`resolved`].
    pub fn new<P: AsRef<Path>>(folders: impl IntoIterator<Item = P>) -> io::Result<Self> {
        folders.into_iter().map(|folder| resolved(folder.as_ref())).collect::<io::Result<_>>().map(Self)
    }

    /// True if nothing may be written.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path below one of the folders, links on the way resolved; `None` if it is below none of them.
    ///
    /// # Errors
    /// As [`resolved`].
    pub fn below(&self, path: &Path) -> io::Result<Option<PathBuf>> {
        let path = resolved(path)?;
        Ok(self.0.iter().find_map(|root| path.strip_prefix(root).ok()).map(Path::to_owned))
    }
}

/// The real path of the part that exists, and the rest of it as written.
///
/// # Errors
/// When the part that exists cannot be followed, as a link that leads nowhere or in a circle, or the rest holds `..`.
pub fn resolved(path: &Path) -> io::Result<PathBuf> {
    for ancestor in path.ancestors() {
        if let Ok(rest) = path.strip_prefix(ancestor)
            && ancestor.symlink_metadata().is_ok()
        {
            let real = ancestor.canonicalize()?;
            if rest.as_os_str().is_empty() {
                return Ok(real);
            }
            // `missing/../../elsewhere` must not pass for a place below the root.
            if rest.components().any(|part| part == Component::ParentDir) {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "`..` of what does not exist"));
            }
            return Ok(real.join(rest));
        }
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_and_what_does_not_exist_yet_are_seen_through() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        for name in ["live/bin", "elsewhere"] {
            std::fs::create_dir_all(top.join(name)).unwrap();
        }
        symlink("../elsewhere", top.join("live/out")).unwrap();
        symlink("live", top.join("root")).unwrap();
        symlink("nowhere", top.join("live/gone")).unwrap();
        let roots = AllowedRoots::new([top.join("root"), top.join("later")]).unwrap();
        for (path, below) in [
            ("live", Some("")),
            ("root/bin/new/deep", Some("bin/new/deep")),
            ("later/x", Some("x")),
            ("laters", None),
            ("live/out", None),
            ("live/out/x", None),
            ("elsewhere", None),
            ("", None),
        ] {
            assert_eq!(roots.below(&top.join(path)).unwrap(), below.map(PathBuf::from), "{path}");
        }
        for path in ["live/gone/x", "root/new/../../elsewhere"] {
            assert!(roots.below(&top.join(path)).is_err(), "{path}");
        }
        assert_eq!(AllowedRoots::default().below(&top).unwrap(), None);
    }
}
