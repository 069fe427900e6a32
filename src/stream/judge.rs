//! Judging: each event once, by the watermark of its own partition, before it moves it.
//!
//! The order of the classes is dead, late, duplicate, used; an event falls into the first that
//! fits. Only undatable events and those from the future leave the watermark where it is.

use std::ops::RangeInclusive;

use super::chunk::{Places, letter};
use super::intake::{PartitionState, SourceOptions};
use super::node::Outbox;
use super::times::TimeColumn;
use crate::codec::BadDocument;
use crate::keyed::Behind;
use crate::lateness::Reach;
use crate::letter::{Letter, Reason, Reject};
use crate::source::Batch;
use crate::text::Text;
use crate::time::{Millis, Time};

/// What became of the events of a batch, in memory that is used again.
pub(super) struct Judge {
    /// The event times: as the author's function read them, then as they were judged.
    pub(super) times: TimeColumn,
    /// Between which of them those of the accepted events lie that are not behind: from the
    /// watermark before the batch to the greatest time after it. Saves views a look at each.
    pub(super) within: RangeInclusive<i64>,
    /// Events at which a function of the author panicked, with its text, by index.
    pub(super) panics: Vec<(u32, String)>,
    /// Accepted events behind their watermark.
    pub(super) behind: Vec<(u32, Behind)>,
    /// Whether all events were accepted; nothing is written to `kept` then.
    pub(super) all: bool,
    /// Accepted events, unless it is all of them.
    pub(super) kept: Vec<u32>,
    /// The watermark after each accepted event, where there is a `dedup`: what it forgets by.
    pub(super) watermarks: Vec<Millis>,
    /// The watermark before each event, where windows have a time of their own.
    pub(super) before: Vec<Millis>,
}

/// A batch that is to be judged, and by what.
pub(super) struct Case<'a> {
    pub(super) name: &'a Text,
    pub(super) strict: bool,
    /// Whether a `dedup` follows, which looks at every accepted event.
    pub(super) dedup: bool,
    pub(super) reaches: &'a [Reach],
    pub(super) options: &'a SourceOptions,
    pub(super) places: Places<'a>,
}

impl Case<'_> {
    fn record_time(&self, event: usize) -> Option<Time> {
        match &self.places.batch.events {
            Some(ready) => ready.record_time(event),
            None => {
                let record = self.places.batch.records.get(self.places.record(event));
                record.and_then(|record| record.time)
            }
        }
    }

    /// Whether any record may have a time of its own.
    fn has_record_times(&self) -> bool {
        let ready = self.places.batch.events.as_ref();
        ready.is_none_or(|ready| ready.record_times.is_some())
    }

    /// The event time, or why there is none.
    fn time(&self, event: usize, time: Option<Time>) -> Result<Time, Reject> {
        let fallback = self.options.record_time_as_event_time;
        let time = match time {
            None if fallback => self.record_time(event),
            time => time,
        };
        let missing = |text: &str| Reject::new(Reason::NoEventTime, text);
        let time = time.ok_or_else(|| missing("it has no event time, or none that can be read"))?;
        if !time.is_legal() {
            return Err(missing("its event time lies outside the years 1 to 9999"));
        }
        if let (Some(skew), Some(arrival)) = (self.options.future_skew, self.record_time(event))
            && arrival.plus(skew) < time
        {
            let text = format!("its event time {time} is more than {skew:?} ahead of {arrival}");
            return Err(Reject::new(Reason::Future, text));
        }
        Ok(time)
    }

    fn late(&self, time: Time) -> Reject {
        let ends = self.reaches.iter().filter_map(|reach| reach.furthest_end(time));
        let text = match ends.max() {
            Some(end) => format!("the last of its windows was over at {end}"),
            None => "it lies behind the watermark of its partition".into(),
        };
        Reject::new(Reason::Late, text)
    }
}

impl Default for Judge {
    fn default() -> Judge {
        Judge {
            times: TimeColumn::default(),
            within: i64::MIN..=i64::MAX,
            panics: Vec::new(),
            behind: Vec::new(),
            all: false,
            kept: Vec::new(),
            watermarks: Vec::new(),
            before: Vec::new(),
        }
    }
}

impl Judge {
    /// Forgets the last batch.
    pub(super) fn begin(&mut self) {
        self.times.clear();
        self.panics.clear();
        self.behind.clear();
        self.all = false;
        self.kept.clear();
        self.watermarks.clear();
        self.before.clear();
    }

    /// Judges the events whose times are there.
    pub(super) fn run(
        &mut self,
        case: &Case<'_>,
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        if partition.dense {
            count_gaps(case.places.batch, partition);
        }
        let (least, _) = partition.watermark.steady();
        let count = self.times.len();
        let own = case.reaches.contains(&Reach::Own);
        let each = case.dedup || own;
        let mut next = 0;
        while next < count {
            let plain = if each { next } else { self.plain(next, case, partition) };
            self.all = plain - next == count;
            if !self.all {
                self.kept.extend(next as u32..plain as u32);
            }
            if plain < count {
                if own {
                    self.before.push(partition.watermark.get());
                }
                self.one(plain, case, partition, out);
            }
            next = plain + 1;
        }
        let (_, greatest) = partition.watermark.steady();
        self.within = least..=greatest;
    }

