//! Views of the scope of ticks against a recomputation: what top lists, counts, joins, reductions
//! have written when all is over is what they are of all windows, although each window was shown
//! while it changed and forgotten when it was over.
//!
//! Ticks and epochs are as short as they can be and reading pauses, so that windows open, close and
//! are forgotten in different epochs on different workers.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use highwater::prelude::*;
use highwater::row::{Cell, Change};
use highwater::runtime::{self, BoundSink, BoundSource, Job, Pace, Stop, Workers};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::stream::Flow;

use super::cases::Random;
use super::delivery::Delivery;
use super::event::Event;
use super::job::{Partition, Record, Rule, Source};

/// Cases of each number of workers: so many, or so many of what `HIGHWATER_CASES` asks for.
const CASES: u64 = 10;
const OF_ALL: u64 = 300;

/// Size of a window, and how long after its end its rows are remembered.
const SIZE_S: i64 = 10;

/// How far events are behind one another at most, and the lateness: none is late.
const DISORDER_S: i64 = 7;

/// A row of counts.
#[derive(Clone, Serialize, Deserialize, Row)]
struct Counted {
    window: Window,
    key: Option<u32>,
    count: i64,
}

/// A row of counts beside a sum.
#[derive(Clone, Serialize, Deserialize, Row)]
struct Paired {
    window: Window,
    key: Option<u32>,
    count: i64,
    sum: Option<i64>,
}

/// A number of a window.
#[derive(Clone, Serialize, Deserialize, Row)]
struct Total {
    window: Window,
    total: i64,
}

/// A number of a key, over the windows that are remembered.
#[derive(Clone, Serialize, Deserialize, Row)]
struct Recent {
    key: Option<u32>,
    count: i64,
}

/// The views that hold their window, with their keys.
const VIEWS: [(&str, &[&str]); 6] = [
    ("all", &["window_start", "key"]),
    ("busiest", &["window_start", "key"]),
    ("inner", &["window_start", "key"]),
    ("paired", &["window_start", "key"]),
    ("totals", &["window_start"]),
    ("widths", &["window_start"]),
];

fn describe(flow: &Flow) {
    let events = flow.source("events", seconds(DISORDER_S as u64), |event: &Event| event.time);
    let windows = Tumbling::new(seconds(SIZE_S as u64));
    let counts = events
        .key_by(|event| event.key)
        .window(windows)
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Counted { window, key, count: count.get() })
        .updates()
        .view();
    let sums = flow
        .source("others", seconds(DISORDER_S as u64), |event: &Event| event.time)
        .filter(|event| event.value % 2 == 0)
        .key_by(|event| event.key)
        .window(windows)
        .accumulate(|event| Sum::<i64>::of(event.value))
        .rows(|key, window, sum| Paired {
            window,
            key,
            count: 0,
            sum: sum.get().map(|sum| sum as i64),
        })
        // Longer than the left side, so that no row loses its partner.
        .keep(seconds(4 * SIZE_S as u64));

    let by_window = counts.arrange_by(|row| row.window);
    by_window.top(2, |row| (Reverse(row.count), row.key)).sink("busiest");
    by_window.count(|window, total| Total { window, total }).sink("widths");
    by_window
        .reduce(|window, rows| {
            Some(Total { window, total: rows.iter().map(|row| row.count).sum() })
        })
        .sink("totals");

    let odd = counts.filter(|row| row.count % 2 != 0);
    counts.filter(|row| row.count % 2 == 0).concat(&odd).sink("all");

    let place = |window: Window, key: Option<u32>| key.map(|key| (window.start.micros(), key));
    let left = counts.arrange_by(move |row| place(row.window, row.key));
    let right = sums.arrange_by(move |row| place(row.window, row.key));
    let pair = |row: Counted, sum: Option<Paired>| Paired {
        window: row.window,
        key: row.key,
        count: row.count,
        sum: sum.and_then(|row| row.sum),
    };
    left.left_join(&right, pair).sink("paired");
    left.join(&right, move |row, sum| pair(row, Some(sum))).sink("inner");

    counts
        .arrange_by(|row| row.key)
        .reduce(|key, rows| Some(Recent { key, count: rows.iter().map(|row| row.count).sum() }))
        .sink("recent");
}

/// Count of each key.
type Keys = BTreeMap<Option<u32>, i64>;

/// The records of a source, each with the start of its window in seconds.
fn records(source: &Source) -> impl Iterator<Item = (i64, &Record)> {
    source.partitions.iter().flat_map(|log| &log.records).map(|record| {
        let second = record.time_us.unwrap().div_euclid(1_000_000);
        (second.div_euclid(SIZE_S) * SIZE_S, record)
    })
}

/// What the views must hold, as sorted lines.
fn expected(events: &Source, others: &Source) -> BTreeMap<&'static str, Vec<String>> {
    let mut windows: BTreeMap<i64, Keys> = BTreeMap::new();
    let mut sums: BTreeMap<(i64, Option<u32>), i64> = BTreeMap::new();
    for (start, record) in records(events) {
        *windows.entry(start).or_default().entry(record.key).or_default() += 1;
    }
    for (start, record) in records(others).filter(|(_, record)| record.value % 2 == 0) {
        *sums.entry((start, record.key)).or_default() += record.value;
    }
    let mut views: BTreeMap<&str, Vec<String>> = VIEWS.map(|(name, _)| (name, vec![])).into();
    let mut put = |view: &str, start: i64, cells: &[String]| {
        let rows = views.get_mut(view).expect("it is listed");
        rows.push(format!("{start} {} {}", start + SIZE_S, cells.join(" ")));
    };
    for (start, keys) in windows {
        let mut ranked: Vec<_> = keys.iter().map(|(key, count)| (-count, *key)).collect();
        ranked.sort();
        for (count, key) in ranked.iter().take(2) {
            put("busiest", start, &[word(*key), (-count).to_string()]);
        }
        put("widths", start, &[keys.len().to_string()]);
        put("totals", start, &[keys.values().sum::<i64>().to_string()]);
        for (key, count) in keys {
            let sum = sums.get(&(start, key)).copied().filter(|_| key.is_some());
            put("all", start, &[word(key), count.to_string()]);
            put("paired", start, &[word(key), count.to_string(), word(sum)]);
            if sum.is_some() {
                put("inner", start, &[word(key), count.to_string(), word(sum)]);
            }
        }
    }
    views.values_mut().for_each(|rows| rows.sort());
    views
}

