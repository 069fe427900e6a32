//! Real logs through the engine: what it counts as late is what their cards say.
//!
//! The figures are those that the tests of `datasets/real.rs` recompute from the lines alone, by
//! the watermark of whole milliseconds.

use std::sync::Arc;
use std::time::Duration;

use highwater::aggregate::Count;
use highwater::error::Result;
use highwater::lateness::{Lateness, Ledger};
use highwater::letter::Reason;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::blackhole;
use highwater::sink::memory::Collector;
use highwater::sink::{Sink, View};
use highwater::source::memory::Memory;
use highwater::testing::Example;
use highwater::testing::example::Event;
use highwater::time::{Time, minutes, seconds};
use highwater::window::Tumbling;
use highwater_datasets::real::{Log, folder, kafka_brokers, zeek};

/// A job that counts lines by the minute, and where its rows are.
fn job(logs: &Memory, lateness: Duration) -> (Arc<Job>, Collector) {
    let (rows, strict) = (Collector::default(), Lateness::Strict(lateness));
    let mut job = Job::new("lines", move |flow| -> Result<()> {
        flow.source("log", strict, Example::time)
            .window(Tumbling::new(minutes(1)))
            .accumulate(|_: &Event| Count::one())
            .rows(Example::row)
            .sink("lines");
        Ok(())
    });
    job.sources = [("log".into(), BoundSource::new(Arc::new(logs.clone())))].into();
    let sink = BoundSink::new("lines", rows.sink(&view("lines")));
    job.sinks = [("lines".into(), vec![sink])].into();
    job.letters = BoundSink::new("letters", hole());
    (Arc::new(job), rows)
}

fn view(name: &str) -> View {
    View { name: name.into(), schema: Default::default(), key: vec![], stamp: None }
}

fn hole() -> Box<dyn Sink> {
    let common = Default::default();
    blackhole::open(blackhole::Options::default(), &view("letters"), &common).unwrap()
}

/// A partition of a log: its event times, and when its lines arrived.
fn partition(memory: Memory, log: &Log) -> Memory {
    let event = |time| Event { time, ..Event::default() };
    let events: Vec<Event> = log.iter().map(|line| event(line.time)).collect();
    let arrivals: Vec<Option<Time>> = log.iter().map(|line| line.arrival).collect();
    memory.partition(Arc::new(events), &[1_000, 7]).record_times(arrivals)
}

/// Lines that the rows have counted.
fn counted(rows: &Collector) -> i64 {
    let counts = rows.finals().into_iter().map(|cells| match cells[..] {
        [.., Cell::I64(count)] => count,
        _ => panic!("a row ends with its count: {cells:?}"),
    });
    counts.sum()
}

#[test]
fn the_zeek_logs_are_as_late_in_the_engine_as_their_card_says() {
    let log = zeek(&folder()).unwrap();
    let memory = partition(Memory::new(), &log);
    let late =
        [(1, 51_749), (10, 8_392), (30, 4_358), (60, 3_033), (120, 1_635), (300, 33), (600, 2)];
    let jobs = late.map(|(delay, late)| (job(&memory, seconds(delay)), delay, late));
    let run_jobs = jobs.iter().map(|((job, _), ..)| job.clone()).collect();
    run(run_jobs, &Workers::threads(2), &Stop::new()).unwrap();
    for ((job, rows), delay, late) in jobs {
        let (read, dead) = (158_439, 513);
        let used = read - dead - late;
        let expected = Ledger { read, used, late, dead, ..Ledger::default() };
        assert_eq!(job.board.ledger(), expected, "{delay} s");
        let count = |reason| job.board.letter_counts().get(&("log".into(), reason)).copied();
        let reasons = [Reason::NoEventTime, Reason::Future, Reason::Late].map(count);
        assert_eq!(reasons, [Some(512), Some(1), Some(late)], "{delay} s");
        assert_eq!(counted(&rows), used as i64, "{delay} s");
    }
}

#[test]
fn the_broker_logs_are_hardly_late_in_the_engine_as_partitions() {
    let logs = kafka_brokers(&folder()).unwrap();
    let memory = logs.iter().fold(Memory::new(), partition);
    let (job, rows) = job(&memory, Duration::ZERO);
    run(vec![job.clone()], &Workers::threads(2), &Stop::new()).unwrap();
    let (read, dead) = (77_025, 77_025 - 22_164);
    let expected = Ledger { read, used: 22_164 - 37, late: 37, dead, ..Ledger::default() };
    assert_eq!(job.board.ledger(), expected);
    assert_eq!(counted(&rows), 22_164 - 37);
    let partitions = job.board.partitions();
    assert_eq!(partitions.len(), logs.len());
    for (log, board) in logs.iter().zip(partitions.values()) {
        let undatable = log.iter().filter(|line| line.time.is_none()).count() as u64;
        assert_eq!((board.ledger.read, board.ledger.dead), (log.iter().count() as u64, undatable));
    }
}
