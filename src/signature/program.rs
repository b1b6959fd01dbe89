//! Running `ssh-keygen` and `gpg` on an object and its signature.

use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::SignatureError;
use crate::disk::WorkFolder;
use crate::door;

/// Files of the folder that a program works in.
const SIGNATURE: &str = "signature";
const PAYLOAD: &str = "payload";
const OUT: &str = "out";
const ERR: &str = "err";
/// The most that a program may say, in bytes.
const LARGEST: u64 = 1 << 20;
/// How long a program may take: it reads two small files.
const LIMIT: Duration = Duration::from_mins(1);
/// How long is waited between two looks at it, at most.
const TICK: Duration = Duration::from_millis(20);

/// A folder of its own with what a program reads and writes.
pub(super) struct Workplace {
    folder: WorkFolder,
}

/// What a program did.
pub(super) struct Said {
    /// It ended with exit code 0.
    pub(super) is_success: bool,
    /// Its standard output.
    pub(super) out: String,
    /// Its standard error.
    pub(super) err: String,
}

impl Workplace {
    /// A folder with what is signed, and its signature if there is one.
    pub(super) fn with(payload: &[u8], signature: Option<&[u8]>) -> Result<Self, SignatureError> {
        let folder = WorkFolder::create_in(&std::path::absolute(std::env::temp_dir()).unwrap_or_default())?;
        if let Some(signature) = signature {
            folder.dir().create_file(SIGNATURE, 0o600)?.write(signature)?;
        }
        folder.dir().create_file(PAYLOAD, 0o600)?.write(payload)?;
        Ok(Self { folder })
    }

    /// The file with the signature.
    pub(super) fn signature(&self) -> PathBuf {
        self.folder.dir().join(SIGNATURE)
    }

    /// The file with the bytes that were signed.
    pub(super) fn payload(&self) -> PathBuf {
        self.folder.dir().join(PAYLOAD)
    }

    /// Writes a file that a program is to read, and returns its path.
    pub(super) fn add(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, SignatureError> {
        self.folder.dir().create_file(name, 0o600)?.write(bytes)?;
        Ok(self.folder.dir().join(name))
    }

    /// The bytes of the file with the signature, which a program wrote.
    pub(super) fn written_signature(&self) -> Result<Vec<u8>, SignatureError> {
        Ok(self.folder.dir().read_file(SIGNATURE, LARGEST)?)
    }

    /// Runs `program` of the `PATH` with the signed bytes as its standard input.
    pub(super) fn run(
        &self,
        program: &'static str,
        arguments: &[&dyn AsRef<OsStr>],
    ) -> Result<Said, SignatureError> {
        let cannot = |source| SignatureError::Program { program, source };
        let dir = self.folder.dir();
        let create = |name| -> Result<Stdio, SignatureError> {
            if dir.stat(name)?.is_some() {
                dir.remove(name)?;
            }
            Ok(dir.create_file(name, 0o600)?.into_output())
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            // Where a relative entry of the `PATH` leads nowhere.
            .current_dir(dir.path())
            .env("LC_ALL", "C")
            .env_remove("LANGUAGE")
            .stdin(dir.open_file(PAYLOAD)?)
            .stdout(create(OUT)?)
            .stderr(create(ERR)?);
        let status = wait(door::spawn(&mut command).map_err(cannot)?).map_err(cannot)?;
        let read = |name| -> Result<String, SignatureError> {
            Ok(String::from_utf8_lossy(&dir.read_file(name, LARGEST)?).into_owned())
        };
        Ok(Said { is_success: status.success(), out: read(OUT)?, err: read(ERR)? })
    }
}

/// Waits for a program, which is killed when it takes too long.
fn wait(mut child: Child) -> io::Result<ExitStatus> {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if started.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(TICK);
    }
}
