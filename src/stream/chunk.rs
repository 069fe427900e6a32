//! [`Chunk`]: the events of one batch on their way through the steps of a dataflow.
//!
//! A step sees all events of a batch at once, so that a virtual call happens per batch and the
//! author's functions are inlined into loops. Filters only select; nothing is copied for them.

use std::ops::RangeInclusive;

use super::times::TimeColumn;
use crate::aggregate::Stamp;
use crate::keyed::Behind;
use crate::letter::{Letter, Reject};
use crate::row::Position;
use crate::source::Batch;
use crate::text::Text;
use crate::time::{Millis, Time};

/// Events of one batch, those that a step should look at.
pub(super) struct Chunk<'a, E> {
    /// The events.
    pub(super) events: &'a [E],
    /// Which of them, in order; `None`: all.
    pub(super) selected: Option<&'a [u32]>,
    /// Which event of the source each one was made from; `None`: it is that event.
    pub(super) roots: Option<&'a [u32]>,
    /// Where they came from.
    pub(super) origin: &'a Origin<'a>,
}

/// What a chunk knows of the batch it began as.
pub(super) struct Origin<'a> {
    /// Name of the source.
    pub(super) source: &'a Text,
    /// Where the source's events were read from.
    pub(super) places: Places<'a>,
    /// Events behind their watermark, by index, with what judged them. Nearly always empty.
    pub(super) behind: &'a [(u32, Behind)],
    /// The times of the source's events; none where an event was refused, or is used without one.
    pub(super) times: &'a TimeColumn,
    /// Between which of them, in microseconds, those lie that are not behind their watermark.
    pub(super) within: &'a RangeInclusive<i64>,
    /// The watermark before each of the source's events, where windows have a time of their own.
    pub(super) before: &'a [Millis],
}

/// Where the events of a batch were read from. Positions are made when somebody asks for them, as
/// most measures do not.
#[derive(Clone, Copy)]
pub(super) struct Places<'a> {
    /// Number of the source.
    pub(super) source: u32,
    /// The partition.
    pub(super) partition: u32,
    /// The batch.
    pub(super) batch: &'a Batch,
    /// Index of each event in its array record.
    pub(super) elements: &'a [u32],
    /// Which record each event was read from; empty where events are their own records.
    pub(super) records: &'a [u32],
}

impl Places<'_> {
    /// Index of the record that an event was read from.
    #[inline]
    pub(super) fn record(&self, event: usize) -> usize {
        self.records.get(event).map_or(event, |record| *record as usize)
    }

    /// Position of an event. Never panics, so that nothing of it is left where it is not used.
    #[inline]
    pub(super) fn position(&self, event: usize) -> Position {
        let (offset, element) = match &self.batch.events {
            Some(ready) => (ready.offset + event as i64, 0),
            None => {
                let record = self.batch.records.get(self.record(event));
                let element = self.elements.get(event).copied().unwrap_or(0);
                (record.map_or(0, |record| record.offset), element)
            }
        };
        Position { source: self.source, partition: self.partition, offset, element }
    }
}

impl<'a, E> Chunk<'a, E> {
    /// Calls a function with the index of each selected event.
    #[inline]
    pub(super) fn each(&self, mut f: impl FnMut(usize)) {
        // One loop for both cases: with two the function would be called instead of inlined.
        for nth in 0..self.len() {
            f(self.index(nth));
        }
    }

    /// Index of a selected event.
    #[inline]
    pub(super) fn index(&self, nth: usize) -> usize {
        self.selected.map_or(nth, |selected| selected[nth] as usize)
    }

    /// How many are selected.
    pub(super) fn len(&self) -> usize {
        self.selected.map_or(self.events.len(), <[u32]>::len)
    }

    /// Time and position of an event.
    #[inline]
    pub(super) fn stamp(&self, index: usize) -> Stamp {
        let root = self.root(index) as usize;
        let time = self.origin.times.get(root).unwrap_or(Time::MIN);
        Stamp { time, position: self.origin.places.position(root) }
    }

    /// The watermark of its partition before the event, where windows have a time of their own.
    pub(super) fn watermark(&self, index: usize) -> Millis {
        self.origin.before.get(self.root(index) as usize).copied().unwrap_or(Millis::MAX)
    }

    /// Whether the event has no time; then it is behind its watermark, whatever that is.
    pub(super) fn is_undated(&self, index: usize) -> bool {
        self.origin.times.get(self.root(index) as usize).is_none()
    }

    /// Index of the source's event that an event was made from.
    #[inline]
    pub(super) fn root(&self, index: usize) -> u32 {
        self.roots.map_or(index as u32, |roots| roots[index])
    }

    /// What judges the event, if it lies behind its watermark.
    #[inline]
    pub(super) fn behind(&self, index: usize) -> Option<Behind> {
        let behind = self.origin.behind;
        if behind.is_empty() {
            return None;
        }
        let root = self.root(index);
        let found = behind.binary_search_by_key(&root, |(index, _)| *index).ok()?;
        Some(behind[found].1)
    }

