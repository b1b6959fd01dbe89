//! Making a release: its files as a commit, a tag, and bundles.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};
use chrono::Utc;
use sha2::{Digest as _, Sha256};

use super::chain::Chain;
use super::{PublishError, Request, Result, vendor};
use crate::channel::{self, BundleInfo, Manifest, ReleaseInfo};
use crate::disk::{Dir, WorkFolder};
use crate::lock::Holder;
use crate::project::Project;
use crate::remote::hex;
use crate::rollout::{Gathered, gather};
use crate::signature::sign_tag;
use crate::source::git::{Commit, Repository, Snapshot, Store, Stream, Watch};
use crate::source::{Contents as _, Entry, HashKind, Mode, Reader};

/// A release that nobody knows yet.
pub(super) struct Release {
    pub(super) info: ReleaseInfo,
    pub(super) sequence: u64,
    pub(super) files: usize,
    /// The tag that leads to it.
    pub(super) reference: String,
    store: Store,
}

/// Bytes that are hashed at once.
const PIECE: usize = 256 << 10;

impl Release {
    /// Makes the release that follows that of `before`.
    pub(super) fn make(
        project: &Project,
        request: &Request<'_>,
        before: Option<&Manifest>,
        chain: &Chain,
        work: &WorkFolder,
        watch: Watch<'_>,
    ) -> Result<Self> {
        let Some(manifest_path) = &project.manifest_path else { return Err(PublishError::NoManifest) };
        let snapshot = project.snapshot();
        let (mut targets, mut gathered) = gather(project, snapshot.as_ref(), request.targets, request.all)?;
        if request.vendor_python {
            for (name, packages) in vendor::vendor(project, request.targets, work, watch)? {
                targets.push(name);
                gathered.push(packages);
            }
        }
        if targets.is_empty() {
            return Err(PublishError::NoTargets);
        }
        let hash = project.repository().map_or(HashKind::Sha1, Repository::hash_kind);
        let store = Store::open(&work.dir().join("release.git"), hash, "", watch)?;
        let own = project.repository().map(Repository::objects);
        let others: Vec<PathBuf> = own.into_iter().chain([chain.objects()]).collect();
        store.borrow_from(&others)?;
        let sequence = before.map_or(1, |before| before.sequence + 1);
        let (revision, source) = match project.revision() {
            Some(revision) => {
                let name = revision.branch.as_ref().unwrap_or(&revision.asked);
                (name.clone(), revision.commit.to_string())
            }
            None => ("working tree".to_owned(), String::new()),
        };
        let reference = channel::reference(request.channel, sequence);
        let mut info = ReleaseInfo {
            commit: String::new(),
            tree: String::new(),
            revision,
            source,
            manifest: manifest_path.to_string(),
            targets,
        };
        let committer = committer(project);
        let commit = Commit {
            reference: "refs/heads/release",
            committer: &committer,
            time: Utc::now().timestamp(),
            message: &message(request, before, sequence, &info),
            parent: before.map(|before| before.release.commit.as_str()),
        };
        let mut files = 0;
        let id = store.import::<PublishError>(&commit, watch, |stream| {
            files = write(project, snapshot.as_ref(), gathered, stream)?;
            Ok(())
        })?;
        info.commit = id.to_string();
        info.tree = store.repository()?.resolve(&info.commit)?.tree.to_string();
        let name = reference.trim_start_matches("refs/tags/");
        let tag = format!(
            "object {id}\ntype commit\ntag {name}\ntagger {committer} {} +0000\n\n{}",
            commit.time, commit.message
        );
        store.tag(&reference, &sign_tag(tag.as_bytes(), request.keys)?, watch)?;
        Ok(Self { info, sequence, files, reference, store })
    }

