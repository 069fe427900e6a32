//! MK-02 to MK-04: books and trades of each prediction market.

use highwater::prelude::*;
use highwater_datasets::market::{Depth, Message, Quote};

use super::{Latest, Settings, Trades};

/// Books and trades of each market in one row.
pub(super) fn polymarket(messages: &Stream<Message>, settings: &Settings) {
    let (depth, trades) = (settings.depth, settings.trades);
    messages
        .key_by(|message| message.market.clone())
        .window(Tumbling::new(settings.window))
        .accumulate(move |message| Market::of(message, depth, trades))
        .rows(|market_id, window, market| Polymarket { window, market_id, market })
        .updates()
        .sink("polymarket");
}

/// The books of each market.
pub(super) fn polymarket_books(messages: &Stream<Message>, settings: &Settings) {
    let (depth, last) = (settings.depth, settings.last);
    let (alerts, view, key) = (settings.alerts, "polymarket_books", &["market_id"]);
    messages
        .filter(|message| message.is("book"))
        .key_by(|message| message.market.clone())
        .window(Tumbling::new(settings.window))
        .accumulate_with(move |book, stamp| Books::of(&book.quote(depth), last, stamp))
        .alert(alerts.imbalance, view, key, |books| books.avg_imbalance.get().map(f64::abs))
        .alert(alerts.spread, view, key, |books| books.avg_spread.get())
        .rows(|market_id, window, books| PolymarketBooks { window, market_id, books })
        .updates()
        .sink(view);
}

/// The trades of each market.
pub(super) fn polymarket_trades(messages: &Stream<Message>, settings: &Settings) {
    messages
        .filter(|message| message.is("last_trade_price"))
        .key_by(|message| message.market.clone())
        .window(Tumbling::new(settings.window))
        .accumulate(Traded::of)
        .rows(|market_id, window, traded| PolymarketTrades { window, market_id, traded })
        .updates()
        .sink("polymarket_trades");
}

/// What the messages of a market add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Market {
    avg_prob: Mean,
    avg_imbalance: Mean,
    avg_spread: Mean,
    total_shares_traded: Sum<f64>,
    num_trades: Count,
}

/// A row of `polymarket`.
#[derive(Clone, Row)]
struct Polymarket {
    window: Window,
    market_id: Option<Text>,
    market: Market,
}

/// What the books of a market add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Books {
    current_prob: Last<Option<f64>>,
    current_spread: Last<Option<f64>>,
    current_imbalance: Last<Option<f64>>,
    avg_prob: Mean,
    min_prob: Min<f64>,
    max_prob: Max<f64>,
    avg_imbalance: Mean,
    avg_spread: Mean,
    num_updates: Count,
}

/// A row of `polymarket_books`.
#[derive(Clone, Row)]
struct PolymarketBooks {
    window: Window,
    market_id: Option<Text>,
    books: Books,
}

/// What the trades of a market add up to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, Aggregate, Row)]
struct Traded {
    total_shares_traded: Sum<f64>,
    num_trades: Count,
}

/// A row of `polymarket_trades`.
#[derive(Clone, Row)]
struct PolymarketTrades {
    window: Window,
    market_id: Option<Text>,
    traded: Traded,
}

impl Market {
    fn of(message: &Message, depth: Depth, trades: Trades) -> Market {
        let quote = message.quote(depth);
        let counts = trades == Trades::Priced || message.is("last_trade_price");
        Market {
            avg_prob: Mean::of(quote.mid()),
            avg_imbalance: Mean::of(quote.imbalance),
            avg_spread: Mean::of(quote.spread()),
            total_shares_traded: Sum::of(message.size().filter(|_| counts)),
            num_trades: Count::of(counts && message.price().is_some()),
        }
    }
}

impl Books {
    fn of(quote: &Quote, last: Latest, stamp: &Stamp) -> Books {
        let place = last.place(stamp);
        Books {
            current_prob: Last::of(Some(quote.mid()), place),
            current_spread: Last::of(Some(quote.spread()), place),
            current_imbalance: Last::of(Some(quote.imbalance), place),
            avg_prob: Mean::of(quote.mid()),
            min_prob: Min::of(quote.mid()),
            max_prob: Max::of(quote.mid()),
            avg_imbalance: Mean::of(quote.imbalance),
            avg_spread: Mean::of(quote.spread()),
            num_updates: Count::one(),
        }
    }
}

impl Traded {
    fn of(trade: &Message) -> Traded {
        Traded { total_shares_traded: Sum::of(trade.size()), num_trades: Count::one() }
    }
}
