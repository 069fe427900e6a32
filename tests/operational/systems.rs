//! The operational alerts of the systems, in runs of the binary over generated events.

use std::fs;

use highwater::testing::Scratch;

use crate::binary::run_in;

/// Runs a system for some seconds with something laid over its file; the alerts of a prefix, each
/// as name, view and key.
fn alerts(system: &str, overlay: &str, prefix: &str) -> Vec<String> {
    let folder = Scratch::new(&format!("operational-{system}"));
    let bound = "[sink.'*']\nblackhole = {}\n[sink.alerts]\nfile = { path = 'alerts.jsonl' }\n";
    fs::write(folder.path().join("job.toml"), format!("{overlay}\n{bound}")).unwrap();
    let args = ["run", system, "-c", "job.toml", "-w", "2", "--for", "6s"];
    let ended = run_in(folder.path(), &args);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let rows = fs::read_to_string(folder.path().join("alerts.jsonl")).unwrap();
    let rows = rows.lines().map(|line| serde_json::from_str(line).unwrap());
    let rows = rows.filter(|row: &serde_json::Value| row["window_start"].is_null());
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let mut found: Vec<String> = rows
        .map(|row| {
            let alert = text(&row, "alert");
            assert!(ended.stderr.contains(&format!("WARN alert {alert}: ")), "{}", ended.stderr);
            format!("{alert} {} {}", text(&row, "view"), text(&row, "key"))
        })
        .collect();
    found.retain(|row| row.starts_with(prefix));
    found.sort();
    found
}

#[test]
fn symbols_of_the_market_that_do_not_come_are_told_and_those_that_come_are_not() {
    let overlay = "[parameters]\nalerts.market.silence = 3\n\
        symbols = ['BTCUSDT', 'ETHUSDT', 'XRPUSDT']\n\
        [source.binance]\ngenerator = { dataset = 'market.binance', rate = 40, seed = 7, \
        symbols = 'BTCUSDT,SOLUSDT' }\n";
    let silent = |symbol: &str| format!("market.silence binance {{\"symbol\":\"{symbol}\"}}");
    assert_eq!(alerts("market", overlay, ""), [silent("ETHUSDT"), silent("XRPUSDT")]);
}

#[test]
fn broken_events_of_the_shop_are_told_and_so_is_how_few_are_used() {
    let overlay = |broken: f64| {
        format!(
            "[parameters]\nalerts.shop.processing_ratio.over = '2s'\n[source.events]\n\
             generator = {{ dataset = 'shop.events', rate = 200, seed = 7, bad_json = {broken} }}\n"
        )
    };
    let [failed, ratio] = ["shop.failed_events alerts {}", "shop.processing_ratio alerts {}"];
    assert_eq!(alerts("shop", &overlay(0.02), ""), [failed]);
    assert_eq!(alerts("shop", &overlay(0.3), ""), [failed, ratio]);
    assert_eq!(alerts("shop", &overlay(0.0), ""), [""; 0]);
}

#[test]
fn the_chat_finds_no_moment_in_some_seconds_of_even_talk() {
    let overlay = "[parameters]\nalerts.chat.no_moment = 3\nthreshold = 1000.0\n";
    assert_eq!(alerts("chat", overlay, "chat"), ["chat.no_moment moments {}"]);
}

#[test]
fn check_and_list_say_what_is_watched() {
    let folder = Scratch::new("operational-check");
    for args in [["check", "shop"].as_slice(), &["list", "jobs", "shop"]] {
        let ended = run_in(folder.path(), args);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        for line in [
            "1m; none: the running job",
            "shop.processing_delay: seconds from record to row of raw_events in 10s > 5",
            "shop.processing_ratio: share of the records that was used in 300s < 0.9",
            "shop.failed_events: records that failed in 300s > 0",
        ] {
            assert!(ended.stdout.contains(line), "{line}: {}", ended.stdout);
        }
    }
}
