//! A source without an end: behind its last event it is caught up, for ever.

use std::sync::Arc;

use highwater::error::Result;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};

/// The events of another source, and then silence.
#[derive(Clone)]
pub struct Unbounded(pub Arc<dyn Connector>);

impl Connector for Unbounded {
    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Silent(self.0.open(worker, peers)?)))
    }
}

struct Silent(Box<dyn Source>);

impl Source for Silent {
    fn partitions(&mut self) -> Result<u32> {
        self.0.partitions()
    }

    fn open(&mut self, partition: u32, from: &Start, wake: Wake) -> Result<Box<dyn Partition>> {
        Ok(Box::new(SilentPartition(self.0.open(partition, from, wake)?)))
    }

    fn name(&self, partition: u32) -> String {
        self.0.name(partition)
    }
}

struct SilentPartition(Box<dyn Partition>);

impl Partition for SilentPartition {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        Ok(match self.0.poll(batch)? {
            Poll::Finished => Poll::CaughtUp,
            poll => poll,
        })
    }
}
