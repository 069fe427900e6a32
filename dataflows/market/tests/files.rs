//! The job files.

use std::sync::Arc;

use highwater::config::{Config, Kinds};
use highwater::runtime::{Dataflow, Surroundings, bind_all, wall_time};
use highwater::sink::Accepts;
use highwater::sink::kinds::SINK_NAMES;
use highwater::source::kinds::SOURCE_NAMES;
use highwater::time::seconds;

use crate::DATAFLOWS;

const VIEWS: [&str; 7] = [
    "asset_correlation",
    "binance",
    "data_quality",
    "market_correlation",
    "polymarket",
    "polymarket_books",
    "polymarket_trades",
];

fn dataflow() -> &'static Dataflow {
    DATAFLOWS.iter().find(|dataflow| dataflow.system == "market").unwrap()
}

fn config(overlays: &[&str], sets: &[&str]) -> Config {
    let mut files = vec![dataflow().file];
    for name in overlays {
        files.push(*dataflow().overlays.iter().find(|(overlay, _)| overlay == name).unwrap());
    }
    let mut sinks = SINK_NAMES.to_vec();
    sinks.push("kafka");
    let kinds = Kinds { sources: SOURCE_NAMES, sinks: sinks.leak() };
    let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
    Config::load(kinds, &files, &[], &sets, &|_| None).unwrap()
}

#[test]
fn the_job_is_bound_to_kafka() {
    // Whether rows can be written to Kafka, that connector's own tests tell.
    let all = VIEWS.iter().chain(&["alerts"]);
    let nowhere: Vec<String> = all.map(|view| format!("sink.{view}.blackhole={{}}")).collect();
    let nowhere: Vec<&str> = nowhere.iter().map(String::as_str).collect();
    let config = config(&["market.kafka.toml"], &nowhere);
    let around = Surroundings {
        generators: &[],
        now: Arc::new(wall_time),
        dataflows: DATAFLOWS,
        threads: 1,
        latency: false,
        from: None,
    };
    let (job, mistakes) = bind_all(dataflow(), &config, &around);
    assert_eq!(mistakes, []);
    let job = job.unwrap();
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
