//! MK-01: prices and sentiment of each symbol.

use highwater::prelude::*;
use highwater_datasets::market::Candle;

use super::{Latest, Settings};

/// Prices, volumes and sentiment of each symbol.
pub(super) fn binance(candles: &Stream<Candle>, settings: &Settings) {
    let (last, window) = (settings.last, Tumbling::new(settings.window));
    let by_symbol = candles.key_by(|candle| candle.symbol.clone());
    let prices = by_symbol
        .window(window)
        .accumulate_with(move |candle, stamp| Prices::of(candle, stamp, last));

    // The volume of a candle grows to its end, and its last snapshot may come behind it: it counts
    // where the candle opens.
    let size = settings.window;
    let traded = by_symbol
        .window(window)
        .by(move |candle| opening(candle, size))
        .accumulate(|candle| Max::of(candle.quote_asset_volume));

    let (alerts, view, key) = (settings.alerts, "binance", &["symbol"]);
    by_symbol.silence(alerts.silence, view, key, settings.symbols.iter().cloned().map(Some));
    let rows = prices
        .left_join(traded, Binance::new)
        .alert(alerts.volatility, view, key, Binance::relative_volatility)
        .alert(alerts.sentiment_high, view, key, |row| row.avg_sentiment.get())
        .alert(alerts.sentiment_low, view, key, |row| row.avg_sentiment.get());
    rows.updates().sink(view);

    if alerts.price_move.is_on() {
        rows.rows(|_, window, row| Price { window, now: row.avg_price.get(), before: None })
            .trailing(1, |past, price| price.after(past.last()))
            .alert(alerts.price_move, view, key, Price::moved);
    }
}

/// When a candle opens, if it opens with a window, and not after it was captured.
fn opening(candle: &Candle, size: Duration) -> Option<Time> {
    let open =
        candle.open_time.filter(|open| candle.snapshot_time.is_some_and(|at| *open <= at))?;
    let size = size.as_micros() as i64;
    (size != 0 && open.micros().rem_euclid(size) == 0).then_some(open)
}

/// What the candles of a symbol add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate)]
struct Prices {
    current_price: Last<Option<f64>>,
    current_sentiment: Last<Option<f64>>,
    avg_price: Mean,
    min_price: Min<f64>,
    max_price: Max<f64>,
    variance: Variance,
    total_usdt_volume: Sum<f64>,
    avg_sentiment: Mean,
    ticks: Count,
}

/// A row of `binance`.
#[derive(Clone, Row)]
struct Binance {
    window: Window,
    symbol: Option<Text>,
    current_price: Last<Option<f64>>,
    current_sentiment: Last<Option<f64>>,
    avg_price: Mean,
    min_price: Min<f64>,
    max_price: Max<f64>,
    volatility: Option<f64>,
    total_usdt_volume: Sum<f64>,
    avg_sentiment: Mean,
    ticks: Count,
    usdt_volume_traded: Option<f64>,
}

/// The average price of a minute, beside that of the minute before it.
#[derive(Clone, Serialize, Deserialize)]
struct Price {
    window: Window,
    now: Option<f64>,
    before: Option<f64>,
}

impl Price {
    fn after(self, past: Option<&Price>) -> Price {
        let past = past.filter(|past| past.window.end == self.window.start);
        Price { before: past.and_then(|past| past.now), ..self }
    }

    /// By which share of the earlier price it rose or fell. The difference is divided, as the
    /// quotient less one is somewhat more than 0.01 for 101 after 100.
    fn moved(&self) -> Option<f64> {
        let (now, before) = (self.now?, self.before?);
        stats::ratio((now - before).abs(), before.abs())
    }
}

impl Prices {
    fn of(candle: &Candle, stamp: &Stamp, last: Latest) -> Prices {
        let (price, sentiment) = (candle.close, candle.sentiment());
        let place = last.place(stamp);
        Prices {
            current_price: Last::of(Some(price), place),
            current_sentiment: Last::of(Some(sentiment), place),
            avg_price: Mean::of(price),
            min_price: Min::of(price),
            max_price: Max::of(price),
            variance: Variance::of(price),
            total_usdt_volume: Sum::of(candle.quote_asset_volume),
            avg_sentiment: Mean::of(sentiment),
            ticks: Count::one(),
        }
    }
}

impl Binance {
    /// The volatility as a share of the price.
    fn relative_volatility(&self) -> Option<f64> {
        stats::ratio(self.volatility, self.avg_price.get())
    }

    fn new(
        symbol: Option<Text>,
        window: Window,
        prices: Prices,
        traded: Option<Max<f64>>,
    ) -> Binance {
        Binance {
            window,
            symbol,
            volatility: prices.variance.sample_deviation(),
            current_price: prices.current_price,
            current_sentiment: prices.current_sentiment,
            avg_price: prices.avg_price,
            min_price: prices.min_price,
            max_price: prices.max_price,
            total_usdt_volume: prices.total_usdt_volume,
            avg_sentiment: prices.avg_sentiment,
            ticks: prices.ticks,
            usdt_volume_traded: traded.and_then(|traded| traded.get().copied()),
        }
    }
}
