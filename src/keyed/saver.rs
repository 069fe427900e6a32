//! [`Saver`]: which entries of a state have changed, and which of them a save still needs.
//!
//! ```text
//! interval     i            | i + 1                              | i + 2
//! state        changes      | changes go on                      |
//! saving                    | what i left, slice by slice ─► file |
//!                             └ an entry that changes before its slice is saved first, as it was
//! ```
//!
//! Of an entry that is large only what was added in an interval is kept for the save, see
//! [`super::Table::grow`].
//!
//! Each entry has a stamp of a byte: `2 i` if it last changed in interval `i`, `2 i + 1` if what it
//! was at the end of `i` has been saved. Stamps wrap, so all entries have to be saved at least once
//! in 100 intervals. Without checkpoints no interval ever ends: each stamp is the one of now, and
//! the comparison with it is all that a change costs.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The state of a part of an operator at the end of an epoch, or what has changed of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// Whether it is everything; otherwise it adds to what was saved before, and replaces it.
    pub whole: bool,
    /// What holds for all key groups of the worker, in the form of that part.
    pub head: Vec<u8>,
    /// Entries by key group, in the form of that part; each with its key, as those that are
    /// restored later replace earlier ones.
    pub groups: Vec<(u32, Vec<u8>)>,
    /// By key group, what was added to entries that are large; each with its key.
    pub added: Vec<(u32, Vec<u8>)>,
}

impl Saved {
    /// Of a part that keeps nothing.
    pub fn nothing() -> Saved {
        Saved { whole: true, ..Saved::default() }
    }
}

/// State that is saved at the ends of epochs while it goes on changing, and restored.
///
/// By default it is that of a part that keeps nothing.
pub trait Saves {
    /// The interval ends: what changed in it, or everything, is to be saved as it is now. A save
    /// under way must have been finished.
    fn begin_save(&mut self, _whole: bool) {}

    /// Goes on saving for as much as the budget allows, and takes what it costs from it: [`ENTRY`]
    /// for an entry that is not large. Returns what was saved once that is all.
    fn save(&mut self, _budget: &mut usize) -> Option<Saved> {
        Some(Saved::nothing())
    }

    /// Takes in the newest head of the worker that owned a key group. Heads come before entries.
    fn restore_head(&mut self, _group: u16, _head: &[u8]) {}

    /// Takes in entries of a key group; those of one save after those of the save before.
    fn restore(&mut self, _bytes: &[u8]) {}

    /// Takes in what was added to entries of a key group, after the entries of its save.
    fn restore_added(&mut self, _bytes: &[u8]) {}

    /// All that was saved has been taken in: it may be shown.
    fn restored(&mut self) {}

    /// The next save will follow those that were taken in: what was restored counts as saved.
    fn resume(&mut self) {}
}

/// What an entry that is saved takes from a budget; one that is passed takes 1.
pub const ENTRY: usize = 16;

/// The intervals of a state, and the save under way.
#[derive(Debug, Default)]
pub(crate) struct Saver {
    now: u8,
    saving: Option<Saving>,
    /// Whether a save was ever begun: if not, there may be no checkpoints.
    begun: bool,
    /// What left the state in this interval, by key group.
    gone: Groups,
}

/// Bytes by group: key groups and partitions are small numbers, and looked up for each entry.
#[derive(Debug, Default)]
struct Groups(Vec<Vec<u8>>);

impl Groups {
    #[inline]
    fn of(&mut self, group: u32) -> &mut Vec<u8> {
        let group = group as usize;
        if self.0.len() <= group {
            self.0.resize_with(group + 1, Vec::new);
        }
        &mut self.0[group]
    }

    /// Those that have bytes.
    fn used(self) -> Vec<(u32, Vec<u8>)> {
        (0..).zip(self.0).filter(|(_, bytes)| !bytes.is_empty()).collect()
    }
}

#[derive(Debug)]
struct Saving {
    whole: bool,
    head: Vec<u8>,
    groups: Groups,
    added: Groups,
    cost: usize,
}

impl Saver {
    /// The stamp of an entry that changes now.
    #[inline]
    pub(crate) fn now(&self) -> u8 {
        self.now
    }

