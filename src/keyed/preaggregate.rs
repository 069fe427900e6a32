//! Pre-aggregation: what the events of one batch add up to, before the exchange.
//!
//! Keeps nothing between batches. Few groups: most events meet their group in the table, and a
//! handful of parts crosses the exchange. Nearly unique groups: the table would only cost, so it
//! is bypassed for a while and then tried again.

use hashbrown::HashTable;

use super::{Part, Place};
use crate::aggregate::Aggregate;
use crate::hash;
use crate::key::Key;
use crate::time::{Millis, Time};
use crate::window::{Fixed, Windows};

/// How many batches go round the table after it did not help.
const BYPASS_BATCHES: u32 = 64;

/// Batches below this many events say nothing about the number of groups.
const JUDGED_EVENTS_MIN: usize = 256;

/// Combines the measures of a batch by key and place.
pub struct PreAggregate<K, A> {
    windows: Windows,
    parts: Vec<Part<K, A>>,
    index: HashTable<u32>,
    events: usize,
    bypass: u32,
    /// The slice of the last event, `[start, end)`: most events fall into the same one.
    slice: (i64, i64),
}

/// How an event that lies behind is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Its partition's watermark when it came.
    pub watermark: Millis,
    /// Whether its source refuses everything behind.
    pub strict: bool,
}

/// What became of an event behind its watermark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Windows that are over.
    pub windows: u64,
    /// Windows that took it.
    pub taken: u64,
}

impl<K: Key, A: Aggregate> PreAggregate<K, A> {
    /// For windows.
    pub fn new(windows: Windows) -> PreAggregate<K, A> {
        PreAggregate {
            windows,
            parts: Vec::new(),
            index: HashTable::new(),
            events: 0,
            bypass: 0,
            slice: (0, 0),
        }
    }

    /// Adds an event that lies ahead of its partition's watermark.
    #[inline]
    pub fn on_time(&mut self, time: Time, key: K, measure: A) {
        self.events += 1;
        let place = match self.windows {
            Windows::Fixed(fixed) => Place::At(self.slice_of(fixed, time)),
            Windows::Session(_) => Place::At(time),
        };
        self.add(place, key, measure);
    }

    /// Adds an event that lies behind its partition's watermark to the windows that are open: none
    /// where the rule is strict, as it always is for sessions.
    #[cold]
    pub fn behind(&mut self, time: Time, behind: Behind, key: &K, measure: &A) -> Refused {
        let mut refused = Refused::default();
        match self.windows {
            Windows::Fixed(fixed) => {
                for window in fixed.containing(time) {
                    if behind.strict || window.end.floor_ms() <= behind.watermark {
                        refused.windows += 1;
                    } else {
                        refused.taken += 1;
                        self.add(Place::Patch(window.start), key.clone(), measure.clone());
                    }
                }
            }
            Windows::Session(_) => refused.windows = 1,
        }
        refused
    }

    /// Hands over the parts of the batch, each to the worker that owns its key.
    pub fn drain(&mut self, peers: usize, mut give: impl FnMut(usize, Vec<Part<K, A>>)) {
        self.judge();
        self.index.clear();
        if peers == 1 {
            if !self.parts.is_empty() {
                give(0, std::mem::take(&mut self.parts));
            }
            return;
        }
        let mut shares: Vec<Vec<Part<K, A>>> = (0..peers).map(|_| Vec::new()).collect();
        for part in self.parts.drain(..) {
            shares[hash::owner(part.hash, peers)].push(part);
        }
        for (to, share) in shares.into_iter().enumerate() {
            if !share.is_empty() {
                give(to, share);
            }
        }
    }

    /// Forgets the batch.
    pub fn abort(&mut self) {
        self.parts.clear();
        self.index.clear();
        self.events = 0;
    }

    #[inline]
    fn slice_of(&mut self, fixed: Fixed, time: Time) -> Time {
        let (start, end) = self.slice;
        if !(start <= time.micros() && time.micros() < end) {
            let start = fixed.slice_of(time).micros();
            self.slice = (start, start + fixed.slice_micros());
        }
        Time::from_micros(self.slice.0)
    }

    /// Inlined into the loop over a batch; its other caller is cold.
    #[inline(always)]
    fn add(&mut self, place: Place, key: K, measure: A) {
        let hash = hash::of(&key);
        if 0 < self.bypass {
            self.parts.push(Part { hash, place, key, measure });
            return;
        }
        let parts = &mut self.parts;
        let same = |at: &u32| {
            let part = &parts[*at as usize];
            part.hash == hash && part.place == place && part.key == key
        };
        // Two calls instead of one to `entry`: most events meet their group, and need no room.
        let mixed = mix(hash, place);
        if let Some(at) = self.index.find(mixed, same) {
            parts[*at as usize].measure.absorb(measure);
            return;
        }
        self.index.insert_unique(mixed, parts.len() as u32, |at| {
            let part = &parts[*at as usize];
            mix(part.hash, part.place)
        });
        parts.push(Part { hash, place, key, measure });
    }

    /// Goes round the table for a while if it joined less than half of the events.
    fn judge(&mut self) {
        if 0 < self.bypass {
            self.bypass -= 1;
        } else if JUDGED_EVENTS_MIN <= self.events && self.events < 2 * self.parts.len() {
            self.bypass = BYPASS_BATCHES;
        }
        self.events = 0;
    }
}

/// Hash of a key in a place.
#[inline]
fn mix(hash: u64, place: Place) -> u64 {
    let (Place::At(time) | Place::Patch(time)) = place;
    hash.rotate_left(29) ^ (time.micros() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests;
