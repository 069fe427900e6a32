//! The generator of the market: its options, and which symbol or market a record is about.
//!
//! `binance` has a snapshot per symbol and second, or with `batch = "upstream"` an array of many;
//! `polymarket_trade` has books and trades of markets that change every quarter of an hour, and
//! `polymarket_metadata` describes these. Everything follows from a record's event time, so the
//! topics agree with each other however they are made.

mod candle;
mod polymarket;
mod walk;

use std::sync::Arc;

use highwater::dataset::{
    Fault, Generator, GeneratorKind, GeneratorOptions, Made, OptionKind, TopicKind,
};
use highwater::error::{Error, Result};
use highwater::time::Time;
use serde::Deserialize;

use self::candle::{Snapshot, Symbol};
use self::polymarket::{Market, Oddities, QUARTER, message, metadata};
use super::mix::Mix;
use super::{Profile, option};
use crate::json::cut;
use crate::plan::{Bursts, Fill, Plan, Planned};
use crate::random::{Random, share_of, shared};

/// The data set `market`.
pub(crate) const KIND: GeneratorKind = GeneratorKind {
    name: "market",
    about: "Prices of crypto currencies, and order books and trades of prediction markets.",
    topics: TOPICS,
    options: OPTIONS,
    make,
};

const TOPICS: &[TopicKind] =
    &[topic("binance"), topic("polymarket_trade"), topic("polymarket_metadata")];

const fn topic(name: &'static str) -> TopicKind {
    TopicKind { name, short: name, partitions: 1, key: "none", settings: &[] }
}

/// Indexes into [`TOPICS`].
const BINANCE: usize = 0;
const TRADE: usize = 1;

/// Seconds of a cycle of the mix, in which one record describes a market; four of them are a
/// quarter of an hour.
const CYCLE: u64 = 225;
/// Books, trades and other messages in a cycle: about 1.5 a second.
const MESSAGES: u64 = 338;
/// Snapshots that the replaced collector gathers before it writes an array for each symbol.
const GATHERED: u64 = 100;
/// Assets that are described, if there are not more markets than that.
const ASSETS: u64 = 4;
/// Share of each oddity in the profile `full`.
const ODD: f64 = 0.02;

const OPTIONS: &[OptionKind] = &[
    option(
        "rate",
        &[],
        "",
        "Records a second; by itself one for each symbol and 1.5 messages of markets.",
    ),
    option(
        "profile",
        &[],
        "upstream",
        "`upstream` is clean; in `full` two books of a hundred are odd in each way that follows.",
    ),
    option(
        "symbols",
        &[],
        "BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT",
        "Names of the symbols, as a list or with commas between; `keys` takes the first so many \
         and makes up more, and is also how many markets are open at a time.",
    ),
    option(
        "batch",
        &[],
        "one",
        "`one` is an object per message, `upstream` an array per symbol when 100 are gathered.",
    ),
    option(
        "empty_sides",
        &[],
        "",
        "Share of books with an empty side; by itself as `profile` says.",
    ),
    option(
        "crossed_books",
        &[],
        "",
        "Share of books that are crossed; by itself as `profile` says.",
    ),
    option(
        "odd_prices",
        &[],
        "",
        "Share of books with prices such as `.5` and `0.50`; by itself as `profile` says.",
    ),
];

