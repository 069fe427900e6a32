//! Snapshots of one-minute candles: a geometric random walk and what is traded at it.
//!
//! A minute is made whole from its number: the walk gives the prices at its ends, a bridge those
//! of its seconds, and each second has a volume. Highs, lows and sums of a snapshot follow.

use highwater::dataset::Fault;
use highwater::time::Time;

use super::walk::{Walk, exp, normal, small_exp};
use crate::json::{Document, boolean, digits, escaped, padded};
use crate::random::{hash, unit};

/// Seconds, and microseconds, of a candle.
const SECONDS: usize = 60;
const MINUTE: i64 = 60_000_000;
/// Deviation of the price in a second, as a share of it.
const DEVIATION: f64 = 0.0002;
/// What is traded in a second, in dollars, in the middle.
const VOLUME: f64 = 20_000.0;
/// How many volumes of a second there are.
const VOLUMES: usize = 256;
/// Least and greatest share of the volume that takers bought.
const TAKEN: (f64, f64) = (0.3, 0.7);

/// What is traded under a symbol.
pub(super) struct Symbol {
    /// The name with the escapes of JSON.
    escaped: String,
    seed: u64,
    /// Price in the middle.
    start: f64,
    /// Log-normal volumes of a second, to draw from.
    volumes: Vec<f64>,
}

/// What a candle shows when some of its seconds are over.
struct Candle {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    quote: f64,
    taken: f64,
    quote_taken: f64,
    trades: u64,
}

/// A look at a symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot {
    /// When it is taken.
    pub(super) time: Time,
    /// Whether it is the last one of the candle that has just ended.
    pub(super) is_closed: bool,
}

impl Symbol {
    pub(super) fn new(seed: u64, index: u64, name: &str) -> Symbol {
        let seed = hash(seed ^ 0xca4d1e, index);
        let start = match name {
            "BTCUSDT" => 60_000.0,
            "ETHUSDT" => 3_000.0,
            "SOLUSDT" => 150.0,
            "XRPUSDT" => 0.5,
            _ => 1.0 + unit(seed) * 99.0,
        };
        let volume = |draw| VOLUME / start * exp(normal(hash(seed ^ 1, draw as u64)));
        Symbol { escaped: escaped(name), seed, start, volumes: (0..VOLUMES).map(volume).collect() }
    }

    /// The candle of a minute after so many of its seconds, 60 at most.
    fn candle(&self, minute: i64, seconds: usize) -> Candle {
        let walk = Walk(self.seed);
        // The square root of 60 seconds.
        let height = |minute| DEVIATION * 7.745_966_692_414_834 * walk.at(minute);
        let (from, to) = (height(minute), height(minute + 1));
        let bits =
            |salt: u64, second: usize| hash(self.seed ^ salt, (minute as u64) << 6 | second as u64);
        let mut path = [0.0; SECONDS + 1];
        for second in 1..=SECONDS {
            path[second] = path[second - 1] + DEVIATION * normal(bits(2, second));
        }
        let (open, tilt) = (self.start * exp(from), (to - from - path[SECONDS]) / SECONDS as f64);
        let price = |second: usize| open * small_exp(path[second] + tilt * second as f64);
        let mood = unit(bits(3, 0));
        let close = price(seconds);
        let (mut high, mut low) = (open.max(close), open.min(close));
        let (mut volume, mut quote, mut taken, mut quote_taken, mut trades) =
            (0.0, 0.0, 0.0, 0.0, 0);
        for second in 0..=seconds.min(SECONDS - 1) {
            let (price, bits) = (price(second), bits(4, second));
            (high, low) = (high.max(price), low.min(price));
            let amount = self.volumes[(bits % VOLUMES as u64) as usize];
            let share = TAKEN.0 + (TAKEN.1 - TAKEN.0) * (mood + unit(bits)) / 2.0;
            volume += amount;
            quote += amount * price;
            taken += amount * share;
            quote_taken += amount * price * share;
            trades += 1 + (bits >> 8) % 40;
        }
        Candle { open, high, low, close, volume, quote, taken, quote_taken, trades }
    }

    /// Writes a snapshot; returns the event time that can be read from it.
    pub(super) fn write(
        &self,
        snapshot: Snapshot,
        (fault, shape): (Option<Fault>, u64),
        out: &mut Vec<u8>,
    ) -> Option<Time> {
        let micros = snapshot.time.micros();
        let minute = micros.div_euclid(MINUTE) - i64::from(snapshot.is_closed);
        let seconds = match snapshot.is_closed {
            true => SECONDS,
            false => (micros.rem_euclid(MINUTE) / 1_000_000) as usize,
        };
        let candle = self.candle(minute, seconds);
        let opens = (minute * MINUTE / 1_000) as u64;
        let mut document = Document::new(out, fault, shape);
        document.number("timestamp", opens);
        let time = Time::from_micros(micros.div_euclid(1_000) * 1_000);
        let readable = document.time_as("snapshot_time", time, |out, time| {
            digits(out, (time.micros() / 1_000) as u64);
        });
        document.plain("symbol", &self.escaped);
        for (name, value) in [
            ("open", candle.open),
            ("high", candle.high),
            ("low", candle.low),
            ("close", candle.close),
            ("volume", candle.volume),
            ("quote_asset_volume", candle.quote),
            ("taker_buy_base", candle.taken),
            ("taker_buy_quote", candle.quote_taken),
        ] {
            document.field(name, |out| decimal(out, value));
        }
        document.number("trades", candle.trades);
        document.number("close_time", opens + 59_999);
        document.field("is_closed", |out| boolean(out, snapshot.is_closed));
        document.end();
        readable
    }
}

/// Writes a number with five decimals.
fn decimal(out: &mut Vec<u8>, value: f64) {
    let scaled = (value * 100_000.0 + 0.5) as u64;
    digits(out, scaled / 100_000);
    out.push(b'.');
    padded(out, scaled % 100_000, 5);
}
