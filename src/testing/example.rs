//! [`Example`]: runs a small dataflow over events in memory, for examples that assert.
//!
//! ```text
//! [("a", 1, 3), …] ─► one partition ─► source "events" ─► the dataflow, on two workers
//!   key, second, value                                        │
//!                               Vec<String> ◄── sorted ◄── rows as text
//! ```
//!
//! A row is its cells with a space between them; a time of 1970 is `minute:second`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codec::{self, Wire};
use crate::error::Result;
use crate::key::Key;
use crate::letter::Letter;
use crate::row::{Cell, Cells, Change, Column, Field, Mark, Row};
use crate::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use crate::sink::View;
use crate::sink::memory::Collector;
use crate::source::memory::Memory;
use crate::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use crate::stream::{Flow, Stream, Updates, Windowed};
use crate::text::Text;
use crate::time::{Time, millis};
use crate::window::Window;

/// What an example reads: made of `("key", second, value)`.
///
/// ```
/// use highwater::prelude::*;
/// use highwater::testing::example::Event;
///
/// let event = Event::from(("a", 90, 3));
/// assert_eq!(event.time, Some(Time::from_seconds(90)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// What it is grouped by.
    pub key: Text,
    /// Event time; `None` makes a dead letter.
    pub time: Option<Time>,
    /// What is added up.
    pub value: i64,
}

impl From<(&str, i64, i64)> for Event {
    fn from((key, second, value): (&str, i64, i64)) -> Event {
        Event { key: key.into(), time: Some(Time::from_seconds(second)), value }
    }
}

impl Wire for Event {
    fn field<'de, A: serde::de::MapAccess<'de>>(
        &mut self,
        name: &str,
        field: codec::Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "key" => {
                let mut key = None;
                field.text(&mut key)?;
                self.key = key.unwrap_or_default();
                Ok(())
            }
            "time" => field.time(&mut self.time),
            "value" => {
                let mut value = None;
                field.i64(&mut value)?;
                self.value = value.unwrap_or_default();
                Ok(())
            }
            _ => field.skip(),
        }
    }
}

impl Row for Event {
    fn columns() -> Vec<Column> {
        let mut columns = Vec::new();
        Text::columns("key", false, &mut columns);
        Time::columns("time", true, &mut columns);
        i64::columns("value", false, &mut columns);
        columns
    }

    fn put(&self, cells: &mut Cells) {
        self.key.put(cells);
        self.time.put(cells);
        self.value.put(cells);
    }
}

/// A row of an example: the key, the start of the window, the value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<K, V> {
    /// The group.
    pub key: K,
    /// The window.
    pub window: Window,
    /// What its events add up to.
    pub value: V,
}

impl<K: Field, V: Field> Row for Line<K, V> {
    fn columns() -> Vec<Column> {
        let mut columns = Vec::new();
        K::columns("key", false, &mut columns);
        Time::columns("window_start", false, &mut columns);
        V::columns("value", false, &mut columns);
        columns
    }

    fn put(&self, cells: &mut Cells) {
        self.key.put(cells);
        self.window.start.put(cells);
        self.value.put(cells);
    }
}

/// What can be named a view: events, rows that are final, rows that change.
pub trait Leaves {
    /// Names the view.
    fn leave(&self, view: &str);
}

impl<E: Row + 'static> Leaves for Stream<E> {
    fn leave(&self, view: &str) {
        self.sink(view);
    }
}

impl<K: Key, R: Row + Clone + 'static> Leaves for Windowed<K, R> {
    fn leave(&self, view: &str) {
        self.sink(view);
    }
}

impl<K: Key, R: Row + Clone + 'static> Leaves for Updates<K, R> {
    fn leave(&self, view: &str) {
        self.sink(view);
    }
}

/// Runs a dataflow over a few events, on two workers, and returns its rows as sorted texts.
///
/// The events are one partition, in this order; the lateness is zero.
///
/// ```
/// use highwater::testing::Example;
///
/// let events = [("a", 1, 3), ("b", 2, -4)];
/// let rows = Example::run(events, |events| events.filter(|event| 0 < event.value));
/// assert_eq!(rows, ["a 00:01 3"]);
/// ```
pub struct Example;

impl Example {
    /// The final rows, when all events have been read and the input has ended.
    ///
    /// # Panics
    ///
    /// When the description is wrong: with its errors. So do the other functions.
    pub fn run<V: Leaves>(
        events: impl IntoIterator<Item = impl Into<Event>>,
        describe: impl Fn(Stream<Event>) -> V + Send + Sync + 'static,
    ) -> Vec<String> {
        let ran = Ran::new(events, End::Finished, move |flow| read(flow, &describe));
        let finals = ran.views.values().flatten().filter(|(mark, _)| mark.change == Change::Final);
        sorted(finals.map(|(_, cells)| text(cells)))
    }