/// The options of its own; [`OPTIONS`] says what they are.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Own {
    profile: Option<Profile>,
    symbols: Option<Symbols>,
    batch: Batch,
    empty_sides: Option<f64>,
    crossed_books: Option<f64>,
    odd_prices: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Symbols {
    List(Vec<String>),
    Text(String),
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Batch {
    #[default]
    One,
    Upstream,
}

impl Own {
    fn symbols(&self, keys: Option<u32>) -> Result<Vec<String>> {
        let text = |text: &str| text.split(',').map(|name| name.trim().to_owned()).collect();
        let mut names: Vec<String> = match &self.symbols {
            None => text("BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT"),
            Some(Symbols::Text(names)) => text(names),
            Some(Symbols::List(names)) => names.clone(),
        };
        if names.is_empty() || names.iter().any(String::is_empty) {
            let error = Error::config("`symbols` has an empty name, or none");
            return Err(error.hint("write names with commas between"));
        }
        if let Some(keys) = keys {
            let made_up = (names.len() + 1..).map(|index| format!("COIN{index:04}USDT"));
            let missing = (keys as usize).saturating_sub(names.len());
            names.extend(made_up.take(missing));
            names.truncate(keys as usize);
        }
        Ok(names)
    }

    fn oddities(&self) -> Result<Oddities> {
        let usual = if self.profile == Some(Profile::Full) { ODD } else { 0.0 };
        let share = |name, share: Option<f64>| match share.unwrap_or(usual) {
            share if (0.0..=1.0).contains(&share) => Ok(share),
            share => Err(Error::config(format!("`{name}` is {share}, but a share is 0 to 1"))),
        };
        Ok(Oddities {
            empty_sides: share("empty_sides", self.empty_sides)?,
            crossed_books: share("crossed_books", self.crossed_books)?,
            odd_prices: share("odd_prices", self.odd_prices)?,
        })
    }
}

fn make(options: &GeneratorOptions) -> Result<Arc<dyn Generator>> {
    let own: Own = options.own()?;
    let names = own.symbols(options.keys)?;
    let symbols = names.len() as u64;
    let rows = match own.batch {
        Batch::One => 1,
        Batch::Upstream => (GATHERED / symbols).max(1),
    };
    let weights = [(symbols * CYCLE / rows).max(1), MESSAGES, 1];
    let per_cycle: u64 = options.topics.iter().map(|topic| weights[*topic]).sum();
    let plan = Plan::new(options, per_cycle as f64 / CYCLE as f64, Bursts::default())?;
    let partitions = options.partitions.unwrap_or(1);
    let symbol = |(index, name): (usize, &String)| Symbol::new(options.seed, index as u64, name);
    let content = Trading {
        plan: plan.clone(),
        mix: Mix::new(&options.topics, &weights),
        partitions: u64::from(partitions),
        symbols: names.iter().enumerate().map(symbol).collect(),
        rows,
        is_array: own.batch == Batch::Upstream,
        markets: u64::from(options.keys.unwrap_or(1)),
        oddities: own.oddities()?,
        seed: options.seed,
    };
    Ok(Arc::new(Planned::new(plan, partitions, content)))
}

struct Trading {
    plan: Plan,
    mix: Mix,
    partitions: u64,
    symbols: Vec<Symbol>,
    /// Snapshots of a record.
    rows: u64,
    is_array: bool,
    /// How many markets are open at a time.
    markets: u64,
    oddities: Oddities,
    seed: u64,
}

impl Fill for Trading {
    fn fill(&self, number: u64, fault: Option<Fault>, made: &mut Made) {
        let (topic, index) = self.mix.place(number);
        made.topic = topic;
        made.partition = (index % self.partitions) as u32;
        let mut random = self.plan.random(number);
        let time = match topic {
            BINANCE => self.snapshots(number, index, fault, &mut random, &mut made.value),
            TRADE => self.message(number, index, fault, &mut random, &mut made.value),
            _ => {
                let (time, shape) = (self.plan.time(number, fault), self.plan.shape(number));
                let asset = index % ASSETS.max(self.markets);
                let market = Market::at(self.seed, asset, time);
                metadata(market, (time, fault, shape), &mut made.value)
            }
        };
        made.time = time.filter(|_| fault != Some(Fault::BadJson));
    }
}

impl Trading {
    /// Writes the snapshots of a record; returns the time of the last one.
    fn snapshots(
        &self,
        number: u64,
        index: u64,
        fault: Option<Fault>,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let (symbol, turn) = self.symbol(index);
        let (planned, shape) = (self.plan.planned(number), self.plan.shape(number));
        let next = self.plan.planned(self.mix.number(BINANCE, index + turn));
        let every = (next.micros() - planned.micros()) / self.rows as i64;
        let shift = planned.micros() - self.plan.time(number, fault).micros();
        let begin = out.len();
        let mut readable = None;
        for row in 0..self.rows {
            let place = planned.micros() - every * (self.rows - 1 - row) as i64;
            // There is no candle before the start of the run.
            let before = if index < turn && row == 0 { place } else { place - every };
            let snapshot = snapshot((before, place), shift, fault, random);
            // One snapshot has the fault, the last; a cut array is cut as a whole.
            let is_last = row + 1 == self.rows;
            let fault =
                fault.filter(|fault| is_last && !(self.is_array && *fault == Fault::BadJson));
            if self.is_array {
                out.push(if row == 0 { b'[' } else { b',' });
            }
            readable = self.symbols[symbol].write(snapshot, (fault, shape), out);
        }
        if self.is_array {
            out.push(b']');
            if fault == Some(Fault::BadJson) {
                cut(out, begin, shape);
            }
        }
        readable
    }

    /// The symbol of a record, and after how many records it has its turn again.
    fn symbol(&self, index: u64) -> (usize, u64) {
        let (partition, of) = (index % self.partitions, self.partitions);
        let symbols = self.symbols.len() as u64;
        if symbols <= of {
            return ((partition % symbols) as usize, symbols);
        }
        let here = share_of(symbols, (partition, of));
        ((partition + of * (index / of % here)) as usize, of * here)
    }

    fn message(
        &self,
        number: u64,
        index: u64,
        fault: Option<Fault>,
        random: &mut Random,
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let (time, shape) = (self.plan.time(number, fault), self.plan.shape(number));
        let asset = shared(self.markets, (index % self.partitions, self.partitions), random);
        let market = Market::at(self.seed, asset, time);
        let quarter = |index| {
            let planned = self.plan.planned(self.mix.number(TRADE, index));
            planned.seconds().div_euclid(QUARTER)
        };
        // The first message of a connection, which lasts as long as a market, is an array of one.
        let is_first = index == 0 || quarter(index - 1) != quarter(index);
        let begin = out.len();
        if is_first {
            out.push(b'[');
        }
        let cut_later = is_first && fault == Some(Fault::BadJson);
        let inner = fault.filter(|_| !cut_later);
        let readable = message(market, &self.oddities, (time, inner, shape), random, out);
        if is_first {
            out.push(b']');
        }
        if cut_later {
            cut(out, begin, shape);
        }
        readable
    }
}

/// The snapshot at a place of the plan, in microseconds, from which the time is shifted back, and
/// after the one at the place before.
///
/// The first one of a minute is the last of the candle before: 50 to 900 ms behind its end.
fn snapshot(
    (before, place): (i64, i64),
    shift: i64,
    fault: Option<Fault>,
    random: &mut Random,
) -> Snapshot {
    const MINUTE: i64 = 60_000_000;
    let begin = place.div_euclid(MINUTE) * MINUTE;
    let delay = random.between(50, 900) as i64 * 1_000;
    let is_shifted = matches!(fault, Some(Fault::Late | Fault::Future));
    let is_closed = (begin - MINUTE..begin).contains(&before) && !is_shifted;
    let time = if is_closed { begin + delay } else { place - shift };
    Snapshot { time: Time::from_micros(time), is_closed }
}

#[cfg(test)]
mod tests;
