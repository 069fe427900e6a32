//! MK-02 to MK-04.

use super::played_with;

/// A minute of two markets.
const MESSAGES: &[&str] = &[
    "12:00:01 book 0xa .5*30,0.45*10 0.75*10",
    "12:00:02 last_trade_price 0xa price=.5 size=10",
    // The seller's side is empty.
    "12:00:03 book 0xa 0.25*1 -",
    "12:00:04 last_trade_price 0xa price=0.25 size=2.5",
    // A crossed book.
    "12:00:05 book 0xb 0.75*10 0.5*10",
    "12:00:06 price_change 0xb price=0.5 size=99",
    "12:00:07 last_trade_price 0xb price=abc size=5",
    "12:00:08 tick_size_change -",
];

fn check(arguments: &str, view: &str, expect: &[&str]) {
    assert_eq!(played_with(arguments, &[], MESSAGES).finals(view), expect, "{view}");
}

#[test]
fn books_and_trades_of_a_market_are_in_one_row() {
    check(
        "",
        "polymarket",
        &[
            "12:00 12:01 - - - - - 0",
            "12:00 12:01 0xa 0.625 0.5 0.25 12.5 2",
            "12:00 12:01 0xb 0.625 0.0 0.25 5.0 0",
        ],
    );
    check(
        "trades.rows = 'priced'\nbook.depth = 'text'",
        "polymarket",
        &[
            "12:00 12:01 - - - - - 0",
            "12:00 12:01 0xa 0.625 0.0 0.25 12.5 2",
            "12:00 12:01 0xb 0.625 0.0 0.25 104.0 1",
        ],
    );
}

#[test]
fn the_last_book_may_have_one_side() {
    check(
        "",
        "polymarket_books",
        &[
            "12:00 12:01 0xa - - - 0.625 0.625 0.625 0.5 0.25 2",
            "12:00 12:01 0xb 0.625 0.25 0.0 0.625 0.625 0.625 0.0 0.25 1",
        ],
    );
}

#[test]
fn trades_are_counted_with_or_without_a_price() {
    check("", "polymarket_trades", &["12:00 12:01 0xa 12.5 2", "12:00 12:01 0xb 5.0 1"]);
}

#[test]
fn the_first_message_of_a_connection_is_an_array() {
    let at = super::millis("12:00:01");
    let array = format!(
        "[{{\"event_type\":\"last_trade_price\",\"market\":\"0xa\",\"timestamp\":\" {at}.9 \",\
         \"size\":\"7\"}},{{\"event_type\":\"book\",\"market\":\"0xa\",\"timestamp\":\"{at}\"}}]"
    );
    let played = played_with("", &[], &[&array]);
    assert_eq!(played.finals("polymarket_trades"), ["12:00 12:01 0xa 7.0 1"]);
    assert_eq!(played.finals("polymarket_books"), ["12:00 12:01 0xa - - - - - - - - 1"]);
    assert_eq!(played.finals("polymarket"), ["12:00 12:01 0xa - - - 7.0 0"]);
}