fn word<T: ToString>(value: Option<T>) -> String {
    value.map_or("-".into(), |value| value.to_string())
}

/// A row as a line; times are seconds.
fn line(cells: &[Cell]) -> String {
    let words = cells.iter().map(|cell| match cell {
        Cell::Null => "-".into(),
        Cell::I32(value) => value.to_string(),
        Cell::I64(value) => value.to_string(),
        Cell::Time(time) => (time.micros() / 1_000_000).to_string(),
        other => panic!("no view has such a cell: {other:?}"),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Logs without a late event.
fn source(random: &mut Random) -> Source {
    let mut partitions = Vec::new();
    for _ in 0..random.between(1, 3) {
        let mut log = Partition::default();
        let mut now = random.between(-50, 50);
        for _ in 0..random.between(10, 60) {
            now += random.between(0, 4);
            let second = now - random.between(0, DISORDER_S);
            log.records.push(Record {
                time_us: Some(second * 1_000_000),
                key: (!random.chance(10)).then(|| random.between(0, 4) as u32),
                value: random.between(-20, 20),
                id: None,
                record_time_us: None,
            });
            log.batches.push(random.between(0, 2) as usize);
        }
        partitions.push(log);
    }
    let (delay_us, rule) = (DISORDER_S * 1_000_000, Rule::Window);
    Source { delay_us, rule, dedup_us: None, future_skew_us: None, partitions }
}

/// A case that is prepared to run.
struct Playing {
    seed: u64,
    expected: BTreeMap<&'static str, Vec<String>>,
    views: BTreeMap<&'static str, Collector>,
    job: Arc<Job>,
}

impl Playing {
    fn new(seed: u64) -> Playing {
        let mut random = Random(seed);
        let [events, others] = [(); 2].map(|()| source(&mut random));
        let mut job = Job::new("views", |flow| {
            describe(flow);
            Ok(())
        });
        job.pace = Pace {
            tick: millis(1),
            tick_max: millis(random.pick(&[1, 4])),
            ticks_per_epoch: random.pick(&[1, 2, 4]),
            in_flight_max: random.pick(&[1, 4, 32]),
        };
        for (name, source) in [("events", &events), ("others", &others)] {
            let pauses = random.pick(&[0, 20, 100]);
            let delivery = Delivery { seed, pauses, ..Delivery::of(source) };
            job.sources.insert(name.into(), BoundSource::new(Arc::new(delivery)));
        }
        let mut views = BTreeMap::new();
        for (name, key) in VIEWS.into_iter().chain([("recent", &["key"][..])]) {
            let key: Vec<String> = key.iter().map(|column| (*column).to_owned()).collect();
            let collector = Collector::default();
            let schema = job.schemas().unwrap()[name].clone();
            let view = View { name: name.into(), schema, key: key.clone(), stamp: None };
            job.sinks.insert(name.into(), vec![BoundSink::new(name, collector.sink(&view))]);
            job.settings.keys.insert(name.into(), key);
            if seed.is_multiple_of(2) {
                job.settings.differential.insert(name.into());
            }
            views.insert(name, collector);
        }
        job.letters = BoundSink::new("letters", {
            let (name, schema) = ("letters".into(), Default::default());
            Collector::default().sink(&View { name, schema, key: vec![], stamp: None })
        });
        let expected = expected(&events, &others);
        Playing { seed, expected, views, job: Arc::new(job) }
    }

    /// Asserts that the tables are right; how many rows of `recent` went.
    fn check(&self, workers: usize) -> usize {
        for (view, expected) in &self.expected {
            let mut table: Vec<String> =
                self.views[view].table().iter().map(|row| line(row)).collect();
            table.sort();
            let seed = self.seed;
            assert_eq!(table, *expected, "`{view}` with seed {seed} on {workers} workers");
        }
        let log = self.views["recent"].log();
        log.iter().filter(|(mark, _)| mark.change == Change::Delete).count()
    }
}

#[test]
fn views_hold_what_all_windows_give_although_they_forget_them() {
    let asked = std::env::var("HIGHWATER_CASES").ok().and_then(|count| count.parse().ok());
    let cases = asked.map_or(CASES, |asked: u64| CASES.max(asked / OF_ALL));
    for workers in [1, 2, 4] {
        let mut forgotten = 0;
        for first in (0..cases).step_by(CASES as usize) {
            let seeds = (first..first + CASES).map(|case| 100_000 * workers as u64 + case);
            let playing: Vec<Playing> = seeds.map(Playing::new).collect();
            let jobs = playing.iter().map(|playing| playing.job.clone()).collect();
            runtime::run(jobs, &Workers::threads(workers), &Stop::new()).unwrap();
            forgotten += playing.iter().map(|playing| playing.check(workers)).sum::<usize>();
        }
        assert!(0 < forgotten, "nothing was forgotten on {workers} workers");
    }
}
