//! Something that an upstream has, and how it is fetched.

use std::path::PathBuf;

use super::{Pace, Result, STORE, Subscription, channel, python, remote_git};
use crate::channel::Manifest;
use crate::disk::Dir;
use crate::project::Project;
use crate::remote::Remote;
use crate::signature::{Signature, Signers};
use crate::source::HashKind;
use crate::source::git::{Store, Watch};

/// What an upstream is asked with.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) subscription: &'a Subscription,
    pub(super) folder: &'a Dir,
    pub(super) signers: &'a Signers,
    /// The project on this machine whose dist.json says where things go, if there is one.
    pub(super) project: Option<&'a Project>,
    /// Nothing is to be fetched.
    pub(super) check: bool,
    pub(super) pace: Pace<'a>,
}

/// What an upstream has: a commit.
#[derive(Debug)]
pub struct Arrival {
    /// The upstream's address, without credentials.
    pub upstream: String,
    /// The commit; `None` where it is made here, and was not made yet.
    pub commit: Option<String>,
    /// What people know it by: `stable 17`, `v1.2`.
    pub release: String,
    /// Who vouches for it, if somebody does.
    pub signature: Option<Signature>,
    pub(super) way: Way,
}

/// How it gets here.
#[derive(Debug)]
pub(super) enum Way {
    /// As bundles of a published place.
    Channel { remote: Remote, manifest: Box<Manifest> },
    /// By `git fetch`.
    Git { url: String, reference: String, commit: String },
    /// As files that uv or pip install, or as an egg.
    Python(Box<python::Chosen>),
}

impl Arrival {
    /// Fetches it into the subscription's store. Returns its commit, and the number of bytes that came as far as that is
    /// known.
    pub(super) fn fetch(&self, folder: &Dir, pace: Pace<'_>) -> Result<(String, u64)> {
        match (&self.way, self.commit.clone()) {
            (Way::Channel { remote, manifest }, _) => {
                let bytes = channel::fetch(remote, manifest, folder, pace)?;
                Ok((manifest.release.commit.clone(), bytes))
            }
            (Way::Git { url, reference, commit }, _) => {
                let store = store(folder, None, url, pace)?;
                remote_git::fetch(&store, url, reference, commit, pace)?;
                Ok((commit.clone(), 0))
            }
            (Way::Python(chosen), Some(commit)) => {
                chosen.keep(folder)?;
                Ok((commit, 0))
            }
            (Way::Python(chosen), None) => Ok((chosen.fetch(folder, pace)?, 0)),
        }
    }

    /// Path of the dist.json that came with it.
    pub(super) fn manifest_path(&self) -> Option<&str> {
        match &self.way {
            Way::Channel { manifest, .. } => Some(&manifest.release.manifest),
            Way::Git { .. } | Way::Python(_) => None,
        }
    }

    /// The targets that it holds, if it says so.
    pub(super) fn targets(&self) -> Option<&[String]> {
        match &self.way {
            Way::Channel { manifest, .. } => Some(&manifest.release.targets),
            Way::Git { .. } | Way::Python(_) => None,
        }
    }

    /// The branch or tag that people know it by.
    pub(super) fn branch(&self) -> String {
        match &self.way {
            Way::Channel { manifest, .. } => manifest.channel.clone(),
            Way::Git { reference, .. } => {
                let short = reference.strip_prefix("refs/heads/").or(reference.strip_prefix("refs/tags/"));
                short.unwrap_or(reference).to_owned()
            }
            Way::Python(chosen) => chosen.lock.version(),
        }
    }
}

/// The path of a subscription's store.
pub(super) fn store_path(folder: &Dir) -> PathBuf {
    folder.join(STORE)
}

/// The store of a subscription, which is made where it is missing.
pub(super) fn store(folder: &Dir, hash: Option<HashKind>, origin: &str, pace: Pace<'_>) -> Result<Store> {
    let watch = Watch { limit: pace.left(None), interrupted: pace.interrupted };
    let origin = crate::credentials::without_credentials(origin);
    Ok(Store::open(&store_path(folder), hash.unwrap_or(HashKind::Sha1), &origin, watch)?)
}
