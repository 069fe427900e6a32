//! Markets: prices of Binance, books and trades of Polymarket, minute by minute.
//!
//! Replaces the Spark job of the speed layer for crypto prices and prediction markets.
//!
//! ```text
//! binance ─┬─► 1 min, by symbol ────────────────────────────────► binance
//!          ├─► 1 min, by pair of symbols ───────────────────────► asset_correlation
//!          ├─► 1 min, by rule ──┬───────────────────────────────► data_quality
//!          └─► 1 min ───────┐   │
//! polymarket_ ┬─► 1 min ────┴───┼──┬────────────────────────────► market_correlation
//! trade       ├─► 1 min, by rule┘  │
//!             ├─► 1 min, by market ┼────────────────────────────► polymarket
//!             ├─► 1 min, books ────┼────────────────────────────► polymarket_books
//!             └─► 1 min, trades ───┼────────────────────────────► polymarket_trades
//! polymarket_metadata ─────────────┘
//!
//! binance, polymarket_books ─► rows beyond a threshold ──┬───────► alerts
//! binance ─► symbols that fall silent ───────────────────┘
//! ```
//!
//! Rows are shown while their minute runs, and are final when it has closed; correlations appear
//! then.

mod alerts;
mod books;
mod correlation;
mod prices;
mod probabilities;
mod quality;
#[cfg(test)]
mod tests;

use highwater::prelude::*;
use highwater_datasets::market::{Candle, Depth, Message, Question};

use alerts::Alerts;
use books::{polymarket, polymarket_books, polymarket_trades};
use correlation::asset_correlation;
use prices::binance;
use probabilities::market_correlation;
use quality::data_quality;

/// The arguments of the job.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Length of a window.
    pub window: Duration,
    /// How far watermarks run behind, unless a binding says otherwise.
    pub watermark: Duration,
    /// Which record is the last one.
    pub last: Latest,
    /// Which level of a book is the best one.
    pub depth: Depth,
    /// Which messages the combined view counts as trades.
    pub trades: Trades,
    /// The symbols that are known; their pairs are compared.
    pub symbols: Vec<Text>,
    /// When a row is worth an alert.
    pub alerts: Alerts,
}

/// Which record is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Latest {
    /// By event time.
    EventTime,
    /// As they were read, partition by partition.
    Arrival,
}

/// Which messages the combined view counts as trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trades {
    /// Those of the type `last_trade_price`.
    Trades,
    /// All that have a price, as in the replaced system.
    Priced,
}

/// The symbols of the replaced system.
const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

impl Latest {
    /// Where a record stands among others.
    fn place(self, stamp: &Stamp) -> Stamp {
        match self {
            Latest::EventTime => *stamp,
            Latest::Arrival => Stamp { time: Time::default(), ..*stamp },
        }
    }
}

/// Builds the dataflow.
pub fn market(flow: &Flow, settings: &Settings) {
    let watermark = settings.watermark;
    let candles = flow.source("binance", watermark, |candle: &Candle| candle.snapshot_time);
    let messages =
        flow.source("polymarket_trade", watermark, |message: &Message| message.timestamp);
    binance(&candles, settings);
    asset_correlation(&candles, settings);
    polymarket(&messages, settings);
    polymarket_books(&messages, settings);
    polymarket_trades(&messages, settings);
    data_quality(&candles, &messages, settings);
    let questions =
        flow.table("polymarket_metadata", |question: &Question| question.market_id.clone());
    market_correlation(&candles, &messages, &questions, settings);
}

/// Reads the arguments from `[parameters]` and builds the dataflow.
pub fn entry(flow: &Flow, parameters: &mut Parameters) -> Result<()> {
    let last = parameters.choice("last", &["event_time", "arrival"], "event_time")?;
    let depth = parameters.choice("book.depth", &["numeric", "text"], "numeric")?;
    let trades = parameters.choice("trades.rows", &["trades", "priced"], "trades")?;
    parameters.choice("hbase.numbers", &["plain", "python"], "plain")?;
    let symbols = parameters.texts("symbols", &SYMBOLS)?;
    let settings = Settings {
        window: parameters.duration("window", minutes(1))?,
        watermark: parameters.duration("watermark", minutes(2))?,
        last: if last == "arrival" { Latest::Arrival } else { Latest::EventTime },
        depth: if depth == "text" { Depth::Text } else { Depth::Numeric },
        trades: if trades == "priced" { Trades::Priced } else { Trades::Trades },
        symbols: symbols.into_iter().map(Text::from).collect(),
        alerts: Alerts::read(flow, parameters)?,
    };
    parameters.ignore(&[
        Ignored { name: "hbase.numbers", why: "rows cannot be written to HBase yet" },
        Ignored { name: "spark.sql.shuffle.partitions", why: "work is sharded by worker" },
        Ignored { name: "spark.*", why: "there is no Spark" },
    ]);
    market(flow, &settings);
    Ok(())
}
