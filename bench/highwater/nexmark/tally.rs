//! Aggregates that keep what ties: auctions with the most bids, bids with the highest price.

use highwater::hash::FixedMap;
use highwater::prelude::*;
use highwater_bench::workloads::nexmark::event::Bid;

/// Bids by auction. That of one bid allocates nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Tally {
    /// No bid.
    #[default]
    None,
    /// Bids on one auction.
    One(Option<i64>, i64),
    /// Bids on several.
    Many(FixedMap<Option<i64>, i64>),
}

impl Tally {
    pub(super) fn of(auction: Option<i64>) -> Tally {
        Tally::One(auction, 1)
    }

    /// The most bids, and all auctions that have so many.
    pub(super) fn most(self) -> (i64, Vec<Option<i64>>) {
        let counts = match self {
            Tally::None => return (0, Vec::new()),
            Tally::One(auction, bids) => return (bids, vec![auction]),
            Tally::Many(counts) => counts,
        };
        let most = counts.values().copied().max().unwrap_or(0);
        let mut auctions: Vec<Option<i64>> = counts
            .into_iter()
            .filter(|(_, bids)| *bids == most)
            .map(|(auction, _)| auction)
            .collect();
        auctions.sort();
        (most, auctions)
    }

    fn add(&mut self, auction: Option<i64>, bids: i64) {
        match self {
            Tally::None => *self = Tally::One(auction, bids),
            Tally::One(own, count) if *own == auction => *count += bids,
            Tally::One(own, count) => {
                *self = Tally::Many([(*own, *count), (auction, bids)].into_iter().collect());
            }
            Tally::Many(counts) => *counts.entry(auction).or_default() += bids,
        }
    }
}

impl Aggregate for Tally {
    fn merge(&mut self, other: &Tally) {
        match other {
            Tally::None => {}
            Tally::One(auction, bids) => self.add(*auction, *bids),
            Tally::Many(counts) => {
                counts.iter().for_each(|(auction, bids)| self.add(*auction, *bids));
            }
        }
    }

    fn absorb(&mut self, other: Tally) {
        match (&*self, other) {
            (Tally::None, other) => *self = other,
            (_, other) => self.merge(&other),
        }
    }
}

/// A bid without its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Offer {
    pub(super) at_ms: i64,
    pub(super) auction: Option<i64>,
    pub(super) bidder: Option<i64>,
}

/// The highest price of a window, its bids, and the bids at the beginning of the window with their
/// prices, in order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) price: i64,
    pub(super) highest: Vec<Offer>,
    pub(super) opening: Vec<(i64, Offer)>,
}

/// The highest price of a window with all bids of it, and the bids at the beginning of the window.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Highest {
    price: Option<i64>,
    /// One of them; most windows have no other.
    first: Option<Offer>,
    others: Vec<Offer>,
    opening: Vec<(i64, Offer)>,
}

impl Highest {
    /// Of one bid in windows of a size; one without a price is none.
    pub(super) fn of(bid: &Bid, at: Time, size: Duration) -> Highest {
        let Some(price) = bid.price else { return Highest::default() };
        let Bid { auction, bidder, .. } = *bid;
        let offer = Offer { at_ms: at.micros() / 1_000, auction, bidder };
        let is_opening = at.micros().rem_euclid(size.as_micros() as i64) == 0;
        let opening = if is_opening { vec![(price, offer)] } else { Vec::new() };
        Highest { price: Some(price), first: Some(offer), others: Vec::new(), opening }
    }

    /// What it has found, if there was a bid.
    pub(super) fn found(self) -> Option<Found> {
        let Highest { price, first, others: mut highest, mut opening } = self;
        highest.extend(first);
        highest.sort();
        opening.sort();
        Some(Found { price: price?, highest, opening })
    }
}

impl Aggregate for Highest {
    fn merge(&mut self, other: &Highest) {
        self.opening.extend_from_slice(&other.opening);
        if self.price < other.price {
            (self.price, self.first) = (other.price, other.first);
            self.others.clone_from(&other.others);
        } else if self.price == other.price {
            self.others.extend(other.first);
            self.others.extend_from_slice(&other.others);
        }
    }
}
