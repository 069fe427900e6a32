//! Operational alerts as a job raises them about itself: each kind that can be brought about here,
//! in runs over input without an end; and none in runs over input that ends.

mod systems;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use highwater::error::Error;
use highwater::prelude::*;
use highwater::row::{Cell, Rows};
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run, wall_time};
use highwater::sink::memory::Collector;
use highwater::sink::{Accepts, Guarantee, Refusal, Shard, Sink, View as SinkView, Writer};
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::stream::{Alerts, Stream};
use highwater::testing::example::Event;

/// A record: its own time, and its value.
type Record = (Option<Time>, Vec<u8>);

/// A partition that a test feeds record by record.
#[derive(Clone, Default)]
struct Fed {
    records: Arc<Mutex<Vec<Record>>>,
    bounded: bool,
}

impl Fed {
    fn send(&self, time: Option<Time>, value: impl Into<Vec<u8>>) {
        self.records.lock().unwrap().push((time, value.into()));
    }

    /// An event of a key that happens now.
    fn happens(&self, key: &str) {
        let now = wall_time();
        self.send(Some(now), format!(r#"{{"key":"{key}","time":"{now}","value":1}}"#));
    }
}

impl Connector for Fed {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Fed {
    fn partitions(&mut self) -> Result<u32> {
        Ok(1)
    }

    fn open(&mut self, _partition: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        Ok(Box::new(Reading { fed: self.clone(), next: 0 }))
    }

    fn name(&self, _partition: u32) -> String {
        "fed".into()
    }

    fn is_bounded(&self) -> bool {
        self.bounded
    }
}

struct Reading {
    fed: Fed,
    next: usize,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let records = self.fed.records.lock().unwrap();
        for (time, value) in &records[self.next..] {
            batch.push(self.next as i64, *time, None, Some(value));
            self.next += 1;
        }
        batch.next_offset = self.next as i64;
        Ok(match self.fed.bounded {
            true => Poll::Finished,
            false if batch.is_empty() => Poll::After(millis(10)),
            false => Poll::Ready,
        })
    }
}

/// A sink that can be away.
#[derive(Clone, Default)]
struct Away {
    rows: Collector,
    away: Arc<AtomicBool>,
}

impl Sink for Away {
    fn accepts(&self) -> Accepts {
        Accepts::Updates
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    fn open(&mut self, shard: Shard) -> Result<Box<dyn Writer>> {
        let writer = self.rows.sink(&view("all")).open(shard)?;
        Ok(Box::new(AwayWriter { away: self.away.clone(), writer }))
    }
}

struct AwayWriter {
    away: Arc<AtomicBool>,
    writer: Box<dyn Writer>,
}

impl Writer for AwayWriter {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        match self.away.load(Relaxed) {
            true => Err(Error::unreachable("the service is away")),
            false => self.writer.write(rows),
        }
    }
}

fn view(name: &str) -> SinkView {
    SinkView { name: name.into(), schema: Default::default(), key: vec![], stamp: None }
}

type Declare = fn(&mut Alerts<'_>, &Stream<Event>) -> Result<()>;

/// A job over what a test feeds, with a view of all events, windows of a second, and alerts.
struct Running {
    fed: Fed,
    sink: Away,
    alerts: Collector,
    stop: Stop,
    thread: std::thread::JoinHandle<Result<()>>,
}

impl Running {
    fn start(fed: Fed, parameters: toml::Table, declare: Declare) -> Running {
        let (sink, alerts, stop) = (Away::default(), Collector::default(), Stop::new());
        let mut job = Job::new("watched", move |flow| {
            let events = flow.source("events", seconds(0), |event: &Event| event.time);
            events.sink("all");
            let windows = events.window(Tumbling::new(seconds(1)));
            windows.accumulate(|_| Count::one()).rows(Counted::new).sink("counts");
            let mut parameters = Parameters::new(&parameters);
            declare(&mut flow.alerts(&mut parameters)?, &events)?;
            parameters.finish()
        });
        job.pace.tick = millis(1);
        job.pace.ticks_per_epoch = 50;
        job.latency = true;
        job.sources = [("events".into(), BoundSource::new(Arc::new(fed.clone())))].into();
        let mut all = BoundSink::new("all", Box::new(sink.clone()));
        (all.kind, all.queue.rows_max) = ("postgres".into(), 1);
        let counts = BoundSink::new("counts", Collector::default().sink(&view("counts")));
        let raised = BoundSink::new("alerts", alerts.sink(&view("alerts")));
        job.sinks = BTreeMap::from([
            ("all".into(), vec![all]),
            ("counts".into(), vec![counts]),
            ("alerts".into(), vec![raised]),
        ]);
        let asked = stop.clone();
        let thread =
            std::thread::spawn(move || run(vec![Arc::new(job)], &Workers::threads(2), &asked));
        Running { fed, sink, alerts, stop, thread }
    }

    /// Alert, view and key of each row so far.
    fn raised(&self) -> Vec<String> {
        let line = |cells: Vec<Cell>| match &cells[..] {
            [
                Cell::Text(alert),
                Cell::Text(system),
                Cell::Text(view),
                Cell::Null,
                Cell::Null,
                Cell::Text(key),
                Cell::F64(value),
                Cell::F64(threshold),
                Cell::Text(severity),
            ] => {
                assert!(system == "watched" && severity == "warning", "{cells:?}");
                assert_ne!(value, threshold);
                format!("{alert} {view} {key}")
            }
            other => panic!("no operational alert: {other:?}"),
        };
        self.alerts.finals().into_iter().map(line).collect()
    }

    /// Goes on with something until so many alerts are there.
    fn until(&self, alerts: usize, mut goes_on: impl FnMut(&Fed)) -> Vec<String> {
        let begun = Instant::now();
        while self.raised().len() < alerts {
            assert!(begun.elapsed() < seconds(30), "only {:?}", self.raised());
            assert!(!self.thread.is_finished(), "the job has ended");
            goes_on(&self.fed);
            std::thread::sleep(millis(20));
        }
        self.raised()
    }

    /// Goes on with something for a while.
    fn during(&self, time: Duration, mut goes_on: impl FnMut(&Fed)) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            goes_on(&self.fed);
            std::thread::sleep(millis(20));
        }
    }

    /// All that was raised, when the job has ended.
    fn end(self) -> Vec<String> {
        self.stop.ask();
        let Running { thread, alerts, fed, sink, stop } = self;
        thread.join().unwrap().unwrap();
        let thread = std::thread::spawn(|| Ok(()));
        Running { thread, alerts, fed, sink, stop }.raised()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, Row)]
struct Counted {
    window: Window,
    count: Count,
}

impl Counted {
    fn new(_: (), window: Window, count: Count) -> Counted {
        Counted { window, count }
    }
}

fn failed(alerts: &mut Alerts<'_>, _: &Stream<Event>) -> Result<()> {
    alerts.operational("failed", Measure::FailedEvents, 0.0)
}

#[test]
fn a_broken_record_raises_one_alert_for_each_episode() {
    let over = toml::toml! { alerts.failed.over = "2s" };
    let job = Running::start(Fed::default(), over, failed);
    job.during(millis(1_500), |fed| fed.happens("a"));
    assert_eq!(job.raised(), [""; 0]);
    job.fed.send(None, "{");
    assert_eq!(job.until(1, |fed| fed.happens("a")), ["failed alerts {}"]);
    // It goes on for two seconds, and is over.
    job.during(millis(4_500), |fed| fed.happens("a"));
    assert_eq!(job.raised().len(), 1);
    job.fed.send(None, "[");
    job.until(2, |fed| fed.happens("a"));
    assert_eq!(job.end(), ["failed alerts {}"; 2]);
}

#[test]
fn a_run_over_input_that_ends_raises_none_unless_it_is_asked_to() {
    let check = |parameters: toml::Table, expect: &[&str]| {
        let fed = Fed { bounded: true, ..Fed::default() };
        fed.happens("a");
        fed.send(None, "{");
        let job = Running::start(fed, parameters, failed);
        let begun = Instant::now();
        while !job.thread.is_finished() {
            assert!(begun.elapsed() < seconds(30));
            std::thread::sleep(millis(10));
        }
        assert_eq!(job.end(), expect);
    };
    check(toml::Table::new(), &[]);
    check(toml::toml! { alerts.operational = "on" }, &["failed alerts {}"]);
    check(toml::toml! { alerts.operational = "off" }, &[]);
}

#[test]
fn too_small_a_share_of_the_records_is_used() {
    let over = toml::toml! { alerts.ratio.over = "1s" };
    let job = Running::start(Fed::default(), over, |alerts, _| {
        alerts.operational("ratio", Measure::UsedShare, 0.9)
    });
    job.during(millis(3_500), |fed| fed.happens("a"));
    assert_eq!(job.raised(), [""; 0], "all are used");
    let mut count = 0;
    let raised = job.until(1, |fed| {
        count += 1;
        if count % 3 == 0 { fed.send(None, "{}") } else { fed.happens("a") }
    });
    assert_eq!(raised, ["ratio alerts {}"]);
    job.end();
}

#[test]
fn a_sink_that_is_away_is_told_with_its_failures_and_what_waits_for_it() {
    let quick = toml::toml! { alerts.delay.over = "1s" };
    let job = Running::start(Fed::default(), quick, |alerts, _| {
        alerts.operational("writes", Measure::FailedWrites, 3.0)?;
        alerts.operational("database", Measure::SinkAway { kind: "postgres" }, 1.0)?;
        alerts.operational("kafka", Measure::SinkAway { kind: "kafka" }, 1.0)?;
        alerts.operational("delay", Measure::EventDelay { view: "all" }, 1.0)
    });
    job.during(millis(2_500), |fed| fed.happens("a"));
    assert_eq!(job.raised(), [""; 0]);
    // Its queue is full at once, so the job does not read any more; alerts get through.
    job.sink.away.store(true, Relaxed);
    let mut raised = job.until(3, |fed| fed.happens("a"));
    raised.sort();
    let sink = r#"{"sink":"postgres"}"#;
    let expect =
        ["delay all {}".into(), format!("database all {sink}"), format!("writes all {sink}")];
    assert_eq!(raised, [&expect[1], &expect[0], &expect[2]].map(Clone::clone));
    job.sink.away.store(false, Relaxed);
    // The next try comes some seconds later; then there is another episode.
    let begun = Instant::now();
    let rows = job.sink.rows.finals().len();
    while job.sink.rows.finals().len() <= rows + 1 {
        assert!(begun.elapsed() < seconds(40));
        job.during(millis(100), |fed| fed.happens("a"));
    }
    job.during(millis(2_500), |fed| fed.happens("a"));
    job.sink.away.store(true, Relaxed);
    let raised = job.until(5, |fed| fed.happens("a"));
    assert!(raised[3..].contains(&expect[1]), "{raised:?}");
    job.sink.away.store(false, Relaxed);
    job.end();
}

#[test]
fn a_frontier_that_stays_behind_while_records_come_is_told() {
    let quick = toml::toml! { alerts.behind.over = "1s" };
    let job = Running::start(Fed::default(), quick, |alerts, _| {
        alerts.operational("behind", Measure::FrontierDelay, 3.0)
    });
    job.during(millis(2_500), |fed| fed.happens("a"));
    // Nothing comes: a silent source is no delay.
    job.during(millis(5_500), |_| ());
    assert_eq!(job.raised(), [""; 0]);
    // Now come events that happened a minute ago, as in a job that cannot keep up.
    let old = |fed: &Fed| {
        let then = wall_time().minus(minutes(1));
        fed.send(Some(then), format!(r#"{{"key":"a","time":"{then}","value":1}}"#));
    };
    assert_eq!(job.until(1, old), ["behind alerts {}"]);
    job.end();
}

#[test]
fn a_view_that_gets_no_rows_is_told() {
    let job = Running::start(Fed::default(), toml::Table::new(), |alerts, _| {
        alerts.operational("none", Measure::NoRows { view: "all" }, 2.0)
    });
    job.during(millis(4_000), |fed| fed.happens("a"));
    assert_eq!(job.raised(), [""; 0]);
    assert_eq!(job.until(1, |_| ()), ["none all {}"]);
    job.during(millis(2_500), |_| ());
    assert_eq!(job.end(), ["none all {}"]);
}

#[test]
fn a_key_that_falls_silent_is_told_and_one_that_never_came_only_if_it_is_known() {
    let job = Running::start(Fed::default(), toml::Table::new(), |alerts, events| {
        let silence = alerts.silence("silence", 2.0)?;
        let keyed = events.key_by(|event| event.key.clone());
        keyed.silence(silence, "counts", &["key"], [Text::from("known")]);
        Ok(())
    });
    let both = |fed: &Fed| ["a", "b"].into_iter().for_each(|key| fed.happens(key));
    let known = r#"silence counts {"key":"known"}"#;
    assert_eq!(job.until(1, both), [known]);
    job.during(millis(3_000), both);
    assert_eq!(job.raised().len(), 1, "both come");
    let a = r#"silence counts {"key":"a"}"#;
    assert_eq!(job.until(2, |fed| fed.happens("b")), [known, a]);
    // It comes back, and falls silent again.
    job.during(millis(1_500), both);
    assert_eq!(job.until(3, |fed| fed.happens("b")), [known, a, a]);
    job.end();
}
