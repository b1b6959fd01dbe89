//! Whether a project may be deployed at all: where signatures are asked for, its revision must carry a good one.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;

use super::{Events, Prepared, Result, RolloutError, Session};
use crate::disk::{Dir, Shown};
use crate::plan::Kind as Doing;
use crate::project::{Base, Project};
use crate::root::SignedOnly;
use crate::signature::{
    self, Kind, Object, REQUIRED, Signature, SignatureError, Signers, is_required, verify,
};
use crate::source::git::{Repository, Revision, settings_in};

/// What asks for a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// git's configuration: `dist.requireSigned`.
    Setting,
    /// The option `require_signed` of the revision's own dist.json.
    Manifest,
    /// It comes from a channel, whose manifest names it.
    Channel,
    /// What was deployed last from this repository asked for it, so that a push cannot switch it off.
    Earlier {
        /// The manifest's path.
        manifest: String,
    },
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting => f.write_str("`dist.requireSigned` of the git configuration"),
            Self::Manifest => f.write_str("the option `require_signed` of dist.json"),
            Self::Channel => f.write_str("a channel"),
            Self::Earlier { manifest } => {
                write!(f, "the option `require_signed` of `{}`, as it was deployed last,", Shown(manifest))
            }
        }
    }
}

/// A project that may be deployed. Only [`admit`] makes one, and nothing is deployed without one.
#[derive(Clone)]
pub struct Admitted<'p> {
    project: &'p Project,
    demand: Option<Demand>,
    signature: Option<Signature>,
}

impl Deref for Admitted<'_> {
    type Target = Project;

    fn deref(&self) -> &Project {
        self.project
    }
}

impl Admitted<'_> {
    /// What asks for a signature, if anything does.
    pub fn demand(&self) -> Option<&Demand> {
        self.demand.as_ref()
    }

    /// The signature that was asked for and found.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// Refuses a plan with content that comes from a working tree, where signatures are asked for.
    ///
    /// # Errors
    /// [`RolloutError::NotSigned`].
    pub fn check(&self, prepared: &Prepared) -> Result<()> {
        match &self.demand {
            Some(demand) if prepared.has_uncommitted() => {
                Err(RolloutError::NotSigned { demand: demand.clone(), source: SignatureError::Uncommitted })
            }
            _ => Ok(()),
        }
    }

    /// Notes whether the manifest asks for signatures: in the root's own folder `meta`, for other clones of the
    /// repository, and in the git directory, whatever root a push names. The lock must be held.
    pub(super) fn note(&self, meta: &Dir) -> Result<()> {
        if let Some(folder) = self.project.repository().map(own_folder) {
            let asks = self.project.manifest.requires_signature();
            let own = if asks { Dir::create_all(&folder) } else { Dir::open(&folder) };
            // Where the git directory may not be written the root's note is all there is.
            let _ = own.map(|own| self.note_in(&own));
        }
        self.note_in(meta)
    }

    fn note_in(&self, place: &Dir) -> Result<()> {
        let mut noted = SignedOnly::read(place)?;
        if self.would_note(&mut noted) {
            noted.write(place)?;
        }
        Ok(())
    }

    /// As a deploy does, notes whether the manifest asks for signatures: for one that has nothing else to do.
    ///
    /// # Errors
    /// When the lock cannot be taken, or the note not be read or written.
    pub fn settle(&self, events: &dyn Events) -> Result<()> {
        let root = self.project.root()?;
        for place in places(self.project)? {
            if self.would_note(&mut SignedOnly::read(&place)?) {
                return self.note(&Session::begin(&root, Doing::Deploy, events)?.meta);
            }
        }
        Ok(())
    }

    /// Notes in the git directory what the next run need not find out again: the count of commits, and that git's
    /// configuration does not ask for signatures. Called by runs that may change something.
    pub(super) fn remember(&self) {
        self.project.remember_count();
        if let (Some(repository), None) = (self.project.repository(), &self.demand) {
            repository.remember_silence(REQUIRED);
        }
    }

    fn would_note(&self, noted: &mut SignedOnly) -> bool {
        let Some(manifest) = &self.project.manifest_path else { return false };
        noted.note(&self.project.origin(), &manifest.to_string(), self.project.manifest.requires_signature())
    }
}

