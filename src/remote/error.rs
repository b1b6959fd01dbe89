//! Why an object could not be had or put.

use crate::disk::DiskError;

/// Why something could not be done at a place.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is not one of a place.
    #[error("`{text}` is not the address of a place: {why}")]
    Address {
        /// The address, without credentials.
        text: String,
        /// What is the matter with it.
        why: &'static str,
    },
    /// The name of an object is not plain.
    #[error("`{name}` cannot be the name of an object")]
    Name {
        /// The name, with escapes.
        name: String,
    },
    /// This build or this kind of place cannot do that.
    #[error("{what} is not possible at `{at}`")]
    Unsupported {
        /// What was asked.
        what: &'static str,
        /// The place.
        at: String,
        /// The next step.
        hint: &'static str,
    },
    /// A setting in the environment makes no sense.
    #[error("`{at}` cannot be used as the environment has it: {why}")]
    Settings {
        /// The place.
        at: String,
        /// What is the matter, without credentials.
        why: String,
    },
    /// What the store says cannot be understood, or it cannot be asked.
    #[error("the store of `{at}` cannot be used: {why}")]
    Store {
        /// The object or place.
        at: String,
        /// What is the matter, without credentials.
        why: String,
    },
    /// The place does not answer, or not now.
    #[error("`{at}` cannot be reached: {why}")]
    Unreachable {
        /// The object or place.
        at: String,
        /// What happened, without credentials.
        why: String,
    },
    /// The place answers, and there is no such object.
    #[error("there is no `{at}`{}", Code(code))]
    NotFound {
        /// The object.
        at: String,
        /// What the store called it.
        code: Option<String>,
    },
    /// Nobody may do that, or not with these credentials.
    #[error("access to `{at}` was denied: {why}{}", Code(code))]
    Denied {
        /// The object.
        at: String,
        /// What happened.
        why: String,
        /// What the store called it.
        code: Option<String>,
    },
    /// The object is not what it was expected to be: somebody was faster.
    #[error("`{at}` was changed by somebody else")]
    Conflict {
        /// The object.
        at: String,
    },
    /// The object is larger than it may be.
    #[error("`{at}` is larger than {most} bytes")]
    TooLarge {
        /// The object.
        at: String,
        /// The most that would have been taken.
        most: u64,
    },
    /// The object's content is not what was promised.
    #[error("`{at}` is not what it should be: its SHA-256 is {found}, not {expected}")]
    Mismatch {
        /// The object.
        at: String,
        /// The digest that was promised.
        expected: String,
        /// The digest that was found.
        found: String,
    },
    /// The object is there with another size than it should have.
    #[error("`{at}` has {found} bytes, not {expected}")]
    Size {
        /// The object.
        at: String,
        /// The size that was expected.
        expected: u64,
        /// The size that was found.
        found: u64,
    },
    /// The transfer ended before its end; what is there is kept, and the next try goes on from there.
    #[error("the transfer of `{at}` broke off: {why}")]
    Cut {
        /// The object.
        at: String,
        /// What happened, without credentials.
        why: String,
    },
    /// The store gave an answer that says neither yes nor no to what was asked.
    #[error("`{at}` was answered with {status}{}", Code(code))]
    Answer {
        /// The object.
        at: String,
        /// The status of the answer.
        status: u16,
        /// What the store called it.
        code: Option<String>,
    },
    /// The store does not heed conditions: two who publish at once would overwrite each other.
    #[error("`{at}` ignores the conditions of requests: two who publish at once would overwrite each other")]
    NoPreconditions {
        /// The place.
        at: String,
    },
    /// Something on this machine's disk, or in a directory that is a place.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The result of something at a place.
pub type Result<T, E = RemoteError> = std::result::Result<T, E>;

const REGION: &str = "the bucket is in another region: `AWS_REGION` names it";

/// What a store called an error, in brackets.
struct Code<'a>(&'a Option<String>);

impl std::fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

impl RemoteError {
    /// True if it may be otherwise at another time: the network or the store is away, or the transfer broke off.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Cut { .. })
    }

    /// True if there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound { .. })
    }

    /// The next step, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unsupported { hint, .. } => hint,
            Self::Denied { at, .. } if at.starts_with("s3://") => {
                "`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN` say who asks \
                 (`aws configure export-credentials --format env` prints them), `AWS_SKIP_SIGNATURE=true` asks as \
                 nobody, and without the right to list a bucket what is missing is denied, too"
            }
            Self::Denied { at, .. } if at.starts_with("gs://") => {
                "`GOOGLE_SERVICE_ACCOUNT` names the key file of who asks; `GOOGLE_SKIP_SIGNATURE=true` asks as nobody"
            }
            Self::Denied { at, .. } if at.starts_with("az://") => {
                "`AZURE_STORAGE_ACCOUNT_NAME` with `AZURE_STORAGE_ACCOUNT_KEY` or `AZURE_STORAGE_SAS_TOKEN` says who \
                 asks; `AZURE_SKIP_SIGNATURE=true` asks as nobody"
            }
            Self::Denied { at, .. } if at.starts_with("http") => {
                "an address holds user and password as `https://USER:PASSWORD@HOST/`"
            }
            Self::Conflict { .. } => "look at what is there now, and publish again",
            Self::NoPreconditions { .. } => {
                "publish to a store that has conditional writes; if nobody else publishes there, `--single-writer` says so"
            }
            Self::Mismatch { .. } | Self::Size { .. } => "publish it again, or ask who published it",
            Self::Answer { at, status: 301 | 307, .. } if at.starts_with("s3://") => REGION,
            Self::Answer { code: Some(code), .. } if code == "AuthorizationHeaderMalformed" => REGION,
            Self::Unreachable { why, .. } if why.contains("certificate") => {
                "`SSL_CERT_FILE` names a file with the certificates of those who vouch for servers"
            }
            Self::Unreachable { at, .. } if at.starts_with('/') => {
                "is it mounted? A new place is made with `mkdir`, and never by itself"
            }
            Self::Cut { .. } => "the next try goes on where this one ended",
            Self::Disk(error) => return error.hint(),
            _ => return None,
        })
    }
}
