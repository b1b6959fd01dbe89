//! Why a destination is left alone, and what goes on from there.

use crate::version::VersionName;

/// Why a destination is left alone until somebody says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Something that no deployment put there stands at the destination.
    Occupied {
        /// What stands there, in words.
        by: String,
    },
    /// The revision is part of the history of what is active.
    Older {
        /// What is active.
        active: VersionName,
    },
    /// What is active was deployed from a commit that this repository does not have.
    Stranger {
        /// What is active.
        active: VersionName,
        /// Where it was deployed from.
        origin: String,
    },
    /// The version holding this content was marked bad.
    Bad {
        /// The version.
        version: VersionName,
        /// Why it was marked.
        reason: Option<String>,
    },
    /// The version that would become active is not what was deployed.
    Damaged {
        /// The version.
        version: VersionName,
        /// Where it differs first; `None` if it does as a whole.
        path: Option<String>,
        /// What is wrong there.
        what: &'static str,
    },
    /// There is nothing to go back to.
    NoPrevious,
    /// No version is what was asked for.
    NoSuchVersion {
        /// What was asked for.
        asked: String,
    },
    /// Several versions are what was asked for.
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// The versions.
        versions: Vec<VersionName>,
    },
    /// The version is active and cannot be removed alone.
    Active {
        /// The version.
        version: VersionName,
    },
    /// Programs of the versions run.
    InUse {
        /// The versions.
        versions: Vec<VersionName>,
    },
}

impl Refusal {
    /// True if a hook or an update goes on with the other destinations.
    pub fn is_only_rolled_back(&self) -> bool {
        matches!(self, Self::Bad { .. })
    }

    /// What is the matter, without the destination.
    pub fn message(&self) -> String {
        match self {
            Self::Occupied { by } => format!("{by} stands there that no deployment made"),
            Self::Older { active } => {
                format!("the revision is older than what is active ({})", active.tail())
            }
            Self::Stranger { active, origin } => format!(
                "what is active ({}) was deployed from `{origin}`, from a commit that this repository does not have",
                active.tail()
            ),
            Self::Bad { version, reason } => match reason {
                Some(reason) => {
                    format!("this content is version {}, which is marked bad: {reason}", version.tail())
                }
                None => format!("this content is version {}, which is marked bad", version.tail()),
            },
            Self::Damaged { version, path: Some(path), what } => {
                format!("version {} is damaged: `{path}`: {what}", version.tail())
            }
            Self::Damaged { version, path: None, what } => {
                format!("version {} is damaged: {what}", version.tail())
            }
            Self::NoPrevious => "there is no earlier version to go back to".to_owned(),
            Self::NoSuchVersion { asked } => format!("it has no version `{asked}`"),
            Self::Ambiguous { asked, versions } => {
                let names: Vec<_> = versions.iter().map(VersionName::tail).collect();
                format!("`{asked}` may be {}", names.join(" or "))
            }
            Self::Active { version } => format!("version {} is active", version.tail()),
            Self::InUse { versions } => {
                let names: Vec<_> = versions.iter().map(VersionName::tail).collect();
                let (word, are) = if names.len() == 1 { ("version", "is") } else { ("versions", "are") };
                format!("{word} {} {are} in use", names.join(" and "))
            }
        }
    }

    /// The flag or command that goes on from here.
    pub fn hint(&self, target: &str) -> String {
        match self {
            Self::Occupied { .. } => "`--adopt` moves it aside and deploys".to_owned(),
            Self::Older { .. } => {
                "`--rev REV` says that an older revision is meant, `git pull` gets the newer".to_owned()
            }
            Self::Stranger { .. } => "`git fetch` may get the commit; `-f` deploys over it".to_owned(),
            Self::Bad { version, .. } => {
                format!("`-f` deploys it all the same, `git dist use {target} {}` too", version.tail())
            }
            Self::Damaged { .. } => format!(
                "`git dist verify --all --repair {target}` exports it again, `-f` activates it as it is"
            ),
            Self::NoPrevious | Self::NoSuchVersion { .. } | Self::Ambiguous { .. } => {
                format!("`git dist show -v {target}` lists the versions")
            }
            Self::Active { .. } => format!("`git dist rollback {target}` first, or delete the whole target"),
            Self::InUse { .. } => {
                "what `git dist run` started must end first; `-f` deletes it all the same".to_owned()
            }
        }
    }
}
