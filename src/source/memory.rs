//! Events from memory, decoded already: for tests and benchmarks.
//!
//! Each partition is a vector of the port's wire type, handed out in batches of given sizes. No
//! event is copied.

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use super::{Batch, Connector, Decoded, Partition, Poll, Source, Start, Wake};
use crate::error::Result;
use crate::time::Time;

/// Partitions in memory.
#[derive(Clone, Default)]
pub struct Memory {
    partitions: Vec<Log>,
}

/// One partition: its events and the sizes of its batches.
#[derive(Clone)]
struct Log {
    events: Arc<dyn Any + Send + Sync>,
    len: usize,
    batches: Arc<[usize]>,
    record_times: Option<Arc<Vec<Option<Time>>>>,
}

impl Memory {
    /// No partition.
    pub fn new() -> Memory {
        Memory::default()
    }

    /// Adds a partition; its batches have these sizes in turn, over and over.
    ///
    /// # Panics
    ///
    /// When there is no size above zero.
    pub fn partition<E: Send + Sync + 'static>(
        mut self,
        events: Arc<Vec<E>>,
        batches: &[usize],
    ) -> Memory {
        assert!(batches.iter().any(|size| 0 < *size), "batches of nothing never end");
        let (len, batches) = (events.len(), batches.into());
        self.partitions.push(Log { events, len, batches, record_times: None });
        self
    }

    /// Gives the events of the last partition the times that a service would have for them.
    ///
    /// # Panics
    ///
    /// When there is no partition, or another number of times than events.
    pub fn record_times(mut self, times: Vec<Option<Time>>) -> Memory {
        let log = self.partitions.last_mut().expect("times belong to a partition");
        assert_eq!(log.len, times.len(), "one time per event");
        log.record_times = Some(Arc::new(times));
        self
    }
}

impl Connector for Memory {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for Memory {
    fn partitions(&mut self) -> Result<u32> {
        Ok(self.partitions.len() as u32)
    }

    fn open(&mut self, partition: u32, from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let log = self.partitions[partition as usize].clone();
        let at = match from {
            Start::Offset(offset) => (*offset as usize).min(log.len),
            Start::Latest => log.len,
            Start::Earliest | Start::Offsets(_) | Start::Time(_) => 0,
        };
        Ok(Box::new(Reading { log, at, turn: 0 }))
    }

    fn name(&self, partition: u32) -> String {
        format!("memory {partition}")
    }

    fn is_bounded(&self) -> bool {
        true
    }
}

struct Reading {
    log: Log,
    at: usize,
    turn: usize,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        if self.at == self.log.len {
            return Ok(Poll::Finished);
        }
        let size = self.log.batches[self.turn % self.log.batches.len()];
        self.turn += 1;
        let range: Range<usize> = self.at..(self.at + size).min(self.log.len);
        self.at = range.end;
        batch.next_offset = range.end as i64;
        let (events, offset) = (self.log.events.clone(), range.start as i64);
        let record_times = self.log.record_times.clone();
        batch.events = Some(Decoded { events, range, offset, record_times });
        Ok(Poll::Ready)
    }

    fn offsets_are_dense(&self) -> bool {
        true
    }
}
