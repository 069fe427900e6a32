//! Idle partitions: by default one silent partition holds every window open; with `idle_timeout`
//! it gets a floor, and when all are silent the floor goes on with the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use highwater::prelude::*;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::source::{Batch, Connector, Decoded, Partition, Poll, Source, Start, Wake};
use highwater::testing::example::Event;

/// Two partitions without an end: the first has events, the second never gets one.
#[derive(Clone)]
struct HalfSilent(Arc<Vec<Event>>);

impl Connector for HalfSilent {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for HalfSilent {
    fn partitions(&mut self) -> Result<u32> {
        Ok(2)
    }

    fn open(&mut self, partition: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let events = if partition == 0 { self.0.clone() } else { Arc::default() };
        Ok(Box::new(Log { events, read: false }))
    }

    fn name(&self, partition: u32) -> String {
        format!("partition {partition}")
    }
}

struct Log {
    events: Arc<Vec<Event>>,
    read: bool,
}

impl Partition for Log {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        if self.read || self.events.is_empty() {
            return Ok(Poll::CaughtUp);
        }
        self.read = true;
        let (events, range) = (self.events.clone(), 0..self.events.len());
        batch.next_offset = range.end as i64;
        batch.events = Some(Decoded { events, range, offset: 0, record_times: None });
        Ok(Poll::Ready)
    }
}

/// Counts events per second of event time, lateness zero, until so many rows are there or the time
/// is over; which rows there are then.
fn rows(idle_timeout: Option<Duration>, wanted: usize, limit: Duration) -> Vec<String> {
    let events: Vec<Event> = [("a", 1, 1), ("a", 2, 1), ("a", 3, 1)].map(Event::from).to_vec();
    let mut job = Job::new("idle", |flow| {
        flow.source("events", seconds(0), |event: &Event| event.time)
            .window(Tumbling::new(seconds(1)))
            .accumulate(|_| Count::one())
            .rows(|(), window, count| Counted { second: window.start.seconds(), count })
            .sink("counts");
        Ok(())
    });
    job.pace.tick = millis(1);
    job.pace.ticks_per_epoch = 20;
    let source = BoundSource::new(Arc::new(HalfSilent(Arc::new(events))));
    job.sources = [("events".into(), BoundSource { idle_timeout, ..source })].into();
    let collector = Collector::default();
    let view = View { name: "counts".into(), schema: Default::default(), key: vec![], stamp: None };
    let sink = BoundSink::new("counts", collector.sink(&view));
    job.sinks = [("counts".into(), vec![sink])].into();
    let stop = Stop::new();
    let (asked, seen) = (stop.clone(), collector.clone());
    let watcher = std::thread::spawn(move || {
        let begun = Instant::now();
        while seen.finals().len() < wanted && begun.elapsed() < limit {
            std::thread::sleep(Duration::from_millis(10));
        }
        asked.ask();
    });
    run(vec![Arc::new(job)], &Workers::threads(2), &stop).unwrap();
    watcher.join().unwrap();
    let mut rows: Vec<String> = collector.finals().iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

#[derive(Clone, Debug, Serialize, Deserialize, Row)]
struct Counted {
    second: i64,
    count: Count,
}

#[test]
fn a_silent_partition_holds_every_window_open() {
    assert_eq!(rows(None, 1, Duration::from_millis(1_500)), [""; 0]);
}

#[test]
fn with_a_timeout_it_gets_a_floor_and_the_last_windows_close_with_the_clock() {
    let rows = rows(Some(millis(100)), 3, Duration::from_secs(20));
    let expected = [1, 2, 3].map(|second| format!("[I64({second}), I64(1)]"));
    assert_eq!(rows, expected);
}
