//! A web server of a test's own, which keeps what is put there and can be told to misbehave.
//!
//! ```ignore
//! let server = HttpServer::start();
//! server.put("/place/channels/stable", b"...");
//! server.misbehave("/place/bundles/", Misbehaviour::Cut(1000));   // for all paths that begin so
//! server.behave();                                                 // as before
//! let address = format!("{}/place", server.url());                 // http://127.0.0.1:PORT/place
//! assert_eq!(server.requests().len(), 1);                          // what was asked
//! assert_eq!(server.bytes_sent(), 12);                             // bytes of bodies
//! ```
//!
//! It answers `GET`, `HEAD`, `PUT` and `DELETE` with an `ETag`, heeds `If-None-Match`, `If-Match`, `If-Range` and
//! `Range`, and ends the connection after each answer. `/~NAME/place` is `/place` as the client NAME is shown it: what is
//! put there is for that client alone, and what goes wrong there goes wrong for nobody else. With `AWS_ENDPOINT_URL` of its URL it passes for S3 (signatures
//! are not checked, and there are no listings).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a server does instead of what it should.
#[derive(Clone, Debug)]
pub(crate) enum Misbehaviour {
    /// Takes the request and never answers.
    Hang,
    /// Sends so many bytes of the body, and then nothing.
    HangAfter(usize),
    /// Sends so many bytes of the body, and closes the connection.
    Cut(usize),
    /// Announces so many bytes, whatever there are.
    Announce(u64),
    /// Announces no length: the body ends with the connection.
    AnnounceNothing,
    /// Sends zeros without end, and announces no length.
    Endless,
    /// Answers with this status and text.
    Status(u16, &'static str),
    /// So many times; then it does what it should.
    StatusAtFirst(u16, usize),
    /// Does what was asked, and says so many times that it failed, with this status.
    Deny(u16, usize),
    /// Leads to this address, with the status 302.
    Redirect(String),
    /// Sends all of it, whatever part was asked for.
    IgnoreRange,
    /// Answers with another part than was asked for.
    WrongRange,
    /// Sends so many bytes a second, in ten pieces.
    Drip(usize),
    /// Sends no `ETag`.
    NoTag,
    /// Sends an `ETag` that says that two who have it may differ.
    WeakTag,
    /// Heeds no conditions.
    IgnoreConditions,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    /// With what follows `?`.
    pub(crate) path: String,
    /// Names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
}

impl HttpRequest {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// The server. It ends with the process.
pub(crate) struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    misbehaviours: Vec<(String, Misbehaviour)>,
    /// The value of `Authorization` that is asked for.
    authorization: Option<String>,
    requests: Vec<HttpRequest>,
    bytes_sent: u64,
}

impl HttpServer {
    /// Starts one on a free port of this machine.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let threads = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = Arc::clone(&threads);
                // An error means that nobody listens any more.
                std::thread::spawn(move || drop(shared.serve(&stream.unwrap())));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// As [`HttpServer::url`], with a user and a password.
    pub(crate) fn url_with(&self, credentials: &str) -> String {
        format!("http://{credentials}@{}", self.address)
    }

    /// Keeps `bytes` at `path`, which begins with `/`.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        self.shared.state().objects.insert(path.to_owned(), bytes.to_owned());
    }

    /// What is kept at `path`.
    pub(crate) fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.shared.state().objects.get(path).cloned()
    }

    /// From now on misbehaves where a path begins with `prefix`. Several things can be wrong at once.
    pub(crate) fn misbehave(&self, prefix: &str, how: Misbehaviour) {
        self.shared.state().misbehaviours.push((prefix.to_owned(), how));
    }

    /// From now on does what it should.
    pub(crate) fn behave(&self) {
        self.shared.state().misbehaviours.clear();
    }

    /// From now on does what it should where a path begins with `prefix`, and keeps nothing there.
    pub(crate) fn restore(&self, prefix: &str) {
        let mut state = self.shared.state();
        state.misbehaviours.retain(|(path, _)| !path.starts_with(prefix));
        state.objects.retain(|path, _| !path.starts_with(prefix));
    }

    /// From now on only answers requests with this value of `Authorization`.
    pub(crate) fn demand(&self, authorization: &str) {
        self.shared.state().authorization = Some(authorization.to_owned());
    }

    /// What was asked since the last call.
    pub(crate) fn requests(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut self.shared.state().requests)
    }

    /// How many bytes of bodies were sent since the last call.
    pub(crate) fn bytes_sent(&self) -> u64 {
        std::mem::take(&mut self.shared.state().bytes_sent)
    }
}

