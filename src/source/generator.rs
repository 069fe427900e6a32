//! The `generator` source: records of a data set, paced by the clock, with nothing to install.
//!
//! It begins in the past, catches up at full speed and then keeps real time, so that every view
//! has rows at once. What it reads is what `highwater generate` would have written: bytes, which
//! go through the codec like those of any service.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use crate::config::SourceBinding;
use crate::dataset::{Generator, GeneratorKind, GeneratorOptions, Made, Records, find};
use crate::error::{Error, Result};
use crate::time::Time;

/// The time of day, as an argument.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// What the source takes from its table before the data set reads the rest.
#[derive(Clone, Debug, Deserialize)]
struct Own {
    /// Which data set, such as `chat.viewer`.
    dataset: String,
    /// Event time of the first record: RFC 3339, `"now"`, or by itself some minutes ago.
    start: Option<String>,
}

/// A data set that is read as if a service held it.
pub struct Generated {
    name: String,
    generator: Arc<dyn Generator>,
    events: Option<u64>,
    partitions: u32,
    now: Now,
}

impl Generated {
    /// Reads a binding. `back` is how far in the past it begins, if the binding does not say.
    ///
    /// # Errors
    ///
    /// No such data set, an option that it does not have, a value of the wrong type.
    pub fn bind(
        binding: &SourceBinding,
        kinds: &[GeneratorKind],
        back: Duration,
        now: Now,
    ) -> Result<Generated> {
        let within = |error: Error| error.within(&binding.place);
        let mut options = binding.options.clone();
        let mut own = toml::Table::new();
        for key in ["dataset", "start"] {
            own.extend(options.remove(key).map(|value| (key.to_string(), value)));
        }
        let Own { dataset, start } = own.try_into().map_err(|_| {
            let error = Error::config("a generator needs the name of a data set");
            within(error.hint("write generator = { dataset = \"chat.chat\", rate = 2000 }"))
        })?;
        let start = match start.as_deref() {
            None => now().minus(back),
            Some("now") => now(),
            Some(text) => read_time(text).map_err(within)?,
        };
        let (kind, topics) = find(kinds, &dataset).map_err(within)?;
        let options =
            GeneratorOptions::read(kind, topics.clone(), &options, start).map_err(within)?;
        let partitions = options.partitions.unwrap_or_else(|| {
            let partitions = topics.iter().map(|topic| kind.topics[*topic].partitions);
            partitions.max().unwrap_or(1)
        });
        let generator = (kind.make)(&options).map_err(within)?;
        Ok(Generated { name: dataset, generator, events: options.events, partitions, now })
    }
}

/// Reads a time of the command line or a binding.
///
/// # Errors
///
/// It is none.
pub fn read_time(text: &str) -> Result<Time> {
    let zone = crate::codec::timestamp::Zone::utc();
    crate::codec::timestamp::parse(text, &zone, true).ok_or_else(|| {
        Error::config(format!("`{text}` is no time")).hint("write one like 2026-01-31T12:00:00Z")
    })
}

impl Connector for Generated {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Generated {
            name: self.name.clone(),
            generator: self.generator.clone(),
            events: self.events,
            partitions: self.partitions,
            now: self.now.clone(),
        }))
    }
}

impl Source for Generated {
    fn partitions(&mut self) -> Result<u32> {
        Ok(self.partitions)
    }

    fn open(&mut self, partition: u32, from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let offset = match from {
            Start::Offset(offset) => (*offset).max(0) as u64,
            Start::Offsets(offsets) => {
                let own = offsets.iter().find(|(other, _)| *other == partition);
                own.map_or(0, |(_, offset)| (*offset).max(0) as u64)
            }
            Start::Earliest | Start::Latest | Start::Time(_) => 0,
        };
        let part = (partition, self.partitions);
        let records = Records::partition(self.generator.clone(), self.events, part, offset);
        let (made, now) = (Made::default(), self.now.clone());
        let mut reading = Reading { ready: false, records, made, offset: offset as i64, now };
        reading.ready = reading.records.next(&mut reading.made);
        Ok(Box::new(reading))
    }

    fn name(&self, partition: u32) -> String {
        format!("{} {partition}", self.name)
    }

    fn is_bounded(&self) -> bool {
        self.events.is_some()
    }
}

struct Reading {
    records: Records,
    /// The next record, if there is one.
    made: Made,
    ready: bool,
    offset: i64,
    now: Now,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let now = (self.now)();
        while self.ready && self.made.due <= now && !batch.is_full() {
            let Made { due, key, value, .. } = &self.made;
            let key = (!key.is_empty()).then_some(&key[..]);
            batch.push(self.offset, Some(*due), key, Some(value));
            self.offset += 1;
            self.ready = self.records.next(&mut self.made);
        }
        batch.next_offset = self.offset;
        Ok(match (batch.is_empty(), self.ready) {
            (true, false) => Poll::Finished,
            (_, true) if now < self.made.due => Poll::After(pause(now, self.made.due)),
            _ => Poll::Ready,
        })
    }

    fn offsets_are_dense(&self) -> bool {
        true
    }
}

/// No pause is longer: the clock may be set meanwhile.
const PAUSE_MAX: Duration = Duration::from_secs(1);

fn pause(now: Time, due: Time) -> Duration {
    Duration::from_micros((due.micros() - now.micros()).max(0) as u64).min(PAUSE_MAX)
}
