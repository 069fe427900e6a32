//! Views of views and tables over a restart: what is shown again makes the same rows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use highwater::error::Result;
use highwater::prelude::*;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::testing::{Example, Scratch, example::Event};

use super::run_kept;

const PARTITIONS: u32 = 3;

/// Records of a partition: key, second, value.
pub(super) type Make = fn(partition: u32, offset: i64) -> (String, i64, i64);

/// A log that goes no further than an offset, where it asks for the stop, or ends behind its last
/// record.
#[derive(Clone)]
pub(super) struct Halting {
    pub(super) make: Make,
    pub(super) records: i64,
    pub(super) halts_at: Option<i64>,
    pub(super) stop: Stop,
}

impl Connector for Halting {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Halting {
    fn partitions(&mut self) -> Result<u32> {
        Ok(PARTITIONS)
    }

    fn open(&mut self, id: u32, from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let next = match from {
            Start::Offset(offset) => *offset,
            _ => 0,
        };
        Ok(Box::new(Reading { log: self.clone(), id, next }))
    }

    fn name(&self, partition: u32) -> String {
        format!("log/{partition}")
    }

    fn is_bounded(&self) -> bool {
        true
    }
}

struct Reading {
    log: Halting,
    id: u32,
    next: i64,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        if self.log.halts_at.is_some_and(|at| at <= self.next) {
            self.log.stop.ask();
            return Ok(Poll::CaughtUp);
        }
        if self.next == self.log.records {
            return Ok(Poll::Finished);
        }
        let (key, second, value) = (self.log.make)(self.id, self.next);
        let time = Time::from_seconds(second);
        let record = format!("{{\"key\":\"{key}\",\"time\":\"{time}\",\"value\":{value}}}");
        batch.push(self.next, None, None, Some(record.as_bytes()));
        self.next += 1;
        Ok(Poll::Ready)
    }
}

/// Three events a second over two minutes in each partition.
pub(super) fn event(partition: u32, offset: i64) -> (String, i64, i64) {
    (format!("k{}", (offset * 7 + i64::from(partition)) % 5), offset / 3, offset)
}

/// The last record of a key is its weight; later ones replace earlier ones.
fn weight(partition: u32, offset: i64) -> (String, i64, i64) {
    (format!("k{}", i64::from(partition) + 3 * (offset % 2)), 0, offset)
}

#[derive(Clone, Serialize, Deserialize, Row)]
struct Counted {
    key: Text,
    start: Time,
    count: i64,
    weight: Option<i64>,
}

fn describe(flow: &Flow) {
    let counts = flow
        .source("events", seconds(5), Example::time)
        .key_by(|event| event.key.clone())
        .window(Tumbling::new(seconds(10)))
        .accumulate(|_| Count::one())
        .rows(|key, window, count| Counted {
            key,
            start: window.start,
            count: count.get(),
            weight: None,
        });
    let weights = flow.table("weights", |row: &Event| row.key.clone());
    let counts = counts.keep(hours(1)).arrange_by(|row| row.key.clone());
    counts
        .left_join(&weights, |row, weight| Counted { weight: weight.map(|w| w.value), ..row })
        .sink("weighed");
}

/// Runs the job until its logs halt, or to its end.
fn attempt(dir: Option<&Path>, halts_at: Option<i64>, workers: usize, collector: &Collector) {
    let stop = Stop::new();
    let log = |make, records, halts_at| -> BoundSource {
        BoundSource::new(Arc::new(Halting { make, records, halts_at, stop: stop.clone() }))
    };
    let mut job = Job::new("weighed", |flow| {
        describe(flow);
        Ok(())
    });
    job.pace.ticks_per_epoch = 4;
    // The table is read whole long before the events halt.
    job.sources = BTreeMap::from([
        ("events".into(), log(event, 360, halts_at)),
        ("weights".into(), log(weight, 40, None)),
    ]);
    let schema = job.schemas().unwrap().remove("weighed").unwrap();
    let key = vec!["key".into(), "start".into()];
    let view = View { name: "weighed".into(), schema, key, stamp: None };
    job.sinks.insert("weighed".into(), vec![BoundSink::new("weighed", collector.sink(&view))]);
    run_kept(job, dir, workers, &stop).unwrap();
}

#[test]
fn views_over_windows_and_tables_are_the_same_over_restarts() {
    let calm = Collector::default();
    attempt(None, None, 2, &calm);
    let expected = calm.table();
    assert_eq!(expected.len(), 12 * 5, "twelve windows of five keys");
    assert!(expected.iter().all(|row| row[3] != Cell::Null), "every key has a weight");

    // Each attempt has a store of its own, so what it does not show again is missing.
    let dir = Scratch::new("views");
    for (halts_at, workers) in [(Some(100), 2), (Some(230), 3)] {
        attempt(Some(dir.path()), halts_at, workers, &Collector::default());
    }
    let last = Collector::default();
    attempt(Some(dir.path()), None, 2, &last);
    assert_eq!(last.table(), expected);
}

/// Records of 8,000 keys per partition, each with a record in the first half and one in the second.
fn many(partition: u32, offset: i64) -> (String, i64, i64) {
    (format!("k{partition}-{}", offset % MANY), 1, offset)
}

const MANY: i64 = 8_000;

/// Counts per key, of which every worker holds more than it saves in one activation.
fn count_many(dir: Option<&Path>, halts_at: Option<i64>, workers: usize, collector: &Collector) {
    let stop = Stop::new();
    let mut job = Job::new("many", |flow| {
        flow.source("events", seconds(5), Example::time)
            .key_by(|event| event.key.clone())
            .window(Tumbling::new(hours(1)))
            .accumulate(|_| Count::one())
            .rows(|key, window, count| Counted {
                key,
                start: window.start,
                count: count.get(),
                weight: None,
            })
            .sink("counts");
        Ok(())
    });
    job.pace.ticks_per_epoch = 4;
    let log = Halting { make: many, records: 2 * MANY, halts_at, stop: stop.clone() };
    job.sources = BTreeMap::from([("events".into(), BoundSource::new(Arc::new(log)))]);
    let schema = job.schemas().unwrap().remove("counts").unwrap();
    let view = View { name: "counts".into(), schema, key: vec!["key".into()], stamp: None };
    job.sinks.insert("counts".into(), vec![BoundSink::new("counts", collector.sink(&view))]);
    run_kept(job, dir, workers, &stop).unwrap();
}

#[test]
fn a_state_that_is_saved_in_many_slices_is_whole_after_restarts() {
    let dir = Scratch::new("slices");
    // The second attempt changes some of what the first has saved, and adds the rest.
    for (halts_at, workers) in [(Some(6_000), 2), (Some(11_000), 1)] {
        count_many(Some(dir.path()), halts_at, workers, &Collector::default());
    }
    let last = Collector::default();
    count_many(Some(dir.path()), None, 3, &last);
    let rows = last.table();
    assert_eq!(rows.len() as i64, MANY * i64::from(PARTITIONS));
    assert!(rows.iter().all(|row| row[2] == Cell::I64(2)), "each key has two records");
}
