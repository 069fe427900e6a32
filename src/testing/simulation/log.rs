//! [`SimulatedLog`]: a source whose partitions come in batches of any size, with pauses, at offsets
//! with gaps.

use std::sync::Arc;
use std::time::Duration;

use super::world::World;
use crate::error::Result;
use crate::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};

/// A record of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Its offset.
    pub offset: i64,
    /// Its bytes.
    pub value: Vec<u8>,
}

/// A log with a fixed number of partitions, which end.
#[derive(Clone)]
pub struct SimulatedLog {
    /// The world that it is in.
    pub world: World,
    /// Its name.
    pub name: String,
    /// The records of its partitions, by offset.
    pub partitions: Arc<Vec<Vec<Logged>>>,
    /// Records of a batch, at most.
    pub batch_max: u64,
    /// One of so many polls begins a pause; 0 for never.
    pub stalls: u64,
    /// How long it takes, at most.
    pub stall_max: Duration,
}

impl Connector for SimulatedLog {
    fn open(&self, _worker: usize, _peers: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(self.clone()))
    }
}

impl Source for SimulatedLog {
    fn partitions(&mut self) -> Result<u32> {
        Ok(self.partitions.len() as u32)
    }

    fn open(&mut self, id: u32, from: &Start, _wake: Wake) -> Result<Box<dyn Partition>> {
        let next = match from {
            Start::Offset(offset) => *offset,
            _ => 0,
        };
        self.world.note(&format!("log: {}/{id} from {next}", self.name));
        let log = &self.partitions[id as usize];
        let at = log.partition_point(|record| record.offset < next);
        Ok(Box::new(Reading { log: self.clone(), id, at, stalled: Duration::ZERO }))
    }

    fn name(&self, partition: u32) -> String {
        format!("{}/{partition}", self.name)
    }

    fn is_bounded(&self) -> bool {
        true
    }
}

struct Reading {
    log: SimulatedLog,
    id: u32,
    at: usize,
    /// Nothing comes before this time.
    stalled: Duration,
}

impl Partition for Reading {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        let world = self.log.world.clone();
        if world.time() < self.stalled {
            return Ok(if world.one_in(2) { Poll::Waiting } else { Poll::CaughtUp });
        }
        let records = &self.log.partitions[self.id as usize][self.at..];
        if records.is_empty() {
            return Ok(Poll::Finished);
        }
        if self.log.stalls != 0 && world.one_in(self.log.stalls) {
            let most = self.log.stall_max.as_micros() as u64;
            let pause = Duration::from_micros(world.below(most) + 1);
            self.stalled = world.time() + pause;
            world.note(&format!("log: {}/{} stalls", self.log.name, self.id));
            return Ok(if world.one_in(2) { Poll::After(pause) } else { Poll::Waiting });
        }
        let count = records.len().min(world.below(self.log.batch_max + 1) as usize);
        for Logged { offset, value } in records[..count].iter().take(batch.limits.records) {
            batch.push(*offset, None, None, Some(value));
        }
        let count = batch.records.len();
        self.at += count;
        if 0 < count {
            let (name, id, next) = (&self.log.name, self.id, batch.next_offset);
            world.note(&format!("log: {name}/{id} gives {count} up to {next}"));
        }
        Ok(Poll::Ready)
    }

    fn offsets_are_dense(&self) -> bool {
        true
    }
}
