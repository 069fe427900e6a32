//! [`Place`]: where the rows of a simulated job go: a file, a table, or a store that takes whole
//! epochs; away for a while, slow, failing half way, or losing its answer.
//!
//! What a place holds outlives the attempts to run the job. Each attempt writes through a sink of
//! its own, and once the machine is off nothing of it arrives any more, but for a delivery that was
//! on its way: it arrives late, and must be turned away if the next attempt has begun.

mod courier;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::world::World;
use crate::checkpoint::{Receipt, SinkReceipt};
use crate::error::{Error, Result};
use crate::row::{Cell, Change, Rows};
use crate::sink::courier::{Courier, Route};
use crate::sink::{Accepts, Guarantee, Placement, Refusal, Shard, Sink, Writer};
use courier::{Late, Standing};

/// How a place takes rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Rows are appended at once; a restart cuts what no checkpoint knows of.
    File,
    /// Rows replace each other by their key, and are written at once.
    Table,
    /// Rows are delivered with their epoch once their checkpoint is published, and replace each
    /// other by their key; without a key they are appended.
    Delivered,
}

/// How a place fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaceFaults {
    /// One of so many calls begins an outage; 0 for never.
    pub outages: u64,
    /// How long it takes, at most.
    pub outage_max: Duration,
    /// One of so many calls fails half way, or its answer is lost; 0 for never.
    pub failures: u64,
    /// So many calls fail at most: pauses before another try grow to half a minute, which is
    /// thousands of epochs.
    pub most: u64,
}

/// Where the rows of a view go.
#[derive(Clone)]
pub struct Place {
    world: World,
    name: String,
    way: Way,
    key: Vec<usize>,
    goods: Arc<Mutex<Goods>>,
    faults: PlaceFaults,
    /// Whether the attempt keeps checkpoints.
    keeps: bool,
}

#[derive(Default)]
struct Goods {
    /// By shard, of a file.
    files: BTreeMap<usize, Vec<Vec<Cell>>>,
    table: BTreeMap<String, Vec<Cell>>,
    delivered: Vec<Vec<Cell>>,
    standings: BTreeMap<usize, Standing>,
    late: Vec<Late>,
    away_until: Duration,
    failed: u64,
    turned_away: u64,
}

impl Place {
    /// An empty place for the rows of a view; `key` are the indices of its key columns.
    pub fn new(world: &World, name: &str, way: Way, key: Vec<usize>) -> Place {
        Place {
            world: world.clone(),
            name: name.into(),
            way,
            key,
            goods: Arc::default(),
            faults: PlaceFaults::default(),
            keeps: false,
        }
    }

    /// The sink of an attempt.
    pub fn sink(&self, faults: PlaceFaults) -> Box<dyn Sink> {
        Box::new(Place { faults, ..self.clone() })
    }

    /// The rows that it holds.
    pub fn rows(&self) -> Vec<Vec<Cell>> {
        let goods = self.goods();
        match self.way {
            Way::File => goods.files.values().flatten().cloned().collect(),
            Way::Delivered if self.key.is_empty() => goods.delivered.clone(),
            Way::Table | Way::Delivered => goods.table.values().cloned().collect(),
        }
    }

    /// How often it has failed, and how many late deliveries it has turned away.
    pub fn failed(&self) -> (u64, u64) {
        let goods = self.goods();
        (goods.failed, goods.turned_away)
    }

    fn goods(&self) -> MutexGuard<'_, Goods> {
        self.goods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call takes a moment.
    ///
    /// # Errors
    ///
    /// The place is away, or the machine was switched off.
    fn call(&self, what: &str) -> Result<()> {
        let is_on = self.world.act(&format!("sink {}: {what}", self.name));
        let now = self.world.time();
        let PlaceFaults { outages, outage_max, most, .. } = self.faults;
        let mut goods = self.goods();
        if most <= goods.failed {
            goods.away_until = Duration::ZERO;
        } else if is_on && outages != 0 && goods.away_until <= now && self.world.one_in(outages) {
            let pause = self.world.below(outage_max.as_micros() as u64) + 1;
            goods.away_until = now + Duration::from_micros(pause);
            self.world.note(&format!("sink {}: away for {pause} us", self.name));
        }
        if is_on && now < goods.away_until {
            goods.failed += 1;
        }
        match is_on && goods.away_until <= now {
            true => Ok(()),
            false => Err(Error::unreachable(format!("{} is away", self.name))),
        }
    }

