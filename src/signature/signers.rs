//! Who may sign: the files and keys that the configuration of this machine names.

use std::path::{Path, PathBuf};

use super::{SignatureError, minisign};
use crate::source::git::{Repository, Setting, boolean};

/// The setting that asks for signatures.
pub const REQUIRED: &str = "dist.requireSigned";
/// The setting that names the file of allowed signers, for git dist alone.
const OWN_FILE: &str = "dist.allowedSigners";
/// The setting that allows one OpenPGP key, or one minisign key.
const OWN_KEY: &str = "dist.allowedKey";
/// git's own settings.
const FILE: &str = "gpg.ssh.allowedSignersFile";
const REVOKED: &str = "gpg.ssh.revocationFile";
const TRUST: &str = "gpg.minTrustLevel";

/// Who may sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signers {
    /// Who may sign with SSH; `None` = nobody.
    pub ssh: Option<SshSigners>,
    /// Fingerprints of the primary OpenPGP keys that may sign; none = trust decides.
    pub keys: Vec<String>,
    /// How far an OpenPGP key must be trusted.
    pub trust: Trust,
    /// minisign keys that may sign channels, as minisign prints them: `RW...`.
    pub minisign: Vec<String>,
}

/// Who may sign with SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshSigners {
    /// The file of allowed signers (ssh-keygen(1)).
    pub file: PathBuf,
    /// A list of revoked keys (KRL or public keys).
    pub revoked: Option<PathBuf>,
}

/// How far the keyring of whoever deploys trusts an OpenPGP key, in git's order (`gpg.minTrustLevel`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Nothing is known of it.
    Undefined,
    /// Its owner is not believed.
    Never,
    /// Somewhat.
    Marginal,
    /// By a signature of one who is believed.
    #[default]
    Fully,
    /// It is the user's own.
    Ultimate,
}

impl Trust {
    /// Reads git's and gpg's word.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "undefined" => Self::Undefined,
            "never" => Self::Never,
            "marginal" => Self::Marginal,
            "fully" => Self::Fully,
            "ultimate" => Self::Ultimate,
            _ => return None,
        })
    }

    /// git's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Undefined => "undefined",
            Self::Never => "never",
            Self::Marginal => "marginal",
            Self::Fully => "fully",
            Self::Ultimate => "ultimate",
        }
    }
}

/// True if any of `settings` asks for signatures, whatever its scope: none takes back what another one asks for.
///
/// # Errors
/// [`SignatureError::Setting`] for a value that is no boolean.
pub fn is_required(settings: &[Setting]) -> Result<bool, SignatureError> {
    let mut is_required = false;
    for setting in settings.iter().filter(|setting| setting.key.eq_ignore_ascii_case(REQUIRED)) {
        let value = boolean(setting.value.as_deref());
        is_required |= value.ok_or_else(|| bad(REQUIRED, setting.value.as_deref(), "a boolean"))?;
    }
    Ok(is_required)
}

impl Signers {
    /// The signers that `settings`, which are `repository`'s, name: as the system's and the user's configuration and
    /// `git -c` say; git dist's own keys also in the repository's own configuration file, though in no file that it
    /// includes. Nothing else of the repository has a say.
    ///
    /// # Errors
    /// [`SignatureError::Setting`], and [`SignatureError::Git`] if git cannot be asked.
    pub fn read(repository: &Repository, settings: &[Setting]) -> Result<Self, SignatureError> {
        let of_host = |key: &str| -> Vec<String> {
            let found = settings.iter().filter(|it| it.is_of_host && it.key.eq_ignore_ascii_case(key));
            found.map(|it| it.value.clone().unwrap_or_default()).collect()
        };
        let own = |key: &str| -> Result<Vec<String>, SignatureError> {
            Ok([of_host(key), repository.own_values(key)?].concat())
        };
        let file = |key, values: Vec<String>| {
            let last = values.into_iter().next_back().filter(|value| !value.is_empty());
            last.map(|value| outside(repository, key, &value)).transpose()
        };
        let ssh = match file(OWN_FILE, own(OWN_FILE)?)? {
            None => file(FILE, of_host(FILE))?,
            own => own,
        };
        let revoked = file(REVOKED, of_host(REVOKED))?;
        let (minisign, keys): (Vec<String>, Vec<String>) =
            own(OWN_KEY)?.into_iter().partition(|value| minisign::is_key(value));
        let keys = keys.iter().map(|value| fingerprint(value)).collect::<Result<_, _>>()?;
        let trust = match of_host(TRUST).last() {
            Some(word) => Trust::parse(word).ok_or_else(|| bad(TRUST, Some(word), "a trust level of git"))?,
            None => Trust::default(),
        };
        Ok(Self { ssh: ssh.map(|file| SshSigners { file, revoked }), keys, trust, minisign })
    }
}

