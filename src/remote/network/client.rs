//! The one client of all requests: how long they take, how large answers are, and where they may lead.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::{Body, Frame, SizeHint};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use tokio::time::Sleep;

use crate::causes::{BoxError, chain};
use crate::remote::Limits;
use crate::remote::error::RemoteError;

/// Redirects of one request.
const MOST_REDIRECTS: usize = 5;
/// Bytes of an answer that says why there is none.
const MOST_REASON: u64 = 64 << 10;
/// Bytes that any answer may have: those that bring credentials, for example.
const LEAST: u64 = 1 << 20;
/// How long the services that give machines their credentials may take. They are near, where there are any.
const CREDENTIALS: Duration = Duration::from_secs(1);
/// Where they are: of Amazon's machines and Azure's, Amazon's containers, and Google's machines.
const CREDENTIALS_HOSTS: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "metadata", "metadata.google.internal"];

/// Why there is no answer, or not all of it.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Fault {
    /// Nothing came for so long.
    #[error("nothing came for {}", humantime::format_duration(*.0))]
    Silent(Duration),
    /// There is no time left.
    #[error("the time is over")]
    Over,
    /// The answer is larger than it may be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    /// Nobody gave credentials.
    #[error("there are no credentials in the environment, and {0} gives none")]
    NoCredentials(String),
    /// The connection failed.
    #[error("{0}")]
    Connection(String),
    /// The request cannot be made.
    #[error("{0}")]
    Request(String),
}

/// What is known of the last request that did not go well.
#[derive(Clone, Debug, Default)]
pub(super) struct Last {
    /// The status of the answer.
    pub(super) status: Option<u16>,
    /// What the store called the error.
    pub(super) code: Option<String>,
    pub(super) fault: Option<Fault>,
}

/// The client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    inner: reqwest::Client,
    limits: Limits,
    /// The hosts, with ports where there are any, that give machines their credentials.
    credentials: Vec<String>,
    shared: Arc<Shared>,
}

/// What is shared by all who use one client. They do so one after the other.
#[derive(Debug)]
struct Shared {
    most: AtomicU64,
    /// The present request follows redirects. Those that write do not: what is written elsewhere than was asked would be
    /// written nowhere.
    follows: AtomicBool,
    last: Mutex<Last>,
}

