//! Large objects, in as many tries as it takes.

use std::fs;

use git_dist::disk::Dir;
use git_dist::remote::{Content, Limits, Remote, RemoteError};

use super::{IMPATIENT, PATIENT, dir, open, open_with, sha256};
use crate::support::{HttpServer, Misbehaviour};

/// A server with a large object, and a folder for it.
struct Download {
    server: HttpServer,
    bytes: Vec<u8>,
    folder: tempfile::TempDir,
    into: Dir,
}

impl Download {
    fn new() -> Self {
        let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(u32::to_le_bytes).take(1_000_000).collect();
        let server = HttpServer::start();
        server.put("/bundles/large", &bytes);
        let folder = tempfile::tempdir().unwrap();
        let into = dir(folder.path());
        Self { server, bytes, folder, into }
    }

    fn of(&self, remote: &Remote) -> Result<u64, RemoteError> {
        remote.download("bundles/large", self.bytes.len() as u64, &sha256(&self.bytes), &self.into, "large")
    }

    fn run(&self) -> Result<u64, RemoteError> {
        self.of(&open_with(&self.server.url(), IMPATIENT))
    }

    /// The names of what is in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[track_caller]
    fn is_done(&self) {
        assert_eq!(self.names(), ["large"]);
        assert!(fs::read(self.folder.path().join("large")).unwrap() == self.bytes);
    }
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let it = Download::new();
    assert_eq!(it.of(&open(&it.server.url())).unwrap(), 1_000_000);
    it.is_done();
    assert_eq!(it.server.bytes_sent(), 1_000_000);
    assert_eq!(it.run().unwrap(), 0);
    assert_eq!(it.server.bytes_sent(), 0);
    // What is there and is something else does not stay.
    fs::write(it.folder.path().join("large"), "else").unwrap();
    assert_eq!(it.of(&open(&it.server.url())).unwrap(), 1_000_000);
    it.is_done();
}

#[test]
fn an_interrupted_download_goes_on_where_it_ended() {
    let it = Download::new();
    for how in [Misbehaviour::Cut(400_000), Misbehaviour::HangAfter(300_000)] {
        it.server.behave();
        it.server.misbehave("/bundles", how);
        let error = it.run().unwrap_err();
        assert!(matches!(error, RemoteError::Cut { .. }), "{error:?}");
        assert_eq!(it.names(), [".large.part", ".large.part.json"]);
    }
    it.server.behave();
    assert_eq!(it.of(&open(&it.server.url())).unwrap(), 300_000);
    it.is_done();
    let requests = it.server.requests();
    assert_eq!(requests.last().unwrap().header("range"), Some("bytes=700000-"));
    assert!(requests.last().unwrap().header("if-range").is_some());
}

#[test]
fn what_was_changed_meanwhile_is_fetched_from_its_beginning() {
    let mut it = Download::new();
    it.server.misbehave("/bundles", Misbehaviour::Cut(400_000));
    it.run().unwrap_err();
    it.server.behave();
    // Another object of the same size under the same name.
    it.bytes.reverse();
    it.server.put("/bundles/large", &it.bytes);
    assert_eq!(it.of(&open(&it.server.url())).unwrap(), 1_000_000);
    it.is_done();
}

#[test]
fn a_server_that_knows_no_parts_sends_all_of_it() {
    for how in [Misbehaviour::IgnoreRange, Misbehaviour::WrongRange, Misbehaviour::WeakTag] {
        let it = Download::new();
        it.server.misbehave("/bundles", how.clone());
        it.server.misbehave("/bundles", Misbehaviour::Cut(400_000));
        it.run().unwrap_err();
        it.server.behave();
        it.server.misbehave("/bundles", how);
        assert_eq!(it.of(&open(&it.server.url())).unwrap(), 1_000_000);
        it.is_done();
    }
}

#[test]
fn a_server_without_tags_is_gone_on_with_and_a_wrong_beginning_is_noticed() {
    let it = Download::new();
    it.server.misbehave("/bundles", Misbehaviour::NoTag);
    it.server.misbehave("/bundles", Misbehaviour::Cut(400_000));
    it.run().unwrap_err();
    it.server.behave();
    it.server.misbehave("/bundles", Misbehaviour::NoTag);
    assert_eq!(it.of(&open(&it.server.url())).unwrap(), 600_000);
    it.is_done();

    let it = Download::new();
    it.server.misbehave("/bundles", Misbehaviour::NoTag);
    it.server.misbehave("/bundles", Misbehaviour::Cut(400_000));
    it.run().unwrap_err();
    it.server.behave();
    let part = it.folder.path().join(".large.part");
    let mut bytes = fs::read(&part).unwrap();
    bytes[7] ^= 1;
    fs::write(&part, bytes).unwrap();
    assert_eq!(it.of(&open(&it.server.url())).unwrap(), 1_600_000);
    it.is_done();
}

#[test]
fn what_is_not_what_was_promised_does_not_stay() {
    let it = Download::new();
    let remote = open(&it.server.url());
    let wrong = sha256(b"something else");
    let error = remote.download("bundles/large", 1_000_000, &wrong, &it.into, "large").unwrap_err();
    assert!(matches!(error, RemoteError::Mismatch { .. }), "{error}");
    assert_eq!(it.names(), [""; 0]);
    // Another size is seen before anything is fetched.
    let _ = it.server.bytes_sent();
    it.server.misbehave("/bundles", Misbehaviour::HangAfter(0));
    for size in [999_999, 1_000_001] {
        let error = remote.download("bundles/large", size, &wrong, &it.into, "large").unwrap_err();
        assert!(matches!(error, RemoteError::Size { .. } | RemoteError::TooLarge { .. }), "{error}");
        assert_eq!(it.names(), [""; 0]);
    }
    assert_eq!(it.server.bytes_sent(), 0);
    it.server.behave();
    it.server.misbehave("/bundles", Misbehaviour::Endless);
    let error = it.of(&remote).unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { most: 1_000_000, .. }), "{error:?}");
    assert_eq!(it.names(), [""; 0]);
}

#[test]
fn what_takes_for_ever_ends_when_the_time_is_over() {
    let it = Download::new();
    it.server.misbehave("/bundles", Misbehaviour::Drip(1000));
    let total = std::time::Instant::now() + std::time::Duration::from_millis(500);
    let error = it.of(&open_with(&it.server.url(), Limits { total: Some(total), ..PATIENT })).unwrap_err();
    assert!(matches!(error, RemoteError::Cut { .. }), "{error:?}");
    // What came is not lost.
    it.server.behave();
    assert!(it.of(&open(&it.server.url())).unwrap() < 1_000_000);
    it.is_done();
}

#[test]
fn two_who_fetch_the_same_fetch_it_once() {
    let it = Download::new();
    let fetched: Vec<_> = std::thread::scope(|scope| {
        let fetch = || it.of(&open(&it.server.url())).unwrap();
        let both: Vec<_> = (0..2).map(|_| scope.spawn(fetch)).collect();
        both.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(fetched.iter().sum::<u64>(), 1_000_000);
    it.is_done();
}

#[test]
fn a_directory_is_gone_on_with_like_all_else() {
    let it = Download::new();
    let place = tempfile::tempdir().unwrap();
    let remote = open(place.path().to_str().unwrap());
    remote.create("bundles/large", &Content::Bytes(&it.bytes)).unwrap();
    it.server.misbehave("/bundles", Misbehaviour::Cut(400_000));
    it.run().unwrap_err();
    // What one server began another one may end.
    assert_eq!(it.of(&remote).unwrap(), 600_000);
    it.is_done();
}