    /// Accepts events while they are dated, on time and not from the future, as nearly all are;
    /// returns where it stopped.
    fn plain(&mut self, from: usize, case: &Case<'_>, partition: &mut PartitionState) -> usize {
        let mut watermark = partition.watermark;
        let skew = case.options.future_skew.filter(|_| case.has_record_times());
        let times = self.times.micros();
        let mut end = from;
        loop {
            // STEP 1. Pass events that leave the watermark where it is: two comparisons each.
            if skew.is_none() {
                let (least, greatest) = watermark.steady();
                let steady = |time: &&i64| (least..=greatest).contains(*time);
                end += times[end..].iter().take_while(steady).count();
            }
            // STEP 2. Look at one that may move it, which in a stream that goes on few do.
            let Some(time) = self.times.get(end) else { break };
            let early = |skew| case.record_time(end).is_some_and(|at| at.plus(skew) < time);
            if !watermark.is_on_time(time) || !time.is_legal() || skew.is_some_and(early) {
                break;
            }
            watermark.observe(time);
            end += 1;
        }
        partition.watermark = watermark;
        end
    }

    /// Judges an event that need not be plain.
    fn one(
        &mut self,
        event: usize,
        case: &Case<'_>,
        partition: &mut PartitionState,
        out: &mut Outbox,
    ) {
        let time = match self.panic_at(event) {
            Some(panic) => Err(panic),
            None => case.time(event, self.times.get(event)),
        };
        let time = match time {
            Ok(time) => time,
            Err(reject) if case.keeps_undated(&reject) => {
                self.keep_undated(event, case, partition);
                return;
            }
            Err(reject) => {
                partition.ledger.dead += 1;
                out.letters.push(case.letter(event, reject, self.times.get(event), None));
                return;
            }
        };
        self.times.set(event, Some(time));
        let watermark = partition.watermark.get();
        if !partition.watermark.is_on_time(time) {
            if !case.reaches.iter().any(|reach| reach.takes(time, watermark)) {
                partition.ledger.late += 1;
                let (late, judged) = (case.late(time), Some(watermark));
                out.letters.push(case.letter(event, late, Some(time), judged));
                return;
            }
            self.behind.push((event as u32, Behind { watermark, strict: case.strict }));
        }
        partition.watermark.observe(time);
        self.kept.push(event as u32);
        if case.dedup {
            self.watermarks.push(partition.watermark.get());
        }
    }
}

impl Judge {
    /// Accepts an event without a time. It lies behind everything, so no window takes it, and it
    /// moves no watermark.
    fn keep_undated(&mut self, event: usize, case: &Case<'_>, partition: &PartitionState) {
        self.times.set(event, None);
        self.behind.push((event as u32, Behind { watermark: Millis::MAX, strict: true }));
        self.kept.push(event as u32);
        if case.dedup {
            self.watermarks.push(partition.watermark.get());
        }
    }

    /// What the author's function said when it panicked instead of telling the time.
    fn panic_at(&self, event: usize) -> Option<Reject> {
        let found = self.panics.binary_search_by_key(&(event as u32), |(index, _)| *index).ok()?;
        Some(Reject::new(Reason::UserPanic, &self.panics[found].1))
    }
}

impl Case<'_> {
    /// Whether an event that has no time is used all the same: where bad documents are rows of
    /// NULLs, views without windows show them.
    fn keeps_undated(&self, reject: &Reject) -> bool {
        reject.reason == Reason::NoEventTime
            && self.options.codec.errors == BadDocument::NullRow
            && self.reaches.contains(&Reach::Always)
    }

    /// A letter about an event.
    pub(super) fn letter(
        &self,
        event: usize,
        reject: Reject,
        event_time: Option<Time>,
        watermark: Option<Millis>,
    ) -> Letter {
        let (record, position) = (self.places.record(event), self.places.position(event));
        let letter = letter(self.name, self.places.batch, record, position, reject);
        Letter { event_time: event_time.filter(|time| time.is_legal()), watermark, ..letter }
    }
}

/// Counts positions that carried no record.
fn count_gaps(batch: &Batch, partition: &mut PartitionState) {
    let mut expected = partition.next_offset;
    if let Some(ready) = &batch.events {
        let gap = expected.map_or(0, |expected| ready.offset - expected);
        partition.ledger.gaps += gap.max(0) as u64;
        expected = Some(ready.offset + ready.range.len() as i64);
    }
    for record in &batch.records {
        let gap = expected.map_or(0, |expected| record.offset - expected);
        partition.ledger.gaps += gap.max(0) as u64;
        expected = Some(record.offset + 1);
    }
    let gap = expected.map_or(0, |expected| batch.next_offset - expected);
    partition.ledger.gaps += gap.max(0) as u64;
}

#[cfg(test)]
mod tests;
