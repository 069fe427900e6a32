//! The rules, each a function of one record that finds it broken; NULL breaks nothing.

use highwater::prelude::*;
use highwater_datasets::market::{Candle, Depth, Message};

/// Rules that are decided when all records of a window are known.
pub(super) const DUPLICATE: &str = "duplicate";
pub(super) const GAP: &str = "gap";

/// How long after the end of its candle a snapshot may be taken.
const SNAPSHOT_DELAY_MAX: Duration = seconds(5);

/// What a rule says of a record.
pub(super) struct Check {
    pub(super) topic: &'static str,
    pub(super) rule: &'static str,
    pub(super) broken: bool,
    /// Whose record it is, and when it was captured, where the rule looks at several.
    pub(super) sighting: Option<(Text, Time)>,
}

/// A rule for candles; the other argument are the symbols that are known.
type CandleRule = fn(&Candle, &[Text]) -> bool;

/// Rules for candles.
const CANDLE_RULES: [(&str, CandleRule); 7] = [
    ("price_not_positive", |candle, _| price_not_positive(candle)),
    ("ohlc_order", |candle, _| ohlc_order(candle)),
    ("taker_exceeds_volume", |candle, _| taker_exceeds_volume(candle)),
    ("snapshot_outside_candle", |candle, _| snapshot_outside_candle(candle)),
    ("unknown_symbol", |candle, symbols| {
        candle.symbol.as_ref().is_none_or(|symbol| !symbols.contains(symbol))
    }),
    (DUPLICATE, |_, _| false),
    (GAP, |_, _| false),
];

/// A rule for messages of prediction markets.
type MessageRule = fn(&Message) -> bool;

/// Rules for messages of prediction markets.
const MESSAGE_RULES: [(&str, MessageRule); 3] = [
    ("probability_range", |message| {
        let levels = message.levels().filter_map(|level| level.price());
        message.price().into_iter().chain(levels).any(|price| !(0.0..=1.0).contains(&price))
    }),
    ("crossed_book", |message| {
        let quote = message.quote(Depth::Numeric);
        quote.best_bid.zip(quote.best_ask).is_some_and(|(bid, ask)| ask <= bid)
    }),
    ("size_not_positive", |message| {
        let levels = message.levels().filter_map(|level| level.size());
        message.size().into_iter().chain(levels).any(|size| size <= 0.0)
    }),
];

/// What each rule says of a candle.
pub(super) fn check_candle(candle: &Candle, symbols: &[Text]) -> [Check; CANDLE_RULES.len()] {
    CANDLE_RULES.map(|(rule, is_broken)| {
        let several = [DUPLICATE, GAP].contains(&rule);
        let sighting = candle.symbol.clone().zip(candle.snapshot_time).filter(|_| several);
        Check { topic: "binance", rule, broken: is_broken(candle, symbols), sighting }
    })
}

/// What each rule says of a message.
pub(super) fn check_message(message: &Message) -> [Check; MESSAGE_RULES.len()] {
    MESSAGE_RULES.map(|(rule, is_broken)| {
        let (topic, broken) = ("polymarket_trade", is_broken(message));
        Check { topic, rule, broken, sighting: None }
    })
}

fn price_not_positive(candle: &Candle) -> bool {
    let prices = [candle.open, candle.high, candle.low, candle.close];
    prices.into_iter().flatten().any(|price| price <= 0.0)
}

/// The least price is above another one, or the greatest one below.
fn ohlc_order(candle: &Candle) -> bool {
    let others = [candle.open, candle.close];
    let above = |least: f64| others.into_iter().flatten().any(|price| price < least);
    let below = |most: f64| others.into_iter().flatten().any(|price| most < price);
    let crossed = candle.low.zip(candle.high).is_some_and(|(low, high)| high < low);
    crossed || candle.low.is_some_and(above) || candle.high.is_some_and(below)
}

/// Takers bought more than was traded.
fn taker_exceeds_volume(candle: &Candle) -> bool {
    let exceeds = |part: Option<f64>, whole: Option<f64>| {
        part.zip(whole).is_some_and(|(part, whole)| whole < part)
    };
    exceeds(candle.taker_buy_quote, candle.quote_asset_volume)
        || exceeds(candle.taker_buy_base, candle.volume)
}

/// It was captured before its candle opened, or long after that had ended.
fn snapshot_outside_candle(candle: &Candle) -> bool {
    let Some(snapshot) = candle.snapshot_time else { return false };
    candle.open_time.is_some_and(|open| snapshot < open)
        || candle.close_time.is_some_and(|close| close.plus(SNAPSHOT_DELAY_MAX) < snapshot)
}

#[cfg(test)]
mod tests;
