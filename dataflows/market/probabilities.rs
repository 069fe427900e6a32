//! MK-05: how the probability of a prediction market moves with the price that it is about.

mod means;

use std::collections::BTreeMap;

use highwater::prelude::*;
use highwater_datasets::market::{Candle, Message, Question};

use super::Settings;
use super::correlation::{Returns, log_return};
use means::Means;

/// The symbol of markets whose description says none, or is not there.
const SYMBOL: &str = "BTCUSDT";

/// How long a market is remembered that has no book.
const MEMORY: Duration = hours(1);

/// The correlation of each market with its symbol over the last hour.
///
/// Which symbol that is, a description says that may come at any time. So a row is compared with
/// all symbols, and one of them is chosen behind the windows.
pub(super) fn market_correlation(
    candles: &Stream<Candle>,
    messages: &Stream<Message>,
    questions: &Arranged<Option<Text>, Question>,
    settings: &Settings,
) {
    let (depth, window) = (settings.depth, Tumbling::new(settings.window));
    let symbols = settings.symbols.clone();
    let prices = candles
        .filter(move |candle| candle.symbol.as_ref().is_some_and(|one| symbols.contains(one)))
        .window(window)
        .accumulate(|candle| Means::of(&candle.symbol, candle.close));
    let probabilities = messages
        .filter(|message| message.is("book"))
        .window(window)
        .accumulate(move |book| Means::of(&book.market, book.quote(depth).mid()));

    probabilities
        .left_join(prices, Minute::new)
        .trailing(1, |past, minute| minute.after(past.last()))
        .keep(settings.window)
        .flat_map(Minute::markets)
        .arrange_by(|market| Some(market.id.clone()))
        .left_join(questions, MarketCorrelation::new)
        .sink("market_correlation");
}

/// All markets and symbols of a window.
#[derive(Clone, Serialize, Deserialize)]
struct Minute {
    window: Window,
    prices: BTreeMap<Text, f64>,
    probabilities: BTreeMap<Text, f64>,
    /// What is known of each market.
    pasts: BTreeMap<Text, Past>,
}

/// What is known of a market.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Past {
    /// End of the last window that had it.
    seen: Time,
    /// By symbol, in the last windows that have both.
    returns: BTreeMap<Text, Returns>,
}

/// A market in a window.
#[derive(Clone, Serialize, Deserialize)]
struct Market {
    window: Window,
    id: Text,
    /// Correlation and number of pairs, by symbol.
    symbols: BTreeMap<Text, (Option<f64>, i64)>,
}

/// A row of `market_correlation`.
#[derive(Clone, Serialize, Deserialize, Row)]
struct MarketCorrelation {
    window: Window,
    symbol_a: Text,
    symbol_b: Text,
    correlation: Option<f64>,
    pairs: i64,
}

impl Minute {
    fn new(_all: (), window: Window, probabilities: Means, prices: Option<Means>) -> Minute {
        let prices = prices.map(|prices| prices.get()).unwrap_or_default();
        Minute { window, prices, probabilities: probabilities.get(), pasts: BTreeMap::new() }
    }

    /// The minute behind another one.
    fn after(mut self, before: Option<&Minute>) -> Minute {
        if let Some(before) = before {
            self.pasts.clone_from(&before.pasts);
            self.pasts.retain(|_, past| self.window.end < past.seen.plus(MEMORY));
        }
        let before = before.filter(|before| before.window.end == self.window.start);
        for (market, now) in &self.probabilities {
            let past = self.pasts.entry(market.clone()).or_default();
            past.seen = self.window.end;
            let change = before.and_then(|before| Some(now - before.probabilities.get(market)?));
            for (symbol, price) in &self.prices {
                let price = before.and_then(|b| log_return(*b.prices.get(symbol)?, *price));
                let pair = price.zip(change).map(|(price, change)| [price, change]);
                past.returns.entry(symbol.clone()).or_default().push(pair);
            }
        }
        self
    }

    /// The markets that have a probability in this minute.
    fn markets(self) -> Vec<Market> {
        let Minute { window, probabilities, mut pasts, .. } = self;
        let markets = probabilities.into_keys().map(|id| {
            let returns = pasts.remove(&id).unwrap_or_default().returns;
            let symbols = returns
                .into_iter()
                .map(|(symbol, returns)| (symbol, (returns.correlation(), returns.pairs())));
            Market { window, id, symbols: symbols.collect() }
        });
        markets.collect()
    }
}

impl MarketCorrelation {
    fn new(market: Market, question: Option<Question>) -> MarketCorrelation {
        let symbol = question.and_then(|question| question.symbol());
        let symbol = symbol.unwrap_or_else(|| Text::const_new(SYMBOL));
        let (correlation, pairs) = market.symbols.get(&symbol).copied().unwrap_or((None, 0));
        MarketCorrelation {
            window: market.window,
            symbol_a: symbol,
            symbol_b: Text::from(format!("market:{}", market.id)),
            correlation,
            pairs,
        }
    }
}
