//! Which record of a log which window refuses, as the reference of `oracle/` judges.
//!
//! Sliding windows are taken apart: five minutes every minute are five sets of windows side by
//! side, each of which has a record in exactly one window. So all that a view refuses are records
//! of such a *phase*, and the reference has a letter for each of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::views::{Consumer, System};
use crate::oracle::job::{End, Job, Kind, Partition, Record, Rule, Source, View, Windowed};
use crate::oracle::outcome::{Ledger, Position, Reason};
use crate::oracle::reference;

/// The records of a port, by partition.
pub(super) struct Log {
    pub(super) port: &'static str,
    pub(super) partitions: Vec<Vec<Logged>>,
}

/// A record.
pub(super) struct Logged {
    /// The first byte of its line.
    pub(super) offset: i64,
    /// Its line.
    pub(super) value: Vec<u8>,
    /// What the line says; NULL if it cannot be read.
    pub(super) document: Value,
    /// Its event time, as the generator made it.
    pub(super) time_us: Option<i64>,
}

/// What became of the records of a system.
pub(super) struct Judged {
    /// By source and partition.
    pub(super) ledgers: Vec<Vec<Ledger>>,
    /// Records without an event time.
    pub(super) dead: BTreeSet<Position>,
    /// Records that nobody takes.
    pub(super) late: BTreeSet<Position>,
    /// Records that somebody takes, but not this phase.
    refused: BTreeMap<(usize, Kind), BTreeSet<Position>>,
    /// Records that somebody takes, but that are not counted where their candle opens.
    pub(super) refused_by_opening: BTreeSet<Position>,
}

/// The windows of which each record is in exactly one.
pub(super) fn phases(kind: Kind) -> Vec<Kind> {
    match kind {
        Kind::Sliding { size_us, slide_us, offset_us } => (0..size_us / slide_us)
            .map(|phase| Kind::Tumbling { size_us, offset_us: offset_us + phase * slide_us })
            .collect(),
        Kind::Tumbling { .. } | Kind::Session { .. } => vec![kind],
    }
}

/// Judges the records of a system; logs are in the order of its sources.
pub(super) fn judge(system: &System, logs: &[Log]) -> Judged {
    let mut windows = Vec::new();
    for (source, log) in logs.iter().enumerate() {
        let of_port = system.consumers.iter().filter(|consumer| consumer.ports.contains(&log.port));
        let kinds: BTreeSet<Kind> = of_port.map(|consumer| consumer.kind).collect();
        let with_phases = kinds.into_iter().flat_map(|kind| [phases(kind), vec![kind]].concat());
        let all: BTreeSet<Kind> = with_phases.collect();
        windows.extend(all.into_iter().map(|kind| (source, kind)));
    }
    let raw = (0..logs.len()).filter(|_| system.has_raw_view);
    let job = Job {
        sources: logs.iter().map(|log| source(system, log)).collect(),
        windows: windows
            .iter()
            .map(|(source, kind)| Windowed { sources: vec![*source], filter: None, kind: *kind })
            .collect(),
        views: raw.map(|source| View::Raw { source, filter: None }).collect(),
        forget_after_us: 0,
    };
    let outcome = reference::run(&job, End::Finished);
    let letters = |place: Option<usize>, reason: Reason| -> BTreeSet<Position> {
        let mine = outcome.letters.iter().filter(|letter| letter.place == place);
        mine.filter(|letter| letter.reason == reason).map(|letter| letter.position).collect()
    };
    let of_windows = windows.iter().enumerate();
    let refused: BTreeMap<_, _> =
        of_windows.map(|(place, windows)| (*windows, letters(Some(place), Reason::Late))).collect();
    for ((source, kind), pairs) in windows.iter().zip(&outcome.refused) {
        let of_phases = phases(*kind).into_iter().map(|phase| refused[&(*source, phase)].len());
        let sum = of_phases.sum::<usize>() as u64;
        assert_eq!(sum, *pairs, "{kind:?} is not the sum of its phases");
    }
    let late = letters(None, Reason::Late);
    Judged {
        dead: letters(None, Reason::NoEventTime),
        refused_by_opening: by_opening(system, logs, &late),
        ledgers: outcome.ledgers,
        late,
        refused,
    }
}

fn source(system: &System, log: &Log) -> Source {
    let record = |logged: &Logged| Record {
        time_us: logged.time_us,
        key: None,
        value: 0,
        id: None,
        record_time_us: None,
    };
    let partition = |log: &Vec<Logged>| Partition {
        records: log.iter().map(record).collect(),
        batches: Vec::new(),
    };
    Source {
        delay_us: system.delay_us,
        rule: Rule::Window,
        dedup_us: None,
        future_skew_us: None,
        partitions: log.partitions.iter().map(partition).collect(),
    }
}

/// Records that are not late, but the window in which their candle opens is over by the watermark
/// before them.
fn by_opening(system: &System, logs: &[Log], late: &BTreeSet<Position>) -> BTreeSet<Position> {
    let mut refused = BTreeSet::new();
    for consumer in system.consumers.iter().filter(|consumer| consumer.by_opening) {
        let Kind::Tumbling { size_us, .. } = consumer.kind else { panic!("they are tumbling") };
        let source = logs.iter().position(|log| consumer.ports.contains(&log.port)).unwrap();
        for (partition, records) in logs[source].partitions.iter().enumerate() {
            let mut greatest_us = None;
            for (offset, logged) in records.iter().enumerate() {
                let Some(time_us) = logged.time_us else { continue };
                let position = Position { source, partition, offset };
                let watermark_us = greatest_us.map_or(i64::MIN, |time| time - system.delay_us);
                let over = |start_us: i64| {
                    (start_us + size_us).div_euclid(1_000) <= watermark_us.div_euclid(1_000)
                };
                let opens_us = opening(&logged.document, time_us, size_us);
                if opens_us.is_some_and(over) && !late.contains(&position) {
                    refused.insert(position);
                }
                greatest_us = greatest_us.max(Some(time_us));
            }
        }
    }
    refused
}

/// When the candle of a record opens: with a window, and not after the record.
fn opening(candle: &Value, time_us: i64, size_us: i64) -> Option<i64> {
    let opens_us = candle["timestamp"].as_i64()? * 1_000;
    (opens_us <= time_us && opens_us.rem_euclid(size_us) == 0).then_some(opens_us)
}

impl Judged {
    /// The records of a source that a phase refuses and somebody else takes; none if no view of the
    /// source has such windows.
    pub(super) fn refused(&self, source: usize, phase: Kind) -> Option<&BTreeSet<Position>> {
        self.refused.get(&(source, phase))
    }

    /// By record, how many windows of a consumer refuse it; `ports` are those of the sources.
    pub(super) fn refusals(
        &self,
        consumer: &Consumer,
        ports: &[&'static str],
    ) -> BTreeMap<Position, u64> {
        let mut refusals = BTreeMap::new();
        if consumer.by_opening {
            return self.refused_by_opening.iter().map(|position| (*position, 1)).collect();
        }
        let sources = (0..ports.len()).filter(|source| consumer.ports.contains(&ports[*source]));
        for source in sources {
            for phase in phases(consumer.kind) {
                for position in self.refused(source, phase).into_iter().flatten() {
                    *refusals.entry(*position).or_default() += 1;
                }
            }
        }
        refusals
    }
}
