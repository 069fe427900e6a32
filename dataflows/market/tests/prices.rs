//! MK-01.

use super::played_with;

fn check(arguments: &str, lines: &[&str], expect: &[&str]) {
    assert_eq!(played_with(arguments, lines, &[]).finals("binance"), expect);
}

#[test]
fn prices_of_a_minute_come_from_arrays_and_objects() {
    let lines = [
        "12:00:01 BTCUSDT close=1 quote_asset_volume=10 taker_buy_quote=4 ; \
         12:00:02 BTCUSDT close=2 quote_asset_volume=20 taker_buy_quote=12 ; \
         12:00:01 ETHUSDT close=7.5",
        "12:00:03 BTCUSDT close=4 quote_asset_volume=40 taker_buy_quote=32",
        "12:00:59.999 - close=5",
        "12:01:00 BTCUSDT close=\"9\" quote_asset_volume=0 taker_buy_quote=0",
    ];
    let deviation = 1.5275252316519465f64.next_up();
    check(
        "",
        &lines,
        &[
            "12:00 12:01 - 5.0 - 5.0 5.0 5.0 - - - 1 -",
            // The sample deviation of 1, 2, 4; sentiments 0.4, 0.6, 0.8; volumes are added up.
            &format!(
                "12:00 12:01 BTCUSDT 4.0 0.8 {:?} 1.0 4.0 {deviation:?} 70.0 {:?} 3 -",
                7.0 / 3.0,
                1.8 / 3.0,
            ),
            "12:00 12:01 ETHUSDT 7.5 - 7.5 7.5 7.5 - - - 1 -",
            "12:01 12:02 BTCUSDT - - - - - - 0.0 - 1 -",
        ],
    );
}

#[test]
fn the_last_record_has_the_last_price_even_if_it_has_none() {
    let lines = [
        "12:00:30 BTCUSDT close=3 quote_asset_volume=8 taker_buy_quote=2",
        "12:00:10 BTCUSDT close=1 quote_asset_volume=8 taker_buy_quote=4",
        "12:00:20 BTCUSDT close=2",
    ];
    let rows = |arguments: &str, lines: &[&str]| -> Vec<String> {
        let rows = played_with(arguments, lines, &[]).finals("binance");
        rows.iter()
            .map(|row| row.split(' ').skip(3).take(2).collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(rows("", &lines), ["3.0 0.25"]);
    // The second record is alone in its partition, which is read behind the other.
    assert_eq!(rows("last = 'arrival'", &lines), ["1.0 0.5"]);
    let null = [lines[0], lines[1], "12:00:40 BTCUSDT close=null"];
    assert_eq!(rows("", &null), ["- -"]);
}

#[test]
fn a_record_without_a_snapshot_time_is_a_letter() {
    let played = played_with("", &["{\"symbol\":\"TESTUSDT\",\"close\":100.0}"], &[]);
    assert_eq!(played.finals("binance"), [""; 0]);
    assert_eq!(played.letters(), ["0 no_event_time"]);
}

#[test]
fn the_volume_of_a_candle_counts_where_it_opens() {
    let lines = [
        "12:00:10 BTCUSDT opens=12:00:00 quote_asset_volume=10",
        "12:00:50 BTCUSDT opens=12:00:00 quote_asset_volume=40",
        // The closing snapshot comes in the next minute, and even behind that of the next candle.
        "12:01:01 BTCUSDT opens=12:01:00 quote_asset_volume=3",
        "12:01:00.5 BTCUSDT opens=12:00:00 quote_asset_volume=45",
        // Neither opens with a window, or before it was captured.
        "12:01:02 BTCUSDT opens=12:01:01 quote_asset_volume=99",
        "12:01:03 BTCUSDT opens=12:02:00 quote_asset_volume=99",
        "12:02:00 BTCUSDT quote_asset_volume=99",
    ];
    let volumes = |arguments: &str| -> Vec<String> {
        let rows = played_with(arguments, &lines, &[]).finals("binance");
        rows.iter().map(|row| row.rsplit(' ').next().unwrap().to_owned()).collect()
    };
    assert_eq!(volumes(""), ["45.0", "3.0", "-"]);
    assert_eq!(volumes("window = '2 minutes'"), ["45.0", "-"]);
}

#[test]
fn a_candle_whose_window_is_over_is_a_letter_of_the_view() {
    let lines = [
        "12:00:10 BTCUSDT opens=12:00:00 quote_asset_volume=10",
        "12:00:10 BTCUSDT",
        "12:03:00 BTCUSDT opens=12:03:00 quote_asset_volume=1",
        "12:00:11 BTCUSDT",
        // On time itself, but the minute in which its candle opened closed at 12:03.
        "12:03:01 BTCUSDT opens=12:00:00 quote_asset_volume=50",
    ];
    let played = played_with("", &lines, &[]);
    let rows = played.finals("binance");
    assert!(rows[0].starts_with("12:00 12:01 BTCUSDT") && rows[0].ends_with(" 3 10.0"), "{rows:?}");
    assert_eq!(played.letters(), ["4 late binance"]);
}