    /// What judged the events behind their watermark, for a step that goes through all in order.
    #[inline]
    pub(super) fn behinds(&self) -> Behinds<'a> {
        let behind = self.origin.behind;
        Behinds { behind, next: behind.first().map_or(u32::MAX, |(root, _)| *root) }
    }

    /// The selected events from `nth` on that are neighbours, also at their source, and of which
    /// none lies behind its watermark; or else the one at `nth`. They are looked at as slices.
    #[inline]
    pub(super) fn run(&self, nth: usize, behinds: &mut Behinds<'_>) -> Run<'a, E> {
        let first = self.index(nth);
        let root = self.root(first);
        let behind = behinds.of(root);
        let most = match behind {
            Some(_) => 1,
            None => (self.len() - nth).min((behinds.next - root) as usize),
        };
        let follows = |n: &usize| {
            self.selected.is_none_or(|selected| selected[nth + n] as usize == first + n)
                && self.roots.is_none_or(|roots| roots[first + n] as usize == root as usize + n)
        };
        let all = self.selected.is_none() && self.roots.is_none();
        let len = if all { most } else { 1 + (1..most).take_while(follows).count() };
        let times = self.origin.times.micros();
        Run {
            events: &self.events[first..first + len],
            times: &times[root as usize..root as usize + len],
            first,
            behind,
        }
    }

    /// The same events, but others selected.
    pub(super) fn select<'b>(&'b self, selected: &'b [u32]) -> Chunk<'b, E> {
        Chunk {
            events: self.events,
            selected: Some(selected),
            roots: self.roots,
            origin: self.origin,
        }
    }

    /// A letter about an event.
    pub(super) fn letter(&self, index: usize, reject: Reject, place: &str) -> Letter {
        let root = self.root(index) as usize;
        let stamp = self.stamp(index);
        let record = self.origin.places.record(root);
        let dated = !self.is_undated(index);
        let watermark = self.behind(index).filter(|_| dated).map(|behind| behind.watermark);
        Letter {
            place: Some(place.into()),
            event_time: dated.then_some(stamp.time),
            watermark,
            ..letter(self.origin.source, self.origin.places.batch, record, stamp.position, reject)
        }
    }
}

/// Neighbours among the events of a chunk that are judged alike.
pub(super) struct Run<'a, E> {
    /// The events.
    pub(super) events: &'a [E],
    /// Their times in microseconds.
    pub(super) times: &'a [i64],
    /// Index of the first one.
    pub(super) first: usize,
    /// What judges them, if they lie behind their watermark; then it is one.
    pub(super) behind: Option<Behind>,
}

impl<'a, E> Run<'a, E> {
    /// Takes off the first events, so many.
    pub(super) fn split_off(&mut self, count: usize) -> Run<'a, E> {
        let ((events, later), (times, after)) =
            (self.events.split_at(count), self.times.split_at(count));
        let run = Run { events, times, first: self.first, behind: self.behind };
        *self = Run { events: later, times: after, first: self.first + count, ..*self };
        run
    }
}

/// The events behind their watermark that are still to come.
pub(super) struct Behinds<'a> {
    behind: &'a [(u32, Behind)],
    /// The first of them; most events are compared with it and that is all.
    next: u32,
}

impl Behinds<'_> {
    /// What judged an event, if it lies behind; asked in the order of events.
    #[inline]
    pub(super) fn of(&mut self, root: u32) -> Option<Behind> {
        if root < self.next { None } else { self.reach(root) }
    }

    #[cold]
    fn reach(&mut self, root: u32) -> Option<Behind> {
        let passed = self.behind.iter().take_while(|(index, _)| *index < root).count();
        self.behind = &self.behind[passed..];
        let (next, behind) = self.behind.first().copied().unzip();
        self.next = next.unwrap_or(u32::MAX);
        behind.filter(|_| self.next == root)
    }
}

/// A letter about a record of a batch.
pub(super) fn letter(
    source: &Text,
    batch: &Batch,
    record: usize,
    position: Position,
    reject: Reject,
) -> Letter {
    let found = batch.records.get(record);
    let time = match &batch.events {
        Some(ready) => ready.record_time(record),
        None => found.and_then(|record| record.time),
    };
    let bytes = |range: Option<&Option<std::ops::Range<usize>>>| {
        range.and_then(|range| batch.slice(range)).map(<[u8]>::to_vec)
    };
    Letter {
        source: source.clone(),
        position,
        record_time: time.filter(|time: &Time| time.is_legal()),
        event_time: None,
        watermark: None,
        key: bytes(found.map(|record| &record.key)),
        value: bytes(found.map(|record| &record.value)),
        reason: reject.reason,
        detail: reject.detail,
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_behind_are_found_in_order_also_where_several_were_made_of_one_or_none() {
        let behind = [3, 4, 9].map(|root| {
            let watermark = Millis(i64::from(root));
            (root, Behind { watermark, strict: false })
        });
        let check = |roots: &[u32], expect: &[u32]| {
            let mut behinds = Behinds { behind: &behind, next: 3 };
            let found: Vec<u32> =
                roots.iter().copied().filter(|root| behinds.of(*root).is_some()).collect();
            assert_eq!(found, expect, "{roots:?}");
        };
        check(&[0, 1, 2, 3, 4, 5, 8, 9, 10], &[3, 4, 9]);
        check(&[3, 3, 4, 4, 9, 9], &[3, 3, 4, 4, 9, 9]);
        check(&[2, 5, 10, 11], &[]);
        check(&[9], &[9]);
    }
}
