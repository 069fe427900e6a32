//! One competent thread: a hash map, a loop, the same client, batches and decoder as Highwater.
//! With less to do it is a limit: what reading alone costs, and decoding.
//!
//! What no single thread needs is left out: exchange, progress, dead letters, anything kept for a
//! restart. Slices are shared by the windows that cover them, as in the engine.

mod windows;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use highwater::codec::Wire;
use highwater::error::{Error, Result};
use highwater::hash::{FixedMap, FixedSet};
use highwater::lateness::Watermark;
use highwater::source::kafka::{ClientSettings, KafkaSource, Options, Outgoing, Producer, Setup};
use highwater::source::{Batch, Partition, Source, Start};
use highwater::text::Text;
use serde::{Deserialize, Serialize};

use super::{Engine, Input, Job, RowsWanted, write};
use crate::micro::loops::feed::{Batches, Feed, Records};
use crate::workloads::Workload;
use crate::workloads::plays::Play;
use crate::workloads::queries::Query;
use crate::workloads::windows::Event;

/// What librdkafka may hold, as in the engine.
const QUEUE_BYTES_MAX: usize = 32 << 20;

/// How much of the work the thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Work {
    /// Reads records.
    Consume,
    /// Decodes them too.
    Decode,
    /// Answers the query.
    Answer,
}

/// What the process of a thread is told.
#[derive(Serialize, Deserialize)]
struct Told {
    work: Work,
    job: Job,
}

struct SingleThread {
    name: &'static str,
    work: Work,
}

/// The thread, and the two limits.
pub(super) fn engines() -> Vec<Box<dyn Engine>> {
    [("consume", Work::Consume), ("decode", Work::Decode), ("single_thread", Work::Answer)]
        .map(|(name, work)| -> Box<dyn Engine> { Box::new(SingleThread { name, work }) })
        .into()
}

impl Engine for SingleThread {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> Result<String, String> {
        Ok("one thread with the client and the decoder of Highwater".into())
    }

    fn refuses(&self, job: &Job) -> Option<String> {
        match (self.work, job.query) {
            (Work::Consume | Work::Decode, _) if job.input_is == Input::Live => {
                Some("a limit that writes no rows has no latency".into())
            }
            (_, Workload::Plays(_) | Workload::Windows(_)) => None,
            (Work::Consume, query) if !matches!(query, Workload::System(_)) => None,
            _ => Some(format!("the thread was not taught the query {}", job.query)),
        }
    }

    fn command(&self, job: &Job) -> Result<Command> {
        let told = Told { work: self.work, job: job.clone() };
        let text = serde_json::to_string_pretty(&told).map_err(Error::bug)?;
        let path = write(&job.work, "job.json", &text)?;
        let mut command = Command::new(std::env::current_exe().map_err(Error::storage)?);
        command.args(["part", "single-thread"]).arg(path);
        Ok(command)
    }

    fn writes_rows(&self) -> bool {
        self.work == Work::Answer
    }
}

/// Does what a file says, until the input ends or `stop` is set.
///
/// # Errors
///
/// The topics cannot be read or written, or the backlog has not as many events as was said.
pub fn run(path: &std::path::Path, stop: &AtomicBool) -> Result<()> {
    let Told { work, job } = crate::load::told(path)?;
    let options = Options {
        topic: job.input.topic.clone(),
        brokers: job.input.brokers.clone(),
        start: Start::Earliest,
        group: None,
        refresh: Duration::from_secs(600),
        client: ClientSettings::default(),
    };
    let setup = Setup { queue_bytes_max: QUEUE_BYTES_MAX, ..Setup::default() };
    let source = KafkaSource::connect(&options, setup)?;
    let events = (job.input_is == Input::Backlog).then_some(job.events);
    match work {
        Work::Consume => consume(source, job.events),
        Work::Decode if matches!(job.query, Workload::Windows(_)) => {
            let mut feed = Records::new(Box::new(source), events)?;
            decode(&mut feed, job.events, |event: &Event| event.at.is_some())
        }
        Work::Decode => {
            let mut feed = Records::new(Box::new(source), events)?;
            decode(&mut feed, job.events, |play: &Play| play.timestamp.is_some())
        }
        Work::Answer => match job.query {
            Workload::Plays(query) => {
                answer(&mut Records::new(Box::new(source), events)?, query, &job, stop)
            }
            Workload::Windows(shape) => {
                windows::answer(&mut Records::new(Box::new(source), events)?, shape, &job, stop)
            }
            query => Err(Error::config(format!("one thread does not answer {query}"))),
        },
    }
}

