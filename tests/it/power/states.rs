//! What a disk may hold after power went.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::disk::{Change, Disk, Inode, is_unfinished};
use super::record::{Recording, Step};

/// So many states of one moment are all built; of more, those that are likely to matter and [`RANDOM`] others.
const EXHAUSTIVE: usize = 64;
const RANDOM: usize = 12;

/// A disk after power went.
pub(super) struct State {
    pub(super) disk: Disk,
    /// Power went after the run had ended.
    pub(super) is_after: bool,
    /// What did not survive.
    pub(super) lost: String,
}

/// What survives, or not, whatever becomes of the rest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    /// The change of this step.
    Step(usize),
    /// The bytes of this file.
    Data(Inode),
}

/// What becomes of a unit: 0 it is lost, 1 it survives; of bytes that were added, 2 the first half does, 3 as many
/// zeros are there.
type Fate = u8;

impl Unit {
    fn fates(self) -> Fate {
        match self {
            Self::Step(_) => 2,
            Self::Data(_) => 4,
        }
    }
}

impl Recording {
    /// Every moment at which something becomes durable, and the end. Whatever a cut between two of them leaves is among
    /// the states of the later one, where all that was done in between may be lost.
    pub(super) fn moments(&self) -> impl Iterator<Item = usize> {
        let is_sync = |at: &usize| !matches!(self.steps[*at], Step::Change(_));
        (0..self.steps.len()).filter(is_sync).chain([self.steps.len()])
    }

    /// Calls `visit` with every state that power may leave if it goes right before the step `moment` is done.
    pub(super) fn states(&self, moment: usize, visit: &mut dyn FnMut(State)) {
        let open = self.open(moment);
        let units = self.units(moment, &open);
        for fates in fates(self, &units) {
            let disk = self.disk(moment, &open, &units, &fates);
            let lost = || self.describe(&units, &fates);
            visit(State { disk, is_after: moment == self.steps.len(), lost: lost() });
        }
    }

    /// Steps before `moment` that nothing made durable.
    fn open(&self, moment: usize) -> BTreeSet<usize> {
        let mut open = BTreeSet::new();
        for (at, step) in self.steps[..moment].iter().enumerate() {
            match step {
                Step::Change(_) => {
                    open.insert(at);
                }
                Step::Sync(inode) => open.retain(|at| !self.is_synced(*at, *inode)),
                Step::SyncAll => open.clear(),
            }
        }
        open
    }

    /// True if a sync of `inode` makes the step durable. A change of names is one step also where two folders are
    /// concerned: either one's sync makes all of it durable.
    fn is_synced(&self, at: usize, inode: Inode) -> bool {
        match &self.steps[at] {
            Step::Change(Change::Names(names)) => names.iter().any(|(folder, _, _)| *folder == inode),
            Step::Change(
                Change::Append(of, _) | Change::Resize(of, _) | Change::Mode(of, _) | Change::Mtime(of, _),
            ) => *of == inode,
            Step::Sync(_) | Step::SyncAll => false,
        }
    }

    /// The units of `open` that may make a difference: not those of unfinished work, which nobody looks into.
    fn units(&self, moment: usize, open: &BTreeSet<usize>) -> Vec<Unit> {
        let visible = self.visible(moment, open);
        let mut units = BTreeSet::new();
        for at in open {
            let Step::Change(change) = &self.steps[*at] else { continue };
            match change {
                Change::Names(names) if names.iter().any(|(folder, _, _)| visible.contains(folder)) => {
                    units.insert(Unit::Step(*at));
                }
                Change::Mode(inode, _) | Change::Mtime(inode, _) if visible.contains(inode) => {
                    units.insert(Unit::Step(*at));
                }
                Change::Append(inode, _) | Change::Resize(inode, _) if visible.contains(inode) => {
                    units.insert(Unit::Data(*inode));
                }
                _ => {}
            }
        }
        let mut units: Vec<Unit> = units.into_iter().collect();
        // In the order in which they were done.
        units.sort_by_key(|unit| match unit {
            Unit::Step(at) => *at,
            Unit::Data(inode) => *open.iter().find(|at| self.data(**at) == Some(*inode)).unwrap(),
        });
        units
    }

    fn data(&self, at: usize) -> Option<Inode> {
        match &self.steps[at] {
            Step::Change(change) => change.data(),
            _ => None,
        }
    }

    /// What a path outside of unfinished work leads to at any instant since the first of the open steps.
    fn visible(&self, moment: usize, open: &BTreeSet<usize>) -> BTreeSet<Inode> {
        let mut visible = BTreeSet::from([0]);
        let mut disk = self.start.clone();
        let first = open.first().copied().unwrap_or(moment);
        let mut look = |disk: &Disk| {
            disk.walk(&mut |path, inode| {
                if !is_unfinished(path) {
                    visible.insert(inode);
                }
            });
        };
        for (at, step) in self.steps[..moment].iter().enumerate() {
            if at == first {
                look(&disk);
            }
            if let Step::Change(change) = step {
                disk.apply(change);
                if at >= first && matches!(change, Change::Names(_)) {
                    look(&disk);
                }
            }
        }
        visible
    }

