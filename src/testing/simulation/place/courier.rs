//! Rows that arrive with the number of their epoch, once.

use super::Place;
use crate::error::{Error, Result};
use crate::row::Rows;
use crate::sink::Refusal;
use crate::sink::courier::{Courier, Delivered, Delivery, Route};

/// What the place knows of a shard.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    life: u64,
    /// Attempts with a smaller number are turned away.
    generation: u64,
    /// The last epoch that was delivered.
    epoch: Option<u64>,
}

/// A delivery of an attempt that is no more.
pub(super) struct Late {
    route: Route,
    last: u64,
    rows: Rows,
}

pub(super) fn courier(place: Place, route: Route) -> Box<dyn Courier> {
    Box::new(Delivering { place, route })
}

struct Delivering {
    place: Place,
    route: Route,
}

impl Place {
    /// Puts rows and the number of their epoch there, in one act; whether the epoch was new.
    fn deliver(&self, route: &Route, last: u64, rows: &Rows) -> Result<bool> {
        let mut goods = self.goods();
        let standing = goods.standings.entry(route.shard).or_default();
        if route.generation < standing.generation {
            return Err(Error::fenced(format!("a later attempt writes to {}", self.name)));
        }
        if Some(last) <= standing.epoch {
            return Ok(false);
        }
        standing.epoch = Some(last);
        if self.key.is_empty() {
            goods.delivered.extend(rows.iter().map(|(_, cells)| cells.to_vec()));
        } else {
            goods.put(self, rows, rows.len());
        }
        Ok(true)
    }

    /// Deliveries that were on their way when the machine was switched off arrive, or do not yet.
    fn late(&self) {
        let late = std::mem::take(&mut self.goods().late);
        for one in late {
            if self.world.one_in(2) {
                self.goods().late.push(one);
                continue;
            }
            let arrived = self.deliver(&one.route, one.last, &one.rows);
            let line = match arrived {
                Ok(_) => "arrives late",
                Err(_) => "arrives late and is turned away",
            };
            self.goods().turned_away += u64::from(arrived.is_err());
            self.world.note(&format!("sink {}: epoch {} {line}", self.name, one.last));
        }
    }
}

impl Courier for Delivering {
    fn begin(&mut self) -> Result<Delivered> {
        let (place, route) = (&self.place, &self.route);
        place.call(&format!("begin of shard {}", route.shard))?;
        place.late();
        let mut goods = place.goods();
        let standing = goods.standings.entry(route.shard).or_default();
        if route.generation < standing.generation {
            return Err(Error::fenced(format!("a later attempt writes to {}", place.name)));
        }
        if standing.life != route.life {
            *standing = Standing { life: route.life, ..Standing::default() };
        }
        if route.restored < standing.epoch {
            if place.key.is_empty() {
                return Err(Error::config(format!(
                    "{} has the rows of epoch {:?}, the checkpoint is that of {:?}",
                    place.name, standing.epoch, route.restored
                )));
            }
            standing.epoch = route.restored;
        }
        let last = standing.epoch;
        for standing in goods.standings.values_mut() {
            standing.generation = standing.generation.max(route.generation);
        }
        drop(goods);
        place.answer(Delivered { last, refused: vec![] })
    }

    fn deliver(&mut self, delivery: &Delivery<'_>) -> Result<Vec<Refusal>> {
        let Delivery { first, last, rows, .. } = *delivery;
        let (place, route) = (&self.place, &self.route);
        let what = format!("deliver {} rows of {first} to {last}", rows.len());
        let called = place.call(&format!("{what}, shard {}", route.shard));
        if called.is_err() && place.world.is_off() {
            let late = Late { route: route.clone(), last, rows: rows.clone() };
            place.goods().late.push(late);
        }
        called?;
        place.late();
        if place.fails("fails half way, and takes back") {
            return Err(Error::unreachable(format!("{} fails half way", place.name)));
        }
        let is_new = place.deliver(route, last, rows)?;
        if !is_new {
            place.world.note(&format!("sink {}: has epoch {last} already", place.name));
        }
        place.answer(vec![])
    }
}