/// An answer that can be given.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn of(status: u16, body: &[u8]) -> Self {
        Self { status, headers: Vec::new(), body: body.to_owned() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(ToOwned::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else { return Ok(()) };
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
        }
        let request = HttpRequest { method, path, headers };
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut content = vec![0; length];
        reader.read_exact(&mut content)?;
        let (answer, wrongs) = {
            let mut state = self.state();
            state.requests.push(request.clone());
            let wrongs = state.wrongs(&request);
            let mut answer = state.answer(&request, content, &wrongs);
            for wrong in &wrongs {
                if let Misbehaviour::Deny(status, _) = wrong {
                    answer = Answer::of(*status, b"");
                }
            }
            (answer, wrongs)
        };
        self.send(stream, &request, &answer, &wrongs)
    }

    fn send(
        &self,
        mut stream: &TcpStream,
        request: &HttpRequest,
        answer: &Answer,
        wrongs: &[Misbehaviour],
    ) -> std::io::Result<()> {
        let forever = || std::thread::sleep(Duration::from_hours(1));
        if wrongs.iter().any(|wrong| matches!(wrong, Misbehaviour::Hang)) {
            forever();
        }
        let mut head = format!("HTTP/1.1 {} -\r\nConnection: close\r\n", answer.status);
        let mut length = Some(answer.body.len() as u64);
        let (mut most, mut hangs, mut drips, mut is_endless) = (answer.body.len(), false, None, false);
        for wrong in wrongs {
            match wrong {
                Misbehaviour::Announce(bytes) => length = Some(*bytes),
                Misbehaviour::AnnounceNothing => length = None,
                Misbehaviour::Endless => (length, is_endless) = (None, true),
                Misbehaviour::Cut(bytes) => most = most.min(*bytes),
                Misbehaviour::HangAfter(bytes) => (most, hangs) = (most.min(*bytes), true),
                Misbehaviour::Drip(bytes) => drips = Some(*bytes),
                _ => {}
            }
        }
        if let Some(length) = length.filter(|_| answer.status != 304) {
            write!(head, "Content-Length: {length}\r\n").unwrap();
        }
        for (name, value) in &answer.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        if request.method != "HEAD" {
            let piece = drips.map_or(64 << 10, |bytes| (bytes / 10).max(1));
            for chunk in answer.body[..most].chunks(piece) {
                self.state().bytes_sent += chunk.len() as u64;
                stream.write_all(chunk)?;
                if drips.is_some() {
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            if is_endless {
                let zeros = vec![0; 64 << 10];
                // An error means that the other side had enough.
                loop {
                    stream.write_all(&zeros)?;
                    self.state().bytes_sent += zeros.len() as u64;
                }
            }
        }
        if hangs {
            forever();
        }
        Ok(())
    }
}

impl State {
    /// What is to go wrong now.
    fn wrongs(&mut self, request: &HttpRequest) -> Vec<Misbehaviour> {
        let all =
            self.misbehaviours.iter_mut().filter(|(prefix, _)| request.path.starts_with(prefix.as_str()));
        let mut wrongs = Vec::new();
        for (_, wrong) in all {
            if let Misbehaviour::StatusAtFirst(_, left) | Misbehaviour::Deny(_, left) = wrong {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            wrongs.push(wrong.clone());
        }
        wrongs
    }

    /// Where something is kept that is asked for as `path`.
    fn place<'p>(&self, path: &'p str) -> &'p str {
        let common = path.strip_prefix("/~").and_then(|rest| Some(&rest[rest.find('/')?..]));
        common.filter(|_| !self.objects.contains_key(path)).unwrap_or(path)
    }

    fn answer(&mut self, request: &HttpRequest, content: Vec<u8>, wrongs: &[Misbehaviour]) -> Answer {
        for wrong in wrongs {
            match wrong {
                Misbehaviour::Status(status, text) => return Answer::of(*status, text.as_bytes()),
                Misbehaviour::StatusAtFirst(status, _) => return Answer::of(*status, b""),
                Misbehaviour::Redirect(to) => return Answer::of(302, b"").with("Location", to),
                _ => {}
            }
        }
        if self.authorization.is_some() && self.authorization.as_deref() != request.header("authorization") {
            return Answer::of(401, b"").with("WWW-Authenticate", "Basic");
        }
        let is_wrong = |is: fn(&Misbehaviour) -> bool| wrongs.iter().any(is);
        let path = self.place(request.path.split('?').next().unwrap_or_default());
        let there = self.objects.get(path);
        let tag = there.map(|bytes| tag(bytes));
        let named = |name| {
            request.header(name).filter(|_| !is_wrong(|it| matches!(it, Misbehaviour::IgnoreConditions)))
        };
        let is_there = |name| {
            named(name).is_some_and(|value| value == "*" && tag.is_some() || Some(value) == tag.as_deref())
        };
        match request.method.as_str() {
            "PUT" if is_there("if-none-match") || named("if-match").is_some() && !is_there("if-match") => {
                Answer::of(412, b"")
            }
            "PUT" => {
                let tag = self::tag(&content);
                self.objects.insert(path.to_owned(), content);
                let answer = Answer::of(200, b"");
                if is_wrong(|it| matches!(it, Misbehaviour::NoTag)) {
                    answer
                } else {
                    answer.with("ETag", tag)
                }
            }
            "DELETE" => {
                self.objects.remove(path);
                Answer::of(204, b"")
            }
            // How S3 is asked to remove several at once.
            "POST" if request.path.contains("?delete") => {
                let text = String::from_utf8(content).unwrap();
                let mut result = String::new();
                for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
                    self.objects.remove(&format!("{path}/{key}"));
                    write!(result, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
                }
                Answer::of(200, format!("<DeleteResult>{result}</DeleteResult>").as_bytes())
            }
            "GET" | "HEAD" => {
                let (Some(bytes), Some(tag)) = (there, &tag) else { return Answer::of(404, b"") };
                let shown = if is_wrong(|it| matches!(it, Misbehaviour::WeakTag)) {
                    format!("W/{tag}")
                } else {
                    tag.clone()
                };
                let has_tag = !is_wrong(|it| matches!(it, Misbehaviour::NoTag));
                let tagged = |answer: Answer| if has_tag { answer.with("ETag", &shown) } else { answer };
                // A page, as an index of Python packages has them.
                let is_page = path.ends_with('/');
                let tagged = |answer: Answer| {
                    if is_page { tagged(answer).with("Content-Type", "text/html") } else { tagged(answer) }
                };
                if request.header("if-none-match") == Some(&shown) {
                    return tagged(Answer::of(304, b""));
                }
                if named("if-match").is_some() && !is_there("if-match") {
                    return Answer::of(412, b"");
                }
                let range =
                    request.header("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
                let is_whole = is_wrong(|it| matches!(it, Misbehaviour::IgnoreRange))
                    || named("if-range").is_some() && !is_there("if-range");
                match range.and_then(|start| start.parse::<usize>().ok()).filter(|_| !is_whole) {
                    None => tagged(Answer::of(200, bytes)),
                    Some(start) if start >= bytes.len() => Answer::of(416, b""),
                    Some(start) => {
                        let start =
                            start - usize::from(is_wrong(|it| matches!(it, Misbehaviour::WrongRange)));
                        let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
                        tagged(Answer::of(206, &bytes[start..]).with("Content-Range", range))
                    }
                }
            }
            _ => Answer::of(405, b""),
        }
    }
}

fn tag(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