    /// Writes a bundle with it to the work folder, under its SHA-256.
    pub(super) fn bundle(
        &self,
        from: Option<&str>,
        work: &WorkFolder,
        watch: Watch<'_>,
    ) -> Result<BundleInfo> {
        const NAME: &str = "bundle";
        self.store.write_bundle(&work.dir().join(NAME), &self.reference, from, watch)?;
        let (sha256, size) = digest(work.dir(), NAME)?;
        work.dir().rename(NAME, work.dir(), &sha256)?;
        Ok(BundleInfo {
            sha256,
            size,
            from: from.map(ToOwned::to_owned),
            to: self.info.commit.clone(),
            sequence: self.sequence,
        })
    }
}

/// Who makes the release, as git would say it.
fn committer(project: &Project) -> String {
    let setting = |key| project.repository().and_then(|repository| repository.config(key));
    let me = Holder::me("publish");
    let name = setting("user.name").unwrap_or_else(|| me.user.clone());
    let address = setting("user.email").unwrap_or_else(|| format!("{}@{}", me.user, me.host));
    format!("{name} <{address}>")
}

fn message(request: &Request<'_>, before: Option<&Manifest>, sequence: u64, info: &ReleaseInfo) -> String {
    let project = before.map_or(request.project, |before| &before.project);
    let expires = Utc::now() + chrono::Duration::from_std(request.valid_for).unwrap_or_default();
    let mut text = format!("{project} {sequence}: {}\n\n", info.revision);
    let _ = writeln!(text, "Channel: {}", request.channel);
    let _ = writeln!(text, "Sequence: {sequence}");
    let _ = writeln!(text, "Revision: {}", info.revision);
    if !info.source.is_empty() {
        let _ = writeln!(text, "Source: {}", info.source);
    }
    let _ = writeln!(text, "Targets: {}", info.targets.join(" "));
    let _ = writeln!(text, "Expires: {}", expires.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
    text
}

/// Writes everything that belongs to the release; returns the number of files.
fn write(
    project: &Project,
    snapshot: Option<&Snapshot<'_>>,
    gathered: Vec<Gathered>,
    stream: &mut Stream,
) -> Result<usize> {
    // dist.json and the environment as they were read, whatever a target of the same files would make of them.
    let mut own: BTreeMap<BString, Vec<u8>> = BTreeMap::new();
    own.extend(
        project.environment_files.iter().map(|it| (BString::from(it.path.as_str()), it.content.clone())),
    );
    own.extend(project.manifest_path.clone().zip(project.manifest_bytes.clone()));
    let mut files = own.len();
    let contents = snapshot.map(Snapshot::contents);
    for source in gathered {
        let folder = source.folder;
        let mut reader: Box<dyn Reader + '_> = match (&folder, &contents) {
            (Some(folder), _) => folder.reader(),
            (None, Some(contents)) => contents.reader(),
            (None, None) => continue,
        };
        for entry in &source.listing.entries {
            let path = joined(&source.source, entry);
            if own.contains_key(&path) {
                continue;
            }
            files += 1;
            let is_there = folder.is_none() && entry.is_stored_as_is() && entry.is_in_repository();
            if is_there {
                stream.add(path.as_bstr(), entry.mode, entry.id)?;
            } else {
                stream.copy(&mut *reader, source.listing.root.as_bstr(), entry, path.as_bstr())?;
            }
        }
    }
    for (path, bytes) in &own {
        stream.add_content::<PublishError>(path.as_bstr(), Mode::File, bytes.len() as u64, |put| {
            Ok(put(bytes)?)
        })?;
    }
    Ok(files)
}

fn joined(source: &BString, entry: &Entry) -> BString {
    match (source.is_empty(), entry.path.is_empty()) {
        (true, _) => entry.path.clone(),
        (_, true) => source.clone(),
        _ => [source.as_slice(), b"/", entry.path.as_slice()].concat().into(),
    }
}

/// SHA-256 and size of a file.
fn digest(folder: &Dir, name: &str) -> Result<(String, u64)> {
    use std::io::Read as _;
    let mut file = folder.open_file(name)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; PIECE];
    let mut size = 0;
    loop {
        let failed = |source| crate::disk::DiskError { act: "read", path: folder.join(name), source };
        let read = file.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
    Ok((hex(&hasher.finalize()), size))
}
