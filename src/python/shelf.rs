//! Packages in a directory or bucket, and copies of them on this machine.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use pep440_rs::Version;
use sha2::{Digest as _, Sha256};

use super::lock::{Lock, Pin};
use super::requirement::{Requirement, is_name, normalised};
use super::{Options, PythonError, Result};
use crate::disk::{Dir, DiskError};
use crate::remote::{Address, Limits, Object, Remote, Settings, hex};

/// The folder of copies of one place.
pub(super) struct Shelf<'a> {
    options: &'a Options<'a>,
    address: &'a Address,
    dir: Dir,
}

/// A file that pip and uv can install from.
struct Distribution {
    name: String,
    version: Version,
    is_source: bool,
}

impl Distribution {
    /// Reads the name of a file; `None` if it is no wheel and no source archive.
    fn parse(file: &str) -> Option<Self> {
        let (name, version, is_source) = match file.strip_suffix(".whl") {
            Some(stem) => {
                let mut parts = stem.split('-');
                let both = (parts.next()?, parts.next()?);
                if !matches!(parts.count(), 3 | 4) {
                    return None;
                }
                (both.0, both.1, false)
            }
            None => {
                let stem = file.strip_suffix(".tar.gz").or_else(|| file.strip_suffix(".zip"))?;
                let (name, version) = stem.rsplit_once('-')?;
                (name, version, true)
            }
        };
        let version = Version::from_str(&version.replace('_', "-")).ok()?;
        is_name(name).then(|| Self { name: normalised(name), version, is_source })
    }
}

impl<'a> Shelf<'a> {
    /// The copies of what is at `address`.
    pub(super) fn open(options: &'a Options<'a>, cache: &Path, address: &'a Address) -> Result<Self> {
        let digest = hex(&Sha256::digest(address.to_string()));
        let dir = Dir::create_all(&cache.join("packages").join(&digest[..16]))?;
        Ok(Self { options, address, dir })
    }

    /// Where the copies are.
    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The files of the place itself, without those in folders below it.
    pub(super) fn list(&self) -> Result<Vec<Object>> {
        let mut objects = self.remote()?.list("")?;
        objects.retain(|object| !object.path.contains('/'));
        Ok(objects)
    }

    /// The highest version that `files` have for `requirement`, in files that pip and uv can install from.
    pub(super) fn newest(&self, files: &[Object], requirement: &Requirement) -> Option<Version> {
        let versions: Vec<Version> = self
            .distributions(files)
            .filter(|(_, it)| it.name == requirement.name())
            .map(|(_, it)| it.version)
            .collect();
        let has_releases =
            versions.iter().any(|version| !version.any_prerelease() && requirement.is_met_by(version, true));
        versions.into_iter().filter(|version| requirement.is_met_by(version, has_releases)).max()
    }

    /// The folder in which a program finds all that may be chosen from: the directory itself, or the copies.
    pub(super) fn all(&self, files: &[Object], requirement: &Requirement) -> Result<PathBuf> {
        if let Some(folder) = self.address.folder() {
            return Ok(folder.to_owned());
        }
        let wanted: Vec<&Object> = self
            .distributions(files)
            .filter(|(_, it)| it.name != requirement.name() || requirement.is_met_by(&it.version, false))
            .map(|(object, _)| object)
            .collect();
        self.check_size(wanted.iter().copied(), requirement)?;
        for object in wanted {
            self.copy(object)?;
        }
        Ok(self.path().to_owned())
    }

    /// Copies the file of that name unless it is here, and returns its digest.
    pub(super) fn egg(&self, file: &str) -> Result<String> {
        let remote = self.remote()?;
        let digest = remote.fetch(file, self.options.most, &self.dir, file)?;
        let mut start = [0; 4];
        let mut opened = self.dir.open_file(file)?;
        let is_zip = opened.read_exact(&mut start).is_ok() && &start == b"PK\x03\x04";
        if !is_zip {
            self.dir.discard(file);
            let path = PathBuf::from(remote.shown(file));
            return Err(PythonError::Content { path, why: "is no zip file, as eggs are" });
        }
        Ok(digest)
    }

    /// The file of that name, which has this digest.
    pub(super) fn egg_of(&self, file: &str, pin: &Pin) -> Result<std::fs::File> {
        if !self.has(file, pin)? {
            if self.options.offline {
                return Err(PythonError::Offline { requirement: format!("{}=={}", pin.name, pin.version) });
            }
            let found = self.egg(file)?;
            if !pin.digests.contains(&found) {
                self.dir.discard(file);
                return Err(self.mismatch(file.to_owned(), found));
            }
        }
        Ok(self.dir.open_file(file)?)
    }

