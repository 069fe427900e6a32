//! The job files.

use highwater::config::Config;
use highwater::sink::Accepts;
use highwater::time::seconds;

use crate::files::{self, bound, job_of};

const VIEWS: [&str; 7] = [
    "asset_correlation",
    "binance",
    "data_quality",
    "market_correlation",
    "polymarket",
    "polymarket_books",
    "polymarket_trades",
];

fn config(overlays: &[&str], sets: &[&str]) -> Config {
    files::config(job_of("market"), overlays, sets, &|_| None).unwrap()
}

#[test]
fn the_job_is_bound_to_kafka() {
    // Whether rows can be written to Kafka, that connector's own tests tell.
    let all = VIEWS.iter().chain(&["alerts"]);
    let nowhere: Vec<String> = all.map(|view| format!("sink.{view}.blackhole={{}}")).collect();
    let nowhere: Vec<&str> = nowhere.iter().map(String::as_str).collect();
    let config = config(&["market.kafka.toml"], &nowhere);
    let job = bound(job_of("market"), &config).unwrap();
    assert!(job.sinks.keys().map(|view| view.as_str()).eq(["alerts"].into_iter().chain(VIEWS)));
    for (port, start) in
        [("binance", "latest"), ("polymarket_trade", "latest"), ("polymarket_metadata", "earliest")]
    {
        let source = config.source(port).unwrap();
        assert_eq!(source.options["topic"].as_str(), Some(port));
        assert_eq!(source.options["start"].as_str(), Some(start));
    }
}

#[test]
fn files_for_throughput_and_latency_lie_over_that_for_kafka() {
    let check = |overlays: &[&str], trigger| {
        let config = config(overlays, &[]);
        for view in VIEWS {
            let sink = &config.sinks(view).unwrap()[0];
            assert_eq!((sink.kind.as_str(), sink.trigger_interval), ("kafka", Some(trigger)));
            let rows = if view == "asset_correlation" { Accepts::Final } else { Accepts::Updates };
            assert_eq!(sink.rows, Some(rows), "{view}");
        }
    };
    check(&["market.kafka.toml"], seconds(5));
    check(&["market.kafka.toml", "market.throughput.toml"], seconds(30));
    check(&["market.kafka.toml", "market.latency.toml"], seconds(1));
}
