//! Pre-aggregation: what the events of one batch add up to, before the exchange.
//!
//! Keeps nothing between batches. Few groups: most events meet their group in the table, and a
//! handful of parts crosses the exchange. Nearly unique groups: the table would only cost, so it
//! is bypassed for a while and then tried again.

use std::ops::RangeInclusive;

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

/// How many parts of a slice are found without the table: one for each value of a byte.
const RECENT: usize = 256;

/// Combines the measures of a batch by key and place.
pub struct PreAggregate<K, A> {
    windows: Windows,
    parts: Vec<Part<K, A>>,
    index: HashTable<u32>,
    events: usize,
    bypass: u32,
    /// The two slices into which events fall just now.
    span: Span,
    /// By slice of the span and the first byte of a key's hash: the part that such a key met last,
    /// as its number plus `epoch`. Saves the way through the table where groups are few, and holds
    /// nothing to rely on.
    recent: Box<[u64; 2 * RECENT]>,
    /// More than what was entered for other spans and batches, so those are numbers of no part.
    epoch: u64,
}

/// Two slices of event time that follow one another, in microseconds: around the end of a window
/// events fall into either. The latter begins at `middle`; where windows have no slices the span is
/// that one instant.
#[derive(Clone, Copy, Default)]
struct Span {
    start: i64,
    middle: i64,
    end: i64,
}

impl Span {
    /// The span that is right when the next event happened at a time: it is in the latter slice, as
    /// what is out of order is mostly earlier. Without slices the span is the time.
    fn around(time: i64, windows: Windows) -> Span {
        match windows {
            Windows::Fixed(fixed) => {
                let middle = fixed.slice_of(Time::from_micros(time)).micros();
                let slice = fixed.slice_micros();
                Span { start: middle - slice, middle, end: middle + slice }
            }
            Windows::Session(_) => Span { start: time, middle: time, end: time },
        }
    }

    #[inline]
    fn place(&self, latter: bool) -> Place {
        Place::At(Time::from_micros(if latter { self.middle } else { self.start }))
    }

    /// How many of these events, from the first on, fall into it.
    #[inline]
    fn holds(&self, times: &[i64], within: &RangeInclusive<i64>) -> usize {
        let span = self.start..self.end;
        if span.contains(within.start()) && span.contains(within.end()) {
            return times.len();
        }
        times.iter().take_while(|time| span.contains(*time)).count()
    }
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
            span: Span::default(),
            recent: Box::new([0; 2 * RECENT]),
            epoch: 1,
        }
    }

    /// Turns to the first of some events that lie ahead of their partition's watermark, told by
    /// their times in microseconds, all of which lie in `within`; returns how many of them
    /// [`PreAggregate::on_time`] takes now, at least one.
    pub fn turn_to(&mut self, times: &[i64], within: &RangeInclusive<i64>) -> usize {
        let mut held = self.span.holds(times, within);
        if held == 0 {
            self.forget_recent();
            self.span = Span::around(times[0], self.windows);
            held = self.span.holds(times, within).max(1);
        }
        self.events += held;
        held
    }

    /// Adds an event that the last turn has counted. Inlined into the loop over a batch, where a
    /// call per event would show.
    #[inline(always)]
    pub fn on_time(&mut self, time: i64, key: K, measure: A) {
        let (hash, latter) = (hash::of(&key), self.span.middle <= time);
        if 0 < self.bypass {
            let place = self.span.place(latter);
            self.parts.push(Part { hash, place, key, measure });
            return;
        }
        let slot = recent_slot(latter, hash);
        let at = self.recent[slot].wrapping_sub(self.epoch);
        match self.parts.get_mut(at as usize) {
            Some(part) if part.key == key => part.measure.absorb(measure),
            _ => self.add_to_span(slot, hash, key, measure),
        }
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
                        let (hash, place) = (hash::of(key), Place::Patch(window.start));
                        self.add(hash, place, key.clone(), measure.clone());
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
        self.forget_recent();
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
        self.forget_recent();
        self.parts.clear();
        self.index.clear();
        self.events = 0;
    }

    /// Adds an event to a slice of the span: the former, or the latter, as its slot says. Apart, so
    /// that the loop over a batch keeps its registers.
    #[inline(never)]
    fn add_to_span(&mut self, slot: usize, hash: u64, key: K, measure: A) {
        let place = self.span.place(RECENT <= slot);
        self.recent[slot] = self.add(hash, place, key, measure);
    }

    /// Adds an event by the table; returns what finds its part again.
    #[inline]
    fn add(&mut self, hash: u64, place: Place, key: K, measure: A) -> u64 {
        let parts = &mut self.parts;
        if 0 < self.bypass {
            parts.push(Part { hash, place, key, measure });
            return 0;
        }
        let mixed = mix(hash, place);
        let same = |at: &u32| parts[*at as usize].is(hash, place, &key);
        // Two calls instead of one to `entry`: most events meet their group, and need no room.
        if let Some(at) = self.index.find(mixed, same) {
            parts[*at as usize].measure.absorb(measure);
            return self.epoch + u64::from(*at);
        }
        let at = parts.len() as u32;
        self.index.insert_unique(mixed, at, |at| {
            let part = &parts[*at as usize];
            mix(part.hash, part.place)
        });
        parts.push(Part { hash, place, key, measure });
        self.epoch + u64::from(at)
    }

    /// Makes what was entered so far numbers of no part.
    fn forget_recent(&mut self) {
        self.epoch += self.parts.len() as u64;
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

/// Where the part is noted that a key met last in the former or the latter slice of the span.
#[inline]
fn recent_slot(latter: bool, hash: u64) -> usize {
    (usize::from(latter) << 8) | (hash >> 56) as usize
}

/// Hash of a key in a place.
#[inline]
fn mix(hash: u64, place: Place) -> u64 {
    let (Place::At(time) | Place::Patch(time)) = place;
    hash.rotate_left(29) ^ (time.micros() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests;
