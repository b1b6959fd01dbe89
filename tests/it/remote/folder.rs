//! Directories as places.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use git_dist::remote::{Content, Read, RemoteError};

use super::{IMPATIENT, dir, open, open_with, text};

/// A directory that is a place, and its address.
fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().to_str().unwrap().to_owned();
    (folder, address)
}

#[test]
fn what_is_written_is_read_listed_and_removed() {
    let (folder, address) = place();
    let remote = open(&address);
    assert!(remote.create("bundles/one", &Content::Bytes(b"1\n")).unwrap());
    assert!(!remote.create("bundles/one", &Content::Bytes(b"2\n")).unwrap());
    assert!(matches!(
        remote.create("bundles/one", &Content::Bytes(b"another\n")),
        Err(RemoteError::Size { expected: 8, found: 2, .. })
    ));
    fs::write(folder.path().join("file"), "three").unwrap();
    assert!(remote.create("deep/er/two", &Content::File(&dir(folder.path()), "file")).unwrap());
    assert_eq!(text(remote.read("bundles/one", 2, None)), "1\n");
    assert_eq!(text(remote.read("deep/er/two", 5, None)), "three");
    let listed =
        remote.list("").unwrap().into_iter().map(|object| format!("{} {}", object.path, object.size));
    assert_eq!(listed.collect::<Vec<_>>(), ["bundles/one 2", "deep/er/two 5", "file 5"]);
    assert_eq!(remote.list("deep").unwrap().len(), 1);
    assert_eq!(remote.list("missing").unwrap(), []);
    remote.remove("bundles/one").unwrap();
    remote.remove("bundles/one").unwrap();
    remote.remove("no/such").unwrap();
    assert!(remote.read("bundles/one", 2, None).unwrap_err().is_not_found());
    assert!(remote.read("no/such", 2, None).unwrap_err().is_not_found());
    // Nothing lies about.
    let names = fs::read_dir(folder.path().join("bundles")).unwrap().count();
    assert_eq!(names, 0);
}

#[test]
fn what_is_known_is_not_read_again_and_what_is_too_large_not_at_all() {
    let (_folder, address) = place();
    let remote = open(&address);
    let tag = remote.replace("channels/stable", b"one", None).unwrap();
    let Read::New { tag: read, .. } = remote.read("channels/stable", 3, None).unwrap() else { panic!() };
    assert_eq!(read, tag);
    assert_eq!(remote.read("channels/stable", 3, tag.as_ref()).unwrap(), Read::Same);
    remote.replace("channels/stable", b"two", tag.as_ref()).unwrap();
    assert_eq!(text(remote.read("channels/stable", 3, tag.as_ref())), "two");
    assert!(matches!(remote.read("channels/stable", 2, None), Err(RemoteError::TooLarge { most: 2, .. })));
}

#[test]
fn a_place_that_is_away_is_told_from_an_object_that_is_not_there() {
    let (folder, address) = place();
    let away = open(&format!("{address}/away"));
    for error in [
        away.read("channels/stable", 9, None).unwrap_err(),
        away.create("bundles/one", &Content::Bytes(b"1")).unwrap_err(),
        away.list("").unwrap_err(),
    ] {
        assert!(error.is_unreachable(), "{error}");
        assert!(error.to_string().contains("there is no such directory"), "{error}");
    }
    // A place is never made: it may be a disk that is not mounted.
    assert!(!folder.path().join("away").exists());
    assert!(open(&address).read("channels/stable", 9, None).unwrap_err().is_not_found());
}

#[test]
fn consumers_need_no_right_to_write() {
    let (folder, address) = place();
    open(&address).replace("channels/stable", b"one", None).unwrap();
    for path in [folder.path().join("channels"), folder.path().to_owned()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o555)).unwrap();
    }
    assert_eq!(text(open(&address).read("channels/stable", 9, None)), "one");
    assert!(!folder.path().join(".lock").exists());
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(folder.path().join("channels"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn links_in_a_place_lead_nowhere() {
    let (folder, address) = place();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    fs::create_dir(folder.path().join("channels")).unwrap();
    symlink("../secret", folder.path().join("channels/stable")).unwrap();
    symlink("channels", folder.path().join("bundles")).unwrap();
    let remote = open(&address);
    assert!(matches!(remote.read("channels/stable", 9, None), Err(RemoteError::Disk(_))));
    assert!(remote.create("bundles/one", &Content::Bytes(b"1")).is_err());
    assert!(remote.list("").unwrap().iter().all(|object| object.path == "secret"));
}

#[test]
fn a_publisher_that_holds_the_lock_for_ever_is_not_waited_for() {
    let (folder, address) = place();
    let tag = open(&address).replace("channels/stable", b"one", None).unwrap();
    let lock = fs::File::create(folder.path().join(".lock")).unwrap();
    lock.lock().unwrap();
    let remote = open_with(&address, IMPATIENT);
    let error = remote.replace("channels/stable", b"two", tag.as_ref()).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    // Readers do not care.
    assert_eq!(text(remote.read("channels/stable", 9, None)), "one");
    drop(lock);
    remote.replace("channels/stable", b"two", tag.as_ref()).unwrap();
}

#[test]
fn what_is_written_is_the_groups_where_the_place_is() {
    let (folder, address) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o2775)).unwrap();
    open(&address).replace("channels/stable", b"one", None).unwrap();
    let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode("channels") & 0o2070, 0o2070);
    assert_eq!(mode("channels/stable") & 0o060, 0o060);
    assert_eq!(mode("channels/stable") & 0o002, 0);
}
