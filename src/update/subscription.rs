//! What a root follows: subscriptions, each a folder of its own below the root's.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Result, UpdateError};
use crate::channel::is_name;
use crate::credentials::without_credentials;
use crate::disk::{self, Dir};
use crate::manifest::Settings;
use crate::root::Root;
use crate::signature::{Signers, TrustedKeys};

/// The folder of all subscriptions in the root's own folder.
pub(super) const UPDATES: &str = "updates";
/// Name of a subscription's file in its folder.
pub(super) const FILE: &str = "subscription.json";
/// The most of it that is read, in bytes.
const LARGEST: u64 = 1 << 20;

/// How often an upstream is asked, unless something else is said.
pub const TTL: Duration = Duration::from_hours(24);
/// The shortest time between two checks that can be asked for.
pub const SHORTEST_TTL: Duration = Duration::from_mins(1);

/// What a root follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Format of this file; 1.
    pub format: u32,
    /// Its name: that of a target, or of what was installed.
    pub name: String,
    /// Addresses, tried in order.
    pub from: Vec<String>,
    /// The channel of a published place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The branch, tag pattern or requirement of a git repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
    /// Whose dist.json says where things go.
    pub manifest: Follows,
    /// Patterns of targets; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// Commands of a dist.json that comes with the release may run.
    #[serde(default)]
    pub allow_commands: bool,
    /// Folders besides the root that may be written to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roots: Vec<PathBuf>,
    /// Seconds between two checks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u64>,
    /// Seconds after which a machine that no upstream answered is out of date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_stale: Option<u64>,
}

/// Whose dist.json says where what arrives goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Follows {
    /// That of the release.
    Release,
    /// That of a project on this machine.
    Project {
        /// The folder of the project's dist.json.
        location: PathBuf,
    },
}

impl Subscription {
    /// The subscription of the target `name` of the project at `location`.
    pub fn of_target(name: &str, settings: &Settings, from: &[String], location: &Path) -> Self {
        Self {
            format: 1,
            name: name.to_owned(),
            from: from.to_vec(),
            channel: settings.channel.clone(),
            track: settings.track.clone(),
            manifest: Follows::Project { location: location.to_owned() },
            targets: vec![name.to_owned()],
            allow_commands: true,
            roots: Vec::new(),
            ttl: None,
            max_stale: None,
        }
    }

    /// Time between two checks.
    pub fn ttl(&self) -> Duration {
        self.ttl.map_or(TTL, Duration::from_secs).max(SHORTEST_TTL)
    }

    /// The channel, or the one that is followed where none is named.
    pub fn channel(&self) -> &str {
        self.channel.as_deref().unwrap_or("stable")
    }

    /// Its folder in the root whose own folder is `meta`, made where it is missing.
    ///
    /// # Errors
    /// [`UpdateError::Name`] where the name cannot be that of a folder; when it cannot be made.
    pub fn folder(&self, meta: &Dir) -> Result<Dir> {
        if !is_name(&self.name) {
            return Err(UpdateError::Name { name: self.name.clone() });
        }
        Ok(Dir::create_all(&meta.join(UPDATES).join(&self.name))?)
    }

    /// Writes it to its folder.
    ///
    /// # Errors
    /// When the folder may not be written.
    pub fn write(&self, folder: &Dir) -> disk::Result<()> {
        let bytes = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        match folder.read_file(FILE, LARGEST) {
            Ok(known) if known == bytes => Ok(()),
            // What is in an address is for nobody else.
            _ if self.has_credentials() => folder.replace_private_file(FILE, &bytes),
            _ => folder.replace_file(FILE, &bytes),
        }
    }

    /// True if an address holds a password or token.
    fn has_credentials(&self) -> bool {
        self.from.iter().any(|address| without_credentials(address) != address.as_str())
    }

    /// The subscription `name` of the root whose own folder is `meta`; `None` if there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(meta: &Dir, name: &str) -> Result<Option<Self>> {
        if !is_name(name) {
            return Ok(None);
        }
        let folder = match Dir::open(&meta.join(UPDATES).join(name)) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let bytes = match folder.read_file(FILE, LARGEST) {
            Ok(bytes) => bytes,
            // One that is somebody else's secret is none to whoever may not read it.
            Err(error) if error.is_not_found() || error.is_denied() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let damaged = |problem: String| UpdateError::Damaged { path: folder.join(FILE), problem };
        let subscription: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if subscription.format != 1 || subscription.name != name {
            return Err(damaged("it is of another release, or was renamed".to_owned()));
        }
        Ok(Some(subscription))
    }

    /// All subscriptions of `root`, by name.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn all(root: &Root) -> Result<Vec<Self>> {
        let Some(meta) = root.open()? else { return Ok(Vec::new()) };
        let folder = match meta.descend(Path::new(UPDATES)) {
            Ok(folder) => folder,
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut names = folder.names()?;
        names.sort();
        let mut all = Vec::new();
        for name in names.iter().filter_map(|name| name.to_str()) {
            all.extend(Self::read(&meta, name)?);
        }
        Ok(all)
    }

    /// Who may sign what an installed subscription follows, by what was said when it was installed.
    ///
    /// # Errors
    /// When that cannot be read.
    pub fn signers(folder: &Dir) -> Result<Signers> {
        Ok(TrustedKeys::signers(folder)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_password_in_an_address_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::default();
        for (address, is_secret) in
            [("https://ada:secret@example.org/x", true), ("https://example.org/x", false)]
        {
            let root = folder.path().join(is_secret.to_string());
            let meta = Dir::create_all(&root).unwrap();
            let from = [address.to_owned()];
            let subscription = Subscription::of_target("tool", &settings, &from, Path::new("/project"));
            subscription.write(&subscription.folder(&meta).unwrap()).unwrap();
            let mode = root.join("updates/tool").join(FILE).metadata().unwrap().permissions().mode();
            assert_eq!(mode.trailing_zeros() >= 6, is_secret, "{mode:o}");
            assert_eq!(Subscription::read(&meta, "tool").unwrap(), Some(subscription));
        }
    }
}
