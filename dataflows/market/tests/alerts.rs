//! Alerts: rows computed by hand, at, just above and just below their thresholds.

use super::played_with;

fn check(arguments: &str, binance: &[&str], polymarket: &[&str], expect: &[&str]) {
    assert_eq!(played_with(arguments, binance, polymarket).finals("alerts"), expect);
}

/// All alerts off but one, which keeps its threshold.
fn only(name: &str) -> String {
    let all =
        ["volatility", "price_move", "sentiment_high", "sentiment_low", "imbalance", "spread"];
    let off = all.iter().filter(|other| **other != name);
    off.map(|other| format!("alerts.market.{other} = 'off'\n")).collect()
}

#[test]
fn a_price_moves_by_more_than_a_hundredth_of_that_of_the_minute_before() {
    check(
        &only("price_move"),
        &[
            // Each symbol is compared with itself.
            "12:00:00 B close=1",
            "12:01:00 B close=2",
            "12:00:00 A close=100",
            "12:01:00 A close=101",
            // From 101 down by more than 1.01.
            "12:02:00 A close=99.5",
            // A minute without a price, and a minute that is missing.
            "12:03:00 A",
            "12:04:00 A close=200",
            "12:06:00 A close=100",
            // Up by a hundredth and a little; the average of two prices.
            "12:07:00 A close=101",
            "12:07:01 A close=101.25",
        ],
        &[],
        &[
            "market.price_move played binance 12:01 12:02 {\"symbol\":\"B\"} 1.0 0.01 warning",
            "market.price_move played binance 12:02 12:03 {\"symbol\":\"A\"} 0.01485148514851485 \
             0.01 warning",
            "market.price_move played binance 12:07 12:08 {\"symbol\":\"A\"} 0.01125 0.01 warning",
        ],
    );
}

#[test]
fn a_price_is_volatile_by_its_deviation_as_a_share_of_it() {
    // Two prices with a distance of d have a sample deviation of d / √2.
    check(
        &only("volatility"),
        &[
            "12:00:00 A close=99",
            "12:00:01 A close=101",
            // 0.141 of 100.
            "12:01:00 A close=99.9",
            "12:01:01 A close=100.1",
            // One price has none, and nothing has a share of nothing.
            "12:02:00 A close=50",
            "12:03:00 A close=-1",
            "12:03:01 A close=1",
        ],
        &[],
        &["market.volatility played binance 12:00 12:01 {\"symbol\":\"A\"} 0.01414213562373095 \
           0.002 warning"],
    );
    // Exactly at the threshold.
    let at = "alerts.market.volatility = 0.01414213562373095";
    let two = ["12:00:00 A close=99", "12:00:01 A close=101"];
    check(&(only("volatility") + at), &two, &[], &[]);
}

#[test]
fn a_sentiment_is_high_or_low() {
    let sentiment = |minute: u32, bought: &str| {
        format!("12:{minute:02}:00 A quote_asset_volume=100 taker_buy_quote={bought}")
    };
    let all = ["80", "81", "20", "19", "50"];
    let all: Vec<String> =
        (0..).zip(all).map(|(minute, bought)| sentiment(minute, bought)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    check(
        "",
        &all,
        &[],
        &[
            "market.sentiment_high played binance 12:01 12:02 {\"symbol\":\"A\"} 0.81 0.8 warning",
            "market.sentiment_low played binance 12:03 12:04 {\"symbol\":\"A\"} 0.19 0.2 warning",
        ],
    );
}

#[test]
fn books_are_lopsided_or_wide() {
    check(
        "",
        &[],
        &[
            // (90 - 10) / 100 either way is at the threshold, 18 / 20 beyond it.
            "12:00:00 book 0xa 0.5*90 0.53125*10",
            "12:00:00 book 0xb 0.5*10 0.53125*90",
            "12:00:00 book 0xc 0.5*19 0.53125*1",
            "12:00:00 book 0xd 0.5*1 0.53125*19",
            "12:00:00 book 0xe 0.5*1 0.5625*1",
            // One-sided: neither.
            "12:00:00 book 0xf 0.5*1 -",
        ],
        &[
            "market.imbalance played polymarket_books 12:00 12:01 {\"market_id\":\"0xc\"} 0.9 0.8 \
             warning",
            "market.imbalance played polymarket_books 12:00 12:01 {\"market_id\":\"0xd\"} 0.9 0.8 \
             warning",
            "market.spread played polymarket_books 12:00 12:01 {\"market_id\":\"0xe\"} 0.0625 0.05 \
             warning",
        ],
    );
    check("alerts.market.spread = 0.03125", &[], &["12:00:00 book 0xa 0.5*1 0.53125*1"], &[]);
}
