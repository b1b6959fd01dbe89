//! Names for files on their way to a name of their own.

use std::path::{Path, PathBuf};

/// A name beside `name` that no other process uses, though one that was killed may have left it.
pub fn temporary_name(name: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SERIAL: AtomicU32 = AtomicU32::new(0);
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name.file_name().unwrap_or_default());
    temporary.push(format!(".{}-{serial}.tmp", std::process::id()));
    PathBuf::from(temporary)
}

/// True for the names that [`temporary_name`] makes: `.<name>.<process>-<serial>.tmp`.
pub fn is_temporary(name: &Path) -> bool {
    let inner = name.to_str().and_then(|name| name.strip_prefix('.')?.strip_suffix(".tmp"));
    let numbers = inner.and_then(|inner| inner.rsplit_once('.')?.1.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(process, serial)| is_number(process) && is_number(serial))
}
