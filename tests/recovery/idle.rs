//! Floors of idle partitions over a crash: by which floor a record was judged, it is judged again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use highwater::config::Checkpoint;
use highwater::error::Error;
use highwater::prelude::*;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, resume, run};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::testing::{Example, Scratch};

/// How many seconds the first partition has: one event each.
const SECONDS: i64 = 60;

/// Two partitions. The second is silent until windows have closed without it, then has one event of
/// the fifth second; in the first attempt the log fails when that has been read.
#[derive(Clone)]
struct Late {
    fails: bool,
    shown: Collector,
    was_late: Arc<AtomicBool>,
}

impl Connector for Late {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Late {
    fn partitions(&mut self) -> Result<u32> {
        Ok(2)
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
    log: Late,
    id: u32,
    next: i64,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let second = match (self.id, self.next) {
            (0, next) if next < SECONDS => next,
            (1, 0) if self.log.fails && self.log.shown.finals().len() < 20 => {
                return Ok(Poll::CaughtUp);
            }
            (1, 0) => 5,
            (1, _) if self.log.fails => {
                self.log.was_late.store(true, Relaxed);
                return Err(Error::unreachable("the log is gone"));
            }
            _ if self.log.fails => return Ok(Poll::CaughtUp),
            _ => return Ok(Poll::Finished),
        };
        let time = Time::from_seconds(second);
        let record = format!("{{\"key\":\"k\",\"time\":\"{time}\",\"value\":1}}");
        batch.push(self.next, None, None, Some(record.as_bytes()));
        self.next += 1;
        Ok(Poll::Ready)
    }
}

#[derive(Clone, Serialize, Deserialize, Row)]
struct Counted {
    second: i64,
    count: i64,
}

/// One attempt: how it ended, how many records were late in all, and what it has shown.
fn attempt(dir: &Path, fails: bool, workers: usize) -> (Result<()>, u64, Vec<String>) {
    let (shown, was_late) = (Collector::default(), Arc::new(AtomicBool::new(false)));
    let mut job = Job::new("idle", |flow| {
        flow.source("events", seconds(0), Example::time)
            .window(Tumbling::new(seconds(1)))
            .accumulate(|_| Count::one())
            .rows(|(), window, n| Counted { second: window.start.seconds(), count: n.get() })
            .sink("counts");
        Ok(())
    });
    job.pace.tick = millis(1);
    job.pace.ticks_per_epoch = 10;
    let log = Late { fails, shown: shown.clone(), was_late: was_late.clone() };
    let source = BoundSource::new(Arc::new(log));
    let source = BoundSource { idle_timeout: Some(millis(30)), ..source };
    job.sources = [("events".into(), source)].into();
    let view = View { name: "counts".into(), schema: Default::default(), key: vec![], stamp: None };
    job.sinks = [("counts".into(), vec![BoundSink::new("counts", shown.sink(&view))])].into();
    let path = Some(dir.to_str().expect("a text").to_owned());
    let config = Checkpoint {
        every: millis(10),
        path,
        s3: Default::default(),
        keep: 3,
        age_max: minutes(1),
    };
    resume(&mut job, &config).expect("its own checkpoints");
    let job = Arc::new(job);
    let ended = run(vec![job.clone()], &Workers::threads(workers), &Stop::new());
    assert_eq!(was_late.load(Relaxed), fails, "it fails when the late event has been read");
    let rows = shown.finals().iter().map(|row| format!("{row:?}")).collect();
    (ended, job.board.ledger().late, rows)
}

#[test]
fn a_record_that_a_floor_made_late_is_late_after_a_crash() {
    for (attempts, workers) in [(1, 1), (2, 2), (3, 1), (4, 2)] {
        let dir = Scratch::new("idle");
        let (failed, _, _) = attempt(dir.path(), true, workers);
        let error = failed.expect_err("the log fails");
        assert!(error.to_string().contains("the log is gone"), "{attempts}: {error}");
        // Now the record is there at once, as is the end of the log: no partition is ever idle.
        let (ended, late, rows) = attempt(dir.path(), false, 3 - workers);
        ended.expect("the second attempt ends");
        assert_eq!(late, 1, "{attempts}: {rows:?}");
        let twice = rows.iter().find(|row| row.ends_with("I64(2)]"));
        assert_eq!(twice, None, "{attempts}");
    }
}
