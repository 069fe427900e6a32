//! What simulated jobs compute: a log with everything that may be wrong with one, and dataflows.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use highwater::prelude::*;
use highwater::stream::Flow;
use highwater::testing::Dice;
use highwater::testing::example::{Event, Example};
use highwater::testing::simulation::Logged;
use highwater::window::Windows;

/// How far behind the greatest event time of its partition an event may be.
pub(super) const LATENESS_MS: i64 = 5_000;

pub(super) const SIZE_MS: i64 = 10_000;
pub(super) const SLIDE_MS: i64 = 5_000;
pub(super) const GAP_MS: i64 = 1_500;

/// Rows that a trailing history goes back.
pub(super) const BACK: usize = 2;

/// Keys that the longest lists of a window have room for.
pub(super) const TOP: usize = 2;

/// What a job computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Workload {
    /// Final counts of windows, and the same shown while they change.
    Tumbling,
    Sliding,
    Sessions,
    /// Counts beside those of the windows before.
    Trailing,
    /// Counts without duplicates.
    Dedup,
    /// Views behind windows: longest lists, and how many keys a window has, while it is open.
    Views,
}

pub(super) const WORKLOADS: [Workload; 6] = [
    Workload::Tumbling,
    Workload::Sliding,
    Workload::Sessions,
    Workload::Trailing,
    Workload::Dedup,
    Workload::Views,
];

/// A view, with its key.
pub(super) struct Shown {
    pub(super) name: &'static str,
    pub(super) key: &'static [&'static str],
    /// Whether its rows change.
    pub(super) changes: bool,
    /// Whether rows may go again: only what is delivered by epochs is without ghosts then.
    pub(super) goes: bool,
}

const BY_KEY: &[&str] = &["key", "window_start"];

impl Workload {
    pub(super) fn views(self) -> Vec<Shown> {
        let finals = Shown { name: "counts", key: BY_KEY, changes: false, goes: false };
        match self {
            Workload::Tumbling => {
                let live = Shown { name: "live", key: BY_KEY, changes: true, goes: false };
                vec![finals, live]
            }
            Workload::Views => ["busiest", "widths"]
                .into_iter()
                .zip([&["window_start", "key"][..], &["window_start"]])
                .map(|(name, key)| Shown { name, key, changes: true, goes: true })
                .collect(),
            _ => vec![finals],
        }
    }
}

/// What is added up.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Measures {
    count: Count,
    sum: Sum<i64>,
}

/// A row of a window.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
struct Counted {
    key: Text,
    window: Window,
    count: i64,
    sum: Option<i64>,
    /// Counts of the windows before it.
    before: i64,
}

impl Counted {
    fn new(key: Text, window: Window, measures: Measures) -> Counted {
        let sum = measures.sum.get().map(|sum| sum as i64);
        Counted { key, window, count: measures.count.get(), sum, before: 0 }
    }
}

/// How many keys a window has.
#[derive(Clone, Debug, Serialize, Deserialize, Row)]
struct Width {
    window: Window,
    keys: i64,
}

/// Describes the dataflow of a workload.
pub(super) fn describe(workload: Workload, flow: &Flow) {
    let events = flow.source("events", ms(LATENESS_MS), Example::time);
    let events = match workload {
        Workload::Dedup => events.dedup(|event: &Event| event.value, hours(1_000_000)),
        _ => events,
    };
    let keyed = events.key_by(|event| event.key.clone());
    let windows: Windows = match workload {
        Workload::Sliding => Sliding::new(ms(SIZE_MS), ms(SLIDE_MS)).into(),
        Workload::Sessions => Session::new(ms(GAP_MS)).into(),
        _ => Tumbling::new(ms(SIZE_MS)).into(),
    };
    let counts = keyed
        .window(windows)
        .accumulate(|event| Measures { count: Count::one(), sum: Sum::of(event.value) })
        .rows(Counted::new);
    match workload {
        Workload::Tumbling => {
            counts.sink("counts");
            counts.updates().sink("live");
        }
        Workload::Trailing => counts
            .trailing(BACK, |past, row| {
                let before = past.iter().map(|row: &Counted| row.count).sum();
                Counted { before, ..row }
            })
            .sink("counts"),
        Workload::Views => {
            let by_window = counts.updates().view().arrange_by(|row| row.window);
            by_window.top(TOP, |row| (Reverse(row.count), row.key.clone())).sink("busiest");
            by_window.count(|window, keys| Width { window, keys }).sink("widths");
        }
        Workload::Sliding | Workload::Sessions | Workload::Dedup => counts.sink("counts"),
    }
}

fn ms(millis: i64) -> Duration {
    Duration::from_millis(millis as u64)
}

/// A record as the reference sees it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) offset: i64,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Malformed,
    /// Without a time.
    Undated,
    Event {
        key: String,
        time_ms: i64,
        value: i64,
    },
}

/// Some partitions, each in disorder, with gaps between offsets, and records that are late,
/// malformed, without a time, or there twice.
pub(super) fn logs(dice: &mut Dice) -> Vec<Vec<Record>> {
    let keys = dice.between(2, 7);
    (0..dice.between(1, 5)).map(|partition| log(dice, partition, keys)).collect()
}

fn log(dice: &mut Dice, partition: u64, keys: u64) -> Vec<Record> {
    let (mut now, mut offset) = (1_000 * dice.below(20) as i64, 0);
    let mut log: Vec<Record> = Vec::new();
    for number in 0..dice.between(20, 150) {
        now += dice.below(900) as i64;
        let behind = match dice.below(100) {
            0..3 => LATENESS_MS + dice.below(20_000) as i64,
            3..60 => dice.below(LATENESS_MS as u64) as i64,
            _ => 0,
        };
        let key = format!("k{}", dice.below(keys));
        let value = (1_000 * partition + number) as i64;
        let content = match dice.below(100) {
            0..3 => Content::Malformed,
            3..6 => Content::Undated,
            6..12 if !log.is_empty() => log[dice.below(log.len() as u64) as usize].content.clone(),
            _ => Content::Event { key, time_ms: now - behind, value },
        };
        log.push(Record { offset, content });
        offset += if dice.below(20) == 0 { 1 + dice.below(5) as i64 } else { 1 };
    }
    log
}

/// The bytes of the logs.
pub(super) fn bytes(logs: &[Vec<Record>]) -> Arc<Vec<Vec<Logged>>> {
    let value = |record: &Record| match &record.content {
        Content::Malformed => "{\"key\":\"k".to_owned(),
        Content::Undated => "{\"key\":\"k0\",\"value\":1}".to_owned(),
        Content::Event { key, time_ms, value } => {
            let time = Time::from_millis(*time_ms);
            format!("{{\"key\":\"{key}\",\"time\":\"{time}\",\"value\":{value}}}")
        }
    };
    let logged =
        |record: &Record| Logged { offset: record.offset, value: value(record).into_bytes() };
    Arc::new(logs.iter().map(|log| log.iter().map(logged).collect()).collect())
}
