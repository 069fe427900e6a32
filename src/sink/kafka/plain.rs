//! Delivers whole epochs without transactions: rows of a table, which may go again.
//!
//! Written as they come, a row could be in the topic that the job makes no more after a restart, as
//! it cuts epochs elsewhere, and so never takes back. Once its checkpoint is published it will be
//! taken back if it goes. An epoch may be written again: with keys to the same effect.

use std::time::Instant;

use super::writer::{KafkaWriter, SILENCE_MAX};
use crate::error::{Error, Result};
use crate::sink::courier::{Courier, Delivered, Delivery};
use crate::sink::{Refusal, Writer};

/// Delivers the rows of one shard.
pub(super) struct PlainCourier {
    writer: KafkaWriter,
    /// The rows of the delivery are handed over, and not all answered.
    handed: bool,
}

impl PlainCourier {
    pub(super) fn new(writer: KafkaWriter) -> PlainCourier {
        PlainCourier { writer, handed: false }
    }
}

impl Courier for PlainCourier {
    /// Nobody knows what was delivered.
    fn begin(&mut self) -> Result<Delivered> {
        Ok(Delivered::default())
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        if !self.handed {
            self.writer.write(delivery.rows)?;
            self.handed = true;
        }
        // A writer that hears nothing for so long says so itself.
        while self.writer.is_waiting() {
            if let Some(refusals) = self.writer.answer(Instant::now() + SILENCE_MAX)? {
                self.handed = false;
                return Ok(refusals);
            }
        }
        Err(Error::bug("rows that were handed over and have no answer"))
    }
}
