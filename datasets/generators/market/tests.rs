//! Prices, candles, books and trades: what is true of them, and what the options change.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::generators::tests::{check_shares, counts, generator, made, parsed, text};

fn number(value: &Value, field: &str) -> f64 {
    match &value[field] {
        Value::String(text) => text.parse().expect("a number"),
        other => other.as_f64().unwrap_or_else(|| panic!("{field} of {value}")),
    }
}

/// Documents of a topic; arrays are taken apart.
fn documents(name: &str, options: &str, count: u64) -> Vec<Value> {
    let open = |value| match value {
        Value::Array(all) => all,
        one => vec![one],
    };
    made(name, options, count).iter().map(parsed).flat_map(open).collect()
}

#[test]
fn topics_come_at_their_rates() {
    let found = counts(made("market", "", 1_239).iter().map(|made| made.topic.to_string()));
    let expect = [("0", 900), ("1", 338), ("2", 1)];
    assert!(found.iter().map(|(topic, count)| (topic.as_str(), *count)).eq(expect), "{found:?}");
}

#[test]
fn a_candle_grows_and_ends_with_a_closed_snapshot() {
    let mut last: BTreeMap<String, (i64, f64, f64, f64)> = BTreeMap::new();
    let mut closed = 0;
    for row in documents("market.binance", "seed = 3", 4 * 600) {
        let value = |field| number(&row, field);
        let (opens, time) = (value("timestamp") as i64, value("snapshot_time") as i64);
        let (high, low, quote) = (value("high"), value("low"), value("quote_asset_volume"));
        assert!(low <= value("open").min(value("close")), "{row}");
        assert!(value("open").max(value("close")) <= high, "{row}");
        assert!((0.3..=0.7).contains(&(value("taker_buy_quote") / quote)), "{row}");
        assert_eq!(value("close_time") as i64, opens + 59_999);
        let is_closed = row["is_closed"] == true;
        let after = if is_closed { 60_050..=60_900 } else { 0..=59_999 };
        assert!(after.contains(&(time - opens)), "{row}");
        closed += u32::from(is_closed);
        let now = (opens, high, low, quote);
        let before = last.insert(text(&row, "symbol").to_owned(), now).unwrap_or(now);
        if before.0 == opens {
            assert!(before.1 <= high && low <= before.2 && before.3 <= quote, "{row}");
        }
    }
    assert_eq!(last.keys().map(String::as_str).collect::<Vec<_>>(), SYMBOLS);
    assert!((36..=44).contains(&closed), "{closed} candles of 40 are closed");
}

const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"];

#[test]
fn prices_wander_by_a_five_thousandth_a_second() {
    let prices: Vec<f64> = documents("market.binance", "symbols = \"BTCUSDT\"", 3_000)
        .iter()
        .map(|row| number(row, "close"))
        .collect();
    let steps = prices.windows(2).map(|two| (two[1] / two[0] - 1.0).powi(2));
    let deviation = (steps.sum::<f64>() / 2_999.0).sqrt();
    assert!((0.00018..0.00022).contains(&deviation), "{deviation}");
    assert!(prices.iter().all(|price| (40_000.0..90_000.0).contains(price)));
}