    /// The stamp of an entry that the save under way has got.
    pub(crate) fn got(&self) -> u8 {
        self.now.wrapping_sub(1)
    }

    /// Whether a save is under way.
    pub(crate) fn is_saving(&self) -> bool {
        self.saving.is_some()
    }

    /// Ends the interval.
    pub(crate) fn begin(&mut self, whole: bool, head: &impl Serialize) {
        assert!(self.saving.is_none(), "two saves at once");
        self.now = self.now.wrapping_add(2);
        self.begun = true;
        let head = bincode::serialize(head).expect("a head serialises");
        // Before the entries: a key may have come back.
        let gone = std::mem::take(&mut self.gone);
        let groups = if whole { Groups::default() } else { gone };
        self.saving = Some(Saving { whole, head, groups, added: Groups::default(), cost: 0 });
    }

    /// Ends the interval of a restore, for which no save is needed: the next one follows those
    /// that were restored.
    pub(crate) fn resume(&mut self) {
        assert!(!self.begun, "a state was saved before it was restored");
        self.now = self.now.wrapping_add(2);
        self.begun = true;
    }

    /// Whether the save under way still needs an entry with this stamp.
    pub(crate) fn needs(&self, stamp: u8) -> bool {
        match &self.saving {
            None => false,
            Some(saving) if saving.whole => stamp != self.now && stamp != self.got(),
            Some(_) => stamp == self.now.wrapping_sub(2),
        }
    }

    /// Whether the save under way is of everything: what was added does not stand for an entry.
    pub(crate) fn is_whole(&self) -> bool {
        self.saving.as_ref().is_some_and(|saving| saving.whole)
    }

    /// Saves an entry.
    pub(crate) fn write(&mut self, group: u32, entry: &impl Serialize) {
        let saving = self.saving.as_mut().expect(NEEDED);
        saving.cost += write(saving.groups.of(group), entry);
    }

    /// Saves what was added to an entry since it was saved last.
    pub(crate) fn write_added(&mut self, group: u32, entry: &impl Serialize) {
        let saving = self.saving.as_mut().expect(NEEDED);
        saving.cost += write(saving.added.of(group), entry);
    }

    /// Notes that something has left the state, if a restore could not tell; in the form of an
    /// entry.
    pub(crate) fn gone(&mut self, group: u32, entry: &impl Serialize) {
        // The first save is a whole one.
        if self.begun {
            let bytes = self.gone.of(group);
            bincode::serialize_into(bytes, entry).expect("state serialises");
        }
    }

    /// Takes what was written since it was last asked from a budget.
    pub(crate) fn pay(&mut self, budget: &mut usize) {
        if let Some(saving) = &mut self.saving {
            *budget = budget.saturating_sub(std::mem::take(&mut saving.cost));
        }
    }

    /// Ends the save.
    pub(crate) fn finish(&mut self) -> Saved {
        let saving = self.saving.take().expect("a save is under way");
        let Saving { whole, head, groups, added, .. } = saving;
        Saved { whole, head, groups: groups.used(), added: added.used() }
    }
}

const NEEDED: &str = "a save needs an entry";

/// Adds an entry to those of its group; returns what that costs.
fn write(bytes: &mut Vec<u8>, entry: &impl Serialize) -> usize {
    let before = bytes.len();
    bincode::serialize_into(&mut *bytes, entry).expect("state serialises");
    ENTRY + (bytes.len() - before) / ENTRY
}

/// The entries of a key group.
pub(crate) fn entries<T: DeserializeOwned>(mut bytes: &[u8]) -> impl Iterator<Item = T> {
    std::iter::from_fn(move || {
        let more = !bytes.is_empty();
        more.then(|| bincode::deserialize_from(&mut bytes).expect(CHECKED))
    })
}

/// A head.
pub(crate) fn head<T: for<'d> Deserialize<'d>>(bytes: &[u8]) -> T {
    bincode::deserialize(bytes).expect(CHECKED)
}

const CHECKED: &str = "a save of this state, checked by its reader";

#[cfg(test)]
mod tests;
