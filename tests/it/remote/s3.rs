//! Buckets: what speaks the language of S3.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use git_dist::remote::{Address, Content, Limits, Read, Remote, RemoteError, Settings};

use super::{PATIENT, dir, sha256, text};
use crate::support::{HttpServer, Misbehaviour};

/// A server of S3 that checks signatures: moto, where `GIT_DIST_TEST_MOTO` names the folder of its programs.
pub(crate) struct Moto {
    server: Child,
    url: String,
    key: (String, String),
    /// That of somebody who may read objects, and do nothing else.
    reading: (String, String),
}

/// Starts it, and makes a bucket and a user. Moto looks at conditions before it writes, and may do other things in
/// between: one request at a time is what makes it a store like others.
const START: &str = "
import json, logging, sys, threading
import boto3, requests
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server
logging.getLogger('werkzeug').setLevel(logging.ERROR)
application = DomainDispatcherApplication(create_backend_app)
server = make_server('127.0.0.1', 0, application, threaded=False, request_handler=MotoRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = 'http://%s:%d' % server.server_address[:2]
def client(name, **keys):
    return boto3.client(name, endpoint_url=url, region_name='us-east-1', **keys)
any = dict(aws_access_key_id='any', aws_secret_access_key='any')
client('s3', **any).create_bucket(Bucket='bucket')
iam = client('iam', **any)
def user(name, action):
    iam.create_user(UserName=name)
    policy = {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': action, 'Resource': '*'}]}
    iam.put_user_policy(UserName=name, PolicyName='some', PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)['AccessKey']
    return key['AccessKeyId'], key['SecretAccessKey']
keys = user('publisher', 's3:*') + user('consumer', 's3:GetObject')
requests.post(url + '/moto-api/reset-auth', data='0').raise_for_status()
print(url, *keys, flush=True)
sys.stdin.read()
";

impl Moto {
    /// Starts one; `None` where it is not installed.
    pub(crate) fn start() -> Option<Self> {
        let Some(folder) = std::env::var_os("GIT_DIST_TEST_MOTO") else {
            // Not `skipped`: .ci/run says itself where it cannot be installed.
            eprintln!("SKIPPED: GIT_DIST_TEST_MOTO names no folder with moto in it");
            return None;
        };
        let mut command = Command::new(std::path::Path::new(&folder).join("python"));
        command.args(["-c", START]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let [url, keys @ ..] = &words[..] else { panic!("moto does not start: {line}") };
        let key = |at: usize| (keys[at].to_owned(), keys[at + 1].to_owned());
        Some(Self { server, url: (*url).to_owned(), key: key(0), reading: key(2) })
    }

    /// The variables with which it is used by somebody who may do everything.
    pub(crate) fn settings(&self) -> [(&'static str, &str); 4] {
        self.settings_with(&self.key.0, &self.key.1)
    }

    /// The variables with which it is used by somebody who may read objects, but not list them.
    pub(crate) fn reading(&self) -> [(&'static str, &str); 4] {
        self.settings_with(&self.reading.0, &self.reading.1)
    }

    /// The variables with which it is used with such a key.
    pub(crate) fn settings_with<'a>(&'a self, id: &'a str, secret: &'a str) -> [(&'static str, &'a str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", secret),
        ]
    }

    /// The place at `address` there.
    pub(crate) fn open(&self, address: &str) -> Remote {
        open(
            &self.url,
            address,
            [("AWS_ACCESS_KEY_ID", self.key.0.as_str()), ("AWS_SECRET_ACCESS_KEY", self.key.1.as_str())],
        )
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The place at `address` of the server at `url`, with these settings and others that do not matter.
pub(super) fn open<'a>(
    url: &'a str,
    address: &str,
    more: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Remote {
    open_with(url, address, PATIENT, more)
}

fn open_with<'a>(
    url: &'a str,
    address: &str,
    limits: Limits,
    more: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Remote {
    let settings = [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let settings = Settings::of(settings.into_iter().chain(more));
    Remote::open_with(&Address::parse(address).unwrap(), limits, &settings).unwrap()
}

#[test]
fn what_is_written_is_read_listed_and_removed() {
    let Some(moto) = Moto::start() else { return };
    let remote = moto.open("s3://bucket/some/prefix");
    assert!(remote.read("channels/stable", 9, None).unwrap_err().is_not_found());
    assert!(remote.create("bundles/one", &Content::Bytes(b"1\n")).unwrap());
    assert!(!remote.create("bundles/one", &Content::Bytes(b"2\n")).unwrap());
    assert!(matches!(
        remote.create("bundles/one", &Content::Bytes(b"another\n")),
        Err(RemoteError::Size { expected: 8, found: 2, .. })
    ));
    let tag = remote.replace("channels/stable", b"one", None).unwrap();
    assert!(matches!(remote.replace("channels/stable", b"two", None), Err(RemoteError::Conflict { .. })));
    let Read::New { bytes, tag: read } = remote.read("channels/stable", 3, None).unwrap() else { panic!() };
    assert_eq!((bytes.as_slice(), &read), (b"one".as_slice(), &tag));
    assert_eq!(remote.read("channels/stable", 3, tag.as_ref()).unwrap(), Read::Same);
    remote.replace("channels/stable", b"two", tag.as_ref()).unwrap();
    assert!(matches!(
        remote.replace("channels/stable", b"three", tag.as_ref()),
        Err(RemoteError::Conflict { .. })
    ));
    assert_eq!(text(remote.read("channels/stable", 3, tag.as_ref())), "two");
    assert!(matches!(remote.read("channels/stable", 2, None), Err(RemoteError::TooLarge { .. })));
    let listed =
        remote.list("").unwrap().into_iter().map(|object| format!("{} {}", object.path, object.size));
    assert_eq!(listed.collect::<Vec<_>>(), ["bundles/one 2", "channels/stable 3"]);
    assert_eq!(remote.list("bundles").unwrap().len(), 1);
    remote.remove("bundles/one").unwrap();
    remote.remove("bundles/one").unwrap();
    assert_eq!(remote.list("bundles").unwrap(), []);
}

#[test]
fn an_interrupted_download_from_a_bucket_goes_on_where_it_ended() {
    let Some(moto) = Moto::start() else { return };
    let remote = moto.open("s3://bucket");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    remote.create("bundles/large", &Content::Bytes(&bytes)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (into, size) = (dir(folder.path()), bytes.len() as u64);
    std::fs::write(folder.path().join(".x.part"), &bytes[..1_000_000]).unwrap();
    let note = format!(r#"{{"size":{size},"sha256":"{}","at":"elsewhere","tag":null}}"#, sha256(&bytes));
    std::fs::write(folder.path().join(".x.part.json"), note).unwrap();
    assert_eq!(remote.download("bundles/large", size, &sha256(&bytes), &into, "x").unwrap(), 2_000_000);
    assert_eq!(std::fs::read(folder.path().join("x")).unwrap(), bytes);
}

#[test]
fn what_is_large_is_written_in_parts() {
    let Some(moto) = Moto::start() else { return };
    let bytes: Vec<u8> = (0..34_u8).flat_map(|n| vec![n; 1 << 20]).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large"), &bytes).unwrap();
    let remote = moto.open("s3://bucket");
    assert!(remote.create("bundles/large", &Content::File(&dir(folder.path()), "large")).unwrap());
    assert!(!remote.create("bundles/large", &Content::File(&dir(folder.path()), "large")).unwrap());
    let (into, size) = (dir(folder.path()), bytes.len() as u64);
    assert_eq!(remote.download("bundles/large", size, &sha256(&bytes), &into, "again").unwrap(), size);
}

#[test]
fn where_there_are_no_credentials_that_is_said_at_once() {
    // What gives machines their credentials, and does not answer, or gives none.
    let (server, store) = (HttpServer::start(), HttpServer::start());
    for how in [Misbehaviour::Hang, Misbehaviour::Status(404, "")] {
        server.behave();
        server.misbehave("/", how);
        let settings = [("AWS_METADATA_ENDPOINT", server.url()), ("AWS_ENDPOINT_URL", store.url())];
        let settings = Settings::of(settings.iter().map(|(name, value)| (*name, value.as_str())));
        let remote = Remote::open_with(&Address::parse("s3://bucket").unwrap(), PATIENT, &settings).unwrap();
        let error = remote.read("channels/stable", 9, None).unwrap_err();
        assert!(matches!(error, RemoteError::Denied { .. }), "{error}");
        assert!(error.to_string().contains("no credentials in the environment"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("AWS_SKIP_SIGNATURE")));
    }
    assert_eq!(server.requests().len(), 2);
    assert_eq!(store.requests().len(), 0);
}

#[test]
fn wrong_keys_are_denied() {
    let Some(moto) = Moto::start() else { return };
    moto.open("s3://bucket").replace("channels/stable", b"one", None).unwrap();
    for (id, secret) in [("wrong", "wrong"), (moto.key.0.as_str(), "wrong")] {
        let keys = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
        let remote = open(&moto.url, "s3://bucket", keys);
        for error in [
            remote.read("channels/stable", 9, None).unwrap_err(),
            remote.replace("channels/other", b"two", None).unwrap_err(),
            remote.list("").unwrap_err(),
        ] {
            assert!(matches!(error, RemoteError::Denied { .. }), "{error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("AWS_ACCESS_KEY_ID")));
        }
        let error = remote.read("channels/stable", 9, None).unwrap_err().to_string();
        assert!(error.contains("SignatureDoesNotMatch") || error.contains("InvalidAccessKeyId"), "{error}");
    }
}

#[test]
fn a_bucket_that_is_missing_is_named() {
    let Some(moto) = Moto::start() else { return };
    let error = moto.open("s3://missing").read("channels/stable", 9, None).unwrap_err();
    assert!(error.is_not_found());
    assert!(error.to_string().contains("NoSuchBucket"), "{error}");
}

#[test]
fn a_public_bucket_is_read_by_nobody_in_particular() {
    let server = HttpServer::start();
    server.put("/bucket/channels/stable", b"one");
    let settings = [("AWS_ENDPOINT_URL", server.url()), ("AWS_SKIP_SIGNATURE", "true".to_owned())];
    let settings = Settings::of(settings.iter().map(|(name, value)| (*name, value.as_str())));
    let remote = Remote::open_with(&Address::parse("s3://bucket").unwrap(), PATIENT, &settings).unwrap();
    assert_eq!(text(remote.read("channels/stable", 9, None)), "one");
    assert!(server.requests().iter().all(|request| request.header("authorization").is_none()));
}

#[test]
fn credentials_go_unencrypted_to_this_machine_only() {
    let address = Address::parse("s3://bucket").unwrap();
    let with = |more: &[(&'static str, &'static str)]| {
        Remote::open_with(&address, PATIENT, &Settings::of(more.iter().copied()))
    };
    let plain = ("AWS_ENDPOINT_URL", "http://192.0.2.1");
    let error = with(&[plain]).unwrap_err();
    assert!(matches!(error, RemoteError::Settings { .. }), "{error}");
    with(&[plain, ("AWS_ALLOW_HTTP", "true")]).unwrap();
    with(&[("AWS_ENDPOINT_URL", "https://192.0.2.1")]).unwrap();
    with(&[("AWS_ENDPOINT_URL_S3", "http://[::1]:9000")]).unwrap();
}

#[test]
fn a_store_that_is_busy_is_asked_again_and_one_that_fails_is_unreachable() {
    let server = HttpServer::start();
    server.put("/bucket/channels/stable", b"one");
    let remote = open(&server.url(), "s3://bucket", []);
    let web = super::open(&format!("{}/bucket", server.url()));
    for remote in [&remote, &web] {
        server.misbehave("/bucket", Misbehaviour::StatusAtFirst(503, 1));
        assert_eq!(text(remote.read("channels/stable", 9, None)), "one");
        assert_eq!(server.requests().len(), 2);
        server.behave();
    }
    server.misbehave("/bucket", Misbehaviour::Status(500, "<Error><Code>InternalError</Code></Error>"));
    let error = remote.read("channels/stable", 9, None).unwrap_err();
    assert!(error.is_unreachable(), "{error}");
    assert!(error.to_string().contains("500 (InternalError)"), "{error}");
}

#[test]
fn what_does_not_answer_is_not_waited_for() {
    let server = HttpServer::start();
    server.put("/bucket/channels/stable", b"one");
    let remote = open_with(&server.url(), "s3://bucket", super::IMPATIENT, []);
    server.misbehave("/bucket", Misbehaviour::Hang);
    for error in [
        remote.read("channels/stable", 9, None).unwrap_err(),
        remote.replace("channels/stable", b"two", None).unwrap_err(),
        remote.list("").unwrap_err(),
        remote.remove("channels/stable").unwrap_err(),
    ] {
        assert!(error.is_unreachable(), "{error}");
    }
}

#[test]
fn reasons_without_end_are_not_read_to_their_end() {
    let server = HttpServer::start();
    let remote = open(&server.url(), "s3://bucket", []);
    server.misbehave("/bucket", Misbehaviour::Status(400, "no"));
    server.misbehave("/bucket", Misbehaviour::Endless);
    let error = remote.read("channels/stable", 9, None).unwrap_err();
    assert!(
        matches!(error, RemoteError::Answer { status: 400, .. } | RemoteError::TooLarge { .. }),
        "{error:?}"
    );
    server.behave();
    server.put("/bucket/channels/stable", b"one");
    server.misbehave("/bucket", Misbehaviour::Announce(1 << 40));
    let error = remote.read("channels/stable", 9, None).unwrap_err();
    assert!(matches!(error, RemoteError::TooLarge { most: 9, .. }), "{error:?}");
}