#[test]
fn symbols_are_those_asked_for() {
    let check = |options: &str, expect: &[&str]| {
        let all = documents("market.binance", options, 400);
        let found: BTreeSet<&str> = all.iter().map(|row| text(row, "symbol")).collect();
        assert_eq!(found, expect.iter().copied().collect(), "{options}");
    };
    check("symbols = [\"A\\\"\", \"B\"]", &["A\"", "B"]);
    check("keys = 2", &SYMBOLS[..2]);
    check(
        "keys = 5\npartitions = 3",
        &["BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "COIN0005USDT"],
    );
    let error = generator("market", "symbols = \"\"").err().unwrap().to_string();
    assert!(error.contains("`symbols` has an empty name"), "{error}");
}

#[test]
fn gathered_snapshots_are_an_array_of_one_symbol_and_have_the_times_of_single_ones() {
    let all = made("market.binance", "batch = \"upstream\"", 40);
    let mut next: BTreeMap<String, i64> = BTreeMap::new();
    for made in &all {
        let document = parsed(made);
        let rows = document.as_array().unwrap();
        assert_eq!(rows.len(), 25);
        for row in rows {
            assert_eq!(text(row, "symbol"), text(&rows[0], "symbol"));
            let time = number(row, "snapshot_time") as i64;
            let before = next.insert(text(row, "symbol").to_owned(), time);
            let since = time - before.unwrap_or(time - 1_000);
            assert!((0..=2_000).contains(&since), "{since} ms: {row}");
        }
        let behind = made.due.micros() / 1_000 - number(&rows[24], "snapshot_time") as i64;
        assert!((-900..=0).contains(&behind), "{behind}");
    }
}

#[test]
fn messages_come_by_their_weights_and_belong_to_the_market_of_the_quarter() {
    let all = documents("market.polymarket_trade", "", 12_000);
    let found = counts(all.iter().map(|message| text(message, "event_type").to_owned()));
    check_shares(
        &found,
        &[
            ("book", 0.64),
            ("last_trade_price", 0.32),
            ("price_change", 0.035),
            ("tick_size_change", 0.005),
        ],
    );
    let mut quarters: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
    for message in &all {
        let quarter = number(message, "timestamp") as i64 / 900_000;
        quarters.entry(quarter).or_default().insert(text(message, "market"));
    }
    assert!(8 < quarters.len());
    let ids: BTreeSet<&str> = quarters.values().flatten().copied().collect();
    assert_eq!(ids.len(), quarters.len(), "a market in each quarter, and another one");
    assert!(ids.iter().all(|id| id.len() == 66 && id.starts_with("0x")));
    let described = documents("market.polymarket_metadata", "", 40);
    let bitcoin = described.iter().filter(|d| text(d, "slug").starts_with("btc-updown-15m-"));
    let known: BTreeSet<&str> =
        bitcoin.map(|document| text(&document["markets"][0], "conditionId")).collect();
    assert!(ids.iter().take(5).all(|id| known.contains(id)), "{ids:?} {known:?}");
}

fn best(side: &Value) -> Vec<f64> {
    side.as_array().unwrap().iter().map(|level| number(level, "price")).collect()
}

#[test]
fn books_are_in_order_and_as_odd_as_asked_for() {
    let share = |options: &str, is: fn(&str, &[f64], &[f64]) -> bool| {
        let all = documents("market.polymarket_trade", options, 6_000);
        let books: Vec<&Value> = all.iter().filter(|m| text(m, "event_type") == "book").collect();
        let odd = books.iter().filter(|book| {
            let (bids, asks) = (best(&book["bids"]), best(&book["asks"]));
            assert!(bids.windows(2).all(|two| two[0] < two[1]));
            assert!(asks.windows(2).all(|two| two[1] < two[0]));
            assert!(bids.iter().chain(&asks).all(|price| (0.01..=0.99).contains(price)));
            is(&book.to_string(), &bids, &asks)
        });
        odd.count() as f64 / books.len() as f64
    };
    let check = |options: &str, is, expect: f64| {
        let found = share(options, is);
        assert!((found - expect).abs() <= 0.15 * expect, "{options}: {found}");
    };
    let crossed = |_: &str, bids: &[f64], asks: &[f64]| {
        bids.last().zip(asks.last()).is_some_and(|(bid, ask)| ask <= bid)
    };
    check("", crossed, 0.0);
    check("crossed_books = 0.2", crossed, 0.2);
    let empty = |_: &str, bids: &[f64], asks: &[f64]| bids.is_empty() || asks.is_empty();
    check("", empty, 0.0);
    check("empty_sides = 0.2", empty, 0.2);
    let odd = |text: &str, _: &[f64], _: &[f64]| text.contains("\"price\":\".");
    check("", odd, 0.0);
    check("odd_prices = 0.2", odd, 0.2);
    check(
        "profile = \"full\"",
        |text, bids, asks| bids.is_empty() || asks.is_empty() || text.contains("\"price\":\"."),
        0.04,
    );
    let error = generator("market", "odd_prices = 2.0").err().unwrap().to_string();
    assert!(error.contains("`odd_prices` is 2, but a share is 0 to 1"), "{error}");
}
