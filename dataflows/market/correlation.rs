//! MK-05: how the prices of two symbols move together.

use highwater::prelude::*;
use highwater_datasets::market::Candle;

use super::Settings;

/// How many windows are looked at, and the fewest that say something.
const WINDOWS: usize = 60;
const PAIRS_MIN: usize = 10;

/// A pair of symbols, in the order of their texts.
type Pair = (Text, Text);

/// The correlation of each pair of known symbols over the last hour.
pub(super) fn asset_correlation(candles: &Stream<Candle>, settings: &Settings) {
    let symbols = settings.symbols.clone();
    candles
        .flat_map(move |candle| sides(candle, &symbols))
        .key_by(|side| side.pair.clone())
        .window(Tumbling::new(settings.window))
        .accumulate(Averages::of)
        .rows(Correlation::new)
        .trailing(1, |past, row| row.after(past.last()))
        .sink("asset_correlation");
}

/// A price, as one side of a pair.
struct Side {
    pair: Pair,
    is_first: bool,
    price: Option<f64>,
}

/// A candle as a side of each pair that its symbol is in.
fn sides(candle: &Candle, symbols: &[Text]) -> Vec<Side> {
    let Some(symbol) = candle.symbol.as_ref().filter(|symbol| symbols.contains(symbol)) else {
        return Vec::new();
    };
    let others = symbols.iter().filter(|other| *other != symbol);
    let side = |other: &Text| {
        let is_first = symbol < other;
        let (first, second) = if is_first { (symbol, other) } else { (other, symbol) };
        Side { pair: (first.clone(), second.clone()), is_first, price: candle.close }
    };
    others.map(side).collect()
}

/// The average prices of both sides.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Averages {
    first: Mean,
    second: Mean,
}

impl Averages {
    fn of(side: &Side) -> Averages {
        let mean = |is_mine: bool| Mean::of(side.price.filter(|_| is_mine));
        Averages { first: mean(side.is_first), second: mean(!side.is_first) }
    }
}

/// A row of `asset_correlation`.
#[derive(Clone, Serialize, Deserialize, Row)]
struct Correlation {
    window: Window,
    symbol_a: Text,
    symbol_b: Text,
    correlation: Option<f64>,
    pairs: i64,
    #[row(skip)]
    prices: [Option<f64>; 2],
    #[row(skip)]
    returns: Returns,
}

/// The returns of both sides in the last windows that have both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Returns(Vec<[f64; 2]>);

impl Returns {
    /// Those of one more window, if it has both.
    pub(super) fn push(&mut self, returns: Option<[f64; 2]>) {
        self.0.extend(returns);
        if WINDOWS < self.0.len() {
            self.0.remove(0);
        }
    }

    /// How many there are.
    pub(super) fn pairs(&self) -> i64 {
        self.0.len() as i64
    }

    /// How they move together, if there are enough of them.
    pub(super) fn correlation(&self) -> Option<f64> {
        let enough = PAIRS_MIN <= self.0.len();
        enough.then(|| stats::correlation(self.0.iter().copied())).flatten()
    }
}

impl Correlation {
    fn new((symbol_a, symbol_b): Pair, window: Window, prices: Averages) -> Correlation {
        let prices = [prices.first.get(), prices.second.get()];
        let (correlation, pairs, returns) = (None, 0, Returns::default());
        Correlation { window, symbol_a, symbol_b, correlation, pairs, prices, returns }
    }

    /// The row behind another one of its pair.
    fn after(mut self, before: Option<&Correlation>) -> Correlation {
        let Some(before) = before else { return self };
        self.returns.clone_from(&before.returns);
        if before.window.end == self.window.start {
            self.returns.push(returns(before.prices, self.prices));
        }
        (self.correlation, self.pairs) = (self.returns.correlation(), self.returns.pairs());
        self
    }
}

/// The logarithmic returns of both sides, if both have them.
fn returns(before: [Option<f64>; 2], now: [Option<f64>; 2]) -> Option<[f64; 2]> {
    let change = |side: usize| log_return(before[side]?, now[side]?);
    Some([change(0)?, change(1)?])
}

/// The logarithm of how a price changed.
pub(super) fn log_return(before: f64, now: f64) -> Option<f64> {
    Some((now / before).ln()).filter(|change| change.is_finite())
}