impl Client {
    pub(super) fn new(limits: Limits) -> Result<Self, reqwest::Error> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let shared = Arc::new(Shared {
            most: AtomicU64::new(LEAST),
            follows: AtomicBool::new(false),
            last: Mutex::default(),
        });
        let client = reqwest::Client::builder()
            .user_agent(concat!("git-dist/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects(Arc::clone(&shared)));
        Ok(Self {
            inner: client.build()?,
            limits,
            credentials: CREDENTIALS_HOSTS.map(ToOwned::to_owned).to_vec(),
            shared,
        })
    }

    /// Takes `url` for one of a service that gives machines their credentials.
    pub(super) fn ask_for_credentials_at(&mut self, url: &str) {
        if let Ok(url) = url.parse::<reqwest::Url>() {
            self.credentials.push(url.authority().to_owned());
        }
    }

    /// From now on no answer has more than `most` bytes, and what went wrong before is forgotten.
    pub(super) fn expect(&self, most: u64) {
        self.shared.most.store(most.max(LEAST), Ordering::Relaxed);
        *self.last() = Last::default();
    }

    /// What is known of what went wrong since.
    pub(super) fn what_went_wrong(&self) -> Last {
        self.last().clone()
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.shared.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends `request`.
    pub(super) async fn send<B>(&self, request: http::Request<B>) -> Result<HttpResponse, Fault>
    where
        B: Body<Data = Bytes> + Unpin + Send + Sync + 'static,
        B::Error: Into<BoxError>,
    {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<reqwest::Url>();
        let url = url.map_err(|error| Fault::Request(error.to_string()))?;
        let authority = url.authority().to_owned();
        let is_for_credentials = self.credentials.contains(&authority);
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let sent = Arc::new(AtomicU64::new(0));
        if !body.is_end_stream() {
            *request.body_mut() = Some(reqwest::Body::wrap(Counted { inner: body, sent: Arc::clone(&sent) }));
        } else if !is_read {
            *request.body_mut() = Some(Bytes::new().into());
        }
        self.shared.follows.store(is_read, Ordering::Relaxed);
        let answer = match self.wait(self.inner.execute(request), is_for_credentials, &sent).await {
            Err(_) if is_for_credentials => return Err(Fault::NoCredentials(authority)),
            answer => answer?,
        };
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let is_success = parts.status.is_success();
        if is_for_credentials && !is_success {
            // Something else is there, or this machine has no role.
            return Err(Fault::NoCredentials(authority));
        }
        let most = if is_success { self.shared.most.load(Ordering::Relaxed) } else { MOST_REASON };
        let body = HttpResponseBody::new(self.guard(body, most));
        if is_success || parts.status.as_u16() == 304 {
            return Ok(HttpResponse::from_parts(parts, body));
        }
        // What is too long or does not come is no reason, and its fault is not one of the object.
        let reason = body.bytes().await.unwrap_or_default();
        let code = code(&parts.headers, &reason);
        *self.last() = Last { status: Some(parts.status.as_u16()), code, fault: None };
        // `object_store` takes it for text.
        let reason = String::from_utf8_lossy(&reason).into_owned();
        Ok(HttpResponse::from_parts(parts, reason.into()))
    }

    /// The beginning of an answer, as long as something is sent or the limits are not reached.
    async fn wait(
        &self,
        answer: impl Future<Output = Result<reqwest::Response, reqwest::Error>>,
        is_for_credentials: bool,
        sent: &AtomicU64,
    ) -> Result<reqwest::Response, Fault> {
        let mut answer = std::pin::pin!(answer);
        let mut before = 0;
        loop {
            let silence = match (is_for_credentials, before) {
                (true, _) => CREDENTIALS.min(self.limits.probe),
                (false, 0) => self.limits.probe,
                (false, _) => self.limits.stall.max(self.limits.probe),
            };
            match tokio::time::timeout(silence, &mut answer).await {
                Ok(answer) => return answer.map_err(connection),
                Err(_) if sent.load(Ordering::Relaxed) > before => before = sent.load(Ordering::Relaxed),
                Err(_) => return Err(Fault::Silent(silence)),
            }
        }
    }

    fn guard(&self, inner: reqwest::Body, most: u64) -> Guarded {
        let sleep = Box::pin(tokio::time::sleep(self.limits.stall));
        let mut guarded =
            Guarded { inner, sleep, limits: self.limits, most, left: most, shared: Arc::clone(&self.shared) };
        guarded.begin_to_wait();
        guarded
    }
}

/// As `object_store` wants it.
impl HttpService for Client {
    fn call<'s, 'f>(
        &'s self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'f>>
    where
        's: 'f,
        Self: 'f,
    {
        Box::pin(async move {
            self.send(request).await.map_err(|fault| {
                self.last().fault = Some(fault.clone());
                fault.into()
            })
        })
    }
}

impl HttpConnector for Client {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl From<Fault> for HttpError {
    fn from(fault: Fault) -> Self {
        Self::new(HttpErrorKind::Unknown, fault)
    }
}

impl Fault {
    /// What it means for the object `at`.
    pub(super) fn into_error(self, at: String) -> RemoteError {
        match self {
            Self::TooLarge(most) => RemoteError::TooLarge { at, most },
            Self::NoCredentials(_) => RemoteError::Denied { at, why: self.to_string(), code: None },
            _ => RemoteError::Unreachable { at, why: self.to_string() },
        }
    }
}

fn redirects(shared: Arc<Shared>) -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(move |attempt| match refused(attempt.previous(), attempt.url()) {
        _ if !shared.follows.load(Ordering::Relaxed) => attempt.stop(),
        Some(why) => attempt.error(why),
        None => attempt.follow(),
    })
}

/// Why nobody follows to `next` from the addresses that led there, if that is so.
fn refused(previous: &[reqwest::Url], next: &reqwest::Url) -> Option<&'static str> {
    let is_safe = |url: &reqwest::Url| url.scheme() == "https";
    if previous.len() > MOST_REDIRECTS {
        Some("it leads from one address to the next without end")
    } else if previous.iter().any(is_safe) && !is_safe(next) {
        Some("it leads from `https` to an address that is not")
    } else {
        None
    }
}

fn connection(error: reqwest::Error) -> Fault {
    Fault::Connection(chain(&error.without_url()))
}

/// What a store calls an error: `<Code>` in XML, or a header.
fn code(headers: &HeaderMap, reason: &[u8]) -> Option<String> {
    let is_word =
        |word: &&str| !word.is_empty() && word.len() < 64 && word.bytes().all(|b| b.is_ascii_alphanumeric());
    if let Some(code) = headers.get("x-ms-error-code").and_then(|code| code.to_str().ok()).filter(is_word) {
        return Some(code.to_owned());
    }
    let text = std::str::from_utf8(reason).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code).filter(is_word).map(ToOwned::to_owned)
}

/// A body that counts what was taken from it.
struct Counted<B> {
    inner: B,
    sent: Arc<AtomicU64>,
}

impl<B: Body<Data = Bytes> + Unpin> Body for Counted<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.sent.fetch_add(frame.data_ref().map_or(0, |data| data.len() as u64), Ordering::Relaxed);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body that ends with an error when it is too long, or does not go on.
struct Guarded {
    inner: reqwest::Body,
    sleep: Pin<Box<Sleep>>,
    limits: Limits,
    most: u64,
    left: u64,
    shared: Arc<Shared>,
}

impl Guarded {
    fn begin_to_wait(&mut self) {
        let next = Instant::now() + self.limits.stall;
        let until = self.limits.total.map_or(next, |total| next.min(total));
        self.sleep.as_mut().reset(until.into());
    }

