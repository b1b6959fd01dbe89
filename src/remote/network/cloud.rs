//! Buckets, by way of `object_store`: S3 and what speaks its language, Google Cloud Storage, Azure.
//!
//! Credentials and endpoints come from the environment as the vendors' own programs have them (`AWS_*`, `GOOGLE_*`,
//! `AZURE_*`), and are asked for when the first request needs them.

use std::io::Read as _;
use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    RetryConfig, UpdateVersion,
};

use super::Network;
use crate::causes::chain;
use crate::disk::{Dir, DiskError};
use crate::remote::address::Cloud;
use crate::remote::path::ObjectPath;
use crate::remote::store::{Answer, Body, Condition, Get, Store};
use crate::remote::{Address, Content, Object, RemoteError, Result, Settings, Tag};

/// Bytes of a page of a listing.
const MOST_PAGE: u64 = 16 << 20;
/// Objects of a listing.
const MOST_OBJECTS: usize = 1_000_000;

/// A file that is larger is written in parts.
const LARGE: u64 = 32 << 20;
/// Bytes of a part. They are in memory while they are sent.
const PART: u64 = 16 << 20;
/// S3 takes no more than 10,000.
const MOST_PARTS: u64 = 9_000;

/// A bucket.
pub(super) struct Bucket {
    store: Box<dyn ObjectStore>,
    prefix: String,
    address: Address,
    network: Arc<Network>,
}

