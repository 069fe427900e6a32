//! The rows that an engine has written: read from its topic as they come, outside of every engine.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use highwater::error::{Error, Result};
use highwater::source::kafka::{ClientSettings, KafkaSource, Options, Setup};
use highwater::source::{Batch, Partition, Source, Start};
use serde::de::DeserializeOwned;

use crate::load::{Target, now_us};
use crate::workloads::queries::ResultRow;

/// Reads a topic with one partition from its beginning.
pub struct Reader {
    // Dropped before the source that opened it.
    partition: Box<dyn Partition>,
    _source: KafkaSource,
    batch: Batch,
}

/// A record with the instant at which it was there.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// What tells the row from others, if it has something.
    pub key: Option<&'a [u8]>,
    /// The row; none takes the row of this key back.
    pub value: Option<&'a [u8]>,
}

/// A row over plays with the instant at which it was there.
#[derive(Clone, Debug)]
pub struct Received {
    /// Microseconds since 1970.
    pub at_us: i64,
    /// The row.
    pub row: ResultRow,
}

impl Received {
    /// Reads a row; nothing of a record that takes one back.
    ///
    /// # Errors
    ///
    /// It is no row over plays.
    pub fn read(record: &Record<'_>) -> Result<Option<Received>> {
        let read = |value| Ok(Received { at_us: record.at_us, row: read(value)? });
        record.value.map(read).transpose()
    }
}

/// Reads a row, or its key.
///
/// # Errors
///
/// It is something else.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Error::config(format!("an engine wrote {text}, which is no row: {error}"))
    })
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// The topic is not there.
    pub fn open(target: &Target) -> Result<Reader> {
        let options = Options {
            topic: target.topic.clone(),
            brokers: target.brokers.clone(),
            start: Start::Earliest,
            group: None,
            refresh: Duration::from_secs(600),
            client: ClientSettings::default(),
        };
        let mut source = KafkaSource::connect(&options, Setup::default())?;
        let reader = thread::current();
        let wake = Arc::new(move || reader.unpark());
        let partition = source.open(0, &Start::Earliest, wake)?;
        Ok(Reader { partition, _source: source, batch: Batch::default() })
    }

    /// Hands over the records that are there; waits at most so long for the first of them.
    ///
    /// # Errors
    ///
    /// The topic is gone.
    pub fn take(&mut self, wait: Duration, mut take: impl FnMut(&Record<'_>)) -> Result<()> {
        self.batch.clear();
        self.partition.poll(&mut self.batch)?;
        if self.batch.records.is_empty() {
            thread::park_timeout(wait);
            self.batch.clear();
            self.partition.poll(&mut self.batch)?;
        }
        let at_us = now_us();
        for record in &self.batch.records {
            let (key, value) = (self.batch.slice(&record.key), self.batch.slice(&record.value));
            take(&Record { at_us, key, value });
        }
        Ok(())
    }
}
