//! What is published on a web server, and servers that do not do what they should.

use std::fs;

use crate::publish::Market;
use crate::support::{HttpServer, Misbehaviour, Repo};

/// A web server that shows the place, and a machine that has release 1 from there.
fn begin(market: &Market) -> (Repo<'_>, HttpServer) {
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let server = HttpServer::start();
    show(market, &server);
    market.install_from(&format!("{}/place", server.url()), &[]).success();
    server.requests();
    server.bytes_sent();
    (repo, server)
}

/// Lets the server show what is published now.
fn show(market: &Market, server: &HttpServer) {
    for folder in ["channels", "bundles"] {
        for entry in fs::read_dir(market.at(&format!("place/{folder}"))).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                server.put(&format!("/place/{folder}/{name}"), &fs::read(entry.path()).unwrap());
            }
        }
    }
}

/// Publishes a large release, so that there is something to be cut.
fn large_release(market: &Market, repo: &Repo<'_>, server: &HttpServer) -> u64 {
    let mut seed = 7_u64;
    let mut noise = String::new();
    for _ in 0..20_000 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        noise.extend(format!("{:x}", seed >> 33).chars());
    }
    repo.executable("tool", format!("two\n{noise}\n"));
    repo.commit("two");
    market.publish(repo, &[]).success();
    show(market, server);
    let manifest = market.manifest("stable");
    manifest["bundles"].as_array().unwrap().last().unwrap()["size"].as_u64().unwrap()
}

fn is_two(market: &Market) -> bool {
    market.tool().starts_with("two\n")
}

#[test]
fn with_nothing_new_it_is_one_request() {
    let Some(market) = Market::new() else { return };
    let (_repo, server) = begin(&market);
    market.update().success().says("nothing new");
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "/place/channels/stable"));
    assert!(requests[0].header("if-none-match").is_some());
    assert_eq!(server.bytes_sent(), 0);
}

#[test]
fn an_update_is_two_requests() {
    let Some(market) = Market::new() else { return };
    let (repo, server) = begin(&market);
    market.release(&repo, "two");
    show(&market, &server);
    market.update().success();
    assert_eq!(market.tool(), "two");
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_is_cut_is_resumed() {
    let Some(market) = Market::new() else { return };
    let (repo, server) = begin(&market);
    let size = large_release(&market, &repo, &server);
    server.bytes_sent();
    server.misbehave("/place/bundles/", Misbehaviour::Cut(50_000));
    market.update().code(1);
    assert_eq!(market.tool(), "one");
    server.behave();
    market.update().success();
    assert!(is_two(&market));
    let sent = server.bytes_sent();
    // The manifest, and each byte of the bundle once.
    assert!(sent < size + 3000, "{sent} bytes for {size}");
}

#[test]
fn a_server_that_lies_about_the_length_is_not_believed() {
    let Some(market) = Market::new() else { return };
    let (repo, server) = begin(&market);
    large_release(&market, &repo, &server);
    server.misbehave("/place/channels/", Misbehaviour::Endless);
    market.update().code(1).says("larger than");
    assert_eq!(market.events().last().unwrap().0, "refused");
    assert_eq!(market.tool(), "one");
    // Of a bundle as much is read as its manifest says, and no more.
    server.behave();
    server.misbehave("/place/bundles/", Misbehaviour::Announce(1 << 40));
    market.update().code(1).says("larger than");
    server.behave();
    server.misbehave("/place/bundles/", Misbehaviour::Endless);
    market.update().code(1).says("larger than");
    server.behave();
    market.update().success();
    assert!(is_two(&market));
}

#[test]
fn who_says_no_is_not_gone_around() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let (server, mirror) = (HttpServer::start(), HttpServer::start());
    show(&market, &server);
    show(&market, &mirror);
    let mirror_address = format!("{}/place", mirror.url());
    market.install_from(&format!("{}/place", server.url()), &["--mirror", &mirror_address]).success();
    market.release(&repo, "two");
    show(&market, &server);
    show(&market, &mirror);
    for (status, kind) in [(401, "refused"), (403, "refused"), (404, "failed")] {
        server.behave();
        server.misbehave("/place/", Misbehaviour::Status(status, "no"));
        market.update().code(1);
        assert!(mirror.requests().is_empty(), "{status}");
        assert_eq!(market.events().last().unwrap().0, kind, "{status}");
    }
    assert_eq!(market.tool(), "one");
    // One that is broken is gone around.
    server.behave();
    server.misbehave("/place/", Misbehaviour::Status(500, "broken"));
    market.update().success();
    assert_eq!(market.tool(), "two");
    assert!(market.events().iter().any(|(kind, _)| kind == "unreachable"));
}

#[test]
fn who_does_not_answer_is_gone_around() {
    let Some(market) = Market::new() else { return };
    let repo = market.project();
    market.publish(&repo, &[]).success();
    let (server, mirror) = (HttpServer::start(), HttpServer::start());
    show(&market, &server);
    // Nobody listens there.
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/place", listener.local_addr().unwrap())
    };
    let mirror_address = format!("{}/place", mirror.url());
    let mirrors = ["--mirror", &closed, "--mirror", &mirror_address];
    market.install_from(&format!("{}/place", server.url()), &mirrors).success();
    market.release(&repo, "two");
    show(&market, &mirror);
    server.misbehave("/place/", Misbehaviour::Hang);
    market.machine(&["update", "--now", "--probe", "300ms", "--timeout", "1m"]).success();
    assert_eq!(market.tool(), "two");
    // Nobody at all: the machine stays what it is, and says whom it asked.
    mirror.misbehave("/", Misbehaviour::Hang);
    let run = market.machine(&["update", "--now", "--probe", "300ms"]).code(1);
    assert!(run.stderr().contains("none of 3 upstreams can be reached"), "{}", run.snapshot());
    assert_eq!(market.tool(), "two");
}

#[test]
fn what_is_slow_is_kept_and_gone_on_with() {
    let Some(market) = Market::new() else { return };
    let (repo, server) = begin(&market);
    let size = large_release(&market, &repo, &server);
    server.bytes_sent();
    server.misbehave("/place/bundles/", Misbehaviour::Drip(20_000));
    market.machine(&["update", "--now", "--timeout", "1s"]).code(1).says("the next try goes on from there");
    assert_eq!(market.tool(), "one");
    assert_eq!(market.events().last().unwrap().0, "unreachable");
    let first = server.bytes_sent();
    assert!(first < size, "{first}");
    server.behave();
    market.update().success();
    assert!(is_two(&market));
    let second = server.bytes_sent();
    assert!(second < size + 2000, "{second} bytes after {first} of {size}");
    assert!(server.requests().iter().any(|request| request.header("range").is_some()));
}

#[test]
fn redirects_are_followed_and_rings_are_not() {
    let Some(market) = Market::new() else { return };
    let (repo, server) = begin(&market);
    market.release(&repo, "two");
    let other = HttpServer::start();
    show(&market, &other);
    let stable = format!("{}/place/channels/stable", other.url());
    server.misbehave("/place/channels/", Misbehaviour::Redirect(stable));
    show(&market, &server);
    market.update().success();
    assert_eq!(market.tool(), "two");
    server.behave();
    server.misbehave("/place/", Misbehaviour::Redirect(format!("{}/place/", server.url())));
    market.update().code(1);
    assert_eq!(market.tool(), "two");
}
