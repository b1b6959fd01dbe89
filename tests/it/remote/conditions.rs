//! Of many who write at once exactly one wins, and a store where that is not so is found out.

use std::sync::Barrier;

use git_dist::remote::{Read, Remote, RemoteError};

use super::{open, s3};
use crate::support::{HttpServer, Misbehaviour};

/// Lets sixteen write at once, round after round, each knowing what was there before.
pub(super) fn race(open: impl Fn() -> Remote + Sync) {
    let mut before = None;
    for round in 0..8 {
        let barrier = Barrier::new(16);
        let (open, barrier, known) = (&open, &barrier, before.as_ref());
        let winners: Vec<_> = std::thread::scope(|scope| {
            let write = move |writer: usize| {
                let (remote, text) = (open(), format!("round {round}, writer {writer}"));
                barrier.wait();
                match remote.replace("channels/raced", text.as_bytes(), known) {
                    Ok(_) => Some(text),
                    Err(RemoteError::Conflict { .. }) => None,
                    Err(error) => panic!("{error}"),
                }
            };
            let writers: Vec<_> = (0..16).map(|writer| scope.spawn(move || write(writer))).collect();
            writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect()
        });
        let Read::New { bytes, tag } = open().read("channels/raced", 99, None).unwrap() else { panic!() };
        assert_eq!(winners, [String::from_utf8(bytes).unwrap()]);
        before = tag;
    }
}

#[test]
fn exactly_one_of_sixteen_writers_wins_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    race(|| open(folder.path().to_str().unwrap()));
    open(folder.path().to_str().unwrap()).check_preconditions().unwrap();
    // Nothing of the check is left.
    assert_eq!(open(folder.path().to_str().unwrap()).list("").unwrap().len(), 1);
}

#[test]
fn exactly_one_of_sixteen_writers_wins_on_a_web_server() {
    let server = HttpServer::start();
    race(|| open(&server.url()));
    open(&server.url()).check_preconditions().unwrap();
}

#[test]
fn exactly_one_of_sixteen_writers_wins_in_a_bucket() {
    let Some(moto) = s3::Moto::start() else { return };
    race(|| moto.open("s3://bucket/raced"));
    moto.open("s3://bucket/raced").check_preconditions().unwrap();
    assert_eq!(moto.open("s3://bucket/raced").list("").unwrap().len(), 1);
}

#[test]
fn a_store_that_ignores_conditions_is_found_out() {
    let server = HttpServer::start();
    server.misbehave("/", Misbehaviour::IgnoreConditions);
    let web = open(&format!("{}/bucket", server.url()));
    for remote in [web, s3::open(&server.url(), "s3://bucket", [])] {
        let error = remote.check_preconditions().unwrap_err();
        assert!(matches!(error, RemoteError::NoPreconditions { .. }), "{error}");
        assert!(error.hint().is_some());
        // What was tried is gone.
        let paths = server.requests().into_iter().map(|request| request.path).collect::<Vec<_>>();
        assert!(paths.iter().any(|path| path.starts_with("/bucket/preconditions-")), "{paths:?}");
        assert!(paths.iter().all(|path| server.object(path).is_none()));
    }
    let disabled = s3::open(&server.url(), "s3://bucket", [("AWS_CONDITIONAL_PUT", "disabled")]);
    assert!(matches!(disabled.check_preconditions(), Err(RemoteError::NoPreconditions { .. })));
}

#[test]
fn what_was_written_though_the_store_says_it_failed_is_no_conflict() {
    let server = HttpServer::start();
    for remote in [open(&format!("{}/bucket", server.url())), s3::open(&server.url(), "s3://bucket", [])] {
        let path = "channels/stable";
        server.misbehave("/bucket", Misbehaviour::Deny(500, 1));
        let tag = remote.replace(path, b"one", None).unwrap();
        server.behave();
        server.misbehave("/bucket", Misbehaviour::Deny(503, 1));
        remote.replace(path, b"two", tag.as_ref()).unwrap();
        server.behave();
        assert_eq!(server.object("/bucket/channels/stable").unwrap(), b"two");
        let error = remote.replace(path, b"three", tag.as_ref()).unwrap_err();
        assert!(matches!(error, RemoteError::Conflict { .. }), "{error}");
        remote.remove(path).unwrap();
    }
}
