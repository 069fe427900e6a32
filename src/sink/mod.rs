//! Sinks: where rows go.
//!
//! A [`Writer`] lives on a thread of its own behind a bounded queue (`queue.rs`), so it may block;
//! a worker never does. What a sink promises is a value: `check` refuses a job that asks for more.

pub mod alerts;
pub mod blackhole;
pub(crate) mod cells;
pub mod coalesce;
pub mod console;
pub mod courier;
pub mod file;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod kinds;
pub mod letters;
pub mod memory;
#[cfg(feature = "parquet")]
pub mod parquet;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod queue;
pub mod text;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checkpoint::{Receipt, SinkReceipt};
use crate::error::Result;
use crate::row::{Rows, Schema};
use courier::{Courier, Route};

/// Which rows a sink takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Only rows that never change: it appends.
    Final,
    /// Final rows, and rows that replace or delete earlier ones by their key.
    Updates,
}

/// What a sink promises after a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// A row may appear again.
    AtLeastOnce,
    /// A row may be written again, with the same effect.
    Idempotent,
    /// A row appears once.
    ExactlyOnce,
}

impl fmt::Display for Guarantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarantee::AtLeastOnce => "at least once",
            Guarantee::Idempotent => "at least once, with the effect of once",
            Guarantee::ExactlyOnce => "exactly once",
        })
    }
}

/// Which worker's share of a view a writer gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// Every worker has a writer for the rows that it makes.
    EachWorker,
    /// All rows go to worker 0, in the order of epochs.
    One,
}

/// A place rows go to, once it is bound to a view.
pub trait Sink: Send {
    /// Which rows it takes.
    fn accepts(&self) -> Accepts;

    /// What it promises.
    fn guarantee(&self) -> Guarantee;

    /// Who writes.
    fn placement(&self) -> Placement {
        Placement::EachWorker
    }

    /// Looks at the place without changing it: reachable, table there, columns fit, file free.
    /// Called once per process before a run, and by `check`.
    ///
    /// # Errors
    ///
    /// What is wrong and the way out; kind `Unreachable` is tried again.
    fn check(&mut self) -> Result<()> {
        Ok(())
    }

    /// The file or folder that it writes, which no other sink may write at the same time; with
    /// `://` in it, one of another store.
    fn claim(&self) -> Option<PathBuf> {
        None
    }

    /// Tells it, before it is checked, that its job keeps checkpoints; with what its shards had
    /// written at the one that the job goes on from, nothing if earlier attempts made none. `None`
    /// if this is the first attempt.
    ///
    /// # Errors
    ///
    /// What it wrote is not there any more.
    fn resume(&mut self, _receipts: Option<&[SinkReceipt]>) -> Result<()> {
        Ok(())
    }

    /// Opens what delivers the rows of a shard, if rows of an epoch must not be seen before its
    /// checkpoint is published; asked in a job with checkpoints, and then no writer is opened.
    ///
    /// # Errors
    ///
    /// As [`Sink::check`].
    fn courier(&mut self, _route: Route) -> Result<Option<Box<dyn Courier>>> {
        Ok(None)
    }

    /// Makes what is missing, as `check --create` asks; says what it made.
    ///
    /// # Errors
    ///
    /// As [`Sink::check`].
    fn create(&mut self) -> Result<Vec<String>> {
        Ok(vec![])
    }

    /// Opens a writer.
    ///
    /// # Errors
    ///
    /// As [`Sink::check`].
    fn open(&mut self, shard: Shard) -> Result<Box<dyn Writer>>;
}

/// Which writer of how many it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Its index.
    pub index: usize,
    /// How many there are.
    pub count: usize,
}

/// Writes rows; on a thread of its own.
///
/// A writer holds rows back ([`Writer::held_until`]), or answers later ([`Writer::answers_later`]),
/// or does neither; not both.
pub trait Writer: Send {
    /// Writes rows, all or nothing but for those it returns: refused for good, and left out.
    /// After an error of kind `Unreachable` or `Storage` it is called again with the same rows.
    ///
    /// # Errors
    ///
    /// `Unreachable`: the service is away. `Storage`: the disk is full. Others end the job.
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>>;

    /// Whether `write` returns, with no refusals, while its rows are on their way, so that more can
    /// follow at once; then, how often it is worth while to ask for the answers. Such a writer
    /// keeps the order of rows and what it needs to write them again.
    fn answers_later(&self) -> Option<Duration> {
        None
    }

    /// What became of the oldest batch that is on its way, of a writer that answers later: the
    /// rows that it refused, once each row is answered. Nothing if it is not known at `until`.
    ///
    /// # Errors
    ///
    /// As [`Writer::write`]; called again.
    fn answer(&mut self, _until: Instant) -> Result<Option<Vec<Refusal>>> {
        Ok(None)
    }

    /// All rows of this epoch have been given. They are confirmed when this returns, unless
    /// something is held or on its way.
    ///
    /// # Errors
    ///
    /// As [`Writer::write`]; called again.
    fn epoch(&mut self, _epoch: u64) -> Result<()> {
        Ok(())
    }

    /// All rows up to the end of this epoch have been given and answered, and none is held: makes
    /// them durable, and says what it needs to go on behind them after a crash.
    ///
    /// # Errors
    ///
    /// As [`Writer::write`]; called again.
    fn stage(&mut self, _epoch: u64) -> Result<Receipt> {
        Ok(Receipt::default())
    }

    /// While rows of closed epochs are held back, to write more of them at once: when they have to
    /// be written. Asked behind an epoch; such epochs are confirmed once nothing is held.
    fn held_until(&self) -> Option<Instant> {
        None
    }

    /// The time of [`Writer::held_until`] has come, and every row belongs to a closed epoch.
    ///
    /// # Errors
    ///
    /// As [`Writer::write`]; called again.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// Nothing more will come.
    ///
    /// # Errors
    ///
    /// As [`Writer::write`]; called again.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A row that a sink refuses for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Index in the rows that were given.
    pub row: usize,
    /// `NullKey` or `RejectedBySink`, with the sink's words.
    pub reject: crate::letter::Reject,
}

/// A view as its sinks see it.
#[derive(Clone, Debug)]
pub struct View {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub schema: Arc<Schema>,
    /// Its key columns, if the binding names them.
    pub key: Vec<String>,
    /// Column that the sink fills with the processing time, `stamp` of the binding.
    pub stamp: Option<String>,
}

impl View {
    /// Names of the columns with the stamp, if there is one, as the last.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.columns.iter().map(|column| &*column.name).chain(self.stamp.as_deref())
    }
}

/// Fields of a binding that do not belong to one kind of sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// `rows = "updates"`: the sink gets rows that replace or delete earlier ones.
    pub updates: bool,
    /// Of updates: whether a row that was shown may go again.
    pub takes_back: bool,
    /// `overwrite`: replace a file that is there.
    pub overwrite: bool,
    /// `formula_guard`: keep spreadsheets from running texts of a CSV file as formulas.
    pub formula_guard: bool,
    /// `exactly_once`: rows are delivered by transactions, or the job is refused.
    pub exactly_once: bool,
}
