//! Web servers: read by `GET`, and written by `PUT` and `DELETE` where they let that be done.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body::{Frame, SizeHint};
use object_store::client::HttpResponse;

use super::Network;
use crate::causes::chain;
use crate::remote::address::Web;
use crate::remote::path::ObjectPath;
use crate::remote::store::{Answer, Body, Condition, Get, Store};
use crate::remote::{Address, Content, Object, RemoteError, Result, Tag};

/// A place on a web server.
pub(super) struct Server {
    web: Web,
    authorization: Option<HeaderValue>,
    address: Address,
    network: Arc<Network>,
}

impl Server {
    pub(super) fn open(web: Web, address: &Address, network: Arc<Network>) -> Result<Self> {
        let failed = |error: http::Error| RemoteError::Store { at: address.to_string(), why: chain(&error) };
        let authorization = match &web.user {
            Some((user, password)) => {
                let text = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
                let mut value = HeaderValue::try_from(text).map_err(|error| failed(error.into()))?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        Ok(Self { web, authorization, address: address.clone(), network })
    }

    fn at(&self, path: ObjectPath<'_>) -> String {
        self.address.object(path.as_str())
    }

    /// Sends a request for the object at `path`, and returns its answer whatever its status is.
    fn send(
        &self,
        method: Method,
        path: ObjectPath<'_>,
        headers: &[(HeaderName, &str)],
        content: Option<&Content<'_>>,
    ) -> Result<HttpResponse> {
        let at = || self.at(path);
        let failed = |error: http::Error| RemoteError::Store { at: at(), why: chain(&error) };
        let Web { scheme, authority, prefix, query, .. } = &self.web;
        let slash = if prefix.is_empty() { "" } else { "/" };
        let query = query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        // The characters of an object's path stand for themselves in that of an address.
        let uri = format!("{scheme}://{authority}{slash}{prefix}/{}{query}", path.as_str());
        let mut request = http::Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let limit = if content.is_some() { Duration::MAX } else { self.network.limits.probe };
        let request = request.body(Sent::of(content)?).map_err(failed)?;
        let answer = self.network.wait(limit, self.network.client.send(request));
        answer.and_then(|answer| answer).map_err(|fault| fault.into_error(at()))
    }

    /// The error that an answer is.
    fn refused(&self, answer: &HttpResponse, path: ObjectPath<'_>) -> RemoteError {
        let last = self.network.client.what_went_wrong();
        answered(answer.status().as_u16(), last.code, self.at(path))
    }
}

/// What an answer with `status` means for the object `at`.
pub(super) fn answered(status: u16, code: Option<String>, at: String) -> RemoteError {
    // Amazon says it so of sessions that are over.
    if matches!(code.as_deref(), Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired")) {
        return RemoteError::Denied { at, why: format!("the answer was {status}"), code };
    }
    match status {
        404 | 410 => RemoteError::NotFound { at, code },
        401 | 403 | 407 => RemoteError::Denied { at, why: format!("the answer was {status}"), code },
        409 | 412 => RemoteError::Conflict { at },
        408 | 425 | 429 | 500.. => {
            let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
            RemoteError::Unreachable { at, why: format!("the answer was {status}{code}") }
        }
        _ => RemoteError::Answer { at, status, code },
    }
}

impl Store for Server {
    fn get<'s>(&'s self, path: ObjectPath<'_>, get: &Get<'_>) -> Result<Answer<'s>> {
        let mut headers = Vec::new();
        let range = format!("bytes={}-", get.start);
        if let Some(unless) = get.unless {
            headers.push((IF_NONE_MATCH, unless.etag.as_str()));
        }
        if get.start > 0 {
            headers.push((RANGE, range.as_str()));
            // Only what is the same byte for byte can be gone on with.
            match get.only {
                Some(tag) if tag.etag.starts_with('"') => headers.push((IF_RANGE, tag.etag.as_str())),
                Some(_) => return Ok(Answer::Changed),
                None => {}
            }
        }
        self.network.client.expect(get.most);
        let answer = self.send(Method::GET, path, &headers, None)?;
        let length = number(answer.headers(), &CONTENT_LENGTH);
        let (start, size) = match answer.status() {
            StatusCode::NOT_MODIFIED => return Ok(Answer::Same),
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PRECONDITION_FAILED if get.start > 0 => {
                return Ok(Answer::Changed);
            }
            StatusCode::PARTIAL_CONTENT if get.start > 0 => match content_range(answer.headers()) {
                Some((start, size)) if start == get.start => (start, size),
                _ => return Ok(Answer::Changed),
            },
            StatusCode::OK => (0, length),
            _ => return Err(self.refused(&answer, path)),
        };
        if size.is_some_and(|size| size > get.most) {
            return Err(RemoteError::TooLarge { at: self.at(path), most: get.most });
        }
        let tag = tag(answer.headers());
        let chunks = self.network.chunks(answer.into_body().bytes_stream(), self.at(path));
        Ok(Answer::Body(Body { start, size, tag, chunks }))
    }