/// Admits `project`, before anything that its revision says is acted upon. Where the git configuration, its dist.json
/// or what was deployed before asks for it, the tag or commit that was asked for must be signed by somebody whom the
/// configuration of this machine allows.
///
/// # Errors
/// [`RolloutError::NotSigned`]; others if the configuration, the history or the repository cannot be read.
pub fn admit(project: &Project) -> Result<Admitted<'_>> {
    let settings = match &project.base {
        Base::Git { repository, .. } if repository.is_known_silent(REQUIRED) => None,
        Base::Git { repository, .. } => Some(repository.settings()?),
        Base::Folder(path) => Some(settings_in(path)?),
    };
    let is_set = is_required(settings.as_deref().unwrap_or_default())
        .map_err(|source| RolloutError::NotSigned { demand: Demand::Setting, source })?;
    let demand = match (is_set, project.manifest.requires_signature()) {
        (true, _) => Some(Demand::Setting),
        (_, true) => Some(Demand::Manifest),
        _ => earlier(project)?,
    };
    let Some(demand) = demand else { return Ok(Admitted { project, demand: None, signature: None }) };
    let signature = match &project.base {
        Base::Git { repository, revision } if !project.from_worktree => {
            let settings = match settings {
                Some(settings) => settings,
                None => repository.settings()?,
            };
            Signers::read(repository, &settings).and_then(|signers| signed(repository, revision, &signers))
        }
        _ => Err(SignatureError::Uncommitted),
    };
    let signature = match signature {
        Ok(signature) => signature,
        Err(source) => return Err(RolloutError::NotSigned { demand, source }),
    };
    Ok(Admitted { project, demand: Some(demand), signature: Some(signature) })
}

/// Admits a release that `signature` vouches for: that of the manifest which names its commit.
pub fn admit_release(project: &Project, signature: Signature) -> Admitted<'_> {
    Admitted { project, demand: Some(Demand::Channel), signature: Some(signature) }
}

/// Whether what was deployed last from the project's repository asked for signatures: from this clone to anywhere, or
/// from anywhere to the project's root.
fn earlier(project: &Project) -> Result<Option<Demand>> {
    for place in places(project)? {
        if let Some(manifest) = SignedOnly::read(&place)?.asking(&project.origin()) {
            return Ok(Some(Demand::Earlier { manifest: manifest.to_owned() }));
        }
    }
    Ok(None)
}

/// The folders, as far as there are any, with notes of what asked for signatures.
fn places(project: &Project) -> Result<Vec<Dir>> {
    let own = match project.repository().map(|repository| Dir::open(&own_folder(repository))) {
        Some(Err(error)) if !error.is_not_found() => return Err(error.into()),
        own => own.and_then(Result::ok),
    };
    Ok(own.into_iter().chain(project.root()?.open()?).collect())
}

/// The folder of the git directory that is git dist's.
fn own_folder(repository: &Repository) -> PathBuf {
    repository.common_dir().join("dist")
}

/// Who signed what was asked for: the tag, if that was one and is signed, else the commit.
fn signed(
    repository: &Repository,
    revision: &Revision,
    signers: &Signers,
) -> Result<Signature, SignatureError> {
    let hash = repository.hash_kind();
    if let Some(tag) = repository.tag_of(revision)? {
        let name = format!("tag `{}`", tag.name);
        let object = Object { kind: Kind::Tag, name: &name, bytes: &tag.data, hash };
        if signature::is_signed(object) {
            let reference = revision.tag.as_ref().and_then(|asked| asked.reference.as_deref());
            // By its id it is asked for whatever its name is.
            if let Some(asked) = reference.filter(|asked| *asked != format!("refs/tags/{}", tag.name)) {
                let asked = asked.strip_prefix("refs/tags/").unwrap_or(asked).to_owned();
                return Err(SignatureError::Renamed { asked, name: tag.name });
            }
            return verify(object, signers);
        }
    }
    let bytes = repository.commit_data(revision.commit)?;
    let name = format!("commit {}", revision.short());
    verify(Object { kind: Kind::Commit, name: &name, bytes: &bytes, hash }, signers)
}