    /// What a table that is keyed by window and first column holds when all events have been read,
    /// but more may come: rows of windows that are open are there if the view shows updates.
    pub fn updates<V: Leaves>(
        events: impl IntoIterator<Item = impl Into<Event>>,
        describe: impl Fn(Stream<Event>) -> V + Send + Sync + 'static,
    ) -> Vec<String> {
        let ran = Ran::new(events, End::Stopped, move |flow| read(flow, &describe));
        let mut table = BTreeMap::new();
        for (mark, cells) in ran.views.values().flatten() {
            let key = (mark.origin, text(&cells[..1]));
            match mark.change {
                Change::Final | Change::Upsert => table.insert(key, text(cells)),
                Change::Delete => table.remove(&key),
            };
        }
        sorted(table.into_values())
    }

    /// The dead letters, each as `offset reason: detail`.
    pub fn letters<V: Leaves>(
        events: impl IntoIterator<Item = impl Into<Event>>,
        describe: impl Fn(Stream<Event>) -> V + Send + Sync + 'static,
    ) -> Vec<String> {
        sorted(Ran::new(events, End::Finished, move |flow| read(flow, &describe)).letters)
    }

    /// The final rows of all views of a whole description, each behind the name of its view; its
    /// source is called `events`.
    pub fn flow(
        events: impl IntoIterator<Item = impl Into<Event>>,
        describe: impl Fn(&Flow) + Send + Sync + 'static,
    ) -> Vec<String> {
        let ran = Ran::new(events, End::Finished, describe);
        let rows =
            ran.views.iter().flat_map(|(view, rows)| rows.iter().map(move |row| (view, row)));
        let finals = rows.filter(|(_, (mark, _))| mark.change == Change::Final);
        sorted(finals.map(|(view, (_, cells))| format!("{view} {}", text(cells))))
    }

    /// What the tables of all views hold when all events have been read, but more may come: each
    /// row behind the name of its view. For views that change row by row.
    pub fn updates_flow(
        events: impl IntoIterator<Item = impl Into<Event>>,
        describe: impl Fn(&Flow) + Send + Sync + 'static,
    ) -> Vec<String> {
        let ran = Ran::new(events, End::Stopped, describe);
        let mut table = BTreeSet::new();
        for (view, rows) in &ran.views {
            for (mark, cells) in rows {
                let row = format!("{view} {}", text(cells));
                match mark.change {
                    Change::Final | Change::Upsert => table.insert(row),
                    Change::Delete => table.remove(&row),
                };
            }
        }
        sorted(table)
    }

    /// A row of key, start of the window and value; what `rows(…)` takes.
    pub fn row<K, V>(key: K, window: Window, value: V) -> Line<K, V> {
        Line { key, window, value }
    }

    /// The event time of an event; what `flow.source(…)` takes.
    pub fn time(event: &Event) -> Option<Time> {
        event.time
    }
}

fn read<V: Leaves>(flow: &Flow, describe: &impl Fn(Stream<Event>) -> V) {
    describe(flow.source("events", Duration::ZERO, Example::time)).leave("view");
}

/// How an example ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// With its input: every window closes.
    Finished,
    /// Behind the last event, but more could come.
    Stopped,
}

/// What is left of an example.
struct Ran {
    views: BTreeMap<Text, Vec<(Mark, Vec<Cell>)>>,
    letters: Vec<String>,
}

impl Ran {
    fn new(
        events: impl IntoIterator<Item = impl Into<Event>>,
        end: End,
        describe: impl Fn(&Flow) + Send + Sync + 'static,
    ) -> Ran {
        let events: Vec<Event> = events.into_iter().map(Into::into).collect();
        let (stop, letters) = (Stop::new(), Collector::default());
        let memory = Memory::new().partition(Arc::new(events), &[1, 2]);
        let connector: Arc<dyn Connector> = match end {
            End::Finished => Arc::new(memory),
            End::Stopped => Arc::new(Unbounded { memory, stop: stop.clone() }),
        };
        let mut job = Job::new("example", move |flow| {
            describe(flow);
            Ok(())
        });
        job.pace.tick = millis(1);
        job.sources = [("events".into(), BoundSource::new(connector))].into();
        job.letters = BoundSink::new("letters", letters.sink(&view("letters")));
        let schemas = job.schemas().unwrap_or_else(|error| panic!("{error}"));
        let mut collectors = BTreeMap::new();
        for name in schemas.into_keys() {
            let collector = Collector::default();
            let sink = BoundSink::new(&name, collector.sink(&view(&name)));
            job.sinks.insert(name.clone(), vec![sink]);
            collectors.insert(name, collector);
        }
        run(vec![Arc::new(job)], &Workers::threads(2), &stop)
            .unwrap_or_else(|error| panic!("{error}"));
        Ran {
            views: collectors.into_iter().map(|(view, rows)| (view, rows.log())).collect(),
            letters: letters.finals().iter().map(|cells| letter(cells)).collect(),
        }
    }
}

fn view(name: &str) -> View {
    View { name: name.into(), schema: Default::default(), key: vec![], stamp: None }
}

