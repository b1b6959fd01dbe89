//! Destinations that are in each other's way. Found before anything is written.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use indexmap::IndexMap;

use super::{Item, TargetError};
use crate::disk::Shown;
use crate::version::{Destination, DistInfo, VERSIONS};

/// Where destinations really are, however many links lead to their folders.
#[derive(Default)]
struct Places {
    folders: HashMap<PathBuf, Rc<Path>>,
}

impl Places {
    fn folder(&mut self, destination: &Destination) -> Rc<Path> {
        let folder = destination.folder();
        if let Some(known) = self.folders.get(folder) {
            return Rc::clone(known);
        }
        // The part that exists may lead through links; the rest will be made as it is written.
        let mut existing = folder;
        while let Some(parent) = existing.parent().filter(|_| !existing.exists()) {
            existing = parent;
        }
        let below = folder.strip_prefix(existing).unwrap_or(Path::new(""));
        let real = existing.canonicalize().unwrap_or_else(|_| existing.to_owned()).join(below);
        let real = Rc::from(real);
        self.folders.insert(folder.to_owned(), Rc::clone(&real));
        real
    }
}

/// Refuses destinations that `selected` items share with each other or with `others`, those that lie inside one
/// another, and those that have the name of a file that git dist keeps beside another.
pub(super) fn check_collisions(selected: &[Item], others: &[Item]) -> Result<(), TargetError> {
    let mut places = Places::default();
    let mut real: Vec<(&Item, bool, Rc<Path>, PathBuf)> = Vec::with_capacity(selected.len() + others.len());
    let all = selected.iter().map(|item| (item, true)).chain(others.iter().map(|item| (item, false)));
    for (item, is_selected) in all {
        let folder = places.folder(&item.destination);
        let path = folder.join(item.destination.base());
        real.push((item, is_selected, folder, path));
    }
    let mut by_path: HashMap<&OsStr, (&Item, bool)> = HashMap::new();
    // Each folder once, however many destinations are in it.
    let mut folders: IndexMap<(&OsStr, bool), &Item> = IndexMap::new();
    for (item, is_selected, folder, path) in &real {
        // Two that were not selected may wait for their turn.
        match by_path.insert(path.as_os_str(), (item, *is_selected)) {
            Some((first, first_is_selected)) if first_is_selected || *is_selected => {
                let both = [first, *item].map(|item| (item.target.clone(), item.source.clone()));
                return Err(TargetError::SameDestination {
                    destination: item.destination.as_str().to_owned(),
                    items: Box::new(both),
                });
            }
            _ => {}
        }
        folders.entry((folder.as_os_str(), *is_selected)).or_insert(item);
    }
    let mut shelves: HashMap<PathBuf, (&Item, bool)> = HashMap::new();
    for ((folder, is_selected), item) in &folders {
        let shelf = shelves.entry(Path::new(folder).join(VERSIONS)).or_insert((item, *is_selected));
        if *is_selected && !shelf.1 {
            *shelf = (item, *is_selected);
        }
    }
    for ((folder, is_selected), item) in &folders {
        for above in Path::new(folder).ancestors() {
            let outer = by_path.get(above.as_os_str()).or_else(|| shelves.get(above));
            if let Some((outer, _)) =
                outer.filter(|(_, is_outer_selected)| *is_outer_selected || *is_selected)
            {
                return Err(TargetError::Nested {
                    inner: item.destination.as_str().to_owned(),
                    inner_target: item.target.clone(),
                    outer: Shown(above).to_string(),
                    outer_target: outer.target.clone(),
                });
            }
        }
    }
    for (item, is_selected, folder, _) in &real {
        for owner in keepers(item.destination.base()) {
            if let Some((other, _)) =
                by_path.get(folder.join(owner).as_os_str()).filter(|(_, selected)| *selected || *is_selected)
            {
                return Err(TargetError::OwnName {
                    destination: item.destination.path().to_owned(),
                    target: item.target.clone(),
                    other: other.target.clone(),
                });
            }
        }
    }
    Ok(())
}

/// The names of destinations beside which git dist keeps a file called `name`: dist info, and a link that is about to be
/// swapped.
fn keepers(name: &str) -> impl Iterator<Item = &str> {
    let of_link = name.strip_prefix('.').and_then(|rest| rest.strip_suffix(".next"));
    DistInfo::base_of(name).into_iter().chain(of_link)
}

/// Refuses destinations that are in the way of the data of a target with shared paths, or lie in it.
pub(super) fn check_shared_folders(selected: &[Item], others: &[Item]) -> Result<(), TargetError> {
    let all = || selected.iter().chain(others);
    let owners = all().filter(|item| !item.shared.is_empty());
    let folders: HashMap<PathBuf, &Item> =
        owners.map(|item| (item.destination.shared_folder(), item)).collect();
    if folders.is_empty() {
        return Ok(());
    }
    let by_path: HashMap<&Path, &Item> = all().map(|item| (item.destination.path(), item)).collect();
    let clash = |folder: &PathBuf, owner: &Item, item: &Item| {
        Err(TargetError::SharedFolder {
            target: owner.target.clone(),
            folder: folder.clone(),
            other: item.target.clone(),
            destination: item.destination.path().to_owned(),
        })
    };
    for (folder, owner) in &folders {
        if let Some(item) = folder.ancestors().find_map(|above| by_path.get(above)) {
            return clash(folder, owner, item);
        }
    }
    for item in all() {
        if let Some((folder, owner)) =
            item.destination.path().ancestors().find_map(|above| folders.get_key_value(above))
        {
            return clash(folder, owner, item);
        }
    }
    Ok(())
}
