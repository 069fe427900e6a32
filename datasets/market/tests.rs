//! Candles, messages and questions, from documents.

use super::*;
use highwater::codec::{At, BadDocument, Decoded, Options, TypeErrors, Wire, decode};
use highwater::time::{Time, millis};

fn read_with<W: Wire>(document: &str, options: &Options) -> Vec<W> {
    let at = At { topic: "market", position: Default::default() };
    let mut decoded = Decoded::<W>::default();
    let errors = TypeErrors::default();
    decode(Some(document.as_bytes()), at, options, &errors, &mut decoded).unwrap();
    decoded.events
}

fn read<W: Wire>(document: &str) -> Vec<W> {
    read_with(document, &Options::default())
}

/// A time so many milliseconds after one that all tests share.
fn at(after: i64) -> Option<Time> {
    Some(Time::from_micros(1_767_225_600_000_000 + 1_000 * after))
}

#[test]
fn every_element_of_an_array_is_a_candle_and_so_is_an_object() {
    let one = r#"{"timestamp":1767225600000,"snapshot_time":1767225600250,"symbol":"BTCUSDT",
        "open":1.5,"high":2,"low":1,"close":1.75,"volume":10.0,"quote_asset_volume":100.0,
        "taker_buy_base":4.0,"taker_buy_quote":40.0,"trades":7,"close_time":1767225659999,
        "is_closed":false}"#;
    let expect = Candle {
        open_time: at(0),
        snapshot_time: at(250),
        close_time: at(59_999),
        symbol: Some("BTCUSDT".into()),
        open: Some(1.5),
        high: Some(2.0),
        low: Some(1.0),
        close: Some(1.75),
        volume: Some(10.0),
        quote_asset_volume: Some(100.0),
        taker_buy_base: Some(4.0),
        taker_buy_quote: Some(40.0),
    };
    assert_eq!(read::<Candle>(one), std::slice::from_ref(&expect));
    assert_eq!(expect.sentiment(), Some(0.4));
    let array = format!("[{one},{{\"close\":\"abc\",\"symbol\":5}},{one}]");
    let other = Candle { symbol: Some("5".into()), ..Candle::default() };
    assert_eq!(read::<Candle>(&array), [expect.clone(), other, expect.clone()]);
    let null_rows = Options { errors: BadDocument::NullRow, ..Options::default() };
    assert_eq!(read_with::<Candle>(&array, &null_rows).len(), 3);
}

#[test]
fn the_opening_time_of_a_candle_is_known_by_its_magnitude() {
    let check = |count: &str, expect| {
        let candles = read::<Candle>(&format!("{{\"timestamp\":{count}}}"));
        assert_eq!(candles[0].open_time, expect, "{count}");
    };
    check("1767225600000", at(0));
    check("1767225600000000", at(0));
    check("1767225600000000000", at(0));
    check("1767225600", at(0));
    check("\"1767225600000\"", None);
    check("1.5", None);
}

#[test]
fn there_is_no_sentiment_without_volume() {
    let check = |volume, taker_buy_quote, expect| {
        let candle = Candle { quote_asset_volume: volume, taker_buy_quote, ..Candle::default() };
        assert_eq!(candle.sentiment(), expect);
    };
    check(Some(8.0), Some(2.0), Some(0.25));
    check(Some(0.0), Some(0.0), None);
    check(Some(-1.0), Some(1.0), None);
    check(None, Some(1.0), None);
    check(Some(1.0), None, None);
}

#[test]
fn times_and_numbers_of_messages_are_texts() {
    let check = |timestamp: &str, price: &str, expect| {
        let document = format!(
            "[{{\"event_type\":\"last_trade_price\",\"market\":\"0xab\",\"side\":\"BUY\",\
             \"timestamp\":{timestamp},\"price\":{price},\"size\":\" 12 \"}}]"
        );
        let message = read::<Message>(&document).remove(0);
        assert!(message.is("last_trade_price"));
        assert_eq!((message.timestamp, message.price()), expect, "{document}");
        assert_eq!(message.size(), Some(12.0));
    };
    check("\"1767225600000\"", "\".5\"", (at(0), Some(0.5)));
    check("\" 1767225600001 \"", "\"0.50\"", (at(1), Some(0.5)));
    check("\"1767225600002.7\"", "0.25", (at(2), Some(0.25)));
    check("1767225600003", "\"1e-2\"", (at(3), Some(0.01)));
    check("\"soon\"", "\"abc\"", (None, None));
    check("null", "\"NaN\"", (None, None));
    check("\"\"", "\"\"", (None, None));
    assert_eq!(at(1), at(0).map(|time| time.plus(millis(1))));
}