    fn put(
        &self,
        path: ObjectPath<'_>,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Option<Tag>> {
        let header = match condition {
            Condition::Absent => (IF_NONE_MATCH, "*"),
            Condition::Is(tag) => (IF_MATCH, tag.etag.as_str()),
        };
        self.network.client.expect(0);
        let answer = self.send(Method::PUT, path, &[header], Some(content))?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                return Err(RemoteError::Unsupported {
                    what: "writing",
                    at: self.address.to_string(),
                    hint: "publish to the directory or bucket that this server shows",
                });
            }
            _ => return Err(self.refused(&answer, path)),
        }
        if let Some(tag) = tag(answer.headers()) {
            return Ok(Some(tag));
        }
        // Many servers tell it only to those who read.
        let answer = self.send(Method::HEAD, path, &[], None)?;
        Ok(tag(answer.headers()).filter(|_| answer.status().is_success()))
    }

    fn size(&self, path: ObjectPath<'_>) -> Result<Option<u64>> {
        self.network.client.expect(0);
        let answer = self.send(Method::HEAD, path, &[], None)?;
        match answer.status() {
            status if status.is_success() => Ok(number(answer.headers(), &CONTENT_LENGTH)),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => Err(self.refused(&answer, path)),
        }
    }

    fn list(&self, _: Option<ObjectPath<'_>>) -> Result<Vec<Object>> {
        Err(RemoteError::Unsupported {
            what: "listing",
            at: self.address.to_string(),
            hint: "list the directory or bucket that this server shows",
        })
    }

    fn remove(&self, path: ObjectPath<'_>) -> Result<()> {
        self.network.client.expect(0);
        let answer = self.send(Method::DELETE, path, &[], None)?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(()),
            _ => Err(self.refused(&answer, path)),
        }
    }
}

fn tag(headers: &HeaderMap) -> Option<Tag> {
    let etag = headers.get(ETAG)?.to_str().ok()?;
    Some(Tag { etag: etag.to_owned(), version: None })
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Where a part begins, and how large the whole is: `bytes 5-9/10`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes ")?;
    let (range, size) = text.split_once('/')?;
    let start = range.split_once('-')?.0.trim().parse().ok()?;
    Some((start, size.trim().parse().ok()))
}

/// Content as it is sent: of a file never more than a piece is in memory.
struct Sent {
    bytes: Bytes,
    file: Option<File>,
    left: u64,
}

/// Bytes of a file that are read at once.
const PIECE: usize = 256 << 10;

impl Sent {
    fn of(content: Option<&Content<'_>>) -> Result<Self> {
        Ok(match content {
            None => Self { bytes: Bytes::new(), file: None, left: 0 },
            Some(Content::Bytes(bytes)) => {
                Self { bytes: Bytes::copy_from_slice(bytes), file: None, left: bytes.len() as u64 }
            }
            Some(content @ Content::File(dir, name)) => {
                Self { bytes: Bytes::new(), left: content.size()?, file: Some(dir.open_file(name)?) }
            }
        })
    }
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        if let Some(file) = &mut self.file {
            let mut piece = vec![0; PIECE];
            let count = match file.read(&mut piece) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
                Ok(count) => count,
                Err(error) => return Poll::Ready(Some(Err(error))),
            };
            piece.truncate(count);
            bytes = piece.into();
        }
        // A file that grows meanwhile is sent as long as it was.
        bytes.truncate(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
