//! The one client of all requests: how long they take, how large answers are, and where they may lead.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
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

use crate::causes::chain;
use crate::remote::Limits;
use crate::remote::error::RemoteError;

/// Redirects of one request.
const MOST_REDIRECTS: usize = 5;
/// Bytes of an answer that says why there is none.
const MOST_REASON: u64 = 64 << 10;
/// Bytes that any answer may have: those that bring credentials, for example.
const LEAST: u64 = 1 << 20;
/// How long the services that give machines their credentials may take.
const CREDENTIALS: Duration = Duration::from_secs(1);

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
    /// Follows redirects.
    reads: reqwest::Client,
    /// Does not: what is written elsewhere than was asked would be written nowhere.
    writes: reqwest::Client,
    limits: Limits,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: AtomicU64,
    last: Mutex<Last>,
}

impl Client {
    pub(super) fn new(limits: Limits) -> Result<Self, reqwest::Error> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // An error says that there is one already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let client = |redirects| {
            reqwest::Client::builder()
                .user_agent(concat!("git-dist/", env!("CARGO_PKG_VERSION")))
                .redirect(redirects)
                .build()
        };
        Ok(Self {
            reads: client(redirects())?,
            writes: client(reqwest::redirect::Policy::none())?,
            limits,
            shared: Arc::new(Shared { most: AtomicU64::new(LEAST), last: Mutex::default() }),
        })
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
    pub(super) async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Fault> {
        let (parts, body) = request.into_parts();
        let url = parts.uri.to_string().parse::<reqwest::Url>();
        let url = url.map_err(|error| Fault::Connection(format!("`{}`: {error}", parts.uri)))?;
        let service = credentials_service(&url);
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let mut request = reqwest::Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let sent = Arc::new(AtomicU64::new(0));
        if let Some(bytes) = body.as_bytes().filter(|bytes| bytes.is_empty()) {
            *request.body_mut() = (!is_read).then(|| bytes.clone().into());
        } else {
            *request.body_mut() = Some(reqwest::Body::wrap(Counted { inner: body, sent: Arc::clone(&sent) }));
        }
        let client = if is_read { &self.reads } else { &self.writes };
        let answer = self.wait(client.execute(request), service.is_some(), &sent).await;
        let answer = match (answer, service) {
            (Err(Fault::Silent(_) | Fault::Connection(_)), Some(service)) => {
                Err(Fault::NoCredentials(service))
            }
            (answer, _) => answer,
        }?;
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let is_success = parts.status.is_success();
        let most = if is_success { self.shared.most.load(Ordering::Relaxed) } else { MOST_REASON };
        let body = self.guard(body, most);
        if is_success || parts.status.as_u16() == 304 {
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
        }
        // What is too long or does not come is no reason.
        let reason = HttpResponseBody::new(body).bytes().await.unwrap_or_default();
        let last =
            Last { status: Some(parts.status.as_u16()), code: code(&parts.headers, &reason), fault: None };
        *self.last() = last;
        // Others take it for text.
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
                Ok(answer) => return answer.map_err(|error| connection(error)),
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
        let kind = match fault {
            Fault::Connection(_) => HttpErrorKind::Connect,
            // Trying again would only take longer.
            _ => HttpErrorKind::Unknown,
        };
        Self::new(kind, fault)
    }
}

impl Fault {
    /// What it means for the object `at`.
    pub(super) fn into_error(self, at: String) -> RemoteError {
        match self {
            Self::TooLarge(most) => RemoteError::TooLarge { at, most },
            Self::NoCredentials(_) => RemoteError::Denied { at, why: self.to_string(), code: None },
            _ => RemoteError::Unreachable { at, why: self.to_string(), source: None },
        }
    }
}

/// Never from `https` to `http`, and not for ever.
fn redirects() -> reqwest::redirect::Policy {
    reqwest::redirect::Policy::custom(|attempt| {
        let is_safe = |url: &reqwest::Url| url.scheme() == "https";
        if attempt.previous().len() > MOST_REDIRECTS {
            attempt.error("it leads from one address to the next without end")
        } else if attempt.previous().iter().any(is_safe) && !is_safe(attempt.url()) {
            attempt.error("it leads from `https` to an address that is not")
        } else {
            attempt.follow()
        }
    })
}

/// The name of the service that gives machines credentials, if `url` leads there.
fn credentials_service(url: &reqwest::Url) -> Option<String> {
    let host = url.host_str()?;
    let is_one = host.starts_with("169.254.") || host == "metadata" || host == "metadata.google.internal";
    is_one.then(|| host.to_owned())
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
