//! Delivers the rows of whole epochs as files, whose names say which epochs they are.
//!
//! ```text
//! deliver(epochs 5 to 9) ─► .staging-GENERATION/… ─► part-9-LIFE-WORKER-N-5-COUNT.parquet
//! ```
//!
//! A delivery is there when all of its files are. A start removes those of one that is not, and
//! those of epochs behind its checkpoint, before it delivers again; and the folder in which older
//! attempts stage, so that they can publish nothing any more. A bucket has no such folder: there an
//! attempt that was hung, and goes on while another runs, is kept from writing only where both
//! deliver the same epochs together, and so write the same name.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::part::{self, Delivered as Part};
use super::storage::Storage;
use super::writer::{Open, broken, misfit, only_final};
use super::{Format, Options};
use crate::error::Result;
use crate::failpoint::failpoint;
use crate::row::{Cell, Rows};
use crate::sink::Refusal;
use crate::sink::courier::{Courier, Delivered, Delivery, Route};
use crate::sink::file::now;

/// Delivers the rows of one shard.
pub(super) struct ParquetCourier {
    storage: Box<dyn Storage>,
    format: Format,
    roll_bytes: usize,
    roll_every: Duration,
    /// Files of others in the folder may go.
    overwrite: bool,
    route: Route,
}

impl ParquetCourier {
    pub(super) fn new(
        storage: Box<dyn Storage>,
        format: Format,
        options: &Options,
        overwrite: bool,
        route: Route,
    ) -> ParquetCourier {
        let (roll_bytes, roll_every) = (options.roll_bytes, options.roll_every);
        ParquetCourier { storage, format, roll_bytes, roll_every, overwrite, route }
    }

    /// Stages the rows as files; says how many there are, and which rows are refused.
    fn stage(&mut self, delivery: &Delivery<'_>) -> Result<(u32, Vec<Refusal>)> {
        let stamp = self.format.stamped.then(|| Cell::Time(now()));
        let (mut open, mut count) = (None, 0);
        let refusals = self.refuses(delivery.rows);
        let mut refused = refusals.iter().map(|refusal| refusal.row).peekable();
        for (row, (_, cells)) in delivery.rows.iter().enumerate() {
            if refused.next_if_eq(&row).is_some() {
                continue;
            }
            let file = match &mut open {
                Some(file) => file,
                none => none.insert(Open::new(&self.format, Instant::now()).map_err(broken)?),
            };
            file.push(cells.iter().chain(&stamp), self.roll_bytes).map_err(broken)?;
            if self.roll_bytes <= file.bytes() {
                self.close(open.take(), &mut count)?;
            }
        }
        self.close(open, &mut count)?;
        Ok((count, refusals))
    }

    fn close(&mut self, open: Option<Open>, count: &mut u32) -> Result<()> {
        let Some(open) = open else { return Ok(()) };
        let bytes = open.close().map_err(broken)?.into();
        self.storage.stage(&part::partial(self.route.shard, *count), &bytes)?;
        *count += 1;
        Ok(())
    }
}

impl Courier for ParquetCourier {
    fn every(&self) -> Option<Duration> {
        Some(self.roll_every)
    }

    fn refuses(&self, rows: &Rows) -> Vec<Refusal> {
        let misfits = rows.iter().map(|(_, cells)| misfit(cells)).enumerate();
        misfits.filter_map(|(row, reject)| Some(Refusal { row, reject: reject? })).collect()
    }

    fn begin(&mut self) -> Result<Delivered> {
        self.storage.make()?;
        self.storage.fence(self.route.generation)?;
        let Route { shard, life, restored, .. } = self.route;
        let mut deliveries: BTreeMap<(u64, u64, u32), Vec<String>> = BTreeMap::new();
        for name in self.storage.list()? {
            match Part::read(&name).filter(|part| part.life == life) {
                // A damaged checkpoint has made the job go further back. Nobody of this attempt
                // delivers such an epoch before all couriers have begun.
                Some(part) if restored < Some(part.last) => self.storage.remove(&name)?,
                Some(Part { last, first, worker, count, .. }) if worker == shard => {
                    deliveries.entry((last, first, count)).or_default().push(name);
                }
                Some(_) => {}
                None if self.overwrite && part::is_part(&name) => self.storage.remove(&name)?,
                None => {}
            }
        }
        let mut delivered = None;
        for ((last, _, count), names) in deliveries {
            if names.len() == count as usize {
                delivered = Some(last);
            } else {
                names.iter().try_for_each(|name| self.storage.remove(name))?;
            }
        }
        Ok(Delivered { last: delivered, refused: vec![] })
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        only_final(delivery.rows)?;
        let (count, refusals) = self.stage(delivery)?;
        let Delivery { first, last, .. } = *delivery;
        let (worker, life) = (self.route.shard, self.route.life);
        for number in 0..count {
            let part = Part { last, first, life, worker, number, count };
            let name = part.name(self.format.compression.suffix());
            // A file that has the name already has the same rows: they are those of the checkpoint.
            self.storage.publish(&part::partial(worker, number), &name)?;
            failpoint!("sink.half_delivered");
        }
        Ok(refusals)
    }
}
