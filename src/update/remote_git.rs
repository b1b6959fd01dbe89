//! Following a git repository: a branch, the highest version among tags, or the highest that a requirement allows.

use std::collections::BTreeMap;

use globset::Glob;
use semver::{Version, VersionReq};

use super::arrival::{Arrival, Asked, Way, store};
use super::{MOST_PACKS, Pace, Result, UpdateError};
use crate::credentials::without_credentials;
use crate::source::git::{Store, Watch};

/// What a remote shows to whoever asks for nothing.
const HEAD: &str = "HEAD";

/// Asks the remote what is there, and picks what is followed.
pub(super) fn ask(url: &str, asked: Asked<'_>) -> Result<Arrival> {
    let store = store(asked.folder, None, url, asked.pace)?;
    let track = asked.subscription.track.as_deref();
    let watch = Watch { limit: asked.pace.left(Some(asked.pace.probe)), interrupted: asked.pace.interrupted };
    let found = store.list_remote(url, &[HEAD, "refs/heads/*", "refs/tags/*"], watch)?;
    let shown = without_credentials(url).into_owned();
    let Some((reference, commit)) = pick(&found, track) else {
        let track = track.unwrap_or("HEAD").to_owned();
        return Err(UpdateError::NothingToTrack { upstream: shown, track });
    };
    let short = reference.strip_prefix("refs/heads/").or(reference.strip_prefix("refs/tags/"));
    let release = format!("{} ({})", short.unwrap_or(&reference), commit.get(..7).unwrap_or(&commit));
    let way = Way::Git { url: url.to_owned(), reference, commit: commit.clone() };
    Ok(Arrival { upstream: shown, commit: Some(commit), release, signature: None, way })
}

/// Fetches what was picked. A remote that moved on meanwhile is asked again in its time.
pub(super) fn fetch(store: &Store, url: &str, reference: &str, commit: &str, pace: Pace<'_>) -> Result<()> {
    let watch = Watch { limit: pace.left(None), interrupted: pace.interrupted };
    if store.repository()?.has(commit) {
        return Ok(());
    }
    store.fetch(url, reference, watch)?;
    if !store.repository()?.has(commit) {
        return Err(UpdateError::Moved { upstream: without_credentials(url).into_owned() });
    }
    Ok(store.tidy(MOST_PACKS, watch)?)
}

/// The reference that `track` means among `found`, and its commit: a branch of that name, else the tag of that name, else
/// the highest version among the tags that it matches as a pattern, or allows as a requirement. Without it, HEAD.
fn pick(found: &BTreeMap<String, String>, track: Option<&str>) -> Option<(String, String)> {
    let get = |name: &str| found.get(name).map(|commit| (name.to_owned(), commit.clone()));
    let Some(track) = track else {
        let head = found.get(HEAD)?;
        // The branch that HEAD names, as far as that can be told.
        let branches = found.iter().filter(|(name, _)| name.starts_with("refs/heads/"));
        let mut same = branches.filter(|(_, commit)| *commit == head).map(|(name, _)| name.as_str());
        let usual = ["refs/heads/main", "refs/heads/master"];
        let usual = usual.into_iter().find(|name| found.get(*name) == Some(head));
        return get(usual.or_else(|| same.next()).unwrap_or(HEAD));
    };
    if let Some(exact) = get(&format!("refs/heads/{track}")).or_else(|| get(&format!("refs/tags/{track}"))) {
        return Some(exact);
    }
    let tags = found.iter().filter_map(|(name, commit)| {
        let tag = name.strip_prefix("refs/tags/")?;
        Some((tag, version(tag)?, commit))
    });
    let is_requirement = track.starts_with(['^', '~', '=', '>', '<', '*']);
    let best = if let Some(requirement) = VersionReq::parse(track).ok().filter(|_| is_requirement) {
        tags.filter(|(_, version, _)| requirement.matches(version)).max_by(|a, b| a.1.cmp(&b.1))
    } else {
        let pattern = Glob::new(track).ok()?.compile_matcher();
        // Whoever wants what comes before a release says so.
        let wants_early = track.contains('-');
        tags.filter(|(tag, version, _)| pattern.is_match(tag) && (wants_early || version.pre.is_empty()))
            .max_by(|a, b| a.1.cmp(&b.1))
    };
    best.map(|(tag, _, commit)| (format!("refs/tags/{tag}"), commit.clone()))
}

/// The version that a tag names: what follows the last `/` and any letters, with `.0` where parts are missing.
fn version(tag: &str) -> Option<Version> {
    let name = tag.rsplit('/').next()?;
    let digits = name.find(|c: char| c.is_ascii_digit())?;
    let text = &name[digits..];
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, more) = text.split_at(end);
    let missing = 2_usize.checked_sub(numbers.matches('.').count())?;
    let plain: Vec<&str> = numbers.split('.').map(|part| part.trim_start_matches('0')).collect();
    let plain: Vec<&str> = plain.into_iter().map(|part| if part.is_empty() { "0" } else { part }).collect();
    Version::parse(&format!("{}{}{more}", plain.join("."), ".0".repeat(missing))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(names: &[&str], track: Option<&str>) -> Option<String> {
        let found = names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        pick(&found, track).map(|(name, _)| name)
    }

    #[test]
    fn the_highest_version_is_picked_not_the_last_word() {
        let tags = [
            "refs/heads/main",
            "refs/tags/v1.9",
            "refs/tags/v1.10",
            "refs/tags/v2.0.0-rc1",
            "refs/tags/nightly",
            "refs/tags/v01.11",
        ];
        let pick = |track| picked(&tags, Some(track));
        assert_eq!(pick("v*").as_deref(), Some("refs/tags/v01.11"));
        assert_eq!(pick("v1.*").as_deref(), Some("refs/tags/v1.10"));
        assert_eq!(pick("v*-*").as_deref(), Some("refs/tags/v2.0.0-rc1"));
        assert_eq!(pick("^1.2").as_deref(), Some("refs/tags/v01.11"));
        assert_eq!(pick("^2").as_deref(), None);
        assert_eq!(pick("main").as_deref(), Some("refs/heads/main"));
        assert_eq!(pick("v1.9").as_deref(), Some("refs/tags/v1.9"));
        assert_eq!(pick("w*"), None);
        assert_eq!(pick("[").as_deref(), None);
    }

    #[test]
    fn without_a_wish_it_is_what_the_remote_shows() {
        let mut found = BTreeMap::from([("HEAD".to_owned(), "a".to_owned())]);
        found.insert("refs/heads/trunk".to_owned(), "a".to_owned());
        found.insert("refs/heads/main".to_owned(), "b".to_owned());
        assert_eq!(pick(&found, None), Some(("refs/heads/trunk".to_owned(), "a".to_owned())));
        assert_eq!(pick(&BTreeMap::new(), None), None);
    }
}
