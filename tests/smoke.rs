//! The smoke test of the market system, as its README tells it: one record, typed by hand, and its
//! row on the console. The record has no time, so that of its arrival has to stand in.

use std::time::Duration;

use highwater::source::kafka::{Admin, ClientSettings, Outgoing, Producer};
use highwater::testing::{KafkaServer, Scratch};

use crate::binary::highwater;
use crate::cluster::support::{Running, ledger, until};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs the job with one more setting on topics that hold the record alone, until it has said
/// something; what it wrote to stdout and stderr in the end.
fn run(server: &KafkaServer, setting: &str, said: impl Fn(&Running) -> bool) -> (String, String) {
    let scratch = Scratch::new("smoke");
    let (brokers, client) = (server.brokers(), ClientSettings::default());
    let mut command = highwater();
    command.args(["run", "market", "-c", "market.kafka.toml", "--from", "earliest"]);
    for port in ["binance", "polymarket_trade", "polymarket_metadata"] {
        let topic = format!("smoke-{}-{port}", setting.len());
        Admin::new(&brokers, &client).unwrap().create_topic(&topic, 2).unwrap();
        let kafka = format!("source.{port}.kafka={{topic={topic:?},brokers={brokers:?}}}");
        command.args(["--set", &kafka]);
        if port == "binance" {
            let value = br#"{"symbol": "TESTUSDT", "close": 100.0, "volume": 1000.0}"#;
            let record =
                Outgoing { topic: &topic, partition: 0, key: None, value: Some(value), time: None };
            let producer = Producer::new(&brokers, &client).unwrap();
            producer.send(record).unwrap();
            producer.flush().unwrap();
        }
    }
    let sinks = ["sink.\"*\".console={}", "sink.alerts.console={}"];
    command.args(sinks.iter().chain([&setting]).flat_map(|set| ["--set", set]));
    let job = Running::start(command, scratch.path(), "market");
    until(LIMIT, || said(&job));
    job.signal("TERM");
    let ended = job.end(LIMIT);
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    (ended.out, ended.err)
}

#[test]
fn a_record_without_a_time_has_a_row_if_that_of_its_arrival_stands_in() {
    let Some(server) = KafkaServer::shared() else { return };
    let fallback = "source.binance.event_time_fallback=\"record\"";
    let (out, err) = run(server, fallback, |job| job.out().contains("TESTUSDT"));
    let row = out.lines().find(|line| line.contains("TESTUSDT")).unwrap();
    // Symbol, mean of the price, ticks; no volatility, no volume in USDT.
    for cell in ["100", "1", "-"] {
        assert!(row.split_whitespace().any(|word| word == cell), "{cell}: {row}\n{err}");
    }
    assert_eq!([1, 3].map(|column| ledger(&err, "binance", column)), [1, 0], "{err}");
}

#[test]
fn otherwise_it_is_a_dead_letter_and_the_log_says_so() {
    let Some(server) = KafkaServer::shared() else { return };
    let (out, err) =
        run(server, "view.binance.forget_after=\"24h\"", |job| job.err().contains("no_event_time"));
    assert!(!out.contains("TESTUSDT"), "{out}");
    let letter = "dead letter no_event_time: binance partition 0 offset 0";
    assert_eq!(err.matches(letter).count(), 1, "{err}");
    assert_eq!([1, 3].map(|column| ledger(&err, "binance", column)), [0, 1], "{err}");
}
