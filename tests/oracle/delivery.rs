//! How a case's logs reach the engine: a memory source that has pauses, a stall, or no end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use highwater::error::{Error, Result};
use highwater::source::memory::Memory;
use highwater::source::{Batch, Connector, Partition, Poll, Source, Start, Wake};
use highwater::time::Time;

use super::cases::Random;
use super::event::Event;
use super::job;

/// A connector over the logs of one source of a case.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) memory: Memory,
    /// Decides where polls find nothing.
    pub(crate) seed: u64,
    /// How many polls of each partition find nothing, although there is more.
    pub(crate) pauses: u64,
    /// Whether the partitions have an end.
    pub(crate) is_bounded: bool,
    /// Stops the worker that reads a partition, once.
    pub(crate) stall: Option<Stall>,
    /// A partition whose last record cannot be read any more.
    pub(crate) broken: Option<u32>,
}

/// A poll that takes long.
#[derive(Clone)]
pub(crate) struct Stall {
    /// Which partition.
    pub(crate) partition: u32,
    /// The poll before which it happens.
    pub(crate) before_poll: u64,
    /// How long.
    pub(crate) length: Duration,
    /// Whether it has happened.
    pub(crate) happened: Arc<AtomicBool>,
}

impl Delivery {
    /// Of a source of a case.
    pub(crate) fn of(source: &job::Source) -> Delivery {
        let mut memory = Memory::new();
        for partition in &source.partitions {
            let events: Vec<Event> = partition.records.iter().map(Event::from).collect();
            let sizes: Vec<usize> = partition.polls().into_iter().map(|poll| poll.len()).collect();
            // An empty partition asks for no batch at all.
            let sizes = if events.is_empty() { vec![1] } else { sizes };
            let record_time = |record: &job::Record| record.record_time_us.map(Time::from_micros);
            let times = partition.records.iter().map(record_time).collect();
            memory = memory.partition(Arc::new(events), &sizes).record_times(times);
        }
        Delivery { memory, seed: 0, pauses: 0, is_bounded: true, stall: None, broken: None }
    }
}

impl Connector for Delivery {
    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Source>> {
        let memory = Connector::open(&self.memory, worker, peers)?;
        Ok(Box::new(Delivering { memory, delivery: self.clone() }))
    }
}

struct Delivering {
    memory: Box<dyn Source>,
    delivery: Delivery,
}

impl Source for Delivering {
    fn partitions(&mut self) -> Result<u32> {
        self.memory.partitions()
    }

    fn open(&mut self, id: u32, from: &Start, wake: Wake) -> Result<Box<dyn Partition>> {
        let log = self.memory.open(id, from, wake)?;
        let delivery = self.delivery.clone();
        let random = Random(delivery.seed.wrapping_add(u64::from(id)));
        Ok(Box::new(Polled { log, delivery, random, id, polls: 0, pauses: 0 }))
    }

    fn name(&self, partition: u32) -> String {
        self.memory.name(partition)
    }

    fn is_bounded(&self) -> bool {
        self.delivery.is_bounded
    }
}

struct Polled {
    log: Box<dyn Partition>,
    delivery: Delivery,
    random: Random,
    id: u32,
    polls: u64,
    pauses: u64,
}

impl Partition for Polled {
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll> {
        self.polls += 1;
        if let Some(stall) = &self.delivery.stall
            && (stall.partition, stall.before_poll) == (self.id, self.polls)
        {
            std::thread::sleep(stall.length);
            stall.happened.store(true, Relaxed);
        }
        if self.pauses < self.delivery.pauses && self.random.chance(40) {
            self.pauses += 1;
            return Ok(Poll::Waiting);
        }
        match self.log.poll(batch)? {
            Poll::Finished if self.delivery.broken == Some(self.id) => {
                Err(Error::storage("the disk is broken"))
            }
            Poll::Finished if !self.delivery.is_bounded => Ok(Poll::CaughtUp),
            poll => Ok(poll),
        }
    }

    fn offsets_are_dense(&self) -> bool {
        self.log.offsets_are_dense()
    }
}
