//! What a release is signed with, and who may have signed what is there.

use super::Result;
use crate::disk::WorkFolder;
use crate::project::Project;
use crate::signature::{Signers, SigningKey, TrustedKeys};
use crate::source::git::Repository;

/// The setting that names the key that releases are signed with, if that is not git's.
const OWN_KEY: &str = "dist.signingKey";
/// git's settings: the key, and of which kind it is.
const KEY: &str = "user.signingKey";
const FORMAT: &str = "gpg.format";

/// What a release is signed with, and who may have signed what is there.
#[derive(Debug)]
pub struct Keys {
    /// What is signed with; none where nothing says so.
    pub signing: Vec<SigningKey>,
    /// Who may have signed.
    pub signers: Signers,
    /// Where the signers' keys are.
    _folder: Option<WorkFolder>,
}

impl Keys {
    /// Signs with the keys that `sign_with` names, else with that of the configuration: `dist.signingKey`, or git's
    /// where that is one of SSH. Those may have signed whose keys `trusted` names, else those that the configuration
    /// names, else whoever has a key that is signed with.
    ///
    /// # Errors
    /// When a key is none, or the configuration cannot be read.
    pub fn of(sign_with: &[String], trusted: &[String], project: Option<&Project>) -> Result<Self> {
        let repository = project.and_then(Project::repository);
        let settings = repository.map(Repository::settings).transpose()?.unwrap_or_default();
        let value = |key: &str| {
            let found = settings.iter().rev().find(|setting| setting.key.eq_ignore_ascii_case(key));
            found.and_then(|setting| setting.value.clone())
        };
        let mut names = sign_with.to_vec();
        if names.is_empty() {
            let of_git = || value(KEY).filter(|_| value(FORMAT).as_deref() == Some("ssh"));
            names.extend(value(OWN_KEY).or_else(of_git));
        }
        let signing = names.iter().map(|name| SigningKey::parse(name)).collect::<Result<Vec<_>, _>>()?;
        let mut keys = TrustedKeys::default();
        for key in trusted {
            keys.extend(TrustedKeys::parse(key)?);
        }
        if trusted.is_empty() {
            let configured = repository.map(|repository| Signers::read(repository, &settings)).transpose()?;
            let is_any = |signers: &Signers| signers.ssh.is_some() || !signers.minisign.is_empty();
            if let Some(signers) = configured.filter(is_any) {
                return Ok(Self { signing, signers, _folder: None });
            }
            keys = TrustedKeys::of(&signing)?;
        }
        let folder = WorkFolder::create_in(&std::path::absolute(std::env::temp_dir()).unwrap_or_default())?;
        keys.write(folder.dir())?;
        let signers = TrustedKeys::signers(folder.dir())?;
        Ok(Self { signing, signers, _folder: Some(folder) })
    }
}
