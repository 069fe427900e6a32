//! Load: a backlog that is written before anything is measured, and an open loop, in a process of
//! its own, in which every event is sent at its planned time whatever the engine does.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use highwater::error::{Error, Result};
use highwater::source::kafka::{Admin, ClientSettings, Outgoing, Producer};
use serde::{Deserialize, Serialize};

use crate::harness::latency::{Series, write_log};
use crate::workloads::plays::{PARTITIONS, Plan};
use crate::workloads::{Events, Place};

/// How long the open loop sleeps when nothing is due.
const NAP: Duration = Duration::from_micros(300);

/// Where events go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Where to ask for the cluster.
    pub brokers: String,
    /// The topic.
    pub topic: String,
}

/// What the process of an open loop is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenLoop {
    /// Where events go.
    pub target: Target,
    /// Which events, and when.
    pub plan: Plan,
    /// Where the histogram of its own lateness goes.
    pub log: PathBuf,
}

/// What an open loop has done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Sent {
    /// Events that were sent and confirmed.
    pub events: u64,
    /// Events a second from the first to the last.
    pub rate: f64,
    /// Half of the events were sent at most so late, in milliseconds.
    pub late_p50_ms: f64,
    /// 99 of 100.
    pub late_p99_ms: f64,
    /// 999 of 1,000.
    pub late_p999_ms: f64,
    /// The latest.
    pub late_max_ms: f64,
}

impl Target {
    /// Makes the topic anew, with so many partitions.
    ///
    /// # Errors
    ///
    /// The broker refuses.
    pub fn create(&self, partitions: u32) -> Result<()> {
        Admin::new(&self.brokers, &ClientSettings::default())?
            .create_topic(&self.topic, partitions)
            .map(drop)
    }

    fn producer(&self) -> Result<Producer> {
        Producer::new(&self.brokers, &ClientSettings::default())
    }

    /// Sends one event.
    ///
    /// # Errors
    ///
    /// The broker is away.
    pub fn send(&self, producer: &Producer, partition: u32, value: &str) -> Result<()> {
        producer.send(Outgoing {
            topic: &self.topic,
            partition,
            key: None,
            value: Some(value.as_bytes()),
            time: None,
        })
    }

    /// Sends one event of a past time to each partition, and waits until it is there.
    ///
    /// # Errors
    ///
    /// The broker is away.
    pub fn probe(&self, at_ms: i64) -> Result<()> {
        let (producer, mut event) = (self.producer()?, String::new());
        Plan::write_probe(at_ms, &mut event);
        for partition in 0..PARTITIONS {
            self.send(&producer, partition, &event)?;
        }
        producer.flush()
    }

    /// Makes the topics of a backlog, whose names begin with that of this one, and writes all of it
    /// as fast as it can; returns the seconds it took.
    ///
    /// # Errors
    ///
    /// The broker is away.
    pub fn fill(&self, events: &dyn Events) -> Result<f64> {
        let mut topics = Vec::new();
        for (suffix, partitions) in events.topics() {
            let topic = Target { topic: format!("{}{suffix}", self.topic), ..self.clone() };
            topic.create(partitions)?;
            topics.push(topic);
        }
        let start = Instant::now();
        let (producer, mut event) = (self.producer()?, String::new());
        let send =
            |place: Place, event: &str| topics[place.topic].send(&producer, place.partition, event);
        for n in 0..events.count() {
            send(events.write(n, &mut event), &event)?;
        }
        events.closing(&mut |place, event| send(place, event))?;
        producer.flush()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Sends every event that is due, never skips one, never waits for anybody; records how late it was
/// itself.
///
/// # Errors
///
/// The broker is away, or the log cannot be written.
pub fn open_loop(spec: &OpenLoop) -> Result<Sent> {
    let OpenLoop { target, plan, log } = spec;
    let (producer, mut event) = (target.producer()?, String::new());
    let mut late = Series::new("gen_late");
    let start = plan.planned_us(0);
    let mut n = 0;
    while n < plan.events {
        while n < plan.events && plan.planned_us(n) <= now_us() {
            let partition = plan.write(n, &mut event);
            target.send(&producer, partition, &event)?;
            let planned = plan.planned_us(n);
            late.record(Duration::from_micros((planned - start) as u64), now_us() - planned);
            n += 1;
        }
        producer.serve()?;
        thread::sleep(NAP);
    }
    let seconds = (now_us() - start) as f64 / 1e6;
    producer.flush()?;
    write_log(log, UNIX_EPOCH + Duration::from_micros(start as u64), &[&late])?;
    let total = late.total();
    let ms = |quantile: f64| total.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Sent {
        events: n,
        rate: n as f64 / seconds,
        late_p50_ms: ms(0.5),
        late_p99_ms: ms(0.99),
        late_p999_ms: ms(0.999),
        late_max_ms: ms(1.0),
    })
}

/// Microseconds since 1970: planned times and receipts are read from this one clock.
pub fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// Reads what a part of the harness was told, as JSON.
///
/// # Errors
///
/// The file cannot be read, or says something else.
pub fn told<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::config(format!("cannot read {}: {error}", path.display()))
    };
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    serde_json::from_str(&text).map_err(|error| failed(&error))
}
