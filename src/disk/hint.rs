//! The next step after an act on the disk failed.

use std::io::ErrorKind;

use rustix::io::Errno;

use super::DiskError;

impl DiskError {
    /// The next step, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        let code = self.source.raw_os_error().map(Errno::from_raw_os_error);
        Some(match (self.source.kind(), code) {
            // flock(2): the filesystem has none, or the server that it asks for them does not answer.
            (_, Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS)) if self.act == "lock" => {
                "without locks two runs could meet: mount it with them (NFS: `-o local_lock=flock` where one machine \
                 deploys, Lustre: `-o flock`)"
            }
            _ if self.is_full() => "`git dist prune --keep 1` removes old versions",
            (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, _) => {
                "`DEPLOY_ROOT=DIR git dist` deploys to another place"
            }
            (ErrorKind::FileTooLarge, _) => "`ulimit -f` says how large a file may become",
            (_, Some(Errno::MFILE)) => "`ulimit -n` says how many files may be open",
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_filesystem_without_locks_is_told_apart_from_one_that_cannot_do_something_else() {
        let hint = |act, code: Errno| DiskError { act, path: "/mnt/root".into(), source: code.into() }.hint();
        for code in [Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS] {
            assert!(hint("lock", code).is_some_and(|hint| hint.contains("locks")), "{code:?}");
            assert_eq!(hint("link", code), None);
        }
        assert_eq!(io::Error::from(Errno::NOSPC).kind(), ErrorKind::StorageFull);
        assert!(hint("write", Errno::NOSPC).is_some_and(|hint| hint.contains("prune")));
    }
}
