//! A source that a script moves: partitions of records and promises, released step by step.
//!
//! A promise is an entry of the log and has an offset, as a control record has. A step is through
//! in a partition when the positions behind it were committed and two more epochs after that: what
//! a promise of epoch *e* closes is written when epoch *e* + 2 is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use highwater::error::Result;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::time::Millis;

/// An entry of a log.
pub(super) enum Item {
    /// Key and value.
    Record(String, String),
    /// Nothing behind it lies before this time.
    Promise(Millis),
}

/// A partition.
#[derive(Default)]
pub(super) struct Log {
    pub(super) items: Vec<Item>,
    /// Where each step ends.
    pub(super) ends: Vec<usize>,
    /// How many steps are through.
    through: AtomicUsize,
}

impl Log {
    /// How many steps are through.
    pub(super) fn through(&self) -> usize {
        self.through.load(SeqCst)
    }
}

/// The partitions of a port.
#[derive(Clone)]
pub(super) struct Scripted {
    pub(super) logs: Vec<Arc<Log>>,
    /// How many steps may be read.
    pub(super) released: Arc<AtomicUsize>,
    /// Whether the last step is the end of all input.
    pub(super) has_end: bool,
}

impl Connector for Scripted {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Opened { port: self.clone(), owned: Vec::new() }))
    }
}

struct Opened {
    port: Scripted,
    /// Partitions of this worker, and how many steps each had reached at the last commits.
    owned: Vec<(u32, VecDeque<usize>)>,
}

impl Source for Opened {
    fn partitions(&mut self) -> Result<u32> {
        Ok(self.port.logs.len() as u32)
    }

    fn open(&mut self, partition: u32, _from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        self.owned.push((partition, VecDeque::new()));
        let (log, port) = (self.port.logs[partition as usize].clone(), self.port.clone());
        Ok(Box::new(Reading { log, port, at: 0 }))
    }

    fn name(&self, partition: u32) -> String {
        format!("script {partition}")
    }

    fn is_bounded(&self) -> bool {
        self.port.has_end
    }

    fn committed(&mut self, positions: &[(u32, i64)]) -> Result<()> {
        for (partition, before) in &mut self.owned {
            let log = &self.port.logs[*partition as usize];
            let position = positions.iter().find(|(other, _)| other == partition);
            let position = position.map_or(0, |(_, offset)| *offset as usize);
            before.push_back(log.ends.partition_point(|end| *end <= position));
            if 2 < before.len() {
                log.through.store(before.pop_front().unwrap(), SeqCst);
            }
        }
        Ok(())
    }
}

struct Reading {
    log: Arc<Log>,
    port: Scripted,
    at: usize,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let released = self.port.released.load(SeqCst);
        let end = released.checked_sub(1).map_or(0, |last| self.log.ends[last]);
        if self.at == end {
            let is_over = self.port.has_end && released == self.log.ends.len();
            return Ok(if is_over { Poll::Finished } else { Poll::Waiting });
        }
        while self.at < end && !batch.is_full() && batch.promise.is_none() {
            match &self.log.items[self.at] {
                Item::Record(key, value) => {
                    batch.push(self.at as i64, None, Some(key.as_bytes()), Some(value.as_bytes()));
                }
                Item::Promise(time) => batch.promise = Some(*time),
            }
            self.at += 1;
        }
        batch.next_offset = self.at as i64;
        Ok(Poll::Ready)
    }
}
