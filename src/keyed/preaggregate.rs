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
use crate::window::Windows;

/// How many batches go round the table after it did not help.
const BYPASS_BATCHES: u32 = 64;

/// Batches below this many events say nothing about the number of groups.
const JUDGED_EVENTS_MIN: usize = 256;

/// How many parts are found without the table.
const RECENT: usize = 256;

/// Combines the measures of a batch by key and place.
pub struct PreAggregate<K, A> {
    windows: Windows,
    parts: Vec<Part<K, A>>,
    index: HashTable<u32>,
    events: usize,
    bypass: u32,
    /// The slice of the last event, `[start, end)`: most events fall into the same one. Empty
    /// where windows have no slices.
    slice: (i64, i64),
    /// By the first bits of a key's hash: the part that such a key met last. Saves the way through
    /// the table where groups are few, and holds nothing to rely on.
    recent: [u32; RECENT],
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
            recent: [0; RECENT],
        }
    }

    /// Adds an event that lies ahead of its partition's watermark. Inlined into the loop over a
    /// batch, where a call per event would show.
    #[inline(always)]
    pub fn on_time(&mut self, time: Time, key: K, measure: A) {
        self.events += 1;
        let (start, end) = self.slice;
        let place = if start <= time.micros() && time.micros() < end {
            Place::At(Time::from_micros(start))
        } else {
            self.place_of(time)
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
                // The next batch is likely to have as many groups, and need not grow to them.
                let next = Vec::with_capacity(self.parts.len());
                give(0, std::mem::replace(&mut self.parts, next));
            }
            return;
        }
        // An even share and an eighth, which the shares of many groups rarely exceed.
        let share = self.parts.len().div_ceil(peers);
        let mut shares: Vec<Vec<Part<K, A>>> =
            (0..peers).map(|_| Vec::with_capacity(share + share / 8)).collect();
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

    /// Where an event adds that lies outside of the slice of the last one.
    #[inline(never)]
    fn place_of(&mut self, time: Time) -> Place {
        match self.windows {
            Windows::Fixed(fixed) => {
                let start = fixed.slice_of(time);
                self.slice = (start.micros(), start.micros() + fixed.slice_micros());
                Place::At(start)
            }
            // There is no slice, so each event comes here.
            Windows::Session(_) => Place::At(time),
        }
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
        let recent = &mut self.recent[(hash >> 56) as usize];
        if let Some(part) = parts.get_mut(*recent as usize)
            && part.is(hash, place, &key)
        {
            part.measure.absorb(measure);
            return;
        }
        let same = |at: &u32| parts[*at as usize].is(hash, place, &key);
        // Two calls instead of one to `entry`: most events meet their group, and need no room.
        let mixed = mix(hash, place);
        if let Some(at) = self.index.find(mixed, same) {
            *recent = *at;
            parts[*at as usize].measure.absorb(measure);
            return;
        }
        *recent = parts.len() as u32;
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

impl<K: Key, A> Part<K, A> {
    /// Whether it is that of a key in a place.
    #[inline]
    fn is(&self, hash: u64, place: Place, key: &K) -> bool {
        self.hash == hash && self.place == place && self.key == *key
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
