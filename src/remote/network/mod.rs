//! Stores over a network.
//!
//! Every request passes `client`, which knows the limits; `cloud` speaks to buckets by way of `object_store`, and `web`
//! to web servers. All of it runs on one thread that works only while somebody waits for an answer.

mod client;
mod cloud;
mod web;

use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::runtime::{Builder, Runtime};

use super::address::{Address, Place};
use super::path::ObjectPath;
use super::store::{Answer, Chunks, Condition, Get, Store};
use super::{Content, Limits, Object, RemoteError, Result, Settings, Tag};
use crate::causes::chain;
use client::{Client, Fault};

/// How long one waits before one asks a busy store again.
const PAUSES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(500)];

/// Makes ready to use `place`.
pub(super) fn open(
    place: &Place,
    address: &Address,
    limits: Limits,
    settings: &Settings,
) -> Result<Box<dyn Store>> {
    let network = Arc::new(Network::new(address, limits)?);
    let own = Arc::clone(&network);
    Ok(match place {
        Place::Folder(_) => unreachable!("directories are no affair of networks"),
        Place::Bucket { cloud, bucket, prefix } => {
            let store = cloud::Bucket::open(*cloud, bucket, prefix, address, own, settings)?;
            Box::new(Persistent { store, network })
        }
        Place::Web(web) => {
            let store = web::Server::open(web.clone(), address, own)?;
            Box::new(Persistent { store, network })
        }
    })
}

/// What waits for answers.
struct Network {
    /// Always there, until it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    limits: Limits,
}

impl Network {
    fn new(address: &Address, limits: Limits) -> Result<Self> {
        let failed = |why| RemoteError::Store { at: address.to_string(), why };
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| failed(chain(&error)))?;
        let client = Client::new(limits).map_err(|error| failed(chain(&error)))?;
        Ok(Self { runtime: Some(runtime), client, limits })
    }

    /// The result of `work`, if it comes within `limit`.
    fn wait<T>(&self, limit: Duration, work: impl Future<Output = T>) -> std::result::Result<T, Fault> {
        let left = self.limits.total.map(|total| total.saturating_duration_since(Instant::now()));
        let (limit, fault) = match left.filter(|left| *left < limit) {
            Some(left) => (left, Fault::Over),
            None => (limit, Fault::Silent(limit)),
        };
        let runtime = self.runtime.as_ref().expect("it is there until this is dropped");
        runtime.block_on(async { tokio::time::timeout(limit, work).await }).map_err(|_| fault)
    }

    /// The result of `work`, which its requests' own limits end.
    fn wait_patiently<T>(&self, work: impl Future<Output = T>) -> std::result::Result<T, Fault> {
        self.wait(Duration::MAX, work)
    }

    /// The bytes of `stream`, which is the content of the object `at`.
    fn chunks<E: Error + Send + 'static>(
        &self,
        stream: BoxStream<'static, std::result::Result<Bytes, E>>,
        at: String,
    ) -> Box<dyn Chunks + '_> {
        Box::new(NetworkChunks { network: self, stream, at, last: Bytes::new() })
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // Looking up a name cannot be interrupted: nobody waits for that.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A store that is asked again when it says that it is busy or failed, as long as that is no more than the first sign
/// of life may take.
struct Persistent<S> {
    store: S,
    network: Arc<Network>,
}

impl<S> Persistent<S> {
    fn persist<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        let until = Instant::now() + self.network.limits.probe;
        for pause in PAUSES {
            let result = work();
            let status = self.network.client.what_went_wrong().status;
            let is_busy = matches!(status, Some(429 | 500 | 502 | 503 | 504));
            if result.is_ok() || !is_busy || Instant::now() + pause > until {
                return result;
            }
            std::thread::sleep(pause);
        }
        work()
    }
}

impl<S: Store> Store for Persistent<S> {
    fn get<'s>(&'s self, path: ObjectPath<'_>, get: &Get<'_>) -> Result<Answer<'s>> {
        self.persist(|| self.store.get(path, get))
    }

    fn put(
        &self,
        path: ObjectPath<'_>,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Option<Tag>> {
        self.persist(|| self.store.put(path, content, condition))
    }

    fn size(&self, path: ObjectPath<'_>) -> Result<Option<u64>> {
        self.persist(|| self.store.size(path))
    }

    fn list(&self, prefix: Option<ObjectPath<'_>>) -> Result<Vec<Object>> {
        self.persist(|| self.store.list(prefix))
    }

    fn remove(&self, path: ObjectPath<'_>) -> Result<()> {
        self.persist(|| self.store.remove(path))
    }
}

/// An object as it comes.
struct NetworkChunks<'s, E> {
    network: &'s Network,
    stream: BoxStream<'static, std::result::Result<Bytes, E>>,
    at: String,
    last: Bytes,
}

impl<E: Error + Send + 'static> Chunks for NetworkChunks<'_, E> {
    fn next(&mut self) -> Result<Option<&[u8]>> {
        let at = || self.at.clone();
        let cut = |why: String| RemoteError::Cut { at: at(), why };
        let next = self.network.wait_patiently(self.stream.next()).map_err(|fault| cut(fault.to_string()))?;
        match next {
            None => Ok(None),
            Some(Ok(bytes)) => {
                self.last = bytes;
                Ok(Some(&self.last))
            }
            Some(Err(error)) => Err(match self.network.client.what_went_wrong().fault {
                Some(Fault::TooLarge(most)) => RemoteError::TooLarge { at: at(), most },
                Some(fault) => cut(fault.to_string()),
                None => cut(chain(&error)),
            }),
        }
    }
}
