//! The archive: what any record becomes, from real Kafka.

use std::sync::Arc;

use highwater::config::DataLoss;
use highwater::row::Cell;
use highwater::runtime::{BoundSink, BoundSource, Job, Stop, Workers, run};
use highwater::sink::View;
use highwater::sink::memory::Collector;
use highwater::source::kafka::{
    Admin, ClientSettings, KafkaConnector, Options, Outgoing, Producer,
};
use highwater::testing::KafkaServer;
use highwater::time::{Time, seconds};
use highwater_dataflows::archive::archive;

/// Partition, key, value and second of each record.
type Sent = (u32, Option<&'static [u8]>, Option<&'static [u8]>, i64);

const RECORDS: [Sent; 5] = [
    (0, Some(b"u1"), Some(b"{\"a\":1}"), 100),
    (0, None, Some(b"no JSON"), 50),
    (0, Some(b"u2"), None, 5_000_000),
    (1, None, Some(b"\xff"), 1),
    (1, None, Some(b""), 2),
];

#[test]
fn every_record_is_archived_whatever_is_in_it() {
    let Some(server) = KafkaServer::shared() else { return };
    let brokers = server.brokers();
    let settings = ClientSettings::default();
    let topics = ["archive-auth_topic", "archive-other"];
    for topic in topics {
        Admin::new(&brokers, &settings).unwrap().create_topic(topic, 2).unwrap();
    }
    let producer = Producer::new(&brokers, &settings).unwrap();
    for (partition, key, value, second) in RECORDS {
        let (topic, time) = (topics[0], Some(Time::from_seconds(second)));
        producer.send(Outgoing { topic, partition, key, value, time }).unwrap();
    }
    producer.flush().unwrap();

    let mut job = Job::new("archive", move |flow| {
        archive(flow, &topics);
        Ok(())
    });
    for (topic, port) in topics.into_iter().zip(["archive-auth.raw", "archive-other.raw"]) {
        let text = format!("topic = \"{topic}\"\nbrokers = \"{brokers}\"");
        let options: Options = toml::from_str(&text).unwrap();
        let connector = KafkaConnector::new(options, 1 << 20, DataLoss::Stop, 2);
        job.sources.insert(port.into(), BoundSource::new(Arc::new(connector)));
    }
    let schema = job.schemas().unwrap().remove(topics[0]).unwrap();
    let names: Vec<&str> = schema.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["key", "value", "timestamp", "partition", "offset"]);
    let (rows, letters) = (Collector::default(), Collector::default());
    let view =
        |name: &str| View { name: name.into(), schema: schema.clone(), key: vec![], stamp: None };
    let bound = BoundSink::new(topics[0], rows.sink(&view(topics[0])));
    job.sinks.insert(topics[0].into(), vec![bound]);
    job.letters = BoundSink::new("letters", letters.sink(&view("letters")));

    let stop = Stop::new();
    let asks = stop.clone();
    let seen = rows.clone();
    let watch = std::thread::spawn(move || {
        let begun = std::time::Instant::now();
        while seen.finals().len() < RECORDS.len() && begun.elapsed() < seconds(40) {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        asks.ask();
    });
    run(vec![Arc::new(job)], &Workers::threads(2), &stop).unwrap();
    watch.join().unwrap();

    assert_eq!(letters.finals(), [[]; 0]);
    let text = |text: Option<&str>| text.map_or(Cell::Null, |text| Cell::Text(text.into()));
    let row = |key, value, second, partition, offset| {
        let time = Cell::Time(Time::from_seconds(second));
        vec![text(key), text(value), time, Cell::I32(partition), Cell::I64(offset)]
    };
    let mut found = rows.finals();
    found.sort_by(|a, b| a[3].order(&b[3]).then_with(|| a[4].order(&b[4])));
    assert_eq!(
        found,
        [
            row(Some("u1"), Some("{\"a\":1}"), 100, 0, 0),
            row(None, Some("no JSON"), 50, 0, 1),
            row(Some("u2"), None, 5_000_000, 0, 2),
            row(None, Some("\u{fffd}"), 1, 1, 0),
            row(None, Some(""), 2, 1, 1),
        ],
    );
}
