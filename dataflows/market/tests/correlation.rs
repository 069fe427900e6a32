//! MK-05.

use super::{played_described, played_with};

/// The rows of one pair over some minutes, whose prices two functions tell.
fn rows(minutes: usize, prices: impl Fn(usize) -> [Option<f64>; 2]) -> Vec<String> {
    let mut lines = Vec::new();
    for minute in 0..minutes {
        let time = format!("{:02}:{:02}:30", 12 + minute / 60, minute % 60);
        for (symbol, price) in ["BTCUSDT", "ETHUSDT"].into_iter().zip(prices(minute)) {
            lines.extend(price.map(|price| format!("{time} {symbol} close={price:?}")));
        }
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let arguments = "symbols = ['ETHUSDT', 'BTCUSDT']";
    played_with(arguments, &lines, &[]).finals("asset_correlation")
}

/// Doubled in every other minute, halved in the others.
fn zigzag(minute: usize) -> f64 {
    if minute.is_multiple_of(2) { 100.0 } else { 200.0 }
}

fn ends(rows: &[String]) -> Vec<&str> {
    rows.iter().map(|row| row.splitn(3, ' ').nth(2).unwrap()).collect()
}

#[test]
fn ten_returns_of_both_make_a_correlation() {
    let found = rows(12, |minute| [Some(zigzag(minute)), Some(3.0 * zigzag(minute))]);
    let ends = ends(&found);
    assert_eq!(ends[0], "BTCUSDT ETHUSDT - 0");
    assert_eq!(ends[9], "BTCUSDT ETHUSDT - 9");
    assert_eq!(ends[10], "BTCUSDT ETHUSDT 1.0 10");
    assert_eq!(ends[11], "BTCUSDT ETHUSDT 1.0 11");
}

#[test]
fn prices_that_move_against_each_other_correlate_by_less_than_nothing() {
    let found = rows(11, |minute| [Some(zigzag(minute)), Some(zigzag(minute + 1))]);
    assert_eq!(ends(&found)[10], "BTCUSDT ETHUSDT -1.0 10");
}

#[test]
fn a_price_that_does_not_move_has_no_correlation() {
    let found = rows(11, |minute| [Some(zigzag(minute)), Some(5.0)]);
    assert_eq!(ends(&found)[10], "BTCUSDT ETHUSDT - 10");
}

#[test]
fn a_minute_without_one_of_both_has_no_return_and_neither_has_the_next() {
    let prices = |minute| [Some(zigzag(minute)), (minute != 5).then(|| zigzag(minute))];
    let found = rows(13, prices);
    let pairs: Vec<&str> = found.iter().map(|row| row.rsplit(' ').next().unwrap()).collect();
    assert_eq!(pairs, ["0", "1", "2", "3", "4", "4", "4", "5", "6", "7", "8", "9", "10"]);
}

#[test]
fn the_last_sixty_returns_count() {
    let found = rows(70, |minute| {
        // Together at first, then against each other.
        let second = if minute < 9 { zigzag(minute) } else { zigzag(minute + 1) };
        [Some(zigzag(minute)), Some(second)]
    });
    let last = ends(&found)[69];
    let correlation: f64 = last.split(' ').nth(2).unwrap().parse().unwrap();
    assert!(last.ends_with(" 60") && correlation < -0.999, "{last}");
    assert_eq!(ends(&found)[60].split(' ').nth(3), Some("60"));
}

#[test]
fn each_pair_of_known_symbols_has_a_row() {
    let lines = ["12:00:01 SOLUSDT close=1", "12:00:01 TESTUSDT close=1"];
    let found = played_with("", &lines, &[]).finals("asset_correlation");
    assert_eq!(
        found,
        [
            "12:00 12:01 BTCUSDT SOLUSDT - 0",
            "12:00 12:01 ETHUSDT SOLUSDT - 0",
            "12:00 12:01 SOLUSDT XRPUSDT - 0",
        ],
    );
}

#[test]
fn a_market_moves_with_the_symbol_that_its_description_names() {
    let (mut candles, mut messages) = (Vec::new(), Vec::new());
    for minute in 0..12 {
        let time = format!("12:{minute:02}:30");
        let (up, down) = (zigzag(minute), zigzag(minute + 1));
        candles.push(format!("{time} BTCUSDT close={up:?} ; {time} ETHUSDT close={down:?}"));
        let bid = if up < down { "0.25" } else { "0.5" };
        for market in ["0xa", "0xb"] {
            messages.push(format!("{time} book {market} {bid}*1 0.75*1"));
        }
    }
    let candles: Vec<&str> = candles.iter().map(String::as_str).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let described = ["0xb | {\"slug\":\"eth-updown-15m-1\",\"conditionId\":\"0xb\"}"];
    let table = played_described("", &candles, &messages, &described).table("market_correlation");
    let last: Vec<&str> = table.iter().filter_map(|row| row.strip_prefix("12:11 12:12 ")).collect();
    assert_eq!(last, ["BTCUSDT market:0xa 1.0 11", "ETHUSDT market:0xb -1.0 11"]);
    assert!(table.contains(&"12:00 12:01 BTCUSDT market:0xa - 0".into()), "{table:?}");
    assert!(table.contains(&"12:09 12:10 BTCUSDT market:0xa - 9".into()), "{table:?}");
}
