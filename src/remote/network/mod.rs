//! Stores over a network.
//!
//! Every request passes `client`, which knows the limits; `cloud` speaks to buckets by way of `object_store`, and `web`
//! to web servers. All of it runs on one thread that works only while somebody waits for an answer.

mod client;
mod cloud;
mod web;

use std::error::Error;
use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::runtime::{Builder, Runtime};

use super::address::{Address, Place};
use super::store::{Chunks, Store};
use super::{Limits, RemoteError, Result, Settings};
use crate::causes::chain;
use client::{Client, Fault};

/// Makes ready to use `place`.
pub(super) fn open(
    place: &Place,
    address: &Address,
    limits: Limits,
    settings: &Settings,
) -> Result<Box<dyn Store>> {
    let network = Network::new(address, limits)?;
    Ok(match place {
        Place::Folder(_) => unreachable!("directories are no affair of networks"),
        Place::Bucket { cloud, bucket, prefix } => {
            Box::new(cloud::Bucket::open(*cloud, bucket, prefix, address, network, settings)?)
        }
        Place::Web(web) => Box::new(web::Server::open(web.clone(), address, network)?),
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
        let failed = |source| RemoteError::Settings { at: address.to_string(), source };
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| failed(error.into()))?;
        let client = Client::new(limits).map_err(|error| failed(error.into()))?;
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
        let cut = |why: String| RemoteError::Cut { at: at(), why, source: None };
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