/// The quote of a book whose sides are `price size` lists.
fn quote(bids: &str, asks: &str, depth: Depth) -> (Option<f64>, Option<f64>, Option<f64>) {
    let side = |text: &str| -> String {
        let levels = text.split(", ").filter(|level| !level.is_empty()).map(|level| {
            let (price, size) = level.split_once(' ').unwrap();
            format!("{{\"price\":\"{price}\",\"size\":\"{size}\"}}")
        });
        levels.collect::<Vec<_>>().join(",")
    };
    let book = format!("{{\"bids\":[{}],\"asks\":[{}]}}", side(bids), side(asks));
    let quote = read::<Message>(&book)[0].quote(depth);
    (quote.mid(), quote.spread(), quote.imbalance)
}

#[test]
fn the_best_levels_of_a_book_are_the_greatest_bid_and_the_least_ask() {
    let check = |bids, asks, expect| assert_eq!(quote(bids, asks, Depth::Numeric), expect);
    let all = |mid, spread, imbalance| (Some(mid), Some(spread), Some(imbalance));
    check("0.25 10, 0.5 30", "0.75 10, 1 99", all(0.625, 0.25, 0.5));
    // The first of two levels with the same price, however it is written.
    check(".5 30, 0.50 99, 0.4 1", "0.75 10", all(0.625, 0.25, 0.5));
    // A crossed book has a spread all the same.
    check("0.75 10", "0.5 10", all(0.625, 0.25, 0.0));
    // Neither side has a share.
    check("0.25 0", "0.75 0", (Some(0.5), Some(0.5), None));
    check("", "0.75 10", (None, None, None));
    check("0.25 10", "", (None, None, None));
    check("", "", (None, None, None));
    // A level without a price that can be read is none; one without a size has no depth.
    check("x 5, 0.25 y", "0.75 10", (Some(0.5), Some(0.5), None));
}

#[test]
fn the_replaced_system_compares_prices_as_texts() {
    let bids = ".5 30, 0.45 10";
    assert_eq!(quote(bids, "0.75 10", Depth::Numeric).2, Some(0.5));
    assert_eq!(quote(bids, "0.75 10", Depth::Text), (Some(0.625), Some(0.25), Some(0.0)));
    // As a text, `0.6` is the greater one of these asks.
    assert_eq!(quote("0.2 10", ".7 10, 0.6 30", Depth::Text).2, Some(0.0));
    assert_eq!(quote("0.2 10", ".7 10, 0.6 30", Depth::Numeric).2, Some(-0.5));
}

#[test]
fn a_message_without_sides_has_no_quote() {
    let check = |document: &str| {
        let quote = read::<Message>(document)[0].quote(Depth::Text);
        assert_eq!(quote, Quote::default(), "{document}");
    };
    check("{}");
    check(r#"{"bids":"none","asks":7}"#);
    check(r#"{"bids":[5,"x"],"asks":[{}]}"#);
}

#[test]
fn a_question_is_that_of_a_market_or_of_the_first_market_of_an_event() {
    let check = |document: &str| {
        let question = read::<Question>(document).remove(0);
        assert_eq!(question.market_id.as_deref(), Some("0xab"), "{document}");
        assert_eq!(question.symbol().as_deref(), Some("BTCUSDT"));
        assert_eq!(question.question.as_deref(), Some("Up?"));
    };
    check(r#"{"conditionId":"0xab","slug":"btc-updown-15m-1767225600","question":"Up?"}"#);
    check(r#"{"slug":"btc-x","title":"T","markets":[{"conditionId":"0xab","question":"Up?"}]}"#);
    check(r#"{"title":"Up?","markets":[{"conditionId":"0xab","slug":"btc-x"},{"slug":"eth-x"}]}"#);
    let other = read::<Question>(r#"{"slug":"election-2028","markets":[]}"#).remove(0);
    assert_eq!((other.symbol(), other.market_id), (None, None));
}