    /// The disk before `moment` on which the units have these fates.
    fn disk(&self, moment: usize, open: &BTreeSet<usize>, units: &[Unit], fates: &[Fate]) -> Disk {
        let fates: BTreeMap<Unit, Fate> = units.iter().copied().zip(fates.iter().copied()).collect();
        let fate = |unit: Unit| fates.get(&unit).copied().unwrap_or(1);
        let mut disk = self.start.clone();
        let mut durable: BTreeMap<Inode, usize> = BTreeMap::new();
        for (at, step) in self.steps[..moment].iter().enumerate() {
            let Step::Change(change) = step else { continue };
            let is_open = open.contains(&at);
            if let Some(inode) = change.data() {
                if is_open && !durable.contains_key(&inode) {
                    let size = disk.file(inode).len();
                    durable.insert(inode, size);
                }
                if is_open && fate(Unit::Data(inode)) == 0 {
                    continue;
                }
            } else if is_open && fate(Unit::Step(at)) == 0 {
                continue;
            }
            disk.apply(change);
        }
        for (unit, fate) in &fates {
            let (Unit::Data(inode), 2 | 3) = (unit, fate) else { continue };
            let bytes = disk.file(*inode);
            let kept = durable[inode].min(bytes.len());
            if *fate == 2 {
                bytes.truncate(kept + (bytes.len() - kept) / 2);
            } else {
                bytes[kept..].fill(0);
            }
        }
        disk
    }

    fn describe(&self, units: &[Unit], fates: &[Fate]) -> String {
        let mut text = String::new();
        for (unit, fate) in units.iter().zip(fates).filter(|(_, fate)| **fate != 1) {
            let what = match unit {
                Unit::Step(at) => match &self.steps[*at] {
                    Step::Change(Change::Names(names)) => {
                        let names: Vec<String> = names
                            .iter()
                            .map(|(_, name, to)| format!("{}={to:?}", name.escape_ascii()))
                            .collect();
                        names.join(" ")
                    }
                    Step::Change(change) => format!("{change:?}"),
                    Step::Sync(_) | Step::SyncAll => String::new(),
                },
                Unit::Data(inode) => {
                    let mut path = format!("file {inode}");
                    let mut note = |found: &[u8], at| {
                        if at == *inode {
                            path = found.escape_ascii().to_string();
                        }
                    };
                    self.end.walk(&mut note);
                    format!("bytes of {path}")
                }
            };
            let _ = write!(text, "\n  {} {what}", ["lost", "", "half", "zeros"][usize::from(*fate)]);
        }
        text
    }
}

/// The fates that are tried: all of them if there are few, else what follows below.
fn fates(recording: &Recording, units: &[Unit]) -> Vec<Vec<Fate>> {
    let all = units.iter().try_fold(1_usize, |all, unit| all.checked_mul(usize::from(unit.fates())));
    if let Some(all) = all.filter(|all| *all <= EXHAUSTIVE) {
        let of = |mut number: usize| {
            let digit = |unit: &Unit| {
                let base = usize::from(unit.fates());
                let digit = number % base;
                number /= base;
                u8::try_from(digit).unwrap()
            };
            units.iter().map(digit).collect()
        };
        return (0..all).map(of).collect();
    }
    let mut tried = Vec::new();
    let mut push = |fate: &mut dyn FnMut(usize, Unit) -> Fate| {
        tried.push(units.iter().enumerate().map(|(at, unit)| fate(at, *unit)).collect());
    };
    for at in 0..=units.len() {
        // What was done first survives, all but one thing, or one thing alone.
        push(&mut |other, _| u8::from(other < at));
        push(&mut |other, _| u8::from(other != at));
        push(&mut |other, _| u8::from(other == at));
        for fate in [2, 3] {
            push(&mut |other, unit| if other == at { fate % unit.fates() } else { 1 });
        }
    }
    // All bytes are lost and all names survive.
    for fate in [0, 2, 3] {
        push(&mut |_, unit| if matches!(unit, Unit::Data(_)) { fate } else { 1 });
    }
    // The names of one folder are lost, or survive alone.
    let folders_of = |unit: Unit| -> BTreeSet<Inode> {
        match unit {
            Unit::Step(at) => match &recording.steps[at] {
                Step::Change(Change::Names(names)) => names.iter().map(|(folder, _, _)| *folder).collect(),
                _ => BTreeSet::new(),
            },
            Unit::Data(_) => BTreeSet::new(),
        }
    };
    let folders: BTreeSet<Inode> = units.iter().flat_map(|unit| folders_of(*unit)).collect();
    for folder in folders {
        push(&mut |_, unit| u8::from(folders_of(unit).contains(&folder)));
        push(&mut |_, unit| u8::from(!folders_of(unit).contains(&folder)));
    }
    // The same ones in every run.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..RANDOM {
        push(&mut |_, unit| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            u8::try_from(random % u64::from(unit.fates())).unwrap()
        });
    }
    tried
}