impl Bucket {
    pub(super) fn open(
        cloud: Cloud,
        bucket: &str,
        prefix: &str,
        address: &Address,
        network: Arc<Network>,
        settings: &Settings,
    ) -> Result<Self> {
        let failed = |error: Error| RemoteError::Settings { at: address.to_string(), why: chain(&error) };
        // Whether something is tried again is decided in one place, for all stores.
        let retry = RetryConfig { max_retries: 0, ..RetryConfig::default() };
        let mut client = network.client.clone();
        let store: Box<dyn ObjectStore> = match cloud {
            Cloud::S3 => {
                let mut builder = AmazonS3Builder::new();
                for (name, value) in settings.with_prefix(&["AWS_"]) {
                    if let Ok(key) = name.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                builder = builder.with_bucket_name(bucket);
                for key in [AmazonS3ConfigKey::Endpoint, AmazonS3ConfigKey::S3Endpoint] {
                    check_endpoint(builder.get_config_value(&key), settings, "AWS_ALLOW_HTTP", address)?;
                }
                if let Some(url) = builder.get_config_value(&AmazonS3ConfigKey::MetadataEndpoint) {
                    client.ask_for_credentials_at(&url);
                }
                let builder = builder.with_allow_http(true).with_retry(retry).with_http_connector(client);
                Box::new(builder.build().map_err(failed)?)
            }
            Cloud::Google => {
                let mut builder = GoogleCloudStorageBuilder::new();
                for (name, value) in settings.with_prefix(&["GOOGLE_"]) {
                    if let Ok(key) = name.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                builder = builder.with_bucket_name(bucket);
                let endpoint = builder.get_config_value(&GoogleConfigKey::BaseUrl);
                check_endpoint(endpoint, settings, "GOOGLE_ALLOW_HTTP", address)?;
                let builder = builder.with_retry(retry).with_http_connector(client);
                Box::new(builder.build().map_err(failed)?)
            }
            Cloud::Azure => {
                let mut builder = MicrosoftAzureBuilder::new();
                for (name, value) in settings.with_prefix(&["AZURE_", "IDENTITY_ENDPOINT"]) {
                    if let Ok(key) = name.to_ascii_lowercase().parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                builder = builder.with_container_name(bucket);
                let endpoint = builder.get_config_value(&AzureConfigKey::Endpoint);
                check_endpoint(endpoint, settings, "AZURE_ALLOW_HTTP", address)?;
                let builder = builder.with_allow_http(true).with_retry(retry).with_http_connector(client);
                Box::new(builder.build().map_err(failed)?)
            }
        };
        Ok(Self { store, prefix: prefix.to_owned(), address: address.clone(), network })
    }

    fn location(&self, path: ObjectPath<'_>) -> Path {
        Path::from(format!("{}/{}", self.prefix, path.as_str()))
    }

    /// What `error` means for the object `at`.
    fn failed(&self, error: Error, at: String) -> RemoteError {
        let last = self.network.client.what_went_wrong();
        if let Some(fault) = last.fault {
            return fault.into_error(at);
        }
        let denied = "the store does not let these credentials do it".to_owned();
        match (error, last.status) {
            (Error::NotFound { .. }, _) => RemoteError::NotFound { at, code: last.code },
            (Error::AlreadyExists { .. } | Error::Precondition { .. }, _) => RemoteError::Conflict { at },
            (Error::PermissionDenied { .. } | Error::Unauthenticated { .. }, _) => {
                RemoteError::Denied { at, why: denied, code: last.code }
            }
            (Error::NotImplemented { .. } | Error::NotSupported { .. }, _) => {
                RemoteError::NoPreconditions { at }
            }
            (_, Some(status)) => super::web::answered(status, last.code, at),
            (error, None) => RemoteError::Store { at, why: chain(&error) },
        }
    }

    /// Writes a file that is too large to be in memory, or for one request. `object_store` has no conditions for that.
    fn put_in_parts(&self, location: &Path, dir: &Dir, name: &str, at: &dyn Fn() -> String) -> Result<()> {
        let mut file = dir.open_file(name)?;
        let disk = |source| DiskError { act: "read", path: dir.join(name), source };
        let part = (file.metadata().map_err(disk)?.len() / MOST_PARTS).max(PART);
        let mut upload = self.do_patiently(self.store.put_multipart(location), at)?;
        let mut send = || {
            loop {
                let mut bytes = Vec::new();
                file.by_ref().take(part).read_to_end(&mut bytes).map_err(disk)?;
                if bytes.is_empty() {
                    break;
                }
                self.do_patiently(upload.put_part(PutPayload::from(bytes)), at)?;
            }
            self.do_patiently(upload.complete(), at).map(drop)
        };
        send().inspect_err(|_| {
            // The first error is the one to tell.
            let _ = self.network.wait(self.network.limits.probe, upload.abort());
        })
    }

    fn do_patiently<T>(
        &self,
        work: impl Future<Output = object_store::Result<T>>,
        at: &dyn Fn() -> String,
    ) -> Result<T> {
        let done = self.network.wait_patiently(work).map_err(|fault| fault.into_error(at()))?;
        done.map_err(|error| self.failed(error, at()))
    }

    /// Does what may take no longer than the first sign of life.
    fn ask<T>(
        &self,
        path: ObjectPath<'_>,
        most: u64,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<std::result::Result<T, Error>> {
        self.network.client.expect(most);
        let at = || self.address.object(path.as_str());
        self.network.wait(self.network.limits.probe, work).map_err(|fault| fault.into_error(at()))
    }
}

/// Refuses to send credentials and content over a network unencrypted, unless that was allowed.
fn check_endpoint(
    endpoint: Option<String>,
    settings: &Settings,
    allowed: &'static str,
    address: &Address,
) -> Result<()> {
    let is_open =
        endpoint.as_ref().is_some_and(|endpoint| endpoint.to_ascii_lowercase().starts_with("http://"));
    let url = endpoint.and_then(|endpoint| endpoint.parse::<url::Url>().ok());
    let is_here = url.as_ref().and_then(url::Url::host).is_some_and(|host| match host {
        url::Host::Domain(name) => name == "localhost",
        url::Host::Ipv4(ip) => ip.is_loopback(),
        url::Host::Ipv6(ip) => ip.is_loopback(),
    });
    let is_yes = |value: &str| matches!(value.to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on");
    let is_allowed = || settings.with_prefix(&[allowed]).any(|(_, value)| is_yes(value));
    if !is_open || is_here || is_allowed() {
        return Ok(());
    }
    let why = format!("its endpoint begins with `http://`, and `{allowed}` is not `true`");
    Err(RemoteError::Settings { at: address.to_string(), why })
}

fn tag_of(etag: Option<String>, version: Option<String>) -> Option<Tag> {
    etag.map(|etag| Tag { etag, version })
}

impl Store for Bucket {
    fn get<'s>(&'s self, path: ObjectPath<'_>, get: &Get<'_>) -> Result<Answer<'s>> {
        let options = GetOptions {
            if_match: get.only.map(|tag| tag.etag.clone()),
            if_none_match: get.unless.map(|tag| tag.etag.clone()),
            range: (get.start > 0).then_some(GetRange::Offset(get.start)),
            ..GetOptions::default()
        };
        let location = self.location(path);
        let result = match self.ask(path, get.most, self.store.get_opts(&location, options))? {
            Err(Error::NotModified { .. }) => return Ok(Answer::Same),
            Err(Error::Precondition { .. }) => return Ok(Answer::Changed),
            // A range that is not there, or a store that knows no ranges.
            Err(error) if get.start > 0 => {
                let last = self.network.client.what_went_wrong();
                if last.fault.is_none() && matches!(last.status, None | Some(416)) {
                    return Ok(Answer::Changed);
                }
                return Err(self.failed(error, self.address.object(path.as_str())));
            }
            result => result.map_err(|error| self.failed(error, self.address.object(path.as_str())))?,
        };
        let size = result.meta.size;
        let at = self.address.object(path.as_str());
        if size > get.most {
            return Err(RemoteError::TooLarge { at, most: get.most });
        }
        let (start, tag) =
            (result.range.start, tag_of(result.meta.e_tag.clone(), result.meta.version.clone()));
        let chunks = self.network.chunks(result.into_stream(), at);
        Ok(Answer::Body(Body { start, size: Some(size), tag, chunks }))
    }

    fn put(
        &self,
        path: ObjectPath<'_>,
        content: &Content<'_>,
        condition: Condition<'_>,
    ) -> Result<Option<Tag>> {
        let mode = match condition {
            Condition::Absent => PutMode::Create,
            Condition::Is(tag) => {
                PutMode::Update(UpdateVersion { e_tag: Some(tag.etag.clone()), version: tag.version.clone() })
            }
        };
        let at = || self.address.object(path.as_str());
        let location = self.location(path);
        self.network.client.expect(0);
        if let (Content::File(dir, name), Condition::Absent) = (content, condition)
            && content.size()? > LARGE
        {
            return self.put_in_parts(&location, dir, name, &at).map(|()| None);
        }
        let payload = PutPayload::from(content.read()?);
        let put = self.do_patiently(self.store.put_opts(&location, payload, PutOptions::from(mode)), &at)?;
        Ok(tag_of(put.e_tag, put.version))
    }

    fn size(&self, path: ObjectPath<'_>) -> Result<Option<u64>> {
        let location = self.location(path);
        match self.ask(path, 0, self.store.head(&location))? {
            Ok(meta) => Ok(Some(meta.size)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.failed(error, self.address.object(path.as_str()))),
        }
    }

    fn list(&self, prefix: Option<ObjectPath<'_>>) -> Result<Vec<Object>> {
        let prefix = prefix.map_or("", ObjectPath::as_str);
        let at = || self.address.object(prefix);
        let base = Path::from(format!("{}/{prefix}", self.prefix));
        let own = Path::from(self.prefix.as_str());
        self.network.client.expect(MOST_PAGE);
        let mut stream = self.store.list(Some(&base));
        let mut objects = Vec::new();
        loop {
            let limit = self.network.limits.probe.max(self.network.limits.stall);
            let next = self.network.wait(limit, stream.next()).map_err(|fault| fault.into_error(at()))?;
            let Some(meta) = next else { return Ok(objects) };
            let meta = meta.map_err(|error| self.failed(error, at()))?;
            let location = meta.location.as_ref();
            let path = location.strip_prefix(own.as_ref()).unwrap_or(location).trim_start_matches('/');
            if ObjectPath::new(path).is_ok() {
                let modified = meta.last_modified;
                objects.push(Object { path: path.to_owned(), size: meta.size, modified });
            }
            if objects.len() > MOST_OBJECTS {
                let why = format!("it has more than {MOST_OBJECTS} objects");
                return Err(RemoteError::Store { at: at(), why });
            }
        }
    }

    fn remove(&self, path: ObjectPath<'_>) -> Result<()> {
        let location = self.location(path);
        match self.ask(path, 0, self.store.delete(&location))? {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed(error, self.address.object(path.as_str()))),
        }
    }
}
