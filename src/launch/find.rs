//! Which destination is meant: by the launch record, which is fast, or by the history, which knows all.

use std::path::Path;

use super::{LaunchError, Result};
use crate::disk::{Dir, Folders};
use crate::inventory::{Inventory, InventoryError};
use crate::root::{LaunchRecord, LaunchedManifest, LaunchedTarget, Root, below};
use crate::version::{Destination, Launch, Link};

/// A destination that may be started.
#[derive(Debug)]
pub struct Found {
    /// The root.
    pub root: Root,
    /// Its own folder.
    pub meta: Dir,
    /// The target's name.
    pub target: String,
    /// The destination.
    pub destination: Destination,
    /// How it was deployed to be started; `None` where what the record of the version says is what counts.
    pub launch: Option<Launch>,
    /// What keeps it up to date, if something does.
    pub subscription: Option<String>,
}

/// What the launch record of `root` knows by the name `asked`: a target, the path of a destination, or the name of an
/// item. `None` if it knows nothing.
///
/// # Errors
/// [`LaunchError::Several`], or when the record cannot be read.
pub fn find(root: &Root, asked: &str) -> Result<Option<Found>> {
    let Some(meta) = root.open()? else { return Ok(None) };
    let record = LaunchRecord::read(&meta)?;
    let targets = || record.manifests.iter().flat_map(|it| it.targets.iter().map(move |target| (it, target)));
    let by_target: Vec<_> = targets()
        .filter(|(_, (name, _))| *name == asked)
        .map(|(manifest, (name, target))| (manifest, name, target, target.destination.clone()))
        .collect();
    let mut candidates = if by_target.is_empty() { Vec::new() } else { by_target };
    if candidates.iter().any(|(.., destination)| destination.is_none()) {
        // A wildcard target has items, which the record does not list.
        return Ok(None);
    }
    if candidates.is_empty() && asked.contains('/') {
        let path =
            std::path::absolute(Path::new(asked)).map(|path| below(root.path(), &path)).unwrap_or_default();
        candidates = targets()
            .filter(|(_, (_, target))| target.may_be_at(&path))
            .map(|(manifest, (name, target))| (manifest, name, target, Some(path.clone())))
            .collect();
    } else if candidates.is_empty() {
        for (manifest, (name, target)) in targets() {
            let own = target.destination.iter().filter(|path| path.file_name().is_some_and(|it| it == asked));
            let items = target.folders.iter().map(|folder| folder.join(asked));
            candidates.extend(own.cloned().chain(items).map(|path| (manifest, name, target, Some(path))));
        }
    }
    let mut found = Vec::new();
    for (manifest, name, target, path) in candidates {
        let Ok(destination) = Destination::new(root.path().join(path.unwrap_or_default())) else { continue };
        // What left a wildcard target's folder, or stands there without being an item, is none.
        if target.destination.is_some()
            || matches!(destination.link(&mut Folders::default())?, Link::Version(_))
        {
            found.push((manifest, name, target, destination));
        }
    }
    let one = match &found[..] {
        [] => return Ok(None),
        [one] => one,
        several => {
            let destinations =
                several.iter().map(|(.., destination)| destination.path().to_owned()).collect();
            return Err(LaunchError::Several { asked: asked.to_owned(), destinations });
        }
    };
    Ok(Some(of(root, meta, one)))
}

fn of(root: &Root, meta: Dir, one: &(&LaunchedManifest, &String, &LaunchedTarget, Destination)) -> Found {
    let (manifest, name, target, destination) = one;
    Found {
        root: root.clone(),
        meta,
        target: (*name).clone(),
        destination: destination.clone(),
        launch: (!target.is_chosen).then(|| target.launch.clone()),
        subscription: manifest.subscription.clone(),
    }
}

/// What the history of `root` knows by the name `asked`: for roots that were deployed to before there was a launch
/// record, and for items that it does not list.
///
/// # Errors
/// [`LaunchError::NoSuch`] and [`LaunchError::Several`], or when the history cannot be read.
pub fn find_by_history(root: &Root, asked: &str) -> Result<Found> {
    let no_such =
        |hint| LaunchError::NoSuch { asked: asked.to_owned(), roots: vec![root.path().to_owned()], hint };
    let Some(meta) = root.open()? else { return Err(no_such(None)) };
    let inventory = Inventory::take(Some(&meta), None)?;
    let mut selected = match inventory.select(&[asked.to_owned()]) {
        Err(error @ InventoryError::NoSuch { .. }) => return Err(no_such(error.hint())),
        selected => selected?,
    };
    let record = LaunchRecord::read(&meta)?;
    match selected.pop() {
        Some(installed) if selected.is_empty() => {
            let targets = record.manifests.into_iter().flat_map(|manifest| {
                let subscription = manifest.subscription;
                manifest.targets.into_iter().map(move |(name, target)| (name, target, subscription.clone()))
            });
            let known = targets.into_iter().find(|(name, ..)| *name == installed.target);
            let subscription = known.as_ref().and_then(|(.., subscription)| subscription.clone());
            let launch = known.filter(|(_, target, _)| !target.is_chosen).map(|(_, target, _)| target.launch);
            let (target, destination) = (installed.target, installed.destination);
            Ok(Found { root: root.clone(), meta, target, destination, launch, subscription })
        }
        Some(installed) => {
            let all = selected.into_iter().chain([installed]);
            let destinations = all.map(|it| it.destination.path().to_owned()).collect();
            Err(LaunchError::Several { asked: asked.to_owned(), destinations })
        }
        None => Err(no_such(None)),
    }
}
