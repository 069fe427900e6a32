//! Candles that break the rules.

use super::*;

fn broken(candle: &Candle) -> Vec<&'static str> {
    let symbols = ["BTCUSDT".into()];
    let broken = CANDLE_RULES.iter().filter(|(_, rule)| rule(candle, &symbols));
    broken.map(|(name, _)| *name).collect()
}

fn sound() -> Candle {
    let at = |second| Some(Time::from_seconds(second));
    Candle {
        open_time: at(60),
        snapshot_time: at(90),
        close_time: at(120),
        symbol: Some("BTCUSDT".into()),
        open: Some(2.0),
        high: Some(3.0),
        low: Some(1.0),
        close: Some(2.5),
        volume: Some(10.0),
        quote_asset_volume: Some(20.0),
        taker_buy_base: Some(10.0),
        taker_buy_quote: Some(20.0),
    }
}

#[test]
fn a_candle_breaks_the_rules_that_it_breaks() {
    let check = |candle: Candle, expect: &[&str]| assert_eq!(broken(&candle), expect);
    check(sound(), &[]);
    check(Candle { symbol: sound().symbol, ..Candle::default() }, &[]);
    check(Candle { symbol: None, ..sound() }, &["unknown_symbol"]);
    check(Candle { symbol: Some("TEST".into()), ..sound() }, &["unknown_symbol"]);
    check(Candle { low: Some(0.0), ..sound() }, &["price_not_positive"]);
    check(Candle { close: Some(-1.0), ..sound() }, &["price_not_positive", "ohlc_order"]);
    check(Candle { high: Some(2.0), ..sound() }, &["ohlc_order"]);
    check(Candle { low: Some(2.25), ..sound() }, &["ohlc_order"]);
    check(Candle { open: None, close: None, low: Some(4.0), ..sound() }, &["ohlc_order"]);
    check(Candle { taker_buy_base: Some(10.5), ..sound() }, &["taker_exceeds_volume"]);
    check(Candle { quote_asset_volume: Some(19.0), ..sound() }, &["taker_exceeds_volume"]);
    let captured = |second| Some(Time::from_seconds(second));
    let outside = ["snapshot_outside_candle"];
    check(Candle { snapshot_time: captured(59), ..sound() }, &outside);
    check(Candle { snapshot_time: captured(60), ..sound() }, &[]);
    check(Candle { snapshot_time: captured(125), ..sound() }, &[]);
    check(Candle { snapshot_time: captured(126), ..sound() }, &outside);
}