    /// Copies all files of the packages of `lock` that it has the digests of, unless that was done before.
    pub(super) fn fill(&self, lock: &Lock) -> Result<()> {
        let note = format!(".{}.files", hex(&Sha256::digest(lock.requirements())));
        if self.is_filled(&note, lock)? {
            return Ok(());
        }
        if self.options.offline {
            return Err(PythonError::Offline { requirement: lock.requirement.to_string() });
        }
        let files = self.list()?;
        let of_lock: Vec<(&Object, &Pin)> = self
            .distributions(&files)
            .filter_map(|(object, it)| {
                let is_it = |pin: &&Pin| pin.name == it.name && pin.version == it.version;
                Some((object, lock.pins.iter().find(is_it)?))
            })
            .collect();
        self.check_size(of_lock.iter().map(|(object, _)| *object), &lock.requirement)?;
        let mut names = String::new();
        for pin in &lock.pins {
            let (mut is_here, mut other) = (false, None);
            for (object, _) in of_lock.iter().filter(|(_, of)| *of == pin) {
                self.copy(object)?;
                if self.has(&object.path, pin)? {
                    is_here = true;
                    names.push_str(&object.path);
                    names.push('\n');
                } else {
                    // It may have been another one when it was copied.
                    let found =
                        self.remote()?.fetch(&object.path, self.options.most, &self.dir, &object.path)?;
                    if pin.digests.contains(&found) {
                        is_here = true;
                        names.push_str(&object.path);
                        names.push('\n');
                    } else {
                        self.dir.discard(&object.path);
                        other = Some(self.mismatch(object.path.clone(), found));
                    }
                }
            }
            if !is_here {
                return Err(other.unwrap_or_else(|| PythonError::NotFound {
                    at: self.address.to_string(),
                    requirement: format!("{}=={}", pin.name, pin.version),
                    only: self.only(),
                }));
            }
        }
        Ok(self.dir.replace_file_without_sync(&note, names.as_bytes())?)
    }

    /// Which files count.
    pub(super) fn only(&self) -> &'static str {
        if self.options.allow_build {
            ""
        } else {
            "; what has to be built does not count unless that is allowed"
        }
    }

    fn remote(&self) -> Result<Remote> {
        let limits =
            Limits { total: self.options.watch.limit.and_then(|limit| limit.end()), ..self.options.limits };
        // Those of the process, and over them those that are given.
        let mut variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()))
            .collect();
        let given = self.options.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
        variables.extend(given);
        let variables = variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Ok(Remote::open_with(self.address, limits, &Settings::of(variables))?)
    }

    fn distributions<'f>(&self, files: &'f [Object]) -> impl Iterator<Item = (&'f Object, Distribution)> {
        let allow_build = self.options.allow_build;
        files
            .iter()
            .filter_map(|object| Some((object, Distribution::parse(&object.path)?)))
            .filter(move |(_, it)| allow_build || !it.is_source)
    }

    fn check_size<'f>(
        &self,
        files: impl Iterator<Item = &'f Object>,
        requirement: &Requirement,
    ) -> Result<()> {
        let most = self.options.most;
        if files.map(|object| object.size).sum::<u64>() > most {
            return Err(PythonError::TooLarge { requirement: requirement.to_string(), most });
        }
        Ok(())
    }

    /// Copies a file unless one of its name and size is here.
    fn copy(&self, object: &Object) -> Result<()> {
        if self.dir.stat(&object.path)?.is_none_or(|stat| stat.size != object.size) {
            self.remote()?.fetch(&object.path, self.options.most, &self.dir, &object.path)?;
        }
        Ok(())
    }

    fn is_filled(&self, note: &str, lock: &Lock) -> Result<bool> {
        let names = match self.dir.read_file(note, 1 << 20) {
            Err(error) if error.is_not_found() => return Ok(false),
            names => String::from_utf8_lossy(&names?).into_owned(),
        };
        for name in names.lines() {
            let it = Distribution::parse(name);
            let pin = it.and_then(|it| lock.pins.iter().find(|pin| pin.name == it.name));
            match pin {
                Some(pin) if self.has(name, pin)? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    /// True if the file is here, with a digest of `pin`.
    fn has(&self, file: &str, pin: &Pin) -> Result<bool> {
        let mut opened = match self.dir.open_file(file) {
            Err(error) if error.is_not_found() => return Ok(false),
            opened => opened?,
        };
        let failed = |source| DiskError { act: "read", path: self.dir.join(file), source };
        let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
        loop {
            match opened.read(&mut buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(error).into()),
                Ok(0) => return Ok(pin.digests.contains(&hex(&hasher.finalize()))),
                Ok(count) => hasher.update(&buffer[..count]),
            }
        }
    }

    fn mismatch(&self, file: String, found: String) -> PythonError {
        PythonError::Mismatch { file, at: self.address.to_string(), found }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_say_what_they_are() {
        for (file, is) in [
            ("hello-1.2-py3-none-any.whl", Some("hello 1.2 false")),
            ("Hello_World-1.2-1-cp311-cp311-linux_x86_64.whl", Some("hello-world 1.2 false")),
            ("hello-world-1.2.tar.gz", Some("hello-world 1.2 true")),
            ("hello-1.2.zip", Some("hello 1.2 true")),
            ("hello-1.2.whl", None),
            ("hello-1.2-py3.11.egg", None),
            ("hello-latest.tar.gz", None),
            ("..-1.2.tar.gz", None),
        ] {
            let found = Distribution::parse(file);
            let found = found.map(|it| format!("{} {} {}", it.name, it.version, it.is_source));
            assert_eq!(found.as_deref(), is, "{file}");
        }
    }
}
