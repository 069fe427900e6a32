//! [`Chunk`]: the events of one batch on their way through the steps of a dataflow.
//!
//! A step sees all events of a batch at once, so that a virtual call happens per batch and the
//! author's functions are inlined into loops. Filters only select; nothing is copied for them.

use crate::aggregate::Stamp;
use crate::keyed::Behind;
use crate::letter::{Letter, Reject};
use crate::source::Batch;
use crate::text::Text;
use crate::time::Time;

/// Events of one batch, those that a step should look at.
pub(super) struct Chunk<'a, E> {
    /// The events.
    pub(super) events: &'a [E],
    /// The stamp of each.
    pub(super) stamps: &'a [Stamp],
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
    /// The batch.
    pub(super) batch: &'a Batch,
    /// Which record each event was read from; empty where events are their own records.
    pub(super) records: &'a [u32],
    /// Events behind their watermark, by index, with what judged them. Nearly always empty.
    pub(super) behind: &'a [(u32, Behind)],
    /// The stamps of the source's events.
    pub(super) stamps: &'a [Stamp],
}

impl<'a, E> Chunk<'a, E> {
    /// Calls a function with the index of each selected event.
    #[inline]
    pub(super) fn each(&self, mut f: impl FnMut(usize)) {
        match self.selected {
            None => (0..self.events.len()).for_each(f),
            Some(selected) => selected.iter().for_each(|&index| f(index as usize)),
        }
    }

    /// How many are selected.
    pub(super) fn len(&self) -> usize {
        self.selected.map_or(self.events.len(), <[u32]>::len)
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

    /// The same events, but others selected.
    pub(super) fn select<'b>(&'b self, selected: &'b [u32]) -> Chunk<'b, E> {
        Chunk {
            events: self.events,
            stamps: self.stamps,
            selected: Some(selected),
            roots: self.roots,
            origin: self.origin,
        }
    }

    /// A letter about an event.
    pub(super) fn letter(&self, index: usize, reject: Reject, place: &str) -> Letter {
        let root = self.root(index) as usize;
        let stamp = self.origin.stamps[root];
        let record = self.origin.records.get(root).map_or(root, |record| *record as usize);
        let watermark = self.behind(index).map(|behind| behind.watermark);
        Letter {
            place: Some(place.into()),
            event_time: Some(stamp.time),
            watermark,
            ..letter(self.origin.source, self.origin.batch, record, stamp.position, reject)
        }
    }
}

/// A letter about a record of a batch.
pub(super) fn letter(
    source: &Text,
    batch: &Batch,
    record: usize,
    position: crate::row::Position,
    reject: Reject,
) -> Letter {
    let found = batch.records.get(record);
    let bytes = |range: Option<&Option<std::ops::Range<usize>>>| {
        range.and_then(|range| batch.slice(range)).map(<[u8]>::to_vec)
    };
    Letter {
        source: source.clone(),
        position,
        record_time: found.and_then(|record| record.time).filter(|time: &Time| time.is_legal()),
        event_time: None,
        watermark: None,
        key: bytes(found.map(|record| &record.key)),
        value: bytes(found.map(|record| &record.value)),
        reason: reject.reason,
        detail: reject.detail,
        place: None,
    }
}
