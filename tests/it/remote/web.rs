//! Web servers as places.

use git_dist::remote::{Content, Limits, Read, RemoteError};

use super::{IMPATIENT, open, open_with, text};
use crate::support::{HttpServer, Misbehaviour};

/// A server with a channel, and the address of the place.
fn server() -> (HttpServer, String) {
    let server = HttpServer::start();
    server.put("/place/channels/stable", b"one");
    let address = format!("{}/place", server.url());
    (server, address)
}

#[test]
fn what_is_known_is_not_sent_again() {
    let (server, address) = server();
    let remote = open(&address);
    let Read::New { bytes, tag } = remote.read("channels/stable", 3, None).unwrap() else { panic!() };
    assert_eq!(bytes, b"one");
    assert_eq!(server.bytes_sent(), 3);
    assert_eq!(remote.read("channels/stable", 3, tag.as_ref()).unwrap(), Read::Same);
    assert_eq!(server.bytes_sent(), 0);
    server.put("/place/channels/stable", b"two");
    assert_eq!(text(remote.read("channels/stable", 3, tag.as_ref())), "two");
}

#[test]
fn what_a_server_says_is_told() {
    let (server, address) = server();
    let remote = open(&address);
    let read = || remote.read("channels/stable", 9, None).unwrap_err();
    for (status, is_it) in [
        (401, (|error| matches!(error, RemoteError::Denied { .. })) as fn(&RemoteError) -> bool),
        (403, |error| matches!(error, RemoteError::Denied { .. })),
        (404, RemoteError::is_not_found),
        (410, RemoteError::is_not_found),
        (418, |error| matches!(error, RemoteError::Answer { status: 418, .. })),
        (429, RemoteError::is_unreachable),
        (500, RemoteError::is_unreachable),
        (503, RemoteError::is_unreachable),
    ] {
        server.behave();
        server.misbehave("/place", Misbehaviour::Status(status, "no"));
        let error = read();
        assert!(is_it(&error), "{status}: {error:?}");
        let shown = format!("{address}/channels/stable");
        assert!(error.to_string().contains(&shown), "{error}");
    }
    // An answer to a question that was not asked.
    server.behave();
    server.misbehave("/place", Misbehaviour::Status(304, ""));
    assert!(matches!(read(), RemoteError::Answer { status: 304, .. }));
}

#[test]
fn where_nobody_listens_nobody_is_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    for address in [closed.as_str(), "http://no-such-host.invalid/place"] {
        let error = open(address).read("channels/stable", 9, None).unwrap_err();
        assert!(error.is_unreachable(), "{error}");
    }
    let (server, address) = server();
    server.misbehave("/", Misbehaviour::Hang);
    let error = open_with(&address, IMPATIENT).read("channels/stable", 9, None).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("nothing came for 300ms"), "{error}");
    // What has no time does not even ask.
    let over = Limits { total: Some(std::time::Instant::now()), ..super::PATIENT };
    let error = open_with(&address, over).read("channels/stable", 9, None).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
}

#[test]
fn a_server_that_stops_in_the_middle_is_not_waited_for() {
    let (server, address) = server();
    for how in [Misbehaviour::HangAfter(2), Misbehaviour::Cut(2), Misbehaviour::Announce(9)] {
        server.behave();
        server.misbehave("/place", how.clone());
        let error = open_with(&address, IMPATIENT).read("channels/stable", 9, None).unwrap_err();
        assert!(matches!(error, RemoteError::Cut { .. }), "{how:?}: {error:?}");
        assert!(error.is_unreachable());
    }
}

#[test]
fn nothing_larger_than_was_asked_for_is_read() {
    let (server, address) = server();
    let remote = open(&address);
    // Of what is announced nothing is read.
    server.misbehave("/place", Misbehaviour::Announce(1 << 50));
    server.misbehave("/place", Misbehaviour::HangAfter(0));
    let error = remote.read("channels/stable", 2, None).unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { most: 2, .. }), "{error}");
    server.behave();
    server.misbehave("/place", Misbehaviour::AnnounceNothing);
    assert_eq!(text(remote.read("channels/stable", 3, None)), "one");
    assert!(matches!(remote.read("channels/stable", 2, None), Err(RemoteError::TooLarge { .. })));
    server.misbehave("/place", Misbehaviour::Endless);
    assert!(matches!(remote.read("channels/stable", 1 << 20, None), Err(RemoteError::TooLarge { .. })));
}