    fn fail(&self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        self.shared.last.lock().unwrap_or_else(PoisonError::into_inner).fault = Some(fault.clone());
        Poll::Ready(Some(Err(fault.into())))
    }
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        match Pin::new(&mut self.inner).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = self.left.checked_sub(length) else {
                    return self.fail(Fault::TooLarge(self.most));
                };
                self.left = left;
                self.begin_to_wait();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => self.fail(connection(error)),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending if self.sleep.as_mut().poll(context).is_ready() => {
                let is_over = self.limits.total.is_some_and(|total| total <= Instant::now());
                self.fail(if is_over { Fault::Over } else { Fault::Silent(self.limits.stall) })
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_from_encryption_to_none_or_without_end() {
        let refused = |previous: &[&str], next: &str| {
            let previous: Vec<_> = previous.iter().map(|url| url.parse().unwrap()).collect();
            refused(&previous, &next.parse().unwrap()).is_some()
        };
        assert!(!refused(&["http://a/"], "http://b/"));
        assert!(!refused(&["http://a/"], "https://b/"));
        assert!(!refused(&["https://a/"], "https://b/"));
        assert!(refused(&["https://a/"], "http://a/"));
        assert!(refused(&["http://a/", "https://b/"], "http://c/"));
        assert!(!refused(&["http://a/"; MOST_REDIRECTS], "http://b/"));
        assert!(refused(&["http://a/"; MOST_REDIRECTS + 1], "http://b/"));
    }

    #[test]
    fn what_a_store_calls_an_error_is_found_and_nothing_else_is_shown() {
        let code = |reason: &str| code(&HeaderMap::new(), reason.as_bytes());
        assert_eq!(code("<Error><Code>NoSuchKey</Code></Error>").as_deref(), Some("NoSuchKey"));
        for reason in ["", "<Code>", "<Code></Code>", "<Code>a b</Code>", "<Code>\u{1b}[2J</Code>"] {
            assert_eq!(code(reason), None, "{reason}");
        }
        let headers =
            HeaderMap::from_iter([("x-ms-error-code".parse().unwrap(), "BlobNotFound".parse().unwrap())]);
        assert_eq!(super::code(&headers, b"").as_deref(), Some("BlobNotFound"));
    }
}