    /// Whether a call fails half way, or its answer is lost.
    fn fails(&self, how: &str) -> bool {
        let PlaceFaults { failures, most, .. } = self.faults;
        let may = failures != 0 && self.goods().failed < most;
        let fails = may && self.world.one_in(failures);
        if fails {
            self.goods().failed += 1;
            self.world.note(&format!("sink {}: {how}", self.name));
        }
        fails
    }

    /// The answer of a call; it may be lost.
    fn answer<T>(&self, value: T) -> Result<T> {
        if self.fails("the answer is lost") || !self.world.act(&format!("sink {}: done", self.name))
        {
            return Err(Error::unreachable(format!("{} does not answer", self.name)));
        }
        Ok(value)
    }

    fn key(&self, cells: &[Cell]) -> String {
        let key: Vec<&Cell> = self.key.iter().map(|index| &cells[*index]).collect();
        format!("{key:?}")
    }
}

impl Goods {
    /// Rows that replace each other by key.
    fn put(&mut self, place: &Place, rows: &Rows, count: usize) {
        for (mark, cells) in rows.iter().take(count) {
            let key = place.key(cells);
            match mark.change {
                Change::Delete => self.table.remove(&key),
                Change::Final | Change::Upsert => self.table.insert(key, cells.to_vec()),
            };
        }
    }
}

impl Sink for Place {
    fn accepts(&self) -> Accepts {
        match self.way {
            Way::File => Accepts::Final,
            Way::Table => Accepts::Updates,
            Way::Delivered if self.key.is_empty() => Accepts::Final,
            Way::Delivered => Accepts::Updates,
        }
    }

    fn guarantee(&self) -> Guarantee {
        match self.way {
            _ if !self.keeps => Guarantee::AtLeastOnce,
            Way::Table => Guarantee::Idempotent,
            Way::File | Way::Delivered => Guarantee::ExactlyOnce,
        }
    }

    fn placement(&self) -> Placement {
        match self.way {
            // Its length is one number.
            Way::File => Placement::One,
            Way::Table | Way::Delivered => Placement::EachWorker,
        }
    }

    fn resume(&mut self, receipts: Option<&[SinkReceipt]>) -> Result<()> {
        self.keeps = true;
        if self.way != Way::File {
            return Ok(());
        }
        let Some(receipts) = receipts else { return Ok(()) };
        let mut goods = self.goods();
        for (shard, rows) in &mut goods.files {
            let known = receipts.iter().find(|receipt| receipt.shard == *shard);
            let known = known.and_then(|known| known.receipt.words.parse().ok()).unwrap_or(0);
            if rows.len() < known {
                let (name, found) = (&self.name, rows.len());
                return Err(Error::config(format!("{name} has {found} rows of {known}")));
            }
            rows.truncate(known);
        }
        Ok(())
    }

    fn courier(&mut self, route: Route) -> Result<Option<Box<dyn Courier>>> {
        Ok((self.way == Way::Delivered).then(|| courier::courier(self.clone(), route)))
    }

    fn open(&mut self, shard: Shard) -> Result<Box<dyn Writer>> {
        let at = self.goods().files.get(&shard.index).map_or(0, Vec::len);
        Ok(Box::new(Writing { place: self.clone(), shard: shard.index, at }))
    }
}

/// Writes at once.
struct Writing {
    place: Place,
    shard: usize,
    /// Rows of the file that were written and answered.
    at: usize,
}

impl Writer for Writing {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        let place = &self.place;
        place.call(&format!("write {} rows of shard {}", rows.len(), self.shard))?;
        let half = place.fails("fails half way");
        let count =
            if half { place.world.below(rows.len() as u64 + 1) as usize } else { rows.len() };
        let mut goods = place.goods();
        if place.way == Way::File {
            let file = goods.files.entry(self.shard).or_default();
            // What an earlier try has left.
            file.truncate(self.at);
            file.extend(rows.iter().take(count).map(|(_, cells)| cells.to_vec()));
        } else {
            goods.put(place, rows, count);
        }
        drop(goods);
        if half {
            return Err(Error::unreachable(format!("{} fails half way", place.name)));
        }
        place.answer(())?;
        self.at += rows.len();
        Ok(vec![])
    }

    fn stage(&mut self, epoch: u64) -> Result<Receipt> {
        self.place.call(&format!("stage epoch {epoch} of shard {}", self.shard))?;
        let receipt = Receipt { words: self.at.to_string(), ..Receipt::default() };
        self.place.answer(receipt)
    }
}
