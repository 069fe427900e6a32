//! The views of the markets: their columns, and rows computed by hand from a few records.

mod alerts;
mod correlation;
mod files;
mod odd_books;
mod prices;
mod probabilities;
mod quality;
mod settings;

use std::fmt::Write;

use crate::play::{Play, Played};

/// The document of candles: time of the snapshot, symbol, fields; several in an array, with ` ; `
/// between them. `opens` is the time of the day when the candle opens.
///
/// ```text
/// 12:00:01.5 BTCUSDT close=100 opens=12:00:00
/// ```
fn candles(line: &str) -> String {
    if line.starts_with('{') {
        return line.into();
    }
    let all: Vec<String> = line.split(" ; ").map(candle).collect();
    if all.len() == 1 { all.into_iter().next().unwrap() } else { format!("[{}]", all.join(",")) }
}

fn candle(line: &str) -> String {
    let mut words = line.split(' ');
    let (time, symbol) = (words.next().unwrap(), words.next().unwrap());
    let symbol = if symbol == "-" { "null".into() } else { format!("\"{symbol}\"") };
    let mut document = format!("{{\"snapshot_time\":{},\"symbol\":{symbol}", millis(time));
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("no field: {word}"));
        let _ = match name {
            "opens" => write!(document, ",\"timestamp\":{}", millis(value)),
            "closes" => write!(document, ",\"close_time\":{}", millis(value)),
            _ => write!(document, ",\"{name}\":{value}"),
        };
    }
    document + "}"
}

/// The document of a message: time, type, market, and what it has.
///
/// ```text
/// 12:00:01 book 0xa 0.4*10,0.3*5 0.6*10       bids and asks; `-` for none
/// 12:00:02 last_trade_price 0xa price=.5 size=10
/// ```
fn message(line: &str) -> String {
    if line.starts_with(['{', '[']) {
        return line.into();
    }
    let mut words = line.split(' ');
    let mut next = || words.next().unwrap();
    let (time, event_type, market) = (millis(next()), next(), next());
    let market = if market == "-" { "null".into() } else { format!("\"{market}\"") };
    let mut document =
        format!("{{\"event_type\":\"{event_type}\",\"market\":{market},\"timestamp\":\"{time}\"");
    if event_type == "book" {
        for (name, levels) in [("bids", next()), ("asks", next())] {
            let levels = levels.split(',').filter_map(|level| level.split_once('*'));
            let levels = levels
                .map(|(price, size)| format!("{{\"price\":\"{price}\",\"size\":\"{size}\"}}"));
            let levels: Vec<String> = levels.collect();
            let _ = write!(document, ",\"{name}\":[{}]", levels.join(","));
        }
    }
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or_else(|| panic!("no field: {word}"));
        let _ = write!(document, ",\"{name}\":\"{value}\"");
    }
    document + "}"
}

/// Milliseconds since 1970 of a time of 1 March 2026.
fn millis(time: &str) -> i64 {
    let text = format!("2026-03-01T{time}Z");
    let utc = highwater::codec::timestamp::Zone::utc();
    highwater::codec::timestamp::parse(&text, &utc, false).unwrap().micros() / 1_000
}

fn played_with(arguments: &str, binance: &[&str], polymarket: &[&str]) -> Played {
    played_described(arguments, binance, polymarket, &[])
}

/// As [`played_with`], with descriptions of markets.
fn played_described(
    arguments: &str,
    binance: &[&str],
    polymarket: &[&str],
    described: &[&str],
) -> Played {
    let candles: Vec<String> = binance.iter().map(|line| candles(line)).collect();
    let messages: Vec<String> = polymarket.iter().map(|line| message(line)).collect();
    let questions: Vec<String> = described.iter().map(|line| (*line).into()).collect();
    let topics = [
        ("binance", &candles[..]),
        ("polymarket_trade", &messages[..]),
        ("polymarket_metadata", &questions[..]),
    ];
    Play { entry: super::entry, arguments, null_rows: false, topics: &topics }.run()
}