fn bad(key: &'static str, value: Option<&str>, expected: &'static str) -> SignatureError {
    SignatureError::Setting { key, value: value.unwrap_or_default().to_owned(), expected }
}

/// A whole fingerprint of 160 or 256 bits, without the spaces that gpg prints it with.
fn fingerprint(value: &str) -> Result<String, SignatureError> {
    let digits: String = value.chars().filter(|c| !c.is_whitespace()).collect();
    let is_whole = matches!(digits.len(), 40 | 64) && digits.chars().all(|c| c.is_ascii_hexdigit());
    if is_whole { Ok(digits) } else { Err(bad(OWN_KEY, Some(value), "a whole fingerprint")) }
}

/// The file that a setting names, which must be readable and no part of the working tree.
fn outside(repository: &Repository, key: &'static str, value: &str) -> Result<PathBuf, SignatureError> {
    let home = || value.strip_prefix("~/").and_then(|rest| Some(std::env::home_dir()?.join(rest)));
    let path = home().unwrap_or_else(|| PathBuf::from(value));
    let unusable = |problem: &str, source| SignatureError::File {
        key,
        path: path.clone(),
        problem: problem.to_owned(),
        source,
    };
    if !path.is_absolute() {
        return Err(unusable("is no absolute path", None));
    }
    // Read once here, so that the programs' own words for it need not be understood.
    std::fs::File::open(&path).map_err(|source| unusable("cannot be read", Some(source)))?;
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let file = real(&path);
    let is_tracked = repository.workdir().is_some_and(|top| file.starts_with(real(top)))
        && !file.starts_with(real(repository.common_dir()));
    if is_tracked {
        return Err(unusable("lies in the working tree, where a push can change it", None));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(key: &str, value: Option<&str>) -> Setting {
        Setting { key: key.to_owned(), value: value.map(ToOwned::to_owned), is_of_host: true }
    }

    #[test]
    fn the_strictest_setting_wins() {
        let on = setting("dist.requiresigned", None);
        let off = setting("dist.requiresigned", Some("false"));
        let other = setting("dist.requiresignedx", Some("true"));
        assert!(is_required(&[on.clone(), off.clone()]).unwrap());
        assert!(is_required(&[off.clone(), on]).unwrap());
        assert!(!is_required(&[off.clone(), other]).unwrap());
        let error = is_required(&[off, setting("dist.requiresigned", Some("tag"))]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`dist.requireSigned` is `tag` in the git configuration: expected a boolean"
        );
    }

    #[test]
    fn a_fingerprint_is_whole() {
        let whole = "D5C6 A374 7D07 883C 492C  D812 AFA3 06E4 7095 D130";
        assert_eq!(fingerprint(whole).unwrap(), "D5C6A3747D07883C492CD812AFA306E47095D130");
        for short in ["AFA306E47095D130", "", "D5C6A3747D07883C492CD812AFA306E47095D13x"] {
            assert!(fingerprint(short).is_err(), "{short}");
        }
    }
}
