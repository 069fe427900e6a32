//! MK-06.

use super::played_with;

/// The violations of each broken rule, per minute.
fn broken(binance: &[&str], polymarket: &[&str]) -> Vec<String> {
    let rows = played_with("", binance, polymarket).finals("data_quality");
    let rows = rows.iter().filter(|row| row.split(' ').nth(4) != Some("0"));
    rows.map(|row| row.replace("polymarket_trade", "p").replace("binance", "b")).collect()
}

#[test]
fn each_rule_has_a_row_with_the_records_of_its_topic() {
    let played = played_with(
        "",
        &["12:00:01 BTCUSDT close=1", "12:00:02 BTCUSDT close=1"],
        &["12:00:01 book 0xa 0.4*1 0.6*1"],
    );
    assert_eq!(
        played.finals("data_quality"),
        [
            "12:00 12:01 binance duplicate 0 2",
            "12:00 12:01 binance gap 0 2",
            "12:00 12:01 binance ohlc_order 0 2",
            "12:00 12:01 binance price_not_positive 0 2",
            "12:00 12:01 binance snapshot_outside_candle 0 2",
            "12:00 12:01 binance taker_exceeds_volume 0 2",
            "12:00 12:01 binance unknown_symbol 0 2",
            "12:00 12:01 polymarket_trade crossed_book 0 1",
            "12:00 12:01 polymarket_trade probability_range 0 1",
            "12:00 12:01 polymarket_trade size_not_positive 0 1",
        ],
    );
}

#[test]
fn records_that_break_a_rule_are_counted_and_used() {
    let candles = [
        "12:00:01 BTCUSDT close=0 open=1 high=1 low=1",
        "12:00:02 TESTUSDT close=1 quote_asset_volume=1 taker_buy_quote=2",
        "12:00:03 BTCUSDT opens=12:00:03.001",
        "12:00:03 BTCUSDT",
        "12:00:04.5 BTCUSDT closes=11:59:59.499",
    ];
    let messages = [
        "12:00:01 book 0xa 0.5*1 0.5*1",
        "12:00:02 book 0xa 0.5*0 1.5*1",
        "12:00:03 last_trade_price 0xa price=-0.1 size=-1",
        "12:00:04 book 0xa - 0.5*1",
    ];
    assert_eq!(
        broken(&candles, &messages),
        [
            "12:00 12:01 b duplicate 1 5",
            "12:00 12:01 b ohlc_order 1 5",
            "12:00 12:01 b price_not_positive 1 5",
            "12:00 12:01 b snapshot_outside_candle 2 5",
            "12:00 12:01 b taker_exceeds_volume 1 5",
            "12:00 12:01 b unknown_symbol 1 5",
            "12:00 12:01 p crossed_book 1 4",
            "12:00 12:01 p probability_range 2 4",
            "12:00 12:01 p size_not_positive 2 4",
        ],
    );
    assert_eq!(played_with("", &candles, &messages).letters(), [""; 0]);
}

#[test]
fn a_gap_counts_where_it_ends() {
    let candles = [
        "12:00:01 BTCUSDT",
        "12:00:02 ETHUSDT",
        "12:00:06 BTCUSDT",
        "12:00:07.001 ETHUSDT",
        "12:02:00 BTCUSDT",
        "12:02:04 ETHUSDT",
        "12:02:01 BTCUSDT",
    ];
    assert_eq!(broken(&candles, &[]), ["12:00 12:01 b gap 1 4", "12:02 12:03 b gap 2 3"]);
}