fn consume(mut source: KafkaSource, events: u64) -> Result<()> {
    let mut partitions: Vec<Box<dyn Partition>> = Vec::new();
    for number in 0..source.partitions()? {
        partitions.push(source.open(number, &Start::Earliest, Arc::new(|| {}))?);
    }
    let (mut batch, mut read) = (Batch::default(), 0);
    while read < events {
        let before = read;
        for partition in &mut partitions {
            batch.clear();
            partition.poll(&mut batch)?;
            read += batch.records.len() as u64;
        }
        if read == before {
            thread::sleep(Duration::from_micros(200));
        }
    }
    Ok(())
}

fn decode<E: Wire>(
    feed: &mut Records<E>,
    events: u64,
    is_dated: impl Fn(&E) -> bool,
) -> Result<()> {
    let mut dated = 0;
    while feed.round(|_, events| {
        dated += events.iter().filter(|event| is_dated(event)).count() as u64;
    })? == Batches::More
    {}
    if dated < events {
        return Err(Error::bug(format!("decoded {dated} of {events} events")));
    }
    Ok(())
}

/// What is known of a group, in one slice or in a window.
#[derive(Clone, Default)]
struct State {
    events: i64,
    planned_us: i64,
    users: FixedSet<Text>,
    /// Whether it has changed since its last row.
    is_new: bool,
}

/// The groups of all open slices, by where the slice begins.
struct Groups {
    query: Query,
    slices: BTreeMap<i64, FixedMap<Text, State>>,
    /// End of the first window that is open.
    next_end: Option<i64>,
    changed: Vec<(i64, Text)>,
    updates: bool,
}

fn answer(feed: &mut Records<Play>, query: Query, job: &Job, stop: &AtomicBool) -> Result<()> {
    let linger = [("linger.ms".to_owned(), job.linger_ms.to_string())];
    let producer = Producer::new(&job.output.brokers, &ClientSettings(linger.into()))?;
    let mut value = String::new();
    let mut send = |key: &Text, start: i64, state: &State| -> Result<()> {
        write_row(query, key, start, state, &mut value);
        producer.send(Outgoing {
            topic: &job.output.topic,
            partition: 0,
            key: None,
            value: Some(value.as_bytes()),
            time: None,
        })
    };
    let delay = Duration::from_millis(job.delay_ms.unsigned_abs());
    let mut watermarks = vec![Watermark::new(delay); feed.partitions()];
    let mut groups = Groups {
        query,
        slices: BTreeMap::new(),
        next_end: None,
        changed: Vec::new(),
        updates: job.rows == RowsWanted::Update,
    };
    loop {
        let round = feed.round(|partition, plays| {
            for play in plays {
                groups.take(play, &mut watermarks[partition]);
            }
        })?;
        groups.send_changes(&mut send)?;
        let least = watermarks.iter().map(|watermark| watermark.get().0).min();
        groups.close(least.unwrap_or(i64::MIN), &mut send)?;
        // Answers of the broker are looked at, and what lingers is sent.
        producer.serve()?;
        if round == Batches::Ended || stop.load(Ordering::Relaxed) {
            return producer.flush();
        }
    }
}

impl Groups {
    fn take(&mut self, play: &Play, watermark: &mut Watermark) {
        let (size, slide) = self.query.window_ms();
        let key = match self.query {
            Query::Distinct => &play.event_type,
            Query::Count | Query::Latest => &play.video_id,
        };
        let (Some(at), Some(key)) = (play.timestamp, key) else { return };
        let slice = at.micros().div_euclid(slide * 1_000) * slide;
        // The last window that covers it is closed: too late.
        if !watermark.is_on_time(at) && slice + size <= watermark.get().0 {
            return;
        }
        watermark.observe(at);
        self.next_end.get_or_insert(slice + slide);
        let group = self.slices.entry(slice).or_default();
        if !group.contains_key(key) {
            group.insert(key.clone(), State::default());
        }
        let Some(state) = group.get_mut(key) else { return };
        state.events += 1;
        state.planned_us = state.planned_us.max(play.planned_us.unwrap_or(0));
        if let (Query::Distinct, Some(user)) = (self.query, &play.user_id)
            && !state.users.contains(user)
        {
            state.users.insert(user.clone());
        }
        if self.updates && !state.is_new {
            state.is_new = true;
            self.changed.push((slice, key.clone()));
        }
    }

