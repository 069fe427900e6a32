//! A graceful stop publishes the positions of everything that was read, also of the epoch that it
//! cuts short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use highwater::error::Result;
use highwater::prelude::*;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::testing::Example;

/// Records of each partition.
const RECORDS: i64 = 25;

/// Two partitions without an end. Asks for the stop when the second one has been read, in the
/// middle of the first epoch, and notes what is published.
#[derive(Clone, Default)]
struct Endless {
    stop: Stop,
    published: Arc<Mutex<BTreeMap<u32, i64>>>,
}

impl Connector for Endless {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Endless {
    fn partitions(&mut self) -> Result<u32> {
        Ok(2)
    }

    fn open(&mut self, id: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        Ok(Box::new(Reading { id, next: 0, stop: self.stop.clone() }))
    }

    fn name(&self, partition: u32) -> String {
        format!("endless/{partition}")
    }

    fn committed(&mut self, positions: &[(u32, i64)]) -> Result<()> {
        self.published.lock().unwrap().extend(positions.iter().copied());
        Ok(())
    }
}

struct Reading {
    id: u32,
    next: i64,
    stop: Stop,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        if self.next == RECORDS {
            if self.id == 1 {
                self.stop.ask();
            }
            return Ok(Poll::CaughtUp);
        }
        let record = format!("{{\"key\": \"a\", \"time\": {}}}", 1_000_000_000 + self.next);
        batch.push(self.next, None, None, Some(record.as_bytes()));
        self.next += 1;
        Ok(Poll::Ready)
    }
}

#[test]
fn the_last_positions_are_published() {
    for workers in [1, 2] {
        let endless = Endless::default();
        let collector = Collector::default();
        let mut job = Job::new("stopped", |flow| {
            flow.source("events", seconds(0), Example::time).sink("all");
            Ok(())
        });
        job.pace.tick = millis(1);
        job.pace.ticks_per_epoch = 300;
        job.sources = [("events".into(), BoundSource::new(Arc::new(endless.clone())))].into();
        let view =
            View { name: "all".into(), schema: Default::default(), key: vec![], stamp: None };
        job.sinks = [("all".into(), vec![BoundSink::new("all", collector.sink(&view))])].into();
        run(vec![Arc::new(job)], &Workers::threads(workers), &endless.stop).unwrap();
        // The stop may come while the other partition is being read: what counts is what was.
        let published = endless.published.lock().unwrap().clone();
        assert_eq!(published.get(&1), Some(&RECORDS), "{workers} workers");
        let read: i64 = published.values().sum();
        assert_eq!(collector.finals().len() as i64, read, "{workers} workers");
    }
}
