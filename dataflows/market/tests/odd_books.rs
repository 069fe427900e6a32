//! Books that are empty, one-sided or crossed, and prices in every form that a text can have.

use super::{millis, played_with};
use crate::play::Played;

/// A message of a second with some more fields, as they are on the wire.
fn raw(second: u32, event_type: &str, fields: &str) -> String {
    let time = millis(&format!("12:00:{second:02}"));
    let head =
        format!("\"event_type\":\"{event_type}\",\"market\":\"0xa\",\"timestamp\":\"{time}\"");
    format!("{{{head}{fields}}}")
}

fn played(messages: &[String]) -> Played {
    let lines: Vec<&str> = messages.iter().map(String::as_str).collect();
    let played = played_with("", &[], &lines);
    assert_eq!(played.letters(), [""; 0], "a book may be odd, and is used all the same");
    played
}

/// The rules of the data quality that are broken: name, violations, records.
fn broken(played: &Played) -> Vec<String> {
    let rows = played.finals("data_quality").into_iter();
    let words = rows.map(|row| row.split(' ').skip(3).collect::<Vec<_>>().join(" "));
    words.filter(|row| row.split(' ').nth(1) != Some("0")).collect()
}

#[test]
fn empty_and_one_sided_books_are_counted_and_have_no_values() {
    let played = played(&[
        "12:00:01 book 0xa - -".into(),
        raw(2, "book", ""),
        raw(3, "book", ",\"bids\":null,\"asks\":{}"),
        "12:00:04 book 0xa .5*30 -".into(),
        "12:00:05 book 0xa - .75*10".into(),
    ]);
    assert_eq!(played.finals("polymarket"), ["12:00 12:01 0xa - - - - 0"]);
    assert_eq!(played.finals("polymarket_books"), ["12:00 12:01 0xa - - - - - - - - 5"]);
    assert_eq!(played.finals("polymarket_trades"), [""; 0]);
    assert_eq!(broken(&played), [""; 0]);
}

#[test]
fn an_empty_book_behind_a_full_one_takes_the_current_values_and_no_others() {
    let played = played(&["12:00:01 book 0xa .5*30 .75*10".into(), "12:00:02 book 0xa - -".into()]);
    assert_eq!(played.finals("polymarket"), ["12:00 12:01 0xa 0.625 0.5 0.25 - 0"]);
    let books = ["12:00 12:01 0xa - - - 0.625 0.625 0.625 0.5 0.25 2"];
    assert_eq!(played.finals("polymarket_books"), books);
}

#[test]
fn crossed_and_locked_books_have_a_spread_and_break_a_rule() {
    let played = played(&[
        "12:00:01 book 0xb .75*10 .5*30".into(),
        "12:00:02 book 0xb 0.5*10 .5*10".into(),
        "12:00:03 book 0xb .25*10 .5*0".into(),
    ]);
    // Mids .625, .5, .375; imbalances -.5, 0, 1; spreads .25, 0, .25.
    let spread = 0.5 / 3.0;
    let imbalance = 0.5 / 3.0;
    let row = format!("12:00 12:01 0xb 0.5 {imbalance:?} {spread:?} - 0");
    assert_eq!(played.finals("polymarket"), [row]);
    let row = format!("12:00 12:01 0xb 0.375 0.25 1.0 0.5 0.375 0.625 {imbalance:?} {spread:?} 3");
    assert_eq!(played.finals("polymarket_books"), [row]);
    assert_eq!(broken(&played), ["crossed_book 2 3", "size_not_positive 1 3"]);
}

#[test]
fn levels_are_read_in_every_form_of_a_number_and_left_out_otherwise() {
    let bids = "[{\"price\":\".5\",\"size\":\"9\"},{\"price\":\" 12 \",\"size\":\" 30 \"},\
                {\"price\":\"abc\",\"size\":\"1\"},{\"price\":\"\"},{},5,null]";
    let asks = "[{\"price\":\"NaN\",\"size\":\"1\"},{\"price\":\"12.7\",\"size\":\"10\"},\
                {\"price\":13,\"size\":\"99\"},{\"price\":null,\"size\":\"7\"}]";
    let played = played(&[raw(1, "book", &format!(",\"bids\":{bids},\"asks\":{asks}"))]);
    let (mid, spread) = ((12.0 + 12.7) / 2.0, 12.7 - 12.0);
    let row = format!("12:00 12:01 0xa {mid:?} 0.5 {spread:?} - 0");
    assert_eq!(played.finals("polymarket"), [row]);
    let row =
        format!("12:00 12:01 0xa {mid:?} {spread:?} 0.5 {mid:?} {mid:?} {mid:?} 0.5 {spread:?} 1");
    assert_eq!(played.finals("polymarket_books"), [row]);
    assert_eq!(broken(&played), ["probability_range 1 1"]);
}

#[test]
fn a_best_level_whose_size_is_no_number_has_no_imbalance() {
    let book = ",\"bids\":[{\"price\":\".5\",\"size\":\"abc\"},{\"price\":\".25\",\"size\":\"9\"}],\
                \"asks\":[{\"price\":\".75\",\"size\":\"10\"}]";
    let played = played(&[raw(1, "book", book)]);
    assert_eq!(played.finals("polymarket"), ["12:00 12:01 0xa 0.625 - 0.25 - 0"]);
}

#[test]
fn trades_are_read_in_every_form_of_a_number() {
    let forms = [
        ("\".5\"", "\" 12 \""),
        ("\" 12 \"", "\".5\""),
        ("\"12.7\"", "\"12.7\""),
        ("5", "7"),
        ("\"abc\"", "\"abc\""),
        ("null", "null"),
        ("\"\"", "\"\""),
        ("\"NaN\"", "\"Infinity\""),
        ("[1]", "{}"),
        ("true", "NaN"),
    ];
    let messages = forms.into_iter().enumerate().map(|(second, (price, size))| {
        raw(second as u32, "last_trade_price", &format!(",\"price\":{price},\"size\":{size}"))
    });
    let played = played(&messages.collect::<Vec<_>>());
    // Four have a price, and four a size.
    let shares = 19.5 + 12.7;
    assert_eq!(played.finals("polymarket"), [format!("12:00 12:01 0xa - - - {shares:?} 4")]);
    assert_eq!(played.finals("polymarket_trades"), [format!("12:00 12:01 0xa {shares:?} 10")]);
    assert_eq!(broken(&played), ["probability_range 3 10"]);
}

#[test]
fn messages_are_dated_in_every_form_of_milliseconds() {
    let at = |time: &str| {
        format!("{{\"event_type\":\"last_trade_price\",\"market\":\"0xa\",\"timestamp\":{time}}}")
    };
    let now = millis("12:00:01");
    let dated = [format!("\"{now}\""), format!("\" {now} \""), format!("\"{now}.7\"")];
    let undated = ["\"abc\"", "\"\"", "null", "\"1.5e12\"", "\"2026-03-01 12:00:01\"", "[1]"];
    let messages: Vec<String> = dated.iter().map(|time| at(time)).collect();
    let messages = [messages, vec![at(&now.to_string())], undated.map(at).to_vec()].concat();
    let lines: Vec<&str> = messages.iter().map(String::as_str).collect();
    let played = played_with("", &[], &lines);
    assert_eq!(played.finals("polymarket_trades"), ["12:00 12:01 0xa - 4"]);
    assert_eq!(played.letters().len(), undated.len());
    assert!(played.letters().iter().all(|letter| letter.ends_with("no_event_time")));
}
