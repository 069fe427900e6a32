//! What a loop reads: events in memory, or records that it decodes as the engine does.

use std::sync::Arc;
use std::time::Duration;

use highwater::codec::{At, Decoded, Options, TypeErrors, Wire, decode};
use highwater::error::Result;
use highwater::row::Position;
use highwater::source::{Batch, Partition, Poll, Source, Start};

/// Partitions that are read in turn, a batch at a time.
pub trait Feed<E> {
    /// How many partitions there are.
    fn partitions(&self) -> usize;

    /// Whether a partition may have more.
    fn is_open(&self, partition: usize) -> bool;

    /// Hands over one batch of each partition.
    ///
    /// # Errors
    ///
    /// A partition cannot be read.
    fn round(&mut self, take: impl FnMut(usize, &[E])) -> Result<Batches>;
}

/// What a round found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batches {
    /// There may be more.
    More,
    /// That was all.
    Ended,
}

/// Events in memory.
pub struct InMemory<'a, E> {
    partitions: &'a [Arc<Vec<E>>],
    batch: usize,
    at: usize,
}

impl<'a, E> InMemory<'a, E> {
    /// Read in batches of so many.
    pub fn new(partitions: &'a [Arc<Vec<E>>], batch: usize) -> InMemory<'a, E> {
        InMemory { partitions, batch, at: 0 }
    }
}

impl<E> Feed<E> for InMemory<'_, E> {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn is_open(&self, partition: usize) -> bool {
        self.at < self.partitions[partition].len()
    }

    fn round(&mut self, mut take: impl FnMut(usize, &[E])) -> Result<Batches> {
        for (partition, events) in self.partitions.iter().enumerate() {
            let start = self.at.min(events.len());
            let end = (start + self.batch).min(events.len());
            take(partition, &events[start..end]);
        }
        self.at += self.batch;
        let more = (0..self.partitions.len()).any(|partition| self.is_open(partition));
        Ok(if more { Batches::More } else { Batches::Ended })
    }
}

/// Records of a source, polled directly and decoded with the codec of the engine.
pub struct Records<E> {
    // Dropped before the source that opened them.
    partitions: Vec<Reading>,
    _source: Box<dyn Source>,
    batch: Batch,
    decoded: Decoded<E>,
    options: Options,
    errors: TypeErrors,
    /// How many events there are, where the source has no end.
    left: Option<u64>,
}

struct Reading {
    partition: Box<dyn Partition>,
    finished: bool,
}

impl<E> Records<E> {
    /// All partitions of a source; `events` are there, if it does not end by itself.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    pub fn new(mut source: Box<dyn Source>, events: Option<u64>) -> Result<Records<E>> {
        let mut partitions = Vec::new();
        for partition in 0..source.partitions()? {
            let partition = source.open(partition, &Start::Earliest, Arc::new(|| {}))?;
            partitions.push(Reading { partition, finished: false });
        }
        Ok(Records {
            partitions,
            _source: source,
            batch: Batch::default(),
            decoded: Decoded::default(),
            options: Options::default(),
            errors: TypeErrors::default(),
            left: events,
        })
    }
}

impl<E: Wire> Feed<E> for Records<E> {
    fn partitions(&self) -> usize {
        self.partitions.len()
    }

    fn is_open(&self, partition: usize) -> bool {
        !self.partitions[partition].finished
    }

    fn round(&mut self, mut take: impl FnMut(usize, &[E])) -> Result<Batches> {
        let mut found = false;
        for (number, reading) in self.partitions.iter_mut().enumerate() {
            if reading.finished {
                continue;
            }
            self.batch.clear();
            reading.finished = reading.partition.poll(&mut self.batch)? == Poll::Finished;
            self.decoded.clear();
            for record in &self.batch.records {
                let partition = number as u32;
                let position = Position { source: 0, partition, offset: record.offset, element: 0 };
                let at = At { topic: "bench", position };
                let value = self.batch.slice(&record.value);
                // What cannot be decoded is a dead letter of the engine; these inputs have none.
                let _ = decode(value, at, &self.options, &self.errors, &mut self.decoded);
            }
            found |= !self.batch.records.is_empty();
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(self.batch.records.len() as u64);
            }
            take(number, &self.decoded.events);
        }
        if self.left == Some(0) || self.partitions.iter().all(|reading| reading.finished) {
            return Ok(Batches::Ended);
        }
        if !found {
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(Batches::More)
    }
}
