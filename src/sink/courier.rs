//! Sinks that get whole epochs once their checkpoint is published, each once.
//!
//! ```text
//! stage     rows of epoch k ─► outbox in the checkpoint        nobody sees them
//! publish   manifest k names it                                they will be seen
//! deliver   courier ─► sink, with the number of the epoch      they are seen
//! ```
//!
//! A courier puts the rows and the number of the epoch into the sink by one act, so an epoch that
//! is delivered again after a crash is recognised by its number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::letter::Reject;
use crate::row::Rows;
use crate::sink::Refusal;

/// Who delivers: the shard of a sink, in an attempt to run a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Name of the job.
    pub job: String,
    /// Name of the sink in checkpoints.
    pub sink: String,
    /// The shard: the worker whose rows it delivers, or delivered when there were more workers.
    pub shard: usize,
    /// The attempt; one with a smaller number must not deliver any more.
    pub generation: u64,
    /// The attempt that started from nothing: what others left is not about the same rows.
    pub life: u64,
    /// The epoch that this attempt goes on from.
    pub restored: Option<u64>,
}

/// What a shard has delivered in this life of the job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// The last epoch.
    pub last: Option<u64>,
    /// Rows that were refused then, and whose letters may have been lost: by the first epoch of
    /// their delivery.
    pub refused: Vec<(u64, Refusal)>,
}

/// Rows of some epochs.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The first epoch.
    pub first: u64,
    /// The last epoch.
    pub last: u64,
    /// Their rows, epoch after epoch.
    pub rows: &'a Rows,
    /// Of deliveries up to this epoch nothing has to be remembered any more.
    pub settled: Option<u64>,
}

/// Delivers the rows of one shard; on a thread of its own.
pub trait Courier: Send {
    /// How long rows may wait for more, so that fewer deliveries are made, if the sink says that
    /// itself; else the `trigger_interval` does.
    fn every(&self) -> Option<Duration> {
        None
    }

    /// Which rows it refuses by looking at them. Asked about rows that were delivered and whose
    /// letters may have been lost; those that the store has refused are told by `begin`.
    fn refuses(&self, _rows: &Rows) -> Vec<Refusal> {
        vec![]
    }

    /// Says what was delivered, and keeps older attempts from delivering. Called first.
    ///
    /// # Errors
    ///
    /// `Unreachable`: the service is away; called again. `Config`: more was delivered than the
    /// checkpoint knows of, and it cannot be taken back.
    fn begin(&mut self) -> Result<Delivered>;

    /// Delivers, all or nothing but for the rows that it returns: refused for good, and left out.
    ///
    /// # Errors
    ///
    /// `Unreachable`, `Storage`: called again with the same rows, of which it is not known whether
    /// they were delivered. Others end the job.
    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>>;
}

/// A row that was refused, as a sink keeps it until a checkpoint holds its letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The first epoch of its delivery.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Index in the rows of the delivery.
    pub row: usize,
    /// Why.
    pub reject: Reject,
}

impl Refused {
    /// What a courier returns of it.
    pub fn refusal(&self) -> Refusal {
        Refusal { row: self.row, reject: self.reject.clone() }
    }

    /// What has to be kept with a delivery that refuses some rows: of earlier ones, what no
    /// checkpoint holds yet.
    pub fn kept(
        earlier: Vec<Refused>,
        delivery: &Delivery<'_>,
        refused: &[Refusal],
    ) -> Vec<Refused> {
        let Delivery { first, last, settled, .. } = *delivery;
        let new = |refusal: &Refusal| {
            let Refusal { row, reject } = refusal.clone();
            Refused { first, last, row, reject }
        };
        let earlier = earlier.into_iter().filter(|refused| settled < Some(refused.last));
        earlier.chain(refused.iter().map(new)).collect()
    }
}
