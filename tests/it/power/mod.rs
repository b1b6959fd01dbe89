//! Power is cut at any moment of a run, and what the disk may then hold is looked at, state by state.
//!
//! The system calls of the real binary are recorded with strace(1) and done again on a disk in memory. What may survive
//! a cut is decided as pessimistically as the manuals allow, fsync(2) and rename(2) above all: a file's bytes and
//! attributes are durable after a sync of that file, a name after a sync of its folder (that of the file does not do),
//! and all of it after syncfs(2). Until then bytes may be missing, half there or zeros, and names may or may not have
//! changed, each for itself: a later change may survive an earlier one, in the same folder too. One call is one change:
//! a rename is never half done, which every filesystem with a journal or copy-on-write keeps.
//!
//! Whatever power leaves between two syncs is among what it may leave right before the second, so that states are built
//! for those moments only, and for the end. All of them are, while they are few; of more, every prefix, all but one
//! change, one change alone, the names of one folder alone and without it, and some that are random, but the same in
//! every run. Those that a reader cannot tell apart are checked once.
//!
//! In each state every destination leads to a complete old or new version, a rollout that is in the history is there as
//! a whole, and a run that had ended is in the history. Then the next run leads, byte by byte, to what the run that was
//! cut off would have led to, with nothing left over; that `verify` finds nothing then need not be asked each time.
#![cfg(target_os = "linux")]

mod check;
mod disk;
mod record;
mod scenarios;
mod states;
mod strace;
