//! [`Message`]: what happens on a prediction market: order books, trades, changes.

use std::cmp::Ordering;

use highwater::codec::{Field, Wire};
use highwater::text::Text;
use highwater::time::Time;
use serde::de::MapAccess;

/// A message of a market. Which fields are there depends on its type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// `book`, `last_trade_price`, `price_change` or `tick_size_change`.
    pub event_type: Option<Text>,
    /// Which market: `0x` and 64 digits.
    pub market: Option<Text>,
    /// When it happened.
    pub timestamp: Option<Time>,
    /// Of a trade, and of some changes: the price, from 0 to 1.
    pub price: Option<Number>,
    /// Of a trade: how many shares.
    pub size: Option<Number>,
    /// Of a book: what buyers offer.
    pub bids: Option<Vec<Level>>,
    /// Of a book: what sellers ask.
    pub asks: Option<Vec<Level>>,
}

/// A number that is written as a text; one that cannot be read has no value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Number(pub Option<f64>);

/// A price of a book, and how many shares are offered for it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Level {
    /// The price as it was written; several forms are in use: `.5`, `0.50`.
    pub price: Option<Text>,
    /// How many shares.
    pub size: Option<Number>,
}

/// Which level of a book is the best one, for its depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The first with the best price.
    Numeric,
    /// The first whose price is the greatest (of bids) or the least (of asks) as a text, as in the
    /// replaced system.
    Text,
}

/// What a book says in numbers; NULL where a side is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quote {
    /// The greatest price that is offered.
    pub best_bid: Option<f64>,
    /// The least price that is asked.
    pub best_ask: Option<f64>,
    /// From −1, where all shares of the best levels are asked, to 1.
    pub imbalance: Option<f64>,
}

impl From<&str> for Number {
    fn from(text: &str) -> Number {
        let number = text.trim().parse().ok();
        Number(number.filter(|number: &f64| number.is_finite()))
    }
}

impl Message {
    /// Whether it is of a type.
    #[inline]
    pub fn is(&self, event_type: &str) -> bool {
        self.event_type.as_deref() == Some(event_type)
    }

    /// The price, if it has one that can be read.
    #[inline]
    pub fn price(&self) -> Option<f64> {
        self.price.and_then(|price| price.0)
    }

    /// The size, if it has one that can be read.
    #[inline]
    pub fn size(&self) -> Option<f64> {
        self.size.and_then(|size| size.0)
    }

    /// The levels of both sides.
    pub fn levels(&self) -> impl Iterator<Item = &Level> {
        self.bids.iter().chain(&self.asks).flatten()
    }

    /// What its book says.
    pub fn quote(&self, depth: Depth) -> Quote {
        let side = |levels: &Option<Vec<Level>>, better| {
            let levels = levels.as_deref().unwrap_or_default();
            (best_price(levels, better), best_size(levels, better, depth))
        };
        let (best_bid, bids) = side(&self.bids, Ordering::Greater);
        let (best_ask, asks) = side(&self.asks, Ordering::Less);
        let imbalance = bids.zip(asks).and_then(|(bids, asks)| {
            let all = bids + asks;
            Some((bids - asks) / all).filter(|share| 0.0 < all && share.is_finite())
        });
        Quote { best_bid, best_ask, imbalance }
    }
}

impl Level {
    /// The price as a number.
    #[inline]
    pub fn price(&self) -> Option<f64> {
        self.price.as_deref().and_then(|text| Number::from(text).0)
    }

    /// The size as a number.
    #[inline]
    pub fn size(&self) -> Option<f64> {
        self.size.and_then(|size| size.0)
    }
}

impl Quote {
    /// The price between both sides.
    #[inline]
    pub fn mid(&self) -> Option<f64> {
        Some((self.best_bid? + self.best_ask?) / 2.0)
    }

    /// How far both sides are apart; of a crossed book as well.
    #[inline]
    pub fn spread(&self) -> Option<f64> {
        Some((self.best_ask? - self.best_bid?).abs())
    }
}

fn best_price(levels: &[Level], better: Ordering) -> Option<f64> {
    let prices = levels.iter().filter_map(Level::price);
    prices.reduce(|best, price| if price.total_cmp(&best) == better { price } else { best })
}

/// The size of the best level.
fn best_size(levels: &[Level], better: Ordering, depth: Depth) -> Option<f64> {
    let best = match depth {
        Depth::Numeric => {
            let best = best_price(levels, better)?;
            levels.iter().find(|level| level.price() == Some(best))
        }
        Depth::Text => {
            let texts = levels.iter().filter_map(|level| level.price.as_ref());
            let best =
                texts.reduce(|best, text| if text.cmp(best) == better { text } else { best });
            levels.iter().find(|level| level.price.as_ref() == best && best.is_some())
        }
    };
    best.and_then(Level::size)
}

impl Wire for Message {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "event_type" => field.text(&mut self.event_type),
            "market" => field.text(&mut self.market),
            "timestamp" => field.epoch_millis(&mut self.timestamp),
            "price" => field.word(&mut self.price),
            "size" => field.word(&mut self.size),
            "bids" => field.objects(&mut self.bids),
            "asks" => field.objects(&mut self.asks),
            _ => field.skip(),
        }
    }
}

impl Wire for Level {
    #[inline]
    fn field<'de, A: MapAccess<'de>>(
        &mut self,
        name: &str,
        field: Field<'_, A>,
    ) -> Result<(), A::Error> {
        match name {
            "price" => field.text(&mut self.price),
            "size" => field.word(&mut self.size),
            _ => field.skip(),
        }
    }
}
