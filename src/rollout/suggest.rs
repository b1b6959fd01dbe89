//! A first manifest for a repository, from the folders that it has.

use bstr::{BStr, ByteSlice as _};

use crate::source::git::{GitError, Mode, Repository, Snapshot};

/// Folders that people deploy, with what each becomes: target, source, destination.
const KNOWN: [(&str, &str, &str, &str); 6] = [
    ("bin", "bin", "bin/*", "{DEPLOY_ROOT}/bin/%1"),
    ("scripts", "scripts", "scripts/*", "{DEPLOY_ROOT}/bin/%1"),
    ("lib", "lib", "lib/*", "{DEPLOY_ROOT}/lib/%1"),
    ("python", "python", "python/*", "{DEPLOY_ROOT}/lib/python/%1"),
    ("public", "site", "public", "{DEPLOY_ROOT}/www/{NAME}"),
    ("etc", "etc", "etc", "{DEPLOY_ROOT}/etc/{NAME}"),
];

/// The text of a `dist.json` and a `distman.env` that fit the last commit of `repository`; the whole repository as
/// one target where no folder is known.
///
/// # Errors
/// When the last commit cannot be read.
pub fn suggest(repository: &Repository) -> Result<(String, String), GitError> {
    let name = repository.workdir().and_then(|top| top.canonicalize().ok()).and_then(|top| {
        let name = top.file_name()?.to_str()?.to_owned();
        name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)).then_some(name)
    });
    let name = name.unwrap_or_else(|| "project".to_owned());
    let mut targets = Vec::new();
    match repository.resolve("HEAD") {
        Ok(revision) => {
            let tree = revision.tree;
            let snapshot = Snapshot::new(repository, revision);
            for (entry, node) in snapshot.directory(BStr::new(""), tree)? {
                let known = KNOWN.iter().find(|(folder, ..)| entry.as_bstr() == folder.as_bytes());
                if let (Some((_, target, source, destination)), Mode::Directory) = (known, node.mode) {
                    targets.push((
                        (*target).to_owned(),
                        (*source).to_owned(),
                        destination.replace("{NAME}", &name),
                    ));
                }
            }
        }
        Err(GitError::Unborn { .. }) => {}
        Err(error) => return Err(error),
    }
    if targets.is_empty() {
        targets.push((name.clone(), ".".to_owned(), format!("{{DEPLOY_ROOT}}/{name}")));
    }
    let author = repository.config("user.email").unwrap_or_else(|| "you@example.org".to_owned());
    let lines: Vec<String> = targets
        .iter()
        .map(|(target, source, destination)| {
            let text = |value: &str| serde_json::Value::from(value).to_string();
            let (target, source, destination) = (text(target), text(source), text(destination));
            format!("    {target}: {{ \"source\": {source}, \"destination\": {destination} }}")
        })
        .collect();
    let manifest = format!(
        "{{\n  \"version\": 1,\n  \"author\": {},\n  \"targets\": {{\n{}\n  }}\n}}\n",
        serde_json::Value::from(author),
        lines.join(",\n")
    );
    Ok((manifest, ENVIRONMENT.to_owned()))
}

const ENVIRONMENT: &str = "\
# Variables for the destinations in dist.json. The process environment wins: `ENV=dev git dist` deploys to dev.
all: &all
  ENV: ${ENV:=prod}
  DEPLOY_ROOT: ${ROOT}/${ENV}
linux: &linux
  <<: *all
  ROOT: ${HOME}/.local/pipe
darwin: &darwin
  <<: *all
  ROOT: ${HOME}/Library/Application Support/pipe
";
