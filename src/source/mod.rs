//! Sources: where events come from.
//!
//! A source delivers bytes, positions and the service's own clock. Event time, lateness,
//! watermarks, dead letters, which worker reads what and back-pressure are the engine's business
//! (`reader.rs`).
//!
//! ```text
//! partitions ─► open(from) ─► poll* ─► Finished      Poll: Ready     the batch was filled
//!                               │                          Waiting   nothing now
//!                               │                          CaughtUp  nothing, the end was reached
//!                               ▼                          Finished  there will never be more
//!                             committed comes between polls
//! ```

pub mod file;
pub mod generator;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod kinds;
pub mod limit;
pub mod memory;
pub mod reader;

use std::any::Any;
use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::time::{Millis, Time};

/// Wakes the worker that reads a partition; may be called from any thread, and too often.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where reading begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the first record that is still there.
    #[default]
    Earliest,
    /// Behind the last record that is there now.
    Latest,
    /// At this position in every partition.
    Offset(i64),
    /// At a position of its own in each partition; those not named begin at the earliest.
    Offsets(Vec<(u32, i64)>),
    /// At the first record whose own time is not before this one.
    Time(Time),
}

/// What a source is bound to in this process; opened once per worker.
pub trait Connector: Send + Sync {
    /// Looks whether the source is there, without reading.
    ///
    /// # Errors
    ///
    /// What is wrong and the way out; kind `Unreachable` is tried again.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Opens it for a worker, by its index among so many.
    ///
    /// # Errors
    ///
    /// It cannot be opened.
    fn open(&self, worker: usize, peers: usize) -> Result<Box<dyn Source>>;
}

/// A log with partitions, each of which is in order. One value per worker.
pub trait Source {
    /// How many partitions there are now; they are numbered from 0. Asked again and again.
    ///
    /// # Errors
    ///
    /// The service said that the source is gone, or has fewer partitions than before.
    fn partitions(&mut self) -> Result<u32>;

    /// Opens one partition. Each is opened once.
    ///
    /// # Errors
    ///
    /// The partition cannot be read from there.
    fn open(&mut self, partition: u32, from: &Start, wake: Wake) -> Result<Box<dyn Partition>>;

    /// Which log it reads, of those that have had the name one after another, where the service
    /// tells: positions in another one say nothing about it.
    fn log(&self) -> Option<u64> {
        None
    }

    /// What calls a partition, in messages: the topic, or the path of its file.
    fn name(&self, partition: u32) -> String;

    /// Whether all its partitions end; only then its windows are all closed.
    fn is_bounded(&self) -> bool {
        false
    }

    /// All sinks have written everything before these positions (partition, next offset). Only a
    /// courtesy to the service and its lag tools.
    ///
    /// # Errors
    ///
    /// The service refused; reported, and tried again with the next positions.
    fn committed(&mut self, _positions: &[(u32, i64)]) -> Result<()> {
        Ok(())
    }
}

/// A part of a source that is in order.
pub trait Partition {
    /// Appends what is there to an empty batch and returns at once. Never blocks.
    ///
    /// # Errors
    ///
    /// The partition cannot be read any further: the job ends with it.
    fn poll(&mut self, batch: &mut Batch) -> Result<Poll>;

    /// Records between the position and the end, where the service tells.
    fn lag(&self) -> Option<u64> {
        None
    }

    /// Offset of the next record, where it is known before one is read: a partition that begins at
    /// its end has to begin at the same place after a restart.
    fn position(&self) -> Option<i64> {
        None
    }

    /// Whether offsets count records, so that a jump is a gap.
    fn offsets_are_dense(&self) -> bool {
        false
    }
}

/// What a poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The batch has records.
    Ready,
    /// Nothing now, but the end was not reached.
    Waiting,
    /// The batch may have records; the next ones are due after this pause, by the source's clock.
    After(std::time::Duration),
    /// Nothing now: the end was reached. Only such a partition may be called idle.
    CaughtUp,
    /// There will never be more.
    Finished,
}

/// A record: where its bytes lie in the batch, and what the service says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: i64,
    /// The service's own time of it; guards against events from the future.
    pub time: Option<Time>,
    /// When it was due to be sent, or was sent, on the clock of this machine; for latency.
    pub sent: Option<Time>,
    /// Key, as a range of the batch's bytes.
    pub key: Option<Range<usize>>,
    /// Value, as a range of the batch's bytes; `None` is a tombstone.
    pub value: Option<Range<usize>>,
}

/// Records of one partition, in order; reused from poll to poll, so it does not allocate.
#[derive(Default)]
pub struct Batch {
    /// The bytes of all records.
    pub bytes: Vec<u8>,
    /// The records.
    pub records: Vec<Record>,
    /// Records of which only the beginning is here, as they are too large: index in `records` and
    /// true length of the value. The beginning alone is above `source.message_bytes_max`.
    pub cut: Vec<(usize, u64)>,
    /// Events that are decoded already (a memory source): records and bytes are empty then.
    pub events: Option<Decoded>,
    /// Offset behind the last record, also where records were skipped.
    pub next_offset: i64,
    /// Positions before the first record that the service had lost when they were asked for.
    pub lost: u64,
    /// No record behind this batch lies before this time: a promise of the source itself, such as
    /// a script makes.
    pub promise: Option<Millis>,
    /// Limits that a partition keeps when it fills the batch.
    pub limits: BatchLimits,
}

/// Events that need no decoder: a range of a vector of the wire type.
#[derive(Clone)]
pub struct Decoded {
    /// An `Arc<Vec<E>>`.
    pub events: Arc<dyn Any + Send + Sync>,
    /// Which of them.
    pub range: Range<usize>,
    /// Offset of the first one.
    pub offset: i64,
    /// The service's own time of each event of the vector, where there are any.
    pub record_times: Option<Arc<Vec<Option<Time>>>>,
}

impl Decoded {
    /// The service's own time of one of the events of the range.
    pub fn record_time(&self, event: usize) -> Option<Time> {
        self.record_times.as_ref()?[self.range.start + event]
    }
}

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// `source.batch_events_max`.
    pub records: usize,
    /// `source.batch_bytes_max`; one record may exceed it.
    pub bytes: usize,
}

impl Default for BatchLimits {
    fn default() -> BatchLimits {
        BatchLimits { records: 8_192, bytes: 1 << 20 }
    }
}

impl Batch {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.records.clear();
        self.cut.clear();
        self.lost = 0;
        self.events = None;
    }

    /// How many records or events it has.
    pub fn len(&self) -> usize {
        self.events.as_ref().map_or(self.records.len(), |events| events.range.len())
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When its first record was due or sent, where the source tells.
    pub fn sent(&self) -> Option<Time> {
        self.records.first().and_then(|record| record.sent)
    }

    /// Whether another record should wait for the next poll.
    pub fn is_full(&self) -> bool {
        self.limits.records <= self.records.len() || self.limits.bytes <= self.bytes.len()
    }

    /// Appends a record.
    pub fn push(
        &mut self,
        offset: i64,
        time: Option<Time>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) {
        let mut copy = |bytes: &[u8]| {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(bytes);
            start..self.bytes.len()
        };
        let key = key.map(&mut copy);
        let value = value.map(&mut copy);
        self.records.push(Record { offset, time, sent: time, key, value });
        self.next_offset = offset + 1;
    }

    /// Bytes of a range of it.
    pub fn slice(&self, range: &Option<Range<usize>>) -> Option<&[u8]> {
        range.clone().map(|range| &self.bytes[range])
    }
}
