//! Writes the messages of a prediction market: order books, trades, and what describes a market.
//!
//! Every quarter of an hour another market opens for each asset. Its probability starts at one
//! half and wanders; its ids belong to the quarter, so both topics agree on them.

use highwater::dataset::Fault;
use highwater::time::Time;

use super::walk::{Walk, folded};
use crate::json::{Document, digits, hex, iso, list, named, padded, quoted};
use crate::random::{Random, hash};

/// How long a market is open, in seconds.
pub(super) const QUARTER: i64 = 900;
/// Deviation of the probability in a second.
const DEVIATION: f64 = 0.006;
const LEAST: f64 = 0.02;
const MOST: f64 = 0.98;

/// Assets with their names in slugs and titles.
const ASSETS: [(&str, &str); 4] =
    [("btc", "Bitcoin"), ("eth", "Ethereum"), ("sol", "Solana"), ("xrp", "XRP")];

/// Kinds of messages with their weights.
const MESSAGES: [(Message, f64); 4] = [
    (Message::Book, 0.64),
    (Message::Trade, 0.32),
    (Message::PriceChange, 0.035),
    (Message::TickSize, 0.005),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Message {
    Book,
    Trade,
    PriceChange,
    TickSize,
}

/// How often something is odd, as shares of books.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Oddities {
    pub(super) empty_sides: f64,
    pub(super) crossed_books: f64,
    /// Prices are written `.5` or `0.50` instead of `0.5`.
    pub(super) odd_prices: f64,
}

/// A market of an asset in a quarter of an hour.
#[derive(Clone, Copy)]
pub(super) struct Market {
    asset: u64,
    quarter: i64,
    seed: u64,
}

impl Market {
    /// The market of an asset that is open at a time.
    pub(super) fn at(seed: u64, asset: u64, time: Time) -> Market {
        let quarter = time.seconds().div_euclid(QUARTER);
        Market { asset, quarter, seed: hash(hash(seed ^ 0x3a4e, asset), quarter as u64) }
    }

    /// Probability of the outcome.
    fn probability(&self, time: Time) -> f64 {
        let second = time.seconds() - self.quarter * QUARTER;
        folded(0.5 + DEVIATION * Walk(self.seed).at(second), LEAST, MOST)
    }

    /// Writes the id: `0x` and 64 hexadecimal digits.
    fn id(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\"0x");
        (0..4).for_each(|word| hex(out, hash(self.seed, word), 16));
        out.push(b'"');
    }

    /// Writes the digits of the token of an outcome, 0 or 1.
    fn token(&self, outcome: u64, out: &mut Vec<u8>) {
        for part in 0..4 {
            let bits = hash(self.seed ^ (outcome + 1), part) % 1_000_000_000_000_000_000;
            padded(out, bits | 1 << 59, 18);
        }
    }

    fn slug(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        match ASSETS.get(self.asset as usize) {
            Some((short, _)) => out.extend_from_slice(short.as_bytes()),
            None => {
                out.extend_from_slice(b"coin");
                digits(out, self.asset);
            }
        }
        out.extend_from_slice(b"-updown-15m-");
        digits(out, (self.quarter * QUARTER).max(0) as u64);
        out.push(b'"');
    }
}

/// Writes a message of the stream; returns the event time that can be read from it.
pub(super) fn message(
    market: Market,
    oddities: &Oddities,
    (time, fault, shape): (Time, Option<Fault>, u64),
    random: &mut Random,
    out: &mut Vec<u8>,
) -> Option<Time> {
    let mut share = random.share();
    let kind = MESSAGES.iter().find(|(_, weight)| {
        share -= weight;
        share < 0.0
    });
    let kind = kind.map_or(Message::Book, |(kind, _)| *kind);
    let mut document = Document::new(out, fault, shape);
    document.plain(
        "event_type",
        match kind {
            Message::Book => "book",
            Message::Trade => "last_trade_price",
            Message::PriceChange => "price_change",
            Message::TickSize => "tick_size_change",
        },
    );
    document.field("market", |out| market.id(out));
    document.field("asset_id", |out| {
        out.push(b'"');
        market.token(0, out);
        out.push(b'"');
    });
    let quote = Quote::draw(market.probability(time), random);
    match kind {
        Message::Book => book(&quote, oddities, random, &mut document),
        Message::Trade => {
            trade(&quote, random, &mut document);
            document.plain("fee_rate_bps", "0");
        }
        Message::PriceChange if random.chance(0.5) => trade(&quote, random, &mut document),
        Message::PriceChange => {
            let (price, size) = (quote.bid, random.between(100, 50_000));
            document.field("changes", |out| {
                out.extend_from_slice(b"[{\"price\":");
                Form::Plain.price(out, price);
                out.extend_from_slice(b",\"size\":");
                amount(out, size);
                out.extend_from_slice(b",\"side\":\"BUY\"}]");
            });
        }
        Message::TickSize => {
            document.plain("old_tick_size", "0.01");
            document.plain("new_tick_size", "0.001");
        }
    }
    let time = Time::from_micros(time.micros().div_euclid(1_000) * 1_000);
    let readable = document.time_as("timestamp", time, |out, time| {
        named(out, "", (time.micros() / 1_000).max(0) as u64, 1);
    });
    document.end();
    readable
}

/// The best prices, in cents.
struct Quote {
    bid: u64,
    ask: u64,
}