#[test]
fn a_redirect_is_followed_but_not_for_ever() {
    let (server, address) = server();
    let other = HttpServer::start();
    other.put("/elsewhere", b"two");
    server.misbehave("/place", Misbehaviour::Redirect(format!("{}/elsewhere", other.url())));
    assert_eq!(text(open(&address).read("channels/stable", 9, None)), "two");
    // A password is for the server that it was meant for.
    let address = format!("{}/place", server.url_with("ada:secret"));
    assert_eq!(text(open(&address).read("channels/stable", 9, None)), "two");
    let sent =
        |server: &HttpServer| server.requests().pop().unwrap().header("authorization").map(ToOwned::to_owned);
    assert_eq!(sent(&server).as_deref(), Some("Basic YWRhOnNlY3JldA=="));
    assert_eq!(sent(&other), None);
    // Nothing is written elsewhere than was asked.
    let error = open(&address).replace("channels/stable", b"three", None).unwrap_err();
    assert!(matches!(error, RemoteError::Answer { status: 302, .. }), "{error:?}");
    server.behave();
    server.misbehave("/place", Misbehaviour::Redirect(format!("{}/place/again", server.url())));
    let _ = server.requests();
    let error = open(&address).read("channels/stable", 9, None).unwrap_err();
    assert!(error.to_string().contains("without end"), "{error}");
    assert!(server.requests().len() < 10);
}

#[test]
fn passwords_are_sent_and_never_shown() {
    let (server, _) = server();
    server.demand("Basic YWRhOnNlQ3JldA==");
    let right = open(&format!("{}/place", server.url_with("ada:se%43ret")));
    assert_eq!(text(right.read("channels/stable", 9, None)), "one");
    let wrong = open(&format!("{}/place?token=se%43ret", server.url_with("ada:se%43ret2")));
    let error = wrong.read("channels/stable", 9, None).unwrap_err();
    assert!(matches!(error, RemoteError::Denied { .. }), "{error}");
    assert_eq!(server.requests().pop().unwrap().path, "/place/channels/stable?token=se%43ret");
    server.misbehave("/", Misbehaviour::Status(500, ""));
    let other = wrong.read("channels/stable", 9, None).unwrap_err();
    let text = format!("{error} {error:?} {wrong:?} {} {other} {other:?}", wrong.address());
    assert!(!text.contains("ret"), "{text}");
}

#[test]
fn a_server_that_may_be_written_is_and_another_says_so() {
    let (server, address) = server();
    let remote = open(&address);
    assert!(remote.create("bundles/one", &Content::Bytes(b"1\n")).unwrap());
    assert!(!remote.create("bundles/one", &Content::Bytes(b"2\n")).unwrap());
    assert_eq!(server.object("/place/bundles/one").unwrap(), b"1\n");
    remote.remove("bundles/one").unwrap();
    assert_eq!(server.object("/place/bundles/one"), None);
    let folder = tempfile::tempdir().unwrap();
    let bytes = vec![7; 1_000_000];
    std::fs::write(folder.path().join("file"), &bytes).unwrap();
    std::fs::write(folder.path().join("empty"), "").unwrap();
    let dir = super::dir(folder.path());
    assert!(remote.create("bundles/file", &Content::File(&dir, "file")).unwrap());
    assert!(server.object("/place/bundles/file").unwrap() == bytes);
    assert!(remote.create("bundles/empty", &Content::File(&dir, "empty")).unwrap());
    assert_eq!(server.object("/place/bundles/empty").unwrap(), b"");
    assert!(matches!(remote.list(""), Err(RemoteError::Unsupported { .. })));
    server.misbehave("/place", Misbehaviour::Status(405, ""));
    let error = remote.replace("channels/stable", b"two", None).unwrap_err();
    assert!(matches!(error, RemoteError::Unsupported { .. }), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_server_without_tags_can_be_read() {
    let (server, address) = server();
    server.misbehave("/place", Misbehaviour::NoTag);
    let Read::New { bytes, tag } = open(&address).read("channels/stable", 9, None).unwrap() else { panic!() };
    assert_eq!((bytes.as_slice(), tag), (b"one".as_slice(), None));
    assert!(matches!(open(&address).check_preconditions(), Err(RemoteError::NoPreconditions { .. })));
}