/// A memory source of which nobody knows whether it has ended; asks for the end of the run when
/// everything in it was read.
struct Unbounded {
    memory: Memory,
    stop: Stop,
}

impl Connector for Unbounded {
    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Source>> {
        let memory = self.memory.open(worker, peers)?;
        Ok(Box::new(UnboundedSource { memory, stop: self.stop.clone() }))
    }
}

struct UnboundedSource {
    memory: Box<dyn Source>,
    stop: Stop,
}

impl Source for UnboundedSource {
    fn partitions(&mut self) -> Result<u32> {
        self.memory.partitions()
    }

    fn open(&mut self, partition: u32, from: &Start, wake: Wake) -> Result<Box<dyn Partition>> {
        let partition = self.memory.open(partition, from, wake)?;
        Ok(Box::new(UnboundedPartition { partition, stop: self.stop.clone() }))
    }

    fn name(&self, partition: u32) -> String {
        self.memory.name(partition)
    }
}

struct UnboundedPartition {
    partition: Box<dyn Partition>,
    stop: Stop,
}

impl Partition for UnboundedPartition {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let poll = self.partition.poll(batch)?;
        if poll == Poll::Finished {
            self.stop.ask();
            return Ok(Poll::CaughtUp);
        }
        Ok(poll)
    }
}

fn sorted(texts: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut texts: Vec<String> = texts.into_iter().collect();
    texts.sort();
    texts
}

/// Offset, reason and detail of a letter.
fn letter(cells: &[Cell]) -> String {
    let schema = Letter::schema();
    let cell = |name| schema.index(name).map(|index| text(&cells[index..=index]));
    let [offset, reason, detail] =
        ["offset", "reason", "detail"].map(|name| cell(name).unwrap_or_default());
    format!("{offset} {reason}: {detail}")
}

/// Cells with a space between them.
fn text(cells: &[Cell]) -> String {
    let mut text = String::new();
    for cell in cells {
        let space = if text.is_empty() { "" } else { " " };
        let _ = match cell {
            Cell::Null => write!(text, "{space}NULL"),
            Cell::Bool(value) => write!(text, "{space}{value}"),
            Cell::I32(value) => write!(text, "{space}{value}"),
            Cell::I64(value) => write!(text, "{space}{value}"),
            Cell::F64(value) => write!(text, "{space}{value}"),
            Cell::Text(value) => write!(text, "{space}{value}"),
            Cell::Time(time) => write!(text, "{space}{}", clock(*time)),
            other => write!(text, "{space}{other:?}"),
        };
    }
    text
}

/// A time of the first hour of 1970 as minute and second; another one in full.
fn clock(time: Time) -> String {
    let seconds = time.seconds();
    if (0..3_600).contains(&seconds) && time == Time::from_seconds(seconds) {
        format!("{:02}:{:02}", seconds / 60, seconds % 60)
    } else {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Count;
    use crate::time::minutes;
    use crate::window::Tumbling;

    #[test]
    fn an_example_that_may_go_on_ends_and_shows_open_windows_only_as_updates() {
        let counts = |events: Stream<Event>| {
            let windows = events.window(Tumbling::new(minutes(1)));
            windows.accumulate(|_| Count::one()).rows(Example::row)
        };
        let events = [("a", 1, 1), ("b", 2, 1), ("a", 61, 1)];
        for _ in 0..3 {
            assert_eq!(Example::updates(events, counts), ["00:00 2"]);
            let updates = Example::updates(events, move |events| counts(events).updates());
            assert_eq!(updates, ["00:00 2", "01:00 1"]);
        }
        assert_eq!(Example::run(events, counts), ["00:00 2", "01:00 1"]);
    }

    #[test]
    fn no_event_gives_no_row() {
        assert_eq!(Example::run([] as [Event; 0], |events| events), [""; 0]);
        assert_eq!(Example::updates([] as [Event; 0], |events| events), [""; 0]);
    }

    #[test]
    #[should_panic(expected = "two views are called `v`")]
    fn a_wrong_description_is_told() {
        Example::flow([("a", 1, 1)], |flow| {
            let events = flow.source("events", minutes(1), Example::time);
            events.sink("v");
            let windows = events.window(Tumbling::new(minutes(1)));
            windows.accumulate(|_| Count::one()).rows(Example::row).sink("v");
        });
    }

    #[test]
    fn cells_are_told_apart_by_spaces_and_times_are_short_in_the_first_hour() {
        let time = |micros| Cell::Time(Time::from_micros(micros));
        let cells = [Cell::Null, Cell::I64(-1), Cell::F64(0.5), Cell::Text("a".into())];
        assert_eq!(text(&cells), "NULL -1 0.5 a");
        assert_eq!(text(&[time(3_599_000_000)]), "59:59");
        assert_eq!(text(&[time(3_600_000_000)]), "1970-01-01T01:00:00.000000Z");
        assert_eq!(text(&[time(1)]), "1970-01-01T00:00:00.000001Z");
        assert_eq!(text(&[time(-1_000_000)]), "1969-12-31T23:59:59.000000Z");
    }
}
