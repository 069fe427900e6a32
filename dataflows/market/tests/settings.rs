//! The columns of the views, and the arguments of the job.

use super::super::entry;
use super::played_with;
use crate::play::{columns, parameters};

#[test]
fn views_have_the_columns_of_the_replaced_system() {
    let check = |view, expect: &str| {
        let expect = format!("window_start ts, window_end ts, {expect}");
        assert_eq!(columns(entry, "", view), expect, "{view}");
    };
    check(
        "binance",
        "symbol text?, current_price f64?, current_sentiment f64?, avg_price f64?, \
         min_price f64?, max_price f64?, volatility f64?, total_usdt_volume f64?, \
         avg_sentiment f64?, ticks i64, usdt_volume_traded f64?",
    );
    check(
        "polymarket",
        "market_id text?, avg_prob f64?, avg_imbalance f64?, avg_spread f64?, \
         total_shares_traded f64?, num_trades i64",
    );
    check(
        "polymarket_books",
        "market_id text?, current_prob f64?, current_spread f64?, current_imbalance f64?, \
         avg_prob f64?, min_prob f64?, max_prob f64?, avg_imbalance f64?, avg_spread f64?, \
         num_updates i64",
    );
    check("polymarket_trades", "market_id text?, total_shares_traded f64?, num_trades i64");
    check("asset_correlation", "symbol_a text, symbol_b text, correlation f64?, pairs i64");
    check("market_correlation", "symbol_a text, symbol_b text, correlation f64?, pairs i64");
    check("data_quality", "topic text, rule text, violations i64, records i64");
}

#[test]
fn window_and_watermark_are_settings() {
    let lines = ["12:00:01 BTCUSDT close=1", "12:00:31 BTCUSDT close=2"];
    let windows: Vec<String> = played_with("window = '30 seconds'", &lines, &[])
        .finals("binance")
        .iter()
        .map(|row| row.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(windows, ["12:00 12:00:30", "12:00:30 12:01"]);

    // The two partitions are the even and the odd lines; the third is 61 s behind the first.
    let lines = ["12:01:30 BTCUSDT", "12:01:30 BTCUSDT", "12:00:29 BTCUSDT"];
    assert_eq!(played_with("", &lines, &[]).letters(), [""; 0]);
    assert_eq!(played_with("watermark = '30 seconds'", &lines, &[]).letters(), ["2 late"]);
}

#[test]
fn settings_of_spark_are_named() {
    let flow = highwater::stream::Flow::new(Default::default());
    let mut spark = parameters("spark.sql.shuffle.partitions = 4");
    entry(&flow, &mut spark).unwrap();
    assert_eq!(
        spark.notices(),
        ["the parameter `spark.sql.shuffle.partitions` has no effect: work is sharded by worker"],
    );
}