impl Quote {
    fn draw(probability: f64, random: &mut Random) -> Quote {
        let bid = ((probability * 100.0) as u64).clamp(2, 97);
        let wider = random.below(3);
        Quote { bid: bid.saturating_sub(wider / 2).max(1), ask: (bid + 1 + wider).min(99) }
    }
}

fn trade(quote: &Quote, random: &mut Random, document: &mut Document<'_>) {
    let is_buy = random.chance(0.5);
    let price = if is_buy { quote.ask } else { quote.bid };
    let size = random.between(100, 50_000);
    document.field("price", |out| Form::Plain.price(out, price));
    document.field("size", |out| amount(out, size));
    document.plain("side", if is_buy { "BUY" } else { "SELL" });
}

fn book(quote: &Quote, oddities: &Oddities, random: &mut Random, document: &mut Document<'_>) {
    let hash = (random.bits(), random.bits());
    document.field("hash", |out| {
        out.extend_from_slice(b"\"0x");
        hex(out, hash.0, 16);
        hex(out, hash.1, 16);
        out.push(b'"');
    });
    // Every share is drawn in any case, so that one oddity does not change the rest.
    let is_empty = random.chance(oddities.empty_sides);
    let is_crossed = random.chance(oddities.crossed_books);
    let is_odd = random.chance(oddities.odd_prices);
    let which = random.below(3);
    let (bid, ask) = match is_crossed {
        true => ((quote.ask + random.between(0, 2)).min(99), quote.bid),
        false => (quote.bid, quote.ask),
    };
    let (below, above) = (random.between(3, 10), random.between(3, 10));
    // Both lists end with the best price, as those of the market do.
    let bids = bid.saturating_sub(below - 1).max(1)..=bid;
    let asks = (ask..=(ask + above - 1).min(99)).rev();
    let mut side = |name, levels: &mut dyn Iterator<Item = u64>, is_empty: bool| {
        let levels = levels.take(if is_empty { 0 } else { usize::MAX });
        document.field(name, |out| {
            list(out, levels, |out, price| {
                let form = match (is_odd, random.below(2)) {
                    (false, _) => Form::Plain,
                    (true, 0) => Form::Short,
                    (true, _) => Form::Long,
                };
                level(out, form, price, random.between(100, 50_000));
            });
        });
    };
    side("bids", &mut bids.into_iter(), is_empty && which != 1);
    side("asks", &mut asks.into_iter(), is_empty && which != 0);
    if random.chance(0.2) {
        document.field("last_trade_price", |out| Form::Plain.price(out, quote.bid));
    }
}

fn level(out: &mut Vec<u8>, form: Form, price: u64, size: u64) {
    out.extend_from_slice(b"{\"price\":");
    form.price(out, price);
    out.extend_from_slice(b",\"size\":");
    amount(out, size);
    out.push(b'}');
}

/// How a price is written.
#[derive(Clone, Copy)]
enum Form {
    /// `0.5`
    Plain,
    /// `.5`
    Short,
    /// `0.50`
    Long,
}

impl Form {
    /// Writes a price of 1 to 99 cents as a text.
    fn price(self, out: &mut Vec<u8>, cents: u64) {
        out.extend_from_slice(if let Form::Short = self { b"\"." } else { b"\"0." });
        match self {
            Form::Plain | Form::Short if cents.is_multiple_of(10) => digits(out, cents / 10),
            _ => padded(out, cents, 2),
        }
        out.push(b'"');
    }
}

/// Writes an amount of hundredths as a text.
fn amount(out: &mut Vec<u8>, hundredths: u64) {
    out.push(b'"');
    crate::json::hundredths(out, hundredths);
    out.push(b'"');
}

/// Writes what describes a market; returns the event time that can be read from it.
pub(super) fn metadata(
    market: Market,
    (time, fault, shape): (Time, Option<Fault>, u64),
    out: &mut Vec<u8>,
) -> Option<Time> {
    let opens = Time::from_seconds(market.quarter * QUARTER);
    let closes = Time::from_seconds((market.quarter + 1) * QUARTER);
    let id = 10_000 + market.seed % 990_000;
    let title = |out: &mut Vec<u8>| {
        let asset = ASSETS.get(market.asset as usize).map_or("Coin", |(_, name)| name);
        out.push(b'"');
        out.extend_from_slice(asset.as_bytes());
        out.extend_from_slice(b" Up or Down, 15 minutes\"");
    };
    let mut document = Document::new(out, fault, shape);
    document.field("id", |out| named(out, "", id, 1));
    document.field("ticker", |out| market.slug(out));
    document.field("slug", |out| market.slug(out));
    document.field("title", title);
    document.field("startDate", |out| iso(out, opens));
    document.field("endDate", |out| iso(out, closes));
    let readable = document.time("updatedAt", time);
    document.field("markets", |out| {
        out.push(b'[');
        let mut inner = Document::new(out, None, 0);
        inner.field("id", |out| named(out, "", id + 1, 1));
        inner.field("question", title);
        inner.field("conditionId", |out| market.id(out));
        inner.field("slug", |out| market.slug(out));
        quoted(inner.always("outcomes"), "[\\\"Up\\\", \\\"Down\\\"]");
        inner.field("clobTokenIds", |out| {
            out.extend_from_slice(b"\"[\\\"");
            market.token(0, out);
            out.extend_from_slice(b"\\\", \\\"");
            market.token(1, out);
            out.extend_from_slice(b"\\\"]\"");
        });
        inner.field("active", |out| out.extend_from_slice(b"true"));
        inner.field("closed", |out| out.extend_from_slice(b"false"));
        inner.end();
        out.push(b']');
    });
    document.end();
    readable
}