    /// Sends the newest row of each group that has changed; windows that overlap have final rows
    /// alone.
    fn send_changes(
        &mut self,
        send: &mut impl FnMut(&Text, i64, &State) -> Result<()>,
    ) -> Result<()> {
        for (slice, key) in self.changed.drain(..) {
            let state = self.slices.get_mut(&slice).and_then(|group| group.get_mut(&key));
            if let Some(state) = state {
                state.is_new = false;
                send(&key, slice, state)?;
            }
        }
        Ok(())
    }

    /// Sends the rows of every window that ends at or before the watermark, and forgets its slices.
    fn close(
        &mut self,
        watermark_ms: i64,
        send: &mut impl FnMut(&Text, i64, &State) -> Result<()>,
    ) -> Result<()> {
        let (size, slide) = self.query.window_ms();
        while let Some(end) = self.next_end.filter(|end| *end <= watermark_ms) {
            if !self.updates {
                let mut merged: FixedMap<&Text, State> = FixedMap::default();
                for (key, state) in self.slices.range(end - size..end).flat_map(|(_, group)| group)
                {
                    let whole = merged.entry(key).or_default();
                    whole.events += state.events;
                    whole.planned_us = whole.planned_us.max(state.planned_us);
                    whole.users.extend(state.users.iter().cloned());
                }
                for (key, state) in &merged {
                    send(key, end - size, state)?;
                }
            }
            self.slices = self.slices.split_off(&(end - size + slide));
            let first = self.slices.first_key_value().map(|(first, _)| first + slide);
            self.next_end = first.map(|first| first.max(end + slide));
        }
        Ok(())
    }
}

fn write_row(query: Query, key: &Text, start: i64, state: &State, out: &mut String) {
    out.clear();
    let State { events, planned_us, users, .. } = state;
    let more = match query {
        Query::Count => String::new(),
        Query::Distinct => format!(",\"users\":{}", users.len()),
        Query::Latest => format!(",\"planned_us\":{planned_us}"),
    };
    write!(out, "{{\"key\":\"{key}\",\"start\":{start},\"events\":{events}{more}}}")
        .expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workloads::plays::{Plan, Timing};
    use highwater::time::Time;
    use std::collections::BTreeMap as Map;

    /// The final rows of a plan whose events are handed over in their order, without a broker.
    fn rows(query: Query, plan: &Plan) -> Map<(i64, String), (i64, i64)> {
        let mut groups = Groups {
            query,
            slices: BTreeMap::new(),
            next_end: None,
            changed: vec![],
            updates: false,
        };
        let mut watermark = Watermark::new(Duration::from_secs(10));
        let mut rows = Map::new();
        let mut send = |key: &Text, start: i64, state: &State| {
            let row = (state.events, state.users.len() as i64);
            assert_eq!(rows.insert((start, key.to_string()), row), None, "one row a window");
            Ok(())
        };
        for n in 0..plan.events {
            let facts = plan.facts(n);
            let play = Play {
                timestamp: Some(Time::from_micros(facts.at_ms * 1_000)),
                user_id: Some(format!("u{}", facts.user).as_str().into()),
                event_type: Some(facts.event_type().into()),
                video_id: Some(facts.video_id().as_str().into()),
                planned_us: Some(0),
            };
            groups.take(&play, &mut watermark);
            groups.close(watermark.get().0, &mut send).unwrap();
        }
        groups.close(i64::MAX, &mut send).unwrap();
        rows
    }

    #[test]
    fn the_thread_finds_the_answer() {
        let plan = Plan { seed: 5, events: 20_000, timing: Timing::Backlog };
        for query in [Query::Count, Query::Distinct] {
            let answer = query.answer(&plan);
            let rows = rows(query, &plan);
            assert_eq!(rows.len(), answer.len());
            for (place, group) in answer {
                let users = group.users.unwrap_or(0);
                assert_eq!(rows[&place], (group.events, users), "{query} {place:?}");
            }
        }
    }
}
